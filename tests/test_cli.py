"""The command line as a person meets it: in a process of its own."""

import os
import subprocess
import sys

import pytest

from fer_utils import cli
from fer_utils.core.profiles import profile_names


def command(*arguments, root):
    environment = os.environ | {"FER_ROOT": str(root), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-m", "fer_utils", *arguments],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize(
    "arguments, hint",
    [
        (["reproduce", "--profile", "dmeo"], "did you mean 'demo'?"),
        (["status", "--set", "training.max_epoch=2"], "did you mean 'max_epochs'?"),
        (["status", "--set", "training.max_epochs=many"], "must be a whole number"),
        (["status", "--set", "training.max_epochs"], "section.name=value"),
        (["reproduse"], "did you mean 'reproduce'?"),
        (["reproduce", "--from", "sinthesis"], "did you mean 'synthesis'?"),
        (["reproduce", "--profil", "demo", "--unknown"], "--unknown"),
        ([], "COMMAND"),
    ],
)
def test_a_mistake_ends_in_one_message_that_helps_and_exit_code_2(arguments, hint, tmp_path):
    found = command(*arguments, root=tmp_path)
    assert found.returncode == 2
    assert hint in found.stderr and "Traceback" not in found.stderr
    assert found.stdout == ""


@pytest.mark.parametrize(
    "arguments, hint",
    [
        (
            ["reproduce", "--workers", "0"],
            "--workers: expected a whole number of 1 or more, found '0'",
        ),
        (
            ["reproduce", "--workers", "two"],
            "--workers: expected a whole number of 1 or more, found 'two'",
        ),
        (["reproduce", "--workers", "9" * 5000], "--workers: expected a whole number of 1 or more"),
        (
            ["reproduce", "--workers", "5000"],
            "run.workers is 5000, but must be a whole number from 1 to 1,024",
        ),
        (["reproduce", "--cluster", "local:0"], "run.cluster is 'local:0', but must be"),
        (["reproduce", "--cluster", 'a"b'], "run.cluster is 'a\"b', but must be"),
        (["reproduce", "--from", "0"], "Unknown stage '0'"),
        (["train", "--seed", "-1"], "--seed: expected a whole number of 0 or more, found '-1'"),
        (["plan", "--price=-5"], "--price: expected a number of 0 or more, found '-5'"),
        (["plan", "--price", "nan"], "--price: expected a number of 0 or more, found 'nan'"),
        (["plan", "--price", "inf"], "--price: expected a number of 0 or more, found 'inf'"),
        (["plan", "--rate", "sd2=nan"], "--rate 'sd2=nan' should read sd2=1.5 or sd3=0.8"),
        (["plan", "--rate", "sd2=inf"], "--rate 'sd2=inf' should read"),
        (["plan", "--rate", "sd3=-1"], "--rate 'sd3=-1' should read"),
        (["plan", "--rate", "sd4=1"], "--rate 'sd4=1' should read"),
        (["plan", "--rate", "sd2"], "--rate 'sd2' should read"),
        (["remake", "--some", "-5"], "--some: expected a whole number of 0 or more, found '-5'"),
        (["remake", "--some", "1.5"], "--some: expected a whole number of 0 or more, found '1.5'"),
        (["status", "--profile", "../demo"], "A profile is named by letters, digits, - and _"),
        (["status", "--set", "training.seeds=[0"], "this can't be read as YAML"),
    ],
)
def test_a_number_or_name_that_cannot_be_is_refused_before_anything_is_done(
    arguments, hint, project, capsys
):
    assert cli.main(arguments) == 2
    printed = capsys.readouterr()
    assert hint in printed.err and printed.out == "" and list(project.iterdir()) == []


def test_profiles_are_listed_with_what_they_are_for(tmp_path):
    found = command("profiles", root=tmp_path)
    assert found.returncode == 0
    assert [line.split()[0] for line in found.stdout.splitlines()] == profile_names()
    assert "drawn faces" in found.stdout


def test_differences_shows_the_papers_value_beside_the_profiles(tmp_path):
    found = command("differences", "--profile", "demo", root=tmp_path)
    assert found.returncode == 0
    line = next(line for line in found.stdout.splitlines() if "network.width" in line)
    assert line.split() == ["network.width", "1.0", "0.125"]


def test_status_of_a_profile_that_never_ran_says_so_for_every_training(tmp_path):
    found = command("status", "--set", "training.seeds=[5]", root=tmp_path)
    assert found.returncode == 0
    lines = found.stdout.splitlines()
    assert all(line.endswith("stale, never run") for line in lines)
    assert "05_training_demo_rafdb_aug4_5: stale, never run" in lines


def test_ctrl_c_ends_with_130_and_a_word_about_what_is_kept(monkeypatch, capsys):
    from fer_utils.cli import commands

    def stopped(options):
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "profiles", stopped)
    assert cli.main(["profiles"]) == 130
    assert "kept" in capsys.readouterr().err


def test_a_reader_who_has_seen_enough_causes_no_traceback():
    found = subprocess.run(
        f"{sys.executable} -m fer_utils differences --profile smoke | head -1",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (
        found.stdout.strip()
        and "Traceback" not in found.stderr
        and "BrokenPipe" not in found.stderr
    )


def test_looking_at_what_is_fresh_does_not_load_torch(tmp_path):
    script = (
        "import sys; from fer_utils.cli import main; main(['status']); sys.exit('torch' in"
        " sys.modules)"
    )
    found = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"FER_ROOT": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert found.returncode == 0, found.stderr
