"""What is audited: the columns of a printed table, and the test sets they may have been measured
on."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from fer_utils.audit.rounding import READINGS, Interval, Printed, possible_values, read_printed
from fer_utils.core.reference import read_as_printed, read_reference

OVERALL, ONE_ROW_LOST = "overall", ", one row lost"


@dataclass(frozen=True)
class Column:
    """One column of a table of class accuracies: class -> printed percentage, and the overall one
    if there is one."""

    dataset: str
    name: str
    classes: dict[str, Printed]
    overall: Printed | None

    @cached_property
    def possible(self) -> dict[str, list[Interval]]:
        """Rounding -> what each class row may stand for; every mean on every test set asks for it
        again."""
        return {
            rounding: [possible_values(printed, rounding) for printed in self.classes.values()]
            for rounding in READINGS
        }


class OneRowLost(Sequence):
    """Class counts of a test set less one image: an entry for each class that may have lost it,
    made when it is asked for, since of 1,000 classes they are a million numbers."""

    def __init__(self, counts: dict[str, int]):
        self.counts = counts
        self.losers = [name for name, count in counts.items() if count > 1]

    def __len__(self) -> int:
        return len(self.losers)

    def __getitem__(self, place: int) -> dict[str, int]:
        loser = self.losers[place]
        return self.counts | {loser: self.counts[loser] - 1}


@dataclass(frozen=True)
class TestSet:
    """Class -> number of test images. ``variants`` has several entries where it is not known which
    class lost a row."""

    __test__ = False  # pytest takes a class of this name for a test case

    dataset: str
    name: str
    variants: tuple[dict[str, int]] | OneRowLost

    def sizes(self, name: str) -> list[int]:
        """The numbers of images that a class may have, the largest first."""
        if len(self.variants) == 1:
            return [self.variants[0][name]]
        size = self.variants.counts[name]  # another class may have lost the row
        return [size, size - 1] if size > 1 else [size]

    @cached_property
    def size(self) -> int:
        """Images in the set; equal in all variants."""
        return sum(self.variants[0].values())


def with_one_row_lost(test_sets: list[TestSet]) -> list[TestSet]:
    """The sets, then each less one image of an unknown class, as when the first row is taken for a
    header."""
    shorter = []
    for test_set in test_sets:
        variants = OneRowLost(test_set.variants[0])
        shorter += (
            [TestSet(test_set.dataset, f"{test_set.name}{ONE_ROW_LOST}", variants)]
            if variants
            else []
        )
    return [*test_sets, *shorter]


def table_3_columns() -> list[Column]:
    """The ten columns of Table III."""
    table = read_as_printed("table_3").rename(columns={"emotion": "class", "level": "column"})
    columns = []
    for (dataset, name), rows in table.groupby(["dataset", "column"], sort=False):
        printed = {row["class"]: read_printed(row["accuracy"]) for row in rows.to_dict("records")}
        columns.append(
            Column(
                dataset,
                name,
                {key: value for key, value in printed.items() if key != OVERALL},
                printed.get(OVERALL),
            )
        )
    return columns


def paper_test_sets() -> list[TestSet]:
    """Every test set Table III may have been measured on; of each data set the official one comes
    first."""
    table = read_reference("test_sets")
    whole = [
        TestSet(dataset, name, (dict(zip(rows["emotion"], rows["count"].tolist(), strict=True)),))
        for (dataset, name), rows in table.groupby(["dataset", "test_set"], sort=False)
    ]
    return with_one_row_lost(whole)


def table_4_others(dataset: str) -> pd.DataFrame:
    """Other authors' methods in Table IV, the best one first: the columns of ``table_4`` in
    ``reference/``."""
    table = read_reference("table_4")
    others = table[(table["dataset"] == dataset) & ~table["method"].str.startswith("ResEmoteNet")]
    return others.sort_values("accuracy", ascending=False)


def quoted(*kinds: str) -> list[tuple[str, str]]:
    """(quotation, place in the paper) of the claims of these kinds, each quotation once."""
    claims = read_reference("claims")
    chosen = claims[claims["kind"].isin(kinds)].drop_duplicates("quote")
    return list(zip(chosen["quote"], chosen["place"].str.partition(", ")[2], strict=True))
