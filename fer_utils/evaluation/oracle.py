"""What a perfect generator would give: a part of the real training faces plays the data set, the
faces left out its pool.

Sets filled with unseen real faces bound whatever a generator can do; beside the same number of
synthetic ones they say how many real faces a synthetic one is worth (closed-set equivalence, arXiv
2508.09550). Everything here is balanced accuracy with answers read for equal class shares
(``priors``), so that a set gains nothing by its class shares alone.
"""

import numpy as np
import pandas as pd

from fer_utils.balancing.controls import Run, answering_sets
from fer_utils.core.profiles import Profile
from fer_utils.evaluation.bootstrap import image_draws, percentile_interval
from fer_utils.evaluation.comparison import emotion_groups, right_answers
from fer_utils.evaluation.priors import EQUAL, in_reading, trained_on
from fer_utils.evaluation.two_way import two_way

REAL_CURVE = ("original", "unseen_25", "unseen_50", "unseen")
SYNTHETIC_CURVE = ("original", "synthetic_25", "synthetic_50", "aug1")


def oracle_table(predictions: pd.DataFrame, profile: Profile) -> pd.DataFrame:
    """A row for every set of one part of the data: dataset, level, faces (of its training set),
    added (to Original's), n (test images), seeds, balanced, low, high (faces and runs, at
    ``evaluation.confidence``), in %. The last row of a data set, 'exchange rate', has
    ``exchange_rate`` in the place of balanced, without faces; it is there once its sets are."""
    read, rows = in_reading(predictions, EQUAL, profile), []
    for dataset, level in read[["dataset", "level"]].drop_duplicates().itertuples(index=False):
        right = right_answers(read, dataset, level)
        found = two_way(
            100 * right.to_numpy(float),
            emotion_groups(read, right.index),
            profile.evaluation.confidence,
        )
        rows.append(
            {
                "dataset": dataset,
                "level": level,
                "faces": _faces(dataset, level, profile),
                "added": _faces(dataset, level, profile) - _faces(dataset, "original", profile),
                "n": len(right),
                "seeds": right.shape[1],
                "balanced": found.mean,
                "low": found.low,
                "high": found.high,
            }
        )
        if level == read.loc[read["dataset"] == dataset, "level"].iloc[-1] and {
            *REAL_CURVE,
            "aug1",
        } <= set(read["level"]):
            rate = exchange_rate(predictions, dataset, profile)
            rows.append(
                {
                    "dataset": dataset,
                    "level": "exchange rate",
                    "faces": np.nan,
                    "added": np.nan,
                    "n": len(right),
                    "seeds": right.shape[1],
                    "balanced": rate["rate"],
                    "low": rate["low"],
                    "high": rate["high"],
                }
            )
    return pd.DataFrame(rows)


def exchange_rate(predictions: pd.DataFrame, dataset: str, profile: Profile) -> dict[str, float]:
    """How many real faces one synthetic face is worth: rate, low, high, at_least (the share of
    resamples in which even all unseen real faces did not reach what the synthetic ones give, so
    that their rate is a lower bound).

    The number of added real faces that reaches what all of Aug. 1's synthetic ones give, on
    straight lines between the points measured, divided by their number; 0 where these give no more
    than the part alone. The interval is the middle ``evaluation.confidence`` of
    ``evaluation.resamples`` draws of test images and, independently, of runs.
    """
    read = in_reading(predictions, EQUAL, profile)
    right = [right_answers(read, dataset, level) for level in (*REAL_CURVE, "aug1")]
    seeds = sorted(set.intersection(*(set(found.columns) for found in right)))
    # [images, sets, runs]
    values = np.stack([found[seeds].to_numpy(float) for found in right], axis=1)
    groups = emotion_groups(read, right[0].index).astype(float)
    added = np.array([_faces(dataset, level, profile) for level in REAL_CURVE], float)
    added, synthetic = (
        added - added[0],
        _faces(dataset, "aug1", profile) - _faces(dataset, "original", profile),
    )
    drawn = np.concatenate(
        [_balanced(weights, values, groups) for weights in image_draws(len(values), profile)]
    )
    runs = np.random.default_rng([profile.evaluation.seed, len(seeds), 1]).multinomial(
        len(seeds), np.full(len(seeds), 1 / len(seeds)), size=len(drawn)
    ) / len(seeds)
    rates = np.array(
        [_reached(of_sets, added) / synthetic for of_sets in np.einsum("dsr,dr->ds", drawn, runs)]
    )
    whole = _balanced(np.ones((1, len(values))), values, groups).mean(axis=2)[0]
    rate = _reached(whole, added) / synthetic
    low, high = percentile_interval(rate, rates, profile.evaluation.confidence)
    return {
        "rate": rate,
        "low": low,
        "high": high,
        "at_least": float((rates >= added[-1] / synthetic).mean()),
    }


def _balanced(weights: np.ndarray, values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Balanced accuracy [draws, sets, runs] of ``values`` [images, sets, runs] with images drawn
    ``weights`` [draws, images] times; an emotion of which none was drawn is left out."""
    images = len(values)
    in_groups = (groups[:, :, None] * values.reshape(images, 1, -1)).reshape(images, -1)
    sums = (weights @ in_groups).reshape(len(weights), groups.shape[1], *values.shape[1:])
    counts = (weights @ groups)[:, :, None, None]
    return np.nanmean(
        np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0), axis=1
    )


def _reached(balanced: np.ndarray, added: np.ndarray) -> float:
    """Where the line through (``added``, all but the last of ``balanced``) first reaches the last;
    the ends if it never does."""
    *curve, wanted = balanced
    if wanted <= curve[0]:
        return 0.0
    for left in range(len(added) - 1):
        if curve[left + 1] >= wanted:
            share = (wanted - curve[left]) / (curve[left + 1] - curve[left])
            return float(added[left] + share * (added[left + 1] - added[left]))
    return float(added[-1])


def _faces(dataset: str, level: str, profile: Profile) -> int:
    """Faces of a training set, as its first run recorded them."""
    seeds = dict(answering_sets(profile))[level]
    return trained_on(Run(dataset, level, seeds[0]).answering, profile)["faces"]
