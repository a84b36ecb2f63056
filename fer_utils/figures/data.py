"""What is in a data set before anything is done to it: mean faces, brightness, twins, doubtful
labels."""

import textwrap

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.faces import FaceSet
from fer_utils.figures.describing import described, listed, shortened, span
from fer_utils.figures.matrices import matrix_in_words, share_bar, share_matrix
from fer_utils.figures.style import (
    EMOTION_COLOURS,
    EMOTION_TITLES,
    FAINT,
    INK,
    LEVEL_COLOURS,
    PAGE,
    SMALLEST,
    bare,
    new_figure,
    show_face,
    styled,
)


@styled
def mean_faces(sets: dict[str, FaceSet]) -> Figure:
    """The mean picture of each emotion, a row per data set (by title), with the mean of all faces
    first."""
    figure = new_figure(PAGE, 0.25 + 1.0 * len(sets))
    panels = figure.subplots(len(sets), len(EMOTIONS) + 1, squeeze=False)
    for row, (title, faces) in zip(panels, sets.items()):
        chosen = [
            np.ones(len(faces), bool),
            *(faces.labels == label for label in range(len(EMOTIONS))),
        ]
        for axes, mask in zip(row, chosen):
            bare(axes)
            if mask.any():
                show_face(axes, np.rint(faces.images[mask].mean(axis=0)).astype(np.uint8))
                axes.set_xlabel(f"n = {mask.sum():,}", size=SMALLEST, labelpad=3)
        row[0].set_ylabel("\n".join(textwrap.wrap(title, 14)), size=7)
    for axes, name in zip(panels[0], ["All", *EMOTION_TITLES.values()]):
        axes.set_title(name)
    return described(
        figure,
        "Mean faces: of all training faces and of each emotion.",
        *(
            f"{title}: n = {len(faces):,}; mean distance of an emotion's mean face from that of"
            f" all, in gray values: {span(_distances(faces))}."
            for title, faces in sets.items()
        ),
    )


def _distances(faces: FaceSet) -> dict[str, float]:
    """Emotion -> mean absolute difference of its mean face and that of all faces."""
    whole = faces.images.mean(axis=0)
    return {
        name: float(np.abs(faces.images[faces.labels == label].mean(axis=0) - whole).mean())
        for label, name in enumerate(EMOTIONS)
        if (faces.labels == label).any()
    }


@styled
def pixel_statistics(sets: dict[str, FaceSet]) -> Figure:
    """Per data set (by title) how often each gray value occurs, and per emotion how bright faces
    are and how much contrast they have: boxes from the first to the third quartile, whiskers to the
    5th and 95th percentile."""
    figure = new_figure(PAGE, 0.15 + 1.9 * len(sets))
    panels = figure.subplots(len(sets), 3, squeeze=False, width_ratios=(1.1, 1, 1), sharex="col")
    words = []
    for row, (title, faces) in zip(panels, sets.items()):
        values = faces.images.mean(axis=3)
        share = 100 * np.histogram(values, bins=64, range=(0, 256))[0] / values.size
        row[0].fill_between(
            np.arange(64) * 4 + 2, share, color=LEVEL_COLOURS["aug1"], edgecolor=INK, linewidth=0.6
        )
        row[0].set(xlim=(0, 255), ylim=(0, None), ylabel=f"{textwrap.fill(title, 16)}\npixels (%)")
        numbers = values.mean(axis=(1, 2)), values.std(axis=(1, 2))
        for axes, number in zip(row[1:], numbers):
            _boxes(axes, faces, number)
        words.append(
            f"{title}: median brightness {span(_medians(faces, numbers[0]))}, median contrast "
            f"{span(_medians(faces, numbers[1]))}."
        )
    for axes, name in zip(
        panels[0], ("gray values of all pixels", "brightness of a face", "contrast of a face")
    ):
        axes.set_title(name)
    for axes, name in zip(
        panels[-1], ("gray value (0 to 255)", "mean gray value (0 to 255)", "sd of gray values")
    ):
        axes.set_xlabel(name)
    return described(
        figure,
        "Histograms of gray values (0 to 255), and box plots of brightness and contrast by"
        " emotion.",
        *words,
    )


