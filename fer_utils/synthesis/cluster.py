"""The shards of a pool as tasks of a Ray cluster.

A shard has one writer. A task whose worker dies is started again and goes on from the shard's
partial file.
"""

import functools
from collections.abc import Callable

import pandas as pd

from fer_utils.core.cluster import run_on_cluster
from fer_utils.core.profiles import Profile
from fer_utils.datasets.gate import HeldOut


def make_on_cluster(
    missing: dict[str, pd.DataFrame],
    profile: Profile,
    *,
    held_out: HeldOut | None,
    on_shard: Callable[[int], None],
) -> None:
    """Make every shard of ``missing`` (name -> rows) on ``run.cluster``; ``on_shard(images)`` after
    each."""
    tasks = {name: (name, rows, profile.name, profile.overrides) for name, rows in missing.items()}
    run_on_cluster(
        _make_shard,
        tasks,
        profile,
        what="shard",
        on_done=lambda name: on_shard(len(missing[name])),
        shared=held_out,
    )


def _make_shard(
    name: str,
    rows: pd.DataFrame,
    profile_name: str,
    overrides: tuple[str, ...],
    held_out: HeldOut | None,
) -> None:
    """One task; a worker process keeps its model for the next shard of the same generator."""
    from fer_utils.synthesis.pool import make_shard

    make_shard(
        name, rows, _renderer(rows["generator"].iloc[0], profile_name, overrides), held_out=held_out
    )


@functools.lru_cache(maxsize=1)  # one model at a time in a process
def _renderer(generator: str, profile_name: str, overrides: tuple[str, ...]):
    import torch

    from fer_utils.core.profiles import load_profile
    from fer_utils.synthesis.rendering import Renderer

    torch.set_num_threads(1)  # Ray gives each task one core
    return Renderer(generator, load_profile(profile_name, overrides))
