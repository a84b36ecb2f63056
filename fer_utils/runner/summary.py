"""What a person reads when a run has ended: Table III side by side, where the files are, how long
it took."""

from pathlib import Path

import pandas as pd

from fer_utils.core.paths import project_root
from fer_utils.core.stored import read_table, text_table
from fer_utils.datasets import dataset_info
from fer_utils.runner.provenance import stage_seconds
from fer_utils.runner.stages import STAGES, units_of

TABLE_3 = "table_3_class_accuracy.csv"
_COLUMNS = ("dataset", "level", "emotion", "paper", "n", "seeds", "accuracy", "sd", "low", "high")


def summary(profile) -> str:
    """The text printed after ``reproduce``; everything in it is read from the files of the run."""
    stamp = f" ({profile.values['stamp']})" if profile.values["stamp"] else ""
    return "\n\n".join(
        [
            (
                f"Table III{stamp}, overall accuracy in"
                f" %:\n{text_table(overall_accuracy(profile, profile.paths.tables))}"
            ),
            "\n".join(f"{name:10} {_place(folder)}" for name, folder in _folders(profile).items()),
            "\n".join(f"{name:24} {took:7.0f} s" for name, took in _seconds(profile).items()),
        ]
    )


def report_line(profile) -> str:
    """Where the report of the run lies and how large it is."""
    path = profile.paths.report
    return (
        f"{'report':10} {_place(path)} ({path.stat().st_size / 1e6:.1f} MB, one file for a browser)"
    )


def overall_accuracy(profile, tables: Path) -> pd.DataFrame:
    """The overall rows of the Table III in ``tables``, the run's or the published ones: data set,
    level, the paper's accuracy, ours, its interval, images, seeds.

    Drawn faces have no number of the paper's beside them: it would be one for other faces.
    """
    table = read_table(tables / TABLE_3, _COLUMNS)
    rows = table[table["emotion"] == "overall"]
    drawn = all(dataset_info(name).is_demo for name in rows["dataset"])
    paper = {} if drawn else {"paper": rows["paper"].map("{:.2f}".format)}
    return pd.DataFrame(
        {
            "data set": rows["dataset"],
            "level": rows["level"],
            **paper,
            "ours": [_with_spread(row) for row in rows.itertuples()],
            f"{profile.evaluation.confidence:.0%} interval (faces)": [
                f"{low:.1f} to {high:.1f}"
                for low, high in zip(rows["low"], rows["high"], strict=True)
            ],
            "test images": rows["n"],
            "seeds": rows["seeds"],
        }
    ).reset_index(drop=True)


def _with_spread(row) -> str:
    return f"{row.accuracy:.1f}" if pd.isna(row.sd) else f"{row.accuracy:.1f} ± {row.sd:.1f}"


def _folders(profile) -> dict[str, Path]:
    return {
        "tables": profile.paths.tables,
        "figures": profile.paths.figures,
        "notebooks": profile.paths.notebooks,
    }


def _seconds(profile) -> dict[str, float]:
    seconds = stage_seconds(profile, units_of(STAGES, profile))
    return seconds | {"together": sum(seconds.values())}


def _place(path: Path) -> str:
    return path.relative_to(project_root()).as_posix()
