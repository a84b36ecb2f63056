"""One way to make an explorer: a pure function from the values of some controls to a view.

A reader touches a control, the function is called with all values and its view takes the place of
the last one. In a headless run there are no controls: the view of their first values is shown as
plain output. Pictures are PNG bytes: a matplotlib figure inside an output widget stalls some runs
(nbclient issue 312).
"""

import base64
import html
import inspect
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from IPython.display import HTML, Image, display

from fer_utils.core.errors import CompanionError
from fer_utils.figures.saving import in_few_colours

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class View:
    """What an explorer shows. picture: PNG bytes; alt: what it shows, in words, for those who can't
    see it; words: HTML below it. Text that did not come from this package must be escaped by who
    makes the view."""

    picture: bytes = b""
    alt: str = ""
    words: str = ""

    def _ipython_display_(self) -> None:
        """As plain output of a cell, which a notebook keeps: the picture in few colours, then the
        words."""
        if self.picture:
            display(Image(data=in_few_colours(self.picture), format="png", alt=self.alt))
        if self.words:
            display(HTML(self.words))

    def html(self) -> str:
        """Picture and words as one piece of HTML that asks nothing of any server."""
        image = (
            '<img class="fer-picture" style="max-width:100%;background:white"'
            f' alt="{html.escape(self.alt)}"'
            f' src="data:image/png;base64,{base64.b64encode(self.picture).decode()}">'
            if self.picture
            else ""
        )
        return f'{image}<div class="fer-words" style="line-height:1.5">{self.words}</div>'


@dataclass(frozen=True)
class Choice:
    """One of several values: a drop-down list, or a row of buttons.

    options: values, or (text, value) pairs. value: chosen first; the first option if not given.
    """

    label: str
    options: Sequence
    value: Any = None
    buttons: bool = False

    @property
    def first(self):
        """The value before anybody touches it."""
        option = self.options[0]
        return (
            self.value
            if self.value is not None
            else option[1]
            if isinstance(option, tuple)
            else option
        )

    def widget(self):
        """The control itself."""
        from ipywidgets import Dropdown, ToggleButtons

        same = {"options": list(self.options), "value": self.first, "description": self.label}
        if self.buttons:  # as wide as their words, so that seven emotions fit into a row
            return ToggleButtons(**same, style={**_LABEL, "button_width": "auto"})
        return Dropdown(**same, style=_LABEL, layout=_FITTING)


@dataclass(frozen=True)
class Several:
    """Any number of values from a list, with Ctrl or Shift held; what is chosen comes as a tuple in
    the list's order.

    options: values, or (text, value) pairs. value: those chosen first; all if not given. rows:
    shown at a time.
    """

    label: str
    options: Sequence
    value: Sequence | None = None
    rows: int = 6

    @property
    def first(self) -> tuple:
        """The values before anybody touches it."""
        if self.value is not None:
            return tuple(self.value)
        return tuple(option[1] if isinstance(option, tuple) else option for option in self.options)

    def widget(self):
        """The control itself."""
        from ipywidgets import SelectMultiple

        return SelectMultiple(
            options=list(self.options),
            value=self.first,
            rows=min(self.rows, len(self.options)),
            description=self.label,
            style=_LABEL,
            layout=_FITTING,
        )


@dataclass(frozen=True)
class Slider:
    """A number between two, whole where ``step`` is. live: draw while it moves, not only when it is
    let go."""

    label: str
    low: float
    high: float
    value: float
    step: float = 1
    live: bool = False

    @property
    def first(self):
        """The value before anybody touches it."""
        return self.value

    def widget(self):
        """The control itself."""
        from ipywidgets import FloatSlider, IntSlider

        kind = IntSlider if isinstance(self.step, int) else FloatSlider
        return kind(
            min=self.low,
            max=self.high,
            value=self.value,
            step=self.step,
            description=self.label,
            continuous_update=self.live,
            style=_LABEL,
        )


