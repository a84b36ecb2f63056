"""The paper's numbers beside ours. Every number comes from reference/ or from the CSV files of the
run."""

from dataclasses import dataclass

import pandas as pd

from fer_utils.balancing.controls import set_title
from fer_utils.core.reference import read_reference
from fer_utils.core.stored import read_table, reading_back
from fer_utils.datasets import DATASETS, dataset_info
from fer_utils.evaluation import OVERALL, PAPER, TABLE_4_ROWS
from fer_utils.pages.report.exhibits import Exhibit

NOTHING = "–"
NO_BREAK = "\u00a0"


@dataclass(frozen=True)
class Comparison:
    """An exhibit beside the paper's in three short texts, and cell by cell in ``frame`` where there
    are numbers."""

    paper: str
    ours: str
    difference: str
    frame: pd.DataFrame | None = None


def compare(exhibit: Exhibit, profile) -> Comparison:
    """What a reader sees first of an exhibit."""
    if not exhibit.file.is_file():
        return Comparison(exhibit.paper, "not there: its step has not run", NOTHING)
    if exhibit.name in _BY_NUMBERS:
        with reading_back(exhibit.file):
            return _BY_NUMBERS[exhibit.name](pd.read_csv(exhibit.file), profile)
    if not exhibit.is_table:
        return Comparison(
            exhibit.paper,
            "the picture",
            "no number in it: compare by eye" if exhibit.paper else NOTHING,
        )
    rows, columns = read_table(exhibit.file).shape
    return Comparison(exhibit.paper, f"{rows:,} rows, {columns} columns", NOTHING)


def overall_accuracies(profile) -> pd.DataFrame:
    """The overall accuracies of Tables III and IV, a row each, as texts.

    Columns exhibit (the table's file name), Table, Data set, Row (level or method), Paper (%), Ours
    (%) [interval], Test images, Seeds, Difference (points). Empty if the run has neither table.
    """
    found = [
        _overall_of(name, profile)
        for name in ("table_3_class_accuracy", "table_4_comparison")
        if (profile.paths.tables / f"{name}.csv").is_file()
    ]
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame()


def with_interval(value: float, low: float, high: float) -> str:
    """'38.0 [34.5, 41.6]' in one piece; a dash for what was not measured."""
    return (
        NOTHING if pd.isna(value) else f"{value:.1f} [{low:.1f}, {high:.1f}]".replace(" ", NO_BREAK)
    )


def _overall_of(name: str, profile) -> pd.DataFrame:
    third, path = name.startswith("table_3"), profile.paths.tables / f"{name}.csv"
    with reading_back(path):
        table = pd.read_csv(path)
        rows = _class_rows(table[table["emotion"] == OVERALL]) if third else _method_rows(table)
    texts = _as_texts(rows, "Row")
    texts.insert(0, "Table", "III" if third else "IV")
    texts.insert(0, "exhibit", name)
    return texts


def _class_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of Table III: dataset (title), row (level), emotion, paper, ours, low, high, n,
    seeds."""
    return pd.DataFrame(
        {
            "dataset": [dataset_info(name).title for name in table["dataset"]],
            "row": [set_title(level) for level in table["level"]],
            "emotion": table["emotion"],
            "paper": table["paper"],
            "ours": table["accuracy"],
            "low": table["low"],
            "high": table["high"],
            "n": table["n"],
            "seeds": table["seeds"],
        }
    ).reset_index(drop=True)


def _method_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Our rows of Table IV in the same form, each beside the paper's row of the same method."""
    printed, ours = (
        table[table["source"] == PAPER].set_index("method"),
        table[table["source"] != PAPER],
    )
    rows = [
        {
            "dataset": name,
            "row": method,
            "paper": printed.loc[method, name],
            "ours": row[name],
            **{key: row[f"{name}_{key}"] for key in ("low", "high", "n", "seeds")},
        }
        for row in ours.to_dict("records")
        for method in TABLE_4_ROWS
        if row["method"].startswith(method)
        for name in ("FER2013", "RAF-DB")
        if pd.notna(row[name])
    ]
    return pd.DataFrame(
        rows, columns=["dataset", "row", "paper", "ours", "low", "high", "n", "seeds"]
    )


