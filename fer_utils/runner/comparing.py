"""What a run made against what is committed, cell by cell of every CSV table: did I get the same?

A measured value may come out otherwise on another processor; then it should lie in the interval
printed with the committed one. Everything else (counts, texts, the paper's numbers, readings) must
be equal.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from fer_utils.core.errors import CompanionError
from fer_utils.core.paths import atomic_write, committed_tables
from fer_utils.core.profiles import Profile, ancestors
from fer_utils.core.stored import read_table
from fer_utils.runner.provenance import read_provenance
from fer_utils.runner.stages import STAGES, units_of
from fer_utils.tables.text import markdown_table

IDENTICAL, WITHIN, OUTSIDE = "identical", "within", "outside"
NAME = "tables_compared"
ESTIMATES = ("accuracy", "value", "difference", "share", "agreement")
"""Columns that ``low`` and ``high`` of their table belong to; those of a column X are X_low and
X_high as well."""
_OF_THE_ESTIMATE = re.compile(r"low|high|sd|p|p_holm|b|c|count|floor")
_READING = re.compile(r"(.*_)?(reading|verdict)")
_TIMES = re.compile(r"(.*_)?(seconds|minutes|hours|ms)")


@dataclass
class TableCompared:
    """One table: how many cells are of each kind, and the text of each place outside, with both
    values."""

    table: str
    counts: Counter = field(default_factory=Counter)
    places: list[str] = field(default_factory=list)
    times: int = 0

    @property
    def cells(self) -> int:
        return self.counts.total()


def compare(profile: Profile) -> list[TableCompared]:
    """Every table of the profile's run, and each committed one that it should have made, in order
    of their names.

    Of a profile that extends another, what it has in common is committed there. What a notebook
    beside the stages makes on publishing is left out. Raises CompanionError where the run or the
    committed folder has no table.
    """
    beside, committed = _beside(profile), _committed(profile)
    run = {
        path.stem: path
        for path in sorted(profile.paths.tables.glob("*.csv"))
        if path.name not in beside
    }
    if not committed:
        raise CompanionError(
            f"No tables of {profile.run_name} are committed to compare with: "
            f"{committed_tables(profile.run_name)} holds none."
        )
    if not run:
        raise CompanionError(
            f"{profile.paths.tables} holds no table; run python -m fer_utils reproduce --profile "
            f"{profile.name} first."
        )
    return [
        compare_tables(name, _read(committed.get(name)), _read(run.get(name)))
        for name in sorted({*run, *committed})
    ]


def compare_tables(
    name: str, committed: pd.DataFrame | None, found: pd.DataFrame | None
) -> TableCompared:
    """Two tables of texts, row by row: matched by the columns that hold text, and by position where
    these repeat."""
    result = TableCompared(name)
    if committed is None or found is None:
        here, where = (
            (committed, "missing in the run") if found is None else (found, "not committed")
        )
        _outside(result, here.size, f"table {where}")
        return result
    shared = [column for column in committed if column in found and not _TIMES.fullmatch(column)]
    result.times = sum(bool(_TIMES.fullmatch(column)) for column in committed) * len(committed)
    for column in {*committed, *found} - {*shared}:
        if not _TIMES.fullmatch(column):
            here, where = (
                (committed, "missing in the run")
                if column in committed
                else (found, "not committed")
            )
            _outside(result, len(here), f"column {column} {where}")
    owners = _owners(shared)
    keys = [
        column
        for column in shared
        if column not in owners
        and not _READING.fullmatch(column)
        and not committed[column].map(_is_number).all()
    ]
    before, now = _by_key(committed, keys), _by_key(found, keys)
    for key in [*before, *(key for key in now if key not in before)]:
        if key in before and key in now:
            _compare_rows(result, _place(key), before[key], now[key], owners, shared)
        else:
            _outside(
                result,
                len(shared),
                f"row {_place(key)} {'missing in the run' if key in before else 'not committed'}",
            )
    return result


def summary_line(found: list[TableCompared]) -> str:
    """'1,234 cells: 1,100 identical, 130 within the committed intervals, 4 outside
    (table_a6_summary: ...)'."""
    total = sum((one.counts for one in found), Counter())
    places = [f"{one.table}: {place}" for one in found for place in one.places]
    named = f" ({'; '.join(places[:3])}{'; ...' if len(places) > 3 else ''})" if places else ""
    times = sum(one.times for one in found)
    return (
        f"{total.total():,} cells: {total[IDENTICAL]:,} identical, {total[WITHIN]:,} within the"
        f" committed intervals, {total[OUTSIDE]:,} outside{named}"
        + (f"; {times:,} times left out" if times else "")
    )


