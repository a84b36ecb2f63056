"""Printed overall accuracies beside those that their own class rows leave open (the audit of Table
III)."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from fer_utils.figures.describing import described
from fer_utils.figures.style import COLUMN, FAINT, INK, PAPER_COLOUR, new_figure, styled

MEAN_COLOURS = {"micro": "#1a5f96", "macro": "#f2d58a", "per batch": "#989898"}
MEAN_TITLES = {"micro": "micro mean", "macro": "macro mean", "per batch": "mean of batches"}
LANE, BAR = 0.26, 0.2


@styled
def figure_a3_implied_accuracy(implied: pd.DataFrame, *, level_titles: dict[str, str]) -> Figure:
    """One panel per data set, one group per column: bars for what is implied, a point for what is
    printed.

    Args:
        implied: one row per data set, column and mean with dataset, column, mean (those in
        ``MEAN_TITLES``),
            low, high, printed (percent) and verdict ('fits' or 'not possible').
        level_titles: what to print for each column.
    """
    datasets = list(dict.fromkeys(implied["dataset"]))
    rows = [implied[implied["dataset"] == name]["column"].nunique() for name in datasets]
    figure = new_figure(COLUMN, 0.75 + 0.36 * sum(rows))
    panels = figure.subplots(len(datasets), 1, squeeze=False, height_ratios=rows)[:, 0]
    for axes, name in zip(panels, datasets):
        _panel(axes, implied[implied["dataset"] == name], level_titles)
        axes.set_title(name, loc="left")
    panels[-1].set_xlabel("overall accuracy (%)")
    figure.legend(
        handles=_legend(), loc="outside upper center", ncols=3, columnspacing=1, handletextpad=0.5
    )
    return described(
        figure,
        "Bars: overall accuracy that the printed class rows leave open, by kind of mean; marks: the"
        " printed overall accuracy.",
        *(f"{sentence}." for sentence in implied_sentences(implied, level_titles)),
    )


def implied_sentences(implied: pd.DataFrame, level_titles: Mapping[str, str]) -> list[str]:
    """One sentence per data set, without its full stop: which columns' printed overall each mean
    fits."""
    sentences = []
    for dataset, rows in implied.groupby("dataset", sort=False):
        fitting = rows[rows["verdict"] == "fits"]
        fitted = {
            title: [
                level_titles.get(name, name) for name in fitting[fitting["mean"] == mean]["column"]
            ]
            for mean, title in MEAN_TITLES.items()
        }
        parts = [f"{title} fits {', '.join(names) or 'none'}" for title, names in fitted.items()]
        sentences.append(f"{dataset}: {'; '.join(parts)}")
    return sentences


def _panel(axes: Axes, rows: pd.DataFrame, titles: dict[str, str]) -> None:
    columns = list(dict.fromkeys(rows["column"]))
    for place, column in enumerate(columns):
        group = rows[rows["column"] == column]
        for lane, mean in enumerate(MEAN_COLOURS):
            for row in group[group["mean"] == mean].itertuples():
                axes.barh(
                    place + (lane - 1) * LANE,
                    row.high - row.low,
                    BAR,
                    left=row.low,
                    color=MEAN_COLOURS[mean],
                    edgecolor=INK,
                    linewidth=0.4,
                )
        _printed(axes, place, group)
    axes.set_yticks(range(len(columns)), [titles.get(column, column) for column in columns])
    axes.set_ylim(len(columns) - 0.45, -0.55)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    axes.use_sticky_edges = False  # a bar's end is no edge here
    axes.margins(x=0.06)
    axes.autoscale_view(scaley=False)
    axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))


def _printed(axes: Axes, place: int, group: pd.DataFrame) -> None:
    """A line through all means of the group, and on each a mark that says whether the figure lies
    inside."""
    printed = float(group["printed"].iloc[0])
    axes.plot(
        [printed] * 2, [place - 1.6 * LANE, place + 1.6 * LANE], color=PAPER_COLOUR, linewidth=1
    )
    for lane, mean in enumerate(MEAN_COLOURS):
        for fits in group[group["mean"] == mean]["verdict"] == "fits":
            axes.plot(
                printed,
                place + (lane - 1) * LANE,
                "o" if fits else "X",
                color=PAPER_COLOUR,
                markersize=4.4,
                markeredgecolor="white" if fits else INK,
                markeredgewidth=0.5,
            )


def _legend() -> list:
    bars = [
        Patch(facecolor=MEAN_COLOURS[mean], edgecolor=INK, linewidth=0.4, label=title)
        for mean, title in MEAN_TITLES.items()
    ]
    marks = [
        Line2D(
            [],
            [],
            marker=marker,
            linestyle="none",
            color=PAPER_COLOUR,
            markersize=5,
            markeredgecolor=edge,
            markeredgewidth=0.5,
            label=label,
        )
        for marker, edge, label in (("o", FAINT, "printed, fits"), ("X", INK, "printed, outside"))
    ]
    return [bars[0], marks[0], bars[1], marks[1], bars[2]]
