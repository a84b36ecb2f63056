"""Every command with a broken input, on a full disk and on a read-only one: one message, an exit
code, and nothing lost. A new command fails here until it has its case (``every_command``)."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from every_command import CALLS, TRAINED, call, commands, write_project, writing_commands
from published_run import without_work

from fer_utils import cli
from fer_utils.core import profiles
from fer_utils.core.paths import PACKAGE, PROFILES, notebooks_folder
from fer_utils.runner import pipeline, training_runs

RUN, MODEL = "runs/demo", "runs/demo/models/" + "/".join(map(str, TRAINED))
FACES, PROVENANCE = f"{RUN}/faces/demo_fer2013_train.npz", f"{RUN}/tables/provenance.json"
BROKEN = {
    "reproduce": ["notebooks/04_balancing.ipynb"],
    "train": [FACES, f"{RUN}/sets/demo_fer2013_aug1.csv"],
    "keep": [f"{MODEL}/history.csv", f"{MODEL}/trained_with.json"],
    "interim": [
        f"{MODEL}/predictions.csv",
        f"{RUN}/faces/demo_rafdb_test.npz",
        f"{MODEL}/trained_with.json",
    ],
    "compare": [f"{RUN}/tables/table_a6_confusion.csv"],
    "report": [PROVENANCE, f"{RUN}/notebooks/01_dataset_analysis.ipynb"],
    "status": ["notebooks/04_balancing.ipynb"],
    "plan": [f"{RUN}/prompts.csv"],
    "remake": [f"{RUN}/pool/*.npz"],
    "export": [f"{RUN}/pool/*.npz"],
    "differences": ["profiles/demo.yaml"],
    "profiles": ["profiles/smoke.yaml"],
    "publish": [PROVENANCE],
    "audit": ["own.csv"],
    "train-generators": [FACES.replace("demo/", "demo-a6290c/")],
    "check-data": ["data/fer2013/fer2013.csv"],
    "fetch-data": ["data/fer2013/fer2013.csv"],
    "evaluate": [f"{MODEL}/model.safetensors", "classes/sad/1.png"],
    "predict": [f"{MODEL}/model.safetensors", "classes/happy/0.png"],
}
"""Command -> files that it reads, each broken in turn; the first of those that a pattern fits."""

CONTENTS = {
    "empty": b"",
    "another encoding": b"caf\xe9;1\n\xe9,\xe9\n",
    "zeros": bytes(300),
    "a list": b"[1, 2]",
    "other columns": b"x,y\n1,2\n",
    "an object": b"{}",
    "a folder": None,
}
FULL = re.compile("no space is left on the disk|the disk is full")
BEGUN = f"{RUN}/models/demo_fer2013/aug1/0/"
"""Where ``train`` begins a training that has no weights, from nothing."""

AT_THE_DOOR = {"train-generators", "fetch-data"}
"""Commands that work for minutes, or need a network, before they write: only what they say before
is held."""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("every")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FER_ROOT", str(root))
        write_project(root)
    return root


@pytest.fixture
def root(made, tmp_path, monkeypatch):
    """The project, with notebooks and profiles of its own; publishing it executes nothing."""
    root = tmp_path / "root"
    shutil.copytree(made, root)
    shutil.copytree(notebooks_folder(), root / "notebooks")
    shutil.copytree(
        PROFILES,
        root / "profiles",
        ignore=shutil.ignore_patterns("*.py", "__pycache__"),
    )
    monkeypatch.setenv("FER_ROOT", str(root))
    monkeypatch.setenv("FER_DATA", str(root / "data"))
    monkeypatch.setattr(pipeline, "notebooks_folder", lambda: root / "notebooks")
    monkeypatch.setattr(profiles, "PROFILES", root / "profiles")
    without_work(monkeypatch, tmp_path, root)
    return root


def test_every_command_has_a_call_and_a_broken_input():
    assert set(CALLS) == set(BROKEN) == commands()


@pytest.mark.parametrize("name", sorted(BROKEN))
def test_a_broken_input_ends_a_command_with_a_message(name, root, monkeypatch, capsys):
    monkeypatch.setattr(
        training_runs, "train_model", lambda *_, **__: pytest.fail("the training has begun")
    )
    for pattern in BROKEN[name]:
        path = next(iter(sorted(root.glob(pattern))), root / pattern)
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = path.read_bytes() if path.is_file() else b""
        kinds = [
            kind
            for kind in CONTENTS
            if kind != "a folder" or not pattern.startswith(("runs", "classes"))
        ]
        for kind, content in ((kind, CONTENTS[kind]) for kind in kinds):
            said = _say(name, root, path, kind, content, capsys)
            assert said, f"{name} takes {pattern} for whole: {kind}"
        path.write_bytes(whole)


def _say(name, root, path, kind, content, capsys) -> str:
    """What the command says about a file broken so; '' where it ends well."""
    path.write_bytes(content or b"")
    if kind == "a folder":
        path.unlink()
        path.mkdir()
    try:
        code = cli.main(call(name, root))
    finally:
        if kind == "a folder":
            path.rmdir()
    printed = capsys.readouterr()
    return printed.err + printed.out if code in (cli.FOUND_AMISS, cli.USER_ERROR) else ""


def test_every_writing_command_has_its_place_on_the_disk_checked_and_no_other_writes(
    root, monkeypatch
):
    assert writing_commands() > AT_THE_DOOR
    monkeypatch.setattr(
        training_runs, "train_model", lambda *_, **__: pytest.fail("the training has begun")
    )
    for name in sorted(commands() - writing_commands()):
        before = _hashes(root)
        cli.main(call(name, root))
        assert _hashes(root) == before, f"{name} writes, but its registration does not say so"


CHILD = """
import contextlib, io, json, os, sys
from pathlib import Path
sys.path[:0] = {paths!r}
from every_command import call
from published_run import PICTURE
from fer_utils import cli
from fer_utils.cli import commands
from fer_utils.pages import publishing
from fer_utils.runner import training_runs
from fer_utils.core.paths import notebooks_folder
from fer_utils.runner.stages import STAGES
stages = {{stage.notebook for stage in STAGES}}
notebooks = notebooks_folder().glob("*.ipynb")
beside = {{path.stem: path for path in notebooks if path.stem not in stages}}
publishing.executed_beside, publishing._draw_pictures = lambda profile: beside, lambda say: False
{prepare}
root, found = Path(os.environ["FER_ROOT"]), {{}}
os.environ["FER_DATA"] = str(root / "data")
for name in {names!r}:
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        found[name] = cli.main(call(name, root)), out.getvalue()
print(json.dumps(found))
"""
INJECTED = """
import builtins, errno, os
def refuse(of, position=0):
    real = getattr(*of)
    def refusing(*arguments, **options):
        place = str(arguments[position]) if arguments else ""
        mode = arguments[1] if len(arguments) > 1 else options.get("mode", 0)
        number = isinstance(mode, int)
        asked = mode & (os.O_WRONLY | os.O_RDWR) if number else set(str(mode)) & set("wax+")
        if (asked or of[1] != "open") and place.startswith(os.environ["FER_ROOT"]):
            raise OSError({number}, os.strerror({number}), place)
        return real(*arguments, **options)
    setattr(*of, refusing)
