"""Whether printed class accuracies, their overall accuracy and the number of test images can belong
together.

Two methods, both exact:

- attainability, after the GRIM test of Brown and Heathers, "The GRIM Test: A Simple Technique
Detects Numerous
  Anomalies in the Reporting of Results in Psychology", 2017, doi 10.1177/1948550616673876: of n
  images k are right, so only the n + 1 shares k/n can be printed;
- interval arithmetic on rounded proportions: the class rows, each known up to its rounding, bound
the overall.

A verdict "not possible" is a statement about printed numbers under the assumptions of its row, not
about people.
"""

from fractions import Fraction

import numpy as np

from fer_utils.audit.printed import Column, TestSet
from fer_utils.audit.rounding import (
    Interval,
    Printed,
    check_rounding,
    count_ends,
    counts_within,
    hull,
    possible_values,
    weighted_mean,
    weighted_sum,
)
from fer_utils.core.errors import CompanionError, nearest

FITS, NOT_POSSIBLE = "fits", "not possible"
MEANS = {
    "micro": "every image counts once",
    "macro": "every class counts alike",
    "per batch": "mean over batches, a smaller last batch counting as much as the others",
    "any class mix": "any number of images in each class",
}
"""How class accuracies may have been put together to one figure."""


def attainable_counts(printed: Printed, size: int, rounding: str) -> range:
    """How many right answers out of ``size`` are printed so; an empty range if none are."""
    return counts_within(possible_values(printed, rounding), size)


SEARCHED, FIRST_BLOCK = 2**14, 2**7
"""Numbers of images among which a smallest one is looked for, and how many of them at once to begin
with; of figures with up to two decimals, any 10,000 images allow all."""


def smallest_size(printed: list[Printed], rounding: str, *, at_least: int = 1) -> int | None:
    """The smallest number of images, from ``at_least`` on, at which every one of these figures can
    be printed; None if it is none of the next ``SEARCHED``.

    With whole percentages any class of 100 images or more allows all of them.
    """
    figures = [possible_values(figure, rounding) for figure in dict.fromkeys(printed)]
    if all(counts_within(figure, at_least) for figure in figures):
        return at_least
    start, block, end = at_least, FIRST_BLOCK, at_least + SEARCHED
    while start < end:
        left = np.arange(start, min(start + block, end))
        start, block = start + block, 2 * block
        for figure in figures:
            first, last = count_ends(figure, _of_any_length(left, figure))
            left = left[(first <= last).astype(bool)]
            if not len(left):
                break
        else:
            return int(left[0])
    return None


def _of_any_length(sizes: np.ndarray, figure: Interval) -> np.ndarray:
    """The sizes, as Python's own whole numbers where their products with the ends of ``figure``
    outgrow 64 bits."""
    largest = max(figure.low.denominator, figure.high.denominator) * 100 * int(sizes[-1])
    return sizes if largest < 2**62 else sizes.astype(object)


def implied_overall(
    column: Column, test_set: TestSet, *, mean: str, rounding: str, batch_size: int = 16
) -> Interval:
    """Every overall accuracy that the class rows leave open, over all variants of the test set.

    mean: a name in ``MEANS``. For 'per batch' the class rows are taken over the whole set; which
    images share
        the last batch is not known, so the interval covers every order.
    Raises CompanionError if the classes of the two are not the same.
    """
    if mean not in MEANS:
        raise CompanionError(f"Unknown mean '{mean}': {nearest(mean, MEANS)}")
    _check_classes(column, test_set)
    check_rounding(rounding)
    intervals = column.possible[rounding]
    if mean == "macro":
        return weighted_mean(intervals, [1] * len(intervals))
    if mean == "any class mix":
        return hull(intervals)
    micro = _micro_mean(column, intervals, test_set)
    return _batch_mean(micro, test_set.size, batch_size) if mean == "per batch" else micro


