"""Whether printed class accuracies, their overall accuracy and the number of test images can belong together.

Two methods, both exact:

- attainability, after the GRIM test of Brown and Heathers, "The GRIM Test: A Simple Technique Detects Numerous
  Anomalies in the Reporting of Results in Psychology", 2017, doi 10.1177/1948550616673876: of n images k are right, so
  only the n + 1 shares k/n can be printed;
- interval arithmetic on rounded proportions: the class rows, each known up to its rounding, bound the overall.

A verdict "not possible" is a statement about printed numbers under the assumptions of its row, not about people.
"""

from fractions import Fraction

from fer_utils.audit.printed import Column, TestSet
from fer_utils.audit.rounding import Interval, Printed, counts_within, hull, possible_values, weighted_mean
from fer_utils.errors import CompanionError, nearest

FITS, NOT_POSSIBLE = "fits", "not possible"
MEANS = {"micro": "every image counts once",
         "macro": "every class counts alike",
         "per batch": "mean over batches, a smaller last batch counting as much as the others",
         "any class mix": "any number of images in each class"}
"""How class accuracies may have been put together to one figure."""


def attainable_counts(printed: Printed, size: int, rounding: str) -> range:
    """How many right answers out of ``size`` are printed so; an empty range if none are."""
    return counts_within(possible_values(printed, rounding), size)


def smallest_size(printed: list[Printed], rounding: str, *, at_least: int = 1) -> int:
    """The smallest number of images, from ``at_least`` on, at which every one of these figures can be printed.

    With whole percentages any class of 100 images or more allows all of them.
    """
    size = at_least
    while not all(attainable_counts(figure, size, rounding) for figure in printed):
        size += 1
    return size


def implied_overall(column: Column, test_set: TestSet, *, mean: str, rounding: str, batch_size: int = 16) -> Interval:
    """Every overall accuracy that the class rows leave open, over all variants of the test set.

    mean: a name in ``MEANS``. For 'per batch' the class rows are taken over the whole set; which images share
        the last batch is not known, so the interval covers every order.
    Raises CompanionError if the classes of the two are not the same.
    """
    if mean not in MEANS:
        raise CompanionError(f"Unknown mean '{mean}': {nearest(mean, MEANS)}")
    _check_classes(column, test_set)
    intervals = [possible_values(printed, rounding) for printed in column.classes.values()]
    if mean == "macro":
        return weighted_mean(intervals, [1] * len(intervals))
    if mean == "any class mix":
        return hull(intervals)
    micro = [weighted_mean(intervals, [counts[name] for name in column.classes]) for counts in test_set.variants]
    if mean == "per batch":
        micro = [_batch_mean(interval, test_set.size, batch_size) for interval in micro]
    return hull(micro)


def overall_fits(column: Column, test_set: TestSet, *, mean: str, rounding: str, batch_size: int = 16) -> bool:
    """Whether the printed overall lies in ``implied_overall``, both up to their rounding."""
    implied = implied_overall(column, test_set, mean=mean, rounding=rounding, batch_size=batch_size)
    return implied.meets(possible_values(column.overall, rounding))


def whole_column_fits(column: Column, test_set: TestSet, *, rounding: str) -> bool:
    """Whether some number of right answers in every class gives all class rows and, added up, the overall.

    Exact for 'every image counts once': for each class the possible numbers have no gaps, so their sums have none.
    """
    return any(_fits_as_counts(column, counts, rounding) for counts in test_set.variants)


def overall_attainable(printed: Printed, size: int, rounding: str, *, batch_size: int | None = None) -> bool:
    """Whether k right answers of ``size`` are printed so; with ``batch_size``, as a mean over batches."""
    if batch_size is None or size % batch_size == 0 or size < batch_size:
        return bool(attainable_counts(printed, size, rounding))
    values, last = possible_values(printed, rounding), size % batch_size
    batches = size // batch_size + 1
    for right in range(last + 1):
        rest = _moved(values, batches, -Fraction(100 * right, last))
        if counts_within(_moved(rest, Fraction(1, batches - 1), 0), batch_size * (batches - 1)):
            return True
    return False


def _fits_as_counts(column: Column, counts: dict[str, int], rounding: str) -> bool:
    possible = [attainable_counts(printed, counts[name], rounding) for name, printed in column.classes.items()]
    if not all(possible):
        return False
    low, high = sum(right[0] for right in possible), sum(right[-1] for right in possible)
    overall = attainable_counts(column.overall, sum(counts.values()), rounding)
    return bool(overall) and overall[0] <= high and overall[-1] >= low


def _batch_mean(micro: Interval, size: int, batch_size: int) -> Interval:
    """The means of batch accuracies that go with shares of right answers, over every order of the images."""
    last = size % batch_size
    if last == 0 or size < batch_size:
        return micro
    low, high = micro.low * size / 100, micro.high * size / 100
    fewest, most = max(Fraction(0), low - (size - last)), min(Fraction(last), high)
    batches = size // batch_size + 1
    return Interval(*(100 * ((right - right_in_last) / batch_size + right_in_last / last) / batches
                      for right, right_in_last in ((low, fewest), (high, most))), micro.low_closed, micro.high_closed)


def _moved(interval: Interval, factor, shift) -> Interval:
    return Interval(interval.low * factor + shift, interval.high * factor + shift, interval.low_closed,
                    interval.high_closed)


def _check_classes(column: Column, test_set: TestSet) -> None:
    if set(column.classes) != set(test_set.variants[0]):
        raise CompanionError(f"The column '{column.name}' of {column.dataset} has the classes "
                             f"{', '.join(column.classes)}; the test set '{test_set.name}' has "
                             f"{', '.join(test_set.variants[0])}. They must be the same.")
