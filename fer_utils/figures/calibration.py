"""Confidence against accuracy: the reliability diagram."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from fer_utils.figures.describing import described
from fer_utils.figures.style import (
    EMOTION_COLOURS,
    FAINT,
    INK,
    LEVEL_COLOURS,
    PAGE,
    new_figure,
    styled,
)

CONFIDENCE = EMOTION_COLOURS["anger"]


@styled
def figure_a6_calibration(diagrams: dict[str, pd.DataFrame], notes: dict[str, str]) -> Figure:
    """One reliability diagram per title, with the number of answers of each bin under it.

    Args:
        diagrams: for each title the frame of ``evaluation.reliability``, in %.
        notes: for each title a line to print in its panel, such as the calibration error.
    """
    rows = -(-len(diagrams) // 2)
    figure = new_figure(PAGE, 0.3 + 2.9 * rows)
    parts = np.ravel(figure.subfigures(rows, 2, squeeze=False))
    for part, letter, (title, diagram) in zip(parts, "abcdefgh", diagrams.items()):
        upper, lower = part.subplots(2, 1, sharex=True, height_ratios=[4, 1])
        _curve(upper, diagram)
        upper.set_title(f"({letter}) {title}\n{notes[title]}", parse_math=False)
        lower.bar(
            _middles(diagram), diagram["answers"], width=_widths(diagram), color=FAINT, linewidth=0
        )
        lower.set(
            xlabel="confidence (%)",
            ylabel=f"answers\n({diagram['answers'].sum():,})",
            xlim=(0, 100),
        )
    figure.legend(handles=_legend(), loc="outside upper center", ncols=3)
    return described(
        figure,
        f"{len(diagrams)} reliability diagrams: accuracy against confidence, in bins of"
        " confidence.",
        *(
            f"({letter}) {title}: {notes[title]}; {_in_words(diagram)}."
            for letter, (title, diagram) in zip("abcdefgh", diagrams.items())
        ),
    )


def _in_words(diagram: pd.DataFrame) -> str:
    """How many answers lie in bins that are surer than right beyond their interval, and how many in
    those less sure."""
    over, under = (
        diagram.loc[mask, "answers"].sum()
        for mask in (
            diagram["confidence"] > diagram["high"],
            diagram["confidence"] < diagram["low"],
        )
    )
    return (
        f"of {diagram['answers'].sum():,} answers {over:,} lie in bins that are surer than right,"
        f" {under:,} in bins that are less sure, beyond the interval"
    )


def _curve(axes, diagram: pd.DataFrame) -> None:
    lengths = np.abs(diagram[["low", "high"]].sub(diagram["accuracy"], axis=0).to_numpy(float).T)
    axes.bar(
        _middles(diagram),
        diagram["accuracy"],
        width=_widths(diagram),
        color=LEVEL_COLOURS["aug1"],
        edgecolor="white",
        linewidth=0.6,
    )
    axes.errorbar(
        _middles(diagram),
        diagram["accuracy"],
        yerr=lengths,
        fmt="none",
        ecolor=INK,
        elinewidth=0.8,
        capsize=1.5,
    )
    axes.plot(
        diagram["confidence"],
        diagram["confidence"],
        "_",
        color=CONFIDENCE,
        markersize=7,
        markeredgewidth=1.6,
    )
    axes.plot([0, 100], [0, 100], color=FAINT, linestyle="--", linewidth=0.8)
    axes.set(ylim=(0, 100), ylabel="accuracy (%)")


def _middles(diagram: pd.DataFrame) -> pd.Series:
    return (diagram["low_edge"] + diagram["high_edge"]) / 2


def _widths(diagram: pd.DataFrame) -> pd.Series:
    return diagram["high_edge"] - diagram["low_edge"]


def _legend() -> list:
    return [
        Patch(color=LEVEL_COLOURS["aug1"], label="accuracy of the bin's answers, with interval"),
        Line2D(
            [],
            [],
            marker="_",
            linestyle="none",
            color=CONFIDENCE,
            markersize=7,
            markeredgewidth=1.6,
            label="their mean confidence",
        ),
        Line2D([], [], color=FAINT, linestyle="--", linewidth=0.8, label="perfectly calibrated"),
    ]
