"""Counts as the paper and the data sets' authors publish them, and whether ours agree."""

import pandas as pd

from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.errors import CompanionError
from fer_utils.core.reference import read_reference
from fer_utils.datasets.splits import Splits, dataset_info


def official_counts(paper_name: str, split: str) -> dict[str, int]:
    """Published class counts of a split of 'FER2013' or 'RAF-DB': Table II for train,
    ``test_counts`` otherwise.

    Raises CompanionError for RAF-DB's validation split, which does not exist officially.
    """
    table = read_reference("table_2" if split == "train" else "test_counts")
    chosen = table["level"] == "original" if split == "train" else table["split"] == split
    rows = table[chosen & (table["dataset"] == paper_name)].set_index("emotion")
    if rows.empty:
        raise CompanionError(
            f"{paper_name} has no official '{split}' split; it is cut from train (see rafdb.py)."
        )
    return {emotion: int(rows.loc[emotion, "count"]) for emotion in EMOTIONS}


def check_counts(found: dict[str, int], paper_name: str, split: str, *, where) -> None:
    """Raise CompanionError, naming each class that is off, unless the counts are the official
    ones."""
    official = official_counts(paper_name, split)
    if found == official:
        return
    wrong = [
        f"{emotion} {found[emotion]:,} instead of {official[emotion]:,}"
        for emotion in EMOTIONS
        if found[emotion] != official[emotion]
    ]
    raise CompanionError(
        f"{where}: the {split} split has {sum(found.values()):,} faces, {paper_name} has"
        f" {sum(official.values()):,} ({'; '.join(wrong)}). The file is truncated or an altered"
        " copy: download the original again."
    )


def count_table(name: str, splits: Splits) -> pd.DataFrame:
    """Faces in use beside the official number, as columns dataset, split, emotion, official, used.

    ``official`` is missing where no such split is published; ``used`` is smaller at a scale under
    1, and in RAF-DB's train because its validation split is cut from it.
    """
    info = dataset_info(name)
    rows = [
        (info.title, split, emotion, official.get(emotion), used)
        for split, faces in splits.items()
        for official in [_official_or_none(info.paper_name, split)]
        for emotion, used in faces.counts().items()
    ]
    table = pd.DataFrame(rows, columns=["dataset", "split", "emotion", "official", "used"])
    return table.astype({"official": "Int64"})


def _official_or_none(paper_name: str, split: str) -> dict[str, int]:
    try:
        return official_counts(paper_name, split)
    except CompanionError:
        return {}
