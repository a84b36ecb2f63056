"""FER2013 as folders of images, train/<class>/ and test/<class>/, with the official split where it
can be told.

A copy's test/ usually holds PublicTest and PrivateTest together. Which is which is told by the file
names (PublicTest_123.jpg), by FER+'s names and row order (fer0028638.png in fer2013new.csv), or by
the folders, where there are three. Otherwise test/ is halved by a stated draw that gives both
halves their official class counts.
"""

import hashlib
import re

import numpy as np

from fer_utils.core.emotions import EMOTIONS, emotion_labels
from fer_utils.core.errors import CompanionError
from fer_utils.datasets.checks import official_counts
from fer_utils.datasets.class_trees import ClassTree
from fer_utils.datasets.decoding import decode_images
from fer_utils.datasets.fer2013_csv import SIZE, USAGES
from fer_utils.datasets.forms import decoded_arrays
from fer_utils.datasets.splits import derived_seed

OFFICIAL_CONTENT = "24ec80fcf34534e601cf41118b754dbaf0ab41271237a4986aefecffa9bdf810"
"""Digest of the pixels, labels and splits of the official fer2013.csv (``content_digest``)."""
_OFFICIAL_NAME = re.compile(r"(training|publictest|privatetest)_\d+")
_USAGE = {usage.lower(): usage for usage in USAGES}
_PARTS = {
    "train": {"Training"},
    "validation": {"PublicTest", "PrivateTest"},
    "test": {"PublicTest", "PrivateTest"},
}


def decode_tree(found: ClassTree, rows: dict[str, int], usages: np.ndarray) -> dict:
    """The faces of the folders as arrays (``decoded_arrays``), those of each split in the order of
    the CSV where its rows are known, else of their names.

    rows, usages: FER+'s file name without ending -> row of fer2013.csv, and each row's Usage; both
    empty where FER+ is not at hand. Raises CompanionError naming a class folder that is unknown, an
    image that can't be used or lies in the wrong split by its name.
    """
    classes = emotion_labels()
    found.check(classes)
    listed = sorted(
        (split, classes[alias.lower()], _stem(name), name) for split, alias, name in found.images()
    )
    folders, labels, stems, names = (
        (list(column) for column in zip(*listed)) if listed else ([], [], [], [])
    )
    numbers = np.array([rows.get(stem, -1) for stem in stems], np.int64)
    keys = numbers.tolist() if (numbers >= 0).all() else list(zip(folders, labels, stems))
    _refuse_twice(found, keys, names)
    usage, how = _usages(found, np.array(folders, str), names, numbers, usages)
    images, notes = decode_images(found.tree, names, size=SIZE, channels=1)
    stems = [
        f"{split}/{EMOTIONS[label]}/{stem}" for split, label, stem in zip(folders, labels, stems)
    ]
    return arrange(
        images,
        np.array(labels, np.int64),
        np.array(folders, str),
        usage,
        rows=numbers,
        stems=stems,
        notes=[how, *notes, *found.notes()],
    )


def arrange(images, labels, folders, usage, *, rows, stems, notes) -> dict:
    """``decoded_arrays`` of faces from folders or tables.

    folders: train, validation or test as the copy has them; usage: each face's official Usage, ''
    where unknown; rows: its row of fer2013.csv, -1 where unknown; stems: its name within the copy.
    """
    split = np.array([USAGES.get(name, "") for name in usage], "U10")
    drawn = split == ""
    split[drawn] = _halved(labels[drawn], folders[drawn])
    known = bool(len(rows)) and bool((rows >= 0).all())
    ids = [f"fer2013-{row:05d}" if known else f"fer2013-{stem}" for row, stem in zip(rows, stems)]
    origin = np.where(
        drawn, np.char.add("FER2013/", folders), np.char.add("FER2013/", np.asarray(usage, str))
    )
    order = np.argsort(rows, kind="stable") if known else np.arange(len(images))
    images, labels, split = images[order], labels[order], split[order]
    official = content_digest(images, labels, split) == OFFICIAL_CONTENT
    proof = (
        "Every pixel, label and split is that of the official fer2013.csv."
        if official
        else (
            "The pixels, labels or splits are not exactly those of the official fer2013.csv: the"
            " images were compressed again or changed, or the split is not the official one."
        )
    )
    return decoded_arrays(
        images,
        labels,
        ids=np.array(ids, str)[order],
        split=split,
        origin=origin[order],
        notes=[*notes, proof],
        official=official,
    )


