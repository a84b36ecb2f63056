"""What the benchmarks beside this package measured (``python -m bench``), read from their committed
tables."""

import pandas as pd

from fer_utils.core.paths import benchmarks_folder, committed_tables
from fer_utils.core.profiles import load_profile
from fer_utils.core.stored import read_table


def read_processors() -> pd.DataFrame:
    """The committed table: a row per variant, data set and level; none where it was never measured.

    Columns variant, dataset, level, n, seeds, accuracy, low, high; difference (to Original),
    difference_low, difference_high, reading (``evaluation.verdict``), empty for Original.
    """
    path = committed_tables("benchmarks") / "processors.csv"
    columns = ["variant", "dataset", "level", "accuracy"]
    return read_table(path, columns) if path.is_file() else pd.DataFrame(columns=columns)


def measured_rates(profile) -> tuple[dict[str, float], str]:
    """Images a second of each generator as ``tables/benchmarks/synthesis.csv`` has them, and the
    machine they were measured on; of those generators alone whose settings in this profile are the
    measured ones, demo's."""
    path, measured = benchmarks_folder() / "synthesis.csv", load_profile("demo")
    if not path.is_file():
        return {}, ""
    table = read_table(path, ["case", "images_per_second", "machine"]).set_index("case")
    same = [
        name
        for name in profile.values["generators"]
        if _settings(name, profile) == _settings(name, measured)
    ]
    return {name: float(table["images_per_second"][f"{name}: make_pool"]) for name in same}, str(
        table["machine"].iloc[0]
    )


def _settings(generator: str, profile) -> dict:
    """What decides how fast a generator is: all its settings but how many of the images it makes,
    and the precision."""
    return {
        **profile.values["generators"][generator],
        "share": None,
        "dtype": profile.synthesis.dtype,
    }
