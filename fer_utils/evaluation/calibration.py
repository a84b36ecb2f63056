"""Does a network that says 80 % turn out right 80 times in a hundred? (Guo et al., "On calibration
of modern neural networks", ICML 2017, arXiv 1706.04599.)

The answers are sorted by confidence, the probability of the emotion that was answered, into 15 bins
of equal width.
"""

import numpy as np
import pandas as pd

from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.intervals import wilson_interval
from fer_utils.core.profiles import Profile
from fer_utils.evaluation.predictions import level_rows

BINS = 15
"""Of equal width from 0 to 1, as in Guo et al.; a confidence on an edge belongs to the bin above,
as in torchmetrics."""


def probabilities(rows: pd.DataFrame) -> np.ndarray:
    """float [seeds, images, 7] of rows as ``predictions.level_rows`` gives them."""
    columns = [f"p_{emotion}" for emotion in EMOTIONS]
    return rows[columns].to_numpy(float).reshape(rows["seed"].nunique(), -1, len(EMOTIONS))


def bin_sums(p: np.ndarray, right: np.ndarray) -> np.ndarray:
    """What each answer adds to the gap of its bin: float [..., BINS], confidence less 1 if right, 0
    in the other bins.

    p: probabilities [..., 7]; right: bool [...].
    """
    confidence = p.max(axis=-1)
    return np.eye(BINS)[bin_numbers(confidence)] * (confidence - right)[..., None]


def bin_numbers(confidence: np.ndarray) -> np.ndarray:
    """The bin 0 ... BINS - 1 of each confidence in 0..1."""
    return np.clip(
        np.searchsorted(np.linspace(0, 1, BINS + 1), confidence, side="right") - 1, 0, BINS - 1
    )


def calibration_error(sums: np.ndarray, n: int) -> np.ndarray:
    """Expected calibration error in 0..1: the gap between confidence and accuracy of each bin,
    weighted by its answers.

    sums: ``bin_sums`` added up over ``n`` answers, [..., BINS]. As
    ``torchmetrics.functional.calibration_error`` (norm l1), but for many resamples at once.
    """
    return np.abs(sums).sum(axis=-1) / n


def error_by_chance(p: np.ndarray, profile: Profile) -> float:
    """Mean calibration error in 0..1 of answers that are right exactly as often as their confidence
    says (consistency resampling, Bröcker & Smith, Weather and Forecasting 22 (2007), 651-661).

    p: probabilities [seeds, images, 7]; ``evaluation.resamples`` draws are shared out among the
    seeds.
    """
    random = np.random.default_rng([profile.evaluation.seed, p.shape[1], 2])
    found = []
    for confidence in p.max(axis=-1):
        bins = np.eye(BINS)[bin_numbers(confidence)]
        for _ in range(max(1, profile.evaluation.resamples // (100 * len(p)))):
            right = random.random((100, len(confidence))) < confidence
            found.append(calibration_error((confidence - right) @ bins, len(confidence)).mean())
    return float(np.mean(found))


def brier_scores(p: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Squared distance of each answer's probabilities [..., 7] from the label's certainty, in 0..2
    (Brier 1950)."""
    return np.square(p - np.eye(len(EMOTIONS))[labels]).sum(axis=-1)


def reliability(
    predictions: pd.DataFrame, dataset: str, level: str, profile: Profile
) -> pd.DataFrame:
    """The reliability diagram of one level, one row per bin that holds answers.

    Columns low_edge, high_edge (of the bin), answers (of all seeds), confidence (mean), accuracy,
    low, high (Wilson, for the bin's answers per seed, because all seeds answer the same images);
    all but answers in %.
    """
    rows = level_rows(predictions, dataset, level)
    confidence = probabilities(rows).max(axis=-1).ravel()
    frame = pd.DataFrame(
        {
            "bin": bin_numbers(confidence),
            "confidence": 100 * confidence,
            "right": (rows["emotion"] == rows["predicted"]).to_numpy(float),
        }
    )
    found = (
        frame.groupby("bin")
        .agg(
            answers=("right", "size"), confidence=("confidence", "mean"), accuracy=("right", "mean")
        )
        .reset_index()
    )
    seeds = rows["seed"].nunique()
    ends = [
        wilson_interval(
            row.accuracy * row.answers / seeds, row.answers / seeds, profile.evaluation.confidence
        )
        for row in found.itertuples()
    ]
    found.insert(0, "low_edge", 100 * found["bin"] / BINS)
    found.insert(1, "high_edge", 100 * (found.pop("bin") + 1) / BINS)
    return found.assign(
        accuracy=100 * found["accuracy"],
        low=[100 * low for low, _ in ends],
        high=[100 * high for _, high in ends],
    )
