"""Every check of every column on every test set as one frame: what is printed, what follows, what
is assumed."""

import itertools
import math
from collections.abc import Iterable

import pandas as pd

from fer_utils.audit.checks import (
    FITS,
    MEANS,
    NOT_POSSIBLE,
    SEARCHED,
    attainable_counts,
    implied_overall,
    overall_attainable,
    smallest_size,
    whole_column_fits,
)
from fer_utils.audit.printed import Column, TestSet
from fer_utils.audit.rounding import READINGS, ROUNDINGS, possible_values

FIELDS = (
    "check",
    "dataset",
    "column",
    "row",
    "test_set",
    "mean",
    "rounding",
    "printed",
    "follows",
    "low",
    "high",
    "verdict",
    "certainty",
    "assumption",
    "explanation",
)
IMPLIED, WHOLE, OVERALL_SHARE = "implied overall", "whole column", "attainable overall"
CLASS_SHARE, CLASS_SIZE = "attainable class row", "class size"
ANY = "any test set"
ARITHMETIC, LIKELY, FACT = "arithmetic", "likely", "fact"
"""How sure a verdict is: it follows from printed numbers alone; it rests on experience; it is a
fact from a source."""


def audit_columns(
    columns: list[Column],
    test_sets: list[TestSet],
    *,
    batch_size: int = 16,
    roundings: Iterable[str] = tuple(ROUNDINGS),
) -> pd.DataFrame:
    """One row per check, with the columns ``FIELDS``.

    - ``implied overall``: the overall accuracy against what the class rows leave open (low, high in
    percent)
    - ``whole column``: whether whole numbers of right answers give class rows and overall together
    - ``attainable overall``, ``attainable class row``: whether a figure is a share k/n of its
    images (GRIM)
    - ``class size``: the smallest class at which all figures of a row of the table can be printed
    (low), and the
      smallest that is no smaller than the official one (high); for the overall row likewise the
      test set

    for every test set of the column's data set and every rounding in ``roundings``. ``row`` is a
    class or 'overall', ``verdict`` 'fits' or 'not possible', ``assumption`` what the verdict rests
    on.
    """
    rows, sets = [], _by_dataset(test_sets)
    for column in columns:
        own = sets[column.dataset]
        for rounding in roundings:
            if column.overall:
                rows += _implied_rows(column, own, rounding, batch_size)
                rows += _overall_rows(column, own, rounding, batch_size)
            rows += [
                _class_row(column, name, test_set, rounding)
                for test_set in own
                for name in column.classes
            ]
    for dataset, of_one_set in _by_dataset(columns).items():
        rows += _size_rows(of_one_set, sets[dataset][0], roundings)
    return frame_of(rows)


def _by_dataset(things: list) -> dict[str, list]:
    """Columns or test sets of each data set, in their order."""
    grouped: dict[str, list] = {}
    for thing in things:
        grouped.setdefault(thing.dataset, []).append(thing)
    return grouped


def frame_of(rows: list[dict]) -> pd.DataFrame:
    """Rows as a frame with the columns ``FIELDS``; what a row does not name is empty."""
    empty = {name: math.nan if name in ("low", "high") else "" for name in FIELDS}
    return pd.DataFrame(
        {name: [row.get(name, nothing) for row in rows] for name, nothing in empty.items()}
    )


def _implied_rows(
    column: Column, test_sets: list[TestSet], rounding: str, batch_size: int
) -> list[dict]:
    rows = []
    for test_set, mean in itertools.product(test_sets, MEANS):
        free = mean in ("macro", "any class mix")
        if free and test_set is not test_sets[0]:
            continue
        implied = implied_overall(
            column, test_set, mean=mean, rounding=rounding, batch_size=batch_size
        )
        how = f"{MEANS[mean]} (batches of {batch_size})" if mean == "per batch" else MEANS[mean]
        where = ANY if free else _named(test_set)
        rows.append(
            _row(
                IMPLIED,
                column,
                "overall",
                rounding,
                test_set=ANY if free else test_set.name,
                mean=mean,
                follows=str(implied),
                low=float(implied.low),
                high=float(implied.high),
                fits=implied.meets(possible_values(column.overall, rounding)),
                assumption=f"class rows and overall tell of the same answers on {where}; {how}",
            )
        )
    return rows


