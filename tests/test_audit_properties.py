"""What must hold for any table: honest ones are never called impossible, changed ones are."""

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction
from itertools import product

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fer_utils.audit import FITS, NOT_POSSIBLE, Column, TestSet, audit_columns
from fer_utils.audit.checks import (
    attainable_counts,
    implied_overall,
    overall_attainable,
    overall_fits,
    smallest_size,
    whole_column_fits,
)
from fer_utils.audit.printed import with_one_row_lost
from fer_utils.audit.rounding import Printed, hull, possible_values, read_printed

RULES = {"half-up": ROUND_HALF_UP, "half-even": ROUND_HALF_EVEN, "truncation": ROUND_DOWN}


def shortened(share: Fraction, decimals: int, rounding: str) -> Printed:
    """A share in 0..1 as an honest author prints it; by decimal arithmetic, apart from the code
    under test."""
    with localcontext(prec=60):
        exact = Decimal(100 * share.numerator) / Decimal(share.denominator)
        return read_printed(
            f"{exact.quantize(Decimal(1).scaleb(-decimals), rounding=RULES[rounding]):f}"
        )


@st.composite
def confusions(draw, *, classes=6, size=400):
    """Class -> (right answers, images)."""
    sizes = draw(st.lists(st.integers(1, size), min_size=2, max_size=classes))
    return {f"c{place}": (draw(st.integers(0, n)), n) for place, n in enumerate(sizes)}


rules = st.sampled_from(sorted(RULES))
places = st.integers(0, 2)


def column_of(confusion, decimals, overall, rounding):
    classes = {
        name: shortened(Fraction(right, n), decimals, rounding)
        for name, (right, n) in confusion.items()
    }
    return Column("any", "any", classes, overall)


def sizes_of(confusion):
    return TestSet("any", "all", ({name: n for name, (_, n) in confusion.items()},))


def micro(confusion) -> Fraction:
    return Fraction(
        sum(right for right, _ in confusion.values()), sum(n for _, n in confusion.values())
    )


@settings(max_examples=150, deadline=None)
@given(confusions(), places, places, rules)
def test_an_honest_table_is_never_called_impossible(
    confusion, decimals, overall_decimals, rounding
):
    column = column_of(
        confusion, decimals, shortened(micro(confusion), overall_decimals, rounding), rounding
    )
    checks = audit_columns([column], [sizes_of(confusion)])
    own = checks[
        checks["rounding"].isin([rounding, "mixed"])
        & checks["mean"].isin(["micro", "any class mix", ""])
    ]
    assert NOT_POSSIBLE not in set(own["verdict"]) and len(own) > 8


@settings(max_examples=150, deadline=None)
@given(confusions(), places, places, rules, rules)
def test_an_honest_table_of_mixed_rounding_fits_the_mixed_reading(
    confusion, decimals, overall_decimals, one, other
):
    column = column_of(
        confusion, decimals, shortened(micro(confusion), overall_decimals, other), one
    )
    assert whole_column_fits(column, sizes_of(confusion), rounding="mixed")
    assert overall_fits(column, sizes_of(confusion), mean="micro", rounding="mixed")


@settings(max_examples=150, deadline=None)
@given(confusions(), places, places, rules)
def test_an_honest_macro_mean_fits(confusion, decimals, overall_decimals, rounding):
    mean = sum(Fraction(right, n) for right, n in confusion.values()) / len(confusion)
    column = column_of(confusion, decimals, shortened(mean, overall_decimals, rounding), rounding)
    for read_as in (rounding, "mixed"):
        assert overall_fits(column, sizes_of(confusion), mean="macro", rounding=read_as)


