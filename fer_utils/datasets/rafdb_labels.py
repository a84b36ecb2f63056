"""RAF-DB's labels, from its authors' list, from Kaggle's two tables, or from the folders that
images lie in."""

import csv
import hashlib
import io
import re

import numpy as np
import pandas as pd

from fer_utils.core.emotions import EMOTIONS, RAFDB_ORDER, codes_to_labels, emotion_labels
from fer_utils.core.errors import CompanionError
from fer_utils.datasets.class_trees import RAFDB_NAME, ClassTree
from fer_utils.datasets.tree import Tree, join, names_column

LIST = "list_patition_label.txt"  # spelt so by its authors
OFFICIAL_LABELS = "9f3ff42a0ffcf536f2407fd91679caa0"
"""Digest of the official list (``labels_digest``)."""
_TABLES = ("train_labels.csv", "test_labels.csv")
_LABELS = dict(zip("1234567", codes_to_labels(RAFDB_ORDER)))
_LARGEST_LIST = 16 << 20
_COMPOUND = re.compile(r"\s*(?:train|test)_\d+\.jpg\s+([1-9]|10|11)\s*")


def find_lists(tree: Tree) -> tuple[list[str], list[str]]:
    """The names of the label lists in a tree, those nearest to its top first; and of those of the
    compound subset."""
    names = [
        join(folder, name)
        for folder, files in tree.folders.items()
        for name in files
        if name.lower() == LIST
    ]
    names.sort(key=lambda name: (name.count("/"), name))
    compound = [name for name in names if _is_compound(tree, name)]
    return [name for name in names if name not in compound], compound


def read_list(tree: Tree, name: str) -> pd.DataFrame:
    """One row per image of the label list: file ('train_00001.jpg'), split ('train' or 'test'),
    label (position in ``EMOTIONS``), in the order of splits and names.

    Raises CompanionError naming the line that is not like 'train_00001.jpg 5', with a code of 1 to
    7, or that names an image a second time.
    """
    where = tree.where(name)
    lines = _text(tree, name).splitlines()
    found = [re.fullmatch(r"\s*((train|test)_\d+)\.jpg\s+([1-7])\s*", line) for line in lines]
    for number, (line, match) in enumerate(zip(lines, found), start=1):
        if not match and line.strip():
            raise CompanionError(
                f"{where}: line {number:,} is {line[:80]!r}; expected a file name and a code of 1"
                " to 7, like 'train_00001.jpg 5'. Copy the file from the official archive again."
            )
    _refuse_twice([match and match[1] for match in found], where)
    return as_rows((match[1], match[2], _LABELS[match[3]]) for match in found if match)


def rows_of_folders(found: ClassTree) -> pd.DataFrame:
    """Rows as ``read_list`` gives them, and the name of each image in the tree, from class folders
    1-7 or emotions.

    Checked against train_labels.csv and test_labels.csv where they lie beside or above the split
    folders.
    """
    classes = {**_LABELS, **emotion_labels()}
    found.check(classes)
    rows, first = [], {}
    for split, alias, name in found.images():
        match = RAFDB_NAME.fullmatch(name.rsplit("/", 1)[-1])
        if not match or match[2].lower() != split:
            raise CompanionError(
                f"{found.tree.where(name)} is not named like RAF-DB's {split} images, "
                f"'{split}_00001_aligned.jpg', by which labels are checked. Remove it, or copy the "
                "folder from the original archive again."
            )
        if match[1].lower() in first:
            raise CompanionError(
                f"{found.tree.where(name)} is there twice, also as {first[match[1].lower()]}."
                " Remove the one in the wrong folder."
            )
        first[match[1].lower()] = name
        rows.append((match[1].lower(), split, classes[alias.lower()], name))
    frame = as_rows(rows)
    for table in _tables_beside(found):
        _check_table(frame, found.tree, table)
    return frame


def check_against(rows: pd.DataFrame, expected: pd.DataFrame, *, where: str, listed: str) -> None:
    """Raise CompanionError unless images and labels agree, naming the first image that does not."""
    have, want = (dict(zip(frame["file"], frame["label"])) for frame in (rows, expected))
    for file in sorted({*have, *want}, key=_order):
        if file not in have:
            raise CompanionError(
                f"{listed} lists {file}, but there is no such image in {where}. Copy the missing "
                "images from the original archive."
            )
        if file not in want:
            raise CompanionError(
                f"{where} has the image {file}, but {listed} has no label for it. Remove the image"
                " if it was added, or copy the labels from the original archive again."
            )
        if have[file] != want[file]:
            raise CompanionError(
                f"{file} lies in the folder of {EMOTIONS[have[file]]} in {where}, but {listed}"
                f" labels it {EMOTIONS[want[file]]}. Copy both from the original archive again."
            )


