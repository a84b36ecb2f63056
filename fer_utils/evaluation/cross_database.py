"""A trained network tested on somebody else's faces: a folder with one sub-folder for each
class."""

import warnings
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import bootstrap
from sklearn.metrics import balanced_accuracy_score, confusion_matrix

from fer_utils.balancing.alterations import copies_note
from fer_utils.core.emotions import EMOTIONS, emotion_index, emotion_labels
from fer_utils.core.errors import CompanionError, nearest
from fer_utils.core.faces import FaceSet
from fer_utils.core.stored import text_table
from fer_utils.datasets.class_trees import left_out
from fer_utils.datasets.decoding import IMAGE_ENDINGS, is_image
from fer_utils.datasets.tree import Tree, join, names_column, walk
from fer_utils.evaluation import class_accuracy
from fer_utils.training import predictions_table
from fer_utils.training.photos import read_photo, squared
from fer_utils.training.trained import Trained, class_probabilities

RESAMPLES = 999
_SHOWN = 5  # broken files named before the rest is only counted


@dataclass(frozen=True)
class ClassFolders:
    """The sub-folders of a folder of faces.

    images:   label -> names of image files below the folder, sorted.
    mapping:  sub-folder -> emotion, None where it was left out on request.
    counts:   sub-folder -> number of its images.
    notes:    sentences on what was not read.
    """

    tree: Tree
    images: dict[int, list[str]]
    mapping: dict[str, str | None]
    counts: dict[str, int]
    notes: list[str] = field(default_factory=list)

    @property
    def lines(self) -> list[str]:
        """Which sub-folder was taken for which emotion, for readers."""
        width = max(map(len, self.mapping))
        return [
            f"  {name:{width}} -> {emotion or 'left out':9} {self.counts[name]:,} images"
            for name, emotion in self.mapping.items()
        ]


def class_folders(folder: Path, *, leave_out: Iterable[str] = ()) -> ClassFolders:
    """What lies in a folder of class folders; no image is opened.

    A sub-folder is a class by any spelling that ``emotions`` knows. Raises CompanionError for a
    folder without images, for a sub-folder of no known class unless it is named in ``leave_out``,
    and for an image outside of the sub-folders.
    """
    folder, left = Path(folder), set(leave_out)
    if not folder.is_dir():
        raise CompanionError(
            f"{folder} is no folder. --data takes a folder with one sub-folder for each class, "
            "such as happy and sad."
        )
    tree = walk(folder)
    found = {
        name: [join(name, file) for file in files if is_image(file)]
        for name, files in tree.folders.items()
    }
    _refuse_strays(tree, {name: files for name, files in found.items() if files}, left)
    top = [name for name in found if name and "/" not in name]
    for name in sorted(left - set(found)):
        raise CompanionError(
            f"--leave-out {name}: {folder} has no such sub-folder with files in it: "
            f"{nearest(name, top)}"
        )
    _refuse_classes_without_images(tree, found, left)
    classes = {
        name: files for name, files in found.items() if "/" not in name and (files or name in left)
    }
    mapping = {name: None if name in left else EMOTIONS[_label(tree, name)] for name in classes}
    images: dict[int, list[str]] = {}
    for name, emotion in mapping.items():
        if emotion:
            images.setdefault(EMOTIONS.index(emotion), []).extend(classes[name])
    if not images:
        raise CompanionError(
            f"{folder} has no images to test on. Expected one sub-folder for each class, such as"
            f" happy and sad, with files ending in {', '.join(IMAGE_ENDINGS)}."
        )
    others = [
        join(name, file)
        for name, files in tree.folders.items()
        if name.split("/")[0] not in left
        for file in files
        if not is_image(file)
    ]
    notes = left_out(tree.junk) + left_out(others, what="files that are no images by their names")
    return ClassFolders(
        tree, images, mapping, {name: len(files) for name, files in classes.items()}, notes
    )


