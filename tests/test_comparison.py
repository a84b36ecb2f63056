"""One level against another: paired intervals, McNemar's exact test, Holm's correction."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import bootstrap
from sklearn.metrics import balanced_accuracy_score

from fer_utils.emotions import EMOTIONS
from fer_utils.errors import CompanionError
from fer_utils.control_results import comparisons
from fer_utils.evaluation import compare
from fer_utils.evaluation.comparison import combined_p, holm, mcnemar_exact
from fer_utils.profiles import load_profile

PROFILE = load_profile("demo", ["evaluation.resamples=1000"])


def run(level, seed, right, *, dataset="demo_rafdb", labels=None):
    """Predictions of one run: image k is right where ``right[k]``; a wrong one gets the next emotion's name."""
    right = np.asarray(right, bool)
    labels = np.arange(len(right)) % 7 if labels is None else np.asarray(labels)
    names = np.array(EMOTIONS)
    return pd.DataFrame({"dataset": dataset, "level": level, "seed": seed, "id": [f"{k:05d}" for k in range(len(right))],
                         "emotion": names[labels], "predicted": names[np.where(right, labels, (labels + 1) % 7)]})


def pair(b, c, *, both=30, neither=20, level="aug1", seed=0):
    """The runs of ``level`` and of Original that disagree ``b`` times to the level's favour and ``c`` times against it."""
    cells = np.repeat([[1, 1], [1, 0], [0, 1], [0, 0]], [both, b, c, neither], axis=0)
    return [run(level, seed, cells[:, 0]), run("original", seed, cells[:, 1])]


def test_mcnemar_agrees_with_the_published_example_of_fagerland_and_others():
    # Fagerland, Lydersen, Laake, BMC Medical Research Methodology 13:91 (2013), Table 1: airway hyper-responsiveness
    # before and after stem cell transplantation (Bentur et al.), discordant pairs 1 and 7; exact conditional p 0.070.
    assert mcnemar_exact(1, 7) == pytest.approx(0.0703, abs=5e-5)
    assert mcnemar_exact(7, 1) == mcnemar_exact(1, 7)


def test_mcnemar_agrees_with_the_example_of_r_exact2x2():
    # R's exact2x2, mcnemar.exact(matrix(c(101, 59, 121, 33), 2)), quoted in statsmodels' own tests: p = 4.434e-06.
    assert mcnemar_exact(121, 59) == pytest.approx(4.434e-06, rel=1e-3)


def test_mcnemar_finds_nothing_where_no_image_tells_the_two_apart():
    assert mcnemar_exact(0, 0) == 1


def test_holm_agrees_with_a_worked_example():
    # The example of the English Wikipedia's "Holm-Bonferroni method": 0.01, 0.04, 0.03, 0.005; at 0.05 the first and the
    # last are rejected. Adjusted by hand: 3 x 0.01, 2 x 0.03 (and its 0.04 no less), 4 x 0.005.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_a_comparison_counts_the_images_that_only_one_side_gets_right():
    row = compare(pd.concat(pair(9, 4)), PROFILE).iloc[0]
    assert (row["dataset"], row["level"], row["reference"]) == ("demo_rafdb", "aug1", "original")
    assert (row["n"], row["seeds"], row["b"], row["c"]) == (63, 1, 9, 4)
    assert row["difference"] == pytest.approx(100 * 5 / 63)
    assert row["p"] == row["p_seed_0"] == mcnemar_exact(9, 4)
    assert row["low"] < row["difference"] < row["high"]


def test_each_seed_is_paired_with_itself_and_p_combines_them():
    runs = [*pair(9, 4, seed=0), *pair(1, 7, both=35, seed=1), *pair(12, 0, both=31, seed=2)]
    row = compare(pd.concat(runs), PROFILE).iloc[0]
    assert [row[f"p_seed_{seed}"] for seed in (0, 1, 2)] == [mcnemar_exact(9, 4), mcnemar_exact(1, 7), mcnemar_exact(12, 0)]
    assert row["p"] == pytest.approx(1.5 * mcnemar_exact(1, 7)) and (row["b"], row["c"]) == pytest.approx((22 / 3, 11 / 3))
    assert row["difference"] == pytest.approx(100 * (row["b"] - row["c"]) / row["n"])


