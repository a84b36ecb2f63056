"""What a network says about one photo."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from fer_utils.core.emotions import EMOTIONS
from fer_utils.figures.describing import described, listed
from fer_utils.figures.style import (
    EMOTION_COLOURS,
    EMOTION_TITLES,
    INK,
    PAGE,
    new_figure,
    show_face,
    styled,
)


@styled
def read_photo(pictures: Mapping[str, np.ndarray], probabilities: np.ndarray) -> Figure:
    """Pictures beside a bar for each emotion with its number.

    Args:
        pictures: title -> uint8 [H, W, 1 or 3]: the photo, what the network saw of it, where it
        found its evidence. probabilities: float [7] in the order of ``EMOTIONS``.
    """
    figure = new_figure(PAGE, 1.9)
    *panels, bars = figure.subplots(1, len(pictures) + 1, width_ratios=[*[1] * len(pictures), 1.5])
    for axes, (title, image) in zip(panels, pictures.items()):
        show_face(axes, image)
        axes.set_title(title)
    percent = 100 * np.asarray(probabilities, float)
    names = [EMOTION_TITLES[name] for name in EMOTIONS]
    bars.barh(
        names,
        percent,
        color=[EMOTION_COLOURS[name] for name in EMOTIONS],
        edgecolor=INK,
        linewidth=0.4,
    )
    for place, value in enumerate(percent):
        bars.text(
            value + 1.5,
            place,
            f"{value:.1f} %",
            va="center",
            weight="bold" if value == percent.max() else "normal",
        )
    bars.set(xlim=(0, 125), xticks=(0, 50, 100), xlabel="probability (%)")
    bars.invert_yaxis()
    bars.tick_params(axis="y", length=0)
    order = percent.argsort()[::-1]
    return described(
        figure,
        f"Pictures: {listed(pictures)}, and a bar for the probability of each emotion: "
        + ", ".join(f"{EMOTIONS[place]} {percent[place]:.1f} %" for place in order)
        + ".",
    )