def read_class_folders(
    folders: ClassFolders, *, size: int, channels: int
) -> tuple[FaceSet, list[str]]:
    """Every image as uint8 [N, size, size, channels] with its label, and sentences on what was
    converted.

    Raises CompanionError that names the files that can't be read: leaving them out would change the
    result.
    """
    names = [name for label in sorted(folders.images) for name in folders.images[label]]
    labels = [label for label in sorted(folders.images) for _ in folders.images[label]]
    images, converted, broken = (
        np.empty((len(names), size, size, channels), np.uint8),
        Counter(),
        [],
    )
    for position, name in enumerate(names):
        try:
            image, notes = read_photo(folders.tree.path / name, channels=channels)
            images[position] = squared(image, size)
            converted.update(note.split(" ", 3)[3] for note in notes)  # after "1 image has"
            converted["another shape than a square: stretched to one."] += (
                image.shape[0] != image.shape[1]
            )
        except CompanionError as problem:
            broken.append(str(problem))
    if broken:
        more = [f"... and {len(broken) - _SHOWN} more"] if len(broken) > _SHOWN else []
        raise CompanionError(
            "\n".join(
                [
                    f"{len(broken)} of {len(names)} images can't be read. Mend or remove them:",
                    *broken[:_SHOWN],
                    *more,
                ]
            )
        )
    faces = FaceSet(
        images, np.array(labels, np.int64), np.array(names), np.full(len(names), "class folder")
    )
    return faces, [
        f"{count:,} of {len(names):,} images have {kind}"
        for kind, count in sorted(converted.items())
        if count
    ]


@dataclass(frozen=True)
class CrossTest:
    """The result of one test; ``predictions`` are rows as of ``training.predictions_table``."""

    predictions: pd.DataFrame
    notes: list[str]


def cross_test(trained: Trained, folders: ClassFolders, *, device: str = "auto") -> CrossTest:
    """Reads every image of the folders and lets the network predict each once."""
    faces, notes = read_class_folders(
        folders, size=trained.model.image_size, channels=trained.channels
    )
    numbered = replace(faces, ids=np.arange(len(faces)).astype(str))
    answers = predictions_table(numbered, class_probabilities(trained, faces, device=device))
    answers["id"] = names_column(faces.ids.tolist())
    return CrossTest(answers, [*folders.notes, *notes, *copies_note(faces.ids.tolist())])


def macro_f1(labels, predicted, axis: int = -1):
    """The mean of the F1 scores of the emotions that occur in ``labels``, 0..1, along an axis of
    label arrays."""
    labels, predicted = np.asarray(labels), np.asarray(predicted)
    scores = []
    for label in range(len(EMOTIONS)):
        true, found = labels == label, predicted == label
        occurs = true.sum(axis)
        f1 = 2 * (true & found).sum(axis) / np.maximum(occurs + found.sum(axis), 1)
        scores.append(np.where(occurs > 0, f1, np.nan))
    return np.nanmean(scores, axis=0)


def macro_f1_interval(
    labels: np.ndarray, predicted: np.ndarray, confidence: float
) -> tuple[float, float]:
    """Percentile bootstrap over the images, both ends in 0..1; the same every time it is asked."""
    found = bootstrap(
        (labels, predicted),
        macro_f1,
        paired=True,
        vectorized=True,
        n_resamples=RESAMPLES,
        batch=64,
        method="percentile",
        confidence_level=confidence,
        rng=np.random.default_rng(0),
    )
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


def balanced_accuracy(labels: np.ndarray, predicted: np.ndarray) -> float:
    """The mean of the accuracies of the emotions that occur in ``labels``, 0..1."""
    with warnings.catch_warnings():
        # of predicted emotions that have no images, and of a single one
        warnings.simplefilter("ignore")
        return balanced_accuracy_score(labels, predicted)