@dataclass(frozen=True)
class Toggle:
    """Yes or no."""

    label: str
    value: bool = False

    @property
    def first(self):
        """The value before anybody touches it."""
        return self.value

    def widget(self):
        """The control itself."""
        from ipywidgets import Checkbox

        return Checkbox(value=self.value, description=self.label, indent=False, layout=_FITTING)


@dataclass(frozen=True)
class Words:
    """A line of text, taken when Enter is pressed or the field is left."""

    label: str
    value: str = ""

    @property
    def first(self):
        """The value before anybody touches it."""
        return self.value

    def widget(self):
        """The control itself."""
        from ipywidgets import Text

        return Text(
            value=self.value,
            description=self.label,
            continuous_update=False,
            style=_LABEL,
            layout={"max_width": "100%"},
        )


_LABEL = {"description_width": "initial"}
# on a phone nothing is wider than the page
_FITTING = {"width": "max-content", "max_width": "100%"}
_ALERT = (
    '<div class="fer-problem" role="alert" style="border-left:4px solid #b3260b;padding:.4em .8em">'
    "{}</div>"
)


def headless() -> bool:
    """Whether a notebook runs without a reader: ``kernels.kernel_environment`` sets
    ``FER_HEADLESS``."""
    return bool(os.environ.get("FER_HEADLESS"))


def explore(draw: Callable[..., View], controls: Mapping[str, Any], *, busy: str = "") -> Any:
    """Controls over ``draw(**values) -> View``; in a headless run the view of their first values is
    shown alone.

    controls: argument of ``draw`` -> Choice, Several, Slider, Toggle, Words or anything else with
    ``first`` and ``widget()``,
              whose widget has a ``value``.
    busy:     said while ``draw`` works, where that may take longer than a blink. ``draw`` can say
    more by calling
              the argument ``say`` (a line of text), if it has one.
    A CompanionError is shown in its own words; any other error by its name, with what to do about
    it.
    """
    if headless():
        return draw(**{name: control.first for name, control in controls.items()}, **_silent(draw))
    return Explorer(
        draw, {name: control.widget() for name, control in controls.items()}, busy=busy
    ).box


class Explorer:
    """The living thing: ``box`` is what a notebook shows, ``controls`` are the widgets by argument
    name."""

    def __init__(self, draw: Callable[..., View], controls: Mapping[str, Any], *, busy: str = ""):
        from ipywidgets import HTML as Area  # noqa: N811
        from ipywidgets import HBox, Layout, VBox

        self.draw, self.controls, self.busy = draw, controls, busy
        self.status, self.shown = Area(), Area()
        row = HBox(list(controls.values()), layout=Layout(flex_flow="row wrap"))
        self.box = VBox([row, self.status, self.shown])
        self.box.add_class("fer-explorer")
        for control in controls.values():
            control.observe(self.update, names="value")
        self.update()

    def update(self, _=None) -> None:
        """Draw the view of the controls' values, or say what went wrong; the last view stays until
        then."""
        self.say(self.busy)
        try:
            values = {name: control.value for name, control in self.controls.items()}
            self.shown.value = self.draw(
                **values, **({"say": self.say} if _silent(self.draw) else {})
            ).html()
            self.say("")
        except CompanionError as problem:
            self.status.value = _ALERT.format(html.escape(str(problem)))
        except Exception as problem:
            # whatever it is, a reader must see it: a callback's traceback goes nowhere
            log.exception("An explorer failed")
            self.status.value = _ALERT.format(
                f"<b>{type(problem).__name__}</b>: {html.escape(str(problem))}. Choose other"
                " values, or run the cells above again and then this one."
            )

    def say(self, text: str) -> None:
        """One line above the view."""
        self.status.value = f'<span role="status">{html.escape(text)}</span>' if text else ""


def _silent(draw: Callable[..., View]) -> dict[str, Callable[[str], None]]:
    """A ``say`` that says nothing, for those functions that want one."""
    return {"say": lambda text: None} if "say" in inspect.signature(draw).parameters else {}
