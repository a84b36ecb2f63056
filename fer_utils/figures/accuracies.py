"""Accuracies with their intervals: Table III as a picture."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fer_utils.core.emotions import EMOTIONS
from fer_utils.evaluation.bootstrap import FACES
from fer_utils.figures.describing import described, how_many, listed, span
from fer_utils.figures.style import (
    FAINT,
    INK,
    LEVEL_COLOURS,
    LEVEL_MARKERS,
    PAGE,
    PAPER_COLOUR,
    new_figure,
    styled,
)

GROUPS = [*EMOTIONS, "overall"]
EACH_SEED = {"marker": ".", "linestyle": "none", "color": FAINT, "markersize": 3.2}
PRINTED = {
    "marker": "_",
    "linestyle": "none",
    "color": PAPER_COLOUR,
    "markersize": 6,
    "markeredgewidth": 1.6,
}


@styled
def class_accuracy_intervals(
    table: pd.DataFrame, *, titles: dict[str, str], level_titles: dict[str, str]
) -> Figure:
    """Table III as a picture: accuracy of each emotion with its interval, every seed, and the
    paper's figure beside it.

    Args:
        table: the long Table III with the columns dataset, level, emotion (or 'overall'), n (test
        images), accuracy,
            low, high, paper and accuracy_seed_<s> for each seed, all but n in percent.
        titles: the data sets to draw, in order, and what to print for each.
        level_titles: the same for the levels.
    """
    figure = new_figure(PAGE, 0.4 + 2.45 * len(titles))
    panels = figure.subplots(len(titles), 1, squeeze=False)[:, 0]
    seeds = [name for name in table if name.startswith("accuracy_seed_")]
    for axes, (dataset, title) in zip(panels, titles.items()):
        rows = table[table["dataset"] == dataset]
        for place, level in enumerate(level_titles):
            part = rows[rows["level"] == level].set_index("emotion").reindex(GROUPS)
            _points(
                axes,
                part,
                level,
                np.arange(len(GROUPS)) + (place - (len(level_titles) - 1) / 2) * 0.17,
                seeds,
            )
        axes.set_title(
            f"{title} (mean of {how_many(rows[seeds].notna().sum(axis=1), 'seed')})", loc="left"
        )
        axes.set(
            ylim=(-2, 104),
            ylabel=f"test accuracy (%)\n[interval: {FACES}]",
            xlim=(-0.6, len(GROUPS) - 0.4),
        )
        axes.grid(axis="y")
        axes.axvline(len(EMOTIONS) - 0.5, color=FAINT, linewidth=0.6)
        n = rows.groupby("emotion")["n"].max()
        axes.set_xticks(
            range(len(GROUPS)), [f"{name.capitalize()}\nn = {n.get(name, 0):,}" for name in GROUPS]
        )
    figure.legend(
        handles=_level_legend(level_titles, seeds),
        loc="outside upper center",
        ncols=len(level_titles) + 2,
        columnspacing=1.2,
        handletextpad=0.4,
    )
    return described(
        figure,
        f"Dot plots of test accuracy [interval: {FACES}], {listed(level_titles.values())} for each"
        " emotion and overall.",
        *(_in_words(table, name, title, level_titles) for name, title in titles.items()),
    )


def _in_words(table: pd.DataFrame, dataset: str, title: str, level_titles: dict[str, str]) -> str:
    """The overall accuracies with their intervals and the paper's, and the emotions that ended best
    and worst."""
    rows = table[table["dataset"] == dataset].set_index(["level", "emotion"])
    overall = [
        f"{name} {{accuracy:.1f}} [{{low:.1f}}, {{high:.1f}}]".format(**row)
        + _printed(row["paper"])
        for level, name in level_titles.items()
        if (level, "overall") in rows.index
        for row in [rows.loc[(level, "overall")]]
    ]
    last = list(level_titles)[-1]
    ends = span({name: rows["accuracy"].get((last, name), np.nan) for name in EMOTIONS}, " %")
    return f"{title}, overall in %: {'; '.join(overall)}. {level_titles[last]} by emotion: {ends}."


def _printed(share: float) -> str:
    return "" if pd.isna(share) else f" (paper {share:g})"


def _points(axes, rows: pd.DataFrame, level: str, places: np.ndarray, seeds: list[str]) -> None:
    lengths = np.abs(rows[["low", "high"]].sub(rows["accuracy"], axis=0).to_numpy(float).T)
    axes.errorbar(
        places,
        rows["accuracy"],
        yerr=lengths,
        fmt=LEVEL_MARKERS[level],
        color=INK,
        ecolor=INK,
        elinewidth=0.8,
        capsize=1.5,
        capthick=0.8,
        markersize=3.8,
        markeredgewidth=0.5,
        markerfacecolor=LEVEL_COLOURS[level],
        markeredgecolor=INK,
    )
    for seed in seeds:
        axes.plot(places - 0.055, rows[seed].astype(float), **EACH_SEED)
    axes.plot(places, rows["paper"].astype(float), **PRINTED)


def _level_legend(level_titles: dict[str, str], seeds: list[str]) -> list[Line2D]:
    ours = [
        Line2D(
            [],
            [],
            marker=LEVEL_MARKERS[level],
            color=INK,
            linewidth=0.8,
            markersize=4.2,
            markeredgewidth=0.5,
            markerfacecolor=LEVEL_COLOURS[level],
            label=title,
        )
        for level, title in level_titles.items()
    ]
    each = [Line2D([], [], **EACH_SEED, label="each seed")] if seeds else []
    return [*ours, *each, Line2D([], [], **PRINTED, label="printed in the paper")]
