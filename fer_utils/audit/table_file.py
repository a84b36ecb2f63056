"""A table of another paper: a CSV file, read so strictly that each slip in it is named with its line."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from fer_utils.audit.checks import attainable_counts
from fer_utils.audit.printed import OVERALL, Column, TestSet, class_counts, columns_of, with_one_row_lost
from fer_utils.audit.rounding import Printed, in_quotes, read_printed
from fer_utils.errors import CompanionError, nearest
from fer_utils.file_kinds import kind_of

REQUIRED, OPTIONAL = ("class", "count", "accuracy"), ("dataset", "column", "place")
SHARES = ("share", "fraction")
"""What the column 'accuracy' is called where it holds fractions of 1."""

OVERALLS = (OVERALL, "accuracy", "overall accuracy", "total", "micro avg", "micro average", "weighted avg",
            "weighted average")
"""Rows that tell of all images, as classification reports call them: of several the first here is taken. (The average
of the recalls, weighted by their images, is the accuracy.)"""
MEANS_OF_CLASSES = ("macro avg", "macro average", "average", "avg", "mean", "samples avg")

LARGEST_FILE, LARGEST_TABLE, LARGEST_COUNT = 20_000_000, 20_000, 1_000_000_000
"""Bytes, rows and images of a class, beyond which a table is refused: no paper prints it, and no check would end."""

_SAVE = "Save it as CSV, UTF-8 text with commas between cells and a decimal point in numbers."


def read_table(path: Path) -> tuple[list[Column], list[TestSet]]:
    """``read_noted_table`` without the notes."""
    return read_noted_table(path)[:2]


def read_noted_table(path: Path) -> tuple[list[Column], list[TestSet], list[str]]:
    """Columns, test sets and notes on how rows were read, from a CSV file with one row per printed cell.

    Columns of the file: class ('overall' for the whole test set), count (test images of the class), accuracy (in
    percent, exactly as printed; or, called share or fraction, as a fraction of 1); optional dataset, column (if the
    table has several) and place. Rows of a classification report that are no classes are taken for what they are.
    Raises CompanionError naming the line that can't be used.
    """
    path = Path(path)
    table, notes = _sorted_out(_checked(*_header_and_rows(path), path), path)
    test_sets = [_test_set(rows, dataset, path) for dataset, rows in table.groupby("dataset", sort=False)]
    return columns_of(table), with_one_row_lost(test_sets), notes


def _header_and_rows(path: Path) -> tuple[int, list[str], pd.DataFrame]:
    """The header's line, its cells, and the rows as texts under them in lower case, indexed by their lines."""
    lines = _lines(path)
    at, header = next(lines, (1, None))
    if header is None:
        raise CompanionError(f"{path}, line 1: an empty file can't be read as a CSV file; expected the columns "
                             f"{', '.join(REQUIRED)}, and one row per printed cell.")
    _check_header(header, f"{path}, line {at}")
    found, rows = [], []
    for line, cells in lines:
        if len(cells) > len(header):
            raise CompanionError(f"{path}, line {line}: {len(cells)} cells under a header of {len(header)}; "
                                 f"{in_quotes(cells[len(header)])} is too many. A decimal comma or a separator of "
                                 "thousands makes two cells of a number: write 74.3 and 1185. A name with a comma stands "
                                 "in double quotes.")
        if len(rows) == LARGEST_TABLE:
            raise CompanionError(f"{path}, line {line}: more than {LARGEST_TABLE:,} rows. Audit the table in parts, all "
                                 "columns of a data set in one of them.")
        found.append(line)
        rows.append(cells + [""] * (len(header) - len(cells)))
    if not rows:
        raise CompanionError(f"{path}, line {at}: the file has a header but no rows; expected one row per printed cell.")
    return at, header, pd.DataFrame(rows, index=found, columns=[name.lower() for name in header], dtype=object)


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """(line, cells) of every row that is not empty, without empty cells at its end and spaces around each."""
    rows = csv.reader(io.StringIO(_text(path), newline=None), strict=True)
    while True:
        line = rows.line_num + 1
        try:
            cells = [" ".join(cell.split()) for cell in next(rows)]
        except StopIteration:
            return
        except csv.Error as problem:     # a quote without its end, a cell of megabytes
            raise CompanionError(f"{path}, line {line} can't be read as a CSV file ({problem}). {_SAVE}") from None
        while cells and not cells[-1]:
            cells.pop()
        if cells:
            yield line, cells


