"""The real training face nearest to each synthetic one: has a generator copied what it was trained
on?

Nearness is measured twice: by distance in the reader's features, and by the correlation of the
pixels (also mirrored, since trainings flip faces), which no network has a say in. Meehan,
Chaudhuri, Dasgupta: "A Non-Parametric Test to Detect Data-Copying in Generative Models", arXiv
2004.05675, compare such distances with those of real faces, as is done here.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from sklearn.neighbors import NearestNeighbors

from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.faces import FaceSet
from fer_utils.datasets.twins import Portraits, picture_numbers, portraits
from fer_utils.synthesis.quality.reader import Readings

CLOSE = 0.05
"""A face is close to a training face if only this share of real faces are as near to another real
one: so many are close by chance where synthetic faces are like real ones."""

_ROWS_AT_ONCE = 256


@dataclass(frozen=True)
class Neighbours:
    """For each face of a set the nearest training face, as positions int64 [N], by features and by
    pixels.

    distance:    float [N], Euclidean, in the reader's features. correlation: float [N], of the
    pixels of 48x48 gray faces, mirrored or not.
    """

    by_features: np.ndarray
    distance: np.ndarray
    by_pixels: np.ndarray
    correlation: np.ndarray

    def select(self, mask: np.ndarray) -> "Neighbours":
        """The rows of ``mask``."""
        return Neighbours(
            self.by_features[mask],
            self.distance[mask],
            self.by_pixels[mask],
            self.correlation[mask],
        )


def nearest_training_faces(
    faces: FaceSet, read: Readings, train: FaceSet, train_read: Readings
) -> Neighbours:
    """The nearest training face of each face of another set."""
    found = (
        NearestNeighbors(n_neighbors=1, algorithm="brute")
        .fit(train_read.features)
        .kneighbors(read.features)
    )
    by_pixels, correlation = most_correlated(portraits(faces), portraits(train))
    return Neighbours(found[1][:, 0], found[0][:, 0].astype(float), by_pixels, correlation)


def nearest_among_training_faces(train: FaceSet, read: Readings) -> Neighbours:
    """The nearest other training face of each distinct training picture. FER2013 repeats 1,236 of
    its pictures; a repeated one would be its own neighbour, so each is kept once."""
    first = np.unique(picture_numbers(train), return_index=True)[1]
    first.sort()
    distance, by_features = (
        NearestNeighbors(n_neighbors=1, algorithm="brute").fit(read.features[first]).kneighbors()
    )
    pictures = portraits(train.select(first))
    by_pixels, correlation = most_correlated(pictures, pictures, itself=False)
    return Neighbours(
        first[by_features[:, 0]], distance[:, 0].astype(float), first[by_pixels], correlation
    )


def most_correlated(
    first: Portraits, second: Portraits, *, itself: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Position int64 [N] and correlation float [N] of the face of ``second`` most like each of
    ``first``, as it is or mirrored; with ``itself`` off, ``first`` is ``second`` and no face is
    compared with itself."""
    positions, values = [], []
    for start in range(0, len(first), _ROWS_AT_ONCE):
        rows = first.pixels[start : start + _ROWS_AT_ONCE]
        likeness = torch.maximum(
            *(side.flatten(1) @ second.flat.T for side in (rows, rows.flip(2)))
        )
        if not itself:
            likeness[torch.arange(len(rows)), torch.arange(start, start + len(rows))] = -torch.inf
        best = likeness.max(dim=1)
        positions.append(best.indices)
        values.append(best.values)
    return torch.cat(positions).numpy(), torch.cat(values).double().clamp(max=1).numpy()


def is_close(found: Neighbours, real: Neighbours) -> pd.DataFrame:
    """Whether each face is as near to a training face as the nearest ``CLOSE`` of real faces are to
    one another: columns features, pixels (bool)."""
    return pd.DataFrame(
        {
            "features": found.distance <= np.quantile(real.distance, CLOSE),
            "pixels": found.correlation >= np.quantile(real.correlation, 1 - CLOSE),
        }
    )


def closest_examples(
    found: Neighbours, faces: FaceSet, train: FaceSet, count: int, *, by: str
) -> list[tuple[np.ndarray, np.ndarray, str]]:
    """The ``count`` closest pairs by 'features' or 'pixels': (face, nearest training face, their
    emotions and likeness), images uint8 [H, W, C]; each training face at most once, mirrored pairs
    as they are."""
    nearest = found.by_features if by == "features" else found.by_pixels
    order = np.argsort(found.distance if by == "features" else -found.correlation, kind="stable")
    order = order[np.sort(np.unique(nearest[order], return_index=True)[1])][:count]
    numbers = found.distance if by == "features" else found.correlation
    return [
        (
            faces.images[face],
            train.images[nearest[face]],
            (
                f"{EMOTIONS[faces.labels[face]]} |"
                f" {EMOTIONS[train.labels[nearest[face]]]}\n{numbers[face]:.3f}"
            ),
        )
        for face in order
    ]
