"""Which emotions are taken for which, in counts and as shares (Fig. 4)."""

import numpy as np
import pandas as pd
from sklearn.metrics import confusion_matrix

from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.intervals import wilson_interval
from fer_utils.evaluation.predictions import level_rows


def confusion_counts(predictions: pd.DataFrame, dataset: str, level: str) -> np.ndarray:
    """int [7, 7], rows the labels and columns the predictions in the order of ``EMOTIONS``, summed
    over seeds."""
    rows = level_rows(predictions, dataset, level)
    return confusion_matrix(rows["emotion"], rows["predicted"], labels=list(EMOTIONS))


def confusion_rates(counts: np.ndarray) -> np.ndarray:
    """float [7, 7]: each row of counts as shares of that emotion's test images; nan where there are
    none."""
    totals = counts.sum(axis=1, keepdims=True)
    return np.divide(counts, totals, out=np.full(counts.shape, np.nan), where=totals > 0)


def confusion_table(predictions: pd.DataFrame) -> pd.DataFrame:
    """Every confusion matrix as rows: dataset, level, emotion, n (its test images), seeds,
    predicted, count (summed over seeds), share (of the emotion's answers, in %; nan where it has no
    test images), low, high (its 95 % Wilson interval with n images, which does not shrink with more
    seeds)."""
    return pd.concat(
        [
            _as_rows(predictions, dataset, level)
            for dataset, level in (
                predictions[["dataset", "level"]].drop_duplicates().itertuples(index=False)
            )
        ],
        ignore_index=True,
    )


def _as_rows(predictions: pd.DataFrame, dataset: str, level: str) -> pd.DataFrame:
    counts = confusion_counts(predictions, dataset, level)
    seeds = level_rows(predictions, dataset, level)["seed"].nunique()
    rows = []
    for emotion, row, rates in zip(EMOTIONS, counts, confusion_rates(counts), strict=True):
        n = int(row.sum()) // seeds
        for predicted, count, share in zip(EMOTIONS, row, rates, strict=True):
            low, high = wilson_interval(count / seeds, n)
            rows.append(
                {
                    "dataset": dataset,
                    "level": level,
                    "emotion": emotion,
                    "n": n,
                    "seeds": seeds,
                    "predicted": predicted,
                    "count": int(count),
                    "share": 100 * share,
                    "low": 100 * low,
                    "high": 100 * high,
                }
            )
    return pd.DataFrame(rows)
