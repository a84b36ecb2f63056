"""What each training set changes on real faces, beside what the paper claims."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fer_utils.balancing.controls import set_title
from fer_utils.evaluation.bootstrap import FACES_AND_RUNS
from fer_utils.figures.describing import described, listed, span
from fer_utils.figures.style import INK, PAGE, PAPER_COLOUR, interval_mark, new_figure, styled

_MARKS = (("o", "#1a5f96"), ("s", "#ffffff"))
"""Marker and filling of the networks, the first the widest."""


@styled
def figure_a6_real_faces(differences: pd.DataFrame, claimed: dict[str, float]) -> Figure:
    """Difference of every training set to Original with its interval, a panel for each measure, a
    marker for each width.

    Args:
        differences: columns level (or control; from top to bottom as they come), width (of the
        network), measure, value,
            low, high; in points.
        claimed: what the paper claims of a level, in points; drawn in the first panel.
    """
    order = list(dict.fromkeys(differences["level"]))
    widths = sorted(differences["width"].unique(), reverse=True)
    measures = list(dict.fromkeys(differences["measure"]))
    figure = new_figure(PAGE, 1.1 + 0.27 * len(order))
    panels = figure.subplots(1, len(measures), sharey=True, squeeze=False)[0]
    for axes, letter, measure in zip(panels, "abcdefgh", measures):
        axes.axvline(0, color=INK, linewidth=0.8)
        for width, offset, mark in zip(widths, _offsets(len(widths)), _MARKS):  # noqa: B007  the query reads it
            rows = differences.query("measure == @measure and width == @width").set_index("level")
            _intervals(axes, rows.reindex(order), offset, *mark)
        axes.set_title(f"({letter}) {measure}", loc="left")
        axes.set_xlabel(f"difference to Original (points)\n[interval: {FACES_AND_RUNS}]")
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x")
    of_paper = {order.index(level): value for level, value in claimed.items() if level in order}
    panels[0].plot(
        list(of_paper.values()),
        list(of_paper),
        linestyle="none",
        marker="D",
        markersize=5,
        markerfacecolor=PAPER_COLOUR,
        markeredgecolor=INK,
        markeredgewidth=0.6,
    )
    panels[0].set_yticks(range(len(order)), [set_title(name) for name in order])
    panels[0].set_ylim(len(order) - 0.4, -0.6)
    figure.legend(handles=_legend(widths), loc="outside upper center", ncols=len(widths) + 1)
    return described(
        figure,
        "Dot plots: difference of each training set to Original on real FER2013, in points"
        f" [interval: {FACES_AND_RUNS}].",
        *(_in_words(differences, measure, width) for measure in measures for width in widths),
        "The paper claims "
        + ", ".join(f"{set_title(level)} {value:+.2f}" for level, value in claimed.items())
        + ".",
    )


def _offsets(count: int) -> np.ndarray:
    return (np.arange(count) - (count - 1) / 2) * 0.3


def _intervals(axes, rows: pd.DataFrame, offset: float, shape: str, filling: str) -> None:
    lengths = np.abs(rows[["low", "high"]].sub(rows["value"], axis=0).to_numpy(float).T)
    axes.errorbar(
        rows["value"], np.arange(len(rows)) + offset, xerr=lengths, **interval_mark(shape, filling)
    )


def _in_words(differences: pd.DataFrame, measure: str, width: float) -> str:
    """The span of the differences, and which intervals lie clear of zero."""
    rows = differences.query("measure == @measure and width == @width").assign(
        name=lambda frame: frame["level"].map(set_title)
    )
    return (
        f"{measure[0].upper()}{measure[1:]}, width {width:g}:"
        f" {span(dict(zip(rows['name'], rows['value'])))}; intervals above 0:"
        f" {listed(rows.loc[rows['low'] > 0, 'name'])}; below 0:"
        f" {listed(rows.loc[rows['high'] < 0, 'name'])}."
    )


def _legend(widths: list[float]) -> list[Line2D]:
    marks = [
        Line2D(
            [],
            [],
            marker=shape,
            linestyle="none",
            color=INK,
            markersize=4.5,
            markeredgewidth=0.6,
            markerfacecolor=filling,
            label=f"ours, network of width {width:g}",
        )
        for width, (shape, filling) in zip(widths, _MARKS)
    ]
    return [
        *marks,
        Line2D(
            [],
            [],
            marker="D",
            linestyle="none",
            color=INK,
            markersize=5,
            markeredgewidth=0.6,
            markerfacecolor=PAPER_COLOUR,
            label="claimed by the paper's Table III",
        ),
    ]
