"""The training loop follows the paper's recipe, learns, and gives the same weights for the same
seed."""

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from fer_utils import training
from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.errors import CompanionError
from fer_utils.core.faces import FaceSet
from fer_utils.core.profiles import load_profile
from fer_utils.training import (
    batches,
    epoch_order,
    flip_half,
    image_weights,
    load_model,
    normalise,
    predict,
    train_model,
    write_predictions,
)


def profile(*overrides):
    """A network small enough to train in a second, and the paper's recipe; overrides come on
    top."""
    return load_profile(
        "demo_recipes",
        [
            "network.width=0.0625",
            "network.head_width=0.0",
            "network.image_size=16",
            "network.stem_dropout=0.2",
            "network.head_dropout=0.1",
            "training.batch_size=16",
            "training.max_epochs=1",
            "run.threads=1",
            *overrides,
        ],
    )


def toy_faces(count, *, seed=0):
    """Coloured noise, the colour telling the class (label + 1 in bits of R, G, B): separable,
    mirrored or not."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % len(EMOTIONS)
    images = random.integers(0, 120, (count, 16, 16, 3), dtype=np.uint8)
    images += (120 * ((labels[:, None] + 1) >> np.arange(3) & 1)).astype(np.uint8)[:, None, None]
    return FaceSet(
        images, labels, np.array([f"toy-{i}" for i in range(count)]), np.full(count, "toy")
    )


def three_colours(count, *, seed=0):
    """Only the red, the green and the blue faces: soon learned even behind the three dropouts of
    0.5."""
    faces = toy_faces(count, seed=seed)
    return faces.select(np.isin(faces.labels + 1, [1, 2, 4]))


def losses(monkeypatch, values):
    """Let validation report these losses, one an epoch."""
    remaining = iter(values)
    monkeypatch.setattr(training, "validate", lambda *_: (next(remaining), 50.0))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    settings = profile(
        "training.max_epochs=12",
        "training.learning_rate=0.01",
        "training.patience=12",
        "training.scheduler_patience=12",
    )
    history = train_model(
        three_colours(560), three_colours(140, seed=1), settings, seed=0, folder=folder
    )
    return folder, settings, history


def test_a_separable_problem_is_learned(trained):
    folder, settings, history = trained
    test = three_colours(70, seed=2)
    predicted = predict(load_model(folder, settings), test, device="cpu").argmax(axis=1)
    assert (predicted == test.labels).mean() > 0.9
    assert history["train_loss"].iloc[-1] < history["train_loss"].iloc[0] / 2


def test_history_has_one_row_per_epoch_and_equals_its_file(trained):
    folder, _, history = trained
    assert list(history.columns) == [
        "epoch",
        "learning_rate",
        "train_loss",
        "train_accuracy",
        "validation_loss",
        "validation_accuracy",
        "images",
        "seconds",
    ]
    assert history["epoch"].tolist() == list(range(1, len(history) + 1))
    pd.testing.assert_frame_equal(pd.read_csv(folder / "history.csv"), history)


def test_predictions_csv_agrees_with_the_network_read_back_from_its_file(trained):
    folder, settings, _ = trained
    test = toy_faces(35, seed=3)
    path = write_predictions(
        folder, test, predict(load_model(folder, settings), test, device="cpu")
    )
    frame = pd.read_csv(path)
    again = predict(load_model(folder, settings), test, batch_size=7, device="cpu")
    assert frame["id"].tolist() == test.ids.tolist()
    assert frame["emotion"].tolist() == [EMOTIONS[label] for label in test.labels]
    assert frame["predicted"].tolist() == [EMOTIONS[label] for label in again.argmax(axis=1)]
    np.testing.assert_allclose(
        frame[[f"p_{name}" for name in EMOTIONS]].to_numpy(), again, atol=2e-6
    )
    np.testing.assert_allclose(again.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_one_seed_gives_identical_weights_and_another_seed_others(tmp_path, precision):
    faces = toy_faces(35)
    settings = profile(
        "training.max_epochs=2", f"training.precision={precision}", "network.image_size=64"
    )
    for name, seed in (("first", 5), ("second", 5), ("other", 6)):
        torch.manual_seed(len(name))  # the state a caller leaves must not matter
        train_model(faces, faces, settings, seed=seed, folder=tmp_path / name)
    first, second, other = (
        load_file(tmp_path / name / "model.safetensors") for name in ("first", "second", "other")
    )
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["conv1.weight"], other["conv1.weight"])


def test_training_leaves_the_callers_random_state_and_threads_alone(tmp_path):
    torch.manual_seed(1)
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    train_model(toy_faces(14), toy_faces(14), profile(), seed=0, folder=tmp_path)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads
    assert not torch.are_deterministic_algorithms_enabled()


def test_training_stops_after_exactly_patience_epochs_without_improvement(tmp_path, monkeypatch):
    # 0.8 again is no improvement
    losses(monkeypatch, [1.0, 0.9, 0.95, 0.91, 0.8, 0.8, 0.9, 0.9, 0.1])
    history = train_model(
        toy_faces(14),
        toy_faces(14),
        profile("training.max_epochs=80", "training.patience=3"),
        seed=0,
        folder=tmp_path,
    )
    assert len(history) == 8


def test_the_weights_kept_are_those_of_the_lowest_validation_loss(tmp_path, monkeypatch):
    faces = toy_faces(35)
    losses(monkeypatch, [1.0, 0.5, 0.7, 0.6])
    train_model(faces, faces, profile("training.max_epochs=4"), seed=0, folder=tmp_path / "all")
    losses(monkeypatch, [1.0, 0.5])
    train_model(faces, faces, profile("training.max_epochs=2"), seed=0, folder=tmp_path / "best")
    assert (tmp_path / "all/model.safetensors").read_bytes() == (
        tmp_path / "best/model.safetensors"
    ).read_bytes()


def test_the_learning_rate_falls_to_a_tenth_on_a_plateau(tmp_path, monkeypatch):
    losses(monkeypatch, [1.0] * 7)
    settings = profile(
        "training.max_epochs=7",
        "training.patience=9",
        "training.scheduler_patience=2",
        "training.learning_rate=0.01",
    )
    history = train_model(toy_faces(14), toy_faces(14), settings, seed=0, folder=tmp_path)
    # Epoch 1 sets the mark; epochs 2-4 do not beat it, which is more than the scheduler's patience
    # of 2.
    np.testing.assert_allclose(history["learning_rate"], [0.01] * 4 + [0.001] * 3)


def test_a_loss_that_still_falls_a_little_is_no_plateau(tmp_path, monkeypatch):
    losses(monkeypatch, [1 - 1e-6 * epoch for epoch in range(6)])
    settings = profile("training.max_epochs=6", "training.scheduler_patience=1")
    history = train_model(toy_faces(14), toy_faces(14), settings, seed=0, folder=tmp_path)
    assert history["learning_rate"].nunique() == 1


def test_the_seed_decides_the_first_weights(tmp_path):
    for seed in (0, 1):
        train_model(
            toy_faces(14),
            toy_faces(14),
            profile("training.learning_rate=1e-12"),
            seed=seed,
            folder=tmp_path / str(seed),
        )
    first, second = (
        load_file(tmp_path / seed / "model.safetensors")["conv1.weight"] for seed in ("0", "1")
    )
    assert not torch.allclose(first, second, atol=1e-3)


def test_the_epochs_are_at_most_the_profiles(tmp_path, monkeypatch):
    losses(monkeypatch, [1.0, 0.9, 0.8, 0.7])
    history = train_model(
        toy_faces(14), toy_faces(14), profile("training.max_epochs=3"), seed=0, folder=tmp_path
    )
    assert len(history) == 3


def test_progress_is_reported_once_an_epoch_with_the_rows_of_the_history(tmp_path):
    rows = []
    history = train_model(
        toy_faces(28),
        toy_faces(14),
        profile("training.max_epochs=2"),
        seed=0,
        folder=tmp_path,
        on_epoch=rows.append,
    )
    pd.testing.assert_frame_equal(pd.DataFrame(rows), history)


def test_one_face_left_over_does_not_break_batch_normalisation(tmp_path):
    history = train_model(toy_faces(17), toy_faces(1), profile(), seed=0, folder=tmp_path)
    assert history["images"].tolist() == [17]


def test_one_face_left_over_is_trained_on_in_the_batch_before_it():
    assert [len(piece) for piece in batches(torch.arange(33), 16)] == [16, 17]
    assert torch.cat(list(batches(torch.arange(33), 16))).tolist() == list(range(33))


def test_sets_too_small_to_train_on_are_refused_in_words(tmp_path):
    with pytest.raises(
        CompanionError, match="training.batch_size is 1, but must be a whole number from 2"
    ):
        profile("training.batch_size=1")
    with pytest.raises(CompanionError, match=", 1 training"):
        train_model(toy_faces(1), toy_faces(14), profile(), seed=0, folder=tmp_path)


@pytest.mark.parametrize("override", ["training.precision=bfloat16", "network.width=0.03"])
def test_what_a_cpu_cannot_train_safely_is_refused(tmp_path, override):
    with pytest.raises(CompanionError, match=override.split("=")[0]):
        train_model(toy_faces(14), toy_faces(14), profile(override), seed=0, folder=tmp_path)


def test_a_diverged_training_says_so_and_leaves_no_history(tmp_path, monkeypatch):
    losses(monkeypatch, [float("nan")])
    with pytest.raises(CompanionError, match="epoch 1.*training.learning_rate"):
        train_model(toy_faces(14), toy_faces(14), profile(), seed=0, folder=tmp_path)
    assert not (tmp_path / "history.csv").exists()


def test_a_run_that_fails_half_way_does_not_look_finished_because_of_an_earlier_one(tmp_path):
    train_model(toy_faces(14), toy_faces(14), profile(), seed=0, folder=tmp_path)
    (tmp_path / "predictions.csv").write_text("of the earlier run")

    def killed(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_model(
            toy_faces(14), toy_faces(14), profile(), seed=1, folder=tmp_path, on_epoch=killed
        )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.safetensors"]


def test_about_half_the_images_are_mirrored_and_the_others_untouched():
    images = torch.zeros(1000, 3, 1, 2, dtype=torch.uint8)
    images[..., 1] = 9
    flipped = flip_half(images, torch.Generator().manual_seed(0))
    mirrored = flipped[:, 0, 0, 0] == 9
    assert 430 < mirrored.sum() < 570
    assert torch.equal(flipped[mirrored], images[mirrored].flip(3))
    assert torch.equal(flipped[~mirrored], images[~mirrored])


@pytest.mark.parametrize(("setting", "calls"), [("true", 1), ("false", 0)])
def test_flips_are_the_profiles_choice(tmp_path, monkeypatch, setting, calls):
    seen = []
    monkeypatch.setattr(training, "flip_half", lambda batch, _: seen.append(len(batch)) or batch)
    train_model(
        toy_faces(14),
        toy_faces(14),
        profile(f"training.horizontal_flip={setting}"),
        seed=0,
        folder=tmp_path,
    )
    assert len(seen) == calls


def test_normalised_pixels_use_imagenets_statistics():
    gray = torch.full((1, 3, 1, 1), 128, dtype=torch.uint8)
    expected = [
        (128 / 255 - 0.485) / 0.229,
        (128 / 255 - 0.456) / 0.224,
        (128 / 255 - 0.406) / 0.225,
    ]
    np.testing.assert_allclose(normalise(gray).flatten(), expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("override", "named"), [("training.precision=bfloat6", "bfloat16"), ("run.device=gpu", "cpu")]
)
def test_an_unknown_precision_or_device_is_refused_with_the_valid_names(tmp_path, override, named):
    with pytest.raises(CompanionError, match=named):
        train_model(toy_faces(14), toy_faces(14), profile(override), seed=0, folder=tmp_path)


def test_a_network_that_was_never_trained_is_named_with_the_command_that_trains_it(tmp_path):
    with pytest.raises(CompanionError, match="reproduce --profile demo_recipes"):
        load_model(tmp_path, profile())


def test_probabilities_for_another_number_of_faces_are_refused(tmp_path):
    with pytest.raises(CompanionError, match=r"\[14, 7\].*found \[13, 7\]"):
        write_predictions(tmp_path, toy_faces(14), np.zeros((13, 7), np.float32))


def test_equal_weights_change_nothing_and_others_do(tmp_path):
    weights = {"none": None, "equal": torch.full((35,), 3.0), "other": torch.arange(35.0)}
    for name, chosen in weights.items():
        train_model(
            toy_faces(35), toy_faces(14), profile(), seed=0, folder=tmp_path / name, weights=chosen
        )
    none, equal, other = ((tmp_path / name / "model.safetensors").read_bytes() for name in weights)
    assert none == equal and none != other


def test_weights_are_one_on_average_over_the_images_trained_on():
    scaled = image_weights([1.0] * 6 + [3.0] * 2, 8, torch.device("cpu"))
    assert scaled.mean().item() == pytest.approx(1) and (
        scaled[7] / scaled[0]
    ).item() == pytest.approx(3)


@pytest.mark.parametrize(
    "wrong",
    [torch.ones(6), torch.tensor([1.0] * 6 + [-1]), torch.full((7,), torch.inf), torch.zeros(7)],
)
def test_weights_that_cannot_be_used_are_refused(wrong):
    with pytest.raises(CompanionError, match="7 finite numbers"):
        image_weights(wrong, 7, torch.device("cpu"))


def test_an_epoch_of_more_images_repeats_the_set_in_new_orders():
    order = epoch_order(10, 25, torch.Generator().manual_seed(0)).tolist()
    assert len(order) == 25
    assert (
        sorted(order[:10]) == sorted(order[10:20]) == list(range(10)) and order[:10] != order[10:20]
    )
    assert len(set(order[20:])) == 5


def test_images_per_epoch_decides_the_number_of_updates_and_is_in_the_history(
    tmp_path, monkeypatch
):
    steps = []
    monkeypatch.setattr(training.SGD, "step", lambda self, closure=None: steps.append(1))
    history = train_model(
        toy_faces(14), toy_faces(14), profile(), seed=0, folder=tmp_path, images_per_epoch=48
    )
    assert history["images"].tolist() == [48] and len(steps) == 3
