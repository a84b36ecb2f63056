"""Fig. 1: ResEmoteNet, drawn from what a real forward pass reports."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fer_utils.core.emotions import EMOTIONS
from fer_utils.figures.describing import described, listed
from fer_utils.figures.diagram import arrow, cuboid, operator, path
from fer_utils.figures.network_parts import STAGE_COLOURS, draw_parts
from fer_utils.figures.style import (
    ASIDE,
    EMOTION_COLOURS,
    EMOTION_TITLES,
    FAINT,
    INK,
    PAGE,
    SMALLEST,
    drawing_board,
    new_figure,
    show_face,
    styled,
)

HEIGHT = 4.1
ROAD = 2.98  # height of the road the features take from left to right
LEFT, RIGHT = 0.06, PAGE - 0.62
# A layer of one of these kinds begins a new block; batch norm, pooling and dropout belong to the
# block before.
FIRST_KINDS = {
    "Image": "input",
    "Conv2d": "stem",
    "SqueezeExcitation": "attention",
    "ResidualBlock": "residual",
    "AdaptiveAvgPool2d": "pooling",
    "Linear": "classifier",
}


@dataclass
class Block:
    """One block of the drawing: its stage, the shape that leaves it, its parameters, and its place
    in inches."""

    name: str
    stage: str
    shape: tuple[int, ...]
    parameters: int
    left: float = 0.0

    @property
    def height(self) -> float:
        """Grows with the map's side; vectors are drawn as bars that grow with their length."""
        if self.stage == "classifier":
            return 0.075 * math.log2(self.shape[0]) + 0.05
        return 0.165 * self.shape[-1] ** 0.38

    @property
    def length(self) -> float:
        """Grows with the logarithm of the number of channels."""
        if self.stage == "input":
            return self.height
        return 0.08 if self.stage == "classifier" else 0.036 * math.log2(self.shape[0])

    @property
    def depth(self) -> float:
        return 0.0 if self.stage in ("input", "classifier") else 0.28 * self.height

    @property
    def middle(self) -> float:
        return self.left + (self.length + self.depth) / 2

    @property
    def right(self) -> float:
        return self.left + self.length + self.depth


@styled
def figure_1_resemotenet(
    layers: Sequence[tuple], *, dropout: tuple[float, float], face: np.ndarray | None = None
) -> Figure:
    """Fig. 1: the network from image to probabilities, with the shape and parameters of every
    block.

    Args:
        layers: rows (name, kind, shape, parameters) in order of execution, as
            ``resemotenet.layer_shapes`` reports them.
        dropout: the network's own rates in the backbone and in the classifier (``dropout1.p``,
        ``dropout2.p``). face: an example for the input, uint8 [H, W, 1 or 3].
    """
    blocks = _placed(_blocks(layers))
    figure = new_figure(PAGE, HEIGHT)
    board = drawing_board(figure, PAGE, HEIGHT)
    for before, after in zip(blocks[:-1], blocks[1:]):
        arrow(board, (before.right + 0.01, ROAD), (after.left - 0.01, ROAD))
    for block in blocks:
        _draw(board, block, face)
        if block.stage != "classifier":
            _label(board, block)
    _bypasses(board, blocks)
    _symbols(board, blocks)
    _classes(board, blocks)
    _titles(board, blocks)
    draw_parts(board, {block.name: (block.shape, block.parameters) for block in blocks}, dropout)
    return described(figure, _in_words(blocks, dropout))


def _in_words(blocks: list[Block], dropout: tuple[float, float]) -> str:
    """The road from left to right, and where the parameters are."""
    total, largest = (
        sum(block.parameters for block in blocks),
        max(blocks, key=lambda block: block.parameters),
    )
    road = ", ".join(f"{block.name} {'×'.join(map(str, block.shape))}" for block in blocks)
    return (
        f"Diagram of ResEmoteNet from the image to {listed(EMOTIONS)}, each block with the shape"
        f" that leaves it: {road}. {total:,} parameters, {100 * largest.parameters / total:.0f} %"
        f" of them in {largest.name}. Skip paths lead round each residual block, an attention path"
        " round the SE block. Below, what is inside a unit of the backbone, the SE block, a"
        f" residual block and the classifier; dropout {dropout[0]:g} in the backbone,"
        f" {dropout[1]:g} in the classifier."
    )


def _blocks(layers: Sequence[tuple]) -> list[Block]:
    blocks: list[Block] = []
    for name, kind, shape, parameters in layers:
        if kind in FIRST_KINDS:
            blocks.append(Block(name, FIRST_KINDS[kind], tuple(shape), parameters))
        else:
            blocks[-1].shape = tuple(shape)
            blocks[-1].parameters += parameters
    return blocks


def _placed(blocks: list[Block]) -> list[Block]:
    """Spread the blocks evenly over the width; the bars of the classifier stand closer together."""
    weights = [_gap(before, after) for before, after in zip(blocks[:-1], blocks[1:])]
    room = RIGHT - LEFT - sum(block.length + block.depth for block in blocks)
    position = LEFT
    for block, weight in zip(blocks, [*weights, 0.0]):
        block.left = position
        position = block.right + room * weight / sum(weights)
    return blocks


_GAPS = {
    ("attention", "residual"): 2.1,
    ("residual", "residual"): 1.4,
    ("residual", "pooling"): 1.4,
    ("pooling", "classifier"): 1.9,
    ("classifier", "classifier"): 0.45,
}


