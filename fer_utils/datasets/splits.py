"""What every data set hands over: its name, and three splits that share no face."""

import hashlib
from dataclasses import dataclass

import numpy as np

from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.errors import CompanionError, nearest
from fer_utils.core.faces import FaceSet

SPLITS = ("train", "validation", "test")
FEWEST = 2
"""Faces that each class keeps at the smallest scale, so that every class can be stratified."""


@dataclass(frozen=True)
class DatasetInfo:
    """A data set by the name profiles use, the title readers see and the paper's name of what it
    stands for."""

    name: str
    title: str
    paper_name: str
    channels: int

    @property
    def is_demo(self) -> bool:
        """Drawn faces, whose numbers must not be taken for the real set's."""
        return self.name.startswith("demo_")


DATASETS = {
    info.name: info
    for info in (
        DatasetInfo("fer2013", "FER2013", "FER2013", 1),
        DatasetInfo("rafdb", "RAF-DB", "RAF-DB", 3),
        DatasetInfo("demo_fer2013", "Demo faces after FER2013", "FER2013", 1),
        DatasetInfo("demo_rafdb", "Demo faces after RAF-DB", "RAF-DB", 3),
    )
}


@dataclass(frozen=True)
class Found:
    """Which copy of a data set was read.

    layout:   what it looks like ('the official CSV', 'folders of images by split and emotion').
    place:    where, relative to the data folder; a member of an archive in brackets. official:
    whether its labels and split are proven to be the published ones (and FER2013's pixels too).
    notes:    sentences: how the split was told, what was converted or left out, further copies that
    were not used.
    """

    title: str
    layout: str
    place: str
    official: bool
    notes: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """The lines to print."""
        return [f"{self.title}: {self.layout}, {self.place}", *(f"  {note}" for note in self.notes)]


@dataclass(frozen=True)
class Splits:
    """Training, validation and test faces of one data set, all of one size and number of channels.

    ``found`` says where real faces were read; it is not kept with stored splits.
    """

    train: FaceSet
    validation: FaceSet
    test: FaceSet
    found: Found | None = None

    def items(self) -> list[tuple[str, FaceSet]]:
        """The splits with their names, in the order of ``SPLITS``."""
        return [(name, getattr(self, name)) for name in SPLITS]


def dataset_info(name: str) -> DatasetInfo:
    """The data set of that name; CompanionError names the nearest for an unknown one."""
    if name not in DATASETS:
        raise CompanionError(f"Unknown data set '{name}': {nearest(name, DATASETS)}")
    return DATASETS[name]


def scaled_counts(counts: dict[str, int], scale: float) -> dict[str, int]:
    """Each class's ``round(count * scale)``, at least two."""
    return {emotion: max(FEWEST, round(count * scale)) for emotion, count in counts.items()}


def stratified_sample(labels: np.ndarray, share: float, *, seed: int) -> np.ndarray:
    """Sorted positions of a random share of each class (at least two of each, never more than there
    are).

    A smaller share with the same seed is a subset of a larger one.
    """
    random = np.random.default_rng(seed)
    kept = []
    for label in range(len(EMOTIONS)):
        shuffled = random.permutation(np.flatnonzero(labels == label))
        kept.append(shuffled[: max(FEWEST, round(len(shuffled) * share))])
    return np.sort(np.concatenate(kept))


def derived_seed(*parts) -> int:
    """A seed below 2**56 for a named purpose, the same on every machine and in every version."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:7], "big")
