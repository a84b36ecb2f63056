"""Reading a network's answers for other class shares than those it was trained on: post-hoc logit
adjustment.

A network trained on equal classes answers as if all classes were equally frequent, whatever its
faces taught it. Dividing its probabilities by the shares it was trained on, and multiplying them by
others, takes that part away (Menon et al., "Long-tail learning via logit adjustment", ICLR 2021,
section 4.1). Nothing is trained for it, and at a strength of 1 nothing is chosen.
"""

import numpy as np
import pandas as pd

from fer_utils.balancing.controls import CONTROLS, Run
from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.paths import KEPT
from fer_utils.core.profiles import Profile
from fer_utils.core.stored import read_json
from fer_utils.datasets import stored_splits
from fer_utils.training import TRAINED_WITH

AS_TRAINED, NATURAL, EQUAL = READINGS = ("as trained", "natural shares", "equal shares")
EVEN = np.full(len(EMOTIONS), 1 / len(EMOTIONS))
_COLUMNS = [f"p_{emotion}" for emotion in EMOTIONS]


def read_for(
    predictions: pd.DataFrame,
    trained: np.ndarray,
    wanted: np.ndarray,
    *,
    strength: float = 1.0,
    smoothing: float = 0.0,
) -> pd.DataFrame:
    """``predictions`` of networks trained on the class shares ``trained`` [7], answered for
    ``wanted`` [7] (``weighted``)."""
    p = weighted(
        predictions[_COLUMNS].to_numpy(float),
        trained,
        wanted,
        strength=strength,
        smoothing=smoothing,
    )
    return predictions.assign(
        predicted=np.array(EMOTIONS, object)[p.argmax(axis=1)], **dict(zip(_COLUMNS, p.T))
    )


def weighted(
    p: np.ndarray,
    trained: np.ndarray,
    wanted: np.ndarray,
    *,
    strength: float = 1.0,
    smoothing: float = 0.0,
) -> np.ndarray:
    """Probabilities [N, 7] learnt from the class shares ``trained`` [7], as they would be for
    ``wanted`` [7].

    strength: tau; 0 leaves the answers as they are, 1 exchanges the one prior for the other. A
    class of which training had
        no face keeps its probability of next to nothing.
    smoothing: ``training.label_smoothing``. It teaches a network to give every class at least
    smoothing / 7, whatever it sees
        (Szegedy et al. 2016, section 7), which divided by a rare class's share would be its answer
        to everything; so that is taken off first.
    """
    p = np.clip((p - smoothing / len(EMOTIONS)) / (1 - smoothing), 0, None)
    p = (
        p
        * np.divide(wanted, trained, out=np.ones(len(EMOTIONS)), where=np.asarray(trained) > 0)
        ** strength
    )
    return p / p.sum(axis=1, keepdims=True)


def trained_on(run: Run, profile: Profile) -> dict:
    """What a finished run recorded of its training (``faces``, ``class_shares``, ...), beside its
    weights or where it is kept; empty where it recorded nothing."""
    beside, kept = run.folder(profile) / TRAINED_WITH, profile.paths.kept(*run) / KEPT
    if beside.is_file():
        return read_json(beside)
    return read_json(kept, ["trained_with"])["trained_with"] if kept.is_file() else {}


def trained_shares(run: Run, profile: Profile) -> np.ndarray:
    """float [7]: the class shares that the answers of a finished run stand for. Those it was
    trained on, as it recorded them; of runs that earlier versions kept without a record, those that
    its set has by definition; equal ones where a control reads Original's answers for them."""
    if run.answering != run:
        return EVEN
    if shares := trained_on(run, profile).get("class_shares"):
        return np.array(shares)
    control = CONTROLS.get(run.level)
    if run.level == "original" or (control and not control.balanced and not control.weighted):
        counts = np.array(list(stored_splits(run.dataset, profile).train.counts().values()), float)
        return counts / counts.sum()
    return EVEN


def natural_shares(dataset: str, profile: Profile) -> np.ndarray:
    """float [7]: the class shares of the data set's own training faces."""
    return trained_shares(Run(dataset, "original", profile.training.seeds[0]), profile)


def in_reading(predictions: pd.DataFrame, reading: str, profile: Profile) -> pd.DataFrame:
    """All of ``predictions`` (``evaluation.read_predictions``) answered for one of ``READINGS``."""
    runs = predictions.groupby(["dataset", "level", "seed"], sort=False)
    return pd.concat(
        [_read(rows, Run(*run), reading, profile) for run, rows in runs], ignore_index=True
    )


def _read(rows: pd.DataFrame, run: Run, reading: str, profile: Profile) -> pd.DataFrame:
    if reading == AS_TRAINED:
        return rows
    return read_for(
        rows,
        trained_shares(run, profile),
        EVEN if reading == EQUAL else natural_shares(run.dataset, profile),
        smoothing=profile.training.label_smoothing,
    )
