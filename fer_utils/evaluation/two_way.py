"""A mean over faces and runs, and how sure it is: other faces and other runs might have been drawn.

The run is the unit of inference. A network is one draw of what its training set gives, as a face is
one draw of the faces there are, so interval and p come from one model in which both are random.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from scipy.stats import t


class Estimate(NamedTuple):
    """A mean with its interval, the two-sided p of "it is truly 0", and the mean of each run (float
    [runs])."""

    mean: float
    low: float
    high: float
    p: float
    runs: np.ndarray


class RunVariance(NamedTuple):
    """The variance of one run's mean, as several training sets together tell it, and on how many
    degrees of freedom."""

    variance: float
    freedom: int


def pooled(runs: Iterable[np.ndarray]) -> RunVariance | None:
    """The variance within training sets, from the means of each set's runs (float [runs] each);
    None where no set has two.

    Each set has its own mean; what is pooled is how far its runs lie from it. Three runs tell their
    variance very roughly, five sets of three runs five times as well. That takes runs of all sets
    to vary alike, as those of one network trained equally long by one recipe should.
    """
    several = [means for means in runs if len(means) > 1]
    freedom = sum(len(means) - 1 for means in several)
    return (
        RunVariance(
            sum(((means - means.mean()) ** 2).sum() for means in several) / freedom, freedom
        )
        if several
        else None
    )


def two_way(
    values: np.ndarray,
    groups: np.ndarray,
    confidence: float = 0.95,
    *,
    of_a_run: RunVariance | None = None,
) -> Estimate:
    """Mean over ``groups`` of each group's mean over faces and runs, in the unit of ``values``.

    Two variances are added: of the runs, that of their means over their number; of the faces, that
    of their means over runs within each group over its number of faces, summed and divided by the
    squared number of groups. Student's t takes Satterthwaite's degrees of freedom (Biometrics
    Bulletin 2 (1946), 110-114): of three runs that differ much hardly more than two. What is of one
    face in one run alone is in both variances, so their sum errs on the wide side. The degrees of
    freedom err on the other, being estimated: where the runs' variance is several times the faces',
    a p under 0.05 comes by luck in up to 8 % of cases with three runs, 6 % with five and 13 % with
    two. A variance ``pooled`` from several sets has more of them, and a single set's luck does not
    decide.

    Of one run nobody knows how runs vary: its interval holds the faces alone, and p is nan.

    Args:
        values: [faces, runs]: right or wrong, or what one network gains on another. groups: bool
        (or 0 and 1) [faces, G], which faces each group holds: one of all for accuracy, the seven
        emotions for
            balanced accuracy. Each weighs the same, however few its faces; groups without faces are
            left out.
        of_a_run: the variance of one run's mean, where it is known better than these runs tell it.
    """
    held = [values[group] for group in np.asarray(groups, bool).T if group.any()]
    runs = np.mean([faces.mean(axis=0) for faces in held], axis=0)
    # A group of one face does not tell how its faces vary and adds nothing. No real test set holds
    # so few of an emotion.
    found = [
        (faces.mean(axis=1).var(ddof=1) / len(faces) / len(held) ** 2, len(faces) - 1)
        for faces in held
        if len(faces) > 1
    ]
    if len(runs) > 1:
        variance, freedom = of_a_run or (runs.var(ddof=1), len(runs) - 1)
        found.append((variance / len(runs), freedom))
    variances, freedoms = np.reshape(found, (-1, 2)).T
    mean, variance = float(runs.mean()), variances.sum()
    half, p = 0.0, float(mean == 0)  # of no variance at all
    if variance > 0:
        freedom = variance**2 / (variances**2 / freedoms).sum()
        half = float(t.ppf((1 + confidence) / 2, freedom) * np.sqrt(variance))
        p = float(2 * t.sf(abs(mean) / np.sqrt(variance), freedom))
    return Estimate(mean, mean - half, mean + half, p if len(runs) > 1 else np.nan, runs)
