"""How every training set does when its answers are read for other class shares (``priors``)."""

import numpy as np
import pandas as pd

from fer_utils.balancing.controls import CONTROLS
from fer_utils.core.profiles import Profile
from fer_utils.evaluation.comparison import compare, emotion_groups, right_answers
from fer_utils.evaluation.priors import READINGS, in_reading
from fer_utils.evaluation.two_way import two_way


def prior_table(predictions: pd.DataFrame, profile: Profile) -> pd.DataFrame:
    """How every set does in each of ``priors.READINGS``: a row per data set, level and reading.

    Columns dataset, level, reading, n (test images), seeds; accuracy, low, high and balanced
    (accuracy), balanced_low, balanced_high in %, with intervals of faces and runs (``two_way``);
    to_original, to_original_low, _high, _p and to_original_balanced, ...: against Original in the
    same reading, in points, exploratory; empty for Original itself.
    """
    trained = predictions[
        ~predictions["level"].isin([name for name, control in CONTROLS.items() if control.adjusted])
    ]
    return pd.concat(
        [
            _of_reading(in_reading(trained, reading, profile), profile).assign(reading=reading)
            for reading in READINGS
        ],
        ignore_index=True,
    )


def _of_reading(predictions: pd.DataFrame, profile: Profile) -> pd.DataFrame:
    rows = []
    for dataset, level in (
        predictions[["dataset", "level"]].drop_duplicates().itertuples(index=False)
    ):
        right = right_answers(predictions, dataset, level)
        row = {"dataset": dataset, "level": level, "n": len(right), "seeds": right.shape[1]}
        for name, prefix, groups in (
            ("accuracy", "", np.ones((len(right), 1))),
            ("balanced", "balanced_", emotion_groups(predictions, right.index)),
        ):
            found = two_way(100 * right.to_numpy(float), groups, profile.evaluation.confidence)
            row |= {name: found.mean, f"{prefix}low": found.low, f"{prefix}high": found.high}
        rows.append(row)
    table = pd.DataFrame(rows)
    if table["level"].nunique() < 2 or "original" not in set(table["level"]):
        return table
    compared = compare(predictions, profile)
    columns = {
        "difference": "to_original",
        "low": "to_original_low",
        "high": "to_original_high",
        "p": "to_original_p",
        "balanced": "to_original_balanced",
        **{f"balanced_{end}": f"to_original_balanced_{end}" for end in ("low", "high", "p")},
    }
    return table.merge(
        compared[["dataset", "level", *columns]].rename(columns=columns),
        how="left",
        on=["dataset", "level"],
    )
