"""Whether what the demo says hangs on the processor: ``python -m fer_utils bench processors``.

Another processor adds in another order and gives other low bits, and a training carries them on. PyTorch and oneDNN can be
told to leave out the newer instructions of this one, which imitates older ones; so does another number of threads.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pandas as pd

from fer_utils.bench.measuring import write_benchmark
from fer_utils.errors import CompanionError
from fer_utils.evaluation import interval_of_runs, right_answers
from fer_utils.paths import committed_tables, project_root
from fer_utils.tables import verdict
from fer_utils.training import PREDICTIONS

PROFILE, NAME = "demo", "processors"
VARIANTS = {
    "this processor": ({}, ()),
    "AVX2": ({"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"}, ()),
    "AVX2 in PyTorch alone": ({"ATEN_CPU_CAPABILITY": "avx2"}, ()),
    "two threads a training": ({}, ("--workers", "1")),
}
"""Name -> environment variables and further arguments of ``reproduce``."""


def bench_processors() -> Iterator[str]:
    """Run the demo from nothing on each of ``VARIANTS``, each in a project folder of its own below ``runs/processors``, and
    write ``tables/benchmarks/processors``; yields lines. A stopped one goes on where it was."""
    found = []
    for name, (environment, arguments) in VARIANTS.items():
        found.append(_variant(name, environment, arguments))
        yield f"{name}: {len(found[-1])} training sets"
    table = pd.concat(found, ignore_index=True)
    write_benchmark(NAME, table, shown(table), in_short(table), about=(
        f"The profile {PROFILE}, from drawing its faces to Table III, on one machine that imitates several. Overall test "
        "accuracy in % [95%: faces and runs], and the difference to Original in points [95%: faces and runs]."))
    yield from (f"{what}: {value:.2f}" for what, value in in_short(table).items())


def read_processors() -> pd.DataFrame:
    """The committed table: a row per variant, data set and level; none where it was never measured.

    Columns variant, dataset, level, n, seeds, accuracy, low, high; difference (to Original), difference_low,
    difference_high, reading (``tables.verdict``), empty for Original.
    """
    path = committed_tables("benchmarks") / f"{NAME}.csv"
    return pd.read_csv(path) if path.is_file() else pd.DataFrame(columns=["variant", "dataset", "level", "accuracy"])


def in_short(table: pd.DataFrame) -> dict[str, float]:
    """What of ``read_processors`` depends on the processor: the widest spread of an accuracy in points; how many accuracies
    lie outside the interval of another variant, of how many compared; how many readings differ between variants."""
    accuracy = table.pivot(index=["dataset", "level"], columns="variant", values="accuracy")
    low, high = (table.pivot(index=["dataset", "level"], columns="variant", values=end) for end in ("low", "high"))
    outside = sum(int(((accuracy[one] < low[other]) | (accuracy[one] > high[other])).sum())
                  for pair in combinations(accuracy, 2) for one, other in (pair, pair[::-1]))
    readings = table.groupby(["dataset", "level"])["reading"].nunique()
    return {"largest spread of an accuracy between variants (points)": float((accuracy.max(axis=1) - accuracy.min(axis=1)).max()),
            "accuracies outside another variant's interval": outside,
            "accuracies compared with another variant's interval": accuracy.size * (accuracy.shape[1] - 1),
            "readings that differ between variants": int((readings > 1).sum()),
            "readings": int((readings > 0).sum())}


def shown(table: pd.DataFrame) -> pd.DataFrame:
    """For readers: a row per data set and level, a column per variant."""
    cells = table.assign(cell=[_cell(row) for row in table.to_dict("records")])
    wide = cells.pivot(index=["dataset", "level"], columns="variant", values="cell")
    order = table.drop_duplicates(["dataset", "level"]).set_index(["dataset", "level"]).index
    return wide.loc[order, list(dict.fromkeys(table["variant"]))].reset_index().rename_axis(columns=None)


def _cell(row: dict) -> str:
    text = f"{row['accuracy']:.1f} [{row['low']:.1f}, {row['high']:.1f}]"
    if pd.isna(row["difference"]):
        return text
    return (f"{text}; {row['difference']:+.1f} [{row['difference_low']:+.1f}, {row['difference_high']:+.1f}] "
            f"{row['reading']}")


def _variant(name: str, environment: dict[str, str], arguments: tuple[str, ...]) -> pd.DataFrame:
    root = project_root() / "runs" / NAME / name.replace(" ", "_")
    root.mkdir(parents=True, exist_ok=True)
    ran = subprocess.run([sys.executable, "-m", "fer_utils", "reproduce", "--profile", PROFILE, *arguments],
                         env=os.environ | environment | {"FER_ROOT": str(root)}, stdout=subprocess.DEVNULL,
                         stderr=subprocess.PIPE, text=True, check=False)
    if ran.returncode:
        raise CompanionError(f"The demo as '{name}' did not end: {ran.stderr.strip().splitlines()[-1:]}. What it made is kept "
                             f"in {root}; the same command goes on there.")
    return results(root / "runs" / PROFILE).assign(variant=name)


def results(run: Path) -> pd.DataFrame:
    """The rows of the run in this folder, from its predictions and its comparisons; columns as in ``read_processors``, without
    variant."""
    runs = [(path, *path.parts[-4:-1]) for path in sorted(run.glob(f"models/*/*/*/{PREDICTIONS}"))]
    predictions = pd.concat([pd.read_csv(path, usecols=["id", "emotion", "predicted"], dtype=str).assign(
        dataset=dataset, level=level, seed=int(seed)) for path, dataset, level, seed in runs], ignore_index=True)
    rows = [_row(predictions, dataset, level) for dataset, level in
            predictions[["dataset", "level"]].drop_duplicates().itertuples(index=False)]
    found = pd.read_csv(run / "tables" / "table_a6_comparison.csv").query("reference == 'original'")
    found = found.assign(reading=[verdict(row) for row in found.to_dict("records")])
    found = found[["dataset", "level", "difference", "low", "high", "reading"]]
    return pd.DataFrame(rows).merge(found.rename(columns={"low": "difference_low", "high": "difference_high"}), how="left",
                                    on=["dataset", "level"])


def _row(predictions: pd.DataFrame, dataset: str, level: str) -> dict:
    right = right_answers(predictions, dataset, level).to_numpy(bool)
    low, high = interval_of_runs(right)
    return {"dataset": dataset, "level": level, "n": len(right), "seeds": right.shape[1], "accuracy": 100 * right.mean(),
            "low": 100 * low, "high": 100 * high}