def _overall_rows(
    column: Column, test_sets: list[TestSet], rounding: str, batch_size: int
) -> list[dict]:
    rows = []
    for test_set in test_sets:
        where = f"of {_named(test_set)}"
        rows.append(
            _row(
                WHOLE,
                column,
                "overall",
                rounding,
                test_set=test_set.name,
                mean="micro",
                follows="right answers in each class that give all figures",
                fits=whole_column_fits(column, test_set, rounding=rounding),
                assumption=f"all figures are shares of whole images {where}, each counting once",
            )
        )
        for mean, size in (("micro", None), ("per batch", batch_size)):
            how = (
                "right answers out of all images"
                if size is None
                else f"a mean over batches of {batch_size}"
            )
            rows.append(
                _row(
                    OVERALL_SHARE,
                    column,
                    "overall",
                    rounding,
                    test_set=test_set.name,
                    mean=mean,
                    follows=(
                        _neighbours(column.overall, test_set.size, rounding) if size is None else ""
                    ),
                    fits=overall_attainable(
                        column.overall, test_set.size, rounding, batch_size=size
                    ),
                    assumption=f"the overall is {how} {where}",
                )
            )
    return rows


def _class_row(column: Column, name: str, test_set: TestSet, rounding: str) -> dict:
    printed, sizes = column.classes[name], test_set.sizes(name)
    found = next((size for size in sizes if attainable_counts(printed, size, rounding)), None)
    how_many = " or ".join(f"{size:,}" for size in sizes)
    return _row(
        CLASS_SHARE,
        column,
        name,
        rounding,
        test_set=test_set.name,
        printed=printed.text,
        follows=_neighbours(printed, found or sizes[0], rounding),
        fits=found is not None,
        assumption=f"right answers out of the {how_many} images of this class in {test_set.name}",
    )


def _size_rows(columns: list[Column], official: TestSet, roundings: Iterable[str]) -> list[dict]:
    """For each class of one data set, over all its columns, the smallest class that allows the
    whole row."""
    rows = []
    sizes = official.variants[0] | (
        {"overall": official.size} if all(column.overall for column in columns) else {}
    )
    for name, size in sizes.items():
        figures = [column.classes.get(name, column.overall) for column in columns]
        found = _smallest_sizes(figures, size, roundings)
        rows += [
            _size_row(columns[0], name, official, figures, rounding, *found[rounding])
            for rounding in roundings
        ]
    return rows


def _smallest_sizes(
    figures: list, size: int, roundings: Iterable[str]
) -> dict[str, tuple[int | None, int | None]]:
    """Rounding -> the smallest size that allows the figures, and the smallest from ``size`` on.

    What 'mixed' does not allow, no other rounding does: so its answer is where the search for
    theirs begins.
    """
    bounds = [smallest_size(figures, "mixed")] * 2
    searched_beyond = bounds[0] or SEARCHED
    if size > searched_beyond:
        bounds[1] = smallest_size(figures, "mixed", at_least=size)
    return {
        rounding: tuple(
            bound and smallest_size(figures, rounding, at_least=bound) for bound in bounds
        )
        for rounding in roundings
    }


def _size_row(
    column: Column,
    name: str,
    official: TestSet,
    figures: list,
    rounding: str,
    smallest: int | None,
    larger: int | None,
) -> dict:
    size = official.size if name == "overall" else official.variants[0][name]
    least, next_one = (
        f"{found:,}" if found else f"more than {start + SEARCHED - 1:,}"
        for found, start in ((smallest, 1), (larger, size))
    )
    return _row(
        CLASS_SIZE,
        column,
        name,
        rounding,
        test_set=official.name,
        column_name="all columns",
        printed=", ".join(figure.text for figure in figures),
        low=smallest or math.nan,
        high=larger or math.nan,
        follows=f"{least} images at least, {next_one} if no fewer than {size:,}",
        fits=larger == size,
        assumption=(
            f"every figure of the row comes from the same {size:,} images of {official.name}"
        ),
    )


def _row(
    check: str,
    column: Column,
    row: str,
    rounding: str,
    *,
    fits: bool,
    assumption: str,
    printed: str = "",
    column_name: str = "",
    **others,
) -> dict:
    return {
        "check": check,
        "dataset": column.dataset,
        "column": column_name or column.name,
        "row": row,
        "rounding": rounding,
        "printed": printed or column.overall.text,
        "verdict": FITS if fits else NOT_POSSIBLE,
        "certainty": ARITHMETIC,
        "assumption": f"{assumption}; {READINGS[rounding]}",
        **others,
    }


def _neighbours(printed, size: int, rounding: str) -> str:
    """The shares that are printed so, or the two beside them: '66/74 = 89.19 and 67/74 = 90.54'."""
    found = attainable_counts(printed, size, rounding)
    if found:
        first = f"{found[0]:,}/{size:,}"
        return first if len(found) == 1 else f"{first} to {found[-1]:,}/{size:,}"
    below = int(printed.value * size // 100)
    return " and ".join(
        f"{right:,}/{size:,} = {100 * right / size:.2f}"
        for right in (below, below + 1)
        if right <= size
    )


def _named(test_set: TestSet) -> str:
    return f"{test_set.name} ({test_set.size:,} images)"