@pytest.mark.parametrize(("p_values", "combined"), [
    ([0.03], 0.03), ([0.01, 0.2], 0.2), ([0.2, 0.01, 0.04], 0.06), ([0.01, 0.02, 0.03, 0.9], 0.04), ([0.9, 0.8, 1.0], 1.0)])
def test_p_over_seeds_is_ruegers_multiple_of_the_kth_smallest(p_values, combined):
    assert combined_p(p_values) == pytest.approx(combined)


def dependent_p_values(kind, seeds, count=10_000):
    """[count, seeds], each column uniform on 0..1, so that each alone is a valid p-value.

    'worst': whenever one is small, k of them are, k being the rank that is looked at: U, and for k of the seeds, chosen
    anew, U k/K where U is under 0.05 K/k; so the k-th is under 0.05 with a chance of 0.05 K/k.
    """
    random = np.random.default_rng(7)
    first = random.random((count, 1))
    if kind in ("identical", "antithetic"):
        return np.where(np.arange(seeds) % 2 * (kind == "antithetic"), 1 - first, first)
    p = random.random((count, seeds))
    if kind == "worst":
        k = seeds // 2 + 1
        small = first < 0.05 * seeds / k
        chosen = random.random((count, seeds)).argsort(axis=1) < k
        p = np.where(small & chosen, first * k / seeds, 0.05 + 0.95 * p)
    return p


