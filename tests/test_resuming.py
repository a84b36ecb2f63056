"""A training that is killed goes on where it was, bit for bit; a checkpoint of anything else is not
used."""

import hashlib
import json
import logging
import os
import subprocess
import sys

import pandas as pd
import pytest
import torch
from test_training import profile, toy_faces

from fer_utils.core.paths import PACKAGE
from fer_utils.core.profiles import load_profile
from fer_utils.runner.stages import STAGES, Unit, find_stage
from fer_utils.training import CHECKPOINT, train_model

SETTINGS = [
    "training.max_epochs=6",
    "training.learning_rate=0.1",
    "training.scheduler_patience=0",
    "training.patience=6",
]
# Each run is a process of its own, forked from one that has only imported, because importing torch
# takes seconds.
RUNS = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from fer_utils.training import load_model, predict, train_model, write_predictions
from test_training import profile, three_colours, toy_faces

def run(folder, killed_in):
    def on_epoch(row):
        print(folder.name, "epoch", row["epoch"], flush=True)
        if row["epoch"] == killed_in:
            os.kill(os.getpid(), signal.SIGKILL)

    settings, test = profile(*{settings!r}), toy_faces(21, seed=2)
    validation = toy_faces(35, seed=1)
    train_model(three_colours(70), validation, settings, seed=3, folder=folder, on_epoch=on_epoch)
    write_predictions(folder, test, predict(load_model(folder, settings), test, device="cpu"))

for name, killed_in in {runs!r}:
    child = os.fork()
    if not child:
        run(Path(sys.argv[1]) / name, killed_in)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    how = "killed" if os.WIFSIGNALED(status) else "ended"
    print(name, how, os.waitstatus_to_exitcode(status), flush=True)
