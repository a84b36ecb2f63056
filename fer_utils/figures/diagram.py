"""Parts that the two diagrams (Fig. 1 and Fig. 2) are drawn with; all lengths in inches."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, Polygon

from fer_utils.figures.style import INK

Point = tuple[float, float]


def arrow(
    axes: Axes,
    start: Point,
    end: Point,
    *,
    bend: str = "arc3,rad=0",
    colour: str = INK,
    head: bool = True,
    style: str = "-",
    width: float = 0.8,
) -> None:
    """An arrow from ``start`` to ``end``; ``bend`` is a matplotlib connection style."""
    axes.add_patch(
        FancyArrowPatch(
            start,
            end,
            arrowstyle="-|>" if head else "-",
            mutation_scale=6,
            connectionstyle=bend,
            color=colour,
            linewidth=width,
            linestyle=style,
            shrinkA=0,
            shrinkB=0,
        )
    )


def path(axes: Axes, points: Sequence[Point], **options) -> None:
    """Straight lines through all points, with the head at the last."""
    for start, end in zip(points[:-2], points[1:-1]):
        arrow(axes, start, end, head=False, **options)
    arrow(axes, points[-2], points[-1], **options)


def box(
    axes: Axes,
    centre: Point,
    size: Point,
    text: str,
    *,
    colour: str,
    edge: str = INK,
    font: float = 6,
) -> None:
    """A rounded box with text in its middle."""
    left, bottom = centre[0] - size[0] / 2, centre[1] - size[1] / 2
    axes.add_patch(
        FancyBboxPatch(
            (left, bottom),
            *size,
            boxstyle="round,pad=0,rounding_size=0.04",
            facecolor=colour,
            edgecolor=edge,
            linewidth=0.6,
        )
    )
    axes.text(*centre, text, ha="center", va="center", size=font, linespacing=1.15)


def operator(axes: Axes, centre: Point, sign: str, *, radius: float = 0.075) -> None:
    """A circle with '+' or 'x' in it, drawn as lines so that it looks the same with every font."""
    axes.add_patch(
        Circle(centre, radius, facecolor="white", edgecolor=INK, linewidth=0.8, zorder=4)
    )
    x, y, r = *centre, radius * (0.6 if sign == "+" else 0.45)
    strokes = ([(x - r, x + r), (y, y)], [(x, x), (y - r, y + r)])
    if sign == "x":
        strokes = ([(x - r, x + r), (y - r, y + r)], [(x - r, x + r), (y + r, y - r)])
    for stroke in strokes:
        axes.plot(*stroke, color=INK, linewidth=0.8, zorder=5)


def cuboid(
    axes: Axes,
    left: float,
    middle: float,
    *,
    length: float,
    height: float,
    depth: float,
    colour: str,
) -> None:
    """A block of ``length`` along the reading direction; its front face is centred on
    ``middle``."""
    bottom, top, right = middle - height / 2, middle + height / 2, left + length
    front = [(left, bottom), (right, bottom), (right, top), (left, top)]
    lid = [(left, top), (right, top), (right + depth, top + depth), (left + depth, top + depth)]
    side = [
        (right, bottom),
        (right, top),
        (right + depth, top + depth),
        (right + depth, bottom + depth),
    ]
    for corners, light in ((front, 1.0), (lid, 0.55), (side, 0.75)):
        axes.add_patch(Polygon(corners, facecolor="white", edgecolor="none", zorder=2))
        axes.add_patch(Polygon(corners, facecolor=colour, alpha=light, edgecolor="none", zorder=2))
        axes.add_patch(
            Polygon(
                corners, facecolor="none", edgecolor=INK, linewidth=0.5, zorder=3, joinstyle="round"
            )
        )
