"""The quality of a pool for one data set, all parts of it together."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm

from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.faces import FaceSet
from fer_utils.core.intervals import wilson_interval
from fer_utils.core.profiles import Profile
from fer_utils.datasets import Splits
from fer_utils.synthesis.quality import inception, reader
from fer_utils.synthesis.quality.comparison import ALL, BOTH, COLUMNS, UNSEEN, comparison_table
from fer_utils.synthesis.quality.nearest import (
    Neighbours,
    closest_examples,
    is_close,
    nearest_among_training_faces,
    nearest_training_faces,
)
from fer_utils.synthesis.quality.reader import Readings, in_form_of, read_faces, reader_of
from fer_utils.synthesis.quality.scores import score_faces


@dataclass(frozen=True)
class Assessment:
    """What was found about a pool.

    table:      long, ``comparison.COLUMNS``; beside ``metrics.METRICS`` the shares 'agreement' and
    'close' and the mean
                'confidence'; features is the network behind a figure, or 'pixels'.
    scores:     one row per synthetic face, ``scores.COLUMNS``.
    faces:      the sets the figures show, in the data set's form: 'train', each generator's,
    ``UNSEEN``.
    neighbours: the nearest training faces of each of them but 'train'.
    """

    table: pd.DataFrame
    scores: pd.DataFrame
    faces: dict[str, FaceSet]
    neighbours: dict[str, Neighbours]


def assess_pool(
    dataset: str, profile: Profile, *, splits: Splits, pool: FaceSet, on_epoch=None
) -> Assessment:
    """Compare the pool with the training faces of a data set; ``pool.origin`` names each face's
    generator.

    Trains the reader of the data set where there is none yet; ``on_epoch`` is called as in
    ``training.train_model``. Its features are divided by one number, so that those of training
    faces have a mean square of 1: KID's kernel bends with the size of features, and the features of
    two readers differ in size.
    """
    network = reader_of(dataset, profile, splits, on_epoch=on_epoch)
    sets = {
        "train": in_form_of(dataset, splits.train, profile),
        "pool": in_form_of(dataset, pool, profile),
        UNSEEN: in_form_of(dataset, splits.validation, profile),
    }
    read = {
        name: read_faces(network, faces, device=profile.run.device) for name, faces in sets.items()
    }
    size = np.sqrt(np.mean(read["train"].features ** 2)) or 1
    read = {name: readings.scaled(1 / size) for name, readings in read.items()}
    found = {
        name: nearest_training_faces(sets[name], read[name], sets["train"], read["train"])
        for name in ("pool", UNSEEN)
    }
    among = nearest_among_training_faces(sets["train"], read["train"])
    groups = {name: pool.origin == name for name in sorted(set(pool.origin))}
    table = pd.concat(
        [
            _comparisons(sets, read, groups, profile),
            _readings_table(read, groups, profile),
            _close_table(sets, found, among, groups, profile),
        ]
    )
    faces = {
        "train": sets["train"],
        **{name: sets["pool"].select(mask) for name, mask in groups.items()},
        UNSEEN: sets[UNSEEN],
    }
    neighbours = {
        **{name: found["pool"].select(mask) for name, mask in groups.items()},
        UNSEEN: found[UNSEEN],
    }
    return Assessment(
        table.assign(dataset=dataset).reindex(columns=list(COLUMNS)).reset_index(drop=True),
        score_faces(pool, read["pool"], found["pool"], splits.train),
        faces,
        neighbours,
    )


def example_rows(found: Assessment, count: int, *, titles: Mapping[str, str]) -> dict[str, list]:
    """Rows of ``closest_examples`` for a figure, by pixels and then by features: of each generator
    (under its title) and of real unseen faces, which shows how near faces of different people come.
    """
    titles = {
        name: "real, unseen" if name == UNSEEN else titles.get(name, name)
        for name in found.neighbours
    }
    return {
        f"{title}\nby {by}": closest_examples(
            found.neighbours[name], found.faces[name], found.faces["train"], count, by=by
        )
        for by in ("pixels", "features")
        for name, title in titles.items()
    }


def _comparisons(
    sets: dict[str, FaceSet], read: dict[str, Readings], groups, profile: Profile
) -> pd.DataFrame:
    """``comparison_table`` in the reader's features, and in Inception's where its weights are at
    hand."""
    spaces = {reader.FEATURES: read}
    network = inception.load_inception()
    if network is not None:
        spaces[inception.FEATURES] = {
            name: inception.read_with_inception(network, faces, device=profile.run.device)
            for name, faces in sets.items()
        }
    return pd.concat(
        [
            comparison_table(
                space["train"],
                {g: space["pool"].select(mask) for g, mask in groups.items()},
                space[UNSEEN],
                profile,
            ).assign(features=name)
            for name, space in spaces.items()
        ]
    )


def _readings_table(read: dict[str, Readings], groups, profile: Profile) -> pd.DataFrame:
    """How often the reader reads the emotion of the label or prompt, and how sure it is of what it
    reads."""
    rows = []
    for name, emotion, source, mask in _groups(read, groups):
        part = read[source].select(mask)
        known = {
            "generator": name,
            "emotion": emotion,
            "features": reader.FEATURES,
            "seed": profile.quality.seed,
        }
        rows.append(
            {**known, "metric": "agreement", **_share(part.predicted == part.labels, profile)}
        )
        rows.append(
            {**known, "metric": "confidence", **_mean(part.probabilities.max(axis=1), profile)}
        )
    return pd.DataFrame(rows)


def _close_table(
    sets, found: dict[str, Neighbours], among: Neighbours, groups, profile: Profile
) -> pd.DataFrame:
    """Share of faces that are close to a training face, by features and by pixels
    (``nearest.CLOSE``)."""
    close = {name: is_close(neighbours, among) for name, neighbours in found.items()}
    return pd.DataFrame(
        [
            {
                "generator": name,
                "emotion": emotion,
                "metric": "close",
                "features": space,
                **_share(close[source].loc[mask, column], profile),
                "n_real": len(sets["train"]),
                "seed": profile.quality.seed,
            }
            for name, emotion, source, mask in _groups(sets, groups)
            for space, column in ((reader.FEATURES, "features"), ("pixels", "pixels"))
        ]
    )


def _groups(sets, groups: dict[str, np.ndarray]):
    """(row, emotion, set, mask of the set's faces) of every generator, of all of them and of unseen
    real faces."""
    labels = {name: sets[name].labels for name in ("pool", UNSEEN)}
    rows = [(name, "pool", mask) for name, mask in groups.items()]
    rows += [(BOTH, "pool", np.ones(len(labels["pool"]), bool))] if len(groups) > 1 else []
    rows.append((UNSEEN, UNSEEN, np.ones(len(labels[UNSEEN]), bool)))
    for name, source, mask in rows:
        for emotion in (*EMOTIONS, ALL):
            yield (
                name,
                emotion,
                source,
                mask if emotion == ALL else mask & (labels[source] == EMOTIONS.index(emotion)),
            )


def _share(true, profile: Profile) -> dict:
    """A share with its Wilson interval."""
    true = np.asarray(true)
    low, high = wilson_interval(true.sum(), len(true), profile.evaluation.confidence)
    return {"value": true.mean() if len(true) else np.nan, "low": low, "high": high, "n": len(true)}


def _mean(values: np.ndarray, profile: Profile) -> dict:
    """A mean with the interval of its standard error."""
    if len(values) < 2:
        return {
            "value": values.mean() if len(values) else np.nan,
            "low": np.nan,
            "high": np.nan,
            "n": len(values),
        }
    half = (
        norm.ppf((1 + profile.evaluation.confidence) / 2)
        * values.std(ddof=1)
        / np.sqrt(len(values))
    )
    return {
        "value": values.mean(),
        "low": values.mean() - half,
        "high": values.mean() + half,
        "n": len(values),
    }
