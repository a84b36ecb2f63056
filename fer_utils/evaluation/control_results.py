"""What the controls amount to: how much of a level's gain is left when only balance, updates or
synthesis change.

A row rests on all its seeds, a difference on those that both sides have. Every table takes its
differences, p-values and readings from ``comparisons``, so that two sets compare alike in all of
them. Accuracies are in percent, differences in points.
"""

import pandas as pd
import torch

from fer_utils.balancing import FROM_POOL, read_balanced_set
from fer_utils.balancing.controls import (
    CONTROLS,
    RATIO_SWEEP,
    Run,
    answering_sets,
    chosen_controls,
    set_title,
)
from fer_utils.core.profiles import Profile
from fer_utils.core.stored import read_table
from fer_utils.datasets import dataset_info
from fer_utils.evaluation import (
    EXPLORATORY,
    OVERALL,
    PREFIXES,
    TOO_FEW,
    all_predictions,
    class_accuracy,
    compare,
    in_families,
    verdict,
)
from fer_utils.training import HISTORY, batches

OVERSAMPLING = "oversampling"
LEVEL = "level"
"""The group of Original and of the level whose class counts the controls share."""

_LEVEL_ANSWERS = (
    "What is there without balancing?",
    "What do balance, updates and synthesis give together?",
)


def control_results(profile: Profile) -> pd.DataFrame:
    """A row per data set for Original, ``controls.level`` and each control; none where the profile
    has no controls.

    Columns:
        dataset, control (or level), group (of ``controls.GROUPS``, or 'level'), answers (its
        question). faces: images an epoch, of a budget those of the set; synthetic: synthetic faces
        in the set; updates: optimizer steps
            of a run, mean over seeds.
        n (test images), seeds, accuracy (mean over seeds), sd (over seeds), low, high (Wilson
        interval). to_original (difference), to_original_seeds, to_original_family, to_original_low,
        to_original_high, to_original_p,
            to_original_p_holm: the row against Original, as ``comparisons`` gives them, and
            to_original_reading (``evaluation.verdict``); to_original_balanced,
            to_original_balanced_low, ...: in balanced accuracy. to_oversampling, ...: the same
            against oversampling; empty without it.
    """
    controls = chosen_controls(profile)
    if not controls:
        return pd.DataFrame()
    names = ["original", profile.controls.level, *(control.name for control in controls)]
    predictions = all_predictions(profile, levels=[*dict(answering_sets(profile))])
    compared = comparisons(predictions, profile)
    table = class_accuracy(predictions, profile)
    table = table[table["emotion"] == OVERALL].rename(columns={"level": "control"})
    table = table[["dataset", "control", "n", "seeds", "accuracy", "sd", "low", "high"]]
    described = pd.DataFrame(
        [_described(dataset, name, profile) for dataset in profile.data.sets for name in names]
    )
    table = described.merge(table, on=["dataset", "control"])
    for reference in ("original", OVERSAMPLING):
        table = table.merge(_against(reference, compared), how="left", on=["dataset", "control"])
    return table


def comparisons(predictions: pd.DataFrame, profile: Profile) -> pd.DataFrame:
    """``evaluation.compare`` of everything with Original and, where it is among the predictions,
    with oversampling, with the columns of ``evaluation.in_families``. Empty where nothing can be
    compared."""
    found = []
    for reference in ("original", OVERSAMPLING):
        levels = [
            level for level in predictions["level"].unique() if level not in ("original", reference)
        ]
        if levels and reference in set(predictions["level"]):
            found.append(compare(predictions, profile, reference=reference, levels=levels))
    return in_families(pd.concat(found, ignore_index=True), profile) if found else pd.DataFrame()


def ratio_sweep(results: pd.DataFrame, profile: Profile) -> pd.DataFrame:
    """The rows of ``control_results`` from no synthetic face among the added ones to only such,
    with the column percent."""
    shares = {name: 100 * CONTROLS[name].synthetic for name in RATIO_SWEEP} | {
        profile.controls.level: 100.0
    }
    rows = results[results["control"].isin(list(shares))]
    return rows.assign(percent=rows["control"].map(shares)).sort_values(
        ["dataset", "percent"], kind="stable"
    )


