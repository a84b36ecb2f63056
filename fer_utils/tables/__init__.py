"""All tables: one function for each, ``save`` to write it and ``show`` to look at it in a notebook.

A table exists twice: the exact, long frame, written as CSV, is the truth; a second frame of short
texts is made from it for readers, in Markdown and LaTeX. The functions here make the second from
the first; they take data and read no file. Names follow the paper (``table_1_prompts``, ...).
"""

import textwrap
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from IPython.display import Markdown

from fer_utils.balancing import level_targets
from fer_utils.core.intervals import wilson_interval
from fer_utils.core.paths import atomic_write
from fer_utils.core.profiles import Profile
from fer_utils.datasets import dataset_info
from fer_utils.evaluation import (
    BETTER,
    OPEN,
    SIGNIFICANT,
    TOO_FEW,
    VERDICTS,
    WORSE,
    decisive_p,
    verdict,
)
from fer_utils.tables.controls import control_sets, controls_caption, table_a2_controls
from fer_utils.tables.evaluation import (
    HOW_JUDGED,
    comparison_caption,
    in_brief,
    marked,
    p_value,
    table_a6_comparison,
    table_a6_confusion,
    table_a6_subsets,
    table_a6_summary,
)
from fer_utils.tables.priors import ORACLE_CAPTION, PRIORS_CAPTION, table_a6_priors, table_a7_oracle
from fer_utils.tables.quality import table_a4_attributes, table_a4_filter, table_a4_quality
from fer_utils.tables.recipes import table_a5_recipes
from fer_utils.tables.text import escape_markdown, latex_table, markdown_table

FORMATS = ("csv", "md", "tex")


def save(
    frame: pd.DataFrame,
    name: str,
    profile: Profile,
    *,
    caption: str,
    shown: pd.DataFrame | None = None,
    stamp: str | None = None,
) -> list[Path]:
    """Write ``name``.csv, .md and .tex to the profile's tables; the paths, in that order.

    ``frame`` goes into the CSV with ten significant digits. ``shown`` (``frame`` itself if not
    given) is what readers see in the other two, under the caption and the profile's stamp (or
    ``stamp``, where the profile's faces are not what it is about). Equal content gives equal bytes.
    """
    stamp = profile.stamp if stamp is None else stamp
    shown = frame if shown is None else shown
    texts = {
        "csv": frame.to_csv(index=False, lineterminator="\n", float_format="%.10g"),
        "md": f"{_markdown_caption(caption, stamp)}\n\n{markdown_table(shown)}\n",
        "tex": latex_table(shown, caption=_stamped(caption, stamp), label=name),
    }
    paths = [profile.paths.tables / f"{name}.{kind}" for kind in FORMATS]
    for path, kind in zip(paths, FORMATS):
        with atomic_write(path, "w", encoding="utf-8", newline="") as file:
            file.write(texts[kind])
    return paths


def show(shown: pd.DataFrame, profile: Profile, *, caption: str = "") -> Markdown:
    """The table for a notebook, as the Markdown that ``save`` writes."""
    return Markdown(f"{_markdown_caption(caption, profile.stamp)}\n\n{markdown_table(shown)}")


def table_1_prompts(printed: pd.DataFrame, ours: pd.DataFrame) -> pd.DataFrame:
    """Table I: the paper's prompts, then some of ours; columns source, prompt, keywords.

    Args:
        printed: columns prompt, keywords, as ``prompts.sample_prompts`` composes them.
        ours: rows of the prompt table (prompt, keywords, ...).
    """
    rows = pd.concat(
        [printed.assign(source="paper"), ours.assign(source="ours")], ignore_index=True
    )
    return rows[["source", "prompt", "keywords"]]


def table_2_counts(
    counts_by_set: Mapping[str, Mapping[str, int]], profile: Profile
) -> pd.DataFrame:
    """Table II in exact form, laid out as ``reference/table_2.csv``.

    Columns dataset (title), level, emotion, count, real, synthetic; from the training counts of
    each data set.
    """
    rows = [
        {
            "dataset": dataset_info(name).title,
            "level": level,
            "emotion": emotion,
            "count": count,
            "real": counts[emotion],
            "synthetic": count - counts[emotion],
        }
        for name, counts in counts_by_set.items()
        for level in profile.balancing.levels
        for emotion, count in level_targets(counts, level, profile).items()
    ]
    return pd.DataFrame(rows)