def as_rows(rows) -> pd.DataFrame:
    """(stem, split, label[, name]) as a table in the order of splits (train first) and names."""
    rows = sorted(rows, key=lambda row: _order(row[0]))
    columns = list(zip(*rows)) or [(), (), ()]
    frame = pd.DataFrame(
        {
            "file": [f"{stem}.jpg" for stem in columns[0]],
            "split": columns[1],
            "label": np.array(columns[2], np.int64),
        }
    )
    return frame.assign(name=names_column(columns[3])) if len(columns) > 3 else frame


def labels_digest(rows: pd.DataFrame) -> str:
    """Digest of every image's name and label."""
    lines = "\n".join(
        f"{file} {EMOTIONS[label]}" for file, label in zip(rows["file"], rows["label"])
    )
    return hashlib.sha256(lines.encode()).hexdigest()[:32]


def _is_compound(tree: Tree, name: str) -> bool:
    """Whether a list is that of RAF-DB's compound subset (11 classes), which its authors named like
    that of the basic one."""
    try:
        lines = [line for line in _text(tree, name).splitlines() if line.strip()]
    except CompanionError:
        return False  # whoever reads it says what is wrong with it
    found = [_COMPOUND.fullmatch(line) for line in lines]
    return all(found) and {"8", "9", "10", "11"} <= {match[1] for match in found}


def _order(file: str) -> tuple[bool, int, str]:
    return file.startswith("test"), int(re.search(r"\d+", file)[0]), file


def _tables_beside(found: ClassTree) -> list[str]:
    """Kaggle's label tables: its archive has them above DATASET/, some copies inside."""
    above = found.root.rsplit("/", 1)[0] if "/" in found.root else ""
    return [
        join(folder, name)
        for folder in dict.fromkeys([found.root, above])
        for name in found.tree.folders.get(folder, [])
        if name.lower() in _TABLES
    ]


def _check_table(rows: pd.DataFrame, tree: Tree, name: str) -> None:
    split = name.rsplit("/", 1)[-1].split("_")[0].lower()
    listed = _read_table(tree, name, split)
    check_against(
        rows[rows["split"] == split], listed, where=str(tree.path), listed=tree.where(name)
    )


def _read_table(tree: Tree, name: str, split: str) -> pd.DataFrame:
    where = tree.where(name)
    lines = list(csv.reader(io.StringIO(_text(tree, name), newline="")))
    if not lines or [column.strip().lower() for column in lines[0]] != ["image", "label"]:
        raise CompanionError(
            f"{where} begins with {','.join(lines[0])[:80] if lines else 'nothing'}; expected the "
            "columns image,label. Copy it from the original archive again."
        )
    found = []
    for number, line in enumerate(lines[1:], start=2):
        match = RAFDB_NAME.fullmatch(line[0].strip()) if len(line) == 2 else None
        if not match or match[2].lower() != split or line[1].strip() not in _LABELS:
            raise CompanionError(
                f"{where}: line {number:,} is {','.join(line)[:80]!r}; expected an image and a code"
                f" of 1 to 7, like '{split}_00001_aligned.jpg,5'. Copy the table again."
            )
        found.append((match[1].lower(), split, _LABELS[line[1].strip()]))
    _refuse_twice([None, *(row[0] for row in found)], where)
    return as_rows(found)


def _refuse_twice(stems: list, where: str) -> None:
    first = {}
    for number, stem in enumerate(stems, start=1):
        if stem and first.setdefault(stem, number) != number:
            raise CompanionError(
                f"{where}: line {number:,} names {stem}.jpg again, line {first[stem]:,} did before."
                " Remove the wrong line, or copy the file from the original archive again."
            )


def _text(tree: Tree, name: str) -> str:
    data = tree.read_one(name, limit=_LARGEST_LIST)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise CompanionError(
            f"{tree.where(name)} is not UTF-8 text ({problem}). Save it as UTF-8, or copy it from"
            " the original archive again."
        ) from problem
    if "\0" in text:
        raise CompanionError(
            f"{tree.where(name)} is not a text: it holds zero bytes. Copy it from the original "
            "archive again."
        )
    if not text.strip():
        raise CompanionError(
            f"{tree.where(name)} is empty. Copy it from the original archive again."
        )
    return text
