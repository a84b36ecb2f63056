"""Is one level better than another? Both were tested on the same images, so the images are compared in pairs.

An image that both get right, or both wrong, says nothing about which is better; McNemar's test looks at the others
alone. It takes the trained networks as they are. The bootstrap interval beside it also lets the training run vary.
"""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from fer_utils.emotions import EMOTIONS
from fer_utils.errors import CompanionError
from fer_utils.evaluation.bootstrap import image_draws, percentile_interval, seed_draws
from fer_utils.evaluation.predictions import level_rows
from fer_utils.evaluation.scoring import shares
from fer_utils.profiles import Profile

MIN_SEEDS = 3
"""Fewer runs of each side carry no verdict, whatever their p: nobody knows what luck in training did."""

PRIMARY, EXPLORATORY = "primary", "exploratory"


def compare(predictions: pd.DataFrame, profile: Profile, *, reference: str = "original",
            levels: Iterable[str] | None = None) -> pd.DataFrame:
    """Each level against ``reference``, one row per data set and level.

    Args:
        predictions: as ``read_predictions`` gives them; more than one data set may be in it.
        levels: those to compare, every one of them for every data set; without it all that are in ``predictions``,
            in the profile's order and then in their own.

    Columns:
        dataset, level, reference, n (test images), seeds (those that both sides have; only these are used).
        difference: mean accuracy of the level less that of the reference, over images and seeds, in points.
        low, high: percentile interval of it from ``evaluation.resamples`` resamples at ``evaluation.confidence``. Each
            draws the test images with replacement and, independently, the seeds with replacement; a drawn image or
            seed is drawn for both sides alike (Owen, "The pigeonhole bootstrap", Annals of Applied Statistics 1
            (2007), 386-411). With one seed the images alone vary; with two or three the share of the seeds is
            underestimated (their spread is divided by k, not k - 1).
        balanced, balanced_low, balanced_high: the same difference in balanced accuracy (``scores``), where each emotion counts
            alike whatever the number of its images; its interval from the same draws.
        b, c: images that only the level gets right, and only the reference, mean over seeds; so
            difference = 100 (b - c) / n.
        p: ``combined_p`` of the seeds' exact McNemar tests, which are in p_seed_<s>: the level's run of a seed with the
            reference's run of the same seed.
        b_seed_<s>, c_seed_<s>, p_seed_<s>: the same for each seed; empty where a row lacks the seed.

    Raises CompanionError if a level or the reference is missing, if the two sides share no seed, or if they were not
    tested on the same images.
    """
    chosen = None if levels is None else list(levels)
    rows = [_compared(predictions[predictions["dataset"] == dataset], dataset, level, reference, profile)
            for dataset in predictions["dataset"].unique()
            for level in chosen or _other_levels(predictions, dataset, reference, profile)]
    if not rows:
        raise CompanionError(f"No level to compare with '{reference}' in these predictions; there are: "
                             f"{', '.join(predictions['level'].unique()) or 'none'}.")
    table = pd.DataFrame(rows)
    by_seed = sorted((name for name in table if "_seed_" in name), key=lambda name: int(name.rsplit("_", 1)[1]))
    return table[[name for name in table if name not in by_seed] + by_seed]


def in_families(table: pd.DataFrame, profile: Profile) -> pd.DataFrame:
    """Rows of ``compare`` with two more columns after p. This is the only place where p-values are corrected.

    family: 'primary' for the levels of the profile's balancing.levels against Original, on all of its data sets together,
        the paper's question; 'exploratory' for all else (controls, comparisons with oversampling).
    p_holm: ``p`` after Holm's correction over the primary family; nan for exploratory rows, whose p stays uncorrected. A
        member of the family that was not trained yet counts as p = 1, so that no verdict gets easier by stopping early.
    """
    levels = [level for level in profile.balancing.levels if level != "original"]
    primary = (table["reference"] == "original") & table["level"].isin(levels)
    missing = len(levels) * len(profile.data.sets) - primary.sum()
    corrected = holm([*table.loc[primary, "p"], *np.ones(max(missing, 0))]) if primary.any() else []
    after = table.columns.get_loc("p") + 1
    found = table.copy()
    found.insert(after, "family", np.where(primary, PRIMARY, EXPLORATORY))
    found.insert(after + 1, "p_holm", np.nan)
    found.loc[primary, "p_holm"] = corrected[:primary.sum()]
    return found


def combined_p(p_values) -> float:
    """One p for "in no seed is one network better than the other", valid however the seeds' p-values depend on each other.

    K/k times the k-th smallest of the K, with k = K // 2 + 1, and at most 1: p itself of one, the larger of two, 3/2 of the
    middle of three (Rüger, Metrika 25 (1978), 171-178; Vovk and Wang, "Combining p-values via averaging", Biometrika 107
    (2020), 791-808). Why it holds: k of them are at most t only if their number, divided by k, is at least 1. That number
    is K t on average or less, so (Markov) it happens with a chance of K t / k at most; t = alpha k / K makes it alpha.
    The median alone is no p-value: of three that depend on each other it is under alpha with a chance of up to 3/2 alpha.
    """
    ordered = np.sort(np.asarray(p_values, float))
    k = len(ordered) // 2 + 1
    return float(min(1.0, len(ordered) / k * ordered[k - 1]))


