"""Explorers for notebooks: controls over pure functions, a still picture where nobody is there to touch them."""

import os
from collections.abc import Mapping

import pandas as pd
from IPython.display import Image

from fer_utils import figures
from fer_utils.audit.report import FREE
from fer_utils.audit.rounding import ROUNDINGS
from fer_utils.audit.verdicts import ANY, IMPLIED
from fer_utils.figures.audit import MEAN_TITLES
from fer_utils.profiles import Profile


def headless() -> bool:
    """Whether a notebook runs without a reader: ``notebook_runs.kernel_environment`` sets ``FER_HEADLESS``."""
    return bool(os.environ.get("FER_HEADLESS"))


def implied_accuracies(checks: pd.DataFrame, *, rounding: str, test_sets: Mapping[str, str]) -> pd.DataFrame:
    """Of ``audit.audit_columns`` what ``figure_a3_implied_accuracy`` draws, for one rounding and test set.

    test_sets: data set -> the name of one of its test sets.
    """
    chosen = checks[(checks["check"] == IMPLIED) & (checks["rounding"] == rounding) & (checks["mean"] != FREE)]
    return chosen[(chosen["test_set"] == ANY) | (chosen["test_set"] == chosen["dataset"].map(test_sets))]


def implied_sentences(implied: pd.DataFrame, level_titles: Mapping[str, str]) -> list[str]:
    """One sentence per data set: which columns' printed overall each mean fits."""
    sentences = []
    for dataset, rows in implied.groupby("dataset", sort=False):
        fitting = rows[rows["verdict"] == "fits"]
        fitted = {title: [level_titles.get(name, name) for name in fitting[fitting["mean"] == mean]["column"]]
                  for mean, title in MEAN_TITLES.items()}
        parts = [f"{title} fits {', '.join(names) or 'none'}" for title, names in fitted.items()]
        sentences.append(f"{dataset}: {'; '.join(parts)}")
    return sentences


def implied_accuracy_explorer(checks: pd.DataFrame, profile: Profile, *, level_titles: dict[str, str],
                              rounding: str = "half-up"):
    """Drop-down lists for rounding and test sets above the figure; without a reader the figure alone.

    The figure is drawn to bytes first: a matplotlib figure inside an output widget can stall a run.
    """
    choices = {dataset: list(dict.fromkeys(rows["test_set"]))
               for dataset, rows in checks[(checks["check"] == IMPLIED) & (checks["test_set"] != ANY)].groupby(
                   "dataset", sort=False)}

    def drawn(rounding: str, test_sets: Mapping[str, str]) -> tuple[bytes, str]:
        implied = implied_accuracies(checks, rounding=rounding, test_sets=test_sets)
        figure = figures.figure_a3_implied_accuracy(implied, level_titles=level_titles)
        return figures.render(figure, profile), "<br>".join(implied_sentences(implied, level_titles))

    if headless():
        return Image(data=drawn(rounding, {name: sets[0] for name, sets in choices.items()})[0], format="png")
    return _with_controls(drawn, choices, rounding)


def _with_controls(drawn, choices: dict[str, list[str]], rounding: str):
    from ipywidgets import HTML, Dropdown, HBox, VBox
    from ipywidgets import Image as Picture

    rule = Dropdown(options=[(f"{name}: {text}", name) for name, text in ROUNDINGS.items()], value=rounding,
                    description="rounding")
    sets = {name: Dropdown(options=options, description=name) for name, options in choices.items()}
    picture, verdict = Picture(format="png"), HTML()

    def update(_=None):
        picture.value, verdict.value = drawn(rule.value, {name: control.value for name, control in sets.items()})

    for control in (rule, *sets.values()):
        control.observe(update, names="value")
    update()
    return VBox([HBox([rule, *sets.values()]), picture, verdict])
