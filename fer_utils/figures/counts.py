"""Class counts, before and after balancing (section IV and Table II of the paper)."""

import textwrap

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from fer_utils.core.emotions import EMOTIONS
from fer_utils.figures.describing import described, span
from fer_utils.figures.style import (
    EMOTION_COLOURS,
    EMOTION_TITLES,
    FAINT,
    INK,
    PAGE,
    PAPER_COLOUR,
    SMALLEST,
    new_figure,
    styled,
)

Counts = dict[str, int]


@styled
def class_distribution(
    real: dict[str, Counts], totals: dict[str, dict[str, Counts]] | None = None
) -> Figure:
    """Images per emotion, one row of panels per data set and one panel per level.

    Args:
        real: for each data set (by the title to print) its real images per emotion. totals: for
        each data set and level (by title) all images per emotion; what exceeds ``real`` is
            synthetic and hatched. Without it only the real images are drawn.
    """
    totals = totals or {title: {"": counts} for title, counts in real.items()}
    levels = list(next(iter(totals.values())))
    # One level: the data sets stand side by side. Several: one row of panels per data set.
    columns = len(levels) if len(levels) > 1 else len(totals)
    rows = len(totals) if len(levels) > 1 else 1
    figure = new_figure(PAGE, 0.45 + 1.75 * rows)
    panels = figure.subplots(
        rows, columns, sharey="row" if len(levels) > 1 else False, squeeze=False
    )
    places = [(title, level) for title in totals for level in levels]
    for axes, (title, level) in zip(panels.flat, places):
        _bars(axes, real[title], totals[title][level], upright=100 if columns > 2 else 1000)
        axes.set_title(f"{level or title} (n = {sum(totals[title][level].values()):,})")
    for axes, title in zip(panels[:, 0], totals):
        axes.set_ylabel(
            "\n".join([*(textwrap.wrap(title, 14) if rows > 1 else ()), "training images"])
        )
    for row in panels if columns == len(levels) else panels.T:
        row[0].set_ylim(top=1.02 * max(axes.get_ylim()[1] for axes in row))
    if len(levels) > 1:
        figure.legend(handles=_legend(), loc="outside upper center", ncols=2)
    return described(
        figure,
        "Bar charts of training images per emotion.",
        *(_in_words(title, real[title], levels) for title, levels in totals.items()),
    )


def _in_words(title: str, real: Counts, levels: dict[str, Counts]) -> str:
    """How unequal the real images are, and for each level how many there are and how many of them
    synthetic."""
    unequal = f"{title}: {sum(real.values()):,} real images, {span(real, digits=0)}"
    made = [
        f"{level} {sum(totals.values()):,}, {sum(totals.values()) - sum(real.values()):,} of them"
        " synthetic"
        for level, totals in levels.items()
        if totals != real
    ]
    return f"{unequal}{'; all images: ' * bool(made)}{'; '.join(made)}."


def _bars(axes, real: Counts, totals: Counts, *, upright: int) -> None:
    """One bar per emotion: real images solid, synthetic ones hatched on top; counts from
    ``upright`` on stand upright."""
    places = np.arange(len(EMOTIONS))
    bottom = np.array([real[name] for name in EMOTIONS])
    top = np.array([totals[name] for name in EMOTIONS])
    colours = [EMOTION_COLOURS[name] for name in EMOTIONS]
    axes.bar(places, bottom, color=colours, edgecolor=INK, linewidth=0.4, width=0.78)
    axes.bar(
        places,
        top - bottom,
        bottom=bottom,
        color="white",
        edgecolor=colours,
        hatch="/////",
        linewidth=0.8,
        width=0.78,
    )
    for place, count in zip(places, top):
        axes.annotate(
            f"{count:,}",
            (place, count),
            xytext=(0, 2),
            textcoords="offset points",
            ha="center",
            va="bottom",
            size=SMALLEST,
            rotation=90 if count >= upright else 0,
        )
    axes.set_xticks(
        places,
        [EMOTION_TITLES[name] for name in EMOTIONS],
        rotation=60,
        ha="right",
        rotation_mode="anchor",
    )
    axes.tick_params(axis="x", length=0)
    axes.set_ylim(top=(1.28 if top.max() >= upright else 1.14) * top.max())


def _legend(synthetic: str = "synthetic") -> list[Patch]:
    return [
        Patch(facecolor=FAINT, edgecolor=INK, linewidth=0.4, label="real"),
        Patch(facecolor="white", edgecolor=FAINT, hatch="/////", label=synthetic),
    ]


@styled
def class_target(real: Counts, pool: Counts, new: Counts, levels: dict[str, int]) -> Figure:
    """One bar per emotion: real images, synthetic ones that the pool has, and those that would have
    to be made.

    levels: images per class of each level by its title, drawn as lines to compare with.
    """
    figure = new_figure(PAGE, 2.6)
    axes = figure.add_subplot()
    places, bottom = np.arange(len(EMOTIONS)), np.zeros(len(EMOTIONS))
    colours = [EMOTION_COLOURS[name] for name in EMOTIONS]
    looks = (
        {"color": colours, "edgecolor": INK},
        {"color": "white", "edgecolor": colours, "hatch": "/////"},
        {"color": "white", "edgecolor": PAPER_COLOUR, "linestyle": "--"},
    )
    for counts, look in zip((real, pool, new), looks):
        heights = np.array([counts[name] for name in EMOTIONS])
        axes.bar(places, heights, bottom=bottom, width=0.78, linewidth=0.8 * (heights > 0), **look)
        bottom = bottom + heights
    for title, count in levels.items():
        axes.axhline(count, color=FAINT, linewidth=0.6, zorder=0)
        axes.annotate(
            title,
            (1, count),
            xycoords=("axes fraction", "data"),
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
            size=SMALLEST,
            color=INK,
        )
    axes.set_xticks(places, EMOTION_TITLES.values())
    axes.tick_params(axis="x", length=0)
    axes.set(ylabel="training images", xlim=(-0.6, len(EMOTIONS) - 0.4))
    axes.yaxis.set_major_formatter("{x:,.0f}")
    figure.legend(
        handles=[
            *_legend("synthetic, in the pool"),
            Patch(
                facecolor="white",
                edgecolor=PAPER_COLOUR,
                linestyle="--",
                label="synthetic, to be made",
            ),
        ],
        loc="outside upper center",
        ncols=3,
    )
    return described(
        figure,
        "Stacked bars of training images per emotion: real, synthetic in the pool, synthetic to be"
        " made.",
        f"{sum(real.values()):,} real ({span(real, digits=0)}), {sum(pool.values()):,} in the pool,"
        f" {sum(new.values()):,} to be made.",
    )