def report_lines(test: CrossTest, profile) -> list[str]:
    """Accuracy of each class with its number of images and Wilson interval, balanced accuracy,
    macro-F1, confusion; for readers."""
    frame = test.predictions
    labels, predicted = (
        frame[column].map(EMOTIONS.index).to_numpy() for column in ("emotion", "predicted")
    )
    emotions = len(set(labels))
    over = (
        f"over the {emotions} emotions that have images"
        if emotions > 1
        else "of the one emotion that has images: nothing tells which other faces are taken for it"
    )
    return [
        "",
        text_table(_accuracy_table(frame, profile)),
        "",
        f"Balanced accuracy {100 * balanced_accuracy(labels, predicted):.1f} % (mean {over}).",
        (
            f"Macro-F1 {100 * macro_f1(labels, predicted):.1f} % "
            f"({_f1_interval(labels, predicted, profile)}; mean {over})."
        ),
        "",
        "Confusion, rows the labels, columns the predictions:",
        _confusion(frame),
    ]


def _f1_interval(labels: np.ndarray, predicted: np.ndarray, profile) -> str:
    if len(labels) < 2:
        return "no interval: a bootstrap over one image has nothing to draw from"
    confidence = profile.evaluation.confidence
    low, high = macro_f1_interval(labels, predicted, confidence)
    return (
        f"{confidence:.0%} interval {100 * low:.1f} to {100 * high:.1f}, bootstrap over"
        f" {len(labels):,} images"
    )


def _accuracy_table(frame: pd.DataFrame, profile) -> pd.DataFrame:
    rows = class_accuracy(frame.assign(dataset="", level="", seed=0), profile)
    rows = rows[rows["n"] > 0]
    interval = [
        f"{low:.1f} to {high:.1f}" for low, high in zip(rows["low"], rows["high"], strict=True)
    ]
    return pd.DataFrame(
        {
            "emotion": rows["emotion"],
            "images": rows["n"],
            "accuracy in %": rows["accuracy"].round(1),
            f"{profile.evaluation.confidence:.0%} interval (Wilson)": interval,
        }
    )


def _confusion(frame: pd.DataFrame) -> str:
    counts = confusion_matrix(frame["emotion"], frame["predicted"], labels=list(EMOTIONS))
    return pd.DataFrame(counts, index=EMOTIONS, columns=EMOTIONS).to_string()


def _label(tree: Tree, name: str) -> int:
    try:
        return emotion_index(name)
    except CompanionError as problem:
        raise CompanionError(
            f"{tree.where(name)} is none of the seven emotions. {problem} If its images "
            "show one of these, rename the folder; else leave it out with --leave-out "
            f"'{name}'."
        ) from problem


def _refuse_classes_without_images(tree: Tree, found: dict[str, list[str]], left: set[str]) -> None:
    """A class that would go untested in silence, its files being of another kind."""
    for name, images in found.items():
        if not images and name not in left and name.lower() in emotion_labels():
            files = tree.folders[name]
            raise CompanionError(
                f"{tree.where(name)} is a class by its name, but none of its {len(files):,} "
                f"files is an image by its own, the first is {files[0]}. Save them as PNG "
                f"or JPEG, or leave the folder out with --leave-out '{name}'."
            )


def _refuse_strays(tree: Tree, found: dict[str, list[str]], left: set[str]) -> None:
    """An image at the top or too deep has no class; what can't be looked into could hold some."""
    for name, problem in sorted(tree.problems.items()):
        if name.split("/")[0] not in left:
            raise CompanionError(f"{tree.where(name)} {problem}.")
    for name, files in found.items():
        top = name.split("/")[0]
        if name and ("/" not in name or top in left):
            continue
        hint = (
            f" To test on one part of a data set, name it: --data {tree.path / top}."
            if name
            else ""
        )
        raise CompanionError(
            f"{tree.where(files[0])} lies in no class folder, so it has no label. Images belong"
            f" right into sub-folders such as {tree.path / 'happy'}.{hint}"
        )
