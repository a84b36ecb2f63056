"""One style for all figures: readable at a paper's column width, for colour-blind readers and in
gray print."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from fer_utils.core.emotions import EMOTIONS

PAGE = 7.16
"""Inches: the text width of the paper's two-column layout (IEEE)."""

COLUMN = 3.5
"""Inches: the width of one of its columns."""

EMOTION_COLOURS = {
    "anger": "#cd3c14",
    "disgust": "#5cba8c",
    "fear": "#af5caf",
    "happy": "#ffd84d",
    "neutral": "#222222",
    "sad": "#0a4ba0",
    "surprise": "#7cc8f0",
}
"""One colour per emotion in every figure; their brightness in gray print is at least a tenth apart
as well."""

EMOTION_TITLES = {name: name.capitalize() for name in EMOTIONS}

LEVEL_COLOURS = {
    "original": "#c9c9c9",
    "aug1": "#86b6d8",
    "aug2": "#3f8fc0",
    "aug3": "#1a5f96",
    "aug4": "#0a2f5c",
}
"""From light to dark with the number of images per class."""

LEVEL_MARKERS = {"original": "o", "aug1": "s", "aug2": "^", "aug3": "v", "aug4": "D"}

SMALLEST = 6
"""Points: no text in a figure is smaller than this at the size it is made for."""

INK, FAINT, PAPER_COLOUR, STAMP_COLOUR = "#1a1a1a", "#8a8a8a", "#d55e00", "#b3260b"

PAPER_TEXT, ASIDE = "#a34700", "#555555"
"""Colours of text about the paper, and of remarks: lines and markers may be lighter than text."""

STYLE = {
    # DejaVu Sans comes with matplotlib; Verdana has nearly its widths where an SVG's reader lacks
    # it.
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "sans-serif"],
    "font.size": 7.5,
    "axes.titlesize": 8,
    "axes.labelsize": 7.5,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "figure.titlesize": 9,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": False,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.linewidth": 1.2,
    "hatch.linewidth": 0.6,
    "legend.frameon": False,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "image.interpolation": "nearest",
    "text.hinting": "none",
    # Text stays text in files, and nothing in them depends on when they were written.
    "svg.fonttype": "none",
    "svg.hashsalt": "fer-companion",
    "pdf.fonttype": 42,
}

_Given = ParamSpec("_Given")


def styled(draw: Callable[_Given, Figure | list[Path]]) -> Callable[_Given, Figure | list[Path]]:
    """Run a drawing or saving function under ``STYLE`` and matplotlib's defaults, whatever the
    caller has set."""

    @functools.wraps(draw)
    def run(*args, **kwargs):
        with mpl.rc_context():
            mpl.rcdefaults()
            mpl.rcParams.update(STYLE)
            return draw(*args, **kwargs)

    return run


def luminance(colour) -> float:
    """Relative luminance in 0..1 of any colour matplotlib knows (WCAG 2.2,
    https://www.w3.org/TR/WCAG22/)."""
    values = np.array(to_rgb(colour))
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def contrast(first, second) -> float:
    """Contrast ratio of two colours by the same source, 1 to 21; text needs 4.5 at least."""
    dark, light = sorted((luminance(first), luminance(second)))
    return (light + 0.05) / (dark + 0.05)


def readable_on(colour) -> str:
    """Black or white, whichever stands out more; on any colour that gives a contrast of at least
    4.58."""
    return max(("black", "white"), key=lambda ink: contrast(ink, colour))


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of that many inches; it belongs to no window and is laid out when it is
    drawn."""
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.03, h_pad=0.03, wspace=0.02, hspace=0.02)
    return figure


def show_face(axes: Axes, image) -> None:
    """Draw one uint8 [H, W, 1 or 3] face without ticks or frame."""
    if image.shape[-1] == 1:
        axes.imshow(image[..., 0], cmap="gray", vmin=0, vmax=255)
    else:
        axes.imshow(image)
    bare(axes)


def bare(axes: Axes) -> None:
    """Remove ticks and frame but keep labels."""
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def drawing_board(figure: Figure, width: float, height: float) -> Axes:
    """One axes over the whole figure in inches from its lower left corner, for diagrams."""
    axes = figure.add_subplot()
    axes.set(xlim=(0, width), ylim=(0, height))
    axes.set_aspect("equal")
    axes.axis("off")
    return axes


def interval_mark(shape: str, filling: str, size: float = 4.2) -> dict:
    """How ``errorbar`` draws a value with its interval: a framed marker and thin lines that end in
    small caps."""
    return {
        "fmt": shape,
        "color": INK,
        "ecolor": INK,
        "elinewidth": 0.8,
        "capsize": 1.5,
        "capthick": 0.8,
        "markersize": size,
        "markeredgewidth": 0.6,
        "markerfacecolor": filling,
        "markeredgecolor": INK,
    }
