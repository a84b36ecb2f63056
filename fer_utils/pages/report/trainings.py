"""The many runs of stage 5 in one table: where each ended, from its history and its predictions."""

import pandas as pd

from fer_utils.balancing.controls import set_title, training_options
from fer_utils.core.intervals import wilson_interval
from fer_utils.core.recipes import kept_epoch
from fer_utils.core.stored import read_table
from fer_utils.datasets import dataset_info
from fer_utils.pages.report.collect import Run
from fer_utils.pages.report.comparison import with_interval
from fer_utils.runner.freshness import read_record
from fer_utils.runner.stages import Unit
from fer_utils.training import HISTORY, PREDICTIONS

_OF_AN_EPOCH = ("epoch", "validation_loss", "validation_accuracy")


def training_table(run: Run) -> pd.DataFrame:
    """One row of texts per training, in the order in which they ran; the column ``unit`` names the
    run.

    Epochs, the one whose weights were kept with its validation loss and accuracy, and the test
    accuracy of this one seed with its interval. A run whose files are gone has empty cells.
    """
    rows = [
        _row(unit, run.profile)
        for unit in run.units
        if {"dataset", "level", "seed"} <= set(unit.parameters)
    ]
    return pd.DataFrame(rows).fillna("")


def _row(unit: Unit, profile) -> dict:
    given = unit.parameters
    row = {
        "unit": unit.name,
        "Data set": dataset_info(given["dataset"]).title,
        "Level": set_title(given["level"]),
        "Seed": str(given["seed"]),
    }
    folder = profile.paths.model(**given)
    if not (folder / HISTORY).is_file() or not (folder / PREDICTIONS).is_file():
        return row
    seconds = (read_record(unit, profile) or {}).get("seconds")
    settings = training_options(given["dataset"], given["level"], profile)[0].training
    return (
        row
        | _learnt(read_table(folder / HISTORY, _OF_AN_EPOCH), settings)
        | _tested(read_table(folder / PREDICTIONS, ["emotion", "predicted"]), profile)
        | {"Notebook took": "" if seconds is None else f"{seconds:.0f} s"}
    )


def _learnt(history: pd.DataFrame, settings) -> dict:
    kept = history.iloc[kept_epoch(history, settings)]
    return {
        "Epochs": f"{len(history)}",
        "Epoch kept": f"{kept['epoch']:.0f}",
        "Validation loss": f"{kept['validation_loss']:.3f}",
        "Validation accuracy (%)": f"{kept['validation_accuracy']:.1f}",
    }


def _tested(predictions: pd.DataFrame, profile) -> dict:
    right, n = (predictions["emotion"] == predictions["predicted"]).sum(), len(predictions)
    low, high = wilson_interval(right, n, profile.evaluation.confidence)
    return {
        "Test accuracy (%) [interval]": with_interval(100 * right / n, 100 * low, 100 * high),
        "Test images": f"{n:,}",
    }
