"""Every training set read for other class shares, and what unseen real faces give in the place of
synthetic ones."""

from collections.abc import Mapping

import pandas as pd

from fer_utils.evaluation.bootstrap import FACES_AND_RUNS
from fer_utils.tables.evaluation import p_value

PRIORS_CAPTION = (
    "Every set as it answers, and with its probabilities weighted for the class shares of the data"
    " set's training faces and for equal ones (post-hoc logit adjustment, strength 1; nothing"
    f" trained, nothing chosen) [interval: {FACES_AND_RUNS}]; differences are to Original in the"
    " same reading, p of the two-way model, exploratory"
)
ORACLE_CAPTION = (
    "A part of the training faces filled up: balanced accuracy (%), answers read for equal class"
    f" shares [interval: {FACES_AND_RUNS}], against the number of added faces; the synthetic ones"
    " come from a generator that has learnt from all training faces. Exchange rate: added real"
    " faces that reach what all of the synthetic ones give, for each of these"
)


def table_a6_priors(
    table: pd.DataFrame, *, titles: Mapping[str, str], level_titles: Mapping[str, str]
) -> pd.DataFrame:
    """``evaluation.prior_table`` for readers: a row per data set and level, the readings one under
    the other."""
    return pd.DataFrame(
        [
            {
                "Data set": titles[row["dataset"]],
                "Training set": level_titles[row["level"]],
                "Read for": row["reading"],
                "Test images, seeds": f"{row['n']:,}, {row['seeds']}",
                "Accuracy (%)": _value(row, "accuracy", ""),
                "To Original (points)": _difference(row, "to_original"),
                "Balanced (%)": _value(row, "balanced", "balanced_"),
                "To Original, balanced (points)": _difference(row, "to_original_balanced"),
            }
            for row in table.to_dict("records")
        ]
    )


def table_a7_oracle(
    table: pd.DataFrame, *, titles: Mapping[str, str], level_titles: Mapping[str, str]
) -> pd.DataFrame:
    """``evaluation.oracle_table`` for readers; its last row of a data set is the exchange rate."""
    return pd.DataFrame(
        [
            {
                "Data set": titles[row["dataset"]],
                "Training set": level_titles.get(row["level"], row["level"]),
                "Faces (added)": (
                    "" if pd.isna(row["faces"]) else f"{row['faces']:,.0f} ({row['added']:,.0f})"
                ),
                "Test images, seeds": f"{row['n']:,}, {row['seeds']}",
                "Balanced (%), or rate": (
                    f"{row['balanced']:.{_digits(row)}f} [{row['low']:.{_digits(row)}f}, "
                    f"{row['high']:.{_digits(row)}f}]"
                ),
            }
            for row in table.to_dict("records")
        ]
    )


def _digits(row: dict) -> int:
    return 2 if pd.isna(row["faces"]) else 1


def _value(row: dict, name: str, prefix: str) -> str:
    return f"{row[name]:.1f} [{row[f'{prefix}low']:.1f}, {row[f'{prefix}high']:.1f}]"


def _difference(row: dict, name: str) -> str:
    if pd.isna(row.get(name)):
        return ""
    p = p_value(row[f"{name}_p"])
    return f"{row[name]:+.1f} [{row[f'{name}_low']:+.1f}, {row[f'{name}_high']:+.1f}]" + (
        f", p {p}" if p else ""
    )