def table_2_distribution(table: pd.DataFrame) -> pd.DataFrame:
    """Table II for readers, from ``balancing.distribution_table``: thousands separated, a row of
    totals."""
    totals = table.sum().to_frame("total").T
    shown = pd.concat([table, totals]).map(lambda count: f"{count:,}")
    shown.insert(0, ("Classes", ""), [name.capitalize() for name in shown.index])
    return shown


def table_3_class_accuracy(
    table: pd.DataFrame, *, titles: Mapping[str, str], level_titles: Mapping[str, str]
) -> pd.DataFrame:
    """Table III for readers: a row per emotion and data set, a column per level, as in the paper.

    Every cell reads 'paper | ours [low, high]' and under it the number of test images and each
    seed's accuracy, all in percent.

    Args:
        table: ``evaluation.table_3``.
        titles: the data sets in order, and what to print for each.
        level_titles: the same for the levels.
    """
    seeds = [column for column in table.columns if column.startswith("accuracy_seed_")]
    cells = {
        (row["emotion"], row["dataset"], row["level"]): _accuracy_cell(row, seeds)
        for row in table.to_dict("records")
    }
    rows = [
        {
            "Classes": emotion.capitalize(),
            "Data set": title,
            **{
                head: cells.get((emotion, dataset, level), "")
                for level, head in level_titles.items()
            },
        }
        for emotion in dict.fromkeys(table["emotion"])
        for dataset, title in titles.items()
    ]
    return pd.DataFrame(rows)


def accuracy_changes(table: pd.DataFrame, *, first: str, last: str) -> pd.DataFrame:
    """What changed between two levels of ``evaluation.table_3``, in percent and points.

    Columns dataset, emotion (or 'overall'), n, before, after, change, apart (whether the two
    intervals do not overlap), paper_before, paper_after; one row per data set and emotion that both
    levels have.
    """
    chosen = [table[table["level"] == level].drop(columns="level") for level in (first, last)]
    both = chosen[0].merge(
        chosen[1], on=["dataset", "emotion", "n"], suffixes=("_before", "_after")
    )
    apart = (both["low_after"] > both["high_before"]) | (both["high_after"] < both["low_before"])
    return pd.DataFrame(
        {
            "dataset": both["dataset"],
            "emotion": both["emotion"],
            "n": both["n"],
            "before": both["accuracy_before"],
            "after": both["accuracy_after"],
            "change": both["accuracy_after"] - both["accuracy_before"],
            "apart": apart,
            "paper_before": both["paper_before"],
            "paper_after": both["paper_after"],
        }
    )


def table_4_comparison(table: pd.DataFrame) -> pd.DataFrame:
    """Table IV for readers, from ``evaluation.table_4``: method and accuracy in percent, ours with
    its interval."""
    rows = table.to_dict("records")
    return pd.DataFrame(
        {
            "Method": [row["method"] for row in rows],
            **{
                name: [_comparison_cell(row, name) for row in rows]
                for name in ("FER2013", "RAF-DB")
            },
        }
    )


def table_a0_differences(differences: pd.DataFrame) -> pd.DataFrame:
    """What differs from the paper for readers, from ``profiles.differences``: settings and values
    as text."""
    return differences.map(_setting)


def table_a1_data_integrity(table: pd.DataFrame) -> pd.DataFrame:
    """``integrity.integrity_table`` for readers: a row per check, a column per data set with 'found
    of n', and what the official file holds where that is known."""
    cells = {
        (row["check"], row["of"], row["split"], row["dataset"]): _integrity_cell(row)
        for row in table.to_dict("records")
    }
    checks = dict.fromkeys((check, of, split) for check, of, split, _ in cells)
    return pd.DataFrame(
        [
            {
                "Check": check.replace("a face in", f"a face in {of}"),
                "Split": split,
                **{
                    title: cells.get((check, of, split, title), "")
                    for title in table["dataset"].unique()
                },
            }
            for check, of, split in checks
        ]
    )


def _integrity_cell(row: dict) -> str:
    official = "" if pd.isna(row["expected"]) else f" (official file: {row['expected']:,})"
    return f"{row['found']:,} of {row['n']:,}{official}"


