"""The bootstrap: how far a number would move had other test images been drawn (Efron & Tibshirani,
"An Introduction to the Bootstrap", 1993, chapter 13: percentile intervals).

Each resample draws as many test images as there are, with replacement, and the number is taken
again. A resample is written as how often each image was drawn, so that all of them together are one
matrix product.
"""

from collections.abc import Iterator

import numpy as np

from fer_utils.core.profiles import Profile

FACES, FACES_AND_RUNS = "faces", "faces and runs"
"""How readers are told what an interval lets vary. Those of one training set, Wilson's too, vary
the choice of the test faces alone; those of a difference vary the training runs too, where there is
more than one seed."""

_AT_ONCE = 500


def image_draws(n: int, profile: Profile) -> Iterator[np.ndarray]:
    """Resamples of ``n`` images in portions: float64 [K, n], how often each image was drawn; a row
    sums to ``n``.

    ``evaluation.resamples`` rows in all, the same for the same ``n`` and ``evaluation.seed``:
    whatever is computed from the same images is computed from the same draws.
    """
    random = np.random.default_rng([profile.evaluation.seed, n])
    for start in range(0, profile.evaluation.resamples, _AT_ONCE):
        count = min(_AT_ONCE, profile.evaluation.resamples - start)
        drawn = random.integers(n, size=(count, n)) + n * np.arange(count)[:, None]
        yield np.bincount(drawn.ravel(), minlength=count * n).reshape(count, n).astype(float)


def percentile_interval(
    value: float, resampled: np.ndarray, confidence: float
) -> tuple[float, float]:
    """The middle ``confidence`` of the resampled values, those that are unknown (nan) left out;
    ``value`` is not used."""
    low, high = np.nanquantile(resampled, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def basic_interval(value: float, resampled: np.ndarray, confidence: float) -> tuple[float, float]:
    """The percentile interval mirrored at ``value``, and no lower than 0: for a number that can't
    be negative and grows by chance, as it does from ``value`` to the resampled ones (Davison &
    Hinkley, "Bootstrap Methods", 1997, section 5.2)."""
    low, high = percentile_interval(value, resampled, confidence)
    return max(0.0, 2 * value - high), max(0.0, 2 * value - low)