def _medians(faces: FaceSet, number: np.ndarray) -> dict[str, float]:
    return {
        name: float(np.median(number[faces.labels == label]))
        for label, name in enumerate(EMOTIONS)
        if (faces.labels == label).any()
    }


def _boxes(axes, faces: FaceSet, number: np.ndarray) -> None:
    frame = pd.DataFrame({"emotion": np.array(EMOTIONS)[faces.labels], "number": number})
    sns.boxplot(
        frame,
        x="number",
        y="emotion",
        order=EMOTIONS,
        hue="emotion",
        hue_order=EMOTIONS,
        legend=False,
        palette=EMOTION_COLOURS,
        saturation=1,
        fliersize=0,
        whis=(5, 95),
        width=0.7,
        linewidth=0.6,
        linecolor=FAINT,
        ax=axes,
    )
    axes.set_yticks(
        range(len(EMOTIONS)),
        [f"{EMOTION_TITLES[name]} ({count:,})" for name, count in faces.counts().items()],
    )
    axes.set(xlabel="", ylabel="")
    axes.tick_params(axis="y", length=0, pad=3)
    axes.grid(axis="x")


@styled
def twin_pairs(pairs: list[tuple[np.ndarray, np.ndarray, str]], *, columns: int = 6) -> Figure:
    """Pairs of a training face and a face of another split that resembles it, each (left uint8 [H,
    W, C], right, lines of text under both: 'label | label', then what was found and the
    correlation)."""
    rows = max(1, -(-len(pairs) // columns))
    captions = [_wrapped(text, 144 // columns) for *_, text in pairs]
    lines = max((caption.count("\n") + 1 for caption in captions), default=0)
    figure = new_figure(PAGE, 0.25 + (0.72 + 0.1 * lines) * rows)
    figure.suptitle(
        "left: training face, right: held-out face; below: their labels, and what the gate did or"
        " found, with the correlation",
        size=7.5,
    )
    panels = figure.subplots(rows, columns, squeeze=False)
    for axes in panels.flat:
        axes.axis("off")
    for axes, (left, right, _), caption in zip(panels.flat, pairs, captions):
        axes.axis("on")
        show_face(axes, pair_of_faces(left, right))
        axes.set_xlabel(caption, size=SMALLEST, labelpad=2)
    return described(
        figure,
        f"{len(pairs)} pairs of faces: a training face and the held-out face it is a copy of or"
        f" most like, with their labels: {shortened((text for *_, text in pairs), 6) or 'none'}.",
    )


def _wrapped(text: str, width: int) -> str:
    return "\n".join(line for part in text.splitlines() for line in textwrap.wrap(part, width))


def pair_of_faces(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Two faces of any size side by side: uint8 [48, 99, 3]."""
    return np.concatenate(
        [_square(left), np.full((48, 3, 3), 255, np.uint8), _square(right)], axis=1
    )


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
    figure = new_figure(PAGE, 2.8)
    panels = figure.subplots(1, max(2, len(matrices)), squeeze=False)[0]
    for axes, (title, counts) in zip(panels, matrices.items()):
        image = share_matrix(
            axes, counts.to_numpy(), counts.columns, xlabel=opinion, ylabel="label (faces)"
        )
        axes.set_title(title)
    for axes in panels[len(matrices) :]:
        axes.axis("off")
    share_bar(figure, image, panels, "share of the label (%)")
    return described(
        figure,
        f"{listed(matrices)}: labels of the test faces against the {opinion}, as matrices of"
        " shares.",
        *(
            f"{title}: {matrix_in_words(counts.to_numpy(), 'faces the same')}"
            for title, counts in matrices.items()
        ),
    )
