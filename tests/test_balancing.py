"""Levels, the pool, and the indices of balanced sets."""

import numpy as np
import pandas as pd
import pytest

from fer_utils.balancing import (
    assemble,
    balanced_index,
    distribution_table,
    level_targets,
    pool_counts,
    read_balanced_set,
    synthetic_needed,
    write_balanced_sets,
)
from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.errors import CompanionError
from fer_utils.core.faces import FaceSet
from fer_utils.core.profiles import load_profile
from fer_utils.core.reference import read_reference
from fer_utils.datasets import paper_scale_counts
from fer_utils.datasets.checks import official_counts

LEVELS = ("original", "aug1", "aug2", "aug3", "aug4")
NEEDED = {
    "FER2013": (0, 21_796, 41_291, 58_791, 76_291),
    "RAF-DB": (0, 21_133, 57_729, 75_229, 92_729),
}
SMALL = ["balancing.aug2_per_class=8", "balancing.aug3_per_class=10", "balancing.aug4_per_class=12"]


@pytest.fixture
def small():
    return load_profile("paper", SMALL)


def real_faces(counts=(3, 1, 2, 6, 4, 4, 2)) -> FaceSet:
    labels = np.repeat(np.arange(7), counts)
    images = np.arange(len(labels), dtype=np.uint8)[:, None, None, None] + np.zeros(
        (1, 4, 4, 1), np.uint8
    )
    return FaceSet(
        images,
        labels,
        np.array([f"real-{i}" for i in range(len(labels))]),
        np.full(len(labels), "train"),
    )


def pool_rows(per_class=12, sd2_share=0.5) -> pd.DataFrame:
    rows = [
        (f"{emotion}-{i:03d}", "sd2" if i < per_class * sd2_share else "sd3", emotion)
        for emotion in EMOTIONS
        for i in range(per_class)
    ]
    return pd.DataFrame(rows, columns=["id", "generator", "emotion"])


def pool_faces(manifest: pd.DataFrame) -> FaceSet:
    labels = manifest["emotion"].map(EMOTIONS.index).to_numpy()
    images = np.full((len(labels), 6, 6, 3), 200, np.uint8)
    return FaceSet(
        images, labels, manifest["id"].to_numpy(str), manifest["generator"].to_numpy(str)
    )


def paper_counts() -> dict:
    return {
        "fer2013": official_counts("FER2013", "train"),
        "rafdb": official_counts("RAF-DB", "train"),
    }


@pytest.mark.parametrize(("name", "paper_name"), [("fer2013", "FER2013"), ("rafdb", "RAF-DB")])
def test_the_images_needed_at_each_level_are_the_papers(name, paper_name):
    profile = load_profile("paper")
    needed = [
        sum(synthetic_needed(paper_counts()[name], level, profile).values()) for level in LEVELS
    ]
    assert tuple(needed) == NEEDED[paper_name]


def test_one_pool_takes_93010_images_where_two_take_169020():
    profile, counts = load_profile("paper"), paper_counts()
    assert sum(pool_counts(counts, profile).values()) == 93_010
    assert (
        sum(sum(pool_counts({name: counts[name]}, profile).values()) for name in counts) == 169_020
    )


def assert_equals_table_2(counts: dict) -> None:
    table = distribution_table(counts, load_profile("paper"))
    assert table.shape == (7, 7)
    for row in read_reference("table_2").itertuples():
        level = {"original": "Original"}.get(row.level, f"Aug. {row.level[-1]}")
        column = (level, row.dataset) if row.level in ("original", "aug1") else (level, "Both")
        assert table.loc[row.emotion, column] == row.count, row.place


def test_table_2_at_paper_scale_equals_the_paper_in_every_cell():
    assert_equals_table_2(paper_counts())


@pytest.mark.realdata
def test_table_2_from_the_real_files_equals_the_paper_in_every_cell(real_project):
    assert_equals_table_2(paper_scale_counts())


def test_one_data_set_keeps_its_own_title_at_every_level():
    table = distribution_table({"demo_fer2013": dict.fromkeys(EMOTIONS, 5)}, load_profile("demo"))
    assert set(table.columns.get_level_values("dataset")) == {"Demo faces after FER2013"}


def test_targets_of_the_fixed_levels_follow_the_profiles_scale():
    counts = dict.fromkeys(EMOTIONS, 5)
    quarter = load_profile("demo", ["data.scale=0.25"])
    assert level_targets(counts, "aug3", quarter) == dict.fromkeys(EMOTIONS, 3_125)


def test_a_class_with_more_faces_than_the_level_wants_is_an_error(small):
    with pytest.raises(
        CompanionError, match=r"Aug\. 2 wants 8.*happy has 9.*balancing\.aug2_per_class"
    ):
        level_targets(dict.fromkeys(EMOTIONS, 2) | {"happy": 9}, "aug2", small)


