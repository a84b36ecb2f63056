"""The three things everything else is built on: emotion names, FaceSet, Profile."""

import numpy as np
import pytest

from fer_utils.core.emotions import (
    AUTHORS_ORDER,
    EMOTIONS,
    FER2013_ORDER,
    RAFDB_ORDER,
    codes_to_labels,
    emotion_index,
    emotion_name,
)
from fer_utils.core.errors import CompanionError
from fer_utils.core.faces import FaceSet, concatenate, load_faces
from fer_utils.core.paths import PACKAGE, committed_tables
from fer_utils.core.profiles import differences, load_profile, profile_names


def some_faces(count=4, size=8, channels=3, name="face") -> FaceSet:
    random = np.random.default_rng(count)
    return FaceSet(
        random.integers(0, 256, (count, size, size, channels), dtype=np.uint8),
        np.arange(count) % len(EMOTIONS),
        np.array([f"{name}-{i}" for i in range(count)]),
        np.full(count, "test"),
    )


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("Angry", "anger"),
        ("happiness", "happy"),
        ("sadness", "sad"),
        ("Fearful", "fear"),
        (" surprised ", "surprise"),
    ],
)
def test_usual_spellings_of_an_emotion_are_understood(alias, name):
    assert emotion_name(alias) == name and EMOTIONS[emotion_index(alias)] == name


def test_a_misspelt_emotion_names_the_nearest():
    with pytest.raises(CompanionError, match="did you mean 'disgust'"):
        emotion_name("disgsut")


@pytest.mark.parametrize("order", [FER2013_ORDER, RAFDB_ORDER, AUTHORS_ORDER])
def test_every_foreign_order_maps_onto_all_seven_labels(order):
    labels = codes_to_labels(order)
    assert sorted(labels) == list(range(7)) and EMOTIONS[labels[0]] == order[0]


def test_faces_survive_saving_and_loading_unchanged(tmp_path):
    faces = some_faces()
    faces.save(tmp_path / "faces.npz")
    again = load_faces(tmp_path / "faces.npz")
    assert all(
        np.array_equal(getattr(faces, name), getattr(again, name))
        for name in ("images", "labels", "ids", "origin")
    )
    assert [path.name for path in tmp_path.iterdir()] == ["faces.npz"]


def test_a_truncated_face_set_is_an_error_that_says_what_to_do(tmp_path):
    path = tmp_path / "faces.npz"
    some_faces().save(path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(CompanionError, match=r"faces\.npz.*run the stage"):
        load_faces(path)


def test_selecting_keeps_images_labels_and_ids_together():
    faces = some_faces(5).select([3, 1])
    assert faces.ids.tolist() == ["face-3", "face-1"] and faces.labels.tolist() == [3, 1]
    assert np.array_equal(faces.images[0], some_faces(5).images[3])


def test_counts_name_every_emotion_even_absent_ones():
    assert some_faces(8).counts() == {"anger": 2} | dict.fromkeys(EMOTIONS[1:], 1)
    assert some_faces(1).counts()["surprise"] == 0


def test_resizing_changes_size_and_channels_and_keeps_gray_levels():
    gray = FaceSet(
        np.full((2, 8, 8, 1), 77, np.uint8),
        np.zeros(2, int),
        np.array(["a", "b"]),
        np.array(["x", "x"]),
    )
    colour = gray.resize(16, channels=3)
    assert colour.images.shape == (2, 16, 16, 3) and (colour.images == 77).all()


def test_concatenating_faces_of_different_sizes_is_refused():
    with pytest.raises(CompanionError, match="resize them first"):
        concatenate(some_faces(size=8), some_faces(size=9))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": np.array([0, 7])}, "labels must lie in 0..6"),
        ({"ids": np.array(["a"])}, "2 images but 1 ids"),
        ({"images": np.zeros((2, 4, 4, 1), np.float32)}, "images must be uint8"),
    ],
)
def test_a_face_set_that_does_not_fit_together_is_refused(change, message):
    parts = {
        "images": np.zeros((2, 4, 4, 1), np.uint8),
        "labels": np.zeros(2, int),
        "ids": np.array(["a", "b"]),
        "origin": np.array(["x", "x"]),
    }
    with pytest.raises(CompanionError, match=message):
        FaceSet(**(parts | change))


