"""The tables beside Tables III and IV: levels compared, whole-set scores, subsets, confusion; each
for readers."""

from collections.abc import Mapping

import pandas as pd

from fer_utils.core.emotions import EMOTIONS
from fer_utils.evaluation import (
    BRIER,
    EXPLORATORY,
    FACES_AND_RUNS,
    MIN_SEEDS,
    PREFIXES,
    TOO_FEW,
    verdict,
)

HOW_JUDGED = (
    f"Interval and p of a difference are of the two-way model ({FACES_AND_RUNS}; how runs vary is"
    " pooled from Original and the augmentations), Student's t with Satterthwaite's degrees of"
    " freedom; Holm's correction over Augmentations 1 to 4 against Original in accuracy and"
    f" balanced accuracy; all else is exploratory, its p uncorrected; no verdict under {MIN_SEEDS}"
    " seeds; of one seed the interval holds faces alone and there is no p"
)
"""For captions, without the full stop."""


def table_a6_comparison(
    table: pd.DataFrame, *, titles: Mapping[str, str], level_titles: Mapping[str, str]
) -> pd.DataFrame:
    """``control_results.comparisons`` for readers: in accuracy and in balanced accuracy the
    difference in points with its interval, p, Holm's for the primary family, and the reading; and
    the images that tell the two apart."""
    return pd.DataFrame(
        [
            {
                "Data set": titles[row["dataset"]],
                "Compared": (
                    f"{_title(row['level'], level_titles)} with"
                    f" {_title(row['reference'], level_titles)}"
                ),
                "Test images, seeds": f"{row['n']:,}, {row['seeds']}",
                **_measure_cells(row, "difference", "Difference", ""),
                **_measure_cells(row, "balanced", "In balanced accuracy", " (balanced)"),
                "Only it right | only the other": f"{row['b']:.1f} | {row['c']:.1f}",
            }
            for row in table.to_dict("records")
        ]
    )


def marked(verdict: str, family: str) -> str:
    """A verdict that says if it is an exploratory one."""
    return f"{verdict} ({EXPLORATORY})" if family == EXPLORATORY and verdict != TOO_FEW else verdict


def in_brief(verdict: str, *, p: float, seeds: int, family: str) -> str:
    """'p 0.005, worse'; 'p 0.005, worse (exploratory)'; '1 seed: no verdict'. ``p`` is
    ``decisive_p``."""
    if verdict == TOO_FEW:
        return f"{seeds:.0f} seed{'' if seeds == 1 else 's'}: no verdict"
    return f"p {p_value(p)}, {marked(verdict, family)}"


def table_a6_summary(
    table: pd.DataFrame, *, titles: Mapping[str, str], level_titles: Mapping[str, str]
) -> pd.DataFrame:
    """``evaluation.scores`` for readers: a row per data set and level, a column per score with
    mean, standard deviation over seeds and interval; the paper's accuracy before ours."""
    cells = {
        (row["dataset"], row["level"], row["score"]): _score_cell(row)
        for row in table.to_dict("records")
    }
    sizes = table.drop_duplicates(["dataset", "level"]).itertuples()
    return pd.DataFrame(
        [
            {
                "Data set": titles[row.dataset],
                "Level": _title(row.level, level_titles),
                "Test images, seeds": f"{row.n:,}, {row.seeds}",
                **{
                    _score_head(score): cells[row.dataset, row.level, score]
                    for score in table["score"].unique()
                },
            }
            for row in sizes
        ]
    )


def table_a6_subsets(
    table: pd.DataFrame, *, titles: Mapping[str, str], level_titles: Mapping[str, str]
) -> pd.DataFrame:
    """``evaluation.subset_accuracy`` for readers: a row per data set and subset, a column per
    level."""
    cells = {
        (row["dataset"], row["subset"], row["level"]): _subset_cell(row)
        for row in table.to_dict("records")
    }
    parts = table.drop_duplicates(["dataset", "subset"]).itertuples()
    return pd.DataFrame(
        [
            {
                "Data set": titles[row.dataset],
                "Test images": row.subset,
                "Labels": row.labels,
                "n": f"{row.n:,}",
                "Left out": f"{row.dropped:,}" + (f" ({row.why})" if row.why else ""),
                "Data set's labels are the same (%)": f"{row.labels_same:.1f}",
                **{
                    head: cells.get((row.dataset, row.subset, level), "")
                    for level, head in level_titles.items()
                },
            }
            for row in parts
        ]
    )


