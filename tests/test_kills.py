"""A run that is ended again and again, at moments spread evenly over all its stages, ends like one
that never was.

Only where it is asked for: ``FER_KILLS=30 pytest tests/test_kills.py`` ends it thirty times.
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from itertools import cycle
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("smoke"),
    pytest.mark.skipif(
        "FER_KILLS" not in os.environ,
        reason="takes minutes: FER_KILLS says how often to end the run",
    ),
]
KILLS = int(os.environ.get("FER_KILLS", "3"))
COMMAND = [sys.executable, "-m", "fer_utils", "reproduce", "--profile", "smoke"]


def units_done(root) -> float:
    """Seconds of work that finished units stand for, as their records say."""
    done = 0.0
    for path in (root / "runs" / "smoke" / "stages").glob("*.json"):
        try:
            done += json.loads(path.read_text()).get("seconds", 0.0)
        except ValueError:
            pytest.fail(f"{path} is half-written")
    return done


def processes_of(root) -> list[str]:
    """Command lines of all processes that work for this root."""
    found = []
    for folder in os.listdir("/proc"):
        try:
            with open(f"/proc/{folder}/environ", "rb") as file:
                if (
                    folder.isdigit()
                    and int(folder) != os.getpid()
                    and f"FER_ROOT={root}".encode() in file.read().split(b"\0")
                ):
                    found.append(Path("/proc", folder, "cmdline").read_text().replace("\0", " "))
        except OSError:
            pass
    return found


def content(root) -> dict[str, str]:
    """File -> hash of what a run is for: faces, prompts, pool, sets, networks with their answers,
    tables, figures."""
    run = root / "runs" / "smoke"
    wanted = [
        path
        for name in ("faces", "pool", "sets", "models", "tables", "figures", "quality")
        for path in (run / name).rglob("*")
    ]
    # hold hours, dates or machines
    times = ("provenance.json", "history.csv", "trained_with.json", "tables_compared.csv")
    return {
        path.relative_to(run).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in [*wanted, run / "prompts.csv"]
        if path.is_file() and path.name not in times
    }


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="looks for processes in /proc")
def test_a_run_ended_at_moments_spread_over_all_stages_ends_with_the_same_bytes_and_leaves_nothing(
    smoke_root, tmp_path
):
    whole, root = smoke_root[0], tmp_path / "killed"
    root.mkdir()
    total, ended = units_done(whole), []
    for k, number in zip(range(KILLS), cycle((signal.SIGKILL, signal.SIGTERM, signal.SIGINT))):
        moment = total * (k + 0.5) / KILLS
        # no pipe: what a killed command has started holds its end open for a while
        said = tmp_path / "said.txt"
        with open(said, "w") as file:
            process = subprocess.Popen(
                COMMAND,
                env=os.environ | {"FER_ROOT": str(root)},
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        begun, before = time.monotonic(), units_done(root)
        while (
            process.poll() is None
            and max(units_done(root), before + time.monotonic() - begun - 5) < moment
        ):
            time.sleep(0.2)
        if process.poll() is None:
            process.send_signal(number)
            ended.append(number)
        process.wait(timeout=60)
        until = time.monotonic() + 15
        while processes_of(root) and time.monotonic() < until:
            time.sleep(0.2)
        assert processes_of(root) == [], f"left running after signal {number}"
        assert number == signal.SIGKILL or "same command goes on" in said.read_text(), (
            said.read_text()
        )
    assert len(ended) >= KILLS - 1
    last = subprocess.run(
        COMMAND,
        env=os.environ | {"FER_ROOT": str(root)},
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert last.returncode == 0, last.stdout + last.stderr
    assert content(root) == content(whole)
    assert not [
        path
        for path in root.rglob("*")
        if path.name.endswith(".tmp") or path.name == "checkpoint.pt"
    ]
