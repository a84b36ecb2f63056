"""Trainings kept beside the committed tables: taken where the settings are the same, and then not
repeated."""

import errno
import gzip
import json
import shutil

import pandas as pd
import pytest

from fer_utils import cli
from fer_utils.balancing.controls import ensure_real_set
from fer_utils.core.paths import committed_tables
from fer_utils.core.profiles import load_profile
from fer_utils.evaluation import finished_predictions
from fer_utils.runner import kept_runs
from fer_utils.runner.kept_runs import keep_runs, take_kept_runs
from fer_utils.runner.training_runs import train_run, training_set
from fer_utils.synthesis.generators.addresses import made_here

SETTINGS = [
    "data.sets=[demo_fer2013]",
    "balancing.levels=[original, aug1]",
    "controls.names=[oversampling]",
    "controls.seeds=[0]",
    "training.max_epochs=1",
    "training.seeds=[0]",
    "run.threads=1",
]
ORIGINAL = ("demo_fer2013", "original", 0)


@pytest.fixture
def profile(project):
    return load_profile("smoke", SETTINGS)


@pytest.fixture
def kept(profile):
    """The profile after its training of Original was kept and its working files were lost."""
    train_run(*ORIGINAL, profile)
    assert keep_runs(profile) == [profile.paths.kept(*ORIGINAL)]
    shutil.rmtree(profile.paths.models)
    return profile


def lose_working_files(profile):
    """Everything of a run; what is kept lies elsewhere."""
    shutil.rmtree(profile.paths.run)


def test_a_kept_training_gives_back_its_predictions_and_history_byte_for_byte(profile):
    train_run(*ORIGINAL, profile)
    folder = profile.paths.model(*ORIGINAL)
    before = {name: (folder / name).read_bytes() for name in ("predictions.csv", "history.csv")}
    keep_runs(profile)
    shutil.rmtree(profile.paths.models)
    assert take_kept_runs(profile) == ([ORIGINAL], [])
    assert {name: (folder / name).read_bytes() for name in before} == before
    assert finished_predictions(profile)[0]["level"].unique().tolist() == ["original"]


def test_what_is_kept_already_is_not_written_again(profile):
    train_run(*ORIGINAL, profile)
    assert len(keep_runs(profile)) == 1 and keep_runs(profile) == []


def test_a_disk_that_fills_up_takes_nothing_from_what_was_kept_before(kept, monkeypatch):
    train_run(*ORIGINAL, kept)
    target = kept.paths.kept(*ORIGINAL)
    other = "seconds\n1.0\n"  # another training's
    (kept.paths.model(*ORIGINAL) / "history.csv").write_text(other)
    before = {path.name: path.read_bytes() for path in target.iterdir()}
    copy, copied = kept_runs._copy, []

    def fills_up(source, place):
        if copied:
            raise OSError(errno.ENOSPC, "No space left on device", str(place))
        copied.append(copy(source, place))

    monkeypatch.setattr(kept_runs, "_copy", fills_up)
    with pytest.raises(OSError):
        keep_runs(kept)
    assert copied and {path.name: path.read_bytes() for path in target.iterdir()} == before
    monkeypatch.setattr(kept_runs, "_copy", copy)
    assert keep_runs(kept) == [target]
    assert sorted(path.name for path in target.iterdir()) == sorted(before)


def test_weights_are_not_kept_and_a_run_with_weights_is_left_alone(kept):
    assert not list(kept.paths.kept(*ORIGINAL).glob("*.safetensors"))
    train_run(*ORIGINAL, kept)
    assert take_kept_runs(kept) == ([], [])


@pytest.mark.parametrize(
    "file, change, message",
    [
        (
            "kept.json",
            lambda data: data.replace(b'"training.max_epochs": 1', b'"training.max_epochs": 7'),
            "training.max_epochs: 7 -> 1",
        ),
        (
            "predictions.csv.gz",
            lambda data: gzip.compress(gzip.decompress(data).replace(b"happy", b"angry", 1)),
            "predictions.csv.gz is missing or not the file",
        ),
        (
            "predictions.csv.gz",
            lambda data: data[:-20],
            "predictions.csv.gz is missing or not the file",
        ),
        (
            "validation_predictions.csv.gz",
            lambda data: b"no archive",
            "validation_predictions.csv.gz is missing or not the file",
        ),
    ],
)
def test_a_training_kept_with_other_settings_or_damaged_is_refused_by_name(
    kept, file, change, message
):
    path = kept.paths.kept(*ORIGINAL) / file
    changed = change(path.read_bytes())
    assert changed != path.read_bytes()
    path.write_bytes(changed)
    taken, refused = take_kept_runs(kept)
    assert (
        taken == []
        and len(refused) == 1
        and message in refused[0]
        and "demo_fer2013 original 0" in refused[0]
    )
    assert not kept.paths.model(*ORIGINAL).exists()


