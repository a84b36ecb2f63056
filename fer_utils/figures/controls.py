"""What the controls change against Original, and how accuracy goes with the share of synthetic
faces."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fer_utils.balancing.controls import GROUPS, set_title
from fer_utils.evaluation.bootstrap import FACES, FACES_AND_RUNS
from fer_utils.figures.describing import described, how_many, listed, span
from fer_utils.figures.style import FAINT, INK, PAGE, interval_mark, new_figure, styled

_GROUP_MARKS = {
    "level": ("*", "#ffffff"),
    "balance": ("o", "#c9dff0"),
    "updates": ("^", "#8a8a8a"),
    "synthesis": ("s", "#1a5f96"),
    "oracle": ("P", "#b0b0b0"),
    "recipe": ("D", "#0a0a0a"),
}
"""Marker and filling of each group: different shapes, and brightness from white to black for gray
print."""

_GROUP_TITLES = {
    "level": "the level itself",
    "balance": "balance, no synthesis",
    "updates": "updates, no balance",
    "synthesis": "which faces, same counts",
    "oracle": "real in place of synthetic",
    "recipe": "recipe, Original's faces",
}


@styled
def figure_a2_controls(
    results: pd.DataFrame, sweep: pd.DataFrame, *, titles: dict[str, str]
) -> Figure:
    """Difference of every control to Original with its interval; below, accuracy by share of
    synthetic added faces.

    Args:
        results: ``control_results.control_results``; one column of panels per data set of
        ``titles``. sweep: ``control_results.ratio_sweep`` of them; a data set with fewer than two
        rows leaves its panel empty.
    """
    order = [
        name
        for group in ("level", *GROUPS)
        for name in dict.fromkeys(
            results.loc[(results["group"] == group) & (results["control"] != "original"), "control"]
        )
    ]
    groups = results.drop_duplicates("control").set_index("control")["group"]
    places = np.arange(len(order)) + 0.6 * np.cumsum(
        [0, *(groups[a] != groups[b] for a, b in zip(order, order[1:]))]
    )
    figure = new_figure(PAGE, 2.5 + 0.19 * len(order))
    panels = figure.subplots(
        2, len(titles), sharey="row", squeeze=False, height_ratios=[1.6 + 0.19 * len(order), 1.5]
    )
    for (above, below), (dataset, title) in zip(panels.T, titles.items()):
        rows = results[results["dataset"] == dataset].set_index("control").loc[order]
        _differences(above, rows, places)
        above.set_title(
            f"{title} (n = {rows['n'].max():,}, {how_many(rows['seeds'], 'seed')})", loc="left"
        )
        _sweep(below, sweep[sweep["dataset"] == dataset])
    panels[0, 0].set_yticks(places, [set_title(name) for name in order])
    panels[0, 0].set_ylim(places[-1] + 0.7, places[0] - 0.7)
    panels[1, 0].set_ylabel(f"test accuracy (%)\n[interval: {FACES}]")
    figure.legend(
        handles=_legend(groups[order]),
        loc="outside upper center",
        ncols=5,
        handletextpad=0.1,
        columnspacing=0.9,
    )
    return described(
        figure,
        f"Dot plots: difference of each control to Original in points [interval: {FACES_AND_RUNS}];"
        f" below, accuracy [interval: {FACES}] by the share of synthetic faces among the added"
        " ones.",
        *(
            _in_words(
                results[results["dataset"] == dataset], sweep[sweep["dataset"] == dataset], title
            )
            for dataset, title in titles.items()
        ),
    )


def _in_words(rows: pd.DataFrame, sweep: pd.DataFrame, title: str) -> str:
    """The level's difference, the span of the controls', which are clear of zero, and where the
    sweep begins and ends."""
    rows = rows[rows["to_original"].notna()].assign(
        name=lambda frame: frame["control"].map(set_title)
    )
    level, controls = rows[rows["group"] == "level"], rows[rows["group"] != "level"]
    parts = [
        "{name} {to_original:+.1f} [{to_original_low:+.1f}, {to_original_high:+.1f}]".format(**row)
        for row in level.to_dict("records")
    ]
    parts.append(f"controls {span(dict(zip(controls['name'], controls['to_original'])))}")
    parts.append(
        f"intervals above 0: {listed(rows.loc[rows['to_original_low'] > 0, 'name'])}; below 0: "
        f"{listed(rows.loc[rows['to_original_high'] < 0, 'name'])}"
    )
    if len(sweep) > 1:
        parts.append(
            "accuracy "
            + ", ".join(
                f"{row['accuracy']:.1f} % at {row['percent']:g} % synthetic"
                for row in sweep.iloc[[0, -1]].to_dict("records")
            )
        )
    return f"{title}: {'; '.join(parts)}."


def _differences(axes, rows: pd.DataFrame, places: np.ndarray) -> None:
    axes.axvline(0, color=INK, linewidth=0.8)
    for place, row in zip(places, rows.to_dict("records")):
        shape, filling = _GROUP_MARKS[row["group"]]
        _interval(
            axes,
            row["to_original"],
            place,
            (row["to_original_low"], row["to_original_high"]),
            shape,
            filling,
            across=True,
        )
    axes.set_xlabel(f"difference to Original (points)\n[interval: {FACES_AND_RUNS}]")
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")


def _sweep(axes, rows: pd.DataFrame) -> None:
    axes.plot(rows["percent"], rows["accuracy"], color=FAINT, linewidth=0.8)
    for row in rows.to_dict("records"):
        _interval(
            axes,
            row["percent"],
            row["accuracy"],
            (row["low"], row["high"]),
            *_GROUP_MARKS["synthesis"],
            across=False,
        )
    axes.set(
        xlabel="synthetic among the added faces (%)", xlim=(-8, 108), xticks=(0, 25, 50, 75, 100)
    )
    axes.grid(axis="y")


def _interval(
    axes, x: float, y: float, ends: tuple[float, float], shape: str, filling: str, *, across: bool
) -> None:
    middle = x if across else y
    length = np.abs(np.subtract(ends, middle))[:, None]
    axes.errorbar(
        [x],
        [y],
        **{"xerr" if across else "yerr": length},
        **interval_mark(shape, filling, 7.5 if shape == "*" else 4.2),
    )


def _legend(groups: pd.Series) -> list[Line2D]:
    return [
        Line2D(
            [],
            [],
            marker=_GROUP_MARKS[group][0],
            linestyle="none",
            color=INK,
            markeredgewidth=0.6,
            markersize=7.5 if group == "level" else 4.5,
            markerfacecolor=_GROUP_MARKS[group][1],
            label=_GROUP_TITLES[group],
        )
        for group in dict.fromkeys(groups)
    ]
