"""One number for a whole test set: accuracy, macro-F1, balanced accuracy, and how well calibrated
the answers are.

Accuracy counts images, so the largest class decides it: happy alone is a quarter of FER2013's test
set. Macro-F1 and balanced accuracy count the seven emotions alike.
"""

import numpy as np
import pandas as pd

from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.intervals import wilson_interval
from fer_utils.core.profiles import Profile
from fer_utils.core.reference import read_reference
from fer_utils.datasets import dataset_info
from fer_utils.evaluation.accuracy import OVERALL, PAPER
from fer_utils.evaluation.bootstrap import basic_interval, image_draws, percentile_interval
from fer_utils.evaluation.calibration import (
    bin_sums,
    brier_scores,
    calibration_error,
    error_by_chance,
    probabilities,
)
from fer_utils.evaluation.predictions import level_rows

ACCURACY, MACRO_F1, BALANCED, ECE, BRIER = (
    "accuracy",
    "macro-F1",
    "balanced accuracy",
    "expected calibration error",
    "Brier score",
)


def scores(predictions: pd.DataFrame, profile: Profile) -> pd.DataFrame:
    """One row per data set, level and score: dataset, level, score, paper, n, seeds, value, sd,
    low, high, interval, floor, value_seed_<s>.

    value, sd: mean and standard deviation over seeds (nan for one). In %, but for the Brier score
    (0 to 2).
    low, high: at ``evaluation.confidence``, by the method named in ``interval``. 'Wilson' as in
    Table III. 'bootstrap'
        draws the test images with replacement ``evaluation.resamples`` times; each time every
        seed's score is taken on the same drawn images and averaged over seeds, and the middle of
        the averages is the interval. 'basic bootstrap' mirrors it at the value, for the calibration
        error: it is never negative, so drawing again adds to it. None of them lets the training run
        vary; sd says what that does.
    floor: for the calibration error alone, what a network with these confidences would get by
    chance if they were
        perfectly right (``calibration.error_by_chance``): the smaller the test set, the higher.
    paper: what the paper prints, for accuracy alone; for demo faces that of the set they are drawn
    after.
    """
    rows = [
        row
        for dataset, level in (
            predictions[["dataset", "level"]].drop_duplicates().itertuples(index=False)
        )
        for row in _level_scores(level_rows(predictions, dataset, level), dataset, level, profile)
    ]
    frame = pd.DataFrame(rows)
    printed = read_reference("table_3")
    printed = printed[printed["emotion"] == OVERALL].set_index(["dataset", "level"])["accuracy"]
    frame.insert(
        3,
        PAPER,
        [
            (
                printed.get((dataset_info(row.dataset).paper_name, row.level), np.nan)
                if row.score == ACCURACY
                else np.nan
            )
            for row in frame.itertuples()
        ],
    )
    return frame


def balanced_accuracy(confusion: np.ndarray) -> np.ndarray:
    """Mean share of each emotion's images that are right, of counts [..., 7, 7] (rows are labels);
    emotions without images are left out. As ``sklearn.metrics.balanced_accuracy_score``, but for
    many matrices at once."""
    return np.nanmean(_shares(_right(confusion), confusion.sum(-1)), axis=-1)


def macro_f1(confusion: np.ndarray) -> np.ndarray:
    """Mean F1 of the emotions, of counts [..., 7, 7] (rows are labels); one that is neither a label
    nor an answer is left out. As ``sklearn.metrics.f1_score(average="macro")``, but for many
    matrices at once."""
    return np.nanmean(
        _shares(2 * _right(confusion), confusion.sum(-1) + confusion.sum(-2)), axis=-1
    )


def _level_scores(rows: pd.DataFrame, dataset: str, level: str, profile: Profile) -> list[dict]:
    seeds, confidence = rows["seed"].unique(), profile.evaluation.confidence
    labels, predicted = (
        _codes(rows[column]).reshape(len(seeds), -1) for column in ("emotion", "predicted")
    )
    n, right, p = labels.shape[1], labels == predicted, probabilities(rows)
    accuracies = 100 * right.mean(axis=1)
    wilson = tuple(100 * end for end in wilson_interval(accuracies.mean() / 100 * n, n, confidence))
    found = [(ACCURACY, accuracies, wilson, "Wilson", np.nan)]
    added = np.concatenate(
        [
            np.eye(len(EMOTIONS) ** 2)[labels * len(EMOTIONS) + predicted],
            bin_sums(p, right),
            brier_scores(p, labels)[..., None],
        ],
        axis=-1,
    )
    values, drawn = _scores_of(added.sum(axis=1), n), _resampled(added, profile)
    for name, (interval, method) in _INTERVALS.items():
        floor = 100 * error_by_chance(p, profile) if name == ECE else np.nan
        found.append(
            (
                name,
                values[name],
                interval(values[name].mean(), drawn[name], confidence),
                method,
                floor,
            )
        )
    return [
        {
            "dataset": dataset,
            "level": level,
            "score": name,
            "n": n,
            "seeds": len(seeds),
            "value": value.mean(),
            "sd": value.std(ddof=1) if len(seeds) > 1 else np.nan,
            "low": low,
            "high": high,
            "interval": method,
            "floor": floor,
            **{f"value_seed_{seed}": one for seed, one in zip(seeds, value, strict=True)},
        }
        for name, value, (low, high), method, floor in found
    ]


_INTERVALS = {
    MACRO_F1: (percentile_interval, "bootstrap"),
    BALANCED: (percentile_interval, "bootstrap"),
    ECE: (basic_interval, "basic bootstrap"),
    BRIER: (percentile_interval, "bootstrap"),
}


def _scores_of(totals: np.ndarray, n: int) -> dict[str, np.ndarray]:
    """Every score from what ``n`` images add up to [..., 49 + BINS + 1]: confusion counts, gaps of
    the bins, distances."""
    cells = len(EMOTIONS) ** 2
    confusion = totals[..., :cells].reshape(*totals.shape[:-1], len(EMOTIONS), len(EMOTIONS))
    return {
        MACRO_F1: 100 * macro_f1(confusion),
        BALANCED: 100 * balanced_accuracy(confusion),
        ECE: 100 * calibration_error(totals[..., cells:-1], n),
        BRIER: totals[..., -1] / n,
    }


def _resampled(added: np.ndarray, profile: Profile) -> dict[str, np.ndarray]:
    """The scores of every resample, averaged over seeds; ``added`` is what each image adds, [seeds,
    images, numbers]."""
    n = added.shape[1]
    # [seeds, resamples] each
    portions = [_scores_of(weights @ added, n) for weights in image_draws(n, profile)]
    return {
        name: np.concatenate([portion[name].mean(axis=0) for portion in portions])
        for name in _INTERVALS
    }


def _right(confusion: np.ndarray) -> np.ndarray:
    return np.diagonal(confusion, axis1=-2, axis2=-1)


def _shares(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """``part`` of ``whole``, element by element; nan where the whole is nothing."""
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)


def _codes(emotions: pd.Series) -> np.ndarray:
    return emotions.map(EMOTIONS.index).to_numpy(int)
