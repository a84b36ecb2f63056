"""A table of another paper: a CSV file, read so strictly that each slip in it is named with its
line."""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fer_utils.audit.checks import attainable_counts
from fer_utils.audit.printed import OVERALL, Column, TestSet, with_one_row_lost
from fer_utils.audit.rounding import Printed, in_quotes, read_printed
from fer_utils.core.errors import CompanionError, nearest
from fer_utils.core.file_kinds import kind_of

REQUIRED, OPTIONAL = ("class", "count", "accuracy"), ("dataset", "column", "place")
SHARES = ("share", "fraction")
"""What the column 'accuracy' is called where it holds fractions of 1."""

OVERALLS = (
    OVERALL,
    "accuracy",
    "overall accuracy",
    "total",
    "micro avg",
    "micro average",
    "weighted avg",
    "weighted average",
)
"""Rows that tell of all images, as classification reports call them: of several the first here is
taken. (The average of the recalls, weighted by their images, is the accuracy.)"""
MEANS_OF_CLASSES = ("macro avg", "macro average", "average", "avg", "mean", "samples avg")

LARGEST_FILE, LARGEST_TABLE, LARGEST_COUNT = 20_000_000, 20_000, 1_000_000_000
"""Bytes, rows and images of a class, beyond which a table is refused: no paper prints it, and no
check would end."""

_SAVE = "Save it as CSV, UTF-8 text with commas between cells and a decimal point in numbers."


@dataclass(frozen=True)
class Row:
    """One printed cell. ``count`` is None where it is left empty, ``percent`` says that a % sign
    was printed."""

    line: int
    dataset: str
    column: str
    name: str
    count: int | None
    printed: Printed
    percent: bool

    @property
    def plain(self) -> str:
        """The name as it is looked up among those of summary rows."""
        return self.name.lower().replace("_", " ").replace("-", " ")

    @property
    def is_class(self) -> bool:
        return self.plain not in OVERALLS + MEANS_OF_CLASSES


def read_table(path: Path) -> tuple[list[Column], list[TestSet]]:
    """``read_noted_table`` without the notes."""
    return read_noted_table(path)[:2]


def read_noted_table(path: Path) -> tuple[list[Column], list[TestSet], list[str]]:
    """Columns, test sets and notes on how rows were read, from a CSV file with one row per printed
    cell.

    Columns of the file: class ('overall' for the whole test set), count (test images of the class),
    accuracy (in percent, exactly as printed; or, called share or fraction, as a fraction of 1);
    optional dataset, column (if the table has several) and place. Rows of a classification report
    that are no classes are taken for what they are. Raises CompanionError naming the line that
    can't be used.
    """
    path = Path(path)
    grouped: dict[tuple[str, str], dict[str, Row]] = {}
    for row in _rows(path):
        column = grouped.setdefault((row.dataset, row.column), {})
        name = OVERALL if row.name.lower() == OVERALL else row.name
        if name in column:
            raise CompanionError(
                f"{path}, line {row.line}: {in_quotes(row.name)} appears twice in the column "
                f"{in_quotes(row.column)}. Give each printed column its own name in 'column'."
            )
        column[name] = row
    columns, counts, notes = [], {}, []
    for (dataset, name), rows in grouped.items():
        classes, overall = _sorted_out(list(rows.values()), path, notes)
        _check_same_counts(classes, dataset, name, counts, path)
        columns.append(
            Column(
                dataset,
                name,
                {row.name: row.printed for row in classes},
                overall.printed if overall else None,
            )
        )
    test_sets = [
        TestSet(dataset, "the given counts", (of_classes,))
        for dataset, (_, of_classes) in counts.items()
    ]
    return columns, with_one_row_lost(test_sets), notes