def table_a1_test_sizes(table: pd.DataFrame) -> pd.DataFrame:
    """``evaluation.printed_precision`` for readers: test images, what one is worth, and two printed
    columns."""

    def interval(row: dict, level: str) -> str:
        return f"{row[level]:g} [{row[f'{level}_low']:.1f}, {row[f'{level}_high']:.1f}]"

    rows = table.to_dict("records")
    return pd.DataFrame(
        {
            "Data set": table["dataset"],
            "Class": table["emotion"].str.capitalize(),
            "Test images": [f"{row['n']:,}" for row in rows],
            "One image (points)": [f"{row['one_image']:.2f}" for row in rows],
            "Paper, Original (%)": [interval(row, "original") for row in rows],
            "Paper, Aug. 4 (%)": [interval(row, "aug4") for row in rows],
        }
    )


def table_a1_generators(agreement: pd.DataFrame, *, titles: Mapping[str, str]) -> pd.DataFrame:
    """How often a judge reads from an image what its prompt asked for: a row per question, a column
    per generator.

    Args:
        agreement: ``generators.judge.agreement_table``, with the columns generator, attribute,
        value, n and
            agreement (0..1); readers see percent with the 95 % Wilson interval.
        titles: the generators in order, and what to print for each.
    """
    cells = {
        (row["attribute"], row["value"], row["generator"]): _agreement_cell(
            row["agreement"], row["n"]
        )
        for row in agreement.to_dict("records")
    }
    questions = dict.fromkeys((attribute, value) for attribute, value, _ in cells)
    return pd.DataFrame(
        [
            {
                "Asked for": attribute,
                "": value,
                **{
                    title: cells.get((attribute, value, name), "") for name, title in titles.items()
                },
            }
            for attribute, value in questions
        ]
    )


def table_a3_audit(summary: pd.DataFrame) -> pd.DataFrame:
    """The audit for readers: check, where, printed, what follows, verdict, assumption and what else
    would give it.

    Of ``audit.summarise`` the rows that say something: no class row or text figure that fits is
    listed.
    """
    quiet = summary["check"].isin(
        [
            "attainable class row",
            "class size",
            "attainable overall",
            "accuracy",
            "count",
            "Table IV",
        ]
    )
    rows = summary[~quiet | (summary["verdict"] != "fits")].to_dict("records")
    return pd.DataFrame(
        [
            {
                "Check": row["check"],
                "Where": " ".join(filter(None, (row["dataset"], row["column"], row["row"]))),
                "Printed": _wrapped(row["printed"]),
                "What follows": _wrapped(row["follows"]),
                "Verdict": row["verdict"],
                "Assumption": _wrapped(row["assumption"]),
                "Allowed or explained by": _wrapped(row["explanation"]),
            }
            for row in rows
        ]
    )


def _wrapped(text: str) -> str:
    return "\n".join(textwrap.wrap(text, 44))


def _accuracy_cell(row: dict, seeds: list[str]) -> str:
    paper = "–" if pd.isna(row["paper"]) else f"{row['paper']:g}"
    if not row["n"]:
        return f"{paper} | no test images"
    each = ", ".join(f"{row[seed]:.1f}" for seed in seeds if pd.notna(row[seed]))
    ours = f"{row['accuracy']:.1f} [{row['low']:.1f}, {row['high']:.1f}]"
    return f"{paper} | {ours}\nn = {row['n']:,}, seeds {each}"


def _comparison_cell(row: dict, name: str) -> str:
    accuracy, low = row[name], row.get(f"{name}_low")
    if pd.isna(accuracy):
        return ""
    if pd.isna(low):
        return f"{accuracy:.2f}"
    return (
        f"{accuracy:.2f} [{low:.2f}, {row[f'{name}_high']:.2f}]\n"
        f"n = {row[f'{name}_n']:,.0f}, seeds: {row[f'{name}_seeds']:.0f}"
    )


def _agreement_cell(agreement: float, n: int) -> str:
    if not n:
        return "never asked for"
    low, high = wilson_interval(agreement * n, n)
    return f"{100 * agreement:.1f} [{100 * low:.1f}, {100 * high:.1f}]\nn = {n:,}"


def _setting(value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value) or "none"


def _stamped(caption: str, stamp: str) -> str:
    return f"{caption} [{stamp}]" if stamp else caption


def _markdown_caption(caption: str, stamp: str) -> str:
    banner = f"**[{escape_markdown(stamp)}]**" if stamp else ""
    return " ".join(part for part in (escape_markdown(caption), banner) if part)