def mcnemar_exact(b: int, c: int) -> float:
    """p of McNemar's exact test: were ``b`` and ``c`` discordant pairs equally likely, how often would they lie so far
    apart? Two-sided binomial (McNemar, Psychometrika 12 (1947), 153-157); 1 where there are none."""
    return float(mcnemar([[0, b], [c, 0]], exact=True).pvalue)


def holm(p_values) -> np.ndarray:
    """p-values after Holm's correction (Scandinavian Journal of Statistics 6 (1979), 65-70): among all that stay below
    0.05, the chance that even one was luck is at most 0.05."""
    return multipletests(np.asarray(p_values, float), method="holm")[1]


def right_answers(predictions: pd.DataFrame, dataset: str, level: str) -> pd.DataFrame:
    """Whether each run got each image right: bool, a row per image id (sorted), a column per seed (sorted)."""
    rows = level_rows(predictions, dataset, level)
    return rows.assign(right=rows["emotion"] == rows["predicted"]).pivot(index="id", columns="seed", values="right")


def _compared(rows, dataset: str, level: str, reference: str, profile: Profile) -> dict:
    ours, theirs = (right_answers(rows, dataset, name) for name in (level, reference))
    seeds = [seed for seed in ours.columns if seed in theirs.columns]
    if not seeds:
        raise CompanionError(f"{dataset}: {level} (seeds {_listed(ours)}) and {reference} (seeds {_listed(theirs)}) have no "
                             "seed in common, so no run of one can be paired with a run of the other. Train both with "
                             "the same training.seeds.")
    _check_same_images(rows, ours, theirs, f"{dataset}: {level} and {reference}")
    b, c = ((first[seeds] & ~second[seeds]).sum() for first, second in ((ours, theirs), (theirs, ours)))
    p = {seed: mcnemar_exact(b[seed], c[seed]) for seed in seeds}
    gains = ours[seeds].to_numpy(float) - theirs[seeds].to_numpy(float)
    every, emotions = np.ones((len(ours), 1)), _emotions(rows, ours.index)
    difference, low, high = _mean_gain(gains, every, profile)
    balanced, balanced_low, balanced_high = _mean_gain(gains, emotions, profile)
    return {"dataset": dataset, "level": level, "reference": reference, "n": len(ours), "seeds": len(seeds),
            "difference": difference, "low": low, "high": high,
            "balanced": balanced, "balanced_low": balanced_low, "balanced_high": balanced_high, "b": b.mean(), "c": c.mean(),
            "p": combined_p(list(p.values())),
            **{f"{name}_seed_{seed}": values[seed] for seed in seeds
               for name, values in (("b", b), ("c", c), ("p", p))}}


def _mean_gain(gains: np.ndarray, groups: np.ndarray, profile: Profile) -> tuple[float, float, float]:
    """Mean over ``groups`` [images, groups] (which images each holds) and seeds of the groups' mean gain, in points, and
    its interval; ``gains`` is [images, seeds]. A group of which no image was drawn is left out of that draw."""
    n, seeds = gains.shape
    in_groups = (gains[:, :, None] * groups[:, None, :]).reshape(n, -1)

    def by_seed(weights: np.ndarray) -> np.ndarray:
        drawn = (weights @ groups)[:, None, :]
        sums = (weights @ in_groups).reshape(len(weights), seeds, -1)
        return np.nanmean(shares(sums, drawn), axis=2)

    found = 100 * by_seed(np.ones((1, n))).mean()
    drawn = (np.concatenate([by_seed(weights) for weights in image_draws(n, profile)]) * seed_draws(seeds, profile)).sum(axis=1)
    return float(found), *percentile_interval(found, 100 * drawn / seeds, profile.evaluation.confidence)


def _emotions(rows: pd.DataFrame, ids: pd.Index) -> np.ndarray:
    """float [images, 7]: 1 where the image of ``ids`` has that label."""
    labels = rows.drop_duplicates("id").set_index("id")["emotion"].loc[ids]
    return (labels.to_numpy()[:, None] == np.array(EMOTIONS)).astype(float)


def _other_levels(predictions, dataset: str, reference: str, profile: Profile) -> list[str]:
    there = predictions.loc[predictions["dataset"] == dataset, "level"].unique()
    known = [level for level in profile.balancing.levels if level in there]
    return [level for level in (*known, *(name for name in there if name not in known)) if level != reference]


def _check_same_images(rows, ours: pd.DataFrame, theirs: pd.DataFrame, what: str) -> None:
    if not ours.index.equals(theirs.index) or rows.groupby("id")["emotion"].nunique().max() > 1:
        raise CompanionError(f"{what} were not tested on the same images with the same labels: "
                             f"{len(ours.index.symmetric_difference(theirs.index)):,} of {len(ours):,} and "
                             f"{len(theirs):,} ids differ. Run stage 05 again for both.")


def _listed(right: pd.DataFrame) -> str:
    return ", ".join(map(str, right.columns))
