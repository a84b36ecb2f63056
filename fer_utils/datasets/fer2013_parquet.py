"""FER2013 as parquet files of the Hugging Face hub: an image column (bytes, or a structure with
bytes) and a label.

The codes' meaning is in the Hugging Face metadata where there is any. Otherwise the class counts of
train tell it: Table II's seven counts all differ, so only one order of the emotions fits.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from fer_utils.core.emotions import EMOTIONS, emotion_index
from fer_utils.core.errors import CompanionError
from fer_utils.datasets.checks import official_counts
from fer_utils.datasets.class_trees import SPLIT_FOLDERS
from fer_utils.datasets.decoding import conversion_notes, decode_image, quiet_about_size
from fer_utils.datasets.fer2013_csv import SIZE
from fer_utils.datasets.fer2013_trees import arrange, usages_of_folders
from fer_utils.datasets.tree import Contents, Tree

_IMAGES, _LABELS = ("img_bytes", "image", "pixels"), ("labels", "label", "emotion")
_SPLITS = ("split", "Usage", "usage")
_ROWS_AT_ONCE = 1000


@dataclass(frozen=True)
class ParquetSet:
    """The parquet files of one folder of a tree."""

    tree: Tree
    folder: str
    names: list[str]


def parquet_sets(contents: Contents) -> list[ParquetSet]:
    """The parquet files of each folder; its folders train/, test/ and so on belong to it. RAF-DB's
    are not ours."""
    sets = {}
    for number, tree in enumerate(contents.trees):
        for name in sorted(tree.names()):
            if name.lower().endswith(".parquet") and "raf" not in name.lower():
                sets.setdefault((number, _folder(name)), []).append(name)
    return [
        ParquetSet(contents.trees[number], folder, names)
        for (number, folder), names in sets.items()
    ]


def decode_parquet(found: ParquetSet) -> dict:
    """The faces of all files as arrays (``forms.decoded_arrays``), in the order of the files.

    Raises CompanionError naming the file, and the row where there is one, that can't be used; and
    without pyarrow.
    """
    pyarrow = _pyarrow(found)
    converted, images, codes, splits, names = Counter(), [], [], [], None
    for name, data in sorted(found.tree.read(found.names)):
        where = found.tree.where(name)
        table = _open(pyarrow, data, where)
        names = names or _class_names(table.schema_arrow, _column(table, _LABELS, where))
        for number, (image, code, split) in enumerate(_rows(pyarrow, table, name, where), start=1):
            images.append(_pixels(image, f"{where}: row {number:,}", converted))
            codes.append(code)
            splits.append(split)
    folders = np.array(splits, str)
    labels, how = _labels(codes, folders, names, found)
    usage, split_note = usages_of_folders(folders)
    counted = Counter()
    stems = [f"{split}/{_next(counted, split):05d}" for split in splits]
    return arrange(
        np.array(images, np.uint8).reshape(-1, SIZE, SIZE, 1),
        labels,
        folders,
        usage,
        rows=np.full(len(labels), -1),
        stems=stems,
        notes=[how, split_note, *conversion_notes(converted)],
    )


def _next(counted: Counter, key: str) -> int:
    counted[key] += 1
    return counted[key] - 1


def _pyarrow(found: ParquetSet):
    try:
        import pyarrow.parquet
    except ImportError as problem:
        raise CompanionError(
            f"{found.tree.where(found.names[0])} is there, and reading parquet files needs pyarrow,"
            " which is not installed. Install it with: pip install 'fer_utils[data]' (or pip"
            " install pyarrow)."
        ) from problem
    return pyarrow


def _open(pyarrow, data: bytes, where: str):
    try:
        return pyarrow.parquet.ParquetFile(pyarrow.BufferReader(data))
    except (pyarrow.ArrowException, OSError, ValueError) as problem:
        raise CompanionError(
            f"{where} can't be read as a parquet file ({problem}). It is damaged or the download "
            "stopped early: download it again."
        ) from problem


def _rows(pyarrow, table, name: str, where: str) -> Iterator[tuple[object, object, str]]:
    """Image, code and split of each row of one file."""
    image, label = _column(table, _IMAGES, where), _column(table, _LABELS, where)
    split = next((column for column in _SPLITS if column in table.schema_arrow.names), None)
    of_file = None if split else _split_in_name(name, where)
    try:
        with quiet_about_size():
            for batch in table.iter_batches(
                _ROWS_AT_ONCE, columns=[image, label, *([split] if split else [])]
            ):
                for row in batch.to_pylist():
                    yield (
                        row[image],
                        row[label],
                        of_file or _split(str(row[split]), f"{where}: column '{split}'"),
                    )
    except (pyarrow.ArrowException, OSError, ValueError, TypeError) as problem:
        raise CompanionError(
            f"{where} can't be read to its end ({problem}). It is damaged or the download stopped "
            "early: download it again."
        ) from problem


def _column(table, names: tuple[str, ...], where: str) -> str:
    found = table.schema_arrow.names
    for name in names:
        if name in found:
            return name
    raise CompanionError(
        f"{where}: no column named {' or '.join(names)}; found {', '.join(found)}. It is not"
        " FER2013: move it out of the data folder, or rename its columns."
    )


def _pixels(value, where: str, converted: Counter) -> np.ndarray:
    """uint8 [48, 48, 1] of an image's bytes, of {'bytes': ...}, or of 2,304 numbers as a list or as
    text."""
    if isinstance(value, dict):
        value = value.get("bytes")
    if isinstance(value, bytes):
        return decode_image(value, where, size=SIZE, channels=1, converted=converted)
    try:
        numbers = (
            np.asarray(value.split() if isinstance(value, str) else value).astype(float).ravel()
        )
    except (ValueError, TypeError):
        numbers = np.zeros(0)
    if (
        numbers.size != SIZE * SIZE
        or not ((numbers >= 0) & (numbers <= 255) & (numbers % 1 == 0)).all()
    ):
        raise CompanionError(
            f"{where} holds no image; expected the bytes of an image file or {SIZE * SIZE:,}"
            " numbers of 0 to 255. Download the file again."
        )
    return numbers.astype(np.uint8).reshape(SIZE, SIZE, 1)


def _split_in_name(name: str, where: str) -> str:
    """The split in 'data/train-00000-of-00001.parquet' or 'default/test/0000.parquet'."""
    for part in reversed(name.split("/")):
        word = re.match(r"[A-Za-z0-9]*?(?=[-_.\d]|$)", part)[0]
        if word.lower() in SPLIT_FOLDERS:
            return SPLIT_FOLDERS[word.lower()]
    raise CompanionError(
        f"{where}: neither its name nor a column '{_SPLITS[0]}' tells its split. Name it "
        "train-….parquet, validation-….parquet or test-….parquet."
    )


def _split(word: str, where: str) -> str:
    if word.strip().lower() not in SPLIT_FOLDERS:
        raise CompanionError(f"{where} holds {word!r}; expected one of {', '.join(SPLIT_FOLDERS)}.")
    return SPLIT_FOLDERS[word.strip().lower()]


def _class_names(schema, label: str) -> list[str] | None:
    """The names of the codes 0, 1, ... in the Hugging Face metadata, None where there are none."""
    try:
        features = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
        return [str(name) for name in features[label]["names"]] or None
    except (TypeError, KeyError, ValueError):
        return None


def _labels(
    codes: list, folders: np.ndarray, names: list[str] | None, found: ParquetSet
) -> tuple[np.ndarray, str]:
    """Labels int64 [N] and the sentence on what told the codes' meaning."""
    if (
        codes
        and all(isinstance(code, str) for code in codes)
        and not all(code.strip().isdigit() for code in codes)
    ):
        meaning = {code: emotion_index(code) for code in set(codes)}
        return (
            np.array([meaning[code] for code in codes], np.int64),
            "The labels are the emotions' names.",
        )
    try:
        numbers = np.array([int(code) for code in codes], np.int64)
    except (TypeError, ValueError) as problem:
        raise CompanionError(
            f"{found.tree.where(found.folder)}: a label is no whole number ({problem}). Download"
            " the files again."
        ) from problem
    order = (
        [emotion_index(name) for name in names]
        if names
        else _order_by_counts(numbers[folders == "train"], found)
    )
    wrong = (numbers < 0) | (numbers >= len(order))
    if wrong.any():
        raise CompanionError(
            f"{found.tree.where(found.folder)}: row {int(wrong.argmax()) + 1:,} has label "
            f"{numbers[wrong][0]}; expected 0 to {len(order) - 1}. Download the files again."
        )
    told = (
        "the Hugging Face metadata"
        if names
        else "the class counts of train, which are those of one order only"
    )
    listed = ", ".join(f"{code} {EMOTIONS[label]}" for code, label in enumerate(order))
    return np.array(order, np.int64)[numbers], f"The codes' meaning was told by {told}: {listed}."


def _order_by_counts(train: np.ndarray, found: ParquetSet) -> list[int]:
    official = {
        count: EMOTIONS.index(emotion)
        for emotion, count in official_counts("FER2013", "train").items()
    }
    counts = np.bincount(
        train[(train >= 0) & (train < len(EMOTIONS))], minlength=len(EMOTIONS)
    ).tolist()
    order = [official.get(count) for count in counts]
    if sorted(map(str, order)) != sorted(map(str, range(len(EMOTIONS)))):
        raise CompanionError(
            f"{found.tree.where(found.folder)}: nothing tells what the label codes mean. There is"
            " no Hugging Face metadata, and the class counts of train"
            f" ({', '.join(map(str, counts))}) are not FER2013's ({', '.join(map(str, official))})."
            " Use the official fer2013.csv."
        )
    return order


def _folder(name: str) -> str:
    parts = name.split("/")[:-1]
    while parts and parts[-1].lower() in SPLIT_FOLDERS:
        parts.pop()
    return "/".join(parts)
