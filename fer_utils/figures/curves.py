"""The learning curves of several runs in one panel, for comparing them."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from fer_utils.core.errors import CompanionError
from fer_utils.figures.describing import described, listed, shortened
from fer_utils.figures.style import INK, PAGE, new_figure, styled

CURVE_COLOURS = (
    "#000000",
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#56b4e9",
    "#8b5a00",
    "#e69f00",
)
"""Of Okabe and Ito (https://jfly.uni-koeln.de/color/), which colour-blind readers tell apart; brown
for their yellow, which is too light for a line."""

_LINES = {"train": "--", "validation": "-"}
_PART_TITLES = {"train": "training", "validation": "validation"}
_AXIS_TITLES = {"loss": "loss", "accuracy": "accuracy (%)"}


@dataclass(frozen=True)
class Curves:
    """One run. history: as ``training.train_model`` gives it; kept: the epoch whose weights were
    kept; lowered: the first epochs at a lower learning rate, a plateau behind each; stopped:
    whether it ended before the last epoch allowed."""

    title: str
    seed: int
    history: pd.DataFrame
    kept: int
    lowered: Sequence[int] = ()
    stopped: bool = False


@styled
def compared_curves(
    runs: Sequence[Curves],
    *,
    measures: Sequence[str] = ("loss",),
    parts: Sequence[str] = ("train", "validation"),
) -> Figure:
    """A panel for each of ``measures`` ('loss', 'accuracy'), a colour for each title, a line for
    each run and part ('train', 'validation'); where there are several seeds, the number at the end
    of a run's last part is its seed.

    Raises CompanionError for more titles than colours.
    """
    titles = list(dict.fromkeys(run.title for run in runs))
    if len(titles) > len(CURVE_COLOURS):
        raise CompanionError(
            f"{len(titles)} training sets are chosen; more than {len(CURVE_COLOURS)} can't be told"
            " apart by colour. Choose fewer."
        )
    colours = dict(zip(titles, CURVE_COLOURS))
    figure = new_figure(PAGE, 3.2)
    panels = figure.subplots(1, len(measures), squeeze=False)[0]
    for axes, measure in zip(panels, measures):
        for run in runs:
            for part in parts:
                _draw(
                    axes,
                    run,
                    f"{part}_{measure}",
                    _LINES[part],
                    colours[run.title],
                    numbered=part == parts[-1] and len({other.seed for other in runs}) > 1,
                )
        axes.set(
            xlabel="epoch",
            ylabel=_AXIS_TITLES[measure],
            xlim=(0.5, max(2, *(len(run.history) for run in runs)) + 0.7),
        )
        axes.grid(axis="y")
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    sets = [
        Line2D([], [], color=colour, linewidth=2.5, label=title)
        for title, colour in colours.items()
    ]
    figure.legend(
        handles=[*sets, Line2D([], [], linestyle="none", label=""), *_marks(parts)],
        loc="outside right upper",
    )
    return described(
        figure,
        f"Line plots of {listed(measures)} over epochs, a colour for each training set.",
        f"Weights kept: {shortened(map(_in_words, runs), 6)}.",
    )


def _in_words(run: Curves) -> str:
    loss = run.history["validation_loss"].iloc[run.kept - 1]
    return (
        f"{run.title}, seed {run.seed}, epoch {run.kept} of {len(run.history)}, validation loss"
        f" {loss:.2f}"
    )


def _draw(axes, run: Curves, column: str, line: str, colour: str, *, numbered: bool) -> None:
    """A line and its marks; the ring only on validation, by which the epoch is chosen."""
    epochs, values = run.history["epoch"].to_numpy(), run.history[column].to_numpy()
    axes.plot(epochs, values, color=colour, linestyle=line, linewidth=1.3, alpha=0.9)
    if run.lowered:
        axes.plot(
            run.lowered,
            [values[epoch - 1] for epoch in run.lowered],
            "v",
            color=colour,
            markersize=5,
        )
    if column.startswith("validation"):
        axes.plot(
            run.kept, values[run.kept - 1], "o", color=colour, markerfacecolor="white", markersize=5
        )
    if run.stopped:
        axes.plot(epochs[-1], values[-1], "|", color=colour, markersize=9, markeredgewidth=1.8)
    if numbered:
        number = axes.annotate(
            f"{run.seed}",
            (epochs[-1], values[-1]),
            (4, 0),
            textcoords="offset points",
            va="center",
            color=colour,
            size=6.5,
        )
        # there is room for it, and measuring all of them takes a tenth of a second
        number.set_in_layout(False)


def _marks(parts: Sequence[str]) -> list[Line2D]:
    lines = [
        Line2D([], [], color=INK, linestyle=_LINES[part], label=_PART_TITLES[part])
        for part in parts
    ]
    kept = (
        [
            Line2D(
                [],
                [],
                color=INK,
                marker="o",
                markerfacecolor="white",
                markersize=5,
                linestyle="none",
                label="weights kept",
            )
        ]
        if "validation" in parts
        else []
    )
    return [
        *lines,
        *kept,
        Line2D(
            [],
            [],
            color=INK,
            marker="v",
            markersize=5,
            linestyle="none",
            label="learning rate lowered",
        ),
        Line2D(
            [],
            [],
            color=INK,
            marker="|",
            markersize=9,
            markeredgewidth=1.8,
            linestyle="none",
            label="stopped early",
        ),
    ]
