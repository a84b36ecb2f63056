"""A confusion matrix as a control: a button for each pair of label and answer, coloured by its
share."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from ipywidgets import HTML, Button, GridBox, Layout, ValueWidget, VBox
from matplotlib import colormaps
from matplotlib.colors import to_hex

from fer_utils.core.emotions import EMOTIONS
from fer_utils.evaluation import confusion_rates

COLOURS = "Blues"
# widths of the columns; on a phone the cells shrink, and the words wrap
HEADS, CELLS = "60px", "minmax(30px, 74px)"
EVERY_CELL = [(label, answer) for label in range(len(EMOTIONS)) for answer in range(len(EMOTIONS))]


@dataclass(frozen=True)
class Matrix:
    """Which cell is looked at: its value is (label, answer) as positions in ``EMOTIONS``.

    ``paint`` brings numbers and colours to those of another run; ``made`` holds the widget where
    there is a reader.
    """

    label: str
    value: tuple[int, int]
    made: list = field(default_factory=list)

    @property
    def first(self) -> tuple[int, int]:
        """The cell before anybody touches it."""
        return self.value

    def widget(self):
        """The control itself."""
        self.made[:] = [MatrixWidget(self.label, self.value)]
        return self.made[0]

    def paint(self, counts: np.ndarray, *, shares: bool) -> None:
        """Show these counts int [7, 7], or their shares of each row in percent."""
        for widget in self.made:
            widget.paint(counts, shares=shares)


class MatrixWidget(VBox, ValueWidget):
    """Seven by seven buttons; as every button they can be reached by Tab and pressed by Enter or
    the space bar."""

    def __init__(self, title: str, value: tuple[int, int]):
        self.plain, self.chosen = (
            Layout(width="auto", height="34px", margin="0", padding="0", border=border)
            for border in ("3px solid transparent", "3px solid #d55e00")
        )
        self.buttons = {cell: Button(layout=self.plain) for cell in EVERY_CELL}
        for cell, button in self.buttons.items():
            button.on_click(lambda _, cell=cell: self.set_trait("value", cell))
        rows = [
            [_head(emotion), *(self.buttons[label, answer] for answer in range(len(EMOTIONS)))]
            for label, emotion in enumerate(EMOTIONS)
        ]
        grid = GridBox(
            [_head(""), *map(_head, EMOTIONS), *sum(rows, [])],
            layout=Layout(
                grid_template_columns=f"{HEADS} repeat({len(EMOTIONS)}, {CELLS})", grid_gap="2px"
            ),
        )
        super().__init__([HTML(title), grid], value=value)
        self._mark({"new": value})
        self.observe(self._mark, names="value")

    def paint(self, counts: np.ndarray, *, shares: bool) -> None:
        """Numbers, colours and words of these counts."""
        rates = np.nan_to_num(confusion_rates(counts))
        for cell, button in self.buttons.items():
            button.description = f"{rates[cell]:.0%}" if shares else f"{counts[cell]:,}"
            button.tooltip = cell_title(counts, *cell)
            background, text = cell_colours(rates[cell])
            with button.style.hold_sync():
                button.style.button_color, button.style.text_color = background, text
                button.style.font_weight = "bold" if cell[0] == cell[1] else "normal"

    def _mark(self, change: dict) -> None:
        """A frame around the cell that is looked at, and none around the one before."""
        if change.get("old"):
            self.buttons[change["old"]].layout = self.plain
        self.buttons[change["new"]].layout = self.chosen


def cell_title(counts: np.ndarray, label: int, answer: int) -> str:
    """What a cell says, in words."""
    count, total = int(counts[label, answer]), int(counts[label].sum())
    share = f" ({count / total:.0%})" if total else ""
    return f"{EMOTIONS[label]} read as {EMOTIONS[answer]}: {count:,} of {total:,} faces{share}"


def cell_colours(rate: float) -> tuple[str, str]:
    """Background and text of a cell with that share (0..1) of its row, as '#rrggbb'; their contrast
    is at least 4.5 to 1, what WCAG 2.1 asks of small text
    (https://www.w3.org/TR/WCAG21/#contrast-minimum)."""
    background = colormaps[COLOURS](float(rate))[:3]
    white, black = 1.05 / (luminance(background) + 0.05), (luminance(background) + 0.05) / 0.05
    return to_hex(background), "#ffffff" if white > black else "#000000"


def luminance(rgb: Sequence[float]) -> float:
    """Relative luminance (WCAG 2.1) of a colour with parts in 0..1."""
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in rgb]
    return float(np.dot((0.2126, 0.7152, 0.0722), linear))


def _head(text: str) -> HTML:
    return HTML(
        '<div style="text-align:center;line-height:1.1;padding:9px'
        f' 0;overflow-wrap:anywhere">{text}</div>'
    )
