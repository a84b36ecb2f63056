"""The pool made by Ray on this machine: the same as without it, and a killed worker costs nothing but time."""

import os
import signal
import subprocess
import time

import pytest
from tiny_folders import save_tiny_generators

from fer_utils import cli
from fer_utils.errors import CompanionError
from fer_utils.profiles import load_profile
from fer_utils.prompts import prompt_table
from fer_utils.synthesis import make_pool
from fer_utils.synthesis.shards import shard_files

ray = pytest.importorskip("ray")


@pytest.fixture
def settings(tmp_path, project):
    save_tiny_generators(tmp_path / "models")
    return [f"generators.{name}.model={tmp_path / 'models' / name}" for name in ("sd2", "sd3")] + [
        "generators.sd2.steps=2", "generators.sd3.steps=2", "generators.sd2.batch_size=2", "generators.sd3.batch_size=2",
        "synthesis.shard_size=6"]


def kill_the_first_worker_at_work(killed: list) -> None:
    """SIGKILL to the first process that Ray runs a shard in."""
    for _ in range(1200):
        found = subprocess.run(["pgrep", "-f", "ray::_make_shard"], capture_output=True, text=True, check=False).stdout
        if found:
            os.kill(int(found.split()[0]), signal.SIGKILL)
            killed.append(found.split()[0])
            return
        time.sleep(0.05)


@pytest.mark.slow
def test_two_workers_one_of_them_killed_make_the_same_pool(settings, monkeypatch):
    import threading

    here = load_profile("smoke", settings)
    prompts = prompt_table({"disgust": 9, "happy": 9}, here)
    alone = make_pool(prompts, here)
    for path in shard_files(here):
        path.unlink()
    spread = load_profile("smoke", [*settings, 'run.cluster="local:2"'])
    assert spread.paths.pool == here.paths.pool, "where it is made is no part of what is made"
    killed, told = [], []
    killer = threading.Thread(target=kill_the_first_worker_at_work, args=(killed,))
    killer.start()
    together = make_pool(prompts, spread, on_progress=lambda done, total: told.append((done, total)))
    killer.join()
    assert killed, "no worker was seen at work"
    assert together.equals(alone)
    assert told[-1] == (18, 18) and not list(here.paths.pool.glob(".*"))


@pytest.mark.parametrize("where", ["127.0.0.1:1", "127.0.0.1:99999"])
def test_a_cluster_that_is_not_there_is_named(settings, where):
    profile = load_profile("smoke", [*settings, f'run.cluster="{where}"'])
    with pytest.raises(CompanionError, match=f"No Ray cluster at '{where}'"):
        make_pool(prompt_table({"happy": 2}, profile), profile)


def test_the_command_line_hands_the_cluster_on(monkeypatch):
    seen = []
    monkeypatch.setattr("fer_utils.pipeline.reproduce", lambda profile, **_: seen.append(profile) or 0)
    monkeypatch.setattr("fer_utils.summary.summary", lambda profile: "")
    monkeypatch.setattr("fer_utils.summary.report_line", lambda profile: "")
    monkeypatch.setattr("fer_utils.report.write_report", lambda profile: None)
    assert cli.main(["reproduce", "--profile", "smoke", "--cluster", "local:3"]) == 0
    assert seen[0].run.cluster == "local:3" and seen[0].run_name == "smoke"
