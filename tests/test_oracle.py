"""Unseen real faces in the place of synthetic ones, and how many of them a synthetic face is
worth."""

import json

import numpy as np
import pytest

from fer_utils.core.faces import FaceSet
from fer_utils.core.profiles import load_profile
from fer_utils.evaluation.oracle import _balanced, _reached, exchange_rate, oracle_table
from fer_utils.evaluation.predictions import read_predictions
from fer_utils.training import TRAINED_WITH, write_predictions

FACES = {"original": 100, "unseen_25": 200, "unseen_50": 300, "unseen": 500, "aug1": 500}
RIGHT = {"original": 0.40, "unseen_25": 0.50, "unseen_50": 0.55, "unseen": 0.60, "aug1": 0.45}
N = 1400


@pytest.fixture
def part(project):
    """Runs of every set that get a given share of each emotion's faces right, the easiest first."""
    profile = load_profile(
        "fer2013_tenth",
        ["controls.names=[unseen_25, unseen_50, unseen]", "evaluation.resamples=400"],
    )
    labels = np.tile(np.arange(7), N // 7)
    faces = FaceSet(
        np.zeros((N, 8, 8, 1), np.uint8),
        labels,
        np.array([f"{k:04d}" for k in range(N)]),
        np.full(N, "test"),
    )

    def write(**right):
        for level, share in (RIGHT | right).items():
            for seed in profile.training.seeds:
                said = np.where(np.arange(N) < N * share, labels, (labels + 1) % 7)
                folder = profile.paths.model("fer2013", level, seed)
                write_predictions(folder, faces, 0.01 + 0.93 * np.eye(7)[said])
                (folder / TRAINED_WITH).write_text(
                    json.dumps({"faces": FACES[level], "class_shares": [1 / 7] * 7})
                )
        return read_predictions("fer2013", profile, levels=list(RIGHT)), profile

    return write


def test_a_synthetic_face_that_gives_half_of_what_the_first_real_ones_give_is_worth_an_eighth(part):
    predictions, profile = part()
    found = exchange_rate(predictions, "fer2013", profile)
    # 45 % lies midway between 0 and 100 added real faces
    assert found["rate"] == pytest.approx(50 / 400, abs=0.01)
    assert 0 < found["low"] < found["rate"] < found["high"] < 0.3 and found["at_least"] == 0


@pytest.mark.parametrize(("right", "rate"), [(0.35, 0.0), (0.70, 1.0)])
def test_beyond_the_curve_the_rate_is_its_end_and_says_so(part, right, rate):
    predictions, profile = part(aug1=right)
    found = exchange_rate(predictions, "fer2013", profile)
    assert found["rate"] == rate and (found["at_least"] == 1) == (rate == 1)


def test_the_table_has_every_set_with_the_faces_it_added(part):
    table = oracle_table(*part()).set_index("level")
    rate, table = table.loc["exchange rate"], table.drop("exchange rate")
    assert (
        rate["balanced"] == pytest.approx(50 / 400, abs=0.01)
        and rate["low"] < rate["balanced"] < rate["high"]
    )
    assert table["added"].to_dict() == {level: faces - 100 for level, faces in FACES.items()}
    assert table["balanced"].to_dict() == pytest.approx(
        {level: 100 * share for level, share in RIGHT.items()}, abs=0.2
    )
    assert (table["low"] <= table["balanced"]).all() and (table["seeds"] == 3).all()


def test_a_line_is_read_where_it_first_reaches_what_is_wanted():
    added = np.array([0.0, 10.0, 20.0])
    assert _reached(np.array([1.0, 3.0, 2.0, 2.0]), added) == pytest.approx(5)
    assert _reached(np.array([1.0, 1.0, 3.0, 2.0]), added) == pytest.approx(15)


def test_drawn_images_give_the_balanced_accuracy_of_the_drawn_images():
    random = np.random.default_rng(0)
    values, labels = random.integers(0, 2, (70, 2, 3)).astype(float), np.tile(np.arange(7), 10)
    drawn = random.integers(70, size=70)
    weights = np.bincount(drawn, minlength=70)[None].astype(float)
    found = _balanced(weights, values, np.eye(7)[labels])[0]
    expected = np.mean([values[drawn[labels[drawn] == k]].mean(axis=0) for k in range(7)], axis=0)
    np.testing.assert_allclose(found, expected)
