"""The pool made by Ray on this machine: the same as without it, and a killed worker costs nothing
but time."""

import os
import signal
import subprocess
import threading
import time
from contextlib import contextmanager

import pytest
from tiny_folders import save_tiny_generators

from fer_utils import cli
from fer_utils.core.errors import CompanionError
from fer_utils.core.profiles import load_profile
from fer_utils.prompts import prompt_table
from fer_utils.synthesis import make_pool
from fer_utils.synthesis.shards import shard_files

ray = pytest.importorskip("ray")


@pytest.fixture
def settings(tmp_path, project):
    save_tiny_generators(tmp_path / "models")
    return [f"generators.{name}.model={tmp_path / 'models' / name}" for name in ("sd2", "sd3")] + [
        "generators.sd2.steps=2",
        "generators.sd3.steps=2",
        "generators.sd2.batch_size=2",
        "generators.sd3.batch_size=2",
        "synthesis.shard_size=6",
    ]


@contextmanager
def first_worker_killed(task: str, once=lambda: True):
    """SIGKILL to the first process that Ray runs ``task`` in, as soon as ``once`` holds; fails if
    there was none."""
    killed = []

    def kill():
        for _ in range(1200):
            found = subprocess.run(
                ["pgrep", "-f", f"ray::{task}"], capture_output=True, text=True, check=False
            ).stdout
            if found and once():
                os.kill(int(found.split()[0]), signal.SIGKILL)
                killed.append(found.split()[0])
                return
            time.sleep(0.05)

    killer = threading.Thread(target=kill)
    killer.start()
    yield
    killer.join()
    assert killed, "no worker was seen at work"


@pytest.mark.slow
@pytest.mark.xdist_group("ray")
def test_two_workers_one_of_them_killed_make_the_same_pool(settings, monkeypatch):
    here = load_profile("smoke", settings)
    prompts = prompt_table({"disgust": 9, "happy": 9}, here)
    alone = make_pool(prompts, here)
    for path in shard_files(here):
        path.unlink()
    spread = load_profile("smoke", [*settings, 'run.cluster="local:2"'])
    assert spread.paths.pool == here.paths.pool, "where it is made is no part of what is made"
    told = []
    with first_worker_killed("_make_shard"):
        together = make_pool(
            prompts, spread, on_progress=lambda done, total: told.append((done, total))
        )
    assert together.equals(alone)
    assert told[-1] == (18, 18) and not list(here.paths.pool.glob(".*"))


@pytest.mark.parametrize("where", ["127.0.0.1:1", "127.0.0.1:99999"])
def test_a_cluster_that_is_not_there_is_named(settings, where):
    profile = load_profile("smoke", [*settings, f'run.cluster="{where}"'])
    with pytest.raises(CompanionError, match=f"No Ray cluster at '{where}'"):
        make_pool(prompt_table({"happy": 2}, profile), profile)


def test_the_command_line_hands_the_cluster_on(monkeypatch):
    seen = []
    monkeypatch.setattr(
        "fer_utils.runner.pipeline.reproduce", lambda profile, **_: seen.append(profile) or 0
    )
    monkeypatch.setattr("fer_utils.runner.summary.summary", lambda profile: "")
    monkeypatch.setattr("fer_utils.runner.summary.report_line", lambda profile: "")
    monkeypatch.setattr("fer_utils.pages.report.write_report", lambda profile: None)
    assert cli.main(["reproduce", "--profile", "smoke", "--cluster", "local:3"]) == 0
    assert seen[0].run.cluster == "local:3" and seen[0].run_name == "smoke"
