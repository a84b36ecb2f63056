"""A printed percentage stands for an interval: which exact values could have been printed so.

Exact arithmetic on fractions, because a float can tip a verdict: 87.5 % of 56 images is a tie,
0.875 * 100 in binary may not be. Interval arithmetic after R. E. Moore, "Interval Analysis", 1966.
"""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache

from fer_utils.core.errors import CompanionError, nearest

ROUNDINGS = {
    "half-up": "rounded to nearest, ties up",
    "half-even": "rounded to nearest, ties to even",
    "truncation": "cut off",
    "mixed": "each figure rounded or cut off by a rule of its own",
}
"""How a figure may have been shortened; 'mixed' holds all the others, and ties that binary floats
turn down."""

NEAREST = "nearest"
READINGS = {NEAREST: "rounded to nearest, a tie either way"} | ROUNDINGS
"""``ROUNDINGS`` with the weakest of the rounding rules: programs print ties of binary floats now
up, now down."""

SURE_DECIMALS, MOST_DECIMALS = 10, 50
"""Decimals of a percentage that a binary float carries for sure; decimals that are read at all."""


@dataclass(frozen=True)
class Printed:
    """A percentage as printed: its text, its exact value, how many decimals it has (of the fraction
    0.9: -1)."""

    text: str
    value: Fraction = field(compare=False)  # text and decimals tell it, and are hashed sooner
    decimals: int


@dataclass(frozen=True)
class Interval:
    """Exact values from ``low`` to ``high``, in percent; an end that is not closed does not belong
    to it."""

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


def read_printed(text: str, *, as_share: bool = False) -> Printed:
    """A percentage of 0 to 100 from its text ('79.79', '100', '90.50 %'); trailing zeros count as
    decimals.

    as_share: the text is a fraction of 0 to 1 and has no % sign; '0.94' is 94 %, anything from 93.5
    to 94.5. Raises CompanionError for anything else.
    """
    found = re.fullmatch(r"\s*((?=\.?\d)\d{0,3}(?:\.(\d+))?)\s*(%?)\s*", str(text), re.ASCII)
    decimals = len(found[2] or "") if found else 0
    if decimals > MOST_DECIMALS:  # beyond some thousand, Python does not even read the number
        raise CompanionError(
            f"{in_quotes(text)} has {decimals:,} decimals; expected at most {MOST_DECIMALS}."
        )
    if as_share:
        if not found or found[3] or Fraction(found[1]) > 1:
            raise CompanionError(
                f"{in_quotes(text)} is not a fraction; expected a number of 0 to 1 with a decimal "
                "point, as printed, like 0.94."
            )
        percent = Decimal(found[1]).scaleb(2)
        return Printed(f"{found[1]} ({percent:f} %)", Fraction(percent), decimals - 2)
    if not found or Fraction(found[1]) > 100:
        raise CompanionError(
            f"{in_quotes(text)} is not a percentage; expected a number of 0 to 100 with a decimal "
            "point, as printed, like 79.79 or 90."
        )
    return Printed(found[1], Fraction(found[1]), decimals)


def in_quotes(text: str) -> str:
    """A cell of a table for an error message, the end of a long one left out."""
    return f"'{text if len(text) <= 60 else f'{text[:57]}...'}'"


@lru_cache(maxsize=100_000)  # a figure is asked for again by each check
def possible_values(printed: Printed, rounding: str) -> Interval:
    """Every exact percentage within 0..100 that ``rounding`` (a name in ``READINGS``) prints so.

    Of a float printed in full the last decimals are noise: 55 % comes out as 55.00000000000001.
    """
    check_rounding(rounding)
    if printed.decimals > SURE_DECIMALS:
        sure = Fraction(1, 10**SURE_DECIMALS)
        places = printed.value / sure
        return _within_percent(
            Interval((math.floor(places) - 1) * sure, (math.ceil(places) + 1) * sure)
        )
    unit, value = Fraction(10) ** -printed.decimals, printed.value
    low = value if rounding == "truncation" else value - unit / 2
    high = value + unit if rounding in ("truncation", "mixed") else value + unit / 2
    even = (value / unit).numerator % 2 == 0
    low_closed, high_closed = {NEAREST: (True, True), "half-even": (even, even)}.get(
        rounding, (True, False)
    )
    return _within_percent(Interval(low, high, low_closed, high_closed))


def check_rounding(rounding: str) -> None:
    """Raise CompanionError, naming the nearest, unless ``rounding`` is in ``READINGS``."""
    if rounding not in READINGS:
        raise CompanionError(f"Unknown rounding '{rounding}': {nearest(rounding, READINGS)}")


def counts_within(interval: Interval, size: int) -> range:
    """The numbers of right answers out of ``size`` whose percentage lies in ``interval``; may be
    empty."""
    first, last = count_ends(interval, size)
    return range(first, max(first, last + 1))


def count_ends(interval: Interval, size):
    """The first and the last number of right answers out of ``size`` (a whole number, or an array
    of them) within ``interval``; the last is smaller than the first where there is none."""
    low, high = interval.low.numerator * size, interval.high.numerator * size
    low_unit, high_unit = 100 * interval.low.denominator, 100 * interval.high.denominator
    first = -(-low // low_unit) if interval.low_closed else low // low_unit + 1
    last = high // high_unit if interval.high_closed else -(-high // high_unit) - 1
    return first, last


def weighted_mean(intervals: Iterable[Interval], weights: Iterable[int]) -> Interval:
    """Every mean of one value from each interval, with positive ``weights``."""
    intervals, weights = list(intervals), list(weights)
    low = weighted_sum((interval.low for interval in intervals), weights)
    high = weighted_sum((interval.high for interval in intervals), weights)
    total = sum(weights)
    return Interval(
        low / total,
        high / total,
        all(interval.low_closed for interval in intervals),
        all(interval.high_closed for interval in intervals),
    )


def weighted_sum(values: Iterable[Fraction], weights: Iterable[int]) -> Fraction:
    """The sum of ``values`` by ``weights``; in whole numbers of one unit, which is faster by
    far."""
    values = list(values)
    unit = math.lcm(*(value.denominator for value in values))
    return Fraction(
        sum(
            value.numerator * (unit // value.denominator) * weight
            for value, weight in zip(values, weights, strict=True)
        ),
        unit,
    )


def hull(intervals: Iterable[Interval]) -> Interval:
    """The smallest interval that holds all of them."""
    intervals = list(intervals)
    low, low_open = min((interval.low, not interval.low_closed) for interval in intervals)
    high, high_closed = max((interval.high, interval.high_closed) for interval in intervals)
    return Interval(low, high, not low_open, high_closed)


def _within_percent(interval: Interval) -> Interval:
    """Cut to 0..100; an end that is cut becomes closed, since 100 % itself can be reached."""
    low, low_closed = (
        (interval.low, interval.low_closed) if interval.low >= 0 else (Fraction(0), True)
    )
    high, high_closed = (
        (interval.high, interval.high_closed) if interval.high <= 100 else (Fraction(100), True)
    )
    return Interval(low, high, low_closed, high_closed)
