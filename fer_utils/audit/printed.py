"""What is audited: the columns of a printed table, and the test sets they may have been measured on."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from fer_utils.audit.rounding import Printed, read_printed
from fer_utils.errors import CompanionError, nearest
from fer_utils.reference import read_as_printed, read_reference

OVERALL, ONE_ROW_LOST = "overall", ", one row lost"
REQUIRED, OPTIONAL = ("class", "count", "accuracy"), ("dataset", "column", "place")


@dataclass(frozen=True)
class Column:
    """One column of a table of class accuracies: class -> printed percentage, and the overall one if there is one."""

    dataset: str
    name: str
    classes: dict[str, Printed]
    overall: Printed | None


@dataclass(frozen=True)
class TestSet:
    """Class -> number of test images. ``variants`` has several entries where it is not known which class lost a row."""

    __test__ = False  # pytest takes a class of this name for a test case

    dataset: str
    name: str
    variants: tuple[dict[str, int], ...]

    @property
    def size(self) -> int:
        """Images in the set; equal in all variants."""
        return sum(self.variants[0].values())


def with_one_row_lost(test_sets: list[TestSet]) -> list[TestSet]:
    """The sets, then each less one image of an unknown class, as when the first row is taken for a header."""
    shorter = []
    for test_set in test_sets:
        counts = test_set.variants[0]
        variants = tuple(counts | {name: count - 1} for name, count in counts.items() if count > 1)
        shorter += [TestSet(test_set.dataset, f"{test_set.name}{ONE_ROW_LOST}", variants)] if variants else []
    return [*test_sets, *shorter]


def table_3_columns() -> list[Column]:
    """The ten columns of Table III."""
    return _columns(read_as_printed("table_3").rename(columns={"emotion": "class", "level": "column"}))


def paper_test_sets() -> list[TestSet]:
    """Every test set Table III may have been measured on; of each data set the official one comes first."""
    table = read_reference("test_sets")
    whole = [TestSet(dataset, name, (_counts(rows, "emotion"),))
             for (dataset, name), rows in table.groupby(["dataset", "test_set"], sort=False)]
    return with_one_row_lost(whole)


def table_4_others(dataset: str) -> pd.DataFrame:
    """Other authors' methods in Table IV, the best one first: the columns of ``table_4`` in ``reference/``."""
    table = read_reference("table_4")
    others = table[(table["dataset"] == dataset) & ~table["method"].str.startswith("ResEmoteNet")]
    return others.sort_values("accuracy", ascending=False)


def quoted(*kinds: str) -> list[tuple[str, str]]:
    """(quotation, place in the paper) of the claims of these kinds, each quotation once."""
    claims = read_reference("claims")
    chosen = claims[claims["kind"].isin(kinds)].drop_duplicates("quote")
    return list(zip(chosen["quote"], chosen["place"].str.partition(", ")[2], strict=True))


def read_table(path: Path) -> tuple[list[Column], list[TestSet]]:
    """Columns and test sets from a CSV file of your own, one row per printed cell.

    Columns of the file: class ('overall' for the whole test set), count (test images of the class), accuracy (in
    percent, exactly as printed); optional dataset, column (if the table has several) and place. Raises
    CompanionError naming the line that can't be used.
    """
    path = Path(path)
    table = _checked(_read_csv(path), path)
    test_sets = [_test_set(rows, dataset, path) for dataset, rows in table.groupby("dataset", sort=False)]
    return _columns(table), with_one_row_lost(test_sets)


def _columns(table: pd.DataFrame) -> list[Column]:
    columns = []
    for (dataset, name), rows in table.groupby(["dataset", "column"], sort=False):
        printed = {row["class"]: read_printed(row["accuracy"]) for row in rows.to_dict("records")}
        columns.append(Column(dataset, name, {key: value for key, value in printed.items() if key != OVERALL},
                              printed.get(OVERALL)))
    return columns


def _counts(rows: pd.DataFrame, key: str) -> dict[str, int]:
    return {name: int(count) for name, count in zip(rows[key], rows["count"], strict=True) if name != OVERALL}


