"""RAF-DB (basic, single label) from its official folder.

Li, Deng and Du, CVPR 2017 (reference [20] of the paper): 12,271 training and 3,068 test faces, aligned,
100x100 RGB. It has no validation split; a seeded, stratified share of train serves as one.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, UnidentifiedImageError

from fer_utils.datasets.checks import check_counts
from fer_utils.datasets.sources import cached_arrays, files_below, missing_data, stamp
from fer_utils.datasets.splits import Splits, stratified_sample
from fer_utils.emotions import EMOTIONS, RAFDB_ORDER, codes_to_labels
from fer_utils.errors import CompanionError
from fer_utils.faces import FaceSet

SIZE = 100
_LIST = "list_patition_label.txt"  # spelt so by its authors
_WANTED = f"RAF-DB's folders EmoLabel/ (with {_LIST}) and Image/aligned/, for instance as rafdb/EmoLabel,"


def read_rafdb(folder: Path, *, validation_share: float, seed: int) -> Splits:
    """All faces, uint8 [N, 100, 100, 3]; validation is that share of each training class, drawn with ``seed``.

    Raises CompanionError when the label list or an image is missing or unusable (naming it), or when a class
    count differs from the official one.
    """
    if not 0 < validation_share < 1:
        raise CompanionError(f"data.rafdb_validation_share is {validation_share}; it must lie between 0 and 1, "
                             "because RAF-DB has no validation split of its own.")
    path = find_label_list(Path(folder))
    rows = _checked_list(path)
    images = _load_images(path, rows)
    faces = FaceSet(images, rows["label"].to_numpy(np.int64), ("rafdb-" + rows["file"].str[:-4]).to_numpy(str),
                    ("RAF-DB/" + rows["split"]).to_numpy(str))
    train, test = (faces.select((rows["split"] == split).to_numpy()) for split in ("train", "test"))
    held_out = np.zeros(len(train), bool)
    held_out[stratified_sample(train.labels, validation_share, seed=seed)] = True
    return Splits(train.select(~held_out), train.select(held_out), test)


def rafdb_counts(folder: Path) -> dict[str, dict[str, int]]:
    """Checked class counts of the official train and test split; needs the label list alone, no images."""
    rows = _checked_list(find_label_list(Path(folder)))
    return {split: _counts(rows, split) for split in ("train", "test")}


def find_label_list(folder: Path) -> Path:
    """``list_patition_label.txt`` in ``folder`` or up to three folders below it."""
    found = [path for path in files_below(folder, depth=3) if path.name == _LIST]
    if not found:
        raise missing_data("RAF-DB", folder, wanted=_WANTED)
    return found[0]


def read_label_list(path: Path) -> pd.DataFrame:
    """One row per image: file ('train_00001.jpg'), split ('train' or 'test'), label (position in ``EMOTIONS``).

    Raises CompanionError naming the line that is not like 'train_00001.jpg 5', with a code of 1 to 7.
    """
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    rows = pd.Series(lines, dtype=str).str.extract(r"^\s*((train|test)_\d+\.jpg)\s+([1-7])\s*$")
    wrong = rows[0].isna() & (pd.Series(lines, dtype=str).str.strip() != "")
    if wrong.any():
        number = int(wrong.idxmax())
        raise CompanionError(f"{path}: line {number + 1:,} is {lines[number]!r}; expected a file name and a code of "
                             "1 to 7, like 'train_00001.jpg 5'. Copy the file from the official archive again.")
    rows = rows.dropna().reset_index(drop=True).set_axis(["file", "split", "code"], axis=1)
    labels = np.array(codes_to_labels(RAFDB_ORDER), np.int64)
    return rows[["file", "split"]].assign(label=labels[rows["code"].astype(int).to_numpy() - 1])


def _checked_list(path: Path) -> pd.DataFrame:
    rows = read_label_list(path)
    for split in ("train", "test"):
        check_counts(_counts(rows, split), "RAF-DB", split, where=path)
    return rows


def _counts(rows: pd.DataFrame, split: str) -> dict[str, int]:
    labels = rows.loc[rows["split"] == split, "label"]
    return dict(zip(EMOTIONS, np.bincount(labels, minlength=len(EMOTIONS)).tolist()))


def _load_images(label_list: Path, rows: pd.DataFrame) -> np.ndarray:
    folder = label_list.parent.parent / "Image" / "aligned"
    paths = [folder / name.replace(".jpg", "_aligned.jpg") for name in rows["file"]]
    absent = [path for path in paths if not path.is_file()]
    if absent:
        raise CompanionError(
            f"RAF-DB: {len(absent):,} of {len(paths):,} images are missing, the first is {absent[0]}. The label list "
            f"is there ({label_list}), its authors release the images on request: put "
            "Image/aligned/ beside EmoLabel/. Table II needs the label list alone.")
    return cached_arrays("rafdb", stamp(label_list, *paths), lambda: {"images": _decode(paths)})["images"]


def _decode(paths: list[Path]) -> np.ndarray:
    images = np.empty((len(paths), SIZE, SIZE, 3), np.uint8)
    for image, path in zip(images, paths):
        image[:] = _decode_one(path)
    return images


def _decode_one(path: Path) -> np.ndarray:
    try:
        with Image.open(path) as opened:
            pixels = np.asarray(opened.convert("RGB"))
    except (OSError, UnidentifiedImageError) as problem:
        raise CompanionError(f"{path} can't be read as an image ({problem}). Copy it from the official archive "
                             "again.") from problem
    if pixels.shape != (SIZE, SIZE, 3):
        raise CompanionError(f"{path} is {pixels.shape[1]}x{pixels.shape[0]} pixels; aligned RAF-DB faces are "
                             f"{SIZE}x{SIZE}. Use Image/aligned, not Image/original.")
    return pixels
