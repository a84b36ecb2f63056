"""Rows of faces with a line under each: mistakes, and what a network looks at."""

import numpy as np
from matplotlib.figure import Figure

from fer_utils.figures.style import PAGE, bare, new_figure, styled

COLUMNS = 7
"""Faces in a row at most; a face keeps its size where there are fewer."""
_TITLE, _LINE = 0.22, 0.13   # inches


@styled
def captioned_faces(rows: dict[str, list[tuple[np.ndarray, str]]]) -> Figure:
    """One row of faces per title, each face with its caption below.

    Args:
        rows: for each title (printed above its row) at most ``COLUMNS`` pairs of a face, uint8 [H, W, 1 or 3], and a
            caption, which may have line breaks.
    """
    cell = (PAGE - 0.1) / COLUMNS
    heights = [_TITLE + cell + _LINE * _lines(faces) for faces in rows.values()]
    figure = new_figure(PAGE, sum(heights) or _TITLE)
    figure.set_layout_engine("none")
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, PAGE), ylim=(sum(heights) or _TITLE, 0))
    bare(axes)
    top = 0.0
    for (title, faces), height in zip(rows.items(), heights):
        axes.text(0.05, top + _TITLE / 2, title, va="center", weight="bold")
        for place, (image, caption) in enumerate(faces[:COLUMNS]):
            left, upper = 0.05 + place * cell, top + _TITLE
            axes.imshow(image[..., 0] if image.shape[2] == 1 else image, cmap="gray", vmin=0, vmax=255, zorder=2,
                        extent=(left + 0.02, left + cell - 0.02, upper + cell - 0.04, upper), aspect="auto")
            axes.text(left + cell / 2, upper + cell - 0.01, caption, ha="center", va="top", size=6, linespacing=1.1)
        top += height
    axes.set(xlim=(0, PAGE), ylim=(sum(heights) or _TITLE, 0))
    return figure


def _lines(faces: list[tuple[np.ndarray, str]]) -> int:
    return max((caption.count("\n") + 1 for _, caption in faces if caption), default=0)
