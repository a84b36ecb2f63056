"""FER2013 in every form people have: the CSV file, folders of images, parquet; plain or in an
archive.

Goodfellow et al. 2013, "Challenges in Representation Learning" (reference [19] of the paper):
35,887 gray faces of 48x48 pixels; Training is train, PublicTest validation and PrivateTest test.
The form is found by looking into the data folder. Of several the first is read, the CSV before the
others.
"""

from pathlib import Path

import numpy as np

from fer_utils.core.errors import CompanionError
from fer_utils.datasets.archives import reading
from fer_utils.datasets.checks import check_counts
from fer_utils.datasets.class_trees import ClassTree, class_trees_of
from fer_utils.datasets.fer2013_csv import CSV_NAMES, USAGES, decode, find_files
from fer_utils.datasets.fer2013_parquet import decode_parquet, parquet_sets
from fer_utils.datasets.fer2013_trees import OFFICIAL_CONTENT, content_digest, decode_tree
from fer_utils.datasets.ferplus import rows_by_name, votes_source, votes_stamp
from fer_utils.datasets.forms import Form, as_splits, decoded_arrays, read_form
from fer_utils.datasets.loose_images import loose_images
from fer_utils.datasets.sources import Source, missing_data, open_source, stamp
from fer_utils.datasets.splits import Found, Splits
from fer_utils.datasets.tree import Contents, look_into

TITLE = "FER2013"
KNOWN_MD5 = {"f8428a1edbd21e88f42c73edd2a14f95": "the official fer2013.csv (301,072,766 bytes)"}
_PARTS = ("val.csv", "valid.csv", "validation.csv", "test.csv")
_WANTED = (
    "fer2013.csv (or fer2013.csv.gz, Kaggle's .zip or .tar.gz as downloaded, folders train/<class>/"
    " and test/<class>/ of images, or parquet files)"
)


def read_fer2013(folder: Path) -> Splits:
    """All faces, uint8 [N, 48, 48, 1], from the first form found in ``folder``; ``found`` says
    which.

    Ids number the rows of the CSV from 'fer2013-00000'; where another form does not tell the row,
    they name its file. Raises CompanionError when there is no FER2013, when a row or an image can't
    be used (naming it), or when a class count differs from the official one.
    """
    form, arrays, found = _read(Path(folder))
    splits = as_splits(arrays, found)
    for split, faces in splits.items():
        check_counts(faces.counts(), TITLE, split, where=form.where)
    return splits


def find_fer2013(folder: Path) -> Found:
    """What ``read_fer2013`` reads; at once where it was read before."""
    return read_fer2013(folder).found


def fer2013_counts(folder: Path) -> dict[str, dict[str, int]]:
    """Checked class counts of each split: {'train': {'anger': 3995, ...}, ...}."""
    return {split: faces.counts() for split, faces in read_fer2013(folder).items()}


def has_fer2013(folder: Path) -> bool:
    """Whether there is anything that would be read as FER2013, usable or not."""
    return bool(_forms(look_into(Path(folder))))


def fer2013_trees(contents: Contents) -> list[ClassTree]:
    """The folders of FER2013 images in the data folder, also where they are not what is read."""
    return class_trees_of(TITLE, contents)


def _read(folder: Path) -> tuple[Form, dict, Found]:
    contents = look_into(folder)
    forms = _forms(contents)
    if not forms:
        _refuse_competition_files(contents)
        raise missing_data(
            TITLE,
            contents.folder,
            wanted=_WANTED,
            problems=contents.problems,
            there=loose_images(contents, TITLE),
        )
    others = [(form.layout, form.place) for form in forms[1:]]
    return forms[0], *read_form("fer2013", TITLE, forms[0], others=others, contents=contents)


def _forms(contents: Contents) -> list[Form]:
    """Every form in the order of preference."""
    return [*_csv_forms(contents), *_tree_forms(contents), *_parquet_forms(contents)]


def _csv_forms(contents: Contents) -> list[Form]:
    return [
        Form(
            _csv_layout(source),
            _csv_place(source, contents),
            str(source),
            lambda source=source: _stamp(source),
            lambda source=source: _decode_csv(source),
        )
        for source in find_files(contents, CSV_NAMES)
    ]


