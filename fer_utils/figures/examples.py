"""Rows of faces with a line under each: mistakes, and what a network looks at."""

import numpy as np
from matplotlib.figure import Figure

from fer_utils.figures.describing import described
from fer_utils.figures.style import PAGE, SMALLEST, drawing_board, new_figure, styled

COLUMNS = 7
"""Faces in a row at most; a face keeps its size where there are fewer."""
_TITLE, _LINE = 0.22, 0.13  # inches


@styled
def captioned_faces(rows: dict[str, list[tuple[np.ndarray, str]]]) -> Figure:
    """One row of faces per title, each face with its caption below.

    Args:
        rows: for each title (printed above its row) at most ``COLUMNS`` pairs of a face, uint8 [H,
        W, 1 or 3], and a
            caption, which may have line breaks.
    """
    cell = (PAGE - 0.1) / COLUMNS
    heights = [_TITLE + cell + _LINE * _lines(faces) for faces in rows.values()]
    whole = sum(heights) or _TITLE
    figure = new_figure(PAGE, whole)
    # one axes for all faces: a panel for each takes a second to lay out
    board = drawing_board(figure, PAGE, whole)
    top = whole
    for (title, faces), height in zip(rows.items(), heights):
        board.text(0.05, top - _TITLE / 2, title, va="center", weight="bold")
        for place, (image, caption) in enumerate(faces[:COLUMNS]):
            left, lower = 0.05 + place * cell, top - _TITLE - cell
            board.imshow(
                image[..., 0] if image.shape[2] == 1 else image,
                cmap="gray",
                vmin=0,
                vmax=255,
                extent=(left + 0.02, left + cell - 0.02, lower + 0.04, lower + cell),
            )
            board.text(
                left + cell / 2,
                lower + 0.02,
                caption,
                ha="center",
                va="top",
                size=SMALLEST,
                linespacing=1.1,
            )
        top -= height
    board.set(xlim=(0, PAGE), ylim=(0, whole))
    return described(
        figure, "Rows of faces with captions.", *(_in_words(*row) for row in rows.items())
    )


def _in_words(title: str, faces: list[tuple[np.ndarray, str]]) -> str:
    """The title of a row, how many faces it has, and their captions."""
    captions = [", ".join(caption.splitlines()) for _, caption in faces[:COLUMNS] if caption]
    return f"{title}: {len(faces[:COLUMNS])} pictures{': ' * bool(captions)}{'; '.join(captions)}."


def _lines(faces: list[tuple[np.ndarray, str]]) -> int:
    return max((caption.count("\n") + 1 for _, caption in faces if caption), default=0)
