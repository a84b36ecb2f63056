"""The controls for readers: what their sets hold, and what they amount to."""

from collections.abc import Mapping

import pandas as pd

from fer_utils.controls import set_title
from fer_utils.tables.evaluation import p_value


def control_sets(table: pd.DataFrame, *, titles: Mapping[str, str]) -> pd.DataFrame:
    """``controls.control_sets_table`` for readers: a row per control and data set."""
    return pd.DataFrame([{
        "Control": set_title(row["control"]), "Data set": titles[row["dataset"]],
        **{name.capitalize(): f"{row[name]:,}" for name in ("faces", "real", "synthetic", "repeated", "altered")},
        "Pool was short of": f"{row['lacking']:,}" if row["lacking"] else ""} for row in table.to_dict("records")])


def table_a2_controls(results: pd.DataFrame, *, titles: Mapping[str, str]) -> pd.DataFrame:
    """``control_results.control_results`` for readers: accuracies in percent, differences in points with intervals and
    McNemar's p after Holm's correction, and ``tables.verdict``."""
    return pd.DataFrame([{
        "Data set": titles[row["dataset"]], "Control": set_title(row["control"]), "What it answers": row["answers"],
        "Faces an epoch": f"{row['faces']:,}\nsynthetic: {row['synthetic']:,}", "Updates": f"{row['updates']:,.0f}",
        "Accuracy": f"{_accuracy(row)}\nn = {row['n']:,}, seeds: {row['seeds']}",
        "To Original": _difference(row, "to_original"),
        "To oversampling": _difference(row, "to_oversampling")}
        for row in results.to_dict("records")])


def _accuracy(row: dict) -> str:
    spread = "" if pd.isna(row["sd"]) else f" ± {row['sd']:.1f}"
    return f"{row['accuracy']:.1f}{spread} [{row['low']:.1f}, {row['high']:.1f}]"


def _difference(row: dict, name: str) -> str:
    if pd.isna(row[name]):
        return ""
    return (f"{row[name]:+.1f} [{row[f'{name}_low']:+.1f}, {row[f'{name}_high']:+.1f}]\n"
            f"p {p_value(row[f'{name}_p_holm'])}, {row[f'{name}_reading']}")
