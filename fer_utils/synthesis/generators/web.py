"""What the tiny generators learn from: pictures with captions, as a text-to-image model's "web".

The shipped generators learn from drawn faces of the population ``WEB``, which shares no person with
the demo data sets. A generator for a real data set learns from its training split, of which only
the emotion is known.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch

from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.faces import FaceSet, resize_images
from fer_utils.datasets.population import (
    PERSONS,
    WEB,
    sample_identities,
    sample_traits,
    take_pictures,
)
from fer_utils.prompts import (
    DECADES,
    GLASSES,
    LIGHTS,
    PEOPLE,
    REALISM,
    TEMPLATES,
    Attributes,
    compose,
    stated,
)

AGES = (0, *DECADES)
UNKNOWN = -100
"""Label of an attribute that is not known or not stated; PyTorch's cross-entropy leaves it out."""
CLASSES = {
    "emotion": len(EMOTIONS),
    "person": len(PERSONS),
    "age": len(AGES),
    "light": len(LIGHTS),
    "glasses": len(GLASSES),
}

# Half of the web's people are men, half women; children are an eighth, as in the prompts.
WEB_PEOPLE = replace(WEB, persons=(7, 7, 1, 1), adult_age=(20, 89), glasses_share=0.3)


@dataclass(frozen=True)
class Captioned:
    """Pictures that captions can be written for.

    images: uint8 [N, 64, 64, 3]; attributes: for each name in ``CLASSES`` int64 [N], UNKNOWN where
    not known. weights: float [N], how often each picture is drawn relative to the others; None if
    all alike.
    """

    images: np.ndarray
    attributes: dict[str, torch.Tensor]
    weights: torch.Tensor | None = None

    def __len__(self) -> int:
        return len(self.images)

    def known(self) -> list[str]:
        """The attributes that are known of any picture."""
        return [name for name, values in self.attributes.items() if (values != UNKNOWN).any()]

    def draw(self, count: int, generator: torch.Generator) -> torch.Tensor:
        """Numbers of ``count`` pictures for one batch, int64 [count], drawn with replacement."""
        if self.weights is None:
            return torch.randint(len(self), (count,), generator=generator)
        return torch.multinomial(self.weights, count, replacement=True, generator=generator)

    def captions(self, index, rng: np.random.Generator) -> list[str]:
        """One caption for each picture in ``index``, its template drawn at random."""
        return [self._caption(int(i), rng) for i in index]

    def _caption(self, i: int, rng: np.random.Generator) -> str:
        template = list(TEMPLATES)[rng.integers(len(TEMPLATES))]
        return compose(template, self._known(i, rng))

    def _known(self, i: int, rng: np.random.Generator) -> Attributes:
        """The picture's attributes; an unknown one is drawn at random, so that the model learns to
        ignore it."""
        person, decade = PEOPLE[rng.integers(len(PEOPLE))]
        known = {name: int(values[i]) for name, values in self.attributes.items()}
        if known["person"] != UNKNOWN:
            person, decade = PERSONS[known["person"]], AGES[known["age"]]
        light = known["light"] if known["light"] != UNKNOWN else rng.integers(len(LIGHTS))
        glasses = known["glasses"] if known["glasses"] != UNKNOWN else rng.integers(len(GLASSES))
        return Attributes(
            EMOTIONS[known["emotion"]],
            person,
            decade,
            LIGHTS[light],
            REALISM[rng.integers(len(REALISM))],
            GLASSES[glasses],
        )


def draw_web(count: int, *, seed: int, chunk: int = 512) -> Captioned:
    """``count`` drawn portraits of as many people, emotions in equal shares."""
    generator = torch.Generator().manual_seed(seed)
    images, rows = [], []
    for start in range(0, count, chunk):
        size = min(chunk, count - start)
        people = sample_identities(size, WEB_PEOPLE, generator=generator)
        emotions = (torch.arange(start, start + size)) % len(EMOTIONS)
        traits = sample_traits(people, emotions, WEB_PEOPLE, generator=generator)
        images.append(take_pictures(traits, WEB_PEOPLE.camera, generator=generator).numpy())
        rows.append(_attributes(traits))
    attributes = {name: torch.cat([row[name] for row in rows]) for name in CLASSES}
    return Captioned(np.concatenate(images), attributes)


def from_faces(faces: FaceSet) -> Captioned:
    """A training split, each face also mirrored, as a "web" of which only the emotions are known.

    An emotion is drawn as often as the square root of its count says: by the count itself one batch
    in two of FER2013 would hold no disgust, and by equal shares its few hundred faces would be
    learnt by heart.
    """
    images = resize_images(faces.images, 64, channels=3)
    labels = torch.from_numpy(faces.labels)
    weights = labels.bincount(minlength=len(EMOTIONS)).float().rsqrt()[labels]
    unknown = torch.full((2 * len(faces),), UNKNOWN)
    return Captioned(
        np.concatenate([images, images[:, :, ::-1]]),
        dict.fromkeys(CLASSES, unknown) | {"emotion": labels.repeat(2)},
        weights.repeat(2),
    )


def face_set(pictures: "Captioned") -> FaceSet:
    """The pictures as a FaceSet labelled with their emotions."""
    count = len(pictures)
    return FaceSet(
        pictures.images,
        pictures.attributes["emotion"].numpy(),
        np.array([f"web-{i:05d}" for i in range(count)]),
        np.full(count, "web"),
    )


def stated_labels(template: str, attributes: Attributes) -> dict[str, int]:
    """The attributes a prompt states, as class numbers; UNKNOWN for those it leaves open."""
    said = stated(template, attributes)
    people = {**{name: k for k, name in enumerate(PERSONS)}, "kid": UNKNOWN}
    ages = {f"{decade}'s": k for k, decade in enumerate(AGES)}
    child = attributes.decade == 0
    return {
        "emotion": EMOTIONS.index(attributes.emotion),
        "person": people[said["person"]],
        "age": 0 if child else ages.get(said["age"], UNKNOWN),
        "light": LIGHTS.index(said["light"]) if said["light"] else UNKNOWN,
        "glasses": (
            GLASSES.index(said["glasses"]) if "{glasses}" in TEMPLATES[template] else UNKNOWN
        ),
    }


def _attributes(traits) -> dict[str, torch.Tensor]:
    people = traits.identities
    decade = (people.age.div(10, rounding_mode="floor").long() - 1).clamp(1, len(DECADES))
    return {
        "emotion": traits.emotion,
        "person": people.person,
        "age": torch.where(people.person >= 2, 0, decade),
        "light": traits.light,
        "glasses": (people.glasses > 0.5).long(),
    }
