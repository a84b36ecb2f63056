"""Answers read for other class shares than those a network was trained on."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score
from test_balancing import official_counts

from fer_utils.balancing.controls import CONTROLS, Run, answering_sets, trained_sets
from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.faces import FaceSet
from fer_utils.core.paths import committed_tables
from fer_utils.core.profiles import load_profile
from fer_utils.evaluation import priors
from fer_utils.evaluation.predictions import read_predictions
from fer_utils.evaluation.prior_table import prior_table
from fer_utils.evaluation.priors import EQUAL, EVEN, NATURAL, in_reading, read_for, trained_shares
from fer_utils.training import TRAINED_WITH, write_predictions

NATURE = np.array([0.14, 0.02, 0.14, 0.25, 0.17, 0.17, 0.11])
COLUMNS = [f"p_{emotion}" for emotion in EMOTIONS]


def answers(p, labels):
    p = np.asarray(p, float)
    return pd.DataFrame(
        {
            "emotion": np.array(EMOTIONS)[labels],
            "predicted": np.array(EMOTIONS)[p.argmax(1)],
            **dict(zip(COLUMNS, (p / p.sum(1, keepdims=True)).T)),
        }
    )


def test_a_rare_class_wins_once_its_share_is_divided_out_and_a_strength_of_zero_changes_nothing():
    said = answers([[0.3, 0.2, 0.1, 0.1, 0.1, 0.1, 0.1]], [1])
    read = read_for(said, NATURE, EVEN)
    assert said["predicted"].tolist() == ["anger"] and read["predicted"].tolist() == ["disgust"]
    assert read[COLUMNS].to_numpy().sum() == pytest.approx(1)
    pd.testing.assert_frame_equal(
        read_for(said, NATURE, EVEN, strength=0.0), said, check_dtype=False
    )
    pd.testing.assert_frame_equal(read_for(read, EVEN, NATURE), said, check_dtype=False)


def test_what_label_smoothing_gives_every_class_is_taken_off_before_shares_are_exchanged():
    believed = np.array(
        [[0.6, 0.0, 0.1, 0.1, 0.1, 0.1, 0.0], [0.2, 0.05, 0.15, 0.15, 0.15, 0.15, 0.15]]
    )
    # what cross-entropy with label smoothing 0.1 makes of them
    smoothed = 0.9 * believed + 0.1 / 7
    np.testing.assert_allclose(
        priors.weighted(smoothed, NATURE, EVEN, smoothing=0.1),
        priors.weighted(believed, NATURE, EVEN),
    )
    assert priors.weighted(smoothed, NATURE, EVEN, smoothing=0.1)[0, 1] < 1e-12
    read = read_for(answers(smoothed, [0, 1]), NATURE, EVEN, smoothing=0.1)
    assert read["predicted"].tolist() == ["anger", "disgust"]


def test_the_kept_answers_of_original_give_the_figures_computed_apart_from_this_project():
    counts = np.array(list(official_counts("FER2013", "train").values()), float)
    folder = committed_tables("fer2013_full_paper_recipe") / "runs" / "fer2013" / "original"
    runs = [
        read_for(
            pd.read_csv(folder / str(seed) / "predictions.csv.gz"), counts / counts.sum(), EVEN
        )
        for seed in (0, 1, 2)
    ]
    accuracy = np.mean([(run["emotion"] == run["predicted"]).mean() for run in runs])
    balanced = np.mean([balanced_accuracy_score(run["emotion"], run["predicted"]) for run in runs])
    disgust = np.mean(
        [(run["predicted"] == "disgust")[run["emotion"] == "disgust"].mean() for run in runs]
    )
    assert [round(100 * value, 1) for value in (accuracy, balanced, disgust)] == [56.3, 55.7, 67.9]


@pytest.fixture
def trained(project):
    """Original and Aug. 1 of drawn faces, which answer by their priors where the face says
    nothing."""
    profile = load_profile(
        "demo",
        [
            "data.sets=[demo_rafdb]",
            "balancing.levels=[original, aug1]",
            "controls.names=[logit_adjustment]",
        ],
    )
    labels = np.repeat(np.arange(7), 20)
    faces = FaceSet(
        np.zeros((140, 8, 8, 1), np.uint8),
        labels,
        np.array([f"{k:03d}" for k in range(140)]),
        np.full(140, "test"),
    )
    for level, shares in (("original", NATURE), ("aug1", EVEN)):
        for seed in profile.training.seeds:
            evidence = (
                np.random.default_rng(seed).uniform(0.5, 1.5, (140, 7)) + 2 * np.eye(7)[labels]
            )
            folder = profile.paths.model("demo_rafdb", level, seed)
            p, smoothing = evidence * shares, profile.training.label_smoothing
            p = p / p.sum(1, keepdims=True)
            write_predictions(folder, faces, (1 - smoothing) * p + smoothing / 7)
            (folder / TRAINED_WITH).write_text(
                json.dumps({"class_shares": shares.tolist(), "faces": 100})
            )
    return profile


def test_two_networks_that_differ_in_their_prior_alone_agree_once_read_alike(trained):
    predictions = read_predictions("demo_rafdb", trained)
    for reading in (EQUAL, NATURAL):
        read = in_reading(predictions, reading, trained)
        original, aug1 = (
            rows["predicted"].tolist() for _, rows in read.groupby("level", sort=False)
        )
        assert original == aug1
    table = prior_table(predictions, trained).set_index(["level", "reading"])
    assert table.loc[("aug1", "as trained"), "to_original_balanced"] > 5
    assert (
        table.loc[("aug1", EQUAL), "to_original_balanced"]
        == table.loc[("aug1", NATURAL), "to_original"]
        == 0
    )
    assert (
        table.loc[("original", EQUAL), "balanced"]
        > table.loc[("original", "as trained"), "balanced"] + 5
    )


def test_logit_adjustment_has_no_training_and_is_originals_answers_read_for_equal_shares(
    trained,
):
    assert "logit_adjustment" not in dict(trained_sets(trained))
    assert dict(answering_sets(trained))["logit_adjustment"] == trained.training.seeds
    rows = read_predictions("demo_rafdb", trained, levels=["original", "logit_adjustment"])
    original, adjusted = (part for _, part in rows.groupby("level", sort=False))
    expected = read_for(original, NATURE, EVEN, smoothing=trained.training.label_smoothing)
    assert (
        adjusted["predicted"].tolist()
        == expected["predicted"].tolist()
        != original["predicted"].tolist()
    )
    np.testing.assert_allclose(adjusted[COLUMNS], expected[COLUMNS], atol=1e-12)


def test_runs_without_a_record_have_the_shares_their_sets_have_by_definition(project, monkeypatch):
    profile = load_profile("demo")
    counts = {
        "anger": 30,
        "disgust": 10,
        "fear": 20,
        "happy": 80,
        "neutral": 20,
        "sad": 20,
        "surprise": 20,
    }
    monkeypatch.setattr(
        priors,
        "stored_splits",
        lambda *_: type(
            "Splits", (), {"train": type("T", (), {"counts": staticmethod(lambda: counts)})}
        ),
    )
    assert trained_shares(Run("demo_rafdb", "original", 0), profile)[3] == pytest.approx(0.4)
    assert trained_shares(Run("demo_rafdb", "equal_updates", 0), profile)[3] == pytest.approx(0.4)
    for level in ("aug4", "oversampling", "class_weights"):
        assert trained_shares(Run("demo_rafdb", level, 0), profile).tolist() == EVEN.tolist()
    assert CONTROLS["logit_adjustment"].adjusted
