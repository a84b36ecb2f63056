"""Twins: two faces of a data set that are one picture, equal pixel for pixel, nearly equal, or
mirrored.

Faces are compared as 48x48 gray images. Their likeness is the normalised correlation of the pixels:
1 for copies that differ in brightness and contrast alone, and near 1 for re-compressed ones.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from fer_utils.core.faces import FaceSet

SIZE = 48
NEAR = 0.95
"""Correlation from which two faces count as near twins."""
_FREQUENCIES = 16
_ROWS_AT_ONCE, _PAIRS_AT_ONCE = 256, 1024


@dataclass(frozen=True)
class Portraits:
    """Faces made comparable: float32 [N, 48, 48], zero mean and unit length each; all zero for a
    constant image."""

    pixels: Tensor

    def __len__(self) -> int:
        return len(self.pixels)

    def mirrored(self) -> "Portraits":
        """The same faces flipped left to right."""
        return Portraits(self.pixels.flip(2))

    @cached_property
    def flat(self) -> Tensor:
        """The pixels as vectors [N, 2304]."""
        return self.pixels.reshape(len(self), -1)

    @cached_property
    def coarse(self) -> Tensor:
        """Low frequencies of each face, and as a last number the length of what they leave out: [N,
        257].

        The scalar product of two such vectors is never less than the correlation of the faces
        (Cauchy-Schwarz on the part left out), so pairs below a threshold can be passed over without
        looking at their pixels.
        """
        low = torch.cat(
            [low_frequencies(part, _FREQUENCIES) for part in self.pixels.split(_ROWS_AT_ONCE)]
        )
        left_out = (1 - low.square().sum(1, keepdim=True)).clamp(min=0).sqrt()
        return torch.cat([low, left_out], 1)


def portraits(faces: FaceSet) -> Portraits:
    """The faces of a set, of whatever size and colour, made comparable."""
    images = torch.from_numpy(faces.resize(SIZE, channels=1).images[..., 0])
    # filled piece by piece: a whole set takes hundreds of megabytes
    pixels = torch.empty(images.shape)
    for made, part in zip(pixels.split(_ROWS_AT_ONCE), images.split(_ROWS_AT_ONCE)):
        made.copy_(normalised(part.float()))
    return Portraits(pixels)


def normalised(images: Tensor) -> Tensor:
    """Images [N, H, W] with zero mean and unit length each; a constant one becomes all zero."""
    centred = images - images.mean((1, 2), keepdim=True)
    return centred / centred.square().sum((1, 2), keepdim=True).sqrt().clamp(min=1e-6)


def low_frequencies(images: Tensor, count: int) -> Tensor:
    """The lowest ``count`` x ``count`` coefficients of an orthonormal cosine transform of [N, S,
    S]: [N, count**2]."""
    basis = cosine_basis(images.shape[-1], count)
    return (basis @ images @ basis.T).reshape(len(images), -1)


def cosine_basis(size: int, count: int) -> Tensor:
    """The first ``count`` rows of the orthonormal DCT-II of length ``size``: [count, size]."""
    places = (torch.arange(size) + 0.5) / size
    rows = torch.cos(torch.pi * torch.arange(count)[:, None] * places)
    return rows / rows.square().sum(1, keepdim=True).sqrt()


def picture_numbers(faces: FaceSet) -> np.ndarray:
    """An int64 [N] that is equal for two faces exactly if their pixels are."""
    digests = [hashlib.sha256(image.tobytes()).digest() for image in faces.images]
    return pd.factorize(pd.Series(digests, dtype=object))[0].astype(np.int64)


def constant(faces: FaceSet) -> np.ndarray:
    """Whether every pixel of a face has one value: bool [N]."""
    rows = faces.images.reshape(len(faces), -1)
    return (rows == rows[:, :1]).all(1)


def near_pairs(first: Portraits, second: Portraits, *, correlation: float = NEAR) -> pd.DataFrame:
    """Every pair of a face of ``first`` and one of ``second`` that correlate at least so much.

    Columns first, second (positions), correlation. Exact: the coarse bound only saves looking at
    hopeless pairs. Constant faces correlate with nothing.
    """
    starts = range(0, len(first), _ROWS_AT_ONCE)
    found = np.concatenate(
        [
            np.empty((0, 2), np.int64),
            *(_likely_pairs(first, start, second, correlation) for start in starts),
        ]
    )
    rows, columns = torch.from_numpy(found).T
    likeness = torch.cat(
        [
            torch.empty(0),
            *(
                (first.flat[some] * second.flat[others]).sum(1)
                for some, others in zip(rows.split(_PAIRS_AT_ONCE), columns.split(_PAIRS_AT_ONCE))
            ),
        ]
    )
    keep = likeness >= correlation
    return _as_frame(rows[keep], columns[keep], likeness[keep])


def _likely_pairs(
    first: Portraits, start: int, second: Portraits, correlation: float
) -> np.ndarray:
    """Positions [K, 2] of the pairs of some rows of ``first`` whose bound reaches the
    correlation."""
    bounds = (first.coarse[start : start + _ROWS_AT_ONCE] @ second.coarse.T).numpy()
    # less the rounding of sums in single precision
    pairs = np.argwhere(bounds >= correlation - 1e-5)
    return pairs + (start, 0)


def _as_frame(rows: Tensor, columns: Tensor, likeness: Tensor) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "first": rows.numpy().astype(np.int64),
            "second": columns.numpy().astype(np.int64),
            "correlation": likeness.double().numpy().clip(max=1),
        }
    )


def closest_pairs(first: Portraits, second: Portraits, count: int) -> pd.DataFrame:
    """The ``count`` most alike pairs of a face of ``first`` and one of ``second``, each face at
    most once; as ``near_pairs``."""
    best = [
        torch.topk(part @ second.flat.T, min(4, len(second)), dim=1)
        for part in first.flat.split(_ROWS_AT_ONCE)
    ]
    likeness, columns = (
        torch.cat([top.values for top in best]),
        torch.cat([top.indices for top in best]),
    )
    rows = torch.arange(len(first))[:, None].expand_as(columns)
    pairs = _as_frame(rows.flatten(), columns.flatten(), likeness.flatten())
    pairs = pairs.sort_values("correlation", ascending=False, kind="stable").drop_duplicates(
        "first"
    )
    return pairs.drop_duplicates("second")[:count].reset_index(drop=True)
