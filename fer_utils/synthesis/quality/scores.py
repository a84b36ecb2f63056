"""Scores of each synthetic face, and a filter on them that is off by default (``quality.filter``).

Filtering by a classifier trained on real faces alone is common where training sets are filled up
with synthetic ones; the paper states none.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.errors import CompanionError
from fer_utils.core.faces import FaceSet
from fer_utils.core.intervals import wilson_interval
from fer_utils.core.paths import atomic_write
from fer_utils.core.profiles import Profile
from fer_utils.core.stored import read_table
from fer_utils.synthesis.quality.nearest import Neighbours
from fer_utils.synthesis.quality.reader import Readings

COLUMNS = (
    "id",
    "generator",
    "emotion",
    "predicted",
    "confidence",
    "prompted_probability",
    "agrees",
    "nearest_real",
    "nearest_distance",
    "likest_real",
    "correlation",
)

FILTERS: dict[str, Callable[[pd.DataFrame, Profile], pd.Series]] = {
    "none": lambda scores, profile: pd.Series(True, scores.index),
    "agreement": lambda scores, profile: scores["agrees"],
    "confidence": (
        lambda scores, profile: (
            scores["agrees"] & (scores["confidence"] >= profile.quality.confidence)
        )
    ),
}
"""What each value of ``quality.filter`` keeps: all, faces in which the reader sees the emotion of
the prompt, or those of them in which it is sure enough (``quality.confidence``)."""


def score_faces(pool: FaceSet, read: Readings, found: Neighbours, train: FaceSet) -> pd.DataFrame:
    """One row per synthetic face, columns ``COLUMNS``.

    predicted, confidence: the emotion the reader reads and its probability; prompted_probability:
    that of the emotion prompted for. nearest_real, nearest_distance: the nearest training face in
    features; likest_real, correlation: in pixels.
    """
    names, rows = np.array(EMOTIONS), np.arange(len(pool))
    return pd.DataFrame(
        {
            "id": pool.ids.astype(object),
            "generator": pool.origin.astype(object),
            "emotion": names[pool.labels],
            "predicted": names[read.predicted],
            "confidence": read.probabilities.max(axis=1).astype(float),
            "prompted_probability": read.probabilities[rows, pool.labels].astype(float),
            "agrees": read.predicted == pool.labels,
            "nearest_real": train.ids[found.by_features].astype(object),
            "nearest_distance": found.distance,
            "likest_real": train.ids[found.by_pixels].astype(object),
            "correlation": found.correlation,
        }
    )


def write_scores(scores: pd.DataFrame, dataset: str, profile: Profile) -> None:
    """Keep the scores that the reader of one data set gave the pool, with six decimals."""
    with atomic_write(
        profile.paths.quality_scores(dataset), "w", encoding="utf-8", newline=""
    ) as file:
        scores.to_csv(file, index=False, lineterminator="\n", float_format="%.6f")


def read_scores(dataset: str, profile: Profile) -> pd.DataFrame:
    """The scores that ``write_scores`` kept; CompanionError tells to run stage 03 where there are
    none."""
    path = profile.paths.quality_scores(dataset)
    if not path.is_file():
        raise CompanionError(
            f"{path} is not there. Run stage 03 (notebooks/03_synthesis.ipynb) with the profile "
            f"'{profile.name}' first."
        )
    texts = dict.fromkeys(
        ("id", "generator", "emotion", "predicted", "nearest_real", "likest_real"), str
    )
    scores = read_table(path, dtype=texts)
    if (
        tuple(scores.columns) != COLUMNS
        or scores.isna().any(axis=None)
        or scores["agrees"].dtype != bool
    ):
        raise CompanionError(
            f"{path} is not a table of scores: expected the columns {', '.join(COLUMNS)} and no"
            f" empty cell, found {len(scores)} rows of {', '.join(scores.columns)}. Delete it and"
            " run stage 03 again."
        )
    return scores


def kept(scores: pd.DataFrame, profile: Profile) -> list[str]:
    """Ids of the synthetic faces that ``quality.filter`` keeps, in their order."""
    return scores.loc[FILTERS[profile.quality.filter](scores, profile), "id"].tolist()


def kept_table(scores: pd.DataFrame, profile: Profile) -> pd.DataFrame:
    """What every filter would keep: columns filter, used (whether the profile uses it), generator,
    emotion, n, kept, and kept_low, kept_high (the Wilson interval of the share, in faces)."""
    frames = []
    for name, keeps in FILTERS.items():
        groups = keeps(scores, profile).groupby([scores["generator"], scores["emotion"]])
        counts = groups.agg(n="size", kept="sum").reset_index()
        ends = [
            wilson_interval(row.kept, row.n, profile.evaluation.confidence)
            for row in counts.itertuples()
        ]
        counts[["kept_low", "kept_high"]] = [
            [row.n * end for end in pair] for row, pair in zip(counts.itertuples(), ends)
        ]
        frames.append(counts.assign(filter=name, used=name == profile.quality.filter))
    columns = ["filter", "used", "generator", "emotion", "n", "kept", "kept_low", "kept_high"]
    return pd.concat(frames, ignore_index=True)[columns]


def keep_good(manifest: pd.DataFrame, dataset: str, profile: Profile) -> pd.DataFrame:
    """The rows of the manifest that may enter the training sets of a data set: all, unless
    ``quality.filter`` is on."""
    if profile.quality.filter == "none":
        return manifest
    return manifest[manifest["id"].isin(kept(read_scores(dataset, profile), profile))]