def write_comparison(profile: Profile, found: list[TableCompared]) -> Path:
    """``tables_compared.csv`` and .md in the run's folder, a row per table and every place outside;
    the path of the .md."""
    rows = pd.DataFrame(
        [
            {
                "table": one.table,
                "cells": one.cells,
                **{kind: one.counts[kind] for kind in (IDENTICAL, WITHIN, OUTSIDE)},
                "where": " | ".join(one.places),
            }
            for one in found
        ]
    )
    places = [f"- {one.table}: {place}" for one in found for place in one.places]
    text = "\n".join(
        [
            "# The run's tables beside the committed ones",
            "",
            summary_line(found),
            "",
            markdown_table(rows.drop(columns="where")),
            "",
            *(["## Outside", "", *places] if places else []),
            "",
        ]
    )
    path = profile.paths.run / f"{NAME}.md"
    for target, content in (
        (path.with_suffix(".csv"), rows.to_csv(index=False, lineterminator="\n")),
        (path, text),
    ):
        with atomic_write(target, "w", encoding="utf-8", newline="") as file:
            file.write(content)
    return path


def _committed(profile: Profile) -> dict[str, Path]:
    """Name -> file of every committed table that a run of the profile makes, its ancestors' where
    it has no own."""
    folder, beside = committed_tables(profile.run_name), _beside(profile)
    promised = {path.stem for unit in units_of(STAGES, profile) for path in unit.shown(profile)}
    found = {path.stem: path for path in folder.glob("*.csv") if path.name not in beside}
    for name in ancestors(profile.name) if found else []:
        found = {
            path.stem: path
            for path in committed_tables(name).glob("*.csv")
            if path.stem in promised
        } | found
    return found


def _beside(profile: Profile) -> set[str]:
    """Files of committed tables that a notebook made which is no stage."""
    files = read_provenance(committed_tables(profile.run_name)).get("files", {})
    stages = {stage.notebook for stage in STAGES}
    return {
        name
        for name, about in files.items()
        if about.get("notebook") and about["notebook"] not in stages
    }


def _read(path: Path | None) -> pd.DataFrame | None:
    return None if path is None else read_table(path, dtype=str, keep_default_na=False)


def _owners(columns: list[str]) -> dict[str, str]:
    """Column -> the estimate it is or belongs to: its interval, spread, p-values, counts and values
    of single seeds."""
    main = (
        next((name for name in ESTIMATES if name in columns), None)
        if {"low", "high"} <= {*columns}
        else None
    )
    estimates = [name for name in columns if {f"{name}_low", f"{name}_high"} <= {*columns}]
    owners = {name: name for name in (*estimates, main) if name}
    for column in columns:
        of = [name for name in (*estimates, main) if name and column.startswith(f"{name}_")]
        if column not in owners and not _READING.fullmatch(column):
            if of and not re.fullmatch(r".*_(n|seeds)", column):
                owners[column] = max(of, key=len)
            elif main and _OF_THE_ESTIMATE.fullmatch(column):
                owners[column] = main
    return owners


def _compare_rows(
    result: TableCompared, place: str, before: dict, now: dict, owners: dict[str, str], columns
) -> None:
    kinds = {name: _kind_of_estimate(name, before, now) for name in {*owners.values()}}
    for column in columns:
        if before[column] == now[column]:
            kind = IDENTICAL
        elif column in owners and kinds[owners[column]] != IDENTICAL:
            kind = kinds[owners[column]]
        else:
            kind = OUTSIDE
        result.counts[kind] += 1
        if kind == OUTSIDE:
            result.places.append(
                f"{place}, {column}: {before[column] or 'empty'} -> {now[column] or 'empty'}"
            )


def _kind_of_estimate(name: str, before: dict, now: dict) -> str:
    if before[name] == now[name]:
        return IDENTICAL
    low, high = (
        (before[f"{name}_{end}"] if f"{name}_{end}" in before else before[end])
        for end in ("low", "high")
    )
    numbers = [text for text in (low, now[name], high) if text and _is_number(text)]
    return (
        WITHIN if len(numbers) == 3 and float(low) <= float(now[name]) <= float(high) else OUTSIDE
    )


def _by_key(table: pd.DataFrame, keys: list[str]) -> dict[tuple, dict]:
    rows = {}
    for row, count in _counted(table, keys):
        rows[
            (*(row[name] for name in keys), *((f"no. {count + 1}",) if count or not keys else ()))
        ] = row
    return rows


def _counted(table: pd.DataFrame, keys: list[str]) -> Iterator[tuple[dict, int]]:
    """Each row, and how many before it have the same key."""
    seen: Counter = Counter()
    for row in table.to_dict("records"):
        key = tuple(row[name] for name in keys)
        yield row, seen[key]
        seen[key] += 1


def _place(key: tuple) -> str:
    return ", ".join(part if len(part) <= 40 else f"{part[:37]}..." for part in key if part)


def _is_number(text: str) -> bool:
    try:
        return not text or float(text) is not None
    except ValueError:
        return False


def _outside(result: TableCompared, cells: int, place: str) -> None:
    result.counts[OUTSIDE] += int(cells)
    result.places.append(place)
