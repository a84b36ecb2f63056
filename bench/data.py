"""Reading FER2013 and searching it for twins, against torchvision's reader: ``python -m bench
data``."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd

from bench.measuring import MEDIANS, median_case, plainly, write_benchmark
from fer_utils.core.paths import data_folder
from fer_utils.datasets.fer2013_csv import CSV_NAMES, find_files
from fer_utils.datasets.sources import missing_data, open_source
from fer_utils.datasets.tree import look_into


def bench_data() -> Iterator[str]:
    """Read FER2013 and search it for twins, each against what it replaces; yields lines, and writes
    ``tables/benchmarks/data``. Raises CompanionError where there is no FER2013 CSV in the data
    folder."""
    contents = look_into(data_folder())
    sources = find_files(contents, CSV_NAMES)
    if not sources:
        raise missing_data(
            "FER2013",
            contents.folder,
            wanted="fer2013.csv, plain or gzipped",
            problems=contents.problems,
        )
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "data" / "fer2013" / "fer2013.csv"
        plain.parent.mkdir(parents=True)
        with open_source(sources[0]) as packed, open(plain, "wb") as file:
            shutil.copyfileobj(packed, file, 1 << 20)
        rows = []
        for name in CASES:
            rows.append(median_case(__name__, name, Path(folder)))
            yield f"{rows[-1]['case']}: {rows[-1]['seconds']:.2f} s, {rows[-1]['added_mb']:,.0f} MB"
    table = pd.DataFrame(rows).set_index("case")
    ratios = _data_ratios(table)
    table = table.reset_index()
    write_benchmark("data", table, plainly(table), ratios, about=MEDIANS)
    yield from (f"{name}: {value:.1f}" for name, value in ratios.items())


def _data_ratios(table: pd.DataFrame) -> dict[str, float]:
    plain, ours, again = (table.loc[name] for name in (TORCHVISION, OURS, CACHED))
    return {
        "times as fast when cold": plain["seconds"] / ours["seconds"],
        "share of the memory when cold (whole process)": ours["peak_mb"] / plain["peak_mb"],
        "share of the memory when cold (added by the work)": ours["added_mb"] / plain["added_mb"],
        "times as fast from the cache": plain["seconds"] / again["seconds"],
    }


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
    from fer_utils.core.faces import concatenate
    from fer_utils.datasets.fer2013 import read_fer2013
    from fer_utils.datasets.twins import near_pairs, picture_numbers, portraits

    faces = concatenate(*(part for _, part in read_fer2013(folder / "data").items()))

    def scan():
        compared = portraits(faces)
        return (
            picture_numbers(faces),
            near_pairs(compared, compared),
            near_pairs(compared, compared.mirrored()),
        )

    return scan


TORCHVISION = "torchvision.datasets.FER2013, train and test, 35,887 rows"
OURS, CACHED = "read_fer2013, all 35,887 rows, checked and cached", "read_fer2013, again"
SCAN = "twins among all 35,887 faces: identical, near, mirrored"
CASES = {TORCHVISION: _torchvision, OURS: _ours, CACHED: _ours_again, SCAN: _twin_scan}
