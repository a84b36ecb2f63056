"""Speed and memory against the plain way, in one run on one machine: ``python -m fer_utils bench data``.

Every case runs in a process of its own, so that none profits from what another has loaded; a case's memory is the
peak of its whole process, imports included, and beside it what the work added to the imports.
"""

import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd

from fer_utils.datasets.fer2013_csv import CSV_NAMES, find_files
from fer_utils.datasets.sources import missing_data, open_source
from fer_utils.datasets.tree import look_into
from fer_utils.errors import CompanionError
from fer_utils.paths import atomic_write, data_folder, project_root

ROUNDS = 3
"""Times each case is measured; the table gives the median."""


def bench_data() -> Iterator[str]:
    """Read FER2013 and search it for twins, each against what it replaces; yields lines, and writes
    ``tables/benchmarks/data``. Raises CompanionError where there is no FER2013 CSV in the data folder."""
    contents = look_into(data_folder())
    sources = find_files(contents, CSV_NAMES)
    if not sources:
        raise missing_data("FER2013", contents.folder, wanted="fer2013.csv, plain or gzipped", problems=contents.problems)
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "data" / "fer2013" / "fer2013.csv"
        plain.parent.mkdir(parents=True)
        with open_source(sources[0]) as packed, open(plain, "wb") as file:
            shutil.copyfileobj(packed, file, 1 << 20)
        rows = []
        for name in _CASES:
            rows.append(_median_case(name, Path(folder)))
            yield f"{rows[-1]['case']}: {rows[-1]['seconds']:.2f} s, {rows[-1]['added_mb']:,.0f} MB"
    table = pd.DataFrame(rows).set_index("case")
    ratios = _data_ratios(table)
    _write(table.reset_index(), ratios, "data")
    yield from (f"{name}: {value:.1f}" for name, value in ratios.items())


def _data_ratios(table: pd.DataFrame) -> dict[str, float]:
    plain, ours, again = (table.loc[name] for name in (TORCHVISION, OURS, CACHED))
    return {"times as fast when cold": plain["seconds"] / ours["seconds"],
            "share of the memory when cold (whole process)": ours["peak_mb"] / plain["peak_mb"],
            "share of the memory when cold (added by the work)": ours["added_mb"] / plain["added_mb"],
            "times as fast from the cache": plain["seconds"] / again["seconds"]}


def _median_case(name: str, folder: Path) -> dict:
    rounds = sorted((_in_own_process(name, folder) for _ in range(ROUNDS)), key=lambda found: found["seconds"])
    return {"case": name, **rounds[ROUNDS // 2], "rounds": ROUNDS}


def _in_own_process(name: str, folder: Path) -> dict:
    environment = os.environ | {"FER_DATA": str(folder / "data"), "FER_ROOT": str(folder)}
    found = subprocess.run([sys.executable, "-m", "fer_utils.bench", name, str(folder)], capture_output=True, text=True,
                           env=environment, check=False)
    if found.returncode:
        raise CompanionError(f"The case '{name}' of the benchmark failed: {found.stderr.strip().splitlines()[-1]}")
    return json.loads(found.stdout.splitlines()[-1])


def _torchvision(folder: Path) -> Callable[[], object]:
    from torchvision.datasets import FER2013

    return lambda: [FER2013(folder / "data", split=split) for split in ("train", "test")]


def _ours(folder: Path) -> Callable[[], object]:
    from fer_utils.datasets.fer2013 import read_fer2013

    shutil.rmtree(folder / "runs", ignore_errors=True)
    return lambda: read_fer2013(folder / "data")


def _ours_again(folder: Path) -> Callable[[], object]:
    from fer_utils.datasets.fer2013 import read_fer2013

    return lambda: read_fer2013(folder / "data")


def _twin_scan(folder: Path) -> Callable[[], object]:
    from fer_utils.datasets.fer2013 import read_fer2013
    from fer_utils.datasets.twins import near_pairs, picture_numbers, portraits
    from fer_utils.faces import concatenate

    faces = concatenate(*(part for _, part in read_fer2013(folder / "data").items()))

    def scan():
        compared = portraits(faces)
        return picture_numbers(faces), near_pairs(compared, compared), near_pairs(compared, compared.mirrored())
    return scan


TORCHVISION = "torchvision.datasets.FER2013, train and test, 35,887 rows"
OURS, CACHED = "read_fer2013, all 35,887 rows, checked and cached", "read_fer2013, again"
SCAN = "twins among all 35,887 faces: identical, near, mirrored"
_CASES = {TORCHVISION: _torchvision, OURS: _ours, CACHED: _ours_again, SCAN: _twin_scan}


def _run_case(name: str, folder: Path) -> dict:
    """Seconds and memory of one case, in this process; imports and, for the scan, loading come before."""
    work = _CASES[name](folder)
    before, started = peak_mb(), time.perf_counter()
    work()
    return {"seconds": time.perf_counter() - started, "peak_mb": peak_mb(), "added_mb": peak_mb() - before}


def peak_mb() -> float:
    """The largest memory this process has held, in MB (Linux counts in KiB, macOS in bytes)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def _write(table: pd.DataFrame, ratios: dict[str, float], name: str) -> None:
    """``tables/benchmarks/NAME.csv`` and ``.md``: cases, then ratios, and on what they were measured."""
    from fer_utils.tables.text import markdown_table   # not at the top: a case's process imports no more than it needs

    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPU cores, Python {platform.python_version()}"
    folder = project_root() / "tables" / "benchmarks"
    with atomic_write(folder / f"{name}.csv", "w", encoding="utf-8") as file:
        table.assign(machine=machine).to_csv(file, index=False, lineterminator="\n", float_format="%.4g")
    shown = table.assign(**{column: table[column].map("{:,.2f}".format) for column in ("seconds", "peak_mb", "added_mb")})
    compared = pd.DataFrame({"ratio": list(ratios), "value": [f"{value:.2f}" for value in ratios.values()]})
    with atomic_write(folder / f"{name}.md", "w", encoding="utf-8") as file:
        file.write(f"Median of {ROUNDS} runs on: {machine}.\n\n{markdown_table(shown)}\n\n{markdown_table(compared)}\n")


if __name__ == "__main__":
    print(json.dumps(_run_case(sys.argv[1], Path(sys.argv[2]))))
