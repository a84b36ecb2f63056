"""Trainings without notebooks: the same runs in the same places, one by name or many on a
cluster."""

import json
import shutil

import pandas as pd
import pytest

from fer_utils import cli
from fer_utils.balancing import read_balanced_set, write_balanced_sets
from fer_utils.core.errors import CompanionError
from fer_utils.core.profiles import load_profile
from fer_utils.evaluation import finished_predictions
from fer_utils.runner import training_runs
from fer_utils.runner.training_runs import train_on_cluster, train_run, training_set

SETTINGS = [
    "data.sets=[demo_fer2013]",
    "balancing.levels=[original]",
    "controls.names=[]",
    "training.max_epochs=1",
    "training.seeds=[0, 1]",
    "run.threads=1",
]


@pytest.fixture
def profile(project):
    return load_profile("smoke", SETTINGS)


def test_original_needs_no_other_stage_and_equals_the_set_that_stage_4_writes(profile):
    alone = training_set("demo_fer2013", "original", profile)
    manifest = pd.DataFrame({"id": [], "generator": [], "emotion": []})
    write_balanced_sets("demo_fer2013", profile, train=alone.splits.train, manifest=manifest)
    pd.testing.assert_frame_equal(
        alone.index.astype(str), read_balanced_set("demo_fer2013", "original", profile).astype(str)
    )
    assert len(alone.train) == len(alone.splits.train) and alone.options == {}


def test_a_run_by_name_is_trained_once_and_leaves_what_the_notebook_leaves(profile):
    history = train_run("demo_fer2013", "original", 0, profile)
    folder = profile.paths.model("demo_fer2013", "original", 0)
    assert sorted(path.name for path in folder.iterdir()) == [
        "history.csv",
        "model.safetensors",
        "predictions.csv",
        "trained_with.json",
        "validation_predictions.csv",
    ]
    again = []
    pd.testing.assert_frame_equal(
        train_run("demo_fer2013", "original", 0, profile, on_epoch=again.append), history
    )
    assert not again
    predictions, done, wanted = finished_predictions(profile)
    assert wanted == 2 and set(predictions["seed"]) == {0}


def test_a_finished_run_is_taken_wherever_it_was_trained(profile):
    history = train_run("demo_fer2013", "original", 0, profile)
    path = profile.paths.model("demo_fer2013", "original", 0) / "trained_with.json"
    recorded = json.loads(path.read_text())
    path.write_text(
        json.dumps(recorded | {"device": "a graphics card", "threads": 64, "precision": "bfloat16"})
    )
    again = []
    pd.testing.assert_frame_equal(
        train_run("demo_fer2013", "original", 0, profile, on_epoch=again.append), history
    )
    assert not again


def test_equal_settings_and_seeds_give_one_network_in_all_runs_on_equal_machines_alone(profile):
    run, epochs = ("demo_fer2013", "original", 0), []
    train_run(*run, profile)
    folder, other = (
        profile.paths.model(*run),
        load_profile("smoke", [*SETTINGS, "evaluation.resamples=100"]),
    )
    assert other.paths.run != profile.paths.run
    train_run(*run, other, on_epoch=epochs.append)
    taken = other.paths.model(*run)
    assert not epochs and {path.name for path in taken.iterdir()} == {
        path.name for path in folder.iterdir()
    }
    assert all((taken / path.name).read_bytes() == path.read_bytes() for path in folder.iterdir())

    path = folder / "trained_with.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"threads": 64}))
    shutil.rmtree(other.paths.run)
    train_run(*run, other, on_epoch=epochs.append)
    assert len(epochs) == 1, "a network of another machine has other low bits"

    others = load_profile("smoke", [*SETTINGS, "training.learning_rate=0.02"])
    train_run(*run, others, on_epoch=epochs.append)
    assert len(epochs) == 2


@pytest.mark.parametrize(
    "run, message",
    [
        (("demo_rafdb", "original", 0), "no data set 'demo_rafdb'"),
        (("demo_fer2013", "orginal", 0), "no level or control 'orginal'.*original"),
        (("demo_fer2013", "original", 7), r"with the seeds \[0, 1\], not with 7"),
    ],
)
def test_a_run_that_the_profile_does_not_have_is_named(profile, run, message):
    with pytest.raises(CompanionError, match=message):
        train_run(*run, profile)


