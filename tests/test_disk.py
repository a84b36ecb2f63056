"""A disk that is full, read-only or not what a path takes it for: one sentence, exit code 2,
nothing lost or half-written."""

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fer_utils import cli
from fer_utils.cli import commands
from fer_utils.core.errors import about_the_disk
from fer_utils.core.paths import (
    PACKAGE,
    atomic_write,
    check_target,
    check_writable,
    committed_tables,
)
from fer_utils.core.profiles import load_profile
from fer_utils.runner import pipeline
from fer_utils.runner.freshness import read_record, record_path, write_record
from fer_utils.runner.kept_runs import take_kept_runs
from fer_utils.runner.stages import STAGES, units_of


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "no space is left"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "permission is denied"),
        (errno.EDQUOT, "quota"),
        (errno.EIO, "answers with an error"),
        (errno.ELOOP, "symbolic"),
    ],
)
@pytest.mark.parametrize(
    "command",
    [
        "reproduce",
        "train",
        "keep",
        "interim",
        "report",
        "publish",
        "status",
        "compare",
        "differences",
    ],
)
def test_an_error_of_the_disk_ends_any_command_with_one_sentence(
    project, monkeypatch, capsys, command, number, words
):
    def fails(options):
        raise OSError(number, os.strerror(number), "/somewhere/file")

    monkeypatch.setattr(commands, command, fails)
    assert cli.main([command]) == 2
    said = capsys.readouterr().err
    assert (
        "/somewhere/file" in said
        and words in said.lower()
        and "Traceback" not in said
        and said.count("\n") == 1
    )


def test_a_place_that_cannot_be_written_is_told_before_any_work(
    project, monkeypatch, capsys, tmp_path
):
    monkeypatch.setattr(commands, "reproduce", lambda options: pytest.fail("the work has begun"))
    monkeypatch.setattr(commands, "evaluate", lambda options: pytest.fail("the work has begun"))
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    monkeypatch.setenv("FER_ROOT", str(tmp_path / "file"))
    assert cli.main(["reproduce"]) == 2
    assert "is a file, not a folder" in capsys.readouterr().err
    for target in ("folder", "file/x.csv"):
        assert (
            cli.main(["evaluate", "--weights", "w", "--data", "d", "--csv", str(tmp_path / target)])
            == 2
        )
        assert str(tmp_path / target.split("/")[0]) in capsys.readouterr().err


def test_looking_whether_a_place_can_be_written_leaves_nothing_behind(tmp_path):
    check_writable(tmp_path / "a" / "b")
    check_target(tmp_path / "c" / "file.csv")
    (tmp_path / "kept").mkdir()
    check_writable(tmp_path / "kept")
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


@pytest.mark.skipif(
    not shutil.which("unshare") or os.geteuid() != 0,
    reason="needs to mount a file system of its own",
)
@pytest.mark.parametrize("options", ["ro", "size=4k"])
def test_a_read_only_and_a_full_file_system_are_named(tmp_path, options):
    (tmp_path / "disk").mkdir()
    fill = "true" if options == "ro" else "head -c 4096 /dev/zero > disk/filler"
    script = (
        f"mount -t tmpfs -o {options} tmpfs disk || exit 77; {fill}; FER_ROOT=$PWD/disk"
        f" {sys.executable} -m fer_utils interim --profile smoke; echo code $?"
    )
    ran = subprocess.run(
        ["unshare", "-m", "bash", "-c", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(PACKAGE.parent)},
    )
    if ran.returncode == 77:
        pytest.skip("this system lets nobody mount")
    assert (
        ran.stdout == "code 2\n"
        and ("read-only" if options == "ro" else "no space is left") in ran.stderr
    ), ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_writer_that_finds_the_disk_full_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")
    with pytest.raises(OSError), atomic_write(path, "w") as file:
        file.write("new")
        raise OSError(errno.ENOSPC, "full")
    assert path.read_text() == "old" and [found.name for found in tmp_path.iterdir()] == [
        "table.csv"
    ]


def test_a_pool_that_is_linked_to_another_disk_is_emptied_and_its_link_stays(project, tmp_path):
    profile, elsewhere = load_profile("smoke"), tmp_path / "larger"
    (elsewhere / "inner").mkdir(parents=True)
    (elsewhere / "inner" / "shard.npz").write_text("x")
    profile.paths.run.mkdir(parents=True)
    profile.paths.pool.symlink_to(elsewhere)
    pipeline._remove(profile.paths.pool)
    assert profile.paths.pool.is_symlink() and elsewhere.is_dir() and not list(elsewhere.iterdir())


@pytest.mark.parametrize(
    "text", ["", "{", "3", "[]", '{"finished": true}', '{"finished": true, "ingredients": {}}']
)
def test_a_record_that_is_cut_short_counts_as_none(project, text):
    profile = load_profile("smoke")
    unit = units_of(STAGES, profile)[0]
    write_record(
        unit, profile, {"finished": True, "ingredients": {}, "handed_on": [], "outputs": {}}
    )
    assert read_record(unit, profile)["finished"]
    record_path(unit, profile).write_text(text)
    assert read_record(unit, profile) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"settings": {}}'])
def test_a_kept_run_whose_record_is_cut_short_is_named_and_not_taken(project, text):
    profile = load_profile("fer2013_twins")
    shutil.copytree(committed_tables("fer2013_twins") / "runs", profile.paths.all_kept)
    [record] = profile.paths.all_kept.glob("*/*/*/kept.json")
    assert json.loads(record.read_text())
    record.write_text(text)
    taken, [line] = take_kept_runs(profile)
    assert taken == [] and "fer2013 original 0" in line and "kept.json is not whole" in line


def test_every_error_of_a_file_says_where_it_is_and_what_to_do():
    for number in errno.errorcode:
        said = about_the_disk(OSError(number, os.strerror(number), "/place"))
        assert said.startswith("/place") and "same command again" in said
    assert "A file" in about_the_disk(OSError("nothing known"))


def test_a_mark_of_an_environment_that_is_gone_is_not_believed(tmp_path):
    shutil.copy(PACKAGE.parent / "Makefile", tmp_path)
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / ".ready").write_text("")
    for name in ("requirements.lock", "pyproject.toml"):
        Path(tmp_path / name).write_text("")
    said = subprocess.run(
        ["make", "--dry-run", "test"], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    assert "pip install" in said and not (tmp_path / ".venv" / ".ready").exists()
