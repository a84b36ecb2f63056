"""The epoch whose weights were kept is the same one wherever it is named: in training, figures,
explorer, report, notebook."""

import json
from types import SimpleNamespace

import matplotlib as mpl
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from test_training import profile, toy_faces

from fer_utils import figures, training
from fer_utils.balancing.controls import Run
from fer_utils.core.errors import CompanionError
from fer_utils.core.paths import notebooks_folder
from fer_utils.core.profiles import load_profile
from fer_utils.core.recipes import kept_epoch
from fer_utils.pages.report.trainings import training_table
from fer_utils.runner.stages import STAGES, Unit, find_stage
from fer_utils.training import HISTORY, PREDICTIONS, train_model
from fer_utils.widgets.curves import run_curves

LOSSES, ACCURACIES = [2.0, 1.5, 1.7, 1.8], [10.0, 25.0, 30.0, 30.0]
every_rule = pytest.mark.parametrize(
    ("rule", "epoch"),
    [("training.select_on=loss", 2), ("training.select_on=accuracy", 3), ("training.keep=last", 4)],
)
RUN = Run("demo_fer2013", "original", 0)


@pytest.fixture
def history():
    """The lowest loss comes before the highest accuracy, and an equally high one after it is the
    last."""
    return pd.DataFrame(
        {
            "epoch": range(1, 5),
            "learning_rate": 0.01,
            "train_loss": LOSSES,
            "train_accuracy": ACCURACIES,
            "validation_loss": LOSSES,
            "validation_accuracy": ACCURACIES,
        }
    )


@pytest.fixture
def written(history, project):
    """Profile with a rule -> the same, with the run's files where stage 5 leaves them."""

    def write(rule):
        settings = load_profile("demo_recipes", [rule])
        folder = RUN.folder(settings)
        folder.mkdir(parents=True)
        history.to_csv(folder / HISTORY, index=False)
        (folder / PREDICTIONS).write_text("emotion,predicted\nsad,sad\n")
        return settings

    return write


def validated(monkeypatch):
    """Let validation report the losses and accuracies, one an epoch."""
    remaining = iter(zip(LOSSES, ACCURACIES))
    monkeypatch.setattr(training, "validate", lambda *_: next(remaining))


@every_rule
def test_training_keeps_the_weights_of_that_epoch(tmp_path, monkeypatch, rule, epoch):
    faces = toy_faces(28)
    for name, epochs in (("all", 4), ("until", epoch)):
        validated(monkeypatch)
        settings = profile(rule, f"training.max_epochs={epochs}", "training.scheduler=none")
        made = train_model(faces, faces, settings, seed=0, folder=tmp_path / name)
        assert len(made) == epochs and made["epoch"][kept_epoch(made, settings.training)] == epoch
    one, other = (load_file(tmp_path / name / "model.safetensors") for name in ("all", "until"))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_with_the_last_epoch_kept_patience_ends_no_training(tmp_path, monkeypatch):
    validated(monkeypatch)
    settings = profile("training.keep=last", "training.max_epochs=4", "training.patience=0")
    assert len(train_model(toy_faces(14), toy_faces(14), settings, seed=0, folder=tmp_path)) == 4


def test_a_training_that_keeps_the_last_epoch_goes_on_after_a_stop_as_if_there_was_none(tmp_path):
    def stopped(row):
        if row["epoch"] == 3:
            raise KeyboardInterrupt

    settings, faces = profile("training.keep=last", "training.max_epochs=3"), toy_faces(28)
    with pytest.raises(KeyboardInterrupt):
        train_model(faces, faces, settings, seed=0, folder=tmp_path / "stopped", on_epoch=stopped)
    for name in ("stopped", "whole"):
        train_model(faces, faces, settings, seed=0, folder=tmp_path / name)
    one, other = (
        (tmp_path / name / "model.safetensors").read_bytes() for name in ("stopped", "whole")
    )
    assert one == other


def test_an_unknown_rule_is_refused_with_the_valid_ones(tmp_path):
    with pytest.raises(CompanionError, match="training.keep is 'lst'.*last"):
        train_model(
            toy_faces(14), toy_faces(14), profile("training.keep=lst"), seed=0, folder=tmp_path
        )


@every_rule
def test_learning_curves_ring_and_name_it(history, rule, epoch):
    drawn = figures.learning_curves({"one": {"Original": [history]}}, profile(rule).training)
    rings = [
        line
        for line in drawn.findobj(mpl.lines.Line2D)
        if line.get_marker() == "o" and line.axes is not None
    ]
    assert [ring.get_xydata().tolist() for ring in rings] == [
        [[epoch, LOSSES[epoch - 1]]],
        [[epoch, ACCURACIES[epoch - 1]]],
    ]
    assert f"Original {ACCURACIES[epoch - 1]:.1f} % (epoch {epoch} of 4)" in figures.alt_text(drawn)


@every_rule
def test_the_explorer_of_curves_marks_it(written, rule, epoch):
    assert run_curves(RUN, written(rule)).kept == epoch


@every_rule
def test_the_reports_table_of_trainings_names_it(written, rule, epoch):
    units = [Unit(find_stage("training", STAGES), RUN._asdict())]
    [row] = training_table(SimpleNamespace(profile=written(rule), units=units)).to_dict("records")
    assert row["Epoch kept"] == str(epoch) and row["Validation loss"] == f"{LOSSES[epoch - 1]:.3f}"
    assert row["Validation accuracy (%)"] == f"{ACCURACIES[epoch - 1]:.1f}"


@every_rule
def test_notebook_05_says_it(history, rule, epoch):
    cells = json.loads((notebooks_folder() / "05_training.ipynb").read_text(encoding="utf-8"))[
        "cells"
    ]
    [said] = [
        code
        for cell in cells
        if "- Epochs run:" in (code := "".join(cell["source"])) and cell["cell_type"] == "code"
    ]
    found = {}
    exec(
        said,
        {
            "history": history,
            "recipe": profile(rule),
            "kept_epoch": kept_epoch,
            "accuracy": 50.0,
            "test": [1, 2],
            "Markdown": lambda text: found.update(text=text),
        },
    )
    assert (
        f"The weights of epoch {epoch} were kept, with a validation loss of {LOSSES[epoch - 1]:.3f}"
        in found["text"]
    )
    assert f"{ACCURACIES[epoch - 1]:.1f} % of the validation faces" in found["text"]
