"""Faces as a folder that other projects read: one subfolder for each class, PNG files, and two
tables.

torchvision's ImageFolder reads the tree, ``datasets.load_dataset("imagefolder", data_dir=...)`` the
columns of ``metadata.csv`` too, and the authors' loader (``Four4All`` of get_dataset.py) reads
``labels.csv`` beside it.

Files are numbered in their class, and ids stand in the tables alone: ``datasets`` takes a file
whose name holds the word 'train', 'val' or 'test' for one of that split, and then reads no file
without such a word.
"""

import shutil
from pathlib import Path

import pandas as pd
from PIL import Image

from fer_utils.balancing import assemble, read_balanced_set
from fer_utils.core.emotions import AUTHORS_ORDER, EMOTIONS
from fer_utils.core.errors import CompanionError
from fer_utils.core.profiles import Profile
from fer_utils.core.stored import write_table
from fer_utils.datasets import dataset_info, stored_splits
from fer_utils.synthesis.shards import load_pool, read_shards

METADATA, LABELS = "metadata.csv", "labels.csv"


def export_pool(folder: Path, profile: Profile) -> int:
    """Every image of the pool, with its row of the manifest as metadata; returns how many."""
    with _Tree(folder) as tree:
        for _, images, rows in read_shards(profile):
            tree.add(images, rows["id"].to_numpy(str), rows.drop(columns="id"))
    return tree.count


def export_balanced_set(folder: Path, dataset: str, level: str, profile: Profile) -> int:
    """A balanced set, or the set of a control, as the network sees it: real faces, synthetic ones
    and copies at one size, in the colours of the data set; returns how many. Metadata: id, source
    and emotion, and of synthetic faces the row of the manifest. Real faces stay under the terms of
    their data set."""
    index = read_balanced_set(dataset, level, profile)
    pool, manifest = load_pool(profile)
    faces = assemble(
        index,
        stored_splits(dataset, profile).train,
        pool,
        channels=dataset_info(dataset).channels,
        size=profile.network.image_size,
    )
    described = index.merge(manifest.drop(columns="emotion"), on="id", how="left")
    with _Tree(folder) as tree:
        tree.add(faces.images, faces.ids, described.drop(columns="id"))
    return tree.count


class _Tree:
    """A folder that appears when it is complete."""

    def __init__(self, folder: Path):
        self.folder = Path(folder).expanduser().absolute()
        self.partial = self.folder.with_name(f".{self.folder.name}.partial")
        self.described: list[pd.DataFrame] = []
        self.written = dict.fromkeys(EMOTIONS, 0)

    @property
    def count(self) -> int:
        return sum(map(len, self.described))

    def __enter__(self):
        if self.folder.exists() and (not self.folder.is_dir() or any(self.folder.iterdir())):
            raise CompanionError(
                f"{self.folder} is there already; give the export a new or an empty folder."
            )
        shutil.rmtree(self.partial, ignore_errors=True)
        for emotion in EMOTIONS:
            (self.partial / emotion).mkdir(parents=True)
        return self

    def __exit__(self, kind, problem, trace):
        try:
            if kind is not None:
                raise problem
            self._complete()
        except OSError as problem:
            if problem.filename is None:  # a write that found the disk full does not say where
                problem.filename = str(self.folder)
            raise
        finally:
            shutil.rmtree(self.partial, ignore_errors=True)

    def _complete(self) -> None:
        table = pd.concat(self.described).sort_values("file_name", kind="stable")
        write_table(table, self.partial / METADATA, float_format=None)
        # The authors' loader takes the first line for a header, whatever it is, and labels in their
        # order.
        labels = pd.DataFrame(
            {"ImageName": table["file_name"], "Label": table["emotion"].map(AUTHORS_ORDER.index)}
        )
        write_table(labels, self.partial / LABELS)
        if self.folder.is_dir():
            self.folder.rmdir()
        self.partial.rename(self.folder)

    def add(self, images, ids, rows: pd.DataFrame) -> None:
        """Images [N, H, W, C] with their ids and columns of metadata, 'emotion' among them, of
        which a file's folder is made: CompanionError for one that is not in ``EMOTIONS``."""
        _check_emotions(rows.assign(id=list(ids)), self.folder)
        names = [self._next_name(emotion) for emotion in rows["emotion"]]
        for image, name in zip(images, names):
            Image.fromarray(image.squeeze()).save(self.partial / name)
        self.described.append(
            rows.assign(file_name=names, id=list(ids))[["file_name", "id", *rows.columns]]
        )

    def _next_name(self, emotion: str) -> str:
        self.written[emotion] += 1
        return f"{emotion}/{self.written[emotion]:06d}.png"


def _check_emotions(rows: pd.DataFrame, where: Path) -> None:
    unknown = rows[~rows["emotion"].isin(EMOTIONS)]
    if len(unknown):
        first = unknown.iloc[0]
        raise CompanionError(
            f"{where}: the image {first['id']} has the emotion {str(first['emotion'])!r}; expected"
            f" one of {', '.join(EMOTIONS)}. Its table was changed by hand: run the stage that"
            " writes it again."
        )
