"""The command line as a person meets it: in a process of its own."""

import os
import subprocess
import sys

import pytest

from fer_utils.profiles import profile_names


def command(*arguments, root):
    environment = os.environ | {"FER_ROOT": str(root), "OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, "-m", "fer_utils", *arguments], capture_output=True, text=True,
                          env=environment, check=False, timeout=120)


@pytest.mark.parametrize("arguments, hint", [
    (["reproduce", "--profile", "dmeo"], "did you mean 'demo'?"),
    (["status", "--set", "training.max_epoch=2"], "did you mean 'max_epochs'?"),
    (["status", "--set", "training.max_epochs=many"], "must be a whole number"),
    (["status", "--set", "training.max_epochs"], "section.name=value"),
    (["reproduse"], "did you mean 'reproduce'?"),
    (["reproduce", "--from", "sinthesis"], "did you mean 'synthesis'?"),
    (["reproduce", "--profil", "demo", "--unknown"], "--unknown"),
    ([], "COMMAND"),
])
def test_a_mistake_ends_in_one_message_that_helps_and_exit_code_2(arguments, hint, tmp_path):
    found = command(*arguments, root=tmp_path)
    assert found.returncode == 2
    assert hint in found.stderr and "Traceback" not in found.stderr
    assert found.stdout == ""


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
    from fer_utils import cli, commands

    def stopped(options):
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "profiles", stopped)
    assert cli.main(["profiles"]) == 130
    assert "kept" in capsys.readouterr().err


def test_a_reader_who_has_seen_enough_causes_no_traceback():
    found = subprocess.run(f"{sys.executable} -m fer_utils differences --profile smoke | head -1", shell=True,
                           capture_output=True, text=True, check=False, timeout=120)
    assert found.stdout.strip() and "Traceback" not in found.stderr and "BrokenPipe" not in found.stderr


def test_looking_at_what_is_fresh_does_not_load_torch(tmp_path):
    script = "import sys; from fer_utils.cli import main; main(['status']); sys.exit('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", script], env=os.environ | {"FER_ROOT": str(tmp_path)},
                           capture_output=True, text=True, check=False, timeout=120)
    assert found.returncode == 0, found.stderr
