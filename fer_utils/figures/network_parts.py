"""The lower half of Fig. 1: what is inside a stem unit, the SE block, a residual block and the
classifier."""

from matplotlib.axes import Axes

from fer_utils.figures.diagram import arrow, box, operator, path
from fer_utils.figures.style import PAGE, SMALLEST

STAGE_COLOURS = {
    "input": "#d9d9d9",
    "stem": "#8db9dc",
    "attention": "#eda63a",
    "residual": "#5cba8c",
    "pooling": "#bdbdbd",
    "classifier": "#c38fc3",
}

TOP, STEP = 1.36, 0.235
UNIT = (1.08, 0.17)

Parts = dict[str, tuple[tuple[int, ...], int]]


def draw_parts(board: Axes, parts: Parts, dropout: tuple[float, float]) -> None:
    """Four columns; ``parts`` gives for each block's name the shape that leaves it and its
    parameters, ``dropout`` the rates of the backbone and of the classifier."""
    centres = [PAGE * share for share in (0.115, 0.36, 0.63, 0.885)]
    _stem(board, centres[0], dropout[0])
    _attention(board, centres[1], *parts["se"])
    _residual(board, centres[2])
    _classifier(board, centres[3], dropout[1])


def _column(
    board: Axes,
    centre: float,
    title: str,
    equation: str,
    steps: list[str],
    colour: str,
    *,
    width: float = UNIT[0],
) -> list[float]:
    """A column of boxes joined by arrows, read downwards; the heights of the boxes."""
    board.text(centre, TOP + 0.36, title, ha="center", va="bottom", size=6.8, weight="bold")
    board.text(centre, TOP + 0.29, equation, ha="center", va="center", size=6.4)
    heights = [TOP - STEP * place for place in range(len(steps))]
    for text, height in zip(steps, heights):
        if text:
            box(board, (centre, height), (width, UNIT[1]), text, colour=colour)
        arrow(
            board,
            (centre, height + STEP - UNIT[1] / 2 if height != TOP else TOP + 0.21),
            (centre, height + UNIT[1] / 2 if text else height + 0.075),
        )
    return heights


def _stem(board: Axes, centre: float, dropout: float) -> None:
    steps = ["3×3 conv", "batch norm", "ReLU", "2×2 max pool", f"dropout {dropout:g} *"]
    heights = _column(
        board, centre, "unit of the backbone (×3)", "image → $f_0$", steps, STAGE_COLOURS["stem"]
    )
    board.text(
        centre, heights[-1] - 0.14, "* not after conv3", ha="center", va="top", size=SMALLEST
    )


def _attention(board: Axes, centre: float, shape: tuple[int, ...], parameters: int) -> None:
    """Squeeze and excitation; its inner width follows from its parameters, two matrices without
    bias."""
    channels = shape[0]
    inner = parameters // (2 * channels)
    steps = [
        "global average pool",
        f"linear {channels} → {inner}, ReLU",
        f"linear {inner} → {channels}",
        "sigmoid",
        "",
    ]
    heights = _column(
        board,
        centre,
        "squeeze and excitation",
        r"$Y = w_s \cdot f_0$    (1)",
        steps,
        STAGE_COLOURS["attention"],
    )
    operator(board, (centre, heights[-1]), "x")
    side = centre - UNIT[0] / 2 - 0.14
    _bypass(board, centre, side, heights[-1], STAGE_COLOURS["attention"])
    board.text(side - 0.03, (TOP + heights[-1]) / 2, "$f_0$", ha="right", va="center", size=6.4)
    board.text(centre + 0.1, heights[-1] + 0.09, "$w_s$", ha="left", va="center", size=6.4)


def _residual(board: Axes, centre: float) -> None:
    steps = ["3×3 conv, stride 2", "batch norm, ReLU", "3×3 conv", "batch norm", "", "ReLU"]
    heights = _column(
        board,
        centre,
        "residual block (×3)",
        r"$Y_{res} = H(f_1) + f_1$    (2)",
        steps,
        STAGE_COLOURS["residual"],
    )
    operator(board, (centre, heights[4]), "+")
    side = centre - UNIT[0] / 2 - 0.33
    _bypass(board, centre, side, heights[4], STAGE_COLOURS["residual"])
    box(
        board,
        (side, (heights[1] + heights[2]) / 2),
        (0.56, 0.38),
        "1×1 conv,\nstride 2,\nbatch norm",
        colour="white",
    )


def _classifier(board: Axes, centre: float, dropout: float) -> None:
    steps = ["average pool to 1×1", f"linear, ReLU, dropout {dropout:g} (×3)", "linear", "softmax"]
    _column(
        board,
        centre,
        "classifier",
        r"$P_{out} = f_{cls}(\tilde{Y}_{feats})$    (3)",
        steps,
        STAGE_COLOURS["classifier"],
        width=1.5,
    )


def _bypass(board: Axes, centre: float, side: float, height: float, colour: str) -> None:
    """The path that leaves above the first box, runs down beside the column and meets the
    operator."""
    start = TOP + 0.15
    path(
        board,
        [(centre, start), (side, start), (side, height), (centre - 0.08, height)],
        colour=colour,
        width=1.2,
    )
