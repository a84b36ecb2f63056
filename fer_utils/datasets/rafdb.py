"""RAF-DB (basic, single label) in every form people have: the official folders, Kaggle's, or
folders by emotion.

Li, Deng and Du, CVPR 2017 (reference [20] of the paper): 12,271 training and 3,068 test faces,
aligned, 100x100 RGB. It has no validation split; a seeded, stratified share of train serves as one.
Every form gives the same faces in the same order, under the ids 'rafdb-train_00001'.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.errors import CompanionError
from fer_utils.core.faces import FaceSet
from fer_utils.datasets.checks import check_counts
from fer_utils.datasets.class_trees import RAFDB_NAME, ClassTree, class_trees_of, left_out
from fer_utils.datasets.decoding import decode_images, is_image
from fer_utils.datasets.forms import Form, decoded_arrays, read_form, split_faces
from fer_utils.datasets.loose_images import loose_images
from fer_utils.datasets.rafdb_labels import (
    LIST,
    OFFICIAL_LABELS,
    check_against,
    find_lists,
    labels_digest,
    read_list,
    rows_of_folders,
)
from fer_utils.datasets.sources import missing_data
from fer_utils.datasets.splits import Found, Splits, stratified_sample
from fer_utils.datasets.tree import Contents, Tree, is_below, join, look_into, names_column

TITLE = "RAF-DB"
COMPOUND = "RAF-DB's compound subset (11 classes)"
SIZE = 100
_WANTED = (
    f"RAF-DB's folders EmoLabel/ (with {LIST}) and Image/aligned/, for instance as rafdb/EmoLabel,"
    " or Kaggle's DATASET/, plain or in an archive,"
)


@dataclass(frozen=True)
class Copy:
    """One form with images. ``rows`` reads its labels: file, split, label and the image's name in
    ``tree``.

    They are read of the copy that is used only, so that a damaged further copy stops nobody.
    """

    layout: str
    tree: Tree
    root: str
    aligned: bool
    rows: Callable[[], pd.DataFrame]
    notes: Callable[[], list[str]]


def read_rafdb(folder: Path, *, validation_share: float, seed: int) -> Splits:
    """All faces, uint8 [N, 100, 100, 3]; validation is that share of each training class, drawn
    with ``seed``.

    Raises CompanionError when labels or an image are missing, unusable or in conflict (naming the
    line or the image), or when a class count differs from the official one.
    """
    if not 0 < validation_share < 1:
        raise CompanionError(
            f"data.rafdb_validation_share is {validation_share}; it must lie between 0 and 1, "
            "because RAF-DB has no validation split of its own."
        )
    train, test, found = read_official_splits(folder)
    held_out = np.zeros(len(train), bool)
    held_out[stratified_sample(train.labels, validation_share, seed=seed)] = True
    return Splits(train.select(~held_out), train.select(held_out), test, found)


def read_official_splits(folder: Path) -> tuple[FaceSet, FaceSet, Found]:
    """RAF-DB's own train and test faces, before any is held out for validation; and what was
    found."""
    contents = look_into(Path(folder))
    first, *others = _copies(contents)
    further = [(copy.layout, contents.place(copy.tree, copy.root)) for copy in others]
    compound = [
        (COMPOUND, contents.place(tree, _above(name))) for tree, name in _lists(contents)[1]
    ]
    rows = first.rows()
    form = _form(first, rows, contents)
    _check_counts(rows, form.where)
    arrays, found = read_form("rafdb", TITLE, form, contents=contents, others=[*further, *compound])
    return split_faces(arrays, "train"), split_faces(arrays, "test"), found


def find_rafdb(folder: Path) -> Found:
    """What ``read_rafdb`` reads; at once where it was read before."""
    return read_official_splits(folder)[2]


def has_rafdb(folder: Path) -> bool:
    """Whether there is anything that would be read as RAF-DB, usable or not; the label list alone
    counts."""
    contents = look_into(Path(folder))
    return bool(_lists(contents)[0] or class_trees_of(TITLE, contents))


def rafdb_counts(folder: Path) -> dict[str, dict[str, int]]:
    """Checked class counts of the official train and test split; the label list alone is enough,
    without images."""
    contents = look_into(Path(folder))
    lists, _ = _lists(contents)
    if lists:
        rows, where = read_list(*lists[0]), lists[0][0].where(lists[0][1])
    else:
        copy = _copies(contents)[0]
        rows, where = copy.rows(), copy.tree.where(copy.root)
    _check_counts(rows, where)
    return {split: _counts(rows, split) for split in ("train", "test")}


def _lists(contents: Contents) -> tuple[list[tuple[Tree, str]], list[tuple[Tree, str]]]:
    """The label list of each tree, and every list of the compound subset."""
    found = [(tree, *find_lists(tree)) for tree in contents.trees]
    return (
        [(tree, basic[0]) for tree, basic, _ in found if basic],
        [(tree, name) for tree, _, compound in found for name in compound],
    )


def _copies(contents: Contents) -> list[Copy]:
    """Every form with images, the official folders first and unaligned pictures last."""
    lists, compound = _lists(contents)
    others = [(tree, _above(name)) for tree, name in compound if _above(name)]
    official = [
        _official(*found, contents, kind, others)
        for found in lists
        for kind in ("aligned", "original")
    ]
    copies = [copy for copy in official if copy] + [
        _folders(found, lists) for found in class_trees_of(TITLE, contents)
    ]
    if not copies and lists:
        raise _without_images(*lists[0])
    if not copies:
        there = [
            f"{tree.where(name)} is the label list of {COMPOUND}; this project reads the basic one."
            for tree, name in compound
        ]
        raise missing_data(
            TITLE,
            contents.folder,
            wanted=_WANTED,
            problems=contents.problems,
            there=[*there, *loose_images(contents, TITLE)],
        )
    return sorted(copies, key=lambda copy: not copy.aligned)


def _official(
    tree: Tree, name: str, contents: Contents, kind: str, others: list[tuple[Tree, str]]
) -> Copy | None:
    """The images that the label list names, in Image/<kind>/ beside it or in a folder <kind>
    elsewhere, but not in those of ``others``; or None."""
    images, folder = _image_folder(tree, name, contents, kind, others)
    if images is None:
        return None
    layout = f"the official folders with {kind} images" + (
        ", in an archive" if images.packed else ""
    )
    return Copy(
        layout,
        images,
        folder,
        kind == "aligned",
        lambda: _listed_rows(tree, name, images, folder, kind),
        lambda: [
            *([] if kind == "aligned" else [_UNALIGNED]),
            *left_out(images.junk_below(folder)),
        ],
    )


_UNALIGNED = (
    "Image/original was read, so the faces are not aligned: whole pictures were shrunk to"
    f" {SIZE}x{SIZE} pixels (antialiased). Use Image/aligned where you can."
)


def _listed_rows(tree: Tree, name: str, images: Tree, folder: str, kind: str) -> pd.DataFrame:
    images.refuse_problems(folder)
    rows = read_list(tree, name)
    ending = "_aligned.jpg" if kind == "aligned" else ".jpg"
    expected = [file.removesuffix(".jpg") + ending for file in rows["file"]]
    there = {file.lower(): file for file in images.folders[folder]}
    _refuse_differences(images, folder, expected, there, tree.where(name))
    return rows.assign(name=names_column(join(folder, there[file]) for file in expected))


def _image_folder(
    tree: Tree, name: str, contents: Contents, kind: str, others: list[tuple[Tree, str]]
) -> tuple[Tree | None, str]:
    beside = join(_above(name), f"Image/{kind}").lower()
    for candidate in [tree, *contents.trees]:
        for folder in sorted(candidate.folders, key=lambda folder: folder.lower() != beside):
            elsewhere = any(other is candidate and is_below(folder, top) for other, top in others)
            named = folder.rsplit("/", 1)[-1].lower() == kind
            if (
                named
                and not elsewhere
                and any(map(RAFDB_NAME.fullmatch, candidate.folders[folder]))
            ):
                return candidate, folder
    return None, ""


def _above(name: str) -> str:
    """The folder that EmoLabel/ with a label list lies in."""
    return name.rsplit("/", 2)[0] if name.count("/") > 1 else ""


def _refuse_differences(
    images: Tree, folder: str, expected: list[str], there: dict[str, str], listed: str
) -> None:
    absent = [name for name in expected if name not in there]
    if absent:
        raise CompanionError(
            f"RAF-DB: {len(absent):,} of {len(expected):,} images are missing, the first is "
            f"{images.where(join(folder, absent[0]))}, which {listed} lists. Copy them from the "
            "official archive."
        )
    extra = sorted(set(filter(is_image, there)) - set(expected))
    if extra:
        raise CompanionError(
            f"{images.where(join(folder, there[extra[0]]))} is an image without a label: {listed} "
            f"does not list it ({len(extra):,} such images). Remove what was added."
        )


def _folders(found: ClassTree, lists: list[tuple[Tree, str]]) -> Copy:
    layout = "folders of images by split and class" + (
        ", in an archive" if found.tree.packed else ""
    )
    return Copy(
        layout, found.tree, found.root, True, lambda: _folder_rows(found, lists), found.notes
    )


def _folder_rows(found: ClassTree, lists: list[tuple[Tree, str]]) -> pd.DataFrame:
    """The images' labels by their folders, which must agree with a label list where there is
    one."""
    rows = rows_of_folders(found)
    for tree, name in lists:
        check_against(
            rows, read_list(tree, name), where=found.tree.where(found.root), listed=tree.where(name)
        )
    return rows


def _form(copy: Copy, rows: pd.DataFrame, contents: Contents) -> Form:
    names = rows["name"].tolist()
    return Form(
        copy.layout,
        contents.place(copy.tree, copy.root),
        copy.tree.where(copy.root),
        lambda: f"{copy.tree.stamp(names)}{labels_digest(rows)[:8]}",
        lambda: _decode(copy, rows, names),
    )


def _decode(copy: Copy, rows: pd.DataFrame, names: list[str]) -> dict:
    images, notes = decode_images(copy.tree, names, size=SIZE, channels=3, shrink=not copy.aligned)
    same = labels_digest(rows) == OFFICIAL_LABELS
    proof = (
        "Every image has its label and split of the official list."
        if same
        else (
            "Names, labels or splits are not exactly those of the official list, though the class"
            " counts agree."
        )
    )
    return decoded_arrays(
        images,
        rows["label"],
        ids=("rafdb-" + rows["file"].str[:-4]).to_numpy(str),
        split=rows["split"],
        origin=("RAF-DB/" + rows["split"]).to_numpy(str),
        notes=[proof, *copy.notes(), *notes],
        official=same and copy.aligned,
    )


def _check_counts(rows: pd.DataFrame, where: str) -> None:
    for split in ("train", "test"):
        check_counts(_counts(rows, split), TITLE, split, where=where)


def _counts(rows: pd.DataFrame, split: str) -> dict[str, int]:
    labels = rows.loc[rows["split"] == split, "label"]
    return dict(zip(EMOTIONS, np.bincount(labels, minlength=len(EMOTIONS)).tolist()))


def _without_images(tree: Tree, name: str) -> CompanionError:
    rows = read_list(tree, name)
    _check_counts(rows, tree.where(name))
    first = join(
        _above(name), f"Image/aligned/{rows['file'].iloc[0].removesuffix('.jpg')}_aligned.jpg"
    )
    return CompanionError(
        f"RAF-DB: {len(rows):,} of {len(rows):,} images are missing, the first is"
        f" {tree.where(first)}. The label list is there ({tree.where(name)}), its authors release"
        " the images on request: put Image/aligned/ beside EmoLabel/. Table II needs the label"
        " list alone."
    )