def content_digest(images: np.ndarray, labels: np.ndarray, split: np.ndarray) -> str:
    """Digest of all (pixels, label, split), whatever their order."""
    rows = sorted(
        hashlib.blake2b(image.tobytes() + bytes([label]) + name.encode(), digest_size=16).digest()
        for image, label, name in zip(images, labels, split.tolist())
    )
    return hashlib.sha256(b"".join(rows)).hexdigest()


def merged_seed() -> int:
    """The seed of the draw that halves a test/ without official names."""
    return derived_seed("fer2013", "halves of test") % 10_000


def _usages(found: ClassTree, folders, names, rows, usages) -> tuple[np.ndarray, str]:
    """Each image's Usage, '' where it can't be told, and the sentence on how it was told."""
    named = np.array([_usage_in_name(name) for name in names], "U11")
    if len(named) and (named != "").all():
        _check_parts(found, folders, names, named)
        return (
            named,
            (
                "The official split was told from the file names (Training_, PublicTest_,"
                " PrivateTest_)."
            ),
        )
    if len(rows) and (rows >= 0).all():
        by_row = usages[rows]
        _check_parts(found, folders, names, by_row)
        return (
            by_row,
            "The official split was told from FER+'s file names and row order (fer2013new.csv).",
        )
    _refuse_mixed(found, folders, names, named)
    return usages_of_folders(folders)


def usages_of_folders(folders: np.ndarray) -> tuple[np.ndarray, str]:
    """The Usage that three split folders stand for; of two, the one that is not train is left open
    ('')."""
    if set(folders) == {"train", "validation", "test"}:
        by_split = {split: usage for usage, split in USAGES.items()}
        return (
            np.array([by_split[split] for split in folders], "U11"),
            (
                "Train, validation and test were taken for Training, PublicTest and PrivateTest;"
                " their class counts agree."
            ),
        )
    return (
        np.where(folders == "train", "Training", "").astype("U11"),
        (
            "Nothing tells PublicTest from PrivateTest in this copy: its test images were halved"
            f" by a seeded draw (seed {merged_seed()}) in which both halves have their official"
            " class counts. The split is not the official one, so validation and test accuracies"
            " can't be compared with published ones."
        ),
    )


def _halved(labels: np.ndarray, folders: np.ndarray) -> np.ndarray:
    """'validation' for as many faces of each class as PublicTest has, drawn with a fixed seed;
    'test' for the rest."""
    split, random = np.full(len(labels), "test", "U10"), np.random.default_rng(merged_seed())
    for label, emotion in enumerate(EMOTIONS):
        shuffled = random.permutation(np.flatnonzero(labels == label))
        split[shuffled[: official_counts("FER2013", "validation")[emotion]]] = "validation"
    return split


def _check_parts(found: ClassTree, folders, names, usage) -> None:
    for folder, name, part in zip(folders, names, usage.tolist()):
        if part not in _PARTS[folder]:
            raise CompanionError(
                f"{found.tree.where(name)} lies in the {folder} folder but is a {part} face by its"
                " name. This copy mixes the splits, so no test on it would mean anything: use"
                " another copy, or put the official fer2013.csv into the data folder."
            )


def _refuse_mixed(found: ClassTree, folders, names, named) -> None:
    held_out = folders != "train"
    some = named[held_out] != ""
    if some.any() and not some.all():
        odd = np.asarray(names)[held_out][~some][0]
        begins = _OFFICIAL_NAME.match(_stem(odd))
        if begins:
            raise CompanionError(
                f"{found.tree.where(odd)} has more in its name than {_USAGE[begins[1]]}_ "
                "and a number, other test images of this copy have no more: it looks like "
                "an altered copy of one. Remove such images, or use another copy of the "
                "data set."
            )
        raise CompanionError(
            f"{found.tree.where(odd)} has no PublicTest_ or PrivateTest_ in its name, other test "
            "images of this copy have: images were added to it. Remove them, or use another copy."
        )


def _refuse_twice(found: ClassTree, keys: list, names: list[str]) -> None:
    first = {}
    for key, name in zip(keys, names):
        if first.setdefault(key, name) != name:
            raise CompanionError(
                f"{found.tree.where(name)} is there twice, also as {first[key]}, by its name."
                " Remove one of the two."
            )


def _usage_in_name(name: str) -> str:
    match = _OFFICIAL_NAME.fullmatch(_stem(name))
    return _USAGE[match[1]] if match else ""


def _stem(name: str) -> str:
    """A file's name in small letters without folder and ending."""
    return name.rsplit("/", 1)[-1].rsplit(".", 1)[0].lower()