def in_words(results: pd.DataFrame, profile: Profile) -> str:
    """For each data set: is the level better than oversampling to the same class counts, and what
    updates alone give."""
    return "\n".join(
        f"- **{dataset_info(dataset).title}**: {_sentences(rows.set_index('control'), profile)}"
        for dataset, rows in results.groupby("dataset", sort=False)
    )


def _described(dataset: str, name: str, profile: Profile) -> dict:
    control = CONTROLS.get(name)
    answering = [Run(dataset, name, seed).answering for seed in dict(answering_sets(profile))[name]]
    runs = [read_table(run.folder(profile) / HISTORY, ["images"])["images"] for run in answering]
    index = read_balanced_set(dataset, answering[0].level, profile)
    return {
        "dataset": dataset,
        "control": name,
        "group": control.group if control else LEVEL,
        "answers": control.answers if control else _LEVEL_ANSWERS[name != "original"],
        "faces": len(index) if profile.training.updates else int(runs[0].iloc[0]),
        "synthetic": int(index["source"].isin(FROM_POOL).sum()),
        "updates": sum(_updates(images, profile) for images in runs) / len(runs),
    }


def _updates(images: pd.Series, profile: Profile) -> int:
    """Optimizer steps of a run whose epochs had so many images."""
    return sum(
        len(list(batches(torch.arange(count), profile.training.batch_size))) for count in images
    )


def _against(reference: str, compared: pd.DataFrame) -> pd.DataFrame:
    found = compared[compared["reference"] == reference].rename(columns={"level": "control"})
    names = ["seeds", "family"]
    for measure, prefix in PREFIXES.items():
        found[f"{prefix}reading"] = [verdict(row, measure) for row in found.to_dict("records")]
        names += [
            measure,
            *(f"{prefix}{name}" for name in ("low", "high", "p", "p_holm", "reading")),
        ]
    titles = {name: f"to_{reference}_{name}" for name in names} | {"difference": f"to_{reference}"}
    return found[["dataset", "control", *names]].rename(columns=titles)


def _sentences(rows: pd.DataFrame, profile: Profile) -> str:
    level = rows.loc[profile.controls.level]
    parts = [
        f"{set_title(level.name)} changes Original by {_points(level)} on {level['n']:,} test faces"
        f" (seeds: {level['seeds']})."
    ]
    if OVERSAMPLING in rows.index:
        parts.append(_synthesis(level, rows.loc[OVERSAMPLING]))
    if "equal_updates" in rows.index:
        parts.append(
            "As many updates without any balance change Original by"
            f" {_points(rows.loc['equal_updates'])}."
        )
    return " ".join(parts)


def _synthesis(level: pd.Series, oversampling: pd.Series) -> str:
    """Whether synthesis beats oversampling, by the reading of their difference that every
    comparison here has."""
    found = {
        "better": "The synthetic faces are **better than** repeated real ones",
        "open": "Whether synthetic or repeated real faces are better is **left open**",
        "worse": "The synthetic faces are **worse than** repeated real ones",
        TOO_FEW: (
            "Whether synthetic or repeated real faces are better is **not judged: too few seeds**"
        ),
    }
    return (
        f"Repeated real faces change it by {_points(oversampling)}."
        f" {found[level['to_oversampling_reading']]} ({EXPLORATORY}, p not corrected): the"
        f" difference is {level['to_oversampling']:+.1f} points"
        f" [{level['to_oversampling_low']:+.1f}, {level['to_oversampling_high']:+.1f}]."
    )


def _points(row: pd.Series) -> str:
    return (
        f"{row['to_original']:+.1f} points [{row['to_original_low']:+.1f},"
        f" {row['to_original_high']:+.1f}]"
    )
