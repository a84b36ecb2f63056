"""What is in a data set before anything is done to it: mean faces, brightness, twins, doubtful labels."""

import textwrap

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from fer_utils.emotions import EMOTIONS
from fer_utils.faces import FaceSet
from fer_utils.figures.results import share_matrix
from fer_utils.figures.style import (EMOTION_COLOURS, EMOTION_TITLES, FAINT, INK, LEVEL_COLOURS, PAGE, bare, new_figure,
                                     show_face, styled)


@styled
def mean_faces(sets: dict[str, FaceSet]) -> Figure:
    """The mean picture of each emotion, a row per data set (by title), with the mean of all faces first."""
    figure = new_figure(PAGE, 0.25 + 1.0 * len(sets))
    panels = figure.subplots(len(sets), len(EMOTIONS) + 1, squeeze=False)
    for row, (title, faces) in zip(panels, sets.items()):
        chosen = [np.ones(len(faces), bool), *(faces.labels == label for label in range(len(EMOTIONS)))]
        for axes, mask in zip(row, chosen):
            bare(axes)
            if mask.any():
                show_face(axes, np.rint(faces.images[mask].mean(axis=0)).astype(np.uint8))
                axes.set_xlabel(f"{mask.sum():,}", size=6, labelpad=1)
        row[0].set_ylabel("\n".join(textwrap.wrap(title, 14)), size=7)
    for axes, name in zip(panels[0], ["All", *EMOTION_TITLES.values()]):
        axes.set_title(name)
    return figure


@styled
def pixel_statistics(sets: dict[str, FaceSet]) -> Figure:
    """Per data set (by title) how often each gray value occurs, and per emotion how bright faces are and how much
    contrast they have: boxes from the first to the third quartile, whiskers to the 5th and 95th percentile."""
    figure = new_figure(PAGE, 0.15 + 1.9 * len(sets))
    panels = figure.subplots(len(sets), 3, squeeze=False, width_ratios=(1.1, 1, 1))
    for row, (title, faces) in zip(panels, sets.items()):
        values = faces.images.mean(axis=3)
        share = 100 * np.histogram(values, bins=64, range=(0, 256))[0] / values.size
        row[0].fill_between(np.arange(64) * 4 + 2, share, color=LEVEL_COLOURS["aug1"], edgecolor=INK, linewidth=0.6)
        row[0].set(xlim=(0, 255), ylim=(0, None), ylabel=f"{textwrap.fill(title, 16)}\npixels (%)")
        for axes, number in zip(row[1:], (values.mean(axis=(1, 2)), values.std(axis=(1, 2)))):
            _boxes(axes, faces, number)
    for axes, name in zip(panels[0], ("gray values", "mean brightness of a face", "contrast (sd) of a face")):
        axes.set_title(name)
    panels[-1][0].set_xlabel("gray value (0 to 255)")
    return figure


def _boxes(axes, faces: FaceSet, number: np.ndarray) -> None:
    frame = pd.DataFrame({"emotion": np.array(EMOTIONS)[faces.labels], "number": number})
    sns.boxplot(frame, x="number", y="emotion", order=EMOTIONS, hue="emotion", hue_order=EMOTIONS, legend=False,
                palette=EMOTION_COLOURS, saturation=1, fliersize=0, whis=(5, 95), width=0.7, linewidth=0.6,
                linecolor=FAINT, ax=axes)
    axes.set_yticks(range(len(EMOTIONS)), EMOTION_TITLES.values())
    axes.set(xlabel="", ylabel="")
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")


@styled
def twin_pairs(pairs: list[tuple[np.ndarray, np.ndarray, str]], *, columns: int = 6) -> Figure:
    """Pairs of faces side by side, each (left uint8 [H, W, C], right, lines of text under both)."""
    rows = max(1, -(-len(pairs) // columns))
    figure = new_figure(PAGE, 0.05 + 0.92 * rows)
    panels = figure.subplots(rows, columns, squeeze=False)
    for axes in panels.flat:
        axes.axis("off")
    for axes, (left, right, text) in zip(panels.flat, pairs):
        axes.axis("on")
        show_face(axes, pair_of_faces(left, right))
        axes.set_xlabel(text, size=5.6, labelpad=2)
    return figure


def pair_of_faces(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Two faces of any size side by side: uint8 [48, 99, 3]."""
    return np.concatenate([_square(left), np.full((48, 3, 3), 255, np.uint8), _square(right)], axis=1)


def _square(image: np.ndarray) -> np.ndarray:
    """uint8 [48, 48, 3] of a face of any size."""
    face = FaceSet(image[None], np.zeros(1, np.int64), np.array([""]), np.array([""]))
    return face.resize(48, channels=3).images[0]


@styled
def label_noise(matrices: dict[str, pd.DataFrame], opinion: str) -> Figure:
    """How faces under each label look to a second opinion: one matrix per data set (by title).

    Args:
        matrices: counts as ``label_noise.agreement_matrix`` makes them.
        opinion: whose opinion it is, for the axis.
    """
    figure = new_figure(PAGE, 3.4)
    panels = figure.subplots(1, max(2, len(matrices)), squeeze=False)[0]
    for axes, (title, counts) in zip(panels, matrices.items()):
        image = share_matrix(axes, counts.to_numpy(), counts.columns, xlabel=opinion, ylabel="label (faces)")
        axes.set_title(title)
    for axes in panels[len(matrices):]:
        axes.axis("off")
    bar = figure.colorbar(image, ax=panels, shrink=0.5, aspect=40, location="right")
    bar.set_label("share of the label (%)")
    bar.outline.set_linewidth(0.4)
    return figure
