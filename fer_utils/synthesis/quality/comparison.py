"""Synthetic against real training faces, each emotion alone and all together, at equal numbers and
with intervals.

A metric means something only beside the value that real faces reach at the same n. So the real
training faces of each emotion are split into halves, over and over: one half is the reference, the
other is the control, and of every generator as many faces are drawn as a half has.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.profiles import Profile
from fer_utils.synthesis.quality.metrics import METRICS, Sample, compare
from fer_utils.synthesis.quality.reader import Readings

ALL = "all"
"""All emotions together, each with as many real as synthetic faces: no class mix is taken for a
lack of quality."""
BOTH, HALF, UNSEEN = "both", "real half", "real unseen"
"""Rows that are no generator: all generators' faces as one pool; the control; real faces the reader
did not train on."""

COLUMNS = (
    "dataset",
    "features",
    "generator",
    "emotion",
    "metric",
    "value",
    "low",
    "high",
    "n",
    "n_real",
    "neighbours",
    "draws",
    "seed",
)


def comparison_table(
    train: Readings, generated: Mapping[str, Readings], validation: Readings, profile: Profile
) -> pd.DataFrame:
    """``METRICS`` per sample, emotion (and ``ALL``) and metric: columns generator, emotion, metric,
    value, low, high, n, n_real, neighbours, draws, seed.

    Samples are the generators by name, ``BOTH`` where there are several, ``HALF`` and ``UNSEEN``
    (validation faces; as many as a half has, or all where there are fewer). value is the mean over
    the draws, low and high are the outer percentiles that leave ``evaluation.confidence`` between
    them. nan where there are too few faces.
    """
    samples = {
        **generated,
        **({BOTH: together(generated)} if len(generated) > 1 else {}),
        UNSEEN: validation,
    }
    sizes = half_sizes(train, generated, profile.quality.faces_per_emotion)
    found: dict[tuple[str, str], list[tuple[int, int, dict]]] = {}
    for draw in range(profile.quality.draws):
        rng = np.random.default_rng((profile.quality.seed, draw))
        reference, control = _two_halves(train.labels, sizes, rng)
        drawn = {HALF: (train, control)} | {
            name: (sample, _some(sample.labels, sizes, rng)) for name, sample in samples.items()
        }
        for emotion in (*EMOTIONS, ALL):
            real = _sample(train, reference, emotion, profile)
            for name, (faces, chosen) in drawn.items():
                fake = _sample(faces, chosen, emotion, profile)
                found.setdefault((name, emotion), []).append(
                    (len(fake), len(real), compare(real, fake))
                )
    return pd.concat(
        [_summary(*key, results, profile) for key, results in found.items()], ignore_index=True
    )


def together(generated: Mapping[str, Readings]) -> Readings:
    """The faces of all generators as one set."""
    parts = list(generated.values())
    join = [
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("ids", "labels", "features")
    ]
    known = all(part.probabilities is not None for part in parts)
    return Readings(
        *join, np.concatenate([part.probabilities for part in parts]) if known else None
    )


def half_sizes(train: Readings, generated: Mapping[str, Readings], most: int) -> list[int]:
    """Faces of each emotion in a half: half of the real ones, but no more than each generator made,
    nor than ``most``."""

    def counts(sample: Readings) -> np.ndarray:
        return np.bincount(sample.labels, minlength=len(EMOTIONS))

    return np.minimum.reduce(
        [counts(train) // 2, *map(counts, generated.values()), np.full(len(EMOTIONS), most)]
    ).tolist()


def _two_halves(
    labels: np.ndarray, sizes: list[int], rng
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Positions of a reference and of a control that share no face, for each emotion."""
    orders = [rng.permutation(np.flatnonzero(labels == label)) for label in range(len(EMOTIONS))]
    return (
        [order[:size] for order, size in zip(orders, sizes)],
        [order[size : 2 * size] for order, size in zip(orders, sizes)],
    )


def _some(labels: np.ndarray, sizes: list[int], rng) -> list[np.ndarray]:
    return [
        rng.permutation(np.flatnonzero(labels == label))[:size] for label, size in enumerate(sizes)
    ]


def _sample(faces: Readings, chosen: list[np.ndarray], emotion: str, profile: Profile) -> Sample:
    positions = np.concatenate(chosen) if emotion == ALL else chosen[EMOTIONS.index(emotion)]
    return Sample(faces.features[positions], neighbours=profile.quality.neighbours)


def _summary(
    name: str, emotion: str, results: list[tuple[int, int, dict]], profile: Profile
) -> pd.DataFrame:
    tail = 100 * (1 - profile.evaluation.confidence) / 2
    n, n_real, _ = results[0]
    rows = []
    for metric in METRICS:
        values = np.array([each[metric] for _, _, each in results])
        low, high = np.percentile(values, [tail, 100 - tail])
        rows.append(
            {
                "generator": name,
                "emotion": emotion,
                "metric": metric,
                "value": values.mean(),
                "low": low,
                "high": high,
                "n": n,
                "n_real": n_real,
                "neighbours": profile.quality.neighbours,
                "draws": profile.quality.draws,
                "seed": profile.quality.seed,
            }
        )
    return pd.DataFrame(rows)