def _micro_mean(column: Column, intervals: list[Interval], test_set: TestSet) -> Interval:
    """What the whole set leaves open, every image counting once; over all classes that may have
    lost a row."""
    if len(test_set.variants) == 1:
        return weighted_mean(intervals, [test_set.variants[0][name] for name in column.classes])
    lost = test_set.variants
    counts = [lost.counts[name] for name in column.classes]
    losing = [interval for interval, count in zip(intervals, counts, strict=True) if count > 1]
    low = weighted_sum((interval.low for interval in intervals), counts) - max(
        interval.low for interval in losing
    )
    high = weighted_sum((interval.high for interval in intervals), counts) - min(
        interval.high for interval in losing
    )
    return Interval(
        low / test_set.size,
        high / test_set.size,
        all(interval.low_closed for interval in intervals),
        all(interval.high_closed for interval in intervals),
    )


def overall_fits(
    column: Column, test_set: TestSet, *, mean: str, rounding: str, batch_size: int = 16
) -> bool:
    """Whether the printed overall lies in ``implied_overall``, both up to their rounding."""
    implied = implied_overall(column, test_set, mean=mean, rounding=rounding, batch_size=batch_size)
    return implied.meets(possible_values(column.overall, rounding))


def whole_column_fits(column: Column, test_set: TestSet, *, rounding: str) -> bool:
    """Whether some number of right answers in every class gives all class rows and, added up, the
    overall.

    Exact for 'every image counts once': for each class the possible numbers have no gaps, so their
    sums have none.
    """
    lost = test_set.variants if len(test_set.variants) > 1 else None
    counts = lost.counts if lost else test_set.variants[0]
    possible = {
        name: attainable_counts(printed, counts[name], rounding)
        for name, printed in column.classes.items()
    }
    overall = attainable_counts(column.overall, test_set.size, rounding)
    stuck = [name for name, right in possible.items() if not right]
    if not overall or len(stuck) > (1 if lost else 0):
        return False
    low, high = (sum(right[end] for right in possible.values() if right) for end in (0, -1))
    if lost is None:
        return low <= overall[-1] and overall[0] <= high
    for name in [name for name in stuck or lost.losers if counts[name] > 1]:
        right, fewer = (
            possible[name],
            attainable_counts(column.classes[name], counts[name] - 1, rounding),
        )
        taken = (right[0], right[-1]) if right else (0, 0)
        if (
            fewer
            and low - taken[0] + fewer[0] <= overall[-1]
            and overall[0] <= high - taken[1] + fewer[-1]
        ):
            return True
    return False


def overall_attainable(
    printed: Printed, size: int, rounding: str, *, batch_size: int | None = None
) -> bool:
    """Whether k right answers of ``size`` are printed so; with ``batch_size``, as a mean over
    batches."""
    if batch_size is None or size % batch_size == 0 or size < batch_size:
        return bool(attainable_counts(printed, size, rounding))
    last, batches = size % batch_size, size // batch_size + 1
    # In parts of which a right answer in the last batch is worth batch_size, one in a full batch as
    # many as the last batch has images: with no more than ``last`` of the former and ``full`` of
    # the latter, whole numbers are left.
    lowest, highest = count_ends(possible_values(printed, rounding), batch_size * last * batches)
    full = batch_size * (batches - 1)
    return any(
        max(0, -(-(lowest - batch_size * right) // last))
        <= min(full, (highest - batch_size * right) // last)
        for right in range(last + 1)
    )


def _batch_mean(micro: Interval, size: int, batch_size: int) -> Interval:
    """The means of batch accuracies that go with shares of right answers, over every order of the
    images."""
    last = size % batch_size
    if last == 0 or size < batch_size:
        return micro
    low, high = micro.low * size / 100, micro.high * size / 100
    fewest, most = max(Fraction(0), low - (size - last)), min(Fraction(last), high)
    batches = size // batch_size + 1
    return Interval(
        *(
            100 * ((right - right_in_last) / batch_size + right_in_last / last) / batches
            for right, right_in_last in ((low, fewest), (high, most))
        ),
        micro.low_closed,
        micro.high_closed,
    )


def _check_classes(column: Column, test_set: TestSet) -> None:
    if set(column.classes) != set(test_set.variants[0]):
        raise CompanionError(
            f"The column '{column.name}' of {column.dataset} has the classes "
            f"{', '.join(column.classes)}; the test set '{test_set.name}' has "
            f"{', '.join(test_set.variants[0])}. They must be the same."
        )
