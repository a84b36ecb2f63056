"""Intervals of shares."""

import numpy as np
from statsmodels.stats.proportion import proportion_confint


def wilson_interval(correct: float, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Lower and upper end of the Wilson score interval of a share, both in 0..1; (nan, nan) for n =
    0.

    Wilson: "Probable inference, the law of succession, and statistical inference", JASA 22 (1927),
    209-212. ``correct`` may be fractional: the mean over seeds that saw the same ``n`` images.
    """
    if n == 0:
        return np.nan, np.nan
    low, high = proportion_confint(correct, n, alpha=1 - confidence, method="wilson")
    return float(low), float(high)