def _test_set(rows: pd.DataFrame, dataset: str, path: Path) -> TestSet:
    """The class counts, which must be the same in all columns of a data set."""
    counts = {name: _counts(part, "class") for name, part in rows.groupby("column", sort=False)}
    first, *others = counts
    for name in others:
        if counts[name] != counts[first]:
            raise CompanionError(f"{path}: the columns '{first}' and '{name}' of '{dataset}' have different classes or "
                                 "counts. Give columns measured on different images different names in 'dataset'.")
    if not counts[first]:
        raise CompanionError(f"{path}: '{dataset}' has an overall row only; the audit needs the rows of the classes.")
    return TestSet(dataset, "the given counts", (counts[first],))


def _read_csv(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise CompanionError(f"There is no file {path}. Expected a CSV file with the columns {', '.join(REQUIRED)}.")
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig", skip_blank_lines=False)
    except (ValueError, pd.errors.ParserError) as problem:
        raise CompanionError(f"{path} can't be read as a CSV file ({str(problem).strip()}). Save it as UTF-8 text with "
                             "commas between cells and a decimal point in numbers.") from problem
    table = table.rename(columns=lambda name: str(name).strip().lower()).map(lambda cell: str(cell).strip())
    return table[table.ne("").any(axis=1)]


def _checked(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """The table with every optional column, each cell usable."""
    for name in REQUIRED:
        if name not in table:
            found = f"found {', '.join(table.columns)}" if len(table.columns) else "found none"
            raise CompanionError(f"{path} has no column '{name}'; {found}. Expected {', '.join(REQUIRED)}, and if "
                                 f"wanted {', '.join(OPTIONAL)}, with commas between cells.")
    for name in table.columns:
        if name not in REQUIRED + OPTIONAL:
            raise CompanionError(f"{path}: unknown column '{name}': {nearest(name, REQUIRED + OPTIONAL)}")
    if table.empty:
        raise CompanionError(f"{path} has a header but no rows; expected one row per printed cell.")
    table = pd.DataFrame({"dataset": path.stem, "column": "printed"}, index=table.index).assign(**table)
    table["class"] = table["class"].where(table["class"].str.lower() != OVERALL, OVERALL)
    for number, row in zip(table.index, table.to_dict("records"), strict=True):
        _check_row(row, f"{path}, line {number + 2}")
    _check_repeats(table, path)
    _check_overall_counts(table, path)
    return table


def _check_row(row: dict, where: str) -> None:
    if not row["class"]:
        raise CompanionError(f"{where}: the cell 'class' is empty; expected a class name or '{OVERALL}'.")
    counted = row["count"].isdecimal() and int(row["count"]) > 0
    if not counted and not (row["class"] == OVERALL and row["count"] == ""):
        raise CompanionError(f"{where}: count '{row['count']}' of '{row['class']}'; expected how many test images the "
                             "class has, a whole number of at least 1 without separators.")
    try:
        read_printed(row["accuracy"])
    except CompanionError as problem:
        raise CompanionError(f"{where}: accuracy {problem}") from None


def _check_repeats(table: pd.DataFrame, path: Path) -> None:
    repeated = table.duplicated(["dataset", "column", "class"])
    if repeated.any():
        line = repeated.idxmax()
        raise CompanionError(f"{path}, line {line + 2}: '{table['class'][line]}' appears twice in the column "
                             f"'{table['column'][line]}'. Give each printed column its own name in 'column'.")


def _check_overall_counts(table: pd.DataFrame, path: Path) -> None:
    for (dataset, column), rows in table.groupby(["dataset", "column"], sort=False):
        given = rows.loc[(rows["class"] == OVERALL) & (rows["count"] != ""), "count"]
        total = sum(_counts(rows, "class").values())
        if len(given) and total and int(given.iloc[0]) != total:
            raise CompanionError(f"{path}: the count of '{OVERALL}' in '{column}' of '{dataset}' is {given.iloc[0]}, "
                                 f"but the classes sum to {total}. Correct it or leave the cell empty.")