@settings(max_examples=150, deadline=None)
@given(
    confusions(size=60),
    places,
    places,
    rules,
    st.integers(2, 40),
    st.randoms(use_true_random=False),
)
def test_an_honest_mean_over_batches_fits_in_whatever_order_the_images_came(
    confusion, decimals, overall_decimals, rounding, batch_size, random
):
    answers = [place < right for right, n in confusion.values() for place in range(n)]
    random.shuffle(answers)
    batches = [answers[start : start + batch_size] for start in range(0, len(answers), batch_size)]
    mean = sum(Fraction(sum(batch), len(batch)) for batch in batches) / len(batches)
    column = column_of(confusion, decimals, shortened(mean, overall_decimals, rounding), rounding)
    assert overall_fits(
        column, sizes_of(confusion), mean="per batch", rounding=rounding, batch_size=batch_size
    )
    assert overall_attainable(column.overall, len(answers), rounding, batch_size=batch_size)


@settings(max_examples=150, deadline=None)
@given(confusions(), places, rules, st.booleans(), st.integers(1, 300))
def test_an_overall_moved_beyond_rounding_is_called_impossible(
    confusion, decimals, rounding, upward, hundredths
):
    column, test_set = column_of(confusion, decimals, None, rounding), sizes_of(confusion)
    implied = implied_overall(column, test_set, mean="micro", rounding=rounding)
    # Two hundredths beyond the interval: its own rounding moves a figure of two decimals by one at
    # most.
    step = Fraction(hundredths + 1, 100)
    moved = int(100 * (implied.high + step if upward else implied.low - step)) + (
        1 if upward else -1
    )
    assume(0 <= moved <= 10_000)
    changed = Column(
        "any", "any", column.classes, read_printed(f"{moved // 100}.{moved % 100:02d}")
    )
    assert not overall_fits(changed, test_set, mean="micro", rounding=rounding)
    assert not whole_column_fits(changed, test_set, rounding=rounding)
    checks = audit_columns([changed], [test_set])
    own = checks[(checks["check"] == "implied overall") & (checks["mean"] == "micro")]
    assert set(own.loc[own["rounding"] == rounding, "verdict"]) == {NOT_POSSIBLE}


@settings(max_examples=60, deadline=None)
@given(confusions(classes=3, size=9), st.integers(0, 1), rules)
def test_the_whole_column_is_judged_as_trying_out_all_numbers_of_right_answers_would(
    confusion, decimals, rounding
):
    column, test_set = column_of(confusion, decimals, None, rounding), sizes_of(confusion)
    possible = [
        [
            right
            for right in range(n + 1)
            if shortened(Fraction(right, n), decimals, rounding) == column.classes[name]
        ]
        for name, (_, n) in confusion.items()
    ]
    overalls = {
        shortened(Fraction(sum(rights), test_set.size), decimals, rounding).text
        for rights in product(*possible)
    }
    for tenth in range(0, 100 * 10**decimals + 1):
        printed = read_printed(f"{Decimal(tenth).scaleb(-decimals):.{decimals}f}")
        found = Column("any", "any", column.classes, printed)
        assert whole_column_fits(found, test_set, rounding=rounding) == (printed.text in overalls)


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 300), places, rules)
def test_attainable_counts_are_those_that_print_so(size, decimals, rounding):
    printed = shortened(Fraction(size // 2, size), decimals, rounding)
    expected = [
        right
        for right in range(size + 1)
        if shortened(Fraction(right, size), decimals, rounding) == printed
    ]
    assert list(attainable_counts(printed, size, rounding)) == expected
    assert set(expected) <= set(attainable_counts(printed, size, "mixed"))


@pytest.mark.parametrize(
    ("text", "rounding", "expected"),
    [
        ("88", "half-up", True),
        ("87", "half-up", False),
        ("88", "half-even", True),
        ("87", "half-even", False),
        ("87", "truncation", True),
        ("88", "truncation", False),
        ("87", "mixed", True),
        ("88", "mixed", True),
    ],
)
def test_a_tie_of_49_in_56_is_decided_by_the_rule_alone(text, rounding, expected):
    assert (49 in attainable_counts(read_printed(text), 56, rounding)) == expected


@pytest.mark.parametrize(
    ("text", "rounding", "low", "high", "closed"),
    [
        ("100", "half-up", 99.5, 100, (True, True)),
        ("0", "half-even", 0, 0.5, (True, True)),
        ("71", "half-even", 70.5, 71.5, (False, False)),
        ("79.79", "truncation", 79.79, 79.80, (True, False)),
        ("90.0", "half-up", 89.95, 90.05, (True, False)),
        ("90", "mixed", 89.5, 91, (True, False)),
    ],
)
def test_a_printed_figure_stands_for_these_values(text, rounding, low, high, closed):
    values = possible_values(read_printed(text), rounding)
    assert (float(values.low), float(values.high)) == (low, high)
    assert (values.low_closed, values.high_closed) == closed


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 3000), st.integers(3, 14), st.data())
def test_figures_of_many_decimals_are_those_of_few_as_well(size, decimals, data):
    right = data.draw(st.integers(0, size))
    for rounding in ("half-up", "half-even", "truncation"):
        figure = shortened(Fraction(right, size), decimals, rounding)
        assert right in attainable_counts(figure, size, rounding) and right in attainable_counts(
            figure, size, "mixed"
        )
    assert right in attainable_counts(
        read_printed(f"{100 * right / size:.{decimals}f}"), size, "nearest"
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 100), min_size=1, max_size=4), st.integers(1, 120), rules)
def test_the_smallest_size_is_the_one_that_trying_all_would_find(figures, at_least, rounding):
    printed = [read_printed(str(figure)) for figure in figures]
    tried = (
        n
        for n in range(at_least, 400)
        if all(len(attainable_counts(one, n, rounding)) for one in printed)
    )
    assert smallest_size(printed, rounding, at_least=at_least) == next(tried)


