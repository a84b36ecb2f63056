"""The seven emotion classes: one order everywhere, and every other spelling or code mapped onto it.

The order is that of the rows of Tables II and III of the paper.
"""

from fer_utils.core.errors import CompanionError, nearest

EMOTIONS = ("anger", "disgust", "fear", "happy", "neutral", "sad", "surprise")
"""Label ``i`` of every FaceSet, prediction and confusion matrix means ``EMOTIONS[i]``."""

NOUNS = {
    "anger": "anger",
    "disgust": "disgust",
    "fear": "fear",
    "happy": "happiness",
    "neutral": "neutral",
    "sad": "sadness",
    "surprise": "surprise",
}
ADJECTIVES = {
    "anger": "angry",
    "disgust": "disgusted",
    "fear": "fearful",
    "happy": "happy",
    "neutral": "neutral",
    "sad": "sad",
    "surprise": "surprised",
}

SPELLINGS = tuple(dict.fromkeys((*EMOTIONS, *NOUNS.values(), *ADJECTIVES.values())))
"""What an emotion may be called, the names in ``EMOTIONS`` first."""

# FER2013's own codes 0-6 (Goodfellow et al. 2013, the column "emotion" of fer2013.csv).
FER2013_ORDER = ("anger", "disgust", "fear", "happy", "sad", "surprise", "neutral")
# RAF-DB's codes 1-7 (list_patition_label.txt).
RAFDB_ORDER = ("surprise", "fear", "disgust", "happy", "sad", "anger", "neutral")
# The label order of the authors' code and published weights.
AUTHORS_ORDER = ("happy", "surprise", "sad", "anger", "disgust", "fear", "neutral")

_ALIASES = {
    alias: emotion
    for emotion in EMOTIONS
    for alias in (emotion, NOUNS[emotion], ADJECTIVES[emotion])
}
_ALIASES |= {
    "fearfulness": "fear",
    "afraid": "fear",
    "scared": "fear",
    "surprize": "surprise",
    "calm": "neutral",
    "joy": "happy",
}


def emotion_name(alias: str) -> str:
    """The name in ``EMOTIONS`` for any usual spelling: 'Angry', 'happiness', 'sadness', 'Fear'.

    Raises CompanionError with the valid names for anything else.
    """
    name = _ALIASES.get(str(alias).strip().lower())
    if name is None:
        raise CompanionError(
            f"Unknown emotion '{alias}': {nearest(str(alias).lower(), SPELLINGS, listed=EMOTIONS)}"
        )
    return name


def emotion_index(alias: str) -> int:
    """The label (position in ``EMOTIONS``) of any usual spelling of an emotion."""
    return EMOTIONS.index(emotion_name(alias))


def emotion_labels() -> dict[str, int]:
    """The label of every spelling that ``emotion_name`` knows: {'anger': 0, 'angry': 0, ...}."""
    return {alias: EMOTIONS.index(name) for alias, name in _ALIASES.items()}


def codes_to_labels(order: tuple[str, ...]) -> list[int]:
    """For a foreign order of the classes, the label of each of its positions."""
    return [EMOTIONS.index(name) for name in order]
