"""Is one level better than another? Both were tested on the same images, so the images are compared
in pairs.

What the level gains on the reference is 1, 0 or -1 for each image and seed. The two-way model makes
of these numbers the mean gain, its interval and its p, in accuracy and in balanced accuracy.
"""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from statsmodels.stats.multitest import multipletests

from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.errors import CompanionError
from fer_utils.core.profiles import Profile
from fer_utils.evaluation.predictions import level_rows
from fer_utils.evaluation.two_way import RunVariance, pooled, two_way

MIN_SEEDS = 3
"""Fewer runs of each side carry no verdict, whatever their p: hardly anything is known of what luck
in training did."""

PRIMARY, EXPLORATORY = "primary", "exploratory"

SIGNIFICANT = 0.05
BETTER, WORSE, OPEN, TOO_FEW = VERDICTS = ("better", "worse", "open", "too few seeds")

PREFIXES = {"difference": "", "balanced": "balanced_"}
"""The two differences of a comparison, and what the names of their low, high, p and p_holm begin
with."""


def compare(
    predictions: pd.DataFrame,
    profile: Profile,
    *,
    reference: str = "original",
    levels: Iterable[str] | None = None,
) -> pd.DataFrame:
    """Each level against ``reference``, one row per data set and level.

    Args:
        predictions: as ``read_predictions`` gives them; more than one data set may be in it.
        levels: those to compare, every one of them for every data set; without it all that are in
        ``predictions``,
            in the profile's order and then in their own.

    Columns:
        dataset, level, reference, n (test images), seeds (those that both sides have; only these
        are used). difference: mean accuracy of the level less that of the reference, over images
        and seeds, in points; each seed's run of
            the level is paired with the reference's run of that seed.
        low, high, p: of ``two_way`` at ``evaluation.confidence``, which lets images and runs vary;
        how runs vary is ``pooled``
            from all levels of the profile. Of one seed the interval holds the images alone, and p
            is nan.
        balanced, balanced_low, balanced_high, balanced_p: the same in balanced accuracy
        (``scores``), where each emotion counts
            alike whatever the number of its images.
        b, c: images that only the level gets right, and only the reference, mean over seeds; so
            difference = 100 (b - c) / n.
        difference_seed_<s>, balanced_seed_<s>: the two differences of each seed; empty where a row
        lacks the seed.

    Raises CompanionError if a level or the reference is missing, if the two sides share no seed, or
    if they were not tested on the same images.
    """
    chosen, rows = None if levels is None else list(levels), []
    for dataset, found in predictions.groupby("dataset", sort=False):
        of_a_gain = _of_a_gain(found, dataset, profile)
        rows += [
            _compared(found, dataset, level, reference, of_a_gain, profile)
            for level in chosen or _other_levels(predictions, dataset, reference, profile)
        ]
    if not rows:
        raise CompanionError(
            f"No level to compare with '{reference}' in these predictions; there are: "
            f"{', '.join(predictions['level'].unique()) or 'none'}."
        )
    table = pd.DataFrame(rows)
    by_seed = sorted(
        (name for name in table if "_seed_" in name), key=lambda name: int(name.rsplit("_", 1)[1])
    )
    return table[[name for name in table if name not in by_seed] + by_seed]


def in_families(table: pd.DataFrame, profile: Profile) -> pd.DataFrame:
    """Rows of ``compare`` with three more columns after balanced_p. This is the only place where
    p-values are corrected.

    family: 'primary' for the levels of the profile's balancing.levels against Original, in both
    measures and on all of its data
        sets together, the paper's question; 'exploratory' for all else (controls, comparisons with
        oversampling).
    p_holm, balanced_p_holm: the two p after Holm's correction over the primary family; nan for
    exploratory rows, whose p stay
        uncorrected. A member of the family that was not trained yet, or only once, counts as p = 1,
        so that no verdict gets easier by stopping early.
    """
    levels = [level for level in profile.balancing.levels if level != "original"]
    primary = (table["reference"] == "original") & table["level"].isin(levels)
    p = table.loc[primary, [f"{prefix}p" for prefix in PREFIXES.values()]]
    found = table.copy()
    after = table.columns.get_loc("balanced_p") + 1
    for name, values in (
        ("balanced_p_holm", np.nan),
        ("p_holm", np.nan),
        ("family", np.where(primary, PRIMARY, EXPLORATORY)),
    ):
        found.insert(after, name, values)
    if primary.any():
        missing = max(len(PREFIXES) * len(levels) * len(profile.data.sets) - p.size, 0)
        corrected = holm([*p.fillna(1).to_numpy().ravel(), *np.ones(missing)])[: p.size].reshape(
            p.shape
        )
        found.loc[primary, [f"{name}_holm" for name in p]] = np.where(p.isna(), np.nan, corrected)
    return found


def holm(p_values) -> np.ndarray:
    """p-values after Holm's correction (Scandinavian Journal of Statistics 6 (1979), 65-70): among
    all that stay below 0.05, the chance that even one was luck is at most 0.05."""
    return multipletests(np.asarray(p_values, float), method="holm")[1]


