"""The two-way model: what it gives where the answer is known, and how often it errs where runs and
faces are drawn."""

import numpy as np
import pytest
from scipy.stats import t, ttest_1samp
from sklearn.metrics import balanced_accuracy_score

from fer_utils.core.intervals import wilson_interval
from fer_utils.evaluation.two_way import RunVariance, pooled, two_way

ALL = np.ones((300, 1), bool)
LABELS = np.random.default_rng(0).choice(7, p=[0.3, 0.2, 0.15, 0.15, 0.1, 0.07, 0.03], size=300)
EMOTIONS = LABELS[:, None] == np.arange(7)


def t_test(sample):
    found = ttest_1samp(sample, 0)
    return (np.mean(sample), *found.confidence_interval(0.95), found.pvalue)


def test_where_only_runs_differ_it_is_students_t_over_runs():
    runs = np.array([2.0, 3.5, 1.0])
    found = two_way(np.tile(runs, (300, 1)), ALL)
    assert found[:4] == pytest.approx(t_test(runs)) and found.runs == pytest.approx(runs)


def test_where_only_faces_differ_it_is_students_t_over_faces():
    faces = np.random.default_rng(1).normal(0.1, 1, 300)
    assert two_way(np.tile(faces[:, None], (1, 3)), ALL)[:4] == pytest.approx(t_test(faces))


def test_it_agrees_with_a_computation_by_hand():
    # Two groups of two faces, two runs. Means of the runs: (2 + 0) / 2 and (3 + 3) / 2; of the
    # faces: 1, 4 | 0, 3. Variances of the mean: of the runs 2 / 2, of each group 4.5 / 2 / 2²;
    # freedom: 2.125² / (1² / 1 + 2 · 0.5625² / 1).
    values, groups = (
        np.array([[0, 2], [4, 4], [0, 0], [0, 6]]),
        np.array([[1, 0], [1, 0], [0, 1], [0, 1]]),
    )
    found, error, theirs = (
        two_way(values, groups),
        np.sqrt(1 + 2 * 0.5625),
        t(2.125**2 / (1 + 2 * 0.5625**2)),
    )
    assert (found.mean, *found.runs) == (2, 1, 3)
    assert (found.low, found.high) == pytest.approx(
        (2 - theirs.ppf(0.975) * error, 2 + theirs.ppf(0.975) * error)
    )
    assert found.p == pytest.approx(2 * theirs.cdf(-2 / error))


def test_the_narrower_the_confidence_the_narrower_the_interval_and_p_stays():
    values = np.random.default_rng(2).normal(size=(300, 3))
    wide, narrow = two_way(values, ALL), two_way(values, ALL, 0.8)
    assert wide.low < narrow.low < narrow.high < wide.high and wide.p == narrow.p


def test_each_group_weighs_the_same_and_empty_ones_are_left_out():
    random = np.random.default_rng(3)
    right = random.random((300, 3)) < np.array([0.9, 0.5, 0.5, 0.4, 0.3, 0.2, 0.2])[LABELS][:, None]
    answers = np.where(right, LABELS[:, None], (LABELS[:, None] + 1) % 7)
    found = two_way(right, EMOTIONS)
    theirs = [balanced_accuracy_score(LABELS, answers[:, run]) for run in range(3)]
    assert found.runs == pytest.approx(theirs) and found.mean == pytest.approx(np.mean(theirs))
    assert two_way(right, np.hstack([EMOTIONS, ~ALL]))[:4] == found[:4]


def test_one_run_has_an_interval_of_its_faces_and_no_p():
    right = np.random.default_rng(4).random((300, 1)) < 0.4
    found = two_way(right, ALL)
    assert np.isnan(found.p) and (found.low, found.high) == pytest.approx(
        wilson_interval(right.sum(), 300), abs=0.005
    )
    assert np.isnan(two_way(np.ones((300, 1)), ALL).p)


def test_without_any_variance_the_mean_is_certain():
    assert two_way(np.zeros((300, 3)), EMOTIONS)[:4] == (0, 0, 0, 1)
    assert two_way(np.ones((300, 3)), ALL)[:4] == (1, 1, 1, 0)


def test_a_group_of_one_face_adds_nothing_to_the_variance():
    found = two_way(np.array([[0, 0], [2, 2], [5, 5]]), np.eye(2)[[0, 0, 1]])
    # of two faces alone: 2 / 2 / 2²
    assert found.mean == 3 and found.high == pytest.approx(3 + t(1).ppf(0.975) * 0.5)


