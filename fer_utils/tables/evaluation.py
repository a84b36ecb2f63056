"""The tables beside Tables III and IV: levels compared, whole-set scores, subsets, confusion; each for readers."""

from collections.abc import Mapping

import pandas as pd

from fer_utils.emotions import EMOTIONS
from fer_utils.evaluation import BRIER
from fer_utils.evaluation.bootstrap import FACES_AND_RUNS
from fer_utils.evaluation.comparison import EXPLORATORY, MIN_SEEDS, PRIMARY

SIGNIFICANT = 0.05
BETTER, WORSE, OPEN, TOO_FEW = VERDICTS = ("better", "worse", "open", "too few seeds")


def table_a6_comparison(table: pd.DataFrame, *, titles: Mapping[str, str], level_titles: Mapping[str, str]) -> pd.DataFrame:
    """``control_results.comparisons`` for readers: the differences in points with their intervals, images that tell the two
    apart, p of every seed, p over seeds, Holm's for the primary family, and the reading."""
    rows = table.to_dict("records")
    seeds = [column for column in table.columns if column.startswith("p_seed_")]
    return pd.DataFrame([{
        "Data set": titles[row["dataset"]],
        "Compared": f"{_title(row['level'], level_titles)} with {_title(row['reference'], level_titles)}",
        "Test images, seeds": f"{row['n']:,}, {row['seeds']}",
        f"Difference (points) [interval: {FACES_AND_RUNS}]": f"{row['difference']:+.1f} [{row['low']:+.1f}, {row['high']:+.1f}]",
        f"In balanced accuracy (points) [interval: {FACES_AND_RUNS}]":
            f"{row['balanced']:+.1f} [{row['balanced_low']:+.1f}, {row['balanced_high']:+.1f}]",
        "Only it right | only the other": f"{row['b']:.1f} | {row['c']:.1f}",
        "McNemar p of each seed": ", ".join(p_value(row[seed]) for seed in seeds if pd.notna(row[seed])),
        "p over seeds (Rüger)": p_value(row["p"]), "Holm, primary family": p_value(row["p_holm"]),
        "Reading": marked(verdict(row), row["family"])} for row in rows])


def verdict(row: Mapping) -> str:
    """'better' or 'worse' than the reference, if p is under 0.05 (Holm's in the primary family, uncorrected elsewhere), the
    interval has one sign and every seed's difference has it too; 'open' else: this many images and runs do not decide it.
    'too few seeds' under ``MIN_SEEDS``."""
    if row["seeds"] < MIN_SEEDS:
        return TOO_FEW
    sign = (row["difference"] > 0) - (row["difference"] < 0)
    seeds = [name.removeprefix("b_seed_") for name in row if name.startswith("b_seed_") and pd.notna(row[name])]
    agree = all((row[f"b_seed_{seed}"] - row[f"c_seed_{seed}"]) * sign > 0 for seed in seeds)
    decided = decisive_p(row) < SIGNIFICANT and row["low"] * row["high"] > 0 and agree
    return (BETTER if sign > 0 else WORSE) if decided else OPEN


def decisive_p(row: Mapping) -> float:
    """The p that ``verdict`` looks at."""
    return row["p_holm"] if row["family"] == PRIMARY else row["p"]


def marked(verdict: str, family: str) -> str:
    """A verdict that says if it is an exploratory one."""
    return f"{verdict} ({EXPLORATORY})" if family == EXPLORATORY and verdict != TOO_FEW else verdict


def in_brief(verdict: str, *, p: float, seeds: int, family: str) -> str:
    """'p 0.005, worse'; 'p 0.005, worse (exploratory)'; '1 seed: no verdict'. ``p`` is ``decisive_p``."""
    if verdict == TOO_FEW:
        return f"{seeds:.0f} seed{'' if seeds == 1 else 's'}: no verdict"
    return f"p {p_value(p)}, {marked(verdict, family)}"