def _rows(path: Path) -> Iterator[Row]:
    """The rows of the file, each with usable cells."""
    lines = _lines(path)
    at, header = next(lines, (1, None))
    if header is None:
        raise CompanionError(
            f"{path}, line 1: an empty file can't be read as a CSV file; expected the columns "
            f"{', '.join(REQUIRED)}, and one row per printed cell."
        )
    _check_header(header, f"{path}, line {at}")
    names, read = [name.lower() for name in header], 0
    for line, cells in lines:
        if len(cells) > len(header):
            raise CompanionError(
                f"{path}, line {line}: {len(cells)} cells under a header of {len(header)}; "
                f"{in_quotes(cells[len(header)])} is too many. A decimal comma or a separator of "
                "thousands makes two cells of a number: write 74.3 and 1185. A name with a comma "
                "stands in double quotes."
            )
        read += 1
        if read > LARGEST_TABLE:
            raise CompanionError(
                f"{path}, line {line}: more than {LARGEST_TABLE:,} rows. Audit the table in parts, "
                "all columns of a data set in one of them."
            )
        cells += [""] * (len(header) - len(cells))
        yield _row(
            {"dataset": path.stem, "column": "printed"} | dict(zip(names, cells)),
            line,
            f"{path}, line {line}",
        )
    if not read:
        raise CompanionError(
            f"{path}, line {at}: the file has a header but no rows; expected one row per printed "
            "cell."
        )


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """(line, cells) of every row that is not empty, without empty cells at its end and spaces
    around each."""
    rows = csv.reader(io.StringIO(_text(path), newline=None), strict=True)
    while True:
        line = rows.line_num + 1
        try:
            cells = [" ".join(cell.split()) for cell in next(rows)]
        except StopIteration:
            return
        except csv.Error as problem:  # a quote without its end, a cell of megabytes
            raise CompanionError(
                f"{path}, line {line} can't be read as a CSV file ({problem}). {_SAVE}"
            ) from None
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
        raise CompanionError(
            f"{path} can't be read: {(problem.strerror or str(problem)).lower()}."
        ) from problem
    if len(data) > LARGEST_FILE:
        raise CompanionError(
            f"{path} has more than {LARGEST_FILE / 1e6:.0f} MB; expected a table of at most "
            f"{LARGEST_TABLE:,} rows."
        )
    if kind := kind_of(data):
        raise CompanionError(
            f"{path}, line 1: it is {kind.name} by its first bytes (as spreadsheets are, too), not"
            f" a CSV file. {_SAVE}"
        )
    try:
        text, control = data.decode("utf-8-sig"), None
    except UnicodeDecodeError as problem:
        text, control = (
            data[: problem.start].decode("utf-8-sig"),
            f"the byte 0x{data[problem.start]:02x}",
        )
    else:
        found = re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", text)
        if found:
            text, control = text[: found.start()], f"the control character {found[0]!r}"
    if control:
        raise CompanionError(
            f"{path}, line {text.count(chr(10)) + 1}: {control} is not UTF-8 text of a table."
            f" {_SAVE}"
        )
    return text


def _check_header(header: list[str], where: str) -> None:
    names, known = [name.lower() for name in header], REQUIRED + SHARES + OPTIONAL
    for place, name in enumerate(names):
        if not name:
            raise CompanionError(
                f"{where}: column {place + 1} has no name. Leave it out, or name it: "
                f"{', '.join(REQUIRED + OPTIONAL)}."
            )
        if name in names[:place]:
            raise CompanionError(
                f"{where}: the columns '{header[names.index(name)]}' and '{header[place]}' have one"
                " name. Leave one of them out."
            )
    values = [name for name in names if name in (*SHARES, "accuracy")]
    if len(values) > 1:
        raise CompanionError(
            f"{where}: the columns {' and '.join(values)} are the same figures. Leave one of "
            "them out."
        )
    for name in REQUIRED:
        if name not in names and not (name == "accuracy" and values):
            raise CompanionError(
                f"{where}: there is no column '{name}'; found {in_quotes(', '.join(header))[1:-1]}."
                f" Expected {', '.join(REQUIRED)}, and if wanted {', '.join(OPTIONAL)}, with commas"
                " between cells. (Of a classification report 'recall' is the column share,"
                " 'support' count.)"
            )
    for name in names:
        if name not in known:
            raise CompanionError(
                f"{where}: unknown column {in_quotes(name)}: {nearest(name[:60], known)}"
            )


def _row(cells: dict[str, str], line: int, where: str) -> Row:
    name, count = cells["class"], cells["count"]
    if not name:
        raise CompanionError(
            f"{where}: the cell 'class' is empty; expected a class name or '{OVERALL}'."
        )
    values = next(heading for heading in (*SHARES, "accuracy") if heading in cells)
    try:
        printed = read_printed(cells[values], as_share=values in SHARES)
    except CompanionError as problem:
        raise CompanionError(f"{where}: {values} {problem}") from None
    # int() takes other digits than 0-9 too, and refuses thousands of them
    number = int(count) if count.isascii() and count.isdecimal() and len(count) < 20 else None
    row = Row(
        line,
        cells["dataset"],
        cells["column"],
        name,
        number,
        printed,
        "%" in cells[values] or values in SHARES,
    )
    if not (count == "" and not row.is_class) and not (number and number <= LARGEST_COUNT):
        raise CompanionError(
            f"{where}: count {in_quotes(count)} of {in_quotes(name)}; expected how many test "
            f"images the class has, a whole number of 1 to {LARGEST_COUNT:,} without separators."
        )
    return row


