"""The small pictures in the boxes of Fig. 2."""

import textwrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from fer_utils.core.emotions import EMOTIONS
from fer_utils.figures.diagram import cuboid
from fer_utils.figures.network_parts import STAGE_COLOURS
from fer_utils.figures.style import EMOTION_COLOURS, FAINT, INK, show_face

Point = tuple[float, float]


def draw_example(board: Axes, corner: Point, size: Point, stage: str, example) -> None:
    """Draw ``example`` into the rectangle of that corner and size (inches); nothing for None.

    Training and evaluation have pictograms: nothing that could be read as a result.
    """
    if example is None:
        return
    if stage == "training":
        _network(board, corner, size)
    elif stage == "evaluation":
        _diagonal(board, corner, size)
    elif isinstance(example, str):
        text = "\n".join(textwrap.wrap(f"“{example}”", 18))
        board.text(
            corner[0] + size[0] / 2,
            corner[1] + size[1] / 2,
            text,
            ha="center",
            va="center",
            size=6.2,
            style="italic",
        )
    elif isinstance(example, tuple):
        _bars(board, corner, size, *example)
    else:
        _faces(board, corner, size, example)


def _faces(board: Axes, corner: Point, size: Point, images: np.ndarray) -> None:
    """Up to four faces in two rows."""
    side, gap = (size[1] - 0.04) / 2, 0.04
    left = corner[0] + (size[0] - 2 * side - gap) / 2
    for place, image in enumerate(images[:4]):
        spot = (left + place % 2 * (side + gap), corner[1] + (1 - place // 2) * (side + gap))
        show_face(board.inset_axes([*spot, side, side], transform=board.transData), image)


def _bars(
    board: Axes, corner: Point, size: Point, real: dict[str, int], totals: dict[str, int]
) -> None:
    """Real images solid, synthetic ones hatched on top, as in the figure of the class counts."""
    step, scale = size[0] / len(EMOTIONS), 0.92 * size[1] / max(totals.values())
    for place, name in enumerate(EMOTIONS):
        left, colour = corner[0] + (place + 0.12) * step, EMOTION_COLOURS[name]
        solid, whole = real[name] * scale, totals[name] * scale
        board.add_patch(
            Rectangle(
                (left, corner[1]),
                0.76 * step,
                solid,
                facecolor=colour,
                edgecolor=INK,
                linewidth=0.3,
            )
        )
        board.add_patch(
            Rectangle(
                (left, corner[1] + solid),
                0.76 * step,
                whole - solid,
                facecolor="white",
                edgecolor=colour,
                hatch="//////",
                linewidth=0.5,
            )
        )


def _network(board: Axes, corner: Point, size: Point) -> None:
    """The road of Fig. 1 in miniature."""
    middle, left = corner[1] + size[1] / 2 - 0.06, corner[0] + 0.01
    for place, stage in enumerate(
        ("stem", "stem", "attention", "residual", "residual", "classifier")
    ):
        height = 0.56 - 0.085 * place
        length = 0.035 + 0.012 * place
        cuboid(
            board,
            left,
            middle,
            length=length,
            height=height,
            depth=0.22 * height,
            colour=STAGE_COLOURS[stage],
        )
        left += length + 0.22 * height - 0.012


def _diagonal(board: Axes, corner: Point, size: Point) -> None:
    """An empty confusion matrix whose diagonal has the colours of the emotions."""
    step = size[1] / len(EMOTIONS)
    left = corner[0] + (size[0] - size[1]) / 2
    for row, name in enumerate(EMOTIONS):
        for column in range(len(EMOTIONS)):
            spot = (left + column * step, corner[1] + (len(EMOTIONS) - 1 - row) * step)
            board.add_patch(
                Rectangle(
                    spot,
                    step,
                    step,
                    linewidth=0.3,
                    edgecolor=FAINT,
                    facecolor=EMOTION_COLOURS[name] if row == column else "white",
                )
            )