def table_a6_confusion(
    table: pd.DataFrame, *, titles: Mapping[str, str], level_titles: Mapping[str, str]
) -> pd.DataFrame:
    """``evaluation.confusion_table`` for readers: a row per data set, level and label; 'share %
    (count)' of each answer."""
    rows = []
    for (dataset, level, emotion), part in table.groupby(
        ["dataset", "level", "emotion"], sort=False
    ):
        answers = part.set_index("predicted")
        rows.append(
            {
                "Data set": titles[dataset],
                "Level": _title(level, level_titles),
                "Label": emotion.capitalize(),
                "Images, seeds": f"{answers['n'].iloc[0]:,}, {answers['seeds'].iloc[0]}",
                **{name.capitalize(): _confusion_cell(answers.loc[name]) for name in EMOTIONS},
            }
        )
    return pd.DataFrame(rows)


def comparison_caption(confidence: float) -> str:
    """What ``table_a6_comparison`` shows, and how its intervals, p-values and readings come
    about."""
    return (
        "Against other training sets on the same images, in accuracy and in balanced accuracy:"
        f" difference [{100 * confidence:g} % interval: {FACES_AND_RUNS}], p | Holm's p, reading."
        f" {HOW_JUDGED}"
    )


def p_value(p: float) -> str:
    """A p-value in three decimals; '< 0.001' under that; nothing for nan."""
    if pd.isna(p):
        return ""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _measure_cells(row: dict, measure: str, head: str, which: str) -> dict[str, str]:
    """The columns of one measure; ``which`` tells their heads from the other's."""
    low, high, p, p_holm = (
        row[f"{PREFIXES[measure]}{name}"] for name in ("low", "high", "p", "p_holm")
    )
    return {
        f"{head} (points) [interval: {FACES_AND_RUNS}]": (
            f"{row[measure]:+.1f} [{low:+.1f}, {high:+.1f}]"
        ),
        f"p | Holm{which}": " | ".join(filter(None, (p_value(p), p_value(p_holm)))),
        f"Reading{which}": marked(verdict(row, measure), row["family"]),
    }


def _title(level: str, level_titles: Mapping[str, str]) -> str:
    return level_titles.get(level, level)


def _score_head(score: str) -> str:
    return score[0].upper() + score[1:] + ("" if score == BRIER else " (%)")


def _score_cell(row: dict) -> str:
    digits = 3 if row["score"] == BRIER else 1
    spread = "" if pd.isna(row["sd"]) else f" ± {row['sd']:.{digits}f}"
    paper = "" if pd.isna(row["paper"]) else f"{row['paper']:g} | "
    floor = "" if pd.isna(row["floor"]) else f"\n{row['floor']:.1f} by chance alone"
    return (
        f"{paper}{row['value']:.{digits}f}{spread} [{row['low']:.{digits}f},"
        f" {row['high']:.{digits}f}]{floor}"
    )


def _subset_cell(row: dict) -> str:
    paper = "" if pd.isna(row["paper"]) else f"{row['paper']:g} | "
    spread = "" if pd.isna(row["sd"]) else f" ± {row['sd']:.1f}"
    return (
        f"{paper}{row['accuracy']:.1f}{spread} [{row['low']:.1f}, {row['high']:.1f}]\nseeds:"
        f" {row['seeds']}"
    )


def _confusion_cell(row: pd.Series) -> str:
    return "no test images" if pd.isna(row["share"]) else f"{row['share']:.0f} % ({row['count']:,})"
