"""One level against another: paired by seed and image, in accuracy and balanced accuracy, and
Holm's correction."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score

from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.errors import CompanionError
from fer_utils.core.profiles import load_profile
from fer_utils.evaluation import compare
from fer_utils.evaluation.comparison import holm
from fer_utils.evaluation.control_results import comparisons
from fer_utils.evaluation.two_way import RunVariance, two_way

PROFILE = load_profile("demo")


def run(level, seed, right, *, dataset="demo_rafdb", labels=None):
    """Predictions of one run: image k is right where ``right[k]``; a wrong one gets the next
    emotion's name."""
    right = np.asarray(right, bool)
    labels = np.arange(len(right)) % 7 if labels is None else np.asarray(labels)
    names = np.array(EMOTIONS)
    return pd.DataFrame(
        {
            "dataset": dataset,
            "level": level,
            "seed": seed,
            "id": [f"{k:05d}" for k in range(len(right))],
            "emotion": names[labels],
            "predicted": names[np.where(right, labels, (labels + 1) % 7)],
        }
    )


def pair(b, c, *, both=30, neither=20, level="aug1", seed=0):
    """The runs of ``level`` and of Original that disagree ``b`` times to the level's favour and
    ``c`` times against it."""
    cells = np.repeat([[1, 1], [1, 0], [0, 1], [0, 0]], [both, b, c, neither], axis=0)
    return [run(level, seed, cells[:, 0]), run("original", seed, cells[:, 1])]


def test_holm_agrees_with_a_worked_example():
    # The example of the English Wikipedia's "Holm-Bonferroni method": 0.01, 0.04, 0.03, 0.005; at
    # 0.05 the first and the last are rejected. Adjusted by hand: 3 x 0.01, 2 x 0.03 (and its 0.04
    # no less), 4 x 0.005.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_a_comparison_counts_the_images_that_only_one_side_gets_right():
    row = compare(pd.concat(pair(9, 4)), PROFILE).iloc[0]
    assert (row["dataset"], row["level"], row["reference"]) == ("demo_rafdb", "aug1", "original")
    assert (row["n"], row["seeds"], row["b"], row["c"]) == (63, 1, 9, 4)
    assert row["difference"] == pytest.approx(100 * 5 / 63)
    assert np.isnan(row["p"]) and row["low"] < row["difference"] < row["high"]


def test_each_seed_is_paired_with_itself_and_gives_a_difference_of_its_own():
    runs = [*pair(9, 4, seed=0), *pair(1, 7, both=35, seed=1), *pair(12, 0, both=31, seed=2)]
    row = compare(pd.concat(runs), PROFILE).iloc[0]
    assert [row[f"difference_seed_{seed}"] for seed in (0, 1, 2)] == pytest.approx(
        [100 * gain / 63 for gain in (5, -6, 12)]
    )
    assert (row["b"], row["c"]) == pytest.approx((22 / 3, 11 / 3))
    assert row["difference"] == pytest.approx(100 * (row["b"] - row["c"]) / row["n"])


def test_interval_and_p_are_the_two_way_models_of_the_gains_with_both_sets_variance_of_runs():
    runs = [pair(9, 4, seed=0), pair(1, 7, both=35, seed=1), pair(12, 0, both=31, seed=2)]
    row = compare(pd.concat([frame for both in runs for frame in both]), PROFILE).iloc[0]

    def right(frame):
        return (frame["emotion"] == frame["predicted"]).to_numpy(float)

    level, original = (100 * np.stack([right(both[k]) for both in runs], axis=1) for k in (0, 1))
    emotions = np.arange(63)[:, None] % 7 == np.arange(7)
    for groups, names in (
        (np.ones((63, 1)), ["difference", "low", "high", "p"]),
        (emotions, ["balanced", "balanced_low", "balanced_high", "balanced_p"]),
    ):
        means = [two_way(values, groups).runs for values in (level, original)]
        twice = RunVariance(means[0].var(ddof=1) + means[1].var(ddof=1), 4)
        assert row[names].tolist() == pytest.approx(
            two_way(level - original, groups, of_a_run=twice)[:4]
        )


def levels_and_a_control():
    """Three seeds, on both data sets of the profile; each seed gets a face more right than the one
    before."""
    found = []
    for seed in range(3):
        found.append(pair(9, 1, seed=seed)[1])
        found += [
            pair(b + seed, c, both=39 - b - seed, neither=21 - c, level=level, seed=seed)[0]
            for level, b, c in (
                ("aug1", 9, 1),
                ("aug2", 8, 2),
                ("aug3", 6, 4),
                ("oversampling", 12, 1),
                ("equal_updates", 10, 1),
            )
        ]
    return pd.concat([pd.concat(found).assign(dataset=name) for name in PROFILE.data.sets])


def test_holm_corrects_the_levels_against_original_in_both_measures_and_nothing_else():
    table = comparisons(levels_and_a_control(), PROFILE)
    primary = table["family"] == "primary"
    assert len(table) == 2 * (5 + 4) and primary.sum() == 6
    assert set(table.loc[primary, "level"]) == {"aug1", "aug2", "aug3"} and set(
        table.loc[primary, "reference"]
    ) == {"original"}
    # the profile has Augmentation 4 too, on both sets and in both measures
    missing = [1.0] * 4
    found = table.loc[primary, ["p_holm", "balanced_p_holm"]].to_numpy().ravel()
    assert found == pytest.approx(
        holm([*table.loc[primary, ["p", "balanced_p"]].to_numpy().ravel(), *missing])[:12]
    )
    assert (table.loc[primary, "p_holm"] > table.loc[primary, "p"]).any()
    assert table.loc[~primary, ["p_holm", "balanced_p_holm"]].isna().all(axis=None)
    assert (table.loc[~primary, "family"] == "exploratory").all()