def gains(random, runs, *, of_runs, of_faces):
    """What one method's networks gain on another's that are truly as good, on faces that are hard
    or easy for both."""
    ability = random.normal(0, of_runs, (2, 1, runs))
    difficulty = random.normal(0, of_faces, (1, 300, 1)) + random.normal(
        0, of_faces / 2, (2, 300, 1)
    )
    right = random.random((2, 300, runs)) < np.clip(0.6 + ability + difficulty, 0, 1)
    return right[0].astype(float) - right[1]


@pytest.mark.parametrize("groups", [ALL, EMOTIONS], ids=["accuracy", "balanced"])
@pytest.mark.parametrize(
    ("of_runs", "runs", "at_most"),
    [
        (0, 3, 0.05),
        (0, 5, 0.05),
        (0.02, 3, 0.05),
        (0.02, 5, 0.05),
        (0.08, 3, 0.08),
        (0.08, 5, 0.06),
    ],
)
def test_methods_that_are_as_good_are_seldom_told_apart(of_runs, runs, at_most, groups):
    """Runs that differ by 8 points are the worst case of the degrees of freedom (``two_way``)."""
    random = np.random.default_rng(5)
    p = np.array(
        [two_way(gains(random, runs, of_runs=of_runs, of_faces=0.2), groups).p for _ in range(1000)]
    )
    assert (p < 0.05).mean() < at_most + 3 * np.sqrt(at_most / len(p))


def test_a_true_difference_is_found():
    random = np.random.default_rng(6)
    p = [two_way(0.1 + gains(random, 3, of_runs=0.01, of_faces=0.1), ALL).p for _ in range(200)]
    assert np.mean(np.array(p) < 0.05) > 0.5


def test_an_interval_of_faces_and_runs_is_wider_than_one_of_faces_where_runs_differ():
    right = np.random.default_rng(0).random((700, 3)) < np.array([0.43, 0.56, 0.60])
    faces, both = wilson_interval(right.mean() * 700, 700), two_way(right, np.ones((700, 1)))
    assert both.low < faces[0] - 0.05 and both.high > faces[1] + 0.05


def test_an_interval_of_faces_and_runs_covers_the_truth_as_often_as_it_says():
    random, hits = np.random.default_rng(1), 0
    for _ in range(400):
        ability, difficulty = random.normal(0, 0.04, 3), random.normal(0, 0.2, 300)
        found = two_way(
            random.random((300, 3)) < np.clip(0.6 + ability + difficulty[:, None], 0, 1), ALL
        )
        hits += found.low <= 0.6 <= found.high
    assert 0.92 <= hits / 400 <= 0.99


def test_a_pooled_variance_is_that_within_the_sets_on_the_freedom_of_all_of_them():
    found = pooled([np.array([1.0, 3.0]), np.array([10.0, 10.0, 13.0]), np.array([7.0])])
    assert found == (pytest.approx((2 + 6) / 3), 3)
    assert pooled([np.array([1.0])]) is None


def test_a_variance_that_is_known_takes_the_place_of_that_of_the_runs():
    values = np.tile([2.0, 3.5, 1.0], (300, 1))
    found = two_way(values, ALL, of_a_run=RunVariance(3.0, 12))
    assert found.high - found.mean == pytest.approx(t(12).ppf(0.975) * 1.0)
    assert np.isnan(two_way(values[:, :1], ALL, of_a_run=RunVariance(3.0, 12)).p)


@pytest.mark.parametrize("spread", [0.0, 0.02, 0.06])
def test_with_the_variance_pooled_from_five_sets_three_runs_err_in_five_of_a_hundred_cases_or_fewer(
    spread,
):
    random, errs, cases = np.random.default_rng(5), 0, 1500
    hard = random.normal(0.55, 0.2, 200)
    for _ in range(cases):
        ability = random.normal(0, spread, (5, 3))
        right = (
            random.random((5, 200, 3)) < np.clip(hard[None, :, None] + ability[:, None], 0, 1)
        ).astype(float)
        of_a_run = pooled(right.mean(axis=1))
        gain = RunVariance(2 * of_a_run.variance, of_a_run.freedom)
        errs += two_way(right[1] - right[0], np.ones((200, 1), bool), of_a_run=gain).p < 0.05
    assert errs / cases < 0.05 + 3 * np.sqrt(0.05 * 0.95 / cases)
