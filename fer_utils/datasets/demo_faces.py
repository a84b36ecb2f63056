"""Two drawn data sets that mirror FER2013 (48x48 gray) and RAF-DB (100x100 colour), split by split.

Train has Table II's class proportions at the profile's ``data.scale``; validation and test have
those of PublicTest and PrivateTest, or of RAF-DB's validation share and test, at
``data.evaluation_scale``.

Labels are wrong for the share ``data.label_noise`` of *every* split, test included, as in the real
sets: their test labels come from the same annotators. So an accuracy over ``1 - label_noise`` can't
be expected, and the counts of the tables are those of the labels, exactly. A wrong label hides an
emotion drawn evenly from the other six. ``demo_plan`` tells the drawn emotion of every face;
nothing else in the project uses it.
"""

import numpy as np
import pandas as pd
import torch

from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.faces import FaceSet
from fer_utils.core.profiles import Profile
from fer_utils.datasets.checks import official_counts
from fer_utils.datasets.population import (
    COLOUR_CROWD,
    GRAYSCALE_CROWD,
    Population,
    sample_identities,
    sample_traits,
    take_pictures,
)
from fer_utils.datasets.splits import SPLITS, Splits, dataset_info, derived_seed, scaled_counts

POPULATIONS = {"demo_fer2013": GRAYSCALE_CROWD, "demo_rafdb": COLOUR_CROWD}
_DRAWN_AT_ONCE = 256


def draw_demo_fer2013(profile: Profile) -> Splits:
    """Gray faces uint8 [N, 48, 48, 1] in FER2013's class proportions."""
    return _draw("demo_fer2013", profile)


def draw_demo_rafdb(profile: Profile) -> Splits:
    """Colour faces uint8 [N, 100, 100, 3] in RAF-DB's class proportions."""
    return _draw("demo_rafdb", profile)


def demo_counts(name: str, split: str, profile: Profile) -> dict[str, int]:
    """Labels of each emotion in a split: the official counts at the profile's scale, at least two
    each."""
    paper_name, data = dataset_info(name).paper_name, profile.data
    if split == "train":
        return scaled_counts(official_counts(paper_name, "train"), data.scale)
    scale = data.evaluation_scale
    if split == "validation" and paper_name == "RAF-DB":
        return scaled_counts(
            official_counts(paper_name, "train"), scale * data.rafdb_validation_share
        )
    return scaled_counts(official_counts(paper_name, split), scale)


def demo_plan(name: str, split: str, profile: Profile) -> pd.DataFrame:
    """One row per face, in order: id, emotion (its label), drawn (the emotion its face shows).

    The two differ in exactly ``round(label_noise * N)`` rows.
    """
    return _plan(name, split, demo_counts(name, split, profile), profile)


def draw_more(name: str, per_class: int, profile: Profile) -> FaceSet:
    """``per_class`` more faces of each emotion from the population of a demo set: other people, the
    same camera and the same share of wrong labels. What balancing would reach if it could
    photograph instead of generate."""
    return _draw_plan(
        name, "more", _plan(name, "more", dict.fromkeys(EMOTIONS, per_class), profile), profile
    )


def _plan(name: str, split: str, counts: dict[str, int], profile: Profile) -> pd.DataFrame:
    noise = profile.data.label_noise
    random = np.random.default_rng(_seed(name, split, profile, "labels"))
    labels = random.permutation(np.repeat(np.arange(len(EMOTIONS)), list(counts.values())))
    drawn = labels.copy()
    wrong = random.permutation(len(labels))[: round(noise * len(labels))]
    drawn[wrong] = (labels[wrong] + random.integers(1, len(EMOTIONS), len(wrong))) % len(EMOTIONS)
    names = np.array(EMOTIONS)
    return pd.DataFrame(
        {
            "id": [f"{name}-{split}-{number:05d}" for number in range(len(labels))],
            "emotion": names[labels],
            "drawn": names[drawn],
        }
    )


def _draw(name: str, profile: Profile) -> Splits:
    return Splits(
        **{
            split: _draw_plan(name, split, demo_plan(name, split, profile), profile)
            for split in SPLITS
        }
    )


def _draw_plan(name: str, split: str, plan: pd.DataFrame, profile: Profile) -> FaceSet:
    """Every face is another person, and each split's people come from its own stream: no identity
    is shared."""
    drawn = np.array([EMOTIONS.index(emotion) for emotion in plan["drawn"]], np.int64)
    generator = torch.Generator().manual_seed(_seed(name, split, profile, "faces"))
    images = [
        _photograph(drawn[start : start + _DRAWN_AT_ONCE], POPULATIONS[name], generator)
        for start in range(0, len(drawn), _DRAWN_AT_ONCE)
    ]
    labels = np.array([EMOTIONS.index(emotion) for emotion in plan["emotion"]], np.int64)
    return FaceSet(
        np.concatenate(images),
        labels,
        plan["id"].to_numpy(str),
        np.full(len(plan), f"{name}/{split}"),
    )


def _photograph(
    emotions: np.ndarray, population: Population, generator: torch.Generator
) -> np.ndarray:
    people = sample_identities(len(emotions), population, generator=generator)
    traits = sample_traits(people, torch.from_numpy(emotions), population, generator=generator)
    return take_pictures(traits, population.camera, generator=generator).numpy()


def _seed(name: str, split: str, profile: Profile, purpose: str) -> int:
    return derived_seed(profile.data.seed, name, split, purpose)
