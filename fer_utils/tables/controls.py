"""The controls for readers: what their sets hold, and what they amount to."""

from collections.abc import Mapping

import pandas as pd

from fer_utils.controls import set_title
from fer_utils.evaluation.bootstrap import FACES, FACES_AND_RUNS
from fer_utils.tables.evaluation import decisive_p, in_brief


def control_sets(table: pd.DataFrame, *, titles: Mapping[str, str]) -> pd.DataFrame:
    """``controls.control_sets_table`` for readers: a row per control and data set."""
    return pd.DataFrame([{
        "Control": set_title(row["control"]), "Data set": titles[row["dataset"]],
        **{name.capitalize(): f"{row[name]:,}" for name in ("faces", "real", "synthetic", "repeated", "altered")},
        "Pool was short of": f"{row['lacking']:,}" if row["lacking"] else ""} for row in table.to_dict("records")])


def table_a2_controls(results: pd.DataFrame, *, titles: Mapping[str, str]) -> pd.DataFrame:
    """``control_results.control_results`` for readers: accuracies in percent, differences in points with intervals, and
    ``tables.in_brief`` of each."""
    return pd.DataFrame([{
        "Data set": titles[row["dataset"]], "Control": set_title(row["control"]), "What it answers": row["answers"],
        "Faces an epoch": f"{row['faces']:,}\nsynthetic: {row['synthetic']:,}", "Updates": f"{row['updates']:,.0f}",
        f"Accuracy [interval: {FACES}]": f"{_accuracy(row)}\nn = {row['n']:,}, seeds: {row['seeds']}",
        f"To Original [interval: {FACES_AND_RUNS}]": _difference(row, "to_original"),
        f"To oversampling [interval: {FACES_AND_RUNS}]": _difference(row, "to_oversampling")}
        for row in results.to_dict("records")])


def controls_caption(confidence: float) -> str:
    """What ``table_a2_controls`` shows and what its intervals hold."""
    sure = f"{100 * confidence:g} %"
    return (f"What controls change: test accuracy (%) ± sd over seeds [{sure} interval: {FACES}], differences in points [{sure} "
            f"interval: {FACES_AND_RUNS}; of one seed: faces alone]. p over seeds after Rüger, Holm's for the levels against Original, "
            "uncorrected for the rest, which is exploratory.")


def _accuracy(row: dict) -> str:
    spread = "" if pd.isna(row["sd"]) else f" ± {row['sd']:.1f}"
    return f"{row['accuracy']:.1f}{spread} [{row['low']:.1f}, {row['high']:.1f}]"


def _difference(row: dict, name: str) -> str:
    if pd.isna(row[name]):
        return ""
    low, high, p, p_holm, seeds, family, reading = (
        row[f"{name}_{column}"] for column in ("low", "high", "p", "p_holm", "seeds", "family", "reading"))
    brief = in_brief(reading, p=decisive_p({"p": p, "p_holm": p_holm, "family": family}), seeds=seeds, family=family)
    return f"{row[name]:+.1f} [{low:+.1f}, {high:+.1f}]\n{brief}"