def _as_texts(rows: pd.DataFrame, head: str) -> pd.DataFrame:
    emotion = (
        {"Emotion": rows["emotion"]}
        if "emotion" in rows and set(rows["emotion"]) != {OVERALL}
        else {}
    )
    return pd.DataFrame(
        {
            "Data set": rows["dataset"],
            head: rows["row"],
            **emotion,
            "Paper (%)": rows["paper"].map(_number("{:.2f}")),
            "Ours (%) [interval]": [
                with_interval(*row) for row in rows[["ours", "low", "high"]].itertuples(index=False)
            ],
            "Test images": rows["n"].map(_number("{:,.0f}")),
            "Seeds": rows["seeds"].map(_number("{:.0f}")),
            "Difference (points)": (rows["ours"] - rows["paper"]).map(_number("{:+.1f}")),
        }
    )


def _prompts(table: pd.DataFrame, profile) -> Comparison:
    printed = read_reference("table_1")
    composed, ours = table[table["source"] == PAPER], table[table["source"] != PAPER]
    same = printed["prompt"].isin(composed["prompt"]).sum()
    return Comparison(
        f"{len(printed)} prompts",
        f"{len(ours)} prompts of this run",
        f"{same} of the {len(printed)} printed ones composed word for word",
    )


def _counts(table: pd.DataFrame, profile) -> Comparison:
    """Table II: the totals of each set and level, and how many cells are equal."""
    names = {info.title: info.paper_name for info in map(dataset_info, DATASETS)}
    ours = table.assign(paper_name=table["dataset"].map(names))
    printed = read_reference("table_2").rename(columns={"dataset": "paper_name", "count": "paper"})
    both = ours.merge(printed, on=["paper_name", "level", "emotion"])
    totals = both.groupby(["dataset", "level"], sort=False)[["paper", "count"]].sum().reset_index()
    frame = pd.DataFrame(
        {
            "Data set": totals["dataset"],
            "Level": totals["level"].map(set_title),
            "Paper (faces)": totals["paper"].map("{:,}".format),
            "Ours (faces)": totals["count"].map("{:,}".format),
            "Difference (faces)": (totals["count"] - totals["paper"]).map("{:+,}".format),
        }
    )
    return Comparison(
        f"{_range(totals['paper'], '{:,}')} training faces a set",
        f"{_range(totals['count'], '{:,}')} training faces a set",
        f"{(both['count'] == both['paper']).sum()} of {len(both)} cells equal",
        frame,
    )


def _class_accuracies(table: pd.DataFrame, profile) -> Comparison:
    overall = _class_rows(table[table["emotion"] == OVERALL])
    return _of_accuracies(overall, _as_texts(_class_rows(table), "Level"))


def _methods(table: pd.DataFrame, profile) -> Comparison:
    rows = _method_rows(table)
    return _of_accuracies(rows, _as_texts(rows, "Method"))


def _of_accuracies(rows: pd.DataFrame, frame: pd.DataFrame) -> Comparison:
    known = rows.dropna(subset=["paper", "ours"])
    return Comparison(
        f"{_range(known['paper'], '{:.2f}')} % overall",
        f"{_range(known['ours'], '{:.1f}')} % overall",
        f"{_range(known['ours'] - known['paper'], '{:+.1f}')} points",
        frame,
    )


def _range(values: pd.Series, form: str) -> str:
    if values.empty:
        return NOTHING
    ends = [form.format(value) for value in (values.min(), values.max())]
    return " to ".join(dict.fromkeys(ends))


def _number(form: str):
    return lambda value: NOTHING if pd.isna(value) else form.format(value)


_BY_NUMBERS = {
    "table_1_prompts": _prompts,
    "table_2_distribution": _counts,
    "table_2_paper_scale": _counts,
    "table_3_class_accuracy": _class_accuracies,
    "table_4_comparison": _methods,
}