def right_answers(predictions: pd.DataFrame, dataset: str, level: str) -> pd.DataFrame:
    """Whether each run got each image right: bool, a row per image id (sorted), a column per seed
    (sorted)."""
    rows = level_rows(predictions, dataset, level)
    return rows.assign(right=rows["emotion"] == rows["predicted"]).pivot(
        index="id", columns="seed", values="right"
    )


def _compared(
    rows, dataset: str, level: str, reference: str, of_a_gain: dict, profile: Profile
) -> dict:
    ours, theirs = (right_answers(rows, dataset, name) for name in (level, reference))
    seeds = [seed for seed in ours.columns if seed in theirs.columns]
    if not seeds:
        raise CompanionError(
            f"{dataset}: {level} (seeds {_listed(ours)}) and {reference} (seeds {_listed(theirs)})"
            " have no seed in common, so no run of one can be paired with a run of the other."
            " Train both with the same training.seeds."
        )
    _check_same_images(rows, ours, theirs, f"{dataset}: {level} and {reference}")
    b, c = (
        (first[seeds] & ~second[seeds]).sum().mean()
        for first, second in ((ours, theirs), (theirs, ours))
    )
    gains = 100 * (ours[seeds].to_numpy(float) - theirs[seeds].to_numpy(float))
    row = {
        "dataset": dataset,
        "level": level,
        "reference": reference,
        "n": len(ours),
        "seeds": len(seeds),
    }
    by_seed = {}
    for name, prefix in PREFIXES.items():
        found = two_way(
            gains,
            _groups(name, rows, ours.index),
            profile.evaluation.confidence,
            of_a_run=of_a_gain[name],
        )
        row |= {
            name: found.mean,
            f"{prefix}low": found.low,
            f"{prefix}high": found.high,
            f"{prefix}p": found.p,
        }
        by_seed |= {
            f"{name}_seed_{seed}": of_run for seed, of_run in zip(seeds, found.runs, strict=True)
        }
    return {**row, "b": b, "c": c, **by_seed}


def _of_a_gain(rows: pd.DataFrame, dataset: str, profile: Profile) -> dict[str, RunVariance | None]:
    """How a run's gain on a run of another set varies, for each of ``PREFIXES``: by twice the
    variance of a run, ``pooled`` from the levels of the profile. Controls are left out, so that
    none changes what is said of another."""
    there = set(rows["level"])
    right = [
        right_answers(rows, dataset, level) for level in profile.balancing.levels if level in there
    ]
    found = {
        name: pooled(
            [
                two_way(100 * runs.to_numpy(float), _groups(name, rows, runs.index)).runs
                for runs in right
            ]
        )
        for name in PREFIXES
    }
    return {
        name: of_a_run and RunVariance(2 * of_a_run.variance, of_a_run.freedom)
        for name, of_a_run in found.items()
    }


def _groups(name: str, rows: pd.DataFrame, ids: pd.Index) -> np.ndarray:
    """The images that weigh alike for a difference of ``PREFIXES``: all, or the seven emotions."""
    return emotion_groups(rows, ids) if name == "balanced" else np.ones((len(ids), 1))


def emotion_groups(rows: pd.DataFrame, ids: pd.Index) -> np.ndarray:
    """bool [images, 7]: whether the image of ``ids`` has that label; for ``two_way``."""
    labels = rows.drop_duplicates("id").set_index("id")["emotion"].loc[ids]
    return labels.to_numpy()[:, None] == np.array(EMOTIONS)


def _other_levels(predictions, dataset: str, reference: str, profile: Profile) -> list[str]:
    there = predictions.loc[predictions["dataset"] == dataset, "level"].unique()
    known = [level for level in profile.balancing.levels if level in there]
    return [
        level
        for level in (*known, *(name for name in there if name not in known))
        if level != reference
    ]


def _check_same_images(rows, ours: pd.DataFrame, theirs: pd.DataFrame, what: str) -> None:
    if not ours.index.equals(theirs.index) or rows.groupby("id")["emotion"].nunique().max() > 1:
        raise CompanionError(
            f"{what} were not tested on the same images with the same labels: "
            f"{len(ours.index.symmetric_difference(theirs.index)):,} of {len(ours):,} and "
            f"{len(theirs):,} ids differ. Run stage 05 again for both."
        )


def _listed(right: pd.DataFrame) -> str:
    return ", ".join(map(str, right.columns))


def verdict(row: Mapping, measure: str = "difference") -> str:
    """'better' or 'worse' than the reference in ``measure`` (of ``comparison.PREFIXES``), if p is
    under 0.05 (Holm's in the primary family, uncorrected elsewhere) and the interval leaves out 0;
    'open' else: this many images and runs do not decide it. 'too few seeds' under ``MIN_SEEDS``."""
    if row["seeds"] < MIN_SEEDS:
        return TOO_FEW
    low, high = (row[f"{PREFIXES[measure]}{end}"] for end in ("low", "high"))
    decided = decisive_p(row, measure) < SIGNIFICANT and low * high > 0
    return (BETTER if row[measure] > 0 else WORSE) if decided else OPEN


def decisive_p(row: Mapping, measure: str = "difference") -> float:
    """The p that ``verdict`` looks at."""
    return row[f"{PREFIXES[measure]}{'p_holm' if row['family'] == PRIMARY else 'p'}"]
