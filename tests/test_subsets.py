"""Test faces without twins in the training set, and labels by a second opinion."""

import numpy as np
import pandas as pd
import pytest

from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.faces import FaceSet, concatenate
from fer_utils.core.profiles import load_profile
from fer_utils.datasets import Splits, load_splits, prepare_splits
from fer_utils.datasets.ferplus import VOTES, plurality, undecided
from fer_utils.datasets.gate import COLUMNS, Verdict, copied
from fer_utils.datasets.twins import near_pairs, portraits
from fer_utils.evaluation import subset_accuracy
from fer_utils.evaluation.subsets import twins_in_training

TINY = [
    "data.sets=[demo_rafdb]",
    "data.scale=0.004",
    "data.evaluation_scale=0.02",
    "data.label_noise=0.3",
]


@pytest.fixture
def profile(project):
    return load_profile("demo", TINY)


@pytest.fixture
def splits(profile):
    return load_splits("demo_rafdb", profile)


def leaking(splits, copies):
    """The splits with the first ``copies`` test faces, mirrored, among the training faces; the
    second of them twice, and the first also among the validation faces."""
    test = splits.test
    picked = [*range(copies), 1]
    stolen = FaceSet(
        test.images[picked][:, :, ::-1].copy(),
        test.labels[picked],
        np.array([f"stolen-{k}" for k in range(len(picked))]),
        np.full(len(picked), "train"),
    )
    shared = FaceSet(
        test.images[:1], test.labels[:1], np.array(["shared"]), np.array(["validation"])
    )
    return Splits(concatenate(splits.train, stolen), concatenate(shared, splits.validation), test)


def answered(test, right, *, level="original", seed=0):
    names = np.array(EMOTIONS)
    return pd.DataFrame(
        {
            "dataset": "demo_rafdb",
            "level": level,
            "seed": seed,
            "id": test.ids,
            "emotion": names[test.labels],
            "predicted": names[np.where(right, test.labels, (test.labels + 1) % 7)],
        }
    )


def keep(name, profile, whole, monkeypatch):
    """Stage 01 on ``whole``, which stays what ``load_splits`` finds."""
    monkeypatch.setattr("fer_utils.evaluation.subsets.load_splits", lambda *_: whole)
    return prepare_splits(name, profile, whole=whole)


def test_without_a_copy_in_training_no_test_face_is_left_out(profile, splits):
    prepare_splits("demo_rafdb", profile, whole=splits)
    table = subset_accuracy(
        answered(splits.test, np.arange(len(splits.test)) % 2 == 0), profile
    ).set_index("subset")
    assert (
        table.loc["all", ["n", "accuracy"]] == table.loc["without twins", ["n", "accuracy"]]
    ).all()
    assert (
        table["dropped"].tolist() == [0, 0, 0]
        and table.loc["without twins", "why"] == "no test face has a twin"
    )


def test_every_test_face_copied_into_training_is_found_though_the_verdict_names_a_validation_face(
    profile, splits, monkeypatch
):
    keep("demo_rafdb", profile, leaking(splits, 3), monkeypatch)
    assert twins_in_training("demo_rafdb", profile).tolist() == splits.test.ids[:3].tolist()


def test_one_training_face_may_copy_several_test_faces(splits):
    thief, others = splits.test.select([0]), splits.test.select([1, 2])
    mirrored = FaceSet(
        thief.images[:, :, ::-1].copy(), thief.labels, np.array(["mirrored"]), thief.origin
    )
    assert copied(thief, concatenate(others, thief, mirrored), correlation=0.975).tolist() == [
        False,
        False,
        True,
        True,
    ]


def test_twins_are_found_too_where_the_gate_was_off(splits, project, monkeypatch):
    profile = load_profile("demo", [*TINY, "gate.enabled=false"])
    keep("demo_rafdb", profile, leaking(splits, 3), monkeypatch)
    assert twins_in_training("demo_rafdb", profile).tolist() == splits.test.ids[:3].tolist()


