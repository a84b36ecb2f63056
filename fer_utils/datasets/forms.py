"""The forms in which a data set lies in the data folder: the first is read, the others are
named."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fer_utils.core.faces import FaceSet
from fer_utils.datasets.sources import cached_arrays
from fer_utils.datasets.splits import SPLITS, Found, Splits
from fer_utils.datasets.tree import Contents


@dataclass(frozen=True)
class Form:
    """One copy of a data set.

    layout, place: as in ``Found``. where:  its place in error messages. stamp:  gives a key that
    changes with the files. decode: gives the arrays of ``decoded_arrays``; only called when nothing
    is cached under the key.
    """

    layout: str
    place: str
    where: str
    stamp: Callable[[], str]
    decode: Callable[[], dict]


def decoded_arrays(
    images: np.ndarray, labels: np.ndarray, *, ids, split, origin, notes=(), official: bool
) -> dict:
    """What every form decodes to and the cache keeps: a FaceSet's arrays, each face's split, and
    what to tell."""
    return {
        "images": images,
        "labels": np.asarray(labels, np.int64),
        "ids": np.asarray(ids, str),
        "split": np.asarray(split, str),
        "origin": np.asarray(origin, str),
        "notes": np.array(list(notes), str),
        "official": np.array(official),
    }


def read_form(
    name: str, title: str, form: Form, *, others: list[tuple[str, str]], contents: Contents
) -> tuple[dict, Found]:
    """The arrays of a form, from the cache where they are there, and the report of what was found.

    others: layout and place of each further copy.
    """
    arrays = cached_arrays(name, form.stamp(), form.decode)
    notes = [
        *arrays["notes"].tolist(),
        *(f"Also there, not used: {layout}, {place}." for layout, place in others),
        *(f"Left out: {problem}." for problem in contents.problems),
    ]
    return arrays, Found(title, form.layout, form.place, bool(arrays["official"]), tuple(notes))


def as_splits(arrays: dict, found: Found) -> Splits:
    """The faces of each split, in the order of the arrays."""
    return Splits(*(split_faces(arrays, split) for split in SPLITS), found=found)


def split_faces(arrays: dict, split: str) -> FaceSet:
    """The faces of one split, in the order of the arrays."""
    rows = np.flatnonzero(arrays["split"] == split)
    return FaceSet(
        arrays["images"][rows], arrays["labels"][rows], arrays["ids"][rows], arrays["origin"][rows]
    )
