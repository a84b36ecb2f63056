"""Guards: an image that is black, constant, not a number, a duplicate or a copy of a test face is
made again.

The next seed of an image is its seed plus ``NEXT_SEED``: no other image of the pool has it, so
neither the batch size nor the number of workers changes any seed.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from fer_utils.core.errors import CompanionError
from fer_utils.datasets.gate import HeldOut, copies_among
from fer_utils.synthesis.shards import faces_of, pixel_hash

NEXT_SEED = 10_000_000
"""More than the prompt table ever counts to (a million for each of seven emotions)."""

BLACK, CONSTANT = 8, 1.0
"""Largest value that still counts as black, and standard deviation below which an image is all one
colour (of 0..255)."""

Draw = Callable[[list[str], list[int]], tuple[np.ndarray, np.ndarray]]
"""Prompts and seeds to images uint8 [N, S, S, 3] and, bool [N], whether all their values were
numbers."""


def draw_sound(
    draw: Draw,
    rows: pd.DataFrame,
    *,
    known: set[str],
    attempts: int,
    held_out: HeldOut | None = None,
    correlation: float = 0.95,
) -> tuple[np.ndarray, pd.DataFrame]:
    """Images for these rows of the prompt table that no guard objects to, and the rows with the
    columns ``seed`` (of the image as it is), ``attempt``, ``rejected`` and ``sha256``; rows that
    have been rejected before go on from there.

    known: sha256 of images that must not come again. Raises CompanionError if an image is still
    unsound after ``attempts`` seeds.
    """
    begun = {name: rows.get(name, start) for name, start in (("attempt", 0), ("rejected", ""))}
    rows = rows.assign(**begun, sha256="").reset_index(drop=True)
    images, pending = None, np.arange(len(rows))
    for attempt in range(attempts):
        some = rows.iloc[pending]
        drawn, finite = draw(some["prompt"].tolist(), some["seed"].tolist())
        images = drawn if images is None else images
        images[pending] = drawn
        rows.loc[pending, "sha256"] = [pixel_hash(image) for image in drawn]
        sound = set(rows["sha256"].drop(pending)) | known
        faults = _faults(drawn, rows.iloc[pending], finite, sound, held_out, correlation)
        pending, faults = pending[faults != ""], faults[faults != ""]
        if not len(pending):
            return images, rows
        rows.loc[pending, "rejected"] += (
            np.where(rows.loc[pending, "rejected"] == "", "", "; ") + faults
        )
        if attempt + 1 < attempts:
            rows.loc[pending, "seed"] += NEXT_SEED
            rows.loc[pending, "attempt"] += 1
    raise CompanionError(_given_up(rows.iloc[pending], attempts))


def _faults(
    images: np.ndarray,
    rows: pd.DataFrame,
    finite: np.ndarray,
    sound: set[str],
    held_out: HeldOut | None,
    correlation: float,
) -> np.ndarray:
    """The first objection to each image, '' where there is none: str [N]."""
    hashes = rows["sha256"]
    objections = {
        "not a number": ~finite,
        "black": images.reshape(len(images), -1).max(1) <= BLACK,
        "constant": images.std(axis=(1, 2)).max(1) < CONSTANT,
        "duplicate": (hashes.duplicated() | hashes.isin(sound)).to_numpy(),
    }
    if held_out is not None:
        copied = copies_among(faces_of(images, rows), held_out, correlation=correlation)["id"]
        objections["copy of a validation or test face"] = rows["id"].isin(copied).to_numpy()
    return np.select(list(objections.values()), list(objections), default="")


def _given_up(rows: pd.DataFrame, attempts: int) -> str:
    first = rows.iloc[0]
    return (
        f"{len(rows):,} images are still unsound after {attempts} seeds each, the first is"
        f" {first['id']} of {first['generator']} ({first['rejected']}), prompt '{first['prompt']}'."
        " Black images and values that are no numbers come from half precision in most cases: try"
        " synthesis.dtype=bfloat16 or float32. Duplicates and constant images mean that the model"
        " does not listen to its seed: check its steps, scheduler and weights. What was made so"
        " far is kept."
    )
