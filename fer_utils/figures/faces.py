"""Faces: samples of a set, and the synthetic examples of Fig. 3."""

import textwrap

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.faces import FaceSet
from fer_utils.figures.describing import described, listed, one_line
from fer_utils.figures.style import (
    EMOTION_COLOURS,
    EMOTION_TITLES,
    PAGE,
    SMALLEST,
    bare,
    new_figure,
    show_face,
    styled,
)

GENERATOR_TITLES = {"sd2": "Stable Diffusion 2", "sd3": "Stable Diffusion 3"}
_FACE, _LINE = 1.06, 0.098  # inches: a face with its gaps, a line of its prompt


@styled
def sample_grid(faces: FaceSet, per_class: int = 10, title: str = "") -> Figure:
    """The first ``per_class`` faces of each emotion, one row per emotion; a class with fewer leaves
    gaps."""
    figure = new_figure(PAGE, 0.3 + (PAGE - 0.6) / per_class * len(EMOTIONS))
    _grid(figure, faces, per_class, title)
    return described(figure, _in_words(faces, per_class, title or "faces"))


@styled
def sample_grids(sets: dict[str, FaceSet], per_class: int = 6) -> Figure:
    """A ``sample_grid`` of each set under its title, side by side."""
    width = PAGE / max(len(sets), 2)  # a single set fills half a page
    figure = new_figure(width * len(sets), 0.3 + (width - 0.6) / per_class * len(EMOTIONS))
    for part, (title, faces) in zip(np.ravel(figure.subfigures(1, len(sets))), sets.items()):
        _grid(part, faces, per_class, title)
    return described(figure, *(_in_words(faces, per_class, title) for title, faces in sets.items()))


def _in_words(faces: FaceSet, per_class: int, title: str) -> str:
    """Size, colour and number of the faces shown, and of which emotions there are fewer than asked
    for."""
    height, width, channels = faces.images.shape[1:]
    few = {name: count for name, count in faces.counts().items() if count < per_class}
    fewer = f", only {listed(f'{count} of {name}' for name, count in few.items())}" if few else ""
    return (
        f"Grid of faces, {title}: a row for each of {len(EMOTIONS)} emotions, {per_class} faces a"
        f" row{fewer}, {height}×{width} pixels in {'gray' if channels == 1 else 'colour'}."
    )


def _grid(figure, faces: FaceSet, per_class: int, title: str) -> None:
    panels = figure.subplots(len(EMOTIONS), per_class, squeeze=False)
    for label, (emotion, row) in enumerate(zip(EMOTIONS, panels)):
        images = faces.images[faces.labels == label][:per_class]
        for place, axes in enumerate(row):
            bare(axes)
            if place < len(images):
                show_face(axes, images[place])
        row[0].set_ylabel(EMOTION_TITLES[emotion], rotation=0, ha="right", va="center")
    figure.suptitle(title)


@styled
def figure_3_synthetic_examples(
    pool: FaceSet,
    manifest: pd.DataFrame,
    *,
    per_generator: int = 2,
    titles: dict[str, str] | None = None,
) -> Figure:
    """Fig. 3: synthetic faces with the prompts they were made from, one column per emotion.

    Args:
        pool: synthetic faces with ids from ``manifest``.
        manifest: columns id, generator, emotion, prompt; the first ``per_generator`` images of each
            generator and emotion are drawn, preferring prompts not drawn yet.
        per_generator: rows of images for each generator that made any.
        titles: what to call each generator; the models of the paper by default.
    """
    titles = GENERATOR_TITLES | (titles or {})
    generators = [name for name in titles if (manifest["generator"] == name).any()]
    examples = {
        emotion: pd.concat(
            [_first_examples(manifest, name, emotion, per_generator) for name in generators]
        )
        for emotion in EMOTIONS
    }
    captions = pd.DataFrame(
        {
            emotion: [_wrapped(prompt) for prompt in rows["prompt"]]
            for emotion, rows in examples.items()
        }
    )
    lines = captions.map(lambda text: text.count("\n") + 1).max(axis=1)
    heights = _FACE + _LINE * lines
    figure = new_figure(PAGE, 0.35 + heights.sum())
    panels = figure.subplots(len(captions), len(EMOTIONS), squeeze=False, height_ratios=heights)
    position = {face: place for place, face in enumerate(pool.ids)}
    for column, emotion in enumerate(EMOTIONS):
        for axes, face, caption in zip(
            panels[:, column], examples[emotion]["id"], captions[emotion]
        ):
            bare(axes)
            axes.set_anchor("N")
            if face in position:
                show_face(axes, pool.images[position[face]])
                axes.set_xlabel(caption, size=SMALLEST, labelpad=2, linespacing=1.05)
        panels[0, column].set_title(EMOTION_TITLES[emotion], weight="bold")
        _underline(panels[0, column], EMOTION_COLOURS[emotion])
    for place, name in enumerate(generators):
        panels[place * per_generator, 0].set_ylabel(titles[name], size=7.5)
    return described(
        figure,
        "Synthetic faces with the prompts they were made from: a column for each of"
        f" {len(EMOTIONS)} emotions, rows by {listed(titles[name] for name in generators)},"
        f" {per_generator} each. The first of each emotion:",
        "; ".join(f"{emotion} {one_line(captions[emotion][0])}" for emotion in EMOTIONS) + ".",
    )


def _first_examples(
    manifest: pd.DataFrame, generator: str, emotion: str, count: int
) -> pd.DataFrame:
    """``count`` rows of one generator and emotion, each prompt once while there are enough; padded
    with gaps."""
    rows = manifest[(manifest["generator"] == generator) & (manifest["emotion"] == emotion)]
    rows = rows.assign(again=rows.duplicated("prompt")).sort_values("again", kind="stable")[:count]
    gaps = pd.DataFrame({"id": [""] * (count - len(rows)), "prompt": ""})
    return pd.concat([rows, gaps]) if len(gaps) else rows


def _underline(axes, colour: str) -> None:
    axes.plot(
        [0, 1], [1.02, 1.02], color=colour, linewidth=2, clip_on=False, transform=axes.transAxes
    )


def _wrapped(prompt: str) -> str:
    return "\n".join(textwrap.wrap(f"“{prompt}”", 20)) if prompt else ""
