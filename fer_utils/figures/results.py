"""What training and evaluation gave: confusion matrices (Fig. 4), learning curves, accuracies (Table III)."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from fer_utils.emotions import EMOTIONS
from fer_utils.figures.style import (EMOTION_TITLES, FAINT, INK, LEVEL_COLOURS, LEVEL_MARKERS, PAGE,
                                     PAPER_COLOUR, new_figure, styled)


@styled
def figure_4_confusion_matrices(matrices: dict[str, np.ndarray]) -> Figure:
    """Fig. 4: one confusion matrix per title, in order, lettered (a), (b), ...

    Args:
        matrices: for each title integer counts [7, 7], rows = true emotion, columns = predicted. Colour and
            large text give the share of the row in percent, small text the count.
    """
    rows = -(-len(matrices) // 2)
    figure = new_figure(PAGE, 0.1 + 3.2 * rows)
    panels = figure.subplots(rows, 2, squeeze=False)
    for axes, letter, (title, counts) in zip(panels.flat, "abcdefgh", matrices.items()):
        image = share_matrix(axes, np.asarray(counts), EMOTIONS, xlabel="predicted", ylabel="true (images)")
        axes.set_title(f"({letter}) {title}")
    for axes in panels.flat[len(matrices):]:
        axes.axis("off")
    bar = figure.colorbar(image, ax=panels, shrink=0.5, aspect=40, location="right")
    bar.set_label("share of the true emotion (%)")
    bar.outline.set_linewidth(0.4)
    return figure


def share_matrix(axes, counts: np.ndarray, columns, *, xlabel: str, ylabel: str):
    """Draw counts [7, len(columns)] of emotions against ``columns``: the share of the row in percent in colour and
    large text, the count in small text. Returns the image, for a colour bar."""
    totals = counts.sum(axis=1, keepdims=True)
    rates = 100 * counts / np.maximum(totals, 1)
    image = axes.imshow(rates, cmap="Blues", vmin=0, vmax=100)
    for (true, predicted), rate in np.ndenumerate(rates):
        colour = "white" if rate > 55 else INK
        axes.text(predicted, true - 0.12, f"{rate:.0f}", ha="center", va="center", size=7.5, color=colour,
                  weight="bold" if true == predicted else "normal")
        axes.text(predicted, true + 0.27, f"{counts[true, predicted]:,}", ha="center", va="center", size=4.8,
                  color=colour)
    names = [EMOTION_TITLES[name] for name in EMOTIONS]
    axes.set_xticks(range(len(columns)), [name.capitalize() for name in columns], rotation=45, ha="right",
                    rotation_mode="anchor")
    axes.set_yticks(range(len(names)), [f"{name} ({total:,})" for name, total in zip(names, totals[:, 0])])
    axes.set(xlabel=xlabel, ylabel=ylabel)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return image


@styled
def learning_curves(histories: dict[str, dict[str, list[pd.DataFrame]]], *,
                    max_epochs: int | None = None) -> Figure:
    """Loss and accuracy over epochs: a pair of rows per data set, a column per level, a line per seed.

    Args:
        histories: for each data set and level (by titles) the runs' histories with the columns epoch,
            learning_rate, train_loss, validation_loss, train_accuracy, validation_accuracy (accuracies in percent).
            A ring marks the epoch whose weights were kept, the one with the lowest validation loss; a triangle at
            the lower edge the first epoch at a lower learning rate, a plateau behind it.
        max_epochs: how long a run may last; a bar marks the end of a run that stopped earlier. Without it none does.
    """
    columns = max(len(levels) for levels in histories.values())
    several = columns > 1
    figure = new_figure(PAGE if several else 0.7 * PAGE, 0.35 + (2.55 if several else 1.75) * len(histories))
    longest = max(len(run) for levels in histories.values() for runs in levels.values() for run in runs)
    for part, (title, levels) in zip(np.ravel(figure.subfigures(len(histories))), histories.items()):
        panels = part.subplots(2, columns, sharex=True, sharey="row", squeeze=False) if several else (
            part.subplots(1, 2, squeeze=False).T)
        for column, (level, runs) in enumerate(levels.items()):
            _pair(panels[:, column], runs, level if several else "", longest, max_epochs)
        panels[0, 0].set_ylabel("loss")
        panels[1, 0].set_ylabel("accuracy (%)")
        part.suptitle(title if several else f"{title} · {level}", weight="bold", size=8)
    figure.legend(handles=_curve_legend(), loc="outside upper center", ncols=5 if several else 3)
    return figure


def _pair(panels, runs: list[pd.DataFrame], level: str, longest: int, max_epochs: int | None) -> None:
    for axes, what in zip(panels, ("loss", "accuracy")):
        for run in runs:
            _curve(axes, run, what, stopped=max_epochs is not None and len(run) < max_epochs)
        axes.grid(axis="y")
        axes.set_xlim(0.5, max(longest, 2) + 0.5)
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    panels[0].set_title(level)
    for axes in panels if not level else panels[1:]:
        axes.set_xlabel("epoch")


def _curve(axes, run: pd.DataFrame, what: str, *, stopped: bool) -> None:
    kept = run["validation_loss"].idxmin()
    axes.plot(run["epoch"], run[f"train_{what}"], color=FAINT, linestyle="--", linewidth=1)
    axes.plot(run["epoch"], run[f"validation_{what}"], color=LEVEL_COLOURS["aug3"])
    axes.plot(run["epoch"][kept], run[f"validation_{what}"][kept], "o", color=LEVEL_COLOURS["aug3"],
              markerfacecolor="white", markersize=4.5)
    if stopped:
        axes.plot(run["epoch"].iloc[-1], run[f"validation_{what}"].iloc[-1], "|", color=LEVEL_COLOURS["aug3"],
                  markersize=8, markeredgewidth=1.6)
    for epoch in run["epoch"][run["learning_rate"].diff() < 0]:
        axes.plot(epoch, 0, "^", color=PAPER_COLOUR, markersize=4, clip_on=False, transform=axes.get_xaxis_transform())


def _curve_legend() -> list[Line2D]:
    return [Line2D([], [], color=FAINT, linestyle="--", linewidth=1, label="training"),
            Line2D([], [], color=LEVEL_COLOURS["aug3"], label="validation"),
            Line2D([], [], color=LEVEL_COLOURS["aug3"], marker="o", markerfacecolor="white", markersize=4.5,
                   linestyle="none", label="weights kept"),
            Line2D([], [], color=LEVEL_COLOURS["aug3"], marker="|", markersize=8, markeredgewidth=1.6,
                   linestyle="none", label="stopped early"),
            Line2D([], [], color=PAPER_COLOUR, marker="^", markersize=4, linestyle="none",
                   label="learning rate lowered")]


@styled
def class_accuracy_intervals(table: pd.DataFrame, *, titles: dict[str, str], level_titles: dict[str, str]) -> Figure:
    """Table III as a picture: accuracy of each emotion with its interval, the paper's figure beside it.

    Args:
        table: the long Table III with the columns dataset, level, emotion (or 'overall'), accuracy, low, high
            and paper, all in percent.
        titles: the data sets to draw, in order, and what to print for each.
        level_titles: the same for the levels.
    """
    figure = new_figure(PAGE, 0.4 + 2.3 * len(titles))
    panels = figure.subplots(len(titles), 1, sharex=True, squeeze=False)[:, 0]
    groups = [*EMOTIONS, "overall"]
    for axes, (dataset, title) in zip(panels, titles.items()):
        for place, level in enumerate(level_titles):
            rows = table[(table["dataset"] == dataset) & (table["level"] == level)].set_index("emotion")
            rows = rows.reindex(groups)
            _points(axes, rows, level, np.arange(len(groups)) + (place - (len(level_titles) - 1) / 2) * 0.17)
        axes.set_title(title, loc="left")
        axes.set(ylim=(-2, 104), ylabel="test accuracy (%)", xlim=(-0.6, len(groups) - 0.4))
        axes.grid(axis="y")
        axes.axvline(len(EMOTIONS) - 0.5, color=FAINT, linewidth=0.6)
    panels[-1].set_xticks(range(len(groups)), [name.capitalize() for name in groups])
    figure.legend(handles=_level_legend(level_titles), loc="outside upper center", ncols=len(level_titles) + 1)
    return figure


def _points(axes, rows: pd.DataFrame, level: str, places: np.ndarray) -> None:
    lengths = np.abs(rows[["low", "high"]].sub(rows["accuracy"], axis=0).to_numpy(float).T)
    axes.errorbar(places, rows["accuracy"], yerr=lengths, fmt=LEVEL_MARKERS[level], color=INK, ecolor=INK,
                  elinewidth=0.8, capsize=1.5, capthick=0.8, markersize=3.8, markeredgewidth=0.5,
                  markerfacecolor=LEVEL_COLOURS[level], markeredgecolor=INK)
    axes.plot(places, rows["paper"].astype(float), "_", color=PAPER_COLOUR, markersize=6, markeredgewidth=1.6)


def _level_legend(level_titles: dict[str, str]) -> list[Line2D]:
    ours = [Line2D([], [], marker=LEVEL_MARKERS[level], color=INK, linewidth=0.8, markersize=4.2,
                   markeredgewidth=0.5, markerfacecolor=LEVEL_COLOURS[level], label=title)
            for level, title in level_titles.items()]
    return [*ours, Line2D([], [], marker="_", linestyle="none", color=PAPER_COLOUR, markersize=7,
                          markeredgewidth=1.6, label="printed in the paper")]