def test_a_level_with_synthetic_faces_asks_for_stage_4(project):
    profile = load_profile("smoke", [*SETTINGS, "balancing.levels=[original, aug1]"])
    with pytest.raises(CompanionError, match="Run stage 04"):
        train_run("demo_fer2013", "aug1", 0, profile)


def test_interim_tables_hold_the_finished_runs_alone_and_say_how_many(profile, capsys):
    arguments = [part for setting in SETTINGS for part in ("--set", setting)]
    assert cli.main(["interim", "--profile", "smoke", *arguments]) == 2
    assert "None of the 2 trainings" in capsys.readouterr().err
    assert cli.main(["train", "--profile", "smoke", *arguments, "--seed", "1"]) == 0
    assert "epoch 1 of at most 1" in capsys.readouterr().out
    assert cli.main(["interim", "--profile", "smoke", *arguments]) == 0
    assert "1 of 2 trainings finished" in capsys.readouterr().out
    table = pd.read_csv(profile.paths.tables / "table_3_class_accuracy.csv")
    assert (
        set(table["level"]) == {"original"}
        and (table["seeds"] == 1).all()
        and "accuracy_seed_1" in table
    )
    subsets = pd.read_csv(profile.paths.tables / "table_a6_subsets.csv")
    assert set(subsets["subset"]) == {"all", "without twins", "second opinion"}
    recorded = json.loads((profile.paths.tables / "provenance.json").read_text())["files"]
    assert recorded["table_a6_subsets.csv"]["command"] == "python -m fer_utils interim"


@pytest.mark.slow
@pytest.mark.xdist_group("ray")
def test_trainings_on_a_cluster_are_those_of_one_process_even_if_a_worker_dies_in_one_of_them(
    project,
):
    pytest.importorskip("ray")
    from test_synthesis_cluster import first_worker_killed

    longer = [*SETTINGS, "training.max_epochs=4"]
    here = load_profile("smoke", longer)
    alone = {}
    for seed in (0, 1):
        train_run("demo_fer2013", "original", seed, here)
        folder = here.paths.model("demo_fer2013", "original", seed)
        alone[seed] = (
            (folder / "model.safetensors").read_bytes(),
            (folder / "predictions.csv").read_bytes(),
        )
        for path in folder.iterdir():
            path.unlink()
    spread, said = load_profile("smoke", [*longer, 'run.cluster="local:2"']), []
    assert spread.paths.run == here.paths.run, "where it is trained is no part of what is trained"
    from fer_utils.runner.stages import STAGES, find_stage, units_of

    stage = find_stage("training", STAGES)
    with first_worker_killed(
        "_train_run", once=lambda: any(here.paths.models.rglob("checkpoint.pt"))
    ):
        train_on_cluster(
            [unit.parameters for unit in units_of([stage], spread)], spread, say=said.append
        )
    assert sorted(said) == [
        "2 trainings on the cluster",
        "trained demo_fer2013_original_0",
        "trained demo_fer2013_original_1",
    ]
    for seed in (0, 1):
        folder = here.paths.model("demo_fer2013", "original", seed)
        assert alone[seed] == (
            (folder / "model.safetensors").read_bytes(),
            (folder / "predictions.csv").read_bytes(),
        )


def test_on_a_cluster_the_notebooks_run_after_the_trainings_and_forcing_clears_before(
    project, monkeypatch
):
    from fer_utils.runner import pipeline
    from fer_utils.runner.stages import STAGES, find_stage, units_of

    profile, done = load_profile("smoke", [*SETTINGS, 'run.cluster="local:2"']), []
    stage = find_stage("training", STAGES)
    units = units_of([stage], profile)
    monkeypatch.setattr(
        training_runs, "train_on_cluster", lambda runs, profile, say: done.append(("train", runs))
    )
    monkeypatch.setattr(
        pipeline,
        "_clear",
        lambda unit, profile, made_from, *, forced: done.append(("clear", forced)),
    )
    left = pipeline._spread(
        stage, [(units[0], pipeline.FORCED), (units[1], "never run")], profile, print
    )
    assert done == [
        ("clear", True),
        ("clear", False),
        ("train", [unit.parameters for unit in units]),
    ]
    assert [reason for _, reason in left] == ["made on the cluster"] * 2
