"""Confusion matrices: Fig. 4, and the parts that other matrices of shares are drawn with."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from fer_utils.core.emotions import EMOTIONS
from fer_utils.figures.describing import described, span
from fer_utils.figures.style import (
    EMOTION_TITLES,
    PAGE,
    PAPER_TEXT,
    SMALLEST,
    new_figure,
    readable_on,
    styled,
)

RIGHT = "answers right"


@styled
def figure_4_confusion_matrices(
    matrices: dict[str, np.ndarray], *, printed: Mapping[str, Sequence[float]] | None = None
) -> Figure:
    """Fig. 4: one confusion matrix per title, in order, lettered (a), (b), ...

    Args:
        matrices: for each title integer counts [7, 7], rows = true emotion, columns = predicted.
        Colour and
            large text give the share of the row in percent, small text the count.
        printed: for each title what the paper prints for the diagonal, in percent: it stands to the
        right of the rows.
    """
    rows = -(-len(matrices) // 2)
    figure = new_figure(PAGE, 0.1 + 2.95 * rows)
    panels = figure.subplots(rows, 2, squeeze=False)
    for axes, letter, (title, counts) in zip(panels.flat, "abcdefgh", matrices.items()):
        counts = np.asarray(counts)
        image = share_matrix(axes, counts, EMOTIONS, xlabel="predicted", ylabel="true (answers)")
        shares = (printed or {}).get(title)
        axes.set_title(
            f"({letter}) {title}\n{_on_diagonal(counts, RIGHT)}", pad=6 if shares is None else 11
        )
        _beside(axes, shares)
    for axes in panels.flat[len(matrices) :]:
        axes.axis("off")
    share_bar(figure, image, panels, "share of the true emotion (%)")
    return described(
        figure,
        f"{len(matrices)} confusion matrices of seven emotions, shares of the true emotion in"
        " colour.",
        *(
            f"({letter}) {title}:"
            f" {matrix_in_words(np.asarray(counts))}{_paper_in_words((printed or {}).get(title))}"
            for letter, (title, counts) in zip("abcdefgh", matrices.items())
        ),
    )


def _on_diagonal(counts: np.ndarray, what: str) -> str:
    total = counts.sum()
    return f"{100 * np.trace(counts) / max(total, 1):.1f} % of {total:,} {what}"


def _beside(axes, shares: Sequence[float] | None) -> None:
    """The paper's diagonal, one figure to the right of each row."""
    if shares is None:
        return
    for row, share in enumerate(shares):
        axes.text(
            len(EMOTIONS) - 0.35,
            row,
            "–" if np.isnan(share) else f"{share:.0f}",
            va="center",
            size=6.5,
            color=PAPER_TEXT,
        )
    axes.text(len(EMOTIONS) - 0.35, -0.8, "paper", va="center", size=SMALLEST, color=PAPER_TEXT)


def _paper_in_words(shares: Sequence[float] | None) -> str:
    return (
        ""
        if shares is None
        else f" The paper prints {span(dict(zip(EMOTIONS, shares)), ' %', 0)} on the diagonal."
    )


def matrix_in_words(counts: np.ndarray, what: str = RIGHT) -> str:
    """How much of integer counts [7, columns] lies on the diagonal (``what``), on which rows most,
    and the largest share off it."""
    rates = _rates(counts)
    own = {name: rates[place, place] for place, name in enumerate(EMOTIONS) if counts[place].any()}
    off = np.where(np.eye(*rates.shape, dtype=bool), -1, rates)
    true, said = np.unravel_index(off[:, : len(EMOTIONS)].argmax(), off[:, : len(EMOTIONS)].shape)
    mistake = (
        f"; largest share elsewhere: {EMOTIONS[true]} as {EMOTIONS[said]}, {off[true, said]:.1f} %"
        if off[true, said] > 0
        else ""
    )
    return f"{_on_diagonal(counts, what)}, {span(own, ' %', 0)}{mistake}."


def _rates(counts: np.ndarray) -> np.ndarray:
    return 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)


def share_matrix(axes, counts: np.ndarray, columns, *, xlabel: str, ylabel: str):
    """Draw counts [7, len(columns)] of emotions against ``columns``: the share of the row in
    percent in colour and large text ('<1' for what would round to 0), the count in small text.
    Returns the image, for a colour bar."""
    totals, rates = counts.sum(axis=1), _rates(counts)
    image = axes.imshow(rates, cmap="Blues", vmin=0, vmax=100)
    for (true, predicted), rate in np.ndenumerate(rates):
        colour = readable_on(image.cmap(image.norm(rate)))
        share = "<1" if 0 < rate < 0.5 else f"{rate:.0f}"
        axes.text(
            predicted,
            true - 0.15,
            share,
            ha="center",
            va="center",
            size=7.5,
            color=colour,
            weight="bold" if true == predicted else "normal",
        )
        axes.text(
            predicted,
            true + 0.27,
            f"{counts[true, predicted]:,}",
            ha="center",
            va="center",
            size=SMALLEST,
            color=colour,
        )
    names = [EMOTION_TITLES[name] for name in EMOTIONS]
    axes.set_xticks(
        range(len(columns)),
        [name.capitalize() for name in columns],
        rotation=45,
        ha="right",
        rotation_mode="anchor",
    )
    axes.set_yticks(
        range(len(names)), [f"{name} ({total:,})" for name, total in zip(names, totals)]
    )
    axes.set(xlabel=xlabel, ylabel=ylabel)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return image


def share_bar(figure: Figure, image, panels, label: str) -> None:
    """The colour bar of ``share_matrix`` images, to the right of all panels."""
    bar = figure.colorbar(image, ax=panels, shrink=0.5, aspect=40, location="right")
    bar.set_label(label)
    bar.outline.set_linewidth(0.4)
