"""A budget of updates is the same for every training set, and nothing in it depends on when a run
would have stopped."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from test_training import profile, toy_faces

from fer_utils import training
from fer_utils.balancing.controls import chosen_controls
from fer_utils.core.errors import CompanionError
from fer_utils.core.profiles import load_profile
from fer_utils.core.recipes import BUDGET
from fer_utils.training import epoch_order, normalise, train_model
from fer_utils.training.batches import budget_orders, erased, jittered

BUDGET_OF_24 = (
    "training.recipe=budget",
    "training.updates=24",
    "training.max_epochs=4",
    "training.learning_rate=0.01",
    "training.averaging=0.5",
    "training.rotation=5",
    "training.shift=0.05",
    "training.label_smoothing=0.1",
    "quality.reader.max_epochs=4",
)


def trained(folder, *overrides, count=70, seed=0):
    settings = profile(*BUDGET_OF_24, *overrides)
    history = train_model(
        toy_faces(count), toy_faces(28, seed=1), settings, seed=seed, folder=folder
    )
    return history, load_file(folder / "model.safetensors")


def test_sets_of_any_size_get_equally_many_updates(tmp_path):
    small, large = (trained(tmp_path / str(count), count=count)[0] for count in (40, 700))
    assert small["images"].tolist() == large["images"].tolist() == [6 * 16] * 4
    assert small["learning_rate"].tolist() == large["learning_rate"].tolist()


def test_every_image_of_a_set_is_seen_as_often_as_any_other_but_for_one():
    settings = profile(*BUDGET_OF_24).training
    seen = torch.cat(budget_orders(50, settings, seed=3)).bincount(minlength=50)
    assert seen.sum() == 24 * 16 and seen.max() - seen.min() == 1


def test_phases_share_the_budget_and_each_draws_from_its_own_images_alone():
    settings = profile(*BUDGET_OF_24).training
    phases = torch.tensor([0] * 10 + [1] * 40)
    first, second = torch.cat(budget_orders(50, settings, seed=3, phases=phases)).split(12 * 16)
    assert set(first.tolist()) == set(range(10)) and set(second.tolist()) <= set(range(10, 50))
    assert second.bincount(minlength=50)[10:].max() - second.bincount(minlength=50)[10:].min() == 1


def test_erasing_takes_one_rectangle_of_a_bounded_size_from_the_chosen_share_of_faces():
    images = torch.full((4000, 3, 48, 48), 7, dtype=torch.uint8)
    found = erased(images, SimpleNamespace(erasing=0.25), torch.Generator().manual_seed(0))
    gone = (found != 7).all(dim=1)
    touched = gone.flatten(1).any(dim=1)
    assert touched.float().mean().item() == pytest.approx(0.25, abs=0.03)
    areas = gone[touched].flatten(1).float().mean(dim=1)
    assert (
        areas.min() > 0.01
        and areas.max() < 0.36
        and areas.mean().item() == pytest.approx(0.175, abs=0.02)
    )
    for face in gone[touched][:50]:
        rows, columns = face.any(dim=1), face.any(dim=0)
        # a rectangle, and of one piece
        assert torch.equal(face, rows[:, None] & columns[None, :])
        assert rows.int().diff().abs().sum() <= 2 and columns.int().diff().abs().sum() <= 2
    assert normalise(found[touched][:1])[0, :, gone[touched][0]].abs().max() < 1e-5


def test_the_learning_rate_rises_falls_and_ends_next_to_zero(tmp_path, monkeypatch):
    rates, step = [], torch.optim.SGD.step

    def noted(optimizer, *given):
        rates.append(optimizer.param_groups[0]["lr"])
        return step(optimizer, *given)

    monkeypatch.setattr(torch.optim.SGD, "step", noted)
    trained(tmp_path)
    top = int(np.argmax(rates))
    assert len(rates) == 24 and 0 < top < 5 and max(rates) == pytest.approx(0.01, rel=0.05)
    assert (np.diff(rates[top:]) < 0).all() and rates[-1] < 0.01 * max(rates)


def test_the_last_weights_are_kept_however_bad_the_validation_grew(tmp_path, monkeypatch):
    _, expected = trained(tmp_path / "good")
    worse = iter([1.0, 2.0, 3.0, 4.0])
    monkeypatch.setattr(training, "validate", lambda *_: (next(worse), 10.0))
    history, found = trained(tmp_path / "bad")
    assert len(history) == 4 and all(torch.equal(found[name], expected[name]) for name in expected)


def test_a_run_that_stopped_in_the_middle_of_its_budget_ends_with_the_same_weights(
    tmp_path, monkeypatch
):
    _, expected = trained(tmp_path / "whole")
    validate, calls = training.validate, []

    def stopped_at_the_third(*given):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return validate(*given)

    monkeypatch.setattr(training, "validate", stopped_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "stopped")
    history, found = trained(tmp_path / "stopped")
    # the third part was trained again, the first two were not
    assert len(history) == 4 and len(calls) == 5
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_the_running_mean_of_the_weights_is_what_is_kept(tmp_path):
    _, mean = trained(tmp_path / "mean", "training.averaging=0.9")
    _, nearly_last = trained(tmp_path / "nearly", "training.averaging=1e-9")
    _, last = trained(tmp_path / "last", "training.averaging=0")
    name = "fc4.weight"
    assert torch.allclose(nearly_last[name], last[name], atol=1e-7)
    assert not torch.allclose(mean[name], last[name], atol=1e-4)


@pytest.mark.parametrize(
    "override", ["training.updates=0", "training.recipe=paper", "training.max_epochs=25"]
)
def test_half_a_budget_is_refused_with_what_was_found(tmp_path, override):
    with pytest.raises(CompanionError, match="training.updates"):
        trained(tmp_path, override)


def test_a_budget_asks_for_no_patience_and_no_plateau():
    settings = profile(*BUDGET_OF_24).training
    assert all(getattr(settings, name) == value for name, value in BUDGET.items())


def jitter(**most):
    return SimpleNamespace(**dict.fromkeys(("rotation", "zoom", "shift"), 0.0) | most)


def test_a_face_that_may_not_move_stays_as_it_is():
    images = toy_images()
    assert torch.allclose(jittered(images, jitter(), torch.Generator()), images.float(), atol=1e-3)


@pytest.mark.parametrize("most", [{"rotation": 30.0}, {"zoom": 0.3}, {"shift": 0.2}])
def test_each_face_is_changed_in_its_own_way_and_no_new_gray_appears(most):
    images = toy_images()
    found = jittered(images, jitter(**most), torch.Generator().manual_seed(1))
    assert not torch.allclose(found[0], found[1], atol=1) and found.shape == images.shape
    assert found.min() >= images.min() and found.max() <= images.max()


def test_a_shift_by_whole_pixels_is_the_face_elsewhere_with_its_border_repeated(monkeypatch):
    monkeypatch.setattr(
        torch, "rand", lambda *shape, **_: torch.tensor([0.5, 0.5, 1.0, 0.5])[:, None].expand(4, 2)
    )
    images = toy_images()
    found = jittered(images, jitter(shift=2 / 16), torch.Generator())
    assert torch.allclose(found[..., :14], images[..., 2:].float(), atol=1e-2)
    assert torch.allclose(found[..., 14:], images[..., -1:].float().expand(2, 3, 16, 2), atol=1e-2)


def toy_images():
    """The same noise twice, uint8 [2, 3, 16, 16]."""
    return torch.randint(
        0, 256, (1, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    ).expand(2, 3, 16, 16)


def test_an_order_without_a_budget_is_one_pass():
    assert budget_orders(50, profile().training, seed=0) == []
    assert sorted(epoch_order(50, None, torch.Generator().manual_seed(0)).tolist()) == list(
        range(50)
    )


@pytest.mark.parametrize("name", ["equal_updates", "recipe_patience"])
def test_a_control_that_a_budget_makes_idle_is_refused(name):
    with pytest.raises(CompanionError, match=f"{name}.*budget"):
        chosen_controls(load_profile("demo", [f"controls.names=[{name}]"]))
