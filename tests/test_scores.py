"""Scores of whole test sets and their intervals: they agree with the libraries, with published
examples and with chance."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import bootstrap
from sklearn.metrics import balanced_accuracy_score, brier_score_loss, confusion_matrix, f1_score

from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.profiles import load_profile
from fer_utils.evaluation import (
    ACCURACY,
    BALANCED,
    BRIER,
    ECE,
    MACRO_F1,
    class_accuracy,
    compare,
    confusion_table,
    reliability,
    scores,
)
from fer_utils.evaluation.bootstrap import basic_interval, image_draws, percentile_interval
from fer_utils.evaluation.calibration import (
    bin_numbers,
    bin_sums,
    brier_scores,
    calibration_error,
    error_by_chance,
)
from fer_utils.evaluation.scoring import balanced_accuracy, macro_f1

PROFILE = load_profile("demo", ["evaluation.resamples=1000"])
COLUMNS = [f"p_{emotion}" for emotion in EMOTIONS]


def run(random, *, n=210, skill=2.0, level="original", seed=0, labels=None):
    """One run of a network whose log-probability of the right emotion is raised by ``skill``."""
    labels = random.integers(7, size=n) if labels is None else labels
    logits = random.normal(size=(len(labels), 7)) + skill * np.eye(7)[labels]
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    names = np.array(EMOTIONS)
    frame = pd.DataFrame(
        {
            "dataset": "demo_rafdb",
            "level": level,
            "seed": seed,
            "id": [f"{k:05d}" for k in range(len(labels))],
            "emotion": names[labels],
            "predicted": names[p.argmax(1)],
        }
    )
    return frame.assign(**dict(zip(COLUMNS, p.T)))


@pytest.fixture
def random():
    return np.random.default_rng(11)


def two_seeds(random, **settings):
    first = run(random, **settings)
    labels = first["emotion"].map(EMOTIONS.index).to_numpy()
    return [
        first,
        run(random, labels=labels, seed=1, **{k: v for k, v in settings.items() if k != "n"}),
    ]


def value(table, score, column="value"):
    return table.set_index("score")[column][score]


def test_scores_are_the_means_over_seeds_of_scikit_learns(random):
    runs = two_seeds(random)
    table = scores(pd.concat(runs), PROFILE)
    for score, theirs in (
        (MACRO_F1, lambda f: f1_score(f["emotion"], f["predicted"], average="macro")),
        (BALANCED, lambda f: balanced_accuracy_score(f["emotion"], f["predicted"])),
    ):
        each = [100 * theirs(frame) for frame in runs]
        assert [value(table, score, f"value_seed_{seed}") for seed in (0, 1)] == pytest.approx(each)
        assert value(table, score) == pytest.approx(np.mean(each))
        assert value(table, score, "sd") == pytest.approx(np.std(each, ddof=1))
    brier = [
        brier_score_loss(
            f["emotion"], f[COLUMNS].to_numpy(), labels=list(EMOTIONS), scale_by_half=False
        )
        for f in runs
    ]
    assert value(table, BRIER) == pytest.approx(np.mean(brier))


def test_the_accuracy_is_that_of_table_3_with_its_interval_and_the_papers_value(random):
    runs = pd.concat(two_seeds(random))
    ours, row = (
        scores(runs, PROFILE).set_index("score").loc[ACCURACY],
        class_accuracy(runs, PROFILE).iloc[-1],
    )
    assert (
        ours["value"],
        ours["sd"],
        ours["low"],
        ours["high"],
        ours["n"],
        ours["seeds"],
    ) == pytest.approx(
        (row["accuracy"], row["sd"], row["low"], row["high"], row["n"], row["seeds"])
    )
    assert ours["paper"] == 94.76 and ours["interval"] == "Wilson"


def test_scores_of_an_emotion_without_images_leave_it_out_as_scikit_learn_does():
    labels, answers = [0, 0, 1, 1, 1, 2], [0, 1, 1, 1, 0, 2]
    matrix = confusion_matrix(labels, answers, labels=range(7))
    assert macro_f1(matrix) == pytest.approx(f1_score(labels, answers, average="macro"))
    assert balanced_accuracy(matrix) == pytest.approx(balanced_accuracy_score(labels, answers))
    assert macro_f1(np.stack([matrix, 3 * matrix])) == pytest.approx([macro_f1(matrix)] * 2)


def test_the_interval_of_one_seed_agrees_with_scipys_bootstrap(random):
    frame = run(random)
    row = scores(frame, load_profile("demo")).set_index("score").loc[BALANCED]
    labels, answers = (frame[c].map(EMOTIONS.index).to_numpy() for c in ("emotion", "predicted"))
    theirs = bootstrap(
        (labels, answers),
        lambda a, b: 100 * balanced_accuracy(confusion_matrix(a, b, labels=range(7))),
        paired=True,
        vectorized=False,
        method="percentile",
        n_resamples=800,
        rng=np.random.default_rng(2),
    ).confidence_interval
    assert (row["low"], row["high"]) == pytest.approx((theirs.low, theirs.high), abs=1.0)


def test_each_resample_draws_as_many_images_as_there_are_and_the_same_ones_again():
    draws = np.concatenate(list(image_draws(40, PROFILE)))
    assert draws.shape == (1000, 40) and (draws.sum(1) == 40).all() and draws.mean() == 1
    np.testing.assert_array_equal(draws, np.concatenate(list(image_draws(40, PROFILE))))


def test_the_bootstrap_interval_of_a_balanced_accuracy_covers_the_true_one(random):
    """80 % intervals of 120 test sets; fewer than 66 % or more than 91 % would be four standard
    errors away."""
    profile = load_profile("demo", ["evaluation.resamples=300"])
    whole = run(random, n=60_000)
    labels, answers = (
        whole[column].map(EMOTIONS.index).to_numpy() for column in ("emotion", "predicted")
    )
    truth, cells = 100 * balanced_accuracy_score(labels, answers), np.eye(49)
    hits = 0
    for sample in random.integers(len(whole), size=(120, 140)):
        found = cells[7 * labels[sample] + answers[sample]]
        drawn = np.concatenate(
            [
                100 * balanced_accuracy((w @ found).reshape(-1, 7, 7))
                for w in image_draws(140, profile)
            ]
        )
        low, high = percentile_interval(0, drawn, 0.8)
        hits += low <= truth <= high
    assert 0.66 <= hits / 120 <= 0.91


def test_the_calibration_error_agrees_with_the_example_in_torchmetrics_documentation(monkeypatch):
    # torchmetrics.classification.MulticlassCalibrationError, n_bins=3, norm='l1': tensor(0.2000).
    import fer_utils.evaluation.calibration as calibration

    monkeypatch.setattr(calibration, "BINS", 3)
    p = np.array([[0.25, 0.20, 0.55], [0.55, 0.05, 0.40], [0.10, 0.30, 0.60], [0.90, 0.05, 0.05]])
    right = p.argmax(1) == [0, 1, 2, 0]
    assert calibration_error(bin_sums(p, right).sum(0), 4) == pytest.approx(0.2)


def test_the_calibration_error_agrees_with_torchmetrics(random):
    from torchmetrics.functional.classification import multiclass_calibration_error

    runs = two_seeds(random, skill=1.0)
    for frame, ours in zip(
        runs,
        scores(pd.concat(runs), PROFILE)
        .set_index("score")
        .loc[ECE, ["value_seed_0", "value_seed_1"]],
    ):
        theirs = multiclass_calibration_error(
            torch.tensor(frame[COLUMNS].to_numpy()),
            torch.tensor(frame["emotion"].map(EMOTIONS.index).to_numpy()),
            num_classes=7,
            n_bins=15,
            norm="l1",
        )
        assert ours == pytest.approx(100 * theirs.item(), abs=1e-4)


def test_confidences_on_the_edges_fall_into_bins():
    assert bin_numbers(np.array([0.0, 1 / 15, 0.999, 1.0])).tolist() == [0, 1, 14, 14]


def test_the_brier_score_is_zero_for_certainty_and_two_for_certain_error():
    assert brier_scores(np.eye(7)[[3, 3]], np.array([3, 4])).tolist() == [0, 2]


def test_a_perfectly_calibrated_network_errs_by_chance_as_much_as_it_is_said_to(random):
    found = []
    for _ in range(40):
        frame = run(random, n=300, skill=0)
        p = frame[COLUMNS].to_numpy()
        right = random.random(300) < p.max(1)
        found.append(calibration_error(bin_sums(p, right).sum(0), 300))
    assert error_by_chance(p[None], PROFILE) == pytest.approx(np.mean(found), rel=0.15)


def test_overconfidence_is_seen_beyond_chance(random):
    frame = run(random, n=400, skill=1.0)
    sharp = frame[COLUMNS].to_numpy() ** 4
    sharp = frame.assign(**dict(zip(COLUMNS, (sharp / sharp.sum(1, keepdims=True)).T)))
    row = scores(sharp, PROFILE).set_index("score").loc[ECE]
    assert row["low"] > row["floor"] and row["interval"] == "basic bootstrap"


def test_the_mirrored_interval_of_a_value_that_only_grows_by_chance_is_never_negative():
    assert basic_interval(1.0, np.linspace(1, 3, 101), 0.9) == (0.0, pytest.approx(0.9))


def test_the_reliability_diagram_holds_every_answer_once(random):
    runs = pd.concat(two_seeds(random))
    diagram = reliability(runs, "demo_rafdb", "original", PROFILE)
    assert diagram["answers"].sum() == 420
    assert (
        (diagram["confidence"] >= diagram["low_edge"])
        & (diagram["confidence"] <= diagram["high_edge"])
    ).all()
    assert (
        (diagram["low"] < diagram["accuracy"] + 1e-9)
        & (diagram["accuracy"] < diagram["high"] + 1e-9)
    ).all()
    right = (runs["emotion"] == runs["predicted"]).mean()
    assert (diagram["accuracy"] * diagram["answers"]).sum() / 420 == pytest.approx(100 * right)


def test_shuffled_answers_give_chance_accuracy_and_no_difference(random):
    """Answers dealt out anew: what each emotion gets is its share of the answers, and no level
    beats another."""

    def shuffled(frame):
        order = random.permutation(len(frame))
        return frame.assign(
            predicted=frame["predicted"].to_numpy()[order],
            **dict(zip(COLUMNS, frame[COLUMNS].to_numpy()[order].T)),
        )

    honest = [
        run(random, level=level, seed=seed, labels=np.arange(350) % 7)
        for level in ("original", "aug1", "aug2", "aug3")
        for seed in range(3)
    ]
    runs = pd.concat(map(shuffled, honest))
    table = scores(runs, PROFILE)
    for score in (ACCURACY, BALANCED):
        rows = table[table["score"] == score]
        assert ((rows["low"] < 100 / 7) & (rows["high"] > 100 / 7)).sum() >= 3 and abs(
            rows["value"].mean() - 100 / 7
        ) < 3
    differences = compare(runs, PROFILE)
    assert (differences["p"] > 0.05).all() and (differences["difference"].abs() < 10).all()
    assert (
        compare(pd.concat([*honest[:3], *map(shuffled, honest[3:])]), PROFILE)["p"] < 1e-3
    ).all()


def test_the_confusion_table_holds_every_answer_and_its_share(random):
    runs = pd.concat(two_seeds(random))
    table = confusion_table(runs)
    assert len(table) == 49 and table["count"].sum() == 420 and (table["seeds"] == 2).all()
    assert table.groupby("emotion")["share"].sum().to_numpy() == pytest.approx(100)
    assert table.drop_duplicates("emotion")["n"].sum() == 210
    accuracies = class_accuracy(runs, PROFILE).set_index("emotion")
    for row in table[table["emotion"] == table["predicted"]].itertuples():
        assert accuracies.loc[row.emotion, ["accuracy", "low", "high"]].tolist() == pytest.approx(
            [row.share, row.low, row.high]
        )
