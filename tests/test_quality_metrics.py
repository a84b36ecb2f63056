"""Metrics of synthetic against real faces: equal to other implementations, and moved by what they
are meant to show."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics.pairwise import euclidean_distances
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.faces import resize_images
from fer_utils.core.profiles import load_profile
from fer_utils.datasets.demo_faces import draw_more
from fer_utils.synthesis.quality import metrics
from fer_utils.synthesis.quality.comparison import ALL, BOTH, HALF, UNSEEN, comparison_table
from fer_utils.synthesis.quality.metrics import Sample, compare
from fer_utils.synthesis.quality.reader import Readings

PER_CLASS = 24


def two_samples(real=40, fake=30, features=6, shift=0.4):
    random = np.random.default_rng(0)
    return random.normal(size=(real, features)), random.normal(shift, 1.2, (fake, features))


def compared(real, fake, neighbours=3):
    return compare(Sample(real, neighbours=neighbours), Sample(fake, neighbours=neighbours))


def faces(seed, per_class=PER_CLASS):
    return draw_more(
        "demo_fer2013", per_class, load_profile("demo", [f"data.seed={seed}", "data.label_noise=0"])
    )


def projected(images):
    """Features that need no training: a fixed random projection of the edges at 24x24, of mean
    square about 1."""
    edges = np.diff(resize_images(images, 24, channels=1)[..., 0] / 255, axis=2).reshape(
        len(images), -1
    )
    return (edges @ np.random.default_rng(0).normal(size=(edges.shape[1], 32)) / 2).astype(
        np.float32
    )


def readings(found, images=None):
    return Readings(found.ids, found.labels, projected(found.images if images is None else images))


def blurred(images):
    return resize_images(resize_images(images, 5, channels=1), 48, channels=1)


@pytest.fixture(scope="module")
def drawn():
    return {
        "train": faces(1, 2 * PER_CLASS),
        "sd2": faces(2),
        "sd3": faces(3),
        "validation": faces(4),
    }


@pytest.fixture(scope="module")
def table(drawn):
    """sd2: other people of the same population; sd3: the same but blurred."""
    generated = {
        "sd2": readings(drawn["sd2"]),
        "sd3": readings(drawn["sd3"], blurred(drawn["sd3"].images)),
    }
    found = comparison_table(
        readings(drawn["train"]), generated, readings(drawn["validation"]), load_profile("demo")
    )
    return found.set_index(["generator", "emotion", "metric"]).sort_index()


def test_kid_is_torchmetrics_kid():
    real, fake = two_samples(fake=40)
    theirs = KernelInceptionDistance(
        feature=torch.nn.Identity(), subsets=1, subset_size=40
    ).set_dtype(torch.float64)
    theirs.update(torch.tensor(real), real=True)
    theirs.update(torch.tensor(fake), real=False)
    assert compared(real, fake)["kid"] == pytest.approx(float(theirs.compute()[0]), rel=1e-6)


def test_fid_is_torchmetrics_fid_and_is_not_given_for_few_faces():
    real, fake = two_samples()
    identity = torch.nn.Identity()
    identity.num_features = 6
    theirs = FrechetInceptionDistance(feature=identity).set_dtype(torch.float64)
    theirs.update(torch.tensor(real), real=True)
    theirs.update(torch.tensor(fake), real=False)
    assert compared(real, fake)["fid"] == pytest.approx(float(theirs.compute()), rel=1e-6)
    few = metrics.FACES_PER_FEATURE * 6 - 1
    assert np.isnan(compared(real, fake[:few])["fid"]) and np.isfinite(
        compared(real, fake[: few + 1])["fid"]
    )


@pytest.mark.parametrize("rows_at_once", [7, 1024])
def test_precision_recall_density_and_coverage_are_what_their_definitions_say(
    rows_at_once, monkeypatch
):
    monkeypatch.setattr(metrics, "_ROWS_AT_ONCE", rows_at_once)
    real, fake = two_samples()
    ball = {
        name: np.sort(euclidean_distances(side), axis=1)[:, 3]
        for name, side in (("real", real), ("fake", fake))
    }
    inside = [
        [np.linalg.norm(f - r) < radius for r, radius in zip(real, ball["real"])] for f in fake
    ]
    reached = [
        [np.linalg.norm(f - r) < radius for f, radius in zip(fake, ball["fake"])] for r in real
    ]
    found = compared(real, fake)
    assert found["precision"] == pytest.approx(np.mean([any(row) for row in inside]))
    assert found["recall"] == pytest.approx(np.mean([any(row) for row in reached]))
    assert found["density"] == pytest.approx(np.sum(inside) / 3 / len(fake))
    assert found["coverage"] == pytest.approx(np.mean(np.any(inside, axis=0)))
    pairs = euclidean_distances(fake)[np.triu_indices(len(fake), 1)]
    assert found["diversity"] == pytest.approx(pairs.mean())


def test_too_few_faces_give_no_number_instead_of_a_wrong_one():
    real, fake = two_samples(real=10, fake=3)
    found = compared(real, fake)
    assert np.isnan(found["coverage"]) and np.isfinite(found["kid"])
    alone = compared(real, fake[:1])
    assert (
        np.isnan(alone["kid"])
        and np.isnan(alone["diversity"])
        and np.isnan(compared(real, fake[:0])["kid"])
    )


def test_a_generator_that_makes_one_face_is_precise_but_covers_little():
    real, _ = two_samples()
    found = compared(
        real, np.repeat(real[:1], 30, axis=0) + np.random.default_rng(1).normal(0, 1e-3, (30, 6))
    )
    assert (
        found["precision"] > 0.9
        and found["coverage"] < 0.4
        and found["recall"] < 0.2
        and found["diversity"] < 0.1
    )


def test_kid_of_real_halves_is_zero_within_its_interval(table):
    for emotion in (*EMOTIONS, ALL):
        row = table.loc[(HALF, emotion, "kid")]
        assert row["low"] < 0 < row["high"], emotion
    assert (
        abs(table.loc[(HALF, ALL, "kid"), "value"]) < 0.1 * table.loc[("sd3", ALL, "kid"), "value"]
    )


def test_blurred_faces_are_told_from_real_ones_and_other_real_people_are_not(table):
    assert table.loc[("sd3", ALL, "kid"), "low"] > table.loc[(HALF, ALL, "kid"), "high"]
    assert table.loc[("sd3", ALL, "coverage"), "high"] < table.loc[(HALF, ALL, "coverage"), "low"]
    for name in ("sd2", UNSEEN):
        assert table.loc[(name, ALL, "kid"), "value"] < table.loc[("sd3", ALL, "kid"), "low"]
    assert table.loc[("sd2", ALL, "kid"), "value"] < table.loc[(BOTH, ALL, "kid"), "value"]


def test_kid_rises_when_an_emotion_is_missing(drawn):
    train = drawn["train"]
    features = np.where(train.labels[:, None] == EMOTIONS.index("surprise"), 1.0, 0.0) + projected(
        train.images
    )
    order = np.random.default_rng(0).permutation(len(train))
    reference, control = order[: len(order) // 2], order[len(order) // 2 :]
    without = control[train.labels[control] != EMOTIONS.index("surprise")]
    whole = compared(features[reference], features[control])["kid"]
    assert compared(features[reference], features[without])["kid"] > 5 * abs(whole)


def test_all_compared_samples_have_the_same_number_of_faces_and_say_it(table):
    found = table.loc[["sd2", "sd3", BOTH, HALF, UNSEEN]]
    assert (found.xs("anger", level="emotion")["n"] == PER_CLASS).all()
    assert (found.xs(ALL, level="emotion")[["n", "n_real"]] == 7 * PER_CLASS).all(axis=None)
    profile = load_profile("demo")
    assert (found["draws"] == profile.quality.draws).all() and (
        found["seed"] == profile.quality.seed
    ).all()
    assert (found["low"] <= found["value"] + 1e-9)[found["value"].notna()].all()


def test_the_number_of_faces_is_capped_by_the_profile_and_by_the_smallest_generator(drawn):
    train, validation = readings(drawn["train"]), readings(drawn["validation"])
    few = {
        "sd2": readings(drawn["sd2"].select(drawn["sd2"].labels != 0)),
        "sd3": readings(drawn["sd3"]),
    }
    profile = load_profile("demo", ["quality.faces_per_emotion=9", "quality.draws=2"])
    found = comparison_table(train, few, validation, profile).query(
        "metric == 'kid' and generator == 'sd3'"
    )
    assert found["n"].tolist() == [0, *[9] * 6, 54]


def test_the_same_seed_gives_the_same_table_and_another_seed_another(drawn):
    train, sd2 = readings(drawn["train"]), {"sd2": readings(drawn["sd2"])}
    first, again, other = (
        comparison_table(
            train, sd2, train, load_profile("demo", ["quality.draws=3", f"quality.seed={s}"])
        )
        for s in (1, 1, 2)
    )
    assert first.equals(again) and not first["value"].equals(other["value"])
    assert BOTH not in set(first["generator"])


def test_readings_scaled_change_features_alone(drawn):
    found = readings(drawn["sd2"])
    doubled = found.scaled(2)
    np.testing.assert_allclose(doubled.features, 2 * found.features)
    assert replace(doubled, features=found.features).ids is found.ids