def _sorted_out(rows: list[Row], path: Path, notes: list[str]) -> tuple[list[Row], Row | None]:
    """The classes of one column and its overall row; what was done to other rows is added to
    ``notes``."""
    classes = [row for row in rows if row.is_class]
    of_all = sorted(
        (row for row in rows if row.plain in OVERALLS), key=lambda row: OVERALLS.index(row.plain)
    )
    total, overall = sum(row.count for row in classes), of_all[0] if of_all else None
    if not classes:
        raise CompanionError(
            f"{path}, line {rows[0].line}: {in_quotes(rows[0].dataset)} has an overall row only;"
            " the audit needs the rows of the classes."
        )
    for row in of_all:
        if row.count not in (None, total):
            raise CompanionError(
                f"{path}, line {row.line}: the count of {in_quotes(row.name)} in"
                f" {in_quotes(row.column)} of {in_quotes(row.dataset)} is {row.count}, but the"
                f" classes sum to {total}. Correct it or leave the cell empty."
            )
    _refuse_fractions(classes, overall, path)
    notes += [
        _note(row, taken=row is overall)
        for row in rows
        if not row.is_class and row.plain != OVERALL
    ]
    notes += [
        f"line {row.line}: {in_quotes(row.name)} has as many images as all other classes together."
        f" It is read as a class; if it stands for all of them, call it '{OVERALL}'."
        for row in classes
        if 2 * row.count == total and len(classes) > 2
    ]
    return classes, overall


def _note(row: Row, *, taken: bool) -> str:
    if taken:
        return (
            f"line {row.line}: {in_quotes(row.name)} is read as the overall accuracy, not as a"
            " class."
        )
    why = (
        "it is a mean over classes"
        if row.plain in MEANS_OF_CLASSES
        else "another row gives the overall accuracy"
    )
    return (
        f"line {row.line}: {in_quotes(row.name)} is not read as a class and left out, since {why}."
    )


def _refuse_fractions(classes: list[Row], overall: Row | None, path: Path) -> None:
    """Percentages below 1 are possible; that three classes have nothing else, or that the class
    counts rule them out, means that they are fractions. So does an overall below 1 over classes
    that are all above it."""
    rows = [*classes, *([overall] if overall else [])]
    if any(row.percent for row in rows) or not any(row.printed.value for row in rows):
        return
    if all(row.printed.value <= 1 for row in rows):
        plainly = sum(row.printed.value > 0 for row in classes) > 2 or not all(
            attainable_counts(row.printed, row.count, "mixed") for row in classes
        )
    else:
        plainly = (
            overall
            and 0 < overall.printed.value <= 1
            and all(row.printed.value > 1 for row in classes)
        )
        rows = [overall]
    if plainly:
        where = (
            f"line {rows[0].line}" if len(rows) == 1 else f"lines {rows[0].line} to {rows[-1].line}"
        )
        largest = max(rows, key=lambda row: row.printed.value).printed.text
        raise CompanionError(
            f"{path}, {where}: accuracies of at most 1: percent is expected, but the largest is"
            f" {largest}. Multiply them by 100; or call the column 'share' instead of 'accuracy',"
            " and fractions are audited; or write a % sign after figures that are percent."
        )


def _check_same_counts(
    classes: list[Row], dataset: str, column: str, known: dict, path: Path
) -> None:
    """The class counts must be the same in all columns of a data set; those of the first are added
    to ``known``."""
    counts = {row.name: row.count for row in classes}
    first, expected = known.setdefault(dataset, (column, counts))
    if counts != expected:
        line = next(
            (row.line for row in classes if expected.get(row.name) != row.count), classes[0].line
        )
        raise CompanionError(
            f"{path}, line {line}: the columns {in_quotes(first)} and {in_quotes(column)} of "
            f"{in_quotes(dataset)} have different classes or counts. Give columns measured on "
            "different images different names in 'dataset'."
        )