for of in ((os, "open"), (builtins, "open"), (os, "mkdir"), (os, "replace"), (os, "link")):
    refuse(of)
"""


def _on_a_disk(made, tmp_path, options: str, names, *, free: int = 0) -> tuple[dict, dict, dict]:
    """What the commands say in a process of their own, for which the project lies on a small file
    system: full but for ``free`` bytes, or ('ro') read-only; and the project's hashes before and
    after. Where nobody may mount one, the system's calls answer as it would."""
    disk = tmp_path / "disk"
    disk.mkdir()
    number = "errno.EROFS" if options == "ro" else "errno.ENOSPC"
    script = tmp_path / "child.py"
    paths = [str(PACKAGE.parent), str(PACKAGE.parent / "tests")]

    def write(prepare: str) -> None:
        last = sorted(names, reverse=True)  # reproduce before interim changes a table
        script.write_text(CHILD.format(paths=paths, prepare=prepare, names=last))

    write("")
    size = sum(
        file.stat().st_size // 4096 + 1 for file in made.rglob("*") if file.is_file()
    ) * 4096 + (4 << 20)
    fill = (
        f"mount -o remount,ro {disk}"
        if options == "ro"
        else (f"cat /dev/zero > {disk}/filler 2>/dev/null; truncate -s -{free} {disk}/filler")
    )
    mounted = (
        f"mount -t tmpfs -o size={size} tmpfs {disk} || exit 77; cp -r {made}/. {disk}; {fill}; "
        f"{sys.executable} {script}; code=$?; "
        f"mount -o remount,rw,size={2 * size} {disk}; rm -f {disk}/filler; "
        f"cp -r {disk} {tmp_path}/after; exit $code"
    )
    environment = os.environ | {
        "FER_ROOT": str(disk),
        "OMP_NUM_THREADS": "1",
        "TMPDIR": str(tmp_path),
    }
    ran = (
        subprocess.run(
            ["unshare", *([] if os.geteuid() == 0 else ["-r"]), "-m", "bash", "-c", mounted],
            text=True,
            capture_output=True,
            env=environment,
            check=False,
        )
        if shutil.which("unshare")
        else None
    )
    if ran is None or ran.returncode == 77 or "unshare:" in ran.stderr:
        if free:
            pytest.skip("this system lets nobody mount a file system that fills up")
        shutil.copytree(made, disk, dirs_exist_ok=True)
        write(INJECTED.format(number=number))
        ran = subprocess.run(
            [sys.executable, script], text=True, capture_output=True, env=environment, check=False
        )
        shutil.copytree(disk, tmp_path / "after")
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-4000:]
    return json.loads(ran.stdout.splitlines()[-1]), _hashes(made), _hashes(tmp_path / "after")


def _hashes(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize(
    ("options", "words"),
    [("ro", "the file system is read-only"), ("", "no space is left on the disk")],
)
def test_a_disk_that_takes_nothing_is_named_before_the_work_and_nothing_changes(
    made, tmp_path, options, words
):
    said, before, after = _on_a_disk(made, tmp_path, options, writing_commands())
    for name, (code, text) in said.items():
        assert code == cli.USER_ERROR and words in text and "same command again" in text, (
            f"{name}: {code} {text}"
        )
        assert text.count("\n") == 1, f"{name} has begun its work: {text}"
    assert set(said) == writing_commands() and after == before


@pytest.mark.parametrize("free", [8 << 10, 256 << 10])
def test_a_disk_that_fills_up_in_the_middle_loses_nothing_and_leaves_nothing_half_written(
    made, tmp_path, free
):
    said, before, after = _on_a_disk(
        made, tmp_path, "", writing_commands() - AT_THE_DOOR, free=free
    )
    for name, (code, text) in said.items():
        assert code in (0, cli.FOUND_AMISS) or (code == cli.USER_ERROR and FULL.search(text)), (
            f"{name}: {code} {text}"
        )
    assert cli.USER_ERROR in [code for code, _ in said.values()]
    assert not [name for name in after if name.endswith(".tmp") or ".partial" in name]
    changed = {name for name, digest in before.items() if after.get(name) != digest}
    assert not {name for name in changed if not name.startswith(BEGUN)}, changed
