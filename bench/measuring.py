"""Measuring a case in a process of its own, so that none profits from what another has loaded.

A case's memory is the peak of its whole process, imports included, and beside it what the work
added to the imports.
"""

import importlib
import json
import multiprocessing
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pandas as pd

from fer_utils.core.errors import CompanionError
from fer_utils.core.paths import atomic_write, benchmarks_folder

ROUNDS = 3
"""Times each case is measured; the table gives the median."""

MEDIANS = "Where a case has several rounds, the one of median time."


def median_case(module: str, name: str, folder: Path, *, rounds: int = ROUNDS) -> dict:
    """case, seconds, peak_mb, added_mb, rounds: the round of median time of ``module.CASES[name]``.

    A case is a function of a working folder that prepares, and gives back the work to be timed.
    """
    found = sorted(
        (_in_own_process(module, name, folder) for _ in range(rounds)),
        key=lambda one: one["seconds"],
    )
    return {"case": name, **found[rounds // 2], "rounds": rounds}


def side_by_side(work: Callable, items: Iterable, workers: int, *, threads: int = 1) -> Iterator:
    """``work`` of every item, in order, by that many processes of ``threads`` threads each.
    Whatever ends this ends them: an executor alone would wait until each has done its item."""
    os.environ["OMP_NUM_THREADS"] = str(threads)  # of the processes to come
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as executor:
        try:
            yield from executor.map(work, items)
        except BaseException:
            for worker in multiprocessing.active_children():
                worker.terminate()
            raise


def write_benchmark(
    name: str, table: pd.DataFrame, shown: pd.DataFrame, ratios: dict[str, float], *, about: str
) -> None:
    """``tables/benchmarks/NAME.csv`` (``table``, and on what it was measured) and ``.md``:
    ``about``, ``shown``, ratios."""
    from fer_utils.tables.text import (
        markdown_table,  # not at the top: a case's process imports no more than it needs
    )

    folder = benchmarks_folder()
    with atomic_write(folder / f"{name}.csv", "w", encoding="utf-8") as file:
        table.assign(machine=machine()).to_csv(
            file, index=False, lineterminator="\n", float_format="%.6g"
        )
    compared = pd.DataFrame(
        {"ratio": list(ratios), "value": [f"{value:.2f}" for value in ratios.values()]}
    )
    parts = [
        f"Measured on: {machine()}. {about}",
        *(markdown_table(table) for table in (shown, compared) if len(table)),
    ]
    with atomic_write(folder / f"{name}.md", "w", encoding="utf-8") as file:
        file.write("\n\n".join(parts) + "\n")


def plainly(table: pd.DataFrame) -> pd.DataFrame:
    """A table of ``median_case`` for readers, numbers with two digits; for ``write_benchmark``'s
    ``shown``."""
    return table.assign(
        **{column: table[column].map("{:,.2f}".format) for column in table.select_dtypes("float")}
    )


def machine() -> str:
    """The machine in words, and the versions of Python and, where it is in use, PyTorch."""
    from fer_utils.core.machine import hardware  # not at the top, as above

    torch = f", PyTorch {sys.modules['torch'].__version__}" if "torch" in sys.modules else ""
    return f"{hardware()}, Python {platform.python_version()}{torch}"


def peak_mb() -> float:
    """The largest memory this process has held, in MB (Linux counts in KiB, macOS in bytes)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        1e6 if sys.platform == "darwin" else 1e3
    )


def _in_own_process(module: str, name: str, folder: Path) -> dict:
    environment = os.environ | {"FER_DATA": str(folder / "data"), "FER_ROOT": str(folder)}
    found = subprocess.run(
        [sys.executable, "-m", "bench.measuring", module, name, str(folder)],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    if found.returncode:
        raise CompanionError(
            f"The case '{name}' of the benchmark failed: {found.stderr.strip().splitlines()[-1]}"
        )
    return json.loads(found.stdout.splitlines()[-1])


def _run_case(module: str, name: str, folder: Path) -> dict:
    """Seconds and memory of one case, in this process; imports and whatever the case prepares come
    before."""
    work = importlib.import_module(module).CASES[name](folder)
    before, started = peak_mb(), time.perf_counter()
    work()
    return {
        "seconds": time.perf_counter() - started,
        "peak_mb": peak_mb(),
        "added_mb": peak_mb() - before,
    }


if __name__ == "__main__":
    print(json.dumps(_run_case(sys.argv[1], sys.argv[2], Path(sys.argv[3]))))