"""


def run_and_kill(folder, runs):
    """What happened, one line an epoch and one a process; ``runs`` are (folder, epoch in which it
    is killed or 0)."""
    code = RUNS.format(tests=str(PACKAGE.parent / "tests"), settings=SETTINGS, runs=runs)
    found = subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert found.returncode == 0, found.stderr
    return found.stdout.splitlines()


def results(folder):
    history = pd.read_csv(folder / "history.csv").drop(columns="seconds")
    hashes = {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for name in ("model.safetensors", "predictions.csv", "trained_with.json")
    }
    return history, hashes


def stopped_after(folder, epochs, *overrides):
    """A run of three epochs, stopped in the one after ``epochs``."""

    def stop(row):
        if row["epoch"] > epochs:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        start(folder, *overrides, on_epoch=stop)


def start(folder, *overrides, **options):
    return train_model(
        toy_faces(28),
        toy_faces(14),
        profile("training.max_epochs=3", *overrides),
        seed=0,
        folder=folder,
        **options,
    )


def epochs_run(folder, *overrides, **options):
    rows = []
    start(folder, *overrides, on_epoch=rows.append, **options)
    return [row["epoch"] for row in rows]


def test_a_run_killed_in_three_epochs_ends_exactly_like_one_that_was_never_killed(tmp_path):
    lines = run_and_kill(
        tmp_path, [("whole", 0), ("killed", 1), ("killed", 3), ("killed", 6), ("killed", 0)]
    )
    assert [line for line in lines if "killed -" in line] == ["killed killed -9"] * 3
    assert lines[-2:] == ["killed epoch 6", "killed ended 0"], "only the running epoch may be lost"
    (whole, hashes), (killed, others) = results(tmp_path / "whole"), results(tmp_path / "killed")
    assert whole["learning_rate"].nunique() > 1, (
        "the scheduler should have acted, or its state is not tested"
    )
    pd.testing.assert_frame_equal(whole, killed, check_exact=True)
    assert hashes == others
    assert sorted(path.name for path in (tmp_path / "killed").iterdir()) == [
        "history.csv",
        "model.safetensors",
        "predictions.csv",
        "trained_with.json",
    ]


def test_only_the_epochs_that_are_missing_are_run(tmp_path):
    stopped_after(tmp_path, 2)
    assert epochs_run(tmp_path) == [3]


def test_a_finished_run_is_not_trained_again_and_keeps_its_predictions(tmp_path):
    history = start(tmp_path)
    (tmp_path / "predictions.csv").write_text("kept")
    again = []
    pd.testing.assert_frame_equal(start(tmp_path, on_epoch=again.append), history, check_exact=True)
    assert not again and (tmp_path / "predictions.csv").read_text() == "kept"


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "model.safetensors").write_bytes(b"cut"),
        lambda folder: (folder / "model.safetensors").unlink(),
        lambda folder: (folder / "history.csv").unlink(),
        lambda folder: (folder / "trained_with.json").write_text("{}"),
        lambda folder: (folder / "trained_with.json").write_text("[1]"),
    ],
)
def test_a_finished_run_that_lost_a_file_is_trained_again(tmp_path, damage):
    start(tmp_path)
    damage(tmp_path)
    assert epochs_run(tmp_path) == [1, 2, 3]


@pytest.mark.parametrize("change", ["training.learning_rate=0.5", "network.head_dropout=0.4"])
def test_a_finished_run_of_other_settings_is_trained_again(tmp_path, change):
    start(tmp_path)
    assert epochs_run(tmp_path, change) == [1, 2, 3]


@pytest.mark.parametrize("change", ["training.learning_rate=0.5", "network.head_dropout=0.4"])
def test_a_checkpoint_made_with_other_settings_is_not_used(tmp_path, change):
    stopped_after(tmp_path, 2)
    assert epochs_run(tmp_path, change) == [1, 2, 3]


def test_a_checkpoint_made_from_other_data_weights_or_epoch_lengths_is_not_used(tmp_path):
    stopped_after(tmp_path, 2)
    state = (tmp_path / CHECKPOINT).read_bytes()
    for options in ({"weights": torch.arange(1.0, 29)}, {"images_per_epoch": 30}):
        (tmp_path / CHECKPOINT).write_bytes(state)
        assert epochs_run(tmp_path, **options) == [1, 2, 3]
    (tmp_path / CHECKPOINT).write_bytes(state)
    rows = []
    train_model(
        toy_faces(28, seed=1),
        toy_faces(14),
        profile("training.max_epochs=3"),
        seed=0,
        folder=tmp_path,
        on_epoch=rows.append,
    )
    assert len(rows) == 3


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[: len(data) // 2],
        lambda data: b"noise" * 99,
        lambda data: data[: len(data) // 2] + b"\x55" * 64 + data[len(data) // 2 + 64 :],
    ],
)
def test_a_damaged_checkpoint_is_said_and_training_starts_again(tmp_path, caplog, damage):
    stopped_after(tmp_path / "damaged", 2)
    path = tmp_path / "damaged" / CHECKPOINT
    path.write_bytes(damage(path.read_bytes()))
    with caplog.at_level(logging.WARNING):
        history = start(tmp_path / "damaged")
    assert "starts again" in caplog.text
    pd.testing.assert_frame_equal(
        history.drop(columns="seconds"), start(tmp_path / "whole").drop(columns="seconds")
    )
    assert (tmp_path / "damaged/model.safetensors").read_bytes() == (
        tmp_path / "whole/model.safetensors"
    ).read_bytes()


def test_what_was_chosen_for_the_machine_is_kept_beside_the_history(tmp_path):
    start(tmp_path)
    found = json.loads((tmp_path / "trained_with.json").read_text())
    assert found["precision"] == "float32" and found["threads"] == 1
    assert found["weights_trained"] < found["weights_in_file"]


def test_the_stage_leaves_a_checkpoint_to_its_own_training_and_removes_it_when_forced(
    project,
):
    from fer_utils.runner import pipeline
    from fer_utils.runner.freshness import write_record

    settings = load_profile("smoke")
    unit = Unit(
        find_stage("training", STAGES), {"dataset": "demo_rafdb", "level": "aug1", "seed": 0}
    )
    [checkpoint] = unit.unfinished(settings)
    assert checkpoint == settings.paths.model("demo_rafdb", "aug1", 0) / CHECKPOINT
    ingredients = {"setting": {"network.width": 1}}

    def cleared(made_from, *, forced=False):
        checkpoint.parent.mkdir(parents=True, exist_ok=True)
        checkpoint.touch()
        write_record(unit, settings, {"finished": False, "ingredients": ingredients})
        pipeline._clear(unit, settings, made_from, forced=forced)
        return not checkpoint.exists()

    assert not cleared(ingredients) and not cleared({"setting": {"network.width": 2}})
    assert cleared(ingredients, forced=True)
