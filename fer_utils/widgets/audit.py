"""Notebook 07: which mean of the class accuracies gives the printed overall, for each rounding and
test set."""

from collections.abc import Mapping

import pandas as pd

from fer_utils import figures
from fer_utils.audit.report import FREE
from fer_utils.audit.rounding import ROUNDINGS
from fer_utils.audit.verdicts import ANY, IMPLIED
from fer_utils.core.profiles import Profile
from fer_utils.figures.audit import implied_sentences
from fer_utils.widgets.explorer import Choice, View, explore


def implied_accuracies(
    checks: pd.DataFrame, *, rounding: str, test_sets: Mapping[str, str]
) -> pd.DataFrame:
    """Of ``audit.audit_columns`` what ``figure_a3_implied_accuracy`` draws, for one rounding and
    test set.

    test_sets: data set -> the name of one of its test sets.
    """
    chosen = checks[
        (checks["check"] == IMPLIED) & (checks["rounding"] == rounding) & (checks["mean"] != FREE)
    ]
    return chosen[
        (chosen["test_set"] == ANY) | (chosen["test_set"] == chosen["dataset"].map(test_sets))
    ]


def implied_accuracy_explorer(
    checks: pd.DataFrame,
    profile: Profile,
    *,
    level_titles: dict[str, str],
    rounding: str = "half-up",
):
    """Drop-down lists for rounding and test sets above the figure; without a reader the figure
    alone."""
    sets = {
        dataset: list(dict.fromkeys(rows["test_set"]))
        for dataset, rows in checks[
            (checks["check"] == IMPLIED) & (checks["test_set"] != ANY)
        ].groupby("dataset", sort=False)
    }

    def draw(rounding: str, **test_sets: str) -> View:
        implied = implied_accuracies(checks, rounding=rounding, test_sets=test_sets)
        figure = figures.figure_a3_implied_accuracy(implied, level_titles=level_titles)
        sentences = implied_sentences(implied, level_titles)
        return View(
            figures.render(figure, profile),
            alt=figures.alt_text(figure, profile.stamp),
            words="<br>".join(sentences),
        )

    rules = [(f"{name}: {text}", name) for name, text in ROUNDINGS.items()]
    return explore(
        draw,
        {
            "rounding": Choice("rounding", rules, rounding),
            **{dataset: Choice(dataset, names) for dataset, names in sets.items()},
        },
    )
