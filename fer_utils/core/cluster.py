"""Work spread over processes or machines by Ray: it schedules tasks, gives out the GPUs and repeats
what is lost.

Tasks share nothing but files, so all machines must see the same project folder.
"""

import logging
import re
import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from fer_utils.core.devices import choose_device
from fer_utils.core.errors import CompanionError
from fer_utils.core.paths import project_root
from fer_utils.core.profiles import Profile

RETRIES = 5
_STARTS = 4
"""Of a cluster here: Ray gives its own processes 30 seconds to come up, which beside busy ones may
be too few."""


def run_on_cluster(
    function: Callable,
    tasks: Mapping[str, tuple],
    profile: Profile,
    *,
    what: str,
    on_done: Callable[[str], None],
    shared: object = None,
    threads: int = 1,
) -> None:
    """Call ``function(*arguments, shared)`` for every task (name -> arguments) on ``run.cluster``.

    A task has ``threads`` cores, and a GPU where the profile uses them. One whose worker dies is
    started again, so ``function`` must go on from what it left. Raises CompanionError when a task
    fails; what others finished is kept.

    Args:
        what: what a task makes, as messages call it.
        on_done: called with the name of each finished task, in the order in which they finish.
        shared: sent to each machine once; None is sent too.
    """
    import ray

    gpu = profile.run.device != "cpu" and (
        choose_device(profile.run.device).type == "cuda"
        or not profile.run.cluster.startswith("local:")
    )
    task = ray.remote(
        num_cpus=threads, num_gpus=1 if gpu else 0, max_retries=RETRIES, retry_exceptions=False
    )(function)
    with connected(profile, threads=threads):
        sent = ray.put(shared)
        waiting = {task.remote(*arguments, sent): name for name, arguments in tasks.items()}
        while waiting:
            done, _ = ray.wait(list(waiting), num_returns=1)
            _result(done[0], what)
            on_done(waiting.pop(done[0]))


@contextmanager
def connected(profile: Profile, *, threads: int = 1) -> Iterator[None]:
    """A Ray cluster as ``run.cluster`` says: 'local:N' starts one of N processes with ``threads``
    cores each here, anything else is an address."""
    try:
        import ray
    except ImportError as problem:
        raise CompanionError(
            "run.cluster needs Ray: pip install 'fer_utils[cluster]', or leave --cluster out."
        ) from problem
    local = re.fullmatch(r"local:(\d+)", profile.run.cluster)
    environment = {
        "env_vars": {
            "FER_ROOT": str(project_root()),
            "OMP_NUM_THREADS": str(threads),
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        }
    }
    options = (
        {"num_cpus": threads * int(local[1])}
        if local
        else {"address": _reachable(profile.run.cluster)}
    )
    on_sigterm = signal.getsignal(signal.SIGTERM)
    starts = _STARTS if local else 1
    try:
        for start in range(starts):
            try:
                ray.init(
                    **options,
                    runtime_env=environment,
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                    include_dashboard=False if local else None,
                )
                break
            except Exception as problem:
                ray.shutdown()
                if start == starts - 1:
                    raise _no_cluster(profile.run.cluster, problem) from problem
    finally:
        # Ray puts its own there, which ends the process as by an error
        signal.signal(signal.SIGTERM, on_sigterm)
    try:
        yield
    finally:
        ray.shutdown()


def _reachable(address: str) -> str:
    """The address, if it is 'auto' or something answers there: Ray itself would end the process
    after a long wait."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if address != "auto":
        try:
            socket.create_connection((host, int(port)), timeout=10).close()
        except (OSError, ValueError, OverflowError) as problem:
            raise _no_cluster(address, problem) from problem
    return address


def _no_cluster(address: str, problem: Exception) -> CompanionError:
    cause = (str(problem).strip().splitlines() or [type(problem).__name__])[0]
    return CompanionError(
        f"No Ray cluster at '{address}' ({cause}). Expected local:N for N processes on this"
        " machine, 'auto', or host:port of a running cluster (ray start)."
    )


def _result(reference, what: str) -> None:
    import ray

    try:
        ray.get(reference)
    except ray.exceptions.RayTaskError as problem:
        cause = problem.cause if isinstance(problem.cause, CompanionError) else None
        raise cause or CompanionError(
            f"A {what} failed on the cluster: {str(problem).strip().splitlines()[-1]}. What is "
            "finished is kept; the same command goes on from there."
        ) from problem
    except ray.exceptions.RayError as problem:
        raise CompanionError(
            f"The cluster lost a {what} {RETRIES + 1} times ({type(problem).__name__}): workers"
            " die, most often for want of memory; use fewer processes or a smaller batch. What is"
            " finished is kept; the same command goes on from there."
        ) from problem