def test_an_unknown_level_names_the_nearest(small):
    with pytest.raises(CompanionError, match="did you mean 'aug4'"):
        level_targets(dict.fromkeys(EMOTIONS, 2), "agu4", small)


@pytest.mark.parametrize(
    ("level", "per_class"), [("aug1", 6), ("aug2", 8), ("aug3", 10), ("aug4", 12)]
)
def test_every_class_of_a_balanced_set_has_exactly_the_target(level, per_class, small):
    index = balanced_index(real_faces(), pool_rows(), level, small)
    assert index["emotion"].value_counts().to_dict() == dict.fromkeys(EMOTIONS, per_class)
    assert index["id"].is_unique and list(index.columns) == ["id", "source", "emotion"]


def test_every_real_face_is_in_every_level(small):
    train = real_faces()
    for level in LEVELS:
        index = balanced_index(train, pool_rows(), level, small)
        assert index.loc[index["source"] == "real", "id"].tolist() == train.ids.tolist()


def test_each_level_holds_the_one_before_it(small):
    sets = [set(balanced_index(real_faces(), pool_rows(), level, small)["id"]) for level in LEVELS]
    assert all(smaller < larger for smaller, larger in zip(sets, sets[1:]))


def test_a_pool_that_is_too_small_names_the_class_and_both_numbers(small):
    manifest = pool_rows().query("emotion != 'disgust' or id < 'disgust-004'")
    with pytest.raises(CompanionError, match="4 synthetic faces of disgust, this level needs 11"):
        balanced_index(real_faces(), manifest, "aug4", small)


def test_generators_take_turns_by_their_share(small):
    manifest = pool_rows(per_class=40)
    index = balanced_index(real_faces(), manifest, "aug4", small)
    chosen = index[index["source"] == "synthetic"].merge(manifest, on="id")
    turns = (chosen["generator"] == "sd2").groupby(chosen["emotion_x"]).agg(["sum", "count"])
    assert ((turns["sum"] - turns["count"] / 2).abs() <= 1).all()


def test_unequal_shares_are_kept_too():
    profile = load_profile(
        "paper", [*SMALL, "generators.sd2.share=0.25", "generators.sd3.share=0.75"]
    )
    manifest = pool_rows(per_class=12, sd2_share=0.25)
    index = balanced_index(real_faces((0,) * 7), manifest, "aug2", profile)
    assert index.merge(manifest, on="id")["generator"].value_counts().to_dict() == {
        "sd3": 42,
        "sd2": 14,
    }


def test_the_choice_depends_on_the_seed_but_not_on_the_order_of_the_manifest(small):
    first = balanced_index(real_faces(), pool_rows(), "aug1", small)
    shuffled = balanced_index(
        real_faces(), pool_rows().sample(frac=1, random_state=1), "aug1", small
    )
    other = balanced_index(
        real_faces(), pool_rows(), "aug1", load_profile("paper", [*SMALL, "balancing.seed=5"])
    )
    assert first.equals(shuffled) and not first.equals(other)


def test_written_sets_read_back_as_they_were(small, project):
    written = write_balanced_sets("fer2013", small, train=real_faces(), manifest=pool_rows())
    for level in LEVELS:
        assert (
            read_balanced_set("fer2013", level, small).to_numpy().tolist()
            == written[level].to_numpy().tolist()
        )


def test_reading_a_set_that_was_not_written_names_the_stage(small, project):
    with pytest.raises(CompanionError, match="stage 04"):
        read_balanced_set("fer2013", "aug1", small)


def test_assembling_takes_the_right_pixels_for_every_id(small):
    train, manifest = real_faces(), pool_rows()
    index = balanced_index(train, manifest, "aug1", small)
    faces = assemble(index, train, pool_faces(manifest), channels=1, size=4)
    assert faces.images.shape == (42, 4, 4, 1) and faces.counts() == dict.fromkeys(EMOTIONS, 6)
    assert np.array_equal(faces.images[: len(train)], train.images)
    assert (faces.images[len(train) :] >= 199).all() and set(faces.origin[len(train) :]) == {
        "sd2",
        "sd3",
    }


@pytest.mark.parametrize("change", [{"id": "gone"}, {"emotion": "surprise"}])
def test_an_index_that_does_not_fit_the_faces_is_refused(change, small):
    train, manifest = real_faces(), pool_rows()
    index = balanced_index(train, manifest, "aug1", small)
    index.loc[0, list(change)] = list(change.values())
    with pytest.raises(CompanionError, match="1 real faces.*stage 04"):
        assemble(index, train, pool_faces(manifest), channels=1, size=4)
