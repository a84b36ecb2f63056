"""Text prompts: templates in the manner of Table I, attributes combined evenly, keywords read back.

The paper prints four prompts "(not an exhaustive list)"; the first four templates reproduce them
word for word, the others are more of their kind. Emotion prompts skew demographics (arXiv
2602.00032), so every attribute is spread evenly within each emotion instead of being left to
chance.
"""

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fer_utils.core.emotions import ADJECTIVES, EMOTIONS, NOUNS, emotion_name
from fer_utils.core.errors import CompanionError
from fer_utils.core.paths import atomic_write
from fer_utils.core.profiles import Profile
from fer_utils.core.stored import read_table
from fer_utils.datasets.population import LIGHTS

DECADES = (20, 30, 40, 50, 60, 70, 80)
PEOPLE = tuple((person, decade) for decade in DECADES for person in ("man", "woman")) + (
    ("boy", 0),
    ("girl", 0),
)
"""Who may be asked for: (person, decade of age); decade 0 is a child, whose age no template
states."""
REALISM = ("realistic photo", "detailed photo", "studio photo")
GLASSES = ("", "with glasses")

TEMPLATES = {
    # Table I, rows 1 to 4.
    "face_with": "{a_person}'s face with {noun} emotion",
    "face_of": "A face of {a_person} {aged} expressing {noun} emotion",
    "expression_on": "{adjective} expression on {a_kid}, {realism}",
    "expressing": "{an_old_person} {aged} expressing {noun} emotions on {his} face",
    # More of their kind.
    "portrait": "Portrait of {an_adjective_person} {aged} {glasses}, {light}, {realism}",
    "close_up": "Close-up of {a_person} {aged} {glasses}, {noun} on {his} face, {light}",
}

TEXT_COLUMNS = (
    "id",
    "generator",
    "emotion",
    "prompt",
    "negative_prompt",
    "keywords",
    "template",
    "person",
    "age",
    "light",
    "realism",
    "glasses",
)

_KEYWORDS = re.compile(
    "|".join(
        [
            r"old (?:man|woman)",
            r"\b(?:man|woman|boy|girl|kid)\b",
            r"\d0's",
            r"\b(?:realistic|detailed|studio)\b",
            r"\b(?:soft|side|bright|dim) light",
            r"\bglasses\b",
        ]
        + [rf"\b{word}\b" for word in sorted({*NOUNS.values(), *ADJECTIVES.values()})]
    )
)


@dataclass(frozen=True)
class Attributes:
    """What a prompt may say about the face; a template leaves out what it has no place for."""

    emotion: str
    person: str = "man"
    decade: int = 30
    light: str = "soft light"
    realism: str = "realistic photo"
    glasses: str = ""


def compose(template: str, attributes: Attributes) -> str:
    """The prompt that ``TEMPLATES[template]`` makes of the attributes."""
    words = _words(attributes)
    text = TEMPLATES[template].format(**words)
    text = re.sub(r"\s+", " ", text).replace(" ,", ",").strip()
    return text[0].upper() + text[1:]


def stated(template: str, attributes: Attributes) -> dict[str, str]:
    """The attributes that the composed prompt really states; the others are empty strings."""
    pattern = TEMPLATES[template]
    child = attributes.decade == 0
    return {
        "person": "kid" if "{a_kid}" in pattern and child else attributes.person,
        "age": f"{attributes.decade}'s" if "{aged}" in pattern and not child else "",
        "light": attributes.light if "{light}" in pattern else "",
        "realism": attributes.realism if "{realism}" in pattern else "",
        "glasses": attributes.glasses if "{glasses}" in pattern else "",
    }


def keywords(prompt: str) -> list[str]:
    """The words of a prompt that carry its meaning, in order (right column of Table I)."""
    return [prompt[place].lower() for place in keyword_places(prompt)]


def keyword_places(prompt: str) -> list[slice]:
    """Where in the prompt the ``keywords`` stand."""
    return [slice(*found.span()) for found in _KEYWORDS.finditer(prompt.lower())]


def sample_prompts() -> pd.DataFrame:
    """Table I of the paper, composed by the templates: columns prompt, keywords."""
    rows = [
        ("face_with", Attributes("surprise", "man")),
        ("face_of", Attributes("disgust", "woman", 30)),
        ("expression_on", Attributes("happy", "boy", 0)),
        ("expressing", Attributes("neutral", "man", 80)),
    ]
    prompts = [compose(template, attributes) for template, attributes in rows]
    return pd.DataFrame({"prompt": prompts, "keywords": [", ".join(keywords(p)) for p in prompts]})