def test_a_control_more_changes_no_corrected_p():
    runs = levels_and_a_control()
    fewer = comparisons(runs[runs["level"] != "equal_updates"], PROFILE)
    both = comparisons(runs, PROFILE).merge(fewer, on=["dataset", "level", "reference"])
    assert (
        len(both) == len(fewer)
        and both["p_holm_x"].equals(both["p_holm_y"])
        and both["p_x"].equals(both["p_y"])
    )


def test_a_level_trained_once_has_no_p_and_counts_as_one_that_is_missing():
    runs = levels_and_a_control()
    once, none = (
        comparisons(runs[chosen], PROFILE).set_index(["dataset", "level", "reference"])
        for chosen in ((runs["level"] != "aug3") | (runs["seed"] == 0), runs["level"] != "aug3")
    )
    assert once.loc[none.index, ["p_holm", "balanced_p_holm"]].equals(
        none[["p_holm", "balanced_p_holm"]]
    )
    assert (
        once.xs("aug3", level="level")[["p", "balanced_p", "p_holm", "balanced_p_holm"]]
        .isna()
        .all(axis=None)
    )


def test_another_reference_and_given_levels_are_what_is_compared():
    runs = pd.concat([*pair(9, 4), pair(0, 3, both=39, neither=21, level="oversampling")[0]])
    table = compare(runs, PROFILE, reference="oversampling", levels=["aug1"])
    assert table[["level", "reference"]].to_numpy().tolist() == [["aug1", "oversampling"]]
    assert compare(runs, PROFILE, reference="oversampling")["level"].tolist() == [
        "original",
        "aug1",
    ]


def test_only_seeds_that_both_sides_have_are_compared():
    runs = pd.concat([*pair(9, 4, seed=0), *pair(9, 4, seed=1), run("aug1", 7, np.ones(63))])
    row = compare(runs, PROFILE).iloc[0]
    assert (
        row["seeds"] == 2
        and row["difference"] == pytest.approx(100 * 5 / 63)
        and "difference_seed_7" not in row
    )


def test_two_sides_without_a_common_seed_are_refused():
    level, original = pair(9, 4)
    with pytest.raises(
        CompanionError, match=r"aug1 \(seeds 0\) and original \(seeds 3\) have no seed in common"
    ):
        compare(pd.concat([level, original.assign(seed=3)]), PROFILE)


def test_a_missing_reference_is_named_with_what_there_is():
    with pytest.raises(
        CompanionError,
        match="No predictions for demo_rafdb oversampling.*rafdb aug1, demo_rafdb original",
    ):
        compare(pd.concat(pair(9, 4)), PROFILE, reference="oversampling")
    with pytest.raises(CompanionError, match="No level to compare with 'original'"):
        compare(pair(9, 4)[1], PROFILE)


def test_sides_tested_on_different_images_or_labels_are_refused():
    level, original = pair(9, 4)
    with pytest.raises(CompanionError, match="same images with the same labels"):
        compare(pd.concat([level.iloc[1:], original]), PROFILE)
    with pytest.raises(CompanionError, match="same images with the same labels"):
        compare(pd.concat([level, original.assign(emotion="happy")]), PROFILE)


def test_the_order_of_the_rows_does_not_matter():
    runs = pd.concat([*pair(9, 4), *pair(3, 9, both=31, seed=1)])
    pd.testing.assert_frame_equal(
        compare(runs, PROFILE), compare(runs.sample(frac=1, random_state=0), PROFILE)
    )


def test_the_difference_in_balanced_accuracy_is_that_of_scikit_learn():
    random = np.random.default_rng(3)
    # a gain for rare labels, a loss for the first
    labels = random.choice(7, p=[0.4, 0.2, 0.1, 0.1, 0.1, 0.06, 0.04], size=400)
    runs = [
        run(level, seed, random.random(400) < chance[labels], labels=labels)
        for seed in range(3)
        for level, chance in (
            ("aug1", np.array([0.4, 0.5, 0.6, 0.6, 0.6, 0.6, 0.6])),
            ("original", np.array([1.0, 0.5, 0.4, 0.4, 0.3, 0.2, 0.2])),
        )
    ]
    row = compare(pd.concat(runs), PROFILE).iloc[0]
    theirs = np.reshape(
        [balanced_accuracy_score(frame["emotion"], frame["predicted"]) for frame in runs], (3, 2)
    )
    by_seed = 100 * (theirs[:, 0] - theirs[:, 1])
    assert [row[f"balanced_seed_{seed}"] for seed in range(3)] == pytest.approx(by_seed)
    assert (
        row["balanced"] == pytest.approx(by_seed.mean()) and row["balanced"] > 0 > row["difference"]
    )


def test_seeds_that_contradict_each_other_widen_the_interval():
    calm = pd.concat([*pair(9, 9, seed=0), *pair(9, 9, seed=1)])
    torn = pd.concat([*pair(18, 0, seed=0), *pair(0, 18, seed=1)])
    widths = [
        row["high"] - row["low"]
        for row in (compare(runs, PROFILE).iloc[0] for runs in (calm, torn))
    ]
    assert widths[1] > 1.5 * widths[0]