def _text(path: Path) -> str:
    """What is in the file; CompanionError where that is no text."""
    if not path.is_file():
        what = f"{path} is a folder" if path.is_dir() else f"There is no file {path}"
        raise CompanionError(f"{what}. Expected a CSV file with the columns {', '.join(REQUIRED)}.")
    try:
        with open(path, "rb") as file:
            data = file.read(LARGEST_FILE + 1)
    except OSError as problem:
        raise CompanionError(f"{path} can't be read: {(problem.strerror or str(problem)).lower()}.") from problem
    if len(data) > LARGEST_FILE:
        raise CompanionError(f"{path} has more than {LARGEST_FILE / 1e6:.0f} MB; expected a table of at most "
                             f"{LARGEST_TABLE:,} rows.")
    if kind := kind_of(data):
        raise CompanionError(f"{path}, line 1: it is {kind.name} by its first bytes (as spreadsheets are, too), not a "
                             f"CSV file. {_SAVE}")
    try:
        text, control = data.decode("utf-8-sig"), None
    except UnicodeDecodeError as problem:
        text, control = data[:problem.start].decode("utf-8-sig"), f"the byte 0x{data[problem.start]:02x}"
    else:
        place = next((at for at, mark in enumerate(text) if mark < " " and mark not in "\t\r\n" or mark == "\x7f"), None)
        if place is not None:
            text, control = text[:place], f"the control character {text[place]!r}"
    if control:
        raise CompanionError(f"{path}, line {text.count(chr(10)) + 1}: {control} is not UTF-8 text of a table. {_SAVE}")
    return text


def _check_header(header: list[str], where: str) -> None:
    names, known = [name.lower() for name in header], REQUIRED + SHARES + OPTIONAL
    for place, name in enumerate(names):
        if not name:
            raise CompanionError(f"{where}: column {place + 1} has no name. Leave it out, or name it: "
                                 f"{', '.join(REQUIRED + OPTIONAL)}.")
        if name in names[:place]:
            raise CompanionError(f"{where}: the columns '{header[names.index(name)]}' and '{header[place]}' have one "
                                 "name. Leave one of them out.")
    values = [name for name in names if name in (*SHARES, "accuracy")]
    if len(values) > 1:
        raise CompanionError(f"{where}: the columns {' and '.join(values)} are the same figures. Leave one of them out.")
    for name in REQUIRED:
        if name not in names and not (name == "accuracy" and values):
            raise CompanionError(f"{where}: there is no column '{name}'; found {in_quotes(', '.join(header))[1:-1]}. Expected "
                                 f"{', '.join(REQUIRED)}, and if wanted {', '.join(OPTIONAL)}, with commas between "
                                 "cells. (Of a classification report 'recall' is the column share, 'support' count.)")
    for name in names:
        if name not in known:
            raise CompanionError(f"{where}: unknown column {in_quotes(name)}: {nearest(name[:60], known)}")


