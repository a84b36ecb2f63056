"""The paper's recipe is the base profile; every switch to the authors' published code does what
that code does."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from test_training import losses, profile, toy_faces

from fer_utils import tables, training
from fer_utils.core.errors import CompanionError
from fer_utils.core.profiles import load_profile
from fer_utils.core.recipes import RECIPE_SWITCHES, as_read, recipe_settings, recipe_table
from fer_utils.core.reference import read_as_printed
from fer_utils.training import flips_at_test, load_model, predict, train_model


def validated(monkeypatch, values):
    """Let validation report these (loss, accuracy), one an epoch."""
    remaining = iter(values)
    monkeypatch.setattr(training, "validate", lambda *_: next(remaining))


def trained(folder, *overrides, **options):
    return train_model(
        toy_faces(28), toy_faces(14), profile(*overrides), seed=0, folder=folder, **options
    )


def test_the_paper_profile_holds_what_the_paper_states():
    table = recipe_table(load_profile("paper").values["training"])
    stated = table[table["paper"].notna()]
    assert stated["paper"].tolist() == stated["chosen"].tolist() and len(stated) >= 9


def test_the_switches_are_the_settings_in_which_the_published_code_differs():
    assert RECIPE_SWITCHES == {
        "scheduler": {"scheduler": "none"},
        "select_on": {"select_on": "accuracy"},
        "patience": {"patience": 16},
        "test_flip": {"test_flip": True},
        "first_row_lost": {"first_row_lost": True},
        "grayscale": {"grayscale": True},
    }


def test_a_recipe_is_put_in_place_by_its_name_and_single_settings_stay_on_top():
    settings = load_profile(
        "demo_recipes", ["training.recipe=authors_code", "training.patience=3"]
    ).training
    assert settings.scheduler == "none" and settings.test_flip and settings.patience == 3
    assert settings.learning_rate == load_profile("demo_recipes").training.learning_rate
    assert recipe_settings("paper") == {}
    with pytest.raises(CompanionError, match="did you mean 'authors_code'"):
        load_profile("demo", ["training.recipe=author_code"])


def test_every_row_says_where_it_was_read():
    rows = read_as_printed("recipes")
    assert (rows["place"] != "").all() and rows["source"].str.contains(".py").all()


def test_the_table_sets_both_recipes_side_by_side_and_marks_the_switches():
    shown = tables.table_a5_recipes(
        recipe_table(load_profile("paper").values["training"])
    ).set_index("Setting")
    assert shown.loc["patience *", ["Paper", "Here", "Authors' code"]].tolist() == ["5", "5", "16"]
    assert (
        shown.loc["momentum", "Paper"] == "not stated"
        and shown.loc["scheduler_factor", "Authors' code"] == "–"
    )
    assert sum(name.endswith("*") for name in shown.index) == len(RECIPE_SWITCHES)


def test_without_a_scheduler_the_learning_rate_stays(tmp_path, monkeypatch):
    losses(monkeypatch, [1.0] * 5)
    history = trained(
        tmp_path,
        "training.max_epochs=5",
        "training.scheduler=none",
        "training.scheduler_patience=0",
    )
    assert history["learning_rate"].nunique() == 1


def test_selection_on_accuracy_keeps_the_epoch_of_the_highest_accuracy_and_stops_by_it(
    tmp_path, monkeypatch
):
    accuracy = "training.select_on=accuracy"
    validated(monkeypatch, [(1.0, 40.0), (0.9, 60.0), (0.8, 60.0), (0.7, 50.0), (0.6, 99.0)])
    history = trained(tmp_path / "all", accuracy, "training.patience=2", "training.max_epochs=9")
    assert len(history) == 4, "equal accuracy is no improvement, lower loss is none either"
    validated(monkeypatch, [(1.0, 40.0), (0.9, 60.0)])
    trained(tmp_path / "best", accuracy, "training.max_epochs=2")
    one, other = (load_file(tmp_path / name / "model.safetensors") for name in ("all", "best"))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_test_flip_flips_validation_and_test_by_chance(tmp_path, monkeypatch):
    sizes = []
    monkeypatch.setattr(
        training, "flip_half", lambda images, _: sizes.append(len(images)) or images
    )
    trained(tmp_path, "training.test_flip=true", "training.horizontal_flip=false")
    assert sizes == [14]
    assert flips_at_test(profile(), 0) is None
    settings, faces = profile("training.test_flip=true"), toy_faces(21)
    model = load_model(tmp_path, settings)
    plain = predict(model, faces, device="cpu")
    flipped = predict(model, faces, device="cpu", flips=flips_at_test(settings, 0))
    changed = np.abs(plain - flipped).max(axis=1) > 1e-6
    assert 0 < changed.sum() < len(faces)
    np.testing.assert_array_equal(
        flipped, predict(model, faces, device="cpu", flips=flips_at_test(settings, 0))
    )


def test_first_row_lost_leaves_out_one_face_of_every_set(tmp_path):
    history = trained(tmp_path, "training.first_row_lost=true")
    assert history["images"].tolist() == [27]
    faces = toy_faces(5)
    read = as_read(faces, profile("training.first_row_lost=true").training)
    assert read.ids.tolist() == faces.ids[1:].tolist()
    assert as_read(faces, profile().training) is faces


def test_grayscale_takes_the_colours_from_training_faces(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(training, "flip_half", lambda images, _: seen.append(images) or images)
    trained(tmp_path, "training.grayscale=true")
    assert all((images == images[:, :1]).all() for images in seen)


@pytest.mark.parametrize("override", ["training.scheduler=plato", "training.select_on=los"])
def test_an_unknown_choice_names_the_nearest_valid_one(tmp_path, override):
    with pytest.raises(
        CompanionError, match="plateau" if "scheduler" in override else "did you mean 'loss'"
    ):
        trained(tmp_path, override)