def table_a6_summary(table: pd.DataFrame, *, titles: Mapping[str, str], level_titles: Mapping[str, str]) -> pd.DataFrame:
    """``evaluation.scores`` for readers: a row per data set and level, a column per score with mean, standard deviation
    over seeds and interval; the paper's accuracy before ours."""
    cells = {(row["dataset"], row["level"], row["score"]): _score_cell(row) for row in table.to_dict("records")}
    sizes = table.drop_duplicates(["dataset", "level"]).itertuples()
    return pd.DataFrame([{"Data set": titles[row.dataset], "Level": _title(row.level, level_titles),
                          "Test images, seeds": f"{row.n:,}, {row.seeds}",
                          **{_score_head(score): cells[row.dataset, row.level, score] for score in table["score"].unique()}}
                         for row in sizes])


def table_a6_subsets(table: pd.DataFrame, *, titles: Mapping[str, str], level_titles: Mapping[str, str]) -> pd.DataFrame:
    """``evaluation.subset_accuracy`` for readers: a row per data set and subset, a column per level."""
    cells = {(row["dataset"], row["subset"], row["level"]): _subset_cell(row) for row in table.to_dict("records")}
    parts = table.drop_duplicates(["dataset", "subset"]).itertuples()
    return pd.DataFrame([{"Data set": titles[row.dataset], "Test images": row.subset, "Labels": row.labels,
                          "n": f"{row.n:,}", "Left out": f"{row.dropped:,}" + (f" ({row.why})" if row.why else ""),
                          "Data set's labels are the same (%)": f"{row.labels_same:.1f}",
                          **{head: cells.get((row.dataset, row.subset, level), "") for level, head in level_titles.items()}}
                         for row in parts])


def table_a6_confusion(table: pd.DataFrame, *, titles: Mapping[str, str], level_titles: Mapping[str, str]) -> pd.DataFrame:
    """``evaluation.confusion_table`` for readers: a row per data set, level and label; 'share % (count)' of each answer."""
    rows = []
    for (dataset, level, emotion), part in table.groupby(["dataset", "level", "emotion"], sort=False):
        answers = part.set_index("predicted")
        rows.append({"Data set": titles[dataset], "Level": _title(level, level_titles), "Label": emotion.capitalize(),
                     "Images, seeds": f"{answers['n'].iloc[0]:,}, {answers['seeds'].iloc[0]}",
                     **{name.capitalize(): _confusion_cell(answers.loc[name]) for name in EMOTIONS}})
    return pd.DataFrame(rows)


def comparison_caption(confidence: float) -> str:
    """What ``table_a6_comparison`` shows: what its intervals hold, and how its p-values were combined and corrected."""
    return (f"Test accuracy against other training sets on the same images: difference [{100 * confidence:g} % interval: {FACES_AND_RUNS}; "
            "of one seed: faces alone], exact McNemar test of each seed, p over seeds (Rüger: K/k times the k-th smallest of K, "
            "k = K // 2 + 1), Holm's correction over the primary family alone (the levels against Original), and the reading, "
            f"from {MIN_SEEDS} seeds on; rows outside the family are exploratory")


def p_value(p: float) -> str:
    """A p-value in three decimals; '< 0.001' under that; nothing for nan."""
    if pd.isna(p):
        return ""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _title(level: str, level_titles: Mapping[str, str]) -> str:
    return level_titles.get(level, level)


def _score_head(score: str) -> str:
    return score[0].upper() + score[1:] + ("" if score == BRIER else " (%)")


def _score_cell(row: dict) -> str:
    digits = 3 if row["score"] == BRIER else 1
    spread = "" if pd.isna(row["sd"]) else f" ± {row['sd']:.{digits}f}"
    paper = "" if pd.isna(row["paper"]) else f"{row['paper']:g} | "
    floor = "" if pd.isna(row["floor"]) else f"\n{row['floor']:.1f} by chance alone"
    return f"{paper}{row['value']:.{digits}f}{spread} [{row['low']:.{digits}f}, {row['high']:.{digits}f}]{floor}"


def _subset_cell(row: dict) -> str:
    paper = "" if pd.isna(row["paper"]) else f"{row['paper']:g} | "
    spread = "" if pd.isna(row["sd"]) else f" ± {row['sd']:.1f}"
    return f"{paper}{row['accuracy']:.1f}{spread} [{row['low']:.1f}, {row['high']:.1f}]\nseeds: {row['seeds']}"


def _confusion_cell(row: pd.Series) -> str:
    return "no test images" if pd.isna(row["share"]) else f"{row['share']:.0f} % ({row['count']:,})"
