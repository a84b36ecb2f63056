"""The kinds of range that a setting may have.

Each has ``objection(value, verb)``: what is wrong with a value, as a sentence goes on after the
name of its setting ("is 0, but must be …"), and '' where nothing is.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from fer_utils.core.errors import nearest
from fer_utils.core.profiles.reading import shown


@dataclass(frozen=True)
class Range:
    """Values that ``holds`` says yes to; ``valid`` tells in words which."""

    valid: str
    holds: Callable[[object], bool]

    def objection(self, value, verb: str = "is") -> str:
        return "" if self.holds(value) else f"{verb} {shown(value)}, but must be {self.valid}."


@dataclass(frozen=True)
class Choice:
    """One of some names."""

    names: tuple[str, ...]

    def objection(self, value, verb: str = "is") -> str:
        asked = value if isinstance(value, str) else ""
        return "" if value in self.names else f"{verb} {shown(value)}: {nearest(asked, self.names)}"


@dataclass(frozen=True)
class Several:
    """A list of different items, ``least`` of them or more, with ``needed`` among them where it is
    given."""

    item: Range | Choice
    least: int = 0
    needed: str = ""

    def objection(self, values, verb: str = "is") -> str:
        if not isinstance(values, list) or len(values) < self.least:
            return f"{verb} {shown(values)}, but must be a list of {self.least} or more."
        wrong = [
            objection for value in values if (objection := self.item.objection(value, "holds"))
        ]
        if wrong:
            return wrong[0]
        repeated = [value for value, times in Counter(values).items() if times > 1]
        if repeated:
            return f"holds {shown(repeated[0])} twice, but must name each once."
        if self.needed and self.needed not in values:
            return (
                f"{verb} {shown(values)}, but must hold '{self.needed}', with which all else is"
                " compared."
            )
        return ""


def whole(least: int, most: int, *, step: int = 1) -> Range:
    """Whole numbers from ``least`` to ``most``, both included, that ``step`` divides."""
    words = f"a whole number from {least:,} to {most:,}" + (
        f" that {step} divides" if step > 1 else ""
    )
    return Range(
        words, lambda value: _is_number(value, int) and least <= value <= most and value % step == 0
    )


def number(least: float, most: float, *, above: bool = False, below: bool = False) -> Range:
    """Numbers from ``least`` to ``most``; ``above`` leaves out the first of the two, ``below`` the
    second."""
    first = f"over {least:g} and" if above else f"from {least:g} to"
    last = f"under {most:g}" if below else f"at most {most:g}" if above else f"{most:g}"

    def holds(value) -> bool:  # not a number: neither less nor more than anything
        inside = _is_number(value, int | float) and least <= value <= most
        return inside and not (above and value == least) and not (below and value == most)

    return Range(f"a number {first} {last}", holds)


def _is_number(value, kind) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)
