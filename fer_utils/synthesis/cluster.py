"""The shards of a pool as tasks of a Ray cluster: Ray schedules them, gives out the GPUs and repeats what fails.

A shard has one writer and tasks share nothing but files, so all machines must see the same project folder. A task
whose worker dies is started again and goes on from the shard's partial file.
"""

import functools
import logging
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pandas as pd

from fer_utils.datasets.gate import HeldOut
from fer_utils.devices import choose_device
from fer_utils.errors import CompanionError
from fer_utils.paths import project_root
from fer_utils.profiles import Profile

RETRIES = 5


def make_on_cluster(missing: dict[str, pd.DataFrame], profile: Profile, *, held_out: HeldOut | None,
                    on_shard: Callable[[int], None]) -> None:
    """Make every shard of ``missing`` (name -> rows) on ``run.cluster``; ``on_shard(images)`` after each."""
    import ray

    gpu = choose_device(profile.run.device).type == "cuda" or not profile.run.cluster.startswith("local:")
    task = ray.remote(num_cpus=1, num_gpus=1 if gpu and profile.run.device != "cpu" else 0, max_retries=RETRIES,
                      retry_exceptions=False)(_make_shard)
    with connected(profile):
        compared = ray.put(held_out)
        waiting = {task.remote(name, rows, profile.name, profile.overrides, compared): len(rows)
                   for name, rows in missing.items()}
        while waiting:
            done, _ = ray.wait(list(waiting), num_returns=1)
            _result(done[0])
            on_shard(waiting.pop(done[0]))


@contextmanager
def connected(profile: Profile) -> Iterator[None]:
    """A Ray cluster as ``run.cluster`` says: 'local:N' starts one of N processes here, anything else is an address."""
    try:
        import ray
    except ImportError as problem:
        raise CompanionError("run.cluster needs Ray: pip install 'fer_utils[cluster]', or leave --cluster out.") from problem
    local = re.fullmatch(r"local:(\d+)", profile.run.cluster)
    environment = {"env_vars": {"FER_ROOT": str(project_root()), "OMP_NUM_THREADS": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}}
    options = {"num_cpus": _processes(local[1])} if local else {"address": _reachable(profile.run.cluster)}
    try:
        ray.init(**options, runtime_env=environment, log_to_driver=False, logging_level=logging.ERROR,
                 include_dashboard=False if local else None)
    except Exception as problem:
        raise _no_cluster(profile.run.cluster, problem) from problem
    try:
        yield
    finally:
        ray.shutdown()


def _reachable(address: str) -> str:
    """The address, if it is 'auto' or something answers there: Ray itself would end the process after a long wait."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if address != "auto":
        try:
            socket.create_connection((host, int(port)), timeout=10).close()
        except (OSError, ValueError) as problem:
            raise _no_cluster(address, problem) from problem
    return address


def _no_cluster(address: str, problem: Exception) -> CompanionError:
    cause = (str(problem).strip().splitlines() or [type(problem).__name__])[0]
    return CompanionError(f"No Ray cluster at '{address}' ({cause}). Expected local:N for N processes on this machine, "
                          "'auto', or host:port of a running cluster (ray start).")


def _processes(count: str) -> int:
    if int(count) < 1:
        raise CompanionError(f"run.cluster is 'local:{count}'; at least one process is needed, as in local:2.")
    return int(count)


def _result(reference) -> None:
    import ray

    try:
        ray.get(reference)
    except ray.exceptions.RayTaskError as problem:
        cause = problem.cause if isinstance(problem.cause, CompanionError) else None
        raise cause or CompanionError(f"A shard failed on the cluster: {str(problem).strip().splitlines()[-1]}. What is "
                                      "finished is kept; the same command goes on from there.") from problem
    except ray.exceptions.RayError as problem:
        raise CompanionError(f"The cluster lost a shard {RETRIES + 1} times ({type(problem).__name__}): workers die, most "
                             "often for want of memory; use fewer processes or a smaller batch. What is finished is kept; the "
                             "same command goes on from there.") from problem


def _make_shard(name: str, rows: pd.DataFrame, profile_name: str, overrides: tuple[str, ...],
                held_out: HeldOut | None) -> None:
    """One task; a worker process keeps its model for the next shard of the same generator."""
    from fer_utils.synthesis.pool import make_shard

    make_shard(name, rows, _renderer(rows["generator"].iloc[0], profile_name, overrides), held_out=held_out)


@functools.lru_cache(maxsize=1)    # one model at a time in a process
def _renderer(generator: str, profile_name: str, overrides: tuple[str, ...]):
    import torch

    from fer_utils.profiles import load_profile
    from fer_utils.synthesis.rendering import Renderer

    torch.set_num_threads(1)       # Ray gives each task one core
    return Renderer(generator, load_profile(profile_name, overrides))