@pytest.mark.parametrize("seeds", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("kind", ["identical", "independent", "antithetic", "worst"])
def test_p_over_seeds_is_valid_however_they_depend_and_their_median_is_not(kind, seeds):
    p = dependent_p_values(kind, seeds)
    noise = 4 * np.sqrt(0.05 * 0.95 / len(p))
    assert ((p < 0.05).mean(axis=0) < 0.05 + noise).all()      # each alone is a p-value
    assert np.mean([combined_p(row) < 0.05 for row in p]) < 0.05 + noise
    if kind == "worst" and seeds in (3, 5):
        assert (np.median(p, axis=1) < 0.05).mean() > 0.05 * seeds / (seeds // 2 + 1) - noise > 0.05 + noise


def levels_and_a_control():
    original = pair(9, 1)[1]
    levels = [original, *(pair(b, c, both=39 - b, neither=21 - c, level=level)[0] for level, b, c in (
        ("aug1", 9, 1), ("aug2", 8, 2), ("aug3", 6, 4), ("oversampling", 12, 1), ("equal_updates", 10, 1)))]
    return pd.concat([pd.concat(levels).assign(dataset=name) for name in PROFILE.data.sets])


def test_holm_corrects_the_levels_against_original_on_all_data_sets_and_nothing_else():
    table = comparisons(levels_and_a_control(), PROFILE)
    primary = table["family"] == "primary"
    assert len(table) == 2 * (5 + 4) and primary.sum() == 6
    assert set(table.loc[primary, "level"]) == {"aug1", "aug2", "aug3"} and set(table.loc[primary, "reference"]) == {"original"}
    missing = [1.0, 1.0]        # the profile has Augmentation 4 too, on both sets
    assert table.loc[primary, "p_holm"].to_numpy() == pytest.approx(holm([*table.loc[primary, "p"], *missing])[:6])
    assert (table.loc[primary, "p_holm"] > table.loc[primary, "p"]).any()
    assert table.loc[~primary, "p_holm"].isna().all() and (table.loc[~primary, "family"] == "exploratory").all()


def test_a_control_more_changes_no_corrected_p():
    runs = levels_and_a_control()
    fewer = comparisons(runs[runs["level"] != "equal_updates"], PROFILE)
    both = comparisons(runs, PROFILE).merge(fewer, on=["dataset", "level", "reference"])
    assert len(both) == len(fewer) and both["p_holm_x"].equals(both["p_holm_y"]) and both["p_x"].equals(both["p_y"])


def test_another_reference_and_given_levels_are_what_is_compared():
    runs = pd.concat([*pair(9, 4), pair(0, 3, both=39, neither=21, level="oversampling")[0]])
    table = compare(runs, PROFILE, reference="oversampling", levels=["aug1"])
    assert table[["level", "reference"]].to_numpy().tolist() == [["aug1", "oversampling"]]
    assert compare(runs, PROFILE, reference="oversampling")["level"].tolist() == ["original", "aug1"]


def test_only_seeds_that_both_sides_have_are_compared():
    runs = pd.concat([*pair(9, 4, seed=0), *pair(9, 4, seed=1), run("aug1", 7, np.ones(63))])
    row = compare(runs, PROFILE).iloc[0]
    assert row["seeds"] == 2 and row["difference"] == pytest.approx(100 * 5 / 63) and "p_seed_7" not in row


def test_two_sides_without_a_common_seed_are_refused():
    level, original = pair(9, 4)
    with pytest.raises(CompanionError, match=r"aug1 \(seeds 0\) and original \(seeds 3\) have no seed in common"):
        compare(pd.concat([level, original.assign(seed=3)]), PROFILE)


def test_a_missing_reference_is_named_with_what_there_is():
    with pytest.raises(CompanionError, match="No predictions for demo_rafdb oversampling.*rafdb aug1, demo_rafdb original"):
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
    pd.testing.assert_frame_equal(compare(runs, PROFILE), compare(runs.sample(frac=1, random_state=0), PROFILE))


def test_the_interval_of_one_seed_agrees_with_scipys_paired_bootstrap():
    level, original = pair(30, 12)
    row = compare(pd.concat([level, original]), load_profile("demo")).iloc[0]
    right = [frame["emotion"].eq(frame["predicted"]).to_numpy(float) for frame in (level, original)]
    theirs = bootstrap(right, lambda a, b, axis: 100 * (a - b).mean(axis=axis), paired=True, method="percentile",
                       n_resamples=9999, rng=np.random.default_rng(1)).confidence_interval
    assert (row["low"], row["high"]) == pytest.approx((theirs.low, theirs.high), abs=1.1)   # one image: 1.1 points


def test_the_difference_in_balanced_accuracy_is_that_of_the_scores_and_its_interval_that_of_scipy():
    random = np.random.default_rng(3)
    labels = random.choice(7, p=[.4, .2, .1, .1, .1, .06, .04], size=400)      # a gain for rare labels, a loss for the first
    runs = [run(level, 0, random.random(400) < chance[labels], labels=labels) for level, chance in
            (("aug1", np.array([.4, .5, .6, .6, .6, .6, .6])), ("original", np.array([1., .5, .4, .4, .3, .2, .2])))]
    profile = load_profile("demo")
    row = compare(pd.concat(runs), profile).iloc[0]
    level, original = (balanced_accuracy_score(frame["emotion"], frame["predicted"]) for frame in runs)
    assert row["balanced"] == pytest.approx(100 * (level - original)) and row["balanced"] > 0 > row["difference"]

    def resampled(labels, ours, theirs):
        share = [[(right[labels == k]).mean() for k in np.unique(labels)] for right in (ours, theirs)]
        return 100 * (np.mean(share[0]) - np.mean(share[1]))
    rights = [frame["emotion"].eq(frame["predicted"]).to_numpy(float) for frame in runs]
    theirs = bootstrap([labels, *rights], resampled, paired=True, vectorized=False, method="percentile", n_resamples=2000,
                       rng=np.random.default_rng(1)).confidence_interval
    assert (row["balanced_low"], row["balanced_high"]) == pytest.approx((theirs.low, theirs.high), abs=0.8)


def test_seeds_that_contradict_each_other_widen_the_interval():
    calm = pd.concat([*pair(9, 9, seed=0), *pair(9, 9, seed=1)])
    torn = pd.concat([*pair(18, 0, seed=0), *pair(0, 18, seed=1)])
    widths = [row["high"] - row["low"] for row in (compare(runs, PROFILE).iloc[0] for runs in (calm, torn))]
    assert widths[1] > 1.5 * widths[0]