def test_settings_of_the_pool_count_for_sets_with_synthetic_faces_alone(kept):
    other = load_profile("smoke", [*SETTINGS, "synthesis.seed=5"])
    shutil.copytree(kept.paths.all_kept, other.paths.all_kept)
    assert take_kept_runs(other)[0] == [ORIGINAL]
    ours = json.loads((kept.paths.kept(*ORIGINAL) / "kept.json").read_text())
    assert not any(name.startswith(("synthesis.", "balancing.")) for name in ours["settings"])


def test_a_control_of_real_faces_can_be_trained_before_there_is_a_pool(profile):
    found = training_set("demo_fer2013", "oversampling", profile)
    assert sorted(found.index["source"].unique()) == ["real", "repeated"]
    assert found.index["emotion"].value_counts().nunique() == 1
    ensure_real_set("aug1", "demo_fer2013", profile, train=found.splits.train)  # left to stage 4
    assert not profile.paths.balanced_set("demo_fer2013", "aug1").exists()


def test_interim_tables_take_what_was_kept_in_an_earlier_sitting(kept, capsys):
    train_run("demo_fer2013", "oversampling", 0, kept)
    arguments = [part for setting in SETTINGS for part in ("--set", setting)]
    assert cli.main(["interim", "--profile", "smoke", *arguments]) == 0
    said = capsys.readouterr().out
    assert (
        "2 of 3 trainings finished" in said
        and f"kept tables/{kept.run_name}/runs/demo_fer2013/oversampling/0" in said
    )
    compared = pd.read_csv(kept.paths.tables / "table_a6_comparison.csv")
    assert compared[["level", "reference"]].values.tolist() == [["oversampling", "original"]]
    log = json.loads((kept.paths.tables / "provenance.json").read_text())
    assert set(log["trainings"]) == {"demo_fer2013/original/0", "demo_fer2013/oversampling/0"}
    assert (
        log["trainings"]["demo_fer2013/original/0"]["epochs"] == 1
        and "CPU" in log["trainings"]["demo_fer2013/original/0"]["hardware"]
    )


def test_reproduce_leaves_out_kept_trainings_and_trains_the_others(kept, capsys):
    arguments = [
        "reproduce",
        "--profile",
        "smoke",
        *(part for setting in SETTINGS for part in ("--set", setting)),
        "--kept",
    ]
    assert cli.main(arguments) == 0
    said = capsys.readouterr().out
    assert "1 trainings taken from" in said
    ran = [line for line in said.splitlines() if "runs (" in line]
    assert not any("05_training_demo_fer2013_original_0" in line for line in ran)
    assert sum("05_training" in line for line in ran) == 2 and any(
        "06_evaluation" in line for line in ran
    )
    table = pd.read_csv(kept.paths.tables / "table_3_class_accuracy.csv")
    assert set(table["level"]) == {"original", "aug1"}
    keep_runs(kept)
    lose_working_files(kept)
    # now all of them are kept, and the report has no notebook of stage 5
    assert cli.main(arguments) == 0
    assert "3 trainings taken from" in capsys.readouterr().out
    again = pd.read_csv(kept.paths.tables / "table_3_class_accuracy.csv")
    pd.testing.assert_frame_equal(again, table)
    assert kept.paths.report.is_file()


def test_a_generator_kept_with_the_package_is_taken_where_the_run_has_none(
    project, monkeypatch, tmp_path
):
    profile = load_profile("fer2013")
    monkeypatch.setattr("fer_utils.synthesis.generators.addresses.SHIPPED_GENERATORS", tmp_path)
    own = made_here("tiny-sd3", profile)
    assert own.parent == profile.paths.generators
    kept = tmp_path / "fer2013" / own.name
    kept.mkdir(parents=True)
    assert made_here("tiny-sd3", profile) == kept
    assert (
        made_here("tiny-sd3", load_profile("fer2013", ["tiny_generators.train=[sd2, sd3]"])).name
        == own.name
    )
    assert (
        made_here("tiny-sd3", load_profile("fer2013", ["tiny_generators.diffusion_steps=3"])).name
        != own.name
    )
    own.mkdir(parents=True)
    assert made_here("tiny-sd3", profile) == own


@pytest.mark.parametrize(
    "name", ["fer2013_paper_recipe", "fer2013_full_paper_recipe", "fer2013_twins"]
)
def test_every_training_that_the_repository_keeps_is_taken_with_the_settings_of_today(
    name, project
):
    profile = load_profile(name)
    there = sorted(committed_tables(name).glob("runs/*/*/*/kept.json"))
    shutil.copytree(committed_tables(name) / "runs", profile.paths.all_kept)
    taken, refused = take_kept_runs(profile)
    assert refused == [] and len(taken) == len(there) > 0
