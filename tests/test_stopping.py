"""One Ctrl-C or SIGTERM ends a run at once, whatever its notebooks do; nothing goes on by itself,
and the next run does."""

import asyncio
import os
import signal
import subprocess
import sys
import time

import pytest
from test_pipeline import profile, reasons, reproduce, two_stages  # noqa: F401  (a fixture)

from fer_utils.core.paths import PACKAGE
from fer_utils.runner.kernels import KnownKernel, side_by_side

SECONDS = 5
# In the second notebook: says which process it is and starts another, then holds on until a later
# run permits it to end.
CELL = """import os, subprocess, time
from pathlib import Path
if not Path({folder!r}, "permitted").exists():
    subprocess.Popen(["sleep", "600"])
    Path({folder!r}, "begun").write_text(str(os.getpid()))
    os.rename(Path({folder!r}, "begun"), Path({folder!r}, "running"))
    {holds_on}"""
SLEEPS, IN_C = "time.sleep(600)", "sum(range(10 ** 15))"
STUBBORN = """while True:
        try:
            time.sleep(600)
        except KeyboardInterrupt:
            pass"""
COMMAND = """
import runpy, signal, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
import pytest
from test_pipeline import two_stages
from fer_utils.runner import pipeline

# a shell's background processes ignore it
signal.signal(signal.SIGINT, signal.default_int_handler)
pipeline.notebooks_folder = lambda: Path({folder!r}) / "notebooks"
two_stages(Path({folder!r}), pytest.MonkeyPatch(), second_cells=({cell!r},))
sys.argv[1:1] = ["reproduce", "--profile", "demo"]
runpy.run_module("fer_utils", run_name="__main__")
"""


def started(folder, cell, *options):
    """``python -m fer_utils reproduce`` of two small stages, and the process of the second's kernel
    once it holds on."""
    code = COMMAND.format(tests=str(PACKAGE.parent / "tests"), folder=str(folder), cell=cell)
    command = subprocess.Popen(
        [sys.executable, "-c", code, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not (folder / "running").is_file():
        assert command.poll() is None, command.stderr.read()
        time.sleep(0.05)
    kernel = int((folder / "running").read_text())
    (folder / "running").unlink()
    return command, kernel


def ended(command):
    """Its exit code, what it said at its end, and how many seconds that took."""
    began = time.monotonic()
    try:
        _, said = command.communicate(timeout=60)
    finally:
        command.kill()
    return command.returncode, said, time.monotonic() - began


def alive(group):
    """How many processes of that group live; an ended one that nobody has waited for does not."""
    found = subprocess.run(
        ["ps", "-A", "-o", "pgid=,stat="], capture_output=True, text=True, check=True
    ).stdout
    return sum(
        line.split()[0] == str(group) and not line.split()[1].startswith("Z")
        for line in found.splitlines()
    )


@pytest.mark.parametrize(
    "holds_on, number, code",
    [
        (SLEEPS, signal.SIGINT, 130),
        (STUBBORN, signal.SIGINT, 130),
        (IN_C, signal.SIGINT, 130),
        (STUBBORN, signal.SIGTERM, 143),
    ],
    ids=["sleeps", "ignores it", "in C", "SIGTERM"],
)
def test_one_signal_ends_a_run_whatever_its_cell_does_and_the_next_run_goes_on(
    profile,
    tmp_path,
    monkeypatch,
    holds_on,
    number,
    code,  # noqa: F811
):
    cell = CELL.format(folder=str(tmp_path), holds_on=holds_on)
    command, kernel = started(tmp_path, cell)
    assert alive(kernel) == 2, "the kernel and what its cell started"
    command.send_signal(number)
    returned, said, seconds = ended(command)
    assert (returned, said) == (
        code,
        "Stopped. 1 of 2 steps are finished and kept; the same command goes on from there.\n",
    )
    assert seconds < SECONDS and alive(kernel) == 0

    two_stages(tmp_path, monkeypatch, second_cells=(cell,))
    assert reasons(profile) == ["", "interrupted"]
    (tmp_path / "permitted").touch()
    lines = reproduce(profile)
    assert lines[:2] == ["[1/2] 01_one: fresh", "[2/2] 02_two: runs (interrupted)"] and reasons(
        profile
    ) == ["", ""]


def test_of_a_forced_run_it_is_said_that_the_same_command_would_begin_anew(profile, tmp_path):  # noqa: F811
    command, _ = started(tmp_path, CELL.format(folder=str(tmp_path), holds_on=SLEEPS), "--force")
    command.send_signal(signal.SIGINT)
    assert (
        "1 of 2 steps are finished and kept; without --force and --from the same command goes on"
        in ended(command)[1]
    )


def test_a_second_signal_leaves_nothing_running_either(profile, tmp_path):  # noqa: F811
    command, kernel = started(tmp_path, CELL.format(folder=str(tmp_path), holds_on=STUBBORN))
    command.send_signal(signal.SIGINT)
    time.sleep(0.3)
    command.send_signal(signal.SIGINT)
    returned, said, seconds = ended(command)
    assert returned == 130 and "Traceback" not in said and seconds < SECONDS and alive(kernel) == 0


def test_no_kernel_starts_once_a_run_is_to_end():
    kernel = KnownKernel(kernel_name="python3")
    with pytest.raises(KeyboardInterrupt), side_by_side(1) as executor:
        late = executor.submit(lambda: (time.sleep(0.5), asyncio.run(kernel.start_kernel())))
        raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        late.result()
    assert not kernel.has_kernel


def test_sigterm_ends_a_training_by_name_and_what_it_finished_is_said_to_be_kept(tmp_path):
    arguments = [
        "train",
        "--profile",
        "smoke",
        "--set",
        "training.max_epochs=500",
        "--set",
        "training.updates=1000",
    ]
    command = subprocess.Popen(
        [sys.executable, "-m", "fer_utils", *arguments],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"FER_ROOT": str(tmp_path)},
    )
    lines = [command.stdout.readline() for _ in range(2)]
    assert lines[1].startswith("epoch 2 of at most 500"), command.stderr.read()
    command.terminate()
    returned, said, seconds = ended(command)
    assert (returned, said) == (
        143,
        "Stopped. What was finished is kept; the same command goes on from there.\n",
    )
    assert (
        seconds < SECONDS
        and list(tmp_path.rglob("checkpoint.pt"))
        and not list(tmp_path.rglob(".*.tmp"))
    )
