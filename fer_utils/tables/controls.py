"""The controls for readers: what their sets hold, and what they amount to."""

from collections.abc import Mapping

import pandas as pd

from fer_utils.balancing.controls import set_title
from fer_utils.evaluation import decisive_p
from fer_utils.evaluation.bootstrap import FACES, FACES_AND_RUNS
from fer_utils.tables.evaluation import HOW_JUDGED, in_brief


def control_sets(table: pd.DataFrame, *, titles: Mapping[str, str]) -> pd.DataFrame:
    """``controls.control_sets_table`` for readers: a row per control and data set."""
    return pd.DataFrame(
        [
            {
                "Control": set_title(row["control"]),
                "Data set": titles[row["dataset"]],
                **{
                    name.capitalize(): f"{row[name]:,}"
                    for name in ("faces", "real", "synthetic", "repeated", "altered")
                },
                "Pool was short of": f"{row['lacking']:,}" if row["lacking"] else "",
            }
            for row in table.to_dict("records")
        ]
    )


def table_a2_controls(results: pd.DataFrame, *, titles: Mapping[str, str]) -> pd.DataFrame:
    """``control_results.control_results`` for readers: accuracies in percent, differences in points
    with intervals, in accuracy and in balanced accuracy, and ``tables.in_brief`` of each."""
    return pd.DataFrame(
        [
            {
                "Data set": titles[row["dataset"]],
                "Control": set_title(row["control"]),
                "What it answers": row["answers"],
                "Faces an epoch": f"{row['faces']:,}\nsynthetic: {row['synthetic']:,}",
                "Updates": f"{row['updates']:,.0f}",
                f"Accuracy [interval: {FACES}]": (
                    f"{_accuracy(row)}\nn = {row['n']:,}, seeds: {row['seeds']}"
                ),
                f"To Original [interval: {FACES_AND_RUNS}]": _differences(row, "to_original"),
                f"To oversampling [interval: {FACES_AND_RUNS}]": _differences(
                    row, "to_oversampling"
                ),
            }
            for row in results.to_dict("records")
        ]
    )


def controls_caption(confidence: float) -> str:
    """What ``table_a2_controls`` shows and what its intervals hold."""
    sure = f"{100 * confidence:g} %"
    return (
        f"What controls change: test accuracy (%) ± sd over seeds [{sure} interval: {FACES}],"
        f" differences in points, in accuracy and balanced [{sure} interval: {FACES_AND_RUNS}]."
        f" {HOW_JUDGED}."
    )


def _accuracy(row: dict) -> str:
    spread = "" if pd.isna(row["sd"]) else f" ± {row['sd']:.1f}"
    return f"{row['accuracy']:.1f}{spread} [{row['low']:.1f}, {row['high']:.1f}]"


def _differences(row: dict, name: str) -> str:
    """In accuracy and, below, in balanced accuracy."""
    return (
        ""
        if pd.isna(row[name])
        else f"{_difference(row, name)}\nbalanced {_difference(row, name, '_balanced')}"
    )


def _difference(row: dict, name: str, which: str = "") -> str:
    value, low, high, p, p_holm, reading = (
        row[f"{name}{which}{end}"] for end in ("", "_low", "_high", "_p", "_p_holm", "_reading")
    )
    family, seeds = row[f"{name}_family"], row[f"{name}_seeds"]
    brief = in_brief(
        reading,
        p=decisive_p({"p": p, "p_holm": p_holm, "family": family}),
        seeds=seeds,
        family=family,
    )
    return f"{value:+.1f} [{low:+.1f}, {high:+.1f}]\n{brief}"
