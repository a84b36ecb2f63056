"""Which row of the official CSV each image of a folder tree is, where both lie in the data folder.

Nothing of the names is believed: an image is matched by its pixels, exactly or, where it was
compressed again, by normalised correlation. So a copy whose test/ holds Training faces is found
out.
"""

from collections import defaultdict
from pathlib import Path

import numpy as np
import pandas as pd

from fer_utils.core.emotions import emotion_labels
from fer_utils.core.errors import CompanionError
from fer_utils.core.faces import FaceSet, concatenate
from fer_utils.datasets.class_trees import ClassTree
from fer_utils.datasets.decoding import decode_images
from fer_utils.datasets.fer2013 import fer2013_trees, read_fer2013
from fer_utils.datasets.fer2013_csv import CSV_NAMES, SIZE, USAGES, find_files
from fer_utils.datasets.sources import cached_arrays, stamp
from fer_utils.datasets.tree import look_into, names_column

SAME_PICTURE = 0.96
"""Normalised correlation of 48x48 pixels from which an image counts as one of the CSV, compressed
again. Of the real set saved as JPEG of quality 75, all but two of 35,887 images are found so; 12 go
to a near twin in another split."""
_BLOCK, _CANDIDATES, _AT_ONCE = 4, 8, 512


def compare_tree_with_csv(folder: Path) -> pd.DataFrame:
    """One row per image of the first FER2013 tree beside the CSV in ``folder``.

    Columns: name (in the tree), split (its folder: train, validation or test), label, row (of the
    CSV, -1 for none), usage (the row's, '' for none), how ('identical', 'recompressed' or
    'unknown'), correlation, same_label. Identical twins of one picture are given to the rows whose
    split and label fit. Takes about half a minute for the whole set, once. Raises CompanionError
    where CSV or tree is missing.
    """
    contents = look_into(Path(folder))
    trees, tables = fer2013_trees(contents), find_files(contents, CSV_NAMES)
    if not trees or not tables:
        lacking = "fer2013.csv" if trees else "folder of FER2013 images"
        raise CompanionError(
            f"{folder} holds no {lacking}, so there is nothing to compare. Put both there."
        )
    tree, labels = trees[0], emotion_labels()
    tree.check(labels)
    listed = list(tree.images())
    faces = concatenate(*(part for _, part in read_fer2013(Path(folder)).items()))
    table = pd.DataFrame(
        {
            "name": names_column(name for _, _, name in listed),
            "split": [split for split, _, _ in listed],
            "label": [labels[alias.lower()] for _, alias, _ in listed],
        }
    )
    return _described(table, _matched(tree, table, faces, stamp(tables[0].path)), faces)


def comparison_notes(table: pd.DataFrame) -> list[str]:
    """Sentences on a comparison: how many images were matched, and where each folder's faces
    officially belong."""
    how = table["how"].value_counts()
    notes = [
        f"{how.get('identical', 0):,} of {len(table):,} images are pixel for pixel in the CSV, "
        f"{how.get('recompressed', 0):,} more are the same pictures compressed again "
        f"(correlation of at least {SAME_PICTURE}), {how.get('unknown', 0):,} are in no row of it."
    ]
    for split, group in table.groupby("split", sort=False):
        counts = group["usage"].replace("", "no row").value_counts()
        parts = ", ".join(f"{count:,} of {usage}" for usage, count in counts.items())
        other = (~group["same_label"]).sum()
        notes.append(f"The {split} folder holds {parts}; {other:,} with another label or no row.")
    return notes


def match_images(
    images: np.ndarray, labels: np.ndarray, splits: np.ndarray, faces: FaceSet
) -> tuple[np.ndarray, np.ndarray]:
    """Position in ``faces`` of each image (int64 [N], -1 for none) and the correlation with it
    (float [N]).

    images: uint8 [N, 48, 48, 1]; labels, splits: what the copy says of them, to choose between
    identical rows.
    """
    by_pixels = defaultdict(list)
    for position, image in enumerate(faces.images):
        by_pixels[image.tobytes()].append(position)
    exact = np.array([by_pixels.get(image.tobytes(), [-1])[0] for image in images], np.int64)
    rows, correlation = exact.copy(), (exact >= 0).astype(float)
    left = np.flatnonzero(exact < 0)
    rows[left], correlation[left] = _nearest(images[left], faces.images)
    rows[correlation < SAME_PICTURE] = -1
    return _among_twins(rows, labels, splits, faces, by_pixels), correlation


