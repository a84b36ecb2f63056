"""Did a training set change what a network can learn, or only when early stopping kept it?

The learning rate drops when the validation loss stands still, and early stopping ends a run soon
after. A set with more updates an epoch comes to that point after fewer epochs and overfits sooner,
so its networks may be kept before the drop and those of another set after it, whatever the faces
are. What the epochs after the drop reach is known of every run.
"""

from pathlib import Path

import pandas as pd

from fer_utils.core.profiles import Profile
from fer_utils.core.recipes import kept_epoch
from fer_utils.core.stored import read_table
from fer_utils.training import HISTORY


def around_the_drop(folder: Path, profile: Profile) -> pd.DataFrame:
    """A row for each run with a history in ``folder``/<data set>/<level>/<seed>, in that order.

    Columns dataset, level, seed; after: mean validation accuracy in % of the epochs after the
    learning rate first dropped, nan if it never did, and where it falls all along (a cosine);
    kept_before: whether the epoch whose weights were kept (``recipes.kept_epoch``) came before.
    """
    rows = []
    for path in sorted(folder.glob(f"*/*/*/{HISTORY}")):
        dataset, level, seed = path.parts[-4:-1]
        rows.append((dataset, level, int(seed), *_of(_history(path), profile.training)))
    return pd.DataFrame(rows, columns=["dataset", "level", "seed", "after", "kept_before"])


def after_the_drop(runs: pd.DataFrame, *, reference: str = "original") -> pd.Series:
    """``after`` of each level less that of the reference's run of the same seed, mean over data
    sets and seeds, in points; by level, without the reference, and without levels that share no
    such run with it."""
    wide = runs.pivot(index=["dataset", "seed"], columns="level", values="after")
    if reference not in wide:
        return pd.Series(dtype=float)
    return wide.sub(wide[reference], axis=0).drop(columns=reference).mean().dropna()


def _history(path: Path) -> pd.DataFrame:
    return read_table(path, ["epoch", "learning_rate", "validation_loss", "validation_accuracy"])


def _of(history: pd.DataFrame, settings) -> tuple[float, bool]:
    if settings.scheduler != "plateau":
        return float("nan"), False
    dropped = history["learning_rate"] < history["learning_rate"].iloc[0]
    return (
        history.loc[dropped, "validation_accuracy"].mean(),
        not dropped.iloc[kept_epoch(history, settings)],
    )
