"""What decides on real faces: real ones in the place of synthetic ones, and a shift of the prior in
the place of training."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fer_utils.balancing.controls import set_title
from fer_utils.evaluation.bootstrap import FACES_AND_RUNS
from fer_utils.figures.describing import described
from fer_utils.figures.style import (
    ASIDE,
    INK,
    LEVEL_COLOURS,
    PAGE,
    interval_mark,
    new_figure,
    styled,
)

CURVES = {
    "unseen real faces": (("original", "unseen_25", "unseen_50", "unseen"), "o-", "#1a5f96"),
    "synthetic faces": (("original", "synthetic_25", "synthetic_50", "aug1"), "D--", "#ffffff"),
    "repeated faces": (("original", "oversampling"), "s:", "#c9c9c9"),
}
"""Name -> its sets from the part alone to all that is added, marker and line, filling."""

_APART = 0.012
"""Of the faces added: how far curves are moved sideways, so that no interval hides another."""


@styled
def figure_a7_oracle(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Balanced accuracy against the number of faces added to a part of the data set, a panel for
    each part.

    ``tables``: title of a part -> ``evaluation.oracle_table`` of it; sets that it lacks are not
    drawn.
    """
    figure = new_figure(PAGE, 2.6)
    panels = figure.subplots(1, len(tables), sharey=True, squeeze=False)[0]
    said, marks = [], {}
    for axes, letter, (title, table) in zip(panels, "abcdefgh", tables.items()):
        rows = table.set_index("level")
        for place, (name, (levels, shape, filling)) in enumerate(CURVES.items()):
            found = rows.loc[[level for level in levels if level in rows.index]]
            if len(found) > 1:
                lengths = np.abs(
                    found[["low", "high"]].sub(found["balanced"], axis=0).to_numpy(float).T
                )
                shift = (place - 1) * _APART * rows["added"].max()
                marks[name] = axes.errorbar(
                    found["added"] + shift,
                    found["balanced"],
                    yerr=lengths,
                    **interval_mark(shape, filling) | {"linewidth": 0.8},
                )
                said.append(
                    f"{title}, {name}: "
                    + ", ".join(
                        f"{row.balanced:.1f} % with {row.added:,.0f} added"
                        for row in found.itertuples()
                    )
                    + "."
                )
        axes.set_title(f"({letter}) {title}", loc="left")
        axes.set_xlabel("faces added")
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.grid(axis="y")
    panels[0].set_ylabel(f"balanced accuracy (%), read for\nequal shares [{FACES_AND_RUNS}]")
    figure.legend(
        handles=list(marks.values()),
        labels=list(marks),
        loc="outside upper center",
        ncols=len(CURVES),
    )
    return described(
        figure,
        "Lines with intervals: balanced accuracy against the number of faces added to a part of"
        " FER2013's training faces.",
        *said,
    )


@styled
def figure_a8_trade_off(answers: pd.DataFrame) -> Figure:
    """Balanced accuracy against accuracy: a curve for each set whose answers were read for equal
    class shares with several strengths, a point for every other; small marks are single runs, large
    ones their means.

    ``answers``: ``measured.trade_off``.
    """
    figure = new_figure(PAGE, 3.4)
    axes, said = figure.subplots(), []
    for level, rows in answers.groupby("level", sort=False):
        means = rows.groupby("strength")[["accuracy", "balanced"]].mean()
        colour = LEVEL_COLOURS.get(level, "#ffffff")
        axes.plot(
            means["accuracy"],
            means["balanced"],
            "o-",
            color=INK,
            linewidth=0.8,
            markersize=6,
            markerfacecolor=colour,
            markeredgewidth=0.6,
            zorder=3,
        )
        for strength, mean in means.iterrows():
            title = (
                set_title(level)
                if len(means) == 1
                else f"τ = {strength:g}"
                if strength
                else f"{set_title(level)}, τ = 0"
            )
            _beside(axes, mean, title, of_curve=len(means) > 1, above=strength > 0)
            runs = rows[(rows["strength"] == strength) & (strength in (0, 1))]
            axes.plot(
                runs["accuracy"],
                runs["balanced"],
                linestyle="none",
                marker=".",
                markersize=3,
                color=ASIDE,
            )
        said.append(
            f"{set_title(level)}: "
            + ", ".join(
                (f"τ {strength:g} " if len(means) > 1 else "")
                + f"{mean.balanced:.1f} % balanced at {mean.accuracy:.1f} %"
                for strength, mean in means.iterrows()
            )
            + "."
        )
    axes.set_xlabel("accuracy on PublicTest (%)")
    axes.set_ylabel("balanced accuracy on PublicTest (%)")
    axes.margins(0.12, 0.15)
    axes.grid()
    return described(
        figure,
        "Scatter plot: balanced accuracy against accuracy on PublicTest, means over seeds; the line"
        " divides a set's answers by its class shares to the power of τ.",
        *said,
    )


def _beside(axes: Axes, mean: pd.Series, text: str, *, of_curve: bool, above: bool) -> None:
    """The texts of the curve stand to its right, those of other sets to the left, so that
    neighbours keep apart."""
    axes.annotate(
        text,
        (mean["accuracy"], mean["balanced"]),
        (6 if of_curve else -7, 4 if above else -1),
        textcoords="offset points",
        ha="left" if of_curve else "right",
        va="bottom" if above else "center",
        fontsize=7,
    )
