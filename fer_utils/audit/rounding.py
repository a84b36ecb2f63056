"""A printed percentage stands for an interval: which exact values could have been printed so.

Exact arithmetic on fractions, because a float can tip a verdict: 87.5 % of 56 images is a tie, 0.875 * 100 in
binary may not be. Interval arithmetic after R. E. Moore, "Interval Analysis", 1966.
"""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from fer_utils.errors import CompanionError, nearest

ROUNDINGS = {"half-up": "rounded to nearest, ties up",
             "half-even": "rounded to nearest, ties to even",
             "truncation": "cut off",
             "mixed": "each figure rounded or cut off by a rule of its own"}
"""How a figure may have been shortened; 'mixed' holds all the others, and ties that binary floats turn down."""


@dataclass(frozen=True)
class Printed:
    """A percentage as printed: its text, its exact value, how many decimals it has."""

    text: str
    value: Fraction
    decimals: int


@dataclass(frozen=True)
class Interval:
    """Exact values from ``low`` to ``high``, in percent; an end that is not closed does not belong to it."""

    low: Fraction
    high: Fraction
    low_closed: bool = True
    high_closed: bool = True

    def meets(self, other: "Interval") -> bool:
        """Whether any value lies in both."""
        low, low_open = max((self.low, not self.low_closed), (other.low, not other.low_closed))
        high, high_closed = min((self.high, self.high_closed), (other.high, other.high_closed))
        return low < high or (low == high and high_closed and not low_open)

    def __str__(self) -> str:
        return f"{float(self.low):.2f} to {float(self.high):.2f}"


def read_printed(text: str) -> Printed:
    """A percentage of 0 to 100 from its text ('79.79', '100', '90.50 %'); trailing zeros count as decimals.

    Raises CompanionError for anything else.
    """
    found = re.fullmatch(r"\s*(\d{1,3}(?:\.(\d+))?)\s*%?\s*", str(text))
    if not found or Fraction(found[1]) > 100:
        raise CompanionError(f"'{text}' is not a percentage; expected a number of 0 to 100 with a decimal point, "
                             "as printed, like 79.79 or 90.")
    return Printed(found[1], Fraction(found[1]), len(found[2] or ""))


def possible_values(printed: Printed, rounding: str) -> Interval:
    """Every exact percentage within 0..100 that ``rounding`` (a name in ``ROUNDINGS``) prints so."""
    check_rounding(rounding)
    unit = Fraction(1, 10 ** printed.decimals)
    half, value = unit / 2, printed.value
    even = (value / unit).numerator % 2 == 0
    interval = {"half-up": Interval(value - half, value + half, True, False),
                "half-even": Interval(value - half, value + half, even, even),
                "truncation": Interval(value, value + unit, True, False),
                "mixed": Interval(value - half, value + unit, True, False)}[rounding]
    return _within_percent(interval)


def check_rounding(rounding: str) -> None:
    """Raise CompanionError, naming the nearest, unless ``rounding`` is in ``ROUNDINGS``."""
    if rounding not in ROUNDINGS:
        raise CompanionError(f"Unknown rounding '{rounding}': {nearest(rounding, ROUNDINGS)}")


def counts_within(interval: Interval, size: int) -> range:
    """The numbers of right answers out of ``size`` whose percentage lies in ``interval``; may be empty."""
    low, high = interval.low * size / 100, interval.high * size / 100
    first = math.ceil(low) + (not interval.low_closed and low.denominator == 1)
    last = math.floor(high) - (not interval.high_closed and high.denominator == 1)
    return range(max(0, first), max(0, min(size, last) + 1))


def weighted_mean(intervals: Iterable[Interval], weights: Iterable[int]) -> Interval:
    """Every mean of one value from each interval, with positive ``weights``."""
    pairs = list(zip(intervals, weights, strict=True))
    total = sum(weight for _, weight in pairs)
    return Interval(sum(interval.low * weight for interval, weight in pairs) / Fraction(total),
                    sum(interval.high * weight for interval, weight in pairs) / Fraction(total),
                    all(interval.low_closed for interval, _ in pairs),
                    all(interval.high_closed for interval, _ in pairs))


def hull(intervals: Iterable[Interval]) -> Interval:
    """The smallest interval that holds all of them."""
    intervals = list(intervals)
    low, low_open = min((interval.low, not interval.low_closed) for interval in intervals)
    high, high_closed = max((interval.high, interval.high_closed) for interval in intervals)
    return Interval(low, high, not low_open, high_closed)


def _within_percent(interval: Interval) -> Interval:
    """Cut to 0..100; an end that is cut becomes closed, since 100 % itself can be reached."""
    low, low_closed = (interval.low, interval.low_closed) if interval.low >= 0 else (Fraction(0), True)
    high, high_closed = (interval.high, interval.high_closed) if interval.high <= 100 else (Fraction(100), True)
    return Interval(low, high, low_closed, high_closed)
