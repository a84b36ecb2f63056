"""Which emotions are taken for which, in counts and as shares (Fig. 4)."""

import numpy as np
import pandas as pd
from sklearn.metrics import confusion_matrix

from fer_utils.emotions import EMOTIONS
from fer_utils.errors import CompanionError


def confusion_counts(predictions: pd.DataFrame, dataset: str, level: str) -> np.ndarray:
    """int [7, 7], rows the labels and columns the predictions in the order of ``EMOTIONS``, summed over seeds."""
    rows = predictions[(predictions["dataset"] == dataset) & (predictions["level"] == level)]
    if rows.empty:
        found = predictions[["dataset", "level"]].drop_duplicates().agg(" ".join, axis=1)
        raise CompanionError(f"No predictions for {dataset} {level}; there are: {', '.join(found)}.")
    return confusion_matrix(rows["emotion"], rows["predicted"], labels=list(EMOTIONS))


def confusion_rates(counts: np.ndarray) -> np.ndarray:
    """float [7, 7]: each row of counts as shares of that emotion's test images; nan where there are none."""
    totals = counts.sum(axis=1, keepdims=True)
    return np.divide(counts, totals, out=np.full(counts.shape, np.nan), where=totals > 0)