def test_an_accuracy_that_rests_on_twins_falls_without_them(profile, splits, monkeypatch):
    keep("demo_rafdb", profile, leaking(splits, 4), monkeypatch)
    n = len(splits.test)
    table = subset_accuracy(answered(splits.test, np.arange(n) < 4), profile).set_index("subset")
    assert table.loc["all", "accuracy"] == pytest.approx(100 * 4 / n)
    row = table.loc["without twins"]
    assert (row["accuracy"], row["n"], row["dropped"]) == (0, n - 4, 4) and row["why"].startswith(
        "4 with a copy"
    )
    assert table.loc["all", "paper"] == 94.76 and np.isnan(row["paper"])


def test_a_network_that_sees_what_was_drawn_is_right_by_the_second_opinion(profile, splits):
    from fer_utils.datasets.label_noise import second_opinions

    prepare_splits("demo_rafdb", profile, whole=splits)
    drawn = second_opinions("demo_rafdb", "test", splits.test, profile)
    frame = answered(splits.test, np.ones(len(drawn), bool)).assign(
        predicted=np.array(EMOTIONS)[drawn]
    )
    table = subset_accuracy(frame, profile).set_index("subset")
    agreement = 100 * (drawn == splits.test.labels).mean()
    assert table.loc["second opinion", "accuracy"] == 100 and agreement < 90
    assert table.loc["all", "accuracy"] == pytest.approx(agreement)
    assert table.loc["second opinion", "labels_same"] == pytest.approx(agreement)


def votes(**given):
    return pd.DataFrame([dict.fromkeys(VOTES, 0) | given])


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"happy": 6, "sad": 4}, ""),
        ({"happy": 5, "sad": 5}, "tie"),
        ({"unknown": 4, "sad": 3}, "unknown"),
        ({"not_a_face": 10}, "not a face"),
        ({"contempt": 5, "anger": 4}, "contempt"),
        ({"contempt": 5, "anger": 5}, "tie"),
    ],
)
def test_why_a_plurality_names_no_emotion(given, why):
    assert undecided(votes(**given)).tolist() == [why]
    assert (plurality(votes(**given))[0] < 0) == bool(why)


@pytest.mark.realdata
def test_fer2013_test_faces_with_twins_and_the_votes_left_out_are_counted(
    real_project, monkeypatch
):
    """The gate's own search takes minutes; here training faces that resemble a test face as they
    are stand for its verdict."""
    profile, whole = load_profile("fer2013"), load_splits("fer2013", load_profile("fer2013"))
    alike = whole.train.ids[
        near_pairs(portraits(whole.train), portraits(whole.test))["first"].unique()
    ]
    verdict = Verdict(
        pd.DataFrame({"id": alike}).reindex(columns=list(COLUMNS)), len(whole.train), 1
    )
    monkeypatch.setattr("fer_utils.evaluation.subsets.stored_splits", lambda *_: whole)
    monkeypatch.setattr("fer_utils.evaluation.subsets.read_verdict", lambda *_: verdict)
    frame = answered(whole.test, np.ones(len(whole.test), bool)).assign(dataset="fer2013")
    table = subset_accuracy(frame, profile).set_index("subset")
    assert table.loc["all", "n"] == 3589
    # reference/data_integrity.csv: 394 correlate so
    assert 394 <= table.loc["without twins", "dropped"] <= 410
    second = table.loc["second opinion"]
    reasons = dict(reversed(part.split(" ", 1)) for part in second["why"].split(", "))
    assert set(reasons) <= {"tie", "contempt", "unknown", "not a face"}
    assert (
        sum(map(int, reasons.values())) == second["dropped"]
        and second["n"] + second["dropped"] == 3589
    )
    assert (
        second["labels"] == "plurality of ten FER+ votes"
        and second["accuracy"] == second["labels_same"]
    )