def test_a_size_that_is_not_among_those_tried_is_left_open():
    assert (
        smallest_size([read_printed("33.3334"), read_printed("12.3457")], "half-up", at_least=1)
        is None
    )


def one_by_one(test_set):
    """The same test set with every variant written out."""
    return [TestSet("any", "all", (counts,)) for counts in test_set.variants]


@settings(max_examples=100, deadline=None)
@given(confusions(size=12), st.integers(0, 1), st.integers(0, 1000), rules)
def test_a_lost_row_is_judged_as_each_class_losing_it_would_be(
    confusion, decimals, overall, rounding
):
    column = column_of(confusion, decimals, read_printed(f"{overall / 10:.1f}"), rounding)
    *_, shorter = with_one_row_lost([sizes_of(confusion)])
    assume(len(shorter.variants) > 1)
    each = one_by_one(shorter)
    assert shorter.size == each[0].size and len(each) == sum(n > 1 for _, n in confusion.values())
    assert whole_column_fits(column, shorter, rounding=rounding) == any(
        whole_column_fits(column, one, rounding=rounding) for one in each
    )
    for mean in ("micro", "per batch"):
        bounds = [
            implied_overall(column, one, mean=mean, rounding=rounding, batch_size=5) for one in each
        ]
        assert implied_overall(column, shorter, mean=mean, rounding=rounding, batch_size=5) == hull(
            bounds
        )
    for name in confusion:
        assert shorter.sizes(name) == sorted({one.variants[0][name] for one in each}, reverse=True)


def test_half_open_intervals_that_only_touch_do_not_meet():
    below, above = (possible_values(read_printed(text), "half-up") for text in ("70", "71"))
    assert not below.meets(above) and not above.meets(below) and below.meets(below)


def test_a_control_that_fits_is_said_to_fit_in_every_check():
    confusion = {"a": (71, 90), "b": (30, 47), "c": (110, 113)}
    column = column_of(confusion, 0, shortened(micro(confusion), 2, "half-up"), "half-up")
    checks = audit_columns([column], [sizes_of(confusion)])
    plain = checks[(checks["rounding"] == "half-up") & checks["mean"].isin(["micro", ""])]
    assert set(plain["verdict"]) == {FITS}
