"""The drawn data sets, and splits as stage 01 keeps them."""

import numpy as np
import pytest
import torch

from fer_utils.core.errors import CompanionError
from fer_utils.core.profiles import load_profile
from fer_utils.datasets import dataset_info, demo_faces, load_splits, prepare_splits, stored_splits
from fer_utils.datasets.checks import count_table, official_counts

TINY = ["data.scale=0.0005", "data.evaluation_scale=0.01", "data.label_noise=0.25"]


@pytest.mark.parametrize(
    ("name", "shape"), [("demo_fer2013", (48, 48, 1)), ("demo_rafdb", (100, 100, 3))]
)
def test_drawn_sets_have_the_counts_and_the_format_of_what_they_mirror(name, shape, project):
    profile = load_profile("demo", TINY)
    splits, paper_name = load_splits(name, profile), dataset_info(name).paper_name
    assert splits.train.counts() == {
        emotion: max(2, round(count * 0.0005))
        for emotion, count in official_counts(paper_name, "train").items()
    }
    assert splits.test.counts() == {
        emotion: max(2, round(count * 0.01))
        for emotion, count in official_counts(paper_name, "test").items()
    }
    for split, faces in splits.items():
        assert faces.images.shape[1:] == shape and set(faces.origin) == {f"{name}/{split}"}
        assert all(face.startswith("demo_") for face in faces.ids) and len(set(faces.ids)) == len(
            faces
        )


def test_the_drawn_rafdb_validation_is_its_share_of_train():
    counts = demo_faces.demo_counts(
        "demo_rafdb", "validation", load_profile("demo", ["data.evaluation_scale=1"])
    )
    assert counts["happy"] == round(4772 * 0.1) and counts["fear"] == round(281 * 0.1)


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_exactly_the_stated_share_of_labels_is_wrong_in_every_split(split):
    plan = demo_faces.demo_plan("demo_fer2013", split, load_profile("demo"))
    assert (plan["emotion"] != plan["drawn"]).sum() == round(0.05 * len(plan))
    clean = demo_faces.demo_plan(
        "demo_fer2013", split, load_profile("demo", ["data.label_noise=0.0"])
    )
    assert (clean["emotion"] == clean["drawn"]).all()


def test_no_person_is_in_two_splits_or_twice_in_one(monkeypatch):
    people = []
    draw = demo_faces.sample_identities

    def remember(*arguments, **options):
        people.append(draw(*arguments, **options))
        return people[-1]

    monkeypatch.setattr(demo_faces, "sample_identities", remember)
    splits = load_splits("demo_fer2013", load_profile("demo", TINY))
    shapes = torch.cat([group.shape for group in people])
    assert (
        len(shapes) == sum(len(faces) for _, faces in splits.items()) == len(shapes.unique(dim=0))
    )


def test_drawing_again_gives_the_same_faces_and_another_seed_other_ones():
    first, again, other = (
        load_splits("demo_fer2013", load_profile("demo", [*TINY, f"data.seed={seed}"])).train
        for seed in (1, 1, 2)
    )
    assert np.array_equal(first.images, again.images) and np.array_equal(first.labels, again.labels)
    assert not np.array_equal(first.images, other.images)


def test_prepared_splits_are_kept_and_read_back(project, monkeypatch):
    profile = load_profile("demo", TINY)
    made = prepare_splits("demo_fer2013", profile)
    monkeypatch.setattr("fer_utils.datasets.load_splits", lambda *_: pytest.fail("drawn again"))
    again = prepare_splits("demo_fer2013", profile)
    assert all(
        np.array_equal(getattr(made, split).images, faces.images) for split, faces in again.items()
    )


def test_asking_for_stored_splits_too_early_names_the_stage(project):
    with pytest.raises(CompanionError, match="stage 01"):
        stored_splits("demo_fer2013", load_profile("demo"))


def test_the_count_table_shows_the_official_number_beside_ours(project):
    table = count_table("demo_rafdb", load_splits("demo_rafdb", load_profile("demo", TINY)))
    rows = table.set_index(["split", "emotion"])
    assert (
        rows.loc[("train", "fear"), "official"] == 281 and rows.loc[("train", "fear"), "used"] == 2
    )
    assert rows.loc["validation", "official"].isna().all()