def _gap(before: Block, after: Block) -> float:
    """The room between two blocks, as a share: wide beside residual blocks, for their skip paths,
    and where a symbol of the features stands."""
    return _GAPS.get((before.stage, after.stage), 1.1)


def _draw(board: Axes, block: Block, face: np.ndarray | None) -> None:
    if block.stage == "input" and face is not None:
        corner = (block.left, ROAD - block.height / 2)
        inset = board.inset_axes([*corner, block.height, block.height], transform=board.transData)
        show_face(inset, face)
        return
    cuboid(
        board,
        block.left,
        ROAD,
        length=block.length,
        height=block.height,
        depth=block.depth,
        colour=STAGE_COLOURS[block.stage],
    )


def _label(board: Axes, block: Block) -> None:
    """Name, shape of what leaves the block and number of parameters, in one line of text each."""
    shape = "×".join(map(str, block.shape))
    board.text(
        block.middle, ROAD - 0.56, block.name, ha="center", va="top", size=SMALLEST, weight="bold"
    )
    parameters = f"{block.parameters:,}" if block.parameters else "–"
    board.text(
        block.middle, ROAD - 0.67, f"{shape}\n{parameters}", ha="center", va="top", size=SMALLEST
    )


def _bypasses(board: Axes, blocks: list[Block]) -> None:
    """The skip path over each residual block and the attention path under the SE block."""
    for block in blocks[:-1]:
        if block.stage not in ("residual", "attention"):
            continue
        up = 1 if block.stage == "residual" else -1
        start, end = block.left - 0.07, block.right + 0.085
        height = ROAD + up * (0.44 if up > 0 else 0.36)
        path(
            board,
            [(start, ROAD), (start, height), (end, height), (end, ROAD + up * 0.06)],
            colour=STAGE_COLOURS[block.stage],
            width=1.1,
        )
        operator(board, (end, ROAD), "+" if up > 0 else "x", radius=0.055)
        board.text(
            (start + end) / 2,
            height + up * 0.02,
            "1×1 conv" if up > 0 else "$f_0$",
            ha="center",
            va="bottom" if up > 0 else "top",
            size=SMALLEST,
        )


def _symbols(board: Axes, blocks: list[Block]) -> None:
    """What section II calls the features on the road, below the arrows that carry them."""
    for before, after in zip(blocks[:-1], blocks[1:]):
        symbol = {
            ("input", "stem"): "$X$",
            ("attention", "residual"): "$f_1$",
            ("pooling", "classifier"): r"$\tilde{Y}_{feats}$",
        }.get((before.stage, after.stage))
        if symbol:
            # there an operator stands first
            start = before.right + (0.15 if before.stage == "attention" else 0)
            board.text(
                (start + after.left) / 2, ROAD - 0.04, symbol, ha="center", va="top", size=6.4
            )
    board.text(
        blocks[-1].right + 0.15, ROAD + 0.52, "$P_{out}$", ha="center", va="bottom", size=6.4
    )


def _classes(board: Axes, blocks: list[Block]) -> None:
    """The classifier's rows of figures and the seven classes it ends in."""
    layers = [block for block in blocks if block.stage == "classifier"]
    for place, block in enumerate(layers):
        height = ROAD - 0.56 - 0.11 * place
        board.text(PAGE - 1.0, height, block.name, va="top", size=SMALLEST, weight="bold")
        board.text(PAGE - 0.56, height, block.shape[0], ha="right", va="top", size=SMALLEST)
        board.text(
            PAGE - 0.06, height, f"{block.parameters:,}", ha="right", va="top", size=SMALLEST
        )
    for place, emotion in enumerate(EMOTIONS):
        height = ROAD + 0.135 * (len(EMOTIONS) / 2 - 0.5 - place)
        start, end = (layers[-1].right + 0.01, ROAD), (layers[-1].right + 0.15, height)
        arrow(board, start, end, head=False, colour=FAINT, width=0.5)
        board.plot(
            *end,
            "o",
            color=EMOTION_COLOURS[emotion],
            markeredgecolor=INK,
            markeredgewidth=0.4,
            markersize=4,
        )
        board.text(end[0] + 0.06, height, EMOTION_TITLES[emotion], va="center", size=6)


def _titles(board: Axes, blocks: list[Block]) -> None:
    """What the parts of the road are called in section II, and what all of them add up to."""
    names = {
        "stem": "CNN backbone",
        "attention": "SE block",
        "residual": "residual feature extraction",
        "classifier": "classifier",
    }
    for stage, title in names.items():
        members = [block for block in blocks if block.stage == stage]
        left, right = members[0].left - 0.03, members[-1].right + 0.03
        board.plot(
            [left, right],
            [ROAD + 0.68] * 2,
            color=STAGE_COLOURS[stage],
            linewidth=2.2,
            solid_capstyle="butt",
        )
        board.text((left + right) / 2, ROAD + 0.72, title, ha="center", va="bottom", size=6.6)
    total = sum(block.parameters for block in blocks)
    board.text(
        LEFT, HEIGHT - 0.04, f"ResEmoteNet: {total:,} parameters", va="top", size=8.5, weight="bold"
    )
    board.text(
        PAGE - 0.04,
        HEIGHT - 0.05,
        "block height: side of the map; length: channels (log); "
        "below: what leaves the block, parameters in it",
        ha="right",
        va="top",
        size=SMALLEST,
        color=ASIDE,
    )
