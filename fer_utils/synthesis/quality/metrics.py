"""How far a sample of synthetic faces is from real ones, in the features of a network: pure
functions of two arrays.

KID:      Bińkowski, Sutherland, Arbel, Gretton: "Demystifying MMD GANs", arXiv 1801.01401. Unbiased
at any n. FID:      Heusel et al.: "GANs Trained by a Two Time-Scale Update Rule", arXiv 1706.08500.
Biased at small n. precision, recall: Kynkäänniemi et al.: "Improved Precision and Recall Metric",
arXiv 1904.06991. density, coverage: Naeem et al.: "Reliable Fidelity and Diversity Metrics for
Generative Models", arXiv 2002.09797.
"""

from collections.abc import Iterator
from functools import cached_property

import numpy as np
import torch

METRICS = ("kid", "fid", "precision", "recall", "density", "coverage", "diversity")
FACES_PER_FEATURE = 2
"""FID wants at least so many faces for each feature: with fewer, many directions of a covariance
matrix are noise, and the noise, which is not there for large n, is added to the distance."""

_ROWS_AT_ONCE = 1024


class Sample:
    """Features float [N, D] of some faces, and what follows from them alone, found once in one pass
    over all pairs.

    scikit-learn and torchmetrics give the same numbers (the tests compare), but each metric from
    its own matrix of products; a table needs thousands of metrics, so here all of them come from
    one.
    """

    def __init__(self, features: np.ndarray, *, neighbours: int):
        self.features, self.neighbours = np.asarray(features, np.float64), neighbours
        self.squares = (self.features**2).sum(axis=1)

    def __len__(self) -> int:
        return len(self.features)

    @cached_property
    def own_pairs(self) -> tuple[float, float, np.ndarray]:
        """Mean kernel and mean distance of two different faces (nan under 2), and squared distance
        of each face to its k-th nearest other one (k = ``neighbours``; empty where there are no
        more than k faces)."""
        kernels = distances = 0.0
        radii = []
        for rows, kernel, squared in _pairs(self, self):
            places = np.arange(len(squared)), rows.start + np.arange(len(squared))
            kernels += kernel.sum() - kernel[places].sum()
            squared[places] = 0
            distances += np.sqrt(squared).sum()
            squared[places] = np.inf
            if len(self) > self.neighbours:
                radii.append(
                    np.partition(squared, self.neighbours - 1, axis=1)[:, self.neighbours - 1]
                )
        pairs = len(self) * (len(self) - 1) or np.nan
        return kernels / pairs, distances / pairs, np.concatenate(radii or [np.empty(0)])


def compare(real: Sample, fake: Sample) -> dict[str, float]:
    """Every metric of ``METRICS``; nan where there are too few faces for one.

    kid:       the unbiased estimate of the squared maximum mean discrepancy under the kernel (x·y /
    D + 1)³: about 0, and
               as often below as above, where both come from one distribution.
    fid:       ``fid``.
    precision: share of fake faces inside some real face's ball, which reaches to its k-th nearest
    real face.
    recall:    the same with the sides exchanged.
    density:   real balls a fake face lies in, over k, on average; may exceed 1.
    coverage:  share of real balls with a fake face.
    diversity: mean Euclidean distance between two fake faces.
    """
    real_kernel, _, real_radii = real.own_pairs
    fake_kernel, diversity, fake_radii = fake.own_pairs
    kernels, balls, inside_fake = 0.0, [], np.zeros(len(real), bool)
    covered, known = np.zeros(len(real), bool), len(real_radii) and len(fake_radii)
    for rows, kernel, squared in _pairs(fake, real):
        kernels += kernel.sum()
        if known:
            within = squared < real_radii
            balls.append(within.sum(axis=1))
            covered |= within.any(axis=0)
            inside_fake |= (squared < fake_radii[rows, None]).any(axis=0)
    manifold = dict.fromkeys(("precision", "recall", "density", "coverage"), np.nan)
    if known:
        balls = np.concatenate(balls)
        manifold = {
            "precision": (balls > 0).mean(),
            "recall": inside_fake.mean(),
            "density": balls.mean() / real.neighbours,
            "coverage": covered.mean(),
        }
    found = {
        "kid": real_kernel + fake_kernel - 2 * kernels / (len(real) * len(fake) or np.nan),
        "fid": fid(real.features, fake.features),
        **manifold,
        "diversity": diversity,
    }
    return {name: float(value) for name, value in found.items()}


def fid(real: np.ndarray, fake: np.ndarray) -> float:
    """Fréchet distance between normal distributions fitted to both; nan under ``FACES_PER_FEATURE``
    * D faces."""
    if min(len(real), len(fake)) < FACES_PER_FEATURE * real.shape[1]:
        return np.nan
    from torchmetrics.image.fid import (
        FrechetInceptionDistance,  # takes seconds, and small samples never get here
    )

    features = torch.nn.Identity()
    features.num_features = real.shape[1]
    distance = FrechetInceptionDistance(feature=features).set_dtype(torch.float64)
    distance.update(torch.tensor(real, dtype=torch.float64), real=True)
    distance.update(torch.tensor(fake, dtype=torch.float64), real=False)
    return float(distance.compute())


def _pairs(first: Sample, second: Sample) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """(rows of first, kernel, squared distance) of all pairs, some rows of ``first`` at a time."""
    for start in range(0, len(first), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        products = first.features[rows] @ second.features.T
        squared = np.maximum(first.squares[rows, None] + second.squares - 2 * products, 0)
        base = products / first.features.shape[1] + 1
        yield rows, base * base * base, squared