@pytest.mark.parametrize("name", ["smoke", "demo", "fer2013", "paper"])
def test_every_profile_loads_and_only_overrides_the_papers_settings(name):
    assert name in profile_names()
    assert set(load_profile(name).values) == set(load_profile("paper").values)


def test_the_paper_profile_holds_the_settings_of_section_4():
    training = load_profile("paper").training
    assert (
        training.learning_rate,
        training.batch_size,
        training.max_epochs,
        training.patience,
        training.scheduler_factor,
    ) == (1e-3, 16, 80, 5, 0.1)


@pytest.mark.parametrize(("text", "value"), [("2e-2", 0.02), ("1", 1.0), ("0.5", 0.5)])
def test_an_override_sets_one_number_and_leaves_the_rest(text, value):
    profile, plain = load_profile("demo", [f"training.learning_rate={text}"]), load_profile("demo")
    assert profile.training.learning_rate == value
    assert differences(profile, plain)["setting"].tolist() == ["training.learning_rate"]


@pytest.mark.parametrize(
    ("name", "overrides", "message"),
    [
        ("dmeo", [], "did you mean 'demo'"),
        ("demo", ["training.max_epoch=3"], "did you mean 'max_epochs'"),
        ("demo", ["trainig.max_epochs=3"], "did you mean 'training'"),
        ("demo", ["training.max_epochs=many"], "max_epochs' must be a whole number.*found 'many'"),
        ("demo", ["training.seeds=[one]"], "an item must be a whole number"),
        ("demo", ["training.max_epochs"], "section.name=value"),
    ],
)
def test_a_wrong_profile_or_override_is_explained(name, overrides, message):
    with pytest.raises(CompanionError, match=message):
        load_profile(name, overrides)


def test_a_misspelt_setting_in_code_names_the_nearest():
    with pytest.raises(CompanionError, match="did you mean 'patience'"):
        assert load_profile("demo").training.patiense


def test_an_overridden_profile_writes_to_folders_of_its_own(project):
    plain, changed = load_profile("demo"), load_profile("demo", ["training.max_epochs=2"])
    assert plain.run_name == "demo" and changed.run_name.startswith("demo-")
    assert load_profile("demo", ["run.workers=1", "run.device=cpu"]).run_name == "demo", (
        "how fast is no result"
    )
    assert changed.paths.tables != plain.paths.tables and project in changed.paths.tables.parents


@pytest.mark.parametrize("name", profile_names())
def test_a_run_never_writes_to_the_committed_figures_and_tables(project, name):
    paths = load_profile(name).paths
    assert paths.run in paths.figures.parents and paths.run in paths.tables.parents
    assert (
        project / "runs" in paths.run.parents
        and committed_tables(name).parents[1] == PACKAGE.parent
    )
    assert paths.all_kept == project / "tables" / name / "runs", "what is kept outlives runs/"


def test_the_fingerprint_changes_with_the_named_sections_only():
    plain, changed = load_profile("demo"), load_profile("demo", ["training.max_epochs=2"])
    assert plain.fingerprint("data") == changed.fingerprint("data")
    assert plain.fingerprint("training") != changed.fingerprint("training")


def test_the_differences_table_shows_the_papers_value_beside_ours():
    table = differences(load_profile("demo", ["data.scale=0.25"])).set_index("setting")
    assert table.loc["data.scale"].to_dict() == {"paper": 1.0, "demo": 0.25}
    assert "training.patience" not in table.index
    assert differences(load_profile("paper")).empty