def _tree_forms(contents: Contents) -> list[Form]:
    votes = votes_source(contents)
    return [
        Form(
            "folders of images by split and emotion"
            + (", in an archive" if found.tree.packed else ""),
            contents.place(found.tree, found.root),
            found.tree.where(found.root),
            lambda found=found: f"{found.tree.stamp(found.names())}{votes_stamp(votes)}",
            lambda found=found: decode_tree(found, *(rows_by_name(votes) if votes else _NO_ROWS)),
        )
        for found in fer2013_trees(contents)
    ]


def _parquet_forms(contents: Contents) -> list[Form]:
    return [
        Form(
            "parquet files",
            contents.place(found.tree, found.folder),
            found.tree.where(found.folder),
            lambda found=found: found.tree.stamp(found.names),
            lambda found=found: decode_parquet(found),
        )
        for found in parquet_sets(contents)
    ]


_NO_ROWS = ({}, np.zeros(0, str))


def _csv_layout(source: Source) -> str:
    name = (source.member or source.path.name).rsplit("/", 1)[-1].lower()
    packing = ", in an archive" if source.member else ", gzipped" if name.endswith(".gz") else ""
    return (
        "the CSV of the Kaggle competition" if name.startswith("icml") else "the CSV file"
    ) + packing


def _csv_place(source: Source, contents: Contents) -> str:
    path = str(source.path.relative_to(contents.folder))
    return f"{path} ({source.member})" if source.member else path


def _stamp(source: Source) -> str:
    with reading(source):
        return stamp(source.path)


def _decode_csv(source: Source) -> dict:
    arrays = decode(source)
    images, labels, usage = arrays["images"], arrays["labels"], arrays["usage"].tolist()
    split = np.array([USAGES[name] for name in usage])
    known = KNOWN_MD5.get(str(arrays["md5"]))
    official = bool(known) or content_digest(images, labels, split) == OFFICIAL_CONTENT
    proof = (
        f"Its MD5 {arrays['md5']} is that of {known}."
        if known
        else (
            "Every pixel, label and split is that of the official fer2013.csv."
            if official
            else (
                f"Its MD5 {arrays['md5']} is of no published copy, and its content is not the"
                " official one."
            )
        )
    )
    return decoded_arrays(
        images,
        labels,
        ids=[f"fer2013-{row:05d}" for row in range(len(labels))],
        split=split,
        origin=[f"FER2013/{name}" for name in usage],
        notes=[proof],
        official=official,
    )


def _refuse_competition_files(contents: Contents) -> None:
    """Tables of FER2013's parts without the column Usage: the Kaggle competition's train.csv, whose
    test.csv has no labels, or somebody's train.csv, val.csv and test.csv with labels."""
    for source in find_files(contents, ("train.csv",)):
        columns = _columns(source)
        if {"emotion", "pixels"} <= columns:
            parts = find_files(contents, _PARTS)
            others = {part: _columns(part) for part in parts if _folder(part) == _folder(source)}
            raise CompanionError(
                f"{source} {_what_lacks(columns, others)} icml_face_data.csv of Kaggle's "
                "competition, or fer2013.csv, holds everything: put that into "
                f"{contents.folder}."
            )


def _what_lacks(columns: set[str], others: dict[Source, set[str]]) -> str:
    """Why a train.csv with these columns is not read, and what to do with it and the tables beside
    it, in words."""
    labelled = [str(other) for other, names in others.items() if {"emotion", "pixels"} <= names]
    if "usage" in columns:
        return "has the columns of fer2013.csv: if it holds all 35,887 faces, rename it to that."
    if labelled:
        return (
            "holds labels and pixels but no column Usage, which tells the splits; nor has"
            f" {' or '.join(labelled)}. Put them one under the other into a file fer2013.csv, with"
            " a column Usage of Training, PublicTest (to validate) and PrivateTest (to test)."
        )
    held_out = (
        f"{' and '.join(map(str, others))} of the same download has no labels"
        if others
        else "no table of test faces lies beside it"
    )
    return (
        f"holds the labels and pixels of FER2013's Training faces, but {held_out}, so nothing can"
        " be validated or tested."
    )


def _columns(source: Source) -> set[str]:
    """The names in the first line of a table, in small letters."""
    with reading(source), open_source(source) as stream:
        line = stream.readline(1000).decode("utf-8", "replace")
    return {name.strip() for name in line.replace('"', "").strip().lower().split(",")}


def _folder(source: Source) -> tuple[Path, str]:
    """The folder or archive that a file lies in, and the folder in the archive."""
    if source.member is None:
        return source.path.parent, ""
    return source.path, source.member.rpartition("/")[0]
