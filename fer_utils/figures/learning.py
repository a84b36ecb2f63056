"""Loss and accuracy over the epochs of training."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from fer_utils.core.recipes import kept_epoch, lowered_epochs
from fer_utils.figures.describing import described, how_many, listed
from fer_utils.figures.style import FAINT, LEVEL_COLOURS, PAGE, PAPER_COLOUR, new_figure, styled

TRAINING, VALIDATION = FAINT, LEVEL_COLOURS["aug3"]
RING = {
    "marker": "o",
    "linestyle": "none",
    "color": VALIDATION,
    "markerfacecolor": "white",
    "markersize": 4.5,
}
BAR = {
    "marker": "|",
    "linestyle": "none",
    "color": VALIDATION,
    "markersize": 8,
    "markeredgewidth": 1.6,
}
TRIANGLE = {"marker": "^", "linestyle": "none", "color": PAPER_COLOUR, "markersize": 4}


@styled
def learning_curves(
    histories: dict[str, dict[str, list[pd.DataFrame]]], settings, *, max_epochs: int | None = None
) -> Figure:
    """Loss and accuracy over epochs: a pair of rows per data set, a column per level, a line per
    seed.

    Args:
        histories: for each data set and level (by titles) the runs' histories with the columns
        epoch,
            learning_rate, train_loss, validation_loss, train_accuracy, validation_accuracy
            (accuracies in percent). A ring marks the epoch whose weights were kept; a triangle at
            the lower edge the first epoch at a lower learning rate, a plateau behind it.
        settings: ``profile.training`` of the recipe they were all trained by, which says what epoch
        was kept. max_epochs: how long a run may last; a bar marks the end of a run that stopped
        earlier. Without it none does.
    """
    columns = max(len(levels) for levels in histories.values())
    several = columns > 1
    figure = new_figure(
        PAGE if several else 0.7 * PAGE, 0.35 + (2.55 if several else 1.75) * len(histories)
    )
    longest = max(
        len(run) for levels in histories.values() for runs in levels.values() for run in runs
    )
    for part, (title, levels) in zip(
        np.ravel(figure.subfigures(len(histories))), histories.items()
    ):
        panels = (
            part.subplots(2, columns, sharex=True, sharey="row", squeeze=False)
            if several
            else (part.subplots(1, 2, squeeze=False).T)
        )
        for column, (level, runs) in enumerate(levels.items()):
            _pair(panels[:, column], runs, settings, level if several else "", longest, max_epochs)
        panels[0, 0].set_ylabel("loss")
        panels[1, 0].set_ylabel("accuracy (%)")
        runs_a_level = how_many(map(len, levels.values()), "run")
        part.suptitle(
            f"{title} ({runs_a_level} a level)" if several else f"{title} · {level}",
            weight="bold",
            size=8,
        )
    runs = [
        run
        for levels in histories.values()
        for several_runs in levels.values()
        for run in several_runs
    ]
    figure.legend(
        handles=_curve_legend(runs, settings, max_epochs),
        loc="outside upper center",
        ncols=5 if several else 3,
    )
    return described(
        figure,
        "Line plots of training and validation loss and accuracy over epochs, a line for each run.",
        *(_in_words(title, levels, settings) for title, levels in histories.items()),
    )


def _in_words(title: str, levels: dict[str, list[pd.DataFrame]], settings) -> str:
    """Of which epoch each run's weights were kept, with their validation accuracy, for each
    level."""
    kept = {
        level: [run.iloc[kept_epoch(run, settings)] for run in runs]
        for level, runs in levels.items()
    }
    parts = (
        f"{level} "
        + listed(
            f"{row['validation_accuracy']:.1f} % (epoch {row['epoch']:.0f} of {len(run)})"
            for row, run in zip(rows, levels[level])
        )
        for level, rows in kept.items()
    )
    return f"{title}, validation accuracy of the weights kept: {'; '.join(parts)}."


def _pair(
    panels, runs: list[pd.DataFrame], settings, level: str, longest: int, max_epochs: int | None
) -> None:
    for axes, what in zip(panels, ("loss", "accuracy")):
        for run in runs:
            _curve(
                axes, run, what, settings, stopped=max_epochs is not None and len(run) < max_epochs
            )
        axes.grid(axis="y")
        axes.set_xlim(0.5, max(longest, 2) + 0.5)
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    panels[0].set_title(level)
    for axes in panels if not level else panels[1:]:
        axes.set_xlabel("epoch")


def _curve(axes, run: pd.DataFrame, what: str, settings, *, stopped: bool) -> None:
    kept = kept_epoch(run, settings)
    axes.plot(run["epoch"], run[f"train_{what}"], color=TRAINING, linestyle="--", linewidth=1)
    axes.plot(run["epoch"], run[f"validation_{what}"], color=VALIDATION)
    axes.plot(run["epoch"].iloc[kept], run[f"validation_{what}"].iloc[kept], **RING)
    if stopped:
        axes.plot(run["epoch"].iloc[-1], run[f"validation_{what}"].iloc[-1], **BAR)
    for epoch in lowered_epochs(run, settings):
        axes.plot(epoch, 0, **TRIANGLE, clip_on=False, transform=axes.get_xaxis_transform())


def _curve_legend(runs: list[pd.DataFrame], settings, max_epochs: int | None) -> list[Line2D]:
    """What is drawn, and no mark that no run has."""
    legend = [
        Line2D([], [], color=TRAINING, linestyle="--", linewidth=1, label="training"),
        Line2D([], [], color=VALIDATION, label="validation"),
        Line2D([], [], **RING, label="weights kept"),
    ]
    if max_epochs is not None and any(len(run) < max_epochs for run in runs):
        legend.append(Line2D([], [], **BAR, label="stopped early"))
    if any(lowered_epochs(run, settings) for run in runs):
        legend.append(Line2D([], [], **TRIANGLE, label="learning rate lowered"))
    return legend
