"""Is this the official data? What ``python -m fer_utils check-data`` finds out about the data
folder."""

from dataclasses import dataclass

import pandas as pd

from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.errors import CompanionError
from fer_utils.core.paths import data_folder
from fer_utils.core.profiles import Profile
from fer_utils.datasets import find_dataset, load_splits
from fer_utils.datasets.checks import official_counts
from fer_utils.datasets.fer2013 import fer2013_trees
from fer_utils.datasets.fer2013_csv import CSV_NAMES, find_files
from fer_utils.datasets.fer2013_matching import compare_tree_with_csv, comparison_notes
from fer_utils.datasets.integrity import disagreements, integrity_table
from fer_utils.datasets.rafdb import rafdb_counts
from fer_utils.datasets.sources import NotKept
from fer_utils.datasets.splits import Found, dataset_info
from fer_utils.datasets.tree import look_into

REAL_SETS = ("fer2013", "rafdb")


@dataclass(frozen=True)
class Inspection:
    """One real data set of the data folder.

    found:     which copy was read; None if there is none or it can't be read.
    counts:    faces of each emotion and split, with the official number beside.
    integrity: ``integrity.integrity_table``.
    copies:    sentences on a further copy that is not used.
    reasons:   why it is not the official data; empty if it is.
    """

    title: str
    found: Found | None
    counts: pd.DataFrame
    integrity: pd.DataFrame
    copies: tuple[str, ...]
    reasons: tuple[str, ...]

    @property
    def official(self) -> bool:
        """Whether everything that can be checked is as published."""
        return not self.reasons

    def as_dict(self) -> dict:
        """The same as plain values, for JSON."""
        return {
            "dataset": self.title,
            "official": self.official,
            "reasons": list(self.reasons),
            "found": None if self.found is None else vars(self.found),
            "counts": self.counts.to_dict("records"),
            "copies": list(self.copies),
            "integrity": (
                self.integrity.astype(object).where(self.integrity.notna(), None).to_dict("records")
            ),
        }


def inspect_dataset(name: str, profile: Profile) -> Inspection:
    """Read 'fer2013' or 'rafdb' from ``data_folder()``, whole, and compare it with what is
    published.

    What keeps it from being read is a reason like any other, so that the next data set is looked at
    too.
    """
    title = dataset_info(name).title
    try:
        found, splits = find_dataset(name), load_splits(name, profile)
    except NotKept:
        raise
    except CompanionError as problem:
        return Inspection(
            title, None, _counts_of_label_list(name), pd.DataFrame(), (), (str(problem),)
        )
    counts = _beside_official({split: faces.counts() for split, faces in splits.items()}, title)
    integrity = integrity_table(name, splits, profile)
    reasons = [
        f"{row['check']} ({row['split']}{', ' + row['of'] if row['of'] else ''}): found"
        f" {row['found']:,}, the official files have {row['expected']:,}"
        for row in disagreements(integrity).to_dict("records")
    ]
    if not found.official:
        reasons.insert(
            0,
            f"{found.place} is not proven to be a published copy with its official split "
            f"({' '.join(found.notes) or found.layout})",
        )
    return Inspection(title, found, counts, integrity, _further_copies(name), tuple(reasons))


def inspection_lines(inspection: Inspection) -> list[str]:
    """What a person reads: which copy, how many faces, what repeats, and the verdict with its
    reasons."""
    lines = inspection.found.lines() if inspection.found else [f"{inspection.title}:"]
    if len(inspection.counts):
        lines += ["", inspection.counts.to_string(index=False)]
    if len(inspection.integrity):
        shown = inspection.integrity.drop(columns="dataset").astype(object).fillna("")
        lines += ["", shown.to_string(index=False)]
    lines += ["", *inspection.copies] if inspection.copies else []
    verdict = (
        "This is the official data." if inspection.official else "This is not the official data:"
    )
    return [*lines, "", verdict, *(f"- {reason}" for reason in inspection.reasons)]


def _counts_of_label_list(name: str) -> pd.DataFrame:
    """RAF-DB's label list can be checked where its images are missing."""
    try:
        return (
            _beside_official(rafdb_counts(data_folder()), "RAF-DB")
            if name == "rafdb"
            else pd.DataFrame()
        )
    except CompanionError:
        return pd.DataFrame()


def _further_copies(name: str) -> tuple[str, ...]:
    """Where each image of a folder tree beside the CSV officially belongs, matched by its
    pixels."""
    contents = look_into(data_folder())
    if name != "fer2013" or not (fer2013_trees(contents) and find_files(contents, CSV_NAMES)):
        return ()
    return tuple(comparison_notes(compare_tree_with_csv(data_folder())))


def _beside_official(counts: dict[str, dict[str, int]], title: str) -> pd.DataFrame:
    """Columns split, emotion, found, official. RAF-DB's validation faces are official training
    faces."""
    if title == "RAF-DB":
        train = pd.Series(counts["train"]).add(
            pd.Series(counts.get("validation", {}), dtype=int), fill_value=0
        )
        counts = {"train": train.astype(int).to_dict(), "test": counts["test"]}
    return pd.DataFrame(
        [
            {
                "split": split,
                "emotion": emotion,
                "found": found[emotion],
                "official": official[emotion],
            }
            for split, found in counts.items()
            for official in [official_counts(title, split)]
            for emotion in EMOTIONS
        ]
    )