def _among_twins(
    rows, labels, splits, faces: FaceSet, by_pixels: dict[bytes, list[int]]
) -> np.ndarray:
    """Of the rows with the same pixels, the one that no image has yet and whose split and label
    fit."""
    usage_split, taken, chosen = (
        [USAGES[name.rsplit("/", 1)[-1]] for name in faces.origin.tolist()],
        set(),
        rows.copy(),
    )
    for number in np.flatnonzero(rows >= 0):
        twins = by_pixels[faces.images[rows[number]].tobytes()]
        chosen[number] = min(
            twins,
            key=lambda row: (
                row in taken,
                not _fits(splits[number], usage_split[row]),
                faces.labels[row] != labels[number],
                row,
            ),
        )
        taken.add(chosen[number])
    return chosen


def _matched(
    tree: ClassTree, table: pd.DataFrame, faces: FaceSet, csv_stamp: str
) -> dict[str, np.ndarray]:
    """The rows and correlations of ``match_images``, kept until the tree or the CSV changes."""

    def match():
        images, _ = decode_images(tree.tree, table["name"].tolist(), size=SIZE, channels=1)
        rows, correlation = match_images(
            images, table["label"].to_numpy(), table["split"].to_numpy(), faces
        )
        return {"rows": rows, "correlation": correlation}

    return cached_arrays("fer2013-matches", f"{tree.tree.stamp(tree.names())}{csv_stamp}", match)


def _described(table: pd.DataFrame, matched: dict[str, np.ndarray], faces: FaceSet) -> pd.DataFrame:
    rows, correlation = matched["rows"], matched["correlation"]
    found = rows >= 0
    usage = np.array([origin.rsplit("/", 1)[-1] for origin in faces.origin])
    number = np.array([int(face.rsplit("-", 1)[-1]) for face in faces.ids])
    return table.assign(
        row=np.where(found, number[rows], -1),
        usage=np.where(found, usage[rows], ""),
        how=np.select([~found, correlation == 1], ["unknown", "identical"], "recompressed"),
        correlation=correlation,
        same_label=found & (faces.labels[rows] == table["label"].to_numpy()),
    )


def _fits(folder: str, split: str) -> bool:
    """A copy's test folder may hold PublicTest and PrivateTest; its train folder only Training."""
    return (folder == "train") == (split == "train")


def _nearest(images: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The face that correlates best with each image: candidates by 12x12 blocks, decided by all
    pixels."""
    rows, best = np.full(len(images), -1, np.int64), np.zeros(len(images))
    coarse, flat = _normalised(_blocks(faces)), faces.reshape(len(faces), -1)
    for start in range(0, len(images), _AT_ONCE):
        part = images[start : start + _AT_ONCE]
        scores = _normalised(_blocks(part)) @ coarse.T
        candidates = (
            np.argpartition(-scores, _CANDIDATES, axis=1)[:, :_CANDIDATES]
            if scores.shape[1] > _CANDIDATES
            else np.tile(np.arange(scores.shape[1]), (len(part), 1))
        )
        fine = np.einsum(
            "np,nkp->nk", _normalised(part.reshape(len(part), -1)), _normalised(flat[candidates])
        )
        chosen = fine.argmax(axis=1)[:, None]
        rows[start : start + _AT_ONCE] = np.take_along_axis(candidates, chosen, axis=1)[:, 0]
        best[start : start + _AT_ONCE] = np.take_along_axis(fine, chosen, axis=1)[:, 0]
    return rows, np.minimum(best, np.nextafter(1, 0))  # 1 is kept for identical pixels


def _blocks(images: np.ndarray) -> np.ndarray:
    side = SIZE // _BLOCK
    blocks = images.reshape(len(images), side, _BLOCK, side, _BLOCK).mean(
        axis=(2, 4), dtype=np.float32
    )
    return blocks.reshape(len(images), -1)


def _normalised(values: np.ndarray) -> np.ndarray:
    """Each row without its mean and of length one; a constant image stays zero, so it matches only
    itself."""
    values = values.astype(np.float32)
    centred = values - values.mean(axis=-1, keepdims=True)
    length = np.linalg.norm(centred, axis=-1, keepdims=True)
    return np.divide(centred, length, out=np.zeros_like(centred), where=length > 0)