def _checked(at: int, header: list[str], table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """The table with every optional column, each cell usable, accuracies as ``Printed``."""
    values = next(name for name in table.columns if name in (*SHARES, "accuracy"))
    table = pd.DataFrame({"dataset": path.stem, "column": "printed"}, index=table.index, dtype=object).assign(**table)
    printed = [_read_row(row, values, f"{path}, line {line}")
               for line, row in zip(table.index, table.to_dict("records"), strict=True)]
    table = table.assign(accuracy=pd.Series(printed, index=table.index, dtype=object),
                         percent=[values == "accuracy" and "%" in text for text in table[values]])
    repeated = table.duplicated(["dataset", "column", "class"])
    if repeated.any():
        line = repeated.idxmax()
        raise CompanionError(f"{path}, line {line}: {in_quotes(table['class'][line])} appears twice in the column "
                             f"{in_quotes(table['column'][line])}. Give each printed column its own name in 'column'.")
    return table


def _read_row(row: dict, values: str, where: str) -> Printed:
    if not row["class"]:
        raise CompanionError(f"{where}: the cell 'class' is empty; expected a class name or '{OVERALL}'.")
    count = row["count"]
    counted = count.isascii() and count.isdecimal() and len(count) < 20 and 0 < int(count) <= LARGEST_COUNT
    if not counted and not (_is_summary(row["class"]) and count == ""):
        raise CompanionError(f"{where}: count {in_quotes(count)} of {in_quotes(row['class'])}; expected how many test images "
                             f"the class has, a whole number of 1 to {LARGEST_COUNT:,} without separators.")
    try:
        return read_printed(row[values], as_share=values in SHARES)
    except CompanionError as problem:
        raise CompanionError(f"{where}: {values} {problem}") from None


def _is_summary(name: str) -> bool:
    return _plain(name) in OVERALLS + MEANS_OF_CLASSES


def _plain(name: str) -> str:
    return name.lower().replace("_", " ").replace("-", " ")


def _sorted_out(table: pd.DataFrame, path: Path) -> tuple[pd.DataFrame, list[str]]:
    """The table with its classes and at most one row 'overall' in each column, and what was done to the others."""
    notes, kept = [], []
    for (dataset, column), rows in table.groupby(["dataset", "column"], sort=False):
        plain = rows["class"].map(_plain)
        classes = rows[~plain.isin(OVERALLS + MEANS_OF_CLASSES)]
        found = {plain[line]: line for line in rows.index[plain.isin(OVERALLS)]}
        taken = [found[name] for name in OVERALLS if name in found][:1]
        of_all = rows.loc[taken].assign(**{"class": OVERALL})
        _check_counts(rows[plain.isin(OVERALLS)], classes, path)
        _refuse_fractions(classes, of_all, path)
        kept += [classes, of_all]
        notes += [_note(line, rows["class"][line], plain[line], line in taken)
                  for line in rows.index[plain.isin(OVERALLS + MEANS_OF_CLASSES)] if plain[line] != OVERALL]
        notes += _note_on_a_sum(classes)
    return pd.concat(kept), notes


def _note(line: int, name: str, plain: str, taken: bool) -> str:
    if taken:
        return f"line {line}: {in_quotes(name)} is read as the overall accuracy, not as a class."
    why = "it is a mean over classes" if plain in MEANS_OF_CLASSES else "another row gives the overall accuracy"
    return f"line {line}: {in_quotes(name)} is not read as a class and left out, since {why}."


def _note_on_a_sum(classes: pd.DataFrame) -> list[str]:
    counts = classes["count"].astype(int)
    whole = counts.index[2 * counts == counts.sum()]
    if len(counts) < 3 or len(whole) != 1:
        return []
    name = in_quotes(classes["class"][whole[0]])
    return [f"line {whole[0]}: {name} has as many images as all other classes together. It is read as a class; if it "
            f"stands for all of them, call it '{OVERALL}'."]


def _check_counts(of_all: pd.DataFrame, classes: pd.DataFrame, path: Path) -> None:
    total = classes["count"].astype(int).sum()
    for line, row in of_all.iterrows():
        if len(classes) and row["count"] not in ("", str(total)) and int(row["count"]) != total:
            raise CompanionError(f"{path}, line {line}: the count of {in_quotes(row['class'])} in {in_quotes(row['column'])} of "
                                 f"{in_quotes(row['dataset'])} is {row['count']}, but the classes sum to {total}. Correct "
                                 "it or leave the cell empty.")


def _refuse_fractions(classes: pd.DataFrame, of_all: pd.DataFrame, path: Path) -> None:
    """Percentages below 1 are possible; that three classes have nothing else, or that the class counts rule them out,
    means that they are fractions. So does an overall below 1 over classes that are all above it."""
    rows = pd.concat([classes, of_all])
    figures = [figure.value for figure in rows["accuracy"]]
    if rows["percent"].any() or not any(figures) or any(figure.text.endswith(" %)") for figure in rows["accuracy"]):
        return
    if max(figures) <= 1:
        counts = classes["count"].astype(int)
        plainly = sum(figure.value > 0 for figure in classes["accuracy"]) > 2 or any(
            not attainable_counts(figure, count, "mixed") for figure, count in zip(classes["accuracy"], counts))
    else:
        rows = of_all
        plainly = len(of_all) and 0 < of_all["accuracy"].iloc[0].value <= 1 and all(
            figure.value > 1 for figure in classes["accuracy"])
    if plainly:
        where = f"line {rows.index.min()}" if len(rows) == 1 else f"lines {rows.index.min()} to {rows.index.max()}"
        largest = max(rows["accuracy"], key=lambda figure: figure.value).text
        raise CompanionError(f"{path}, {where}: accuracies of at most 1: percent is expected, but the largest is {largest}. "
                             "Multiply them by 100; or call the column 'share' instead of 'accuracy', and fractions are "
                             "audited; or write a % sign after figures that are percent.")


def _test_set(rows: pd.DataFrame, dataset: str, path: Path) -> TestSet:
    """The class counts, which must be the same in all columns of a data set."""
    counts = {name: class_counts(part, "class") for name, part in rows.groupby("column", sort=False)}
    first, *others = counts
    if not counts[first]:
        raise CompanionError(f"{path}, line {rows.index[0]}: {in_quotes(dataset)} has an overall row only; the audit needs "
                             "the rows of the classes.")
    for name in others:
        if counts[name] != counts[first]:
            line = rows.index[rows["column"] == name][0]
            raise CompanionError(f"{path}, line {line}: the columns {in_quotes(first)} and {in_quotes(name)} of "
                                 f"{in_quotes(dataset)} have different classes or counts. Give columns measured on "
                                 "different images different names in 'dataset'.")
    return TestSet(dataset, "the given counts", (counts[first],))
