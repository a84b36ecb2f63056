"""One number for a whole test set: accuracy, macro-F1, balanced accuracy, and how well calibrated the answers are.

Accuracy counts images, so the largest class decides it: happy alone is a quarter of FER2013's test set. Macro-F1 and
balanced accuracy count the seven emotions alike.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from fer_utils.datasets import dataset_info
from fer_utils.emotions import EMOTIONS
from fer_utils.evaluation.accuracy import OVERALL, PAPER, wilson_interval
from fer_utils.evaluation.bootstrap import basic_interval, image_draws, percentile_interval
from fer_utils.evaluation.calibration import bin_sums, brier_scores, calibration_error, error_by_chance, probabilities
from fer_utils.evaluation.predictions import level_rows
from fer_utils.profiles import Profile
from fer_utils.reference import read_reference

ACCURACY, MACRO_F1, BALANCED, ECE, BRIER = ("accuracy", "macro-F1", "balanced accuracy", "expected calibration error",
                                            "Brier score")


def scores(predictions: pd.DataFrame, profile: Profile) -> pd.DataFrame:
    """One row per data set, level and score: dataset, level, score, paper, n, seeds, value, sd, low, high, interval,
    floor, value_seed_<s>.

    value, sd: mean and standard deviation over seeds (nan for one). In %, but for the Brier score (0 to 2).
    low, high: at ``evaluation.confidence``, by the method named in ``interval``. 'Wilson' as in Table III. 'bootstrap'
        draws the test images with replacement ``evaluation.resamples`` times; each time every seed's score is taken on
        the same drawn images and averaged over seeds, and the middle of the averages is the interval. 'basic bootstrap'
        mirrors it at the value, for the calibration error: it is never negative, so drawing again adds to it.
        None of them lets the training run vary; sd says what that does.
    floor: for the calibration error alone, what a network with these confidences would get by chance if they were
        perfectly right (``calibration.error_by_chance``): the smaller the test set, the higher.
    paper: what the paper prints, for accuracy alone; for demo faces that of the set they are drawn after.
    """
    rows = [row for dataset, level in predictions[["dataset", "level"]].drop_duplicates().itertuples(index=False)
            for row in _level_scores(level_rows(predictions, dataset, level), dataset, level, profile)]
    frame = pd.DataFrame(rows)
    printed = read_reference("table_3").query("emotion == @OVERALL").set_index(["dataset", "level"])["accuracy"]
    frame.insert(3, PAPER, [printed.get((dataset_info(row.dataset).paper_name, row.level), np.nan)
                            if row.score == ACCURACY else np.nan for row in frame.itertuples()])
    return frame


def balanced_accuracy(confusion: np.ndarray) -> np.ndarray:
    """Mean share of each emotion's images that are right, of counts [..., 7, 7] (rows are labels); emotions without
    images are left out. As ``sklearn.metrics.balanced_accuracy_score``, but for many matrices at once."""
    return np.nanmean(_share(_right(confusion), confusion.sum(-1)), axis=-1)


def macro_f1(confusion: np.ndarray) -> np.ndarray:
    """Mean F1 of the emotions, of counts [..., 7, 7] (rows are labels); one that is neither a label nor an answer is left
    out. As ``sklearn.metrics.f1_score(average="macro")``, but for many matrices at once."""
    return np.nanmean(_share(2 * _right(confusion), confusion.sum(-1) + confusion.sum(-2)), axis=-1)


def _level_scores(rows: pd.DataFrame, dataset: str, level: str, profile: Profile) -> list[dict]:
    seeds = rows["seed"].unique()
    labels, predicted = (_codes(rows[column]).reshape(len(seeds), -1) for column in ("emotion", "predicted"))
    n, confidence = labels.shape[1], profile.evaluation.confidence
    right = 100 * (labels == predicted).mean(axis=1)
    cells = np.eye(len(EMOTIONS) ** 2)[labels * len(EMOTIONS) + predicted]
    p = probabilities(rows)
    sums, briers = bin_sums(p, labels == predicted), brier_scores(p, labels)[..., None]
    wilson = tuple(100 * end for end in wilson_interval(right.mean() / 100 * n, n, confidence))
    found = [(ACCURACY, right, wilson, "Wilson")]
    for name, score, contributions, interval, method in (
            (MACRO_F1, _of_cells(macro_f1), cells, percentile_interval, "bootstrap"),
            (BALANCED, _of_cells(balanced_accuracy), cells, percentile_interval, "bootstrap"),
            (ECE, lambda totals: 100 * calibration_error(totals, n), sums, basic_interval, "basic bootstrap"),
            (BRIER, lambda totals: totals[..., 0] / n, briers, percentile_interval, "bootstrap")):
        values = score(contributions.sum(axis=1))
        found.append((name, values, interval(values.mean(), _resampled(score, contributions, profile), confidence), method))
    return [{"dataset": dataset, "level": level, "score": name, "n": n, "seeds": len(seeds), "value": values.mean(),
             "sd": values.std(ddof=1) if len(seeds) > 1 else np.nan, "low": low, "high": high, "interval": method,
             "floor": 100 * error_by_chance(p, profile) if name == ECE else np.nan,
             **{f"value_seed_{seed}": value for seed, value in zip(seeds, values, strict=True)}}
            for name, values, (low, high), method in found]


def _resampled(score: Callable, contributions: np.ndarray, profile: Profile) -> np.ndarray:
    """``score`` of every resample, averaged over seeds.

    contributions: [seeds, images, numbers], what each image adds to the totals that ``score`` is computed from.
    """
    return np.concatenate([np.mean([score(weights @ run) for run in contributions], axis=0)
                           for weights in image_draws(contributions.shape[1], profile)])


def _of_cells(score: Callable) -> Callable:
    return lambda totals: 100 * score(totals.reshape(*totals.shape[:-1], len(EMOTIONS), len(EMOTIONS)))


def _right(confusion: np.ndarray) -> np.ndarray:
    return np.diagonal(confusion, axis1=-2, axis2=-1)


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)


def _codes(emotions: pd.Series) -> np.ndarray:
    return emotions.map(EMOTIONS.index).to_numpy(int)