def prompt_table(counts: dict[str, int], profile: Profile) -> pd.DataFrame:
    """One row for each image to make: ``counts[emotion]`` rows of each emotion.

    Columns id, generator, emotion, prompt, negative_prompt, keywords, template, person, age, light,
    realism, glasses, seed. Row k of an emotion does not depend on how many rows are asked for, so a
    larger pool contains the smaller one. Within an emotion every attribute's values occur equally
    often, to within one.
    """
    tables = [
        _emotion_rows(emotion_name(emotion), count, profile) for emotion, count in counts.items()
    ]
    return pd.DataFrame([row for rows in tables for row in rows])


def write_prompts(prompts: pd.DataFrame, profile: Profile) -> None:
    """Write the prompt table to ``profile.paths.prompts``, atomically."""
    with atomic_write(profile.paths.prompts, "w", encoding="utf-8", newline="") as file:
        prompts.to_csv(file, index=False, lineterminator="\n")


def read_prompts(profile: Profile) -> pd.DataFrame:
    """The prompt table that stage 02 wrote; CompanionError tells to run it if there is none."""
    path = profile.paths.prompts
    if not path.is_file():
        raise CompanionError(
            f"{path} is not there. Run stage 02 (notebooks/02_prompt_generation.ipynb) with the "
            f"profile '{profile.name}' first."
        )
    return read_table(
        path, (*TEXT_COLUMNS, "seed"), dtype=dict.fromkeys(TEXT_COLUMNS, str), keep_default_na=False
    )


def evenly(values, count: int, *, key: tuple) -> list:
    """``count`` values in a seeded order in which each occurs equally often, to within one, at
    every prefix."""
    rng = np.random.default_rng(key)
    order: list = []
    while len(order) < count:
        order += [values[i] for i in rng.permutation(len(values))]
    return order[:count]


def _emotion_rows(emotion: str, count: int, profile: Profile) -> list[dict]:
    position = EMOTIONS.index(emotion)
    columns = [
        evenly(values, count, key=(profile.prompts.seed, position, axis))
        for axis, values in enumerate((tuple(TEMPLATES), PEOPLE, LIGHTS, REALISM, GLASSES))
    ]
    generators = generator_sequence(profile, count)
    first_seed = profile.synthesis.seed + 1_000_000 * position
    rows = []
    for k, (template, (person, decade), light, realism, glasses) in enumerate(zip(*columns)):
        attributes = Attributes(emotion, person, decade, light, realism, glasses)
        prompt = compose(template, attributes)
        rows.append(
            {
                "id": f"{emotion}-{k:06d}",
                "generator": generators[k],
                "emotion": emotion,
                "prompt": prompt,
                "negative_prompt": profile.synthesis.negative_prompt,
                "keywords": ", ".join(keywords(prompt)),
                "template": template,
                **stated(template, attributes),
                "seed": first_seed + k,
            }
        )
    return rows


def generator_sequence(profile: Profile, count: int) -> list[str]:
    """Which generator makes image 0, 1, 2 ... of an emotion: interleaved in the ratio of their
    shares."""
    made_by_sd3 = np.floor(np.arange(count + 1) * profile.generators.sd3.share + 1e-9)
    return ["sd3" if step else "sd2" for step in np.diff(made_by_sd3)]


def _words(a: Attributes) -> dict[str, str]:
    child, old = a.decade == 0, a.decade >= 60
    his = "his" if a.person in ("man", "boy") else "her"
    adjective = ADJECTIVES[a.emotion]
    return {
        "a_person": f"a {a.person}",
        "a_kid": "a kid" if child else f"a {a.person}",
        "an_old_person": f"an old {a.person}" if old else f"a {a.person}",
        "an_adjective_person": f"{_article(adjective)} {adjective} {a.person}",
        "aged": "" if child else f"in {his} {a.decade}'s",
        "his": his,
        "noun": NOUNS[a.emotion],
        "adjective": adjective.capitalize(),
        "light": a.light,
        "realism": a.realism,
        "glasses": a.glasses,
    }


def _article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"
