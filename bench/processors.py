"""Whether what the demo says hangs on the processor: ``python -m bench processors``.

Another processor adds in another order and gives other low bits, and a training carries them on.
PyTorch and oneDNN can be told to leave out the newer instructions of this one, which imitates older
ones; so does another number of threads.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from bench.measuring import side_by_side, write_benchmark
from fer_utils.core.errors import CompanionError
from fer_utils.core.paths import atomic_write, project_root
from fer_utils.core.profiles import Profile, load_profile
from fer_utils.core.stored import read_table
from fer_utils.evaluation import all_predictions, right_answers, verdict
from fer_utils.evaluation.two_way import two_way

PROFILE, NAME = "demo", "processors"
VARIANTS = {
    "this processor": ({}, ()),
    "AVX2": ({"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"}, ()),
    "AVX2 in PyTorch alone": ({"ATEN_CPU_CAPABILITY": "avx2"}, ()),
    "two threads a training": ({}, ("run.workers=1",)),
}
"""Name -> environment variables of the processes that do the work, and settings of the section
``run``."""


def bench_processors() -> Iterator[str]:
    """Take the demo's road from drawing faces to Table III on each of ``VARIANTS``, without
    notebooks, each below ``runs/processors``, and write ``tables/benchmarks/processors``; yields
    lines. What is there already stays: the first variant is the profile's own run, and a stopped
    one goes on where it was."""
    found = []
    for name, (environment, settings) in VARIANTS.items():
        own = (
            project_root()
            if not (environment or settings)
            else project_root() / "runs" / NAME / name.replace(" ", "_")
        )
        found.append(_in_own_process(environment, settings, own).assign(variant=name))
        yield f"{name}: {len(found[-1])} training sets"
    table = pd.concat(found, ignore_index=True)
    write_benchmark(
        NAME,
        table,
        shown(table),
        in_short(table),
        about=(
            f"The profile {PROFILE}, from drawing its faces to Table III, on one machine that"
            " imitates several. Overall test accuracy in % [95%: faces and runs], and the"
            " difference to Original in points [95%: faces and runs]."
        ),
    )
    yield from (f"{what}: {value:.2f}" for what, value in in_short(table).items())


def in_short(table: pd.DataFrame) -> dict[str, float]:
    """What of ``read_processors`` depends on the processor: the widest spread of an accuracy in
    points; how many accuracies lie outside the interval of another variant, of how many compared;
    how many readings differ between variants."""
    accuracy = table.pivot(index=["dataset", "level"], columns="variant", values="accuracy")
    low, high = (
        table.pivot(index=["dataset", "level"], columns="variant", values=end)
        for end in ("low", "high")
    )
    outside = sum(
        int(((accuracy[one] < low[other]) | (accuracy[one] > high[other])).sum())
        for pair in combinations(accuracy, 2)
        for one, other in (pair, pair[::-1])
    )
    readings = table.groupby(["dataset", "level"])["reading"].nunique()
    return {
        "largest spread of an accuracy between variants (points)": float(
            (accuracy.max(axis=1) - accuracy.min(axis=1)).max()
        ),
        "accuracies outside another variant's interval": outside,
        "accuracies compared with another variant's interval": (
            accuracy.size * (accuracy.shape[1] - 1)
        ),
        "readings that differ between variants": int((readings > 1).sum()),
        "readings": int((readings > 0).sum()),
    }


def shown(table: pd.DataFrame) -> pd.DataFrame:
    """For readers: a row per data set and level, a column per variant."""
    cells = table.assign(cell=[_cell(row) for row in table.to_dict("records")])
    wide = cells.pivot(index=["dataset", "level"], columns="variant", values="cell")
    order = table.drop_duplicates(["dataset", "level"]).set_index(["dataset", "level"]).index
    return (
        wide.loc[order, list(dict.fromkeys(table["variant"]))]
        .reset_index()
        .rename_axis(columns=None)
    )


def _cell(row: dict) -> str:
    text = f"{row['accuracy']:.1f} [{row['low']:.1f}, {row['high']:.1f}]"
    if pd.isna(row["difference"]):
        return text
    return (
        f"{text}; {row['difference']:+.1f} [{row['difference_low']:+.1f},"
        f" {row['difference_high']:+.1f}] {row['reading']}"
    )


def _in_own_process(
    environment: dict[str, str], settings: tuple[str, ...], root: Path
) -> pd.DataFrame:
    root.mkdir(parents=True, exist_ok=True)
    ran = subprocess.run(
        [sys.executable, "-m", "bench.processors", *settings],
        text=True,
        check=False,
        capture_output=True,
        env=os.environ | environment | {"FER_ROOT": str(root)},
    )
    if ran.returncode:
        raise CompanionError(
            f"The demo with {[*environment, *settings]} did not end:"
            f" {ran.stderr.strip().splitlines()[-1:]}. What it made is kept in {root}; the same"
            " command goes on there."
        )
    return read_table(_written(root))


def _written(root: Path) -> Path:
    return root / "runs" / NAME / "found.csv"


def take_the_road(profile: Profile) -> None:
    """Stages 1 to 5 of the profile without their notebooks, with what is there already; trainings
    side by side."""
    from fer_utils.balancing import pool_counts, write_balanced_sets
    from fer_utils.balancing.controls import runs_of
    from fer_utils.datasets import prepare_splits
    from fer_utils.datasets.gate import admit, write_verdict
    from fer_utils.prompts import prompt_table, write_prompts
    from fer_utils.synthesis import held_out_faces, load_pool, make_pool

    splits = {name: prepare_splits(name, profile) for name in profile.data.sets}
    prompts = prompt_table(
        pool_counts({name: part.train.counts() for name, part in splits.items()}, profile), profile
    )
    write_prompts(prompts, profile)
    make_pool(prompts, profile, held_out=held_out_faces(profile))
    pool, manifest = load_pool(profile)
    admitted, kept_out = admit(
        pool,
        [part for found in splits.values() for part in (found.validation, found.test)],
        profile,
    )
    write_verdict(kept_out, profile.paths.gate("pool"))
    for name, part in splits.items():
        write_balanced_sets(
            name, profile, train=part.train, manifest=manifest[manifest["id"].isin(admitted.ids)]
        )
    list(
        side_by_side(
            _train,
            runs_of(profile),
            profile.run.workers,
            threads=profile.run.threads // profile.run.workers,
        )
    )


def _train(run) -> None:
    from fer_utils.runner.training_runs import train_run

    train_run(*run, load_profile(PROFILE))


def results(profile: Profile) -> pd.DataFrame:
    """The rows of a run, from its predictions; columns as in ``read_processors``, without
    variant."""
    from fer_utils.evaluation.control_results import comparisons

    predictions = all_predictions(profile)
    rows = [
        _row(predictions, *which)
        for which in predictions[["dataset", "level"]].drop_duplicates().itertuples(index=False)
    ]
    found = comparisons(predictions, profile).query("reference == 'original'")
    found = found.assign(reading=[verdict(row) for row in found.to_dict("records")])
    found = found[["dataset", "level", "difference", "low", "high", "reading"]]
    return pd.DataFrame(rows).merge(
        found.rename(columns={"low": "difference_low", "high": "difference_high"}),
        how="left",
        on=["dataset", "level"],
    )


def _row(predictions: pd.DataFrame, dataset: str, level: str) -> dict:
    right = right_answers(predictions, dataset, level).to_numpy(bool)
    found = two_way(right, np.ones((len(right), 1)))
    return {
        "dataset": dataset,
        "level": level,
        "n": len(right),
        "seeds": right.shape[1],
        "accuracy": 100 * found.mean,
        "low": 100 * max(0.0, found.low),
        "high": 100 * min(1.0, found.high),
    }


if __name__ == "__main__":
    take_the_road(load_profile(PROFILE, sys.argv[1:]))
    with atomic_write(_written(project_root()), "w", encoding="utf-8") as file:
        results(load_profile(PROFILE)).to_csv(file, index=False, lineterminator="\n")
