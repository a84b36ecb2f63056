"""Making single images of the pool again from their rows of the manifest, and comparing."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from fer_utils.core.errors import CompanionError
from fer_utils.core.profiles import Profile
from fer_utils.synthesis.generators.identity import identity
from fer_utils.synthesis.rendering import Renderer
from fer_utils.synthesis.shards import pixel_hash, read_manifest, read_shards

CLOSE, SHARE = 2, 0.999
"""An image made alone equals the one made in a batch within CLOSE of 255 on a share SHARE of its
values: the order in which a batch is summed changes low bits (PyTorch, "Numerical accuracy",
batched computations)."""


@dataclass(frozen=True)
class Remade:
    """An image made again: its row of the manifest, both images uint8 [S, S, 3]."""

    row: dict
    kept: np.ndarray
    image: np.ndarray

    @property
    def identical(self) -> bool:
        """Whether the pixels have the hash that the manifest states."""
        return pixel_hash(self.image) == self.row["sha256"]

    @property
    def share_close(self) -> float:
        """Share of values within ``CLOSE`` of the kept image."""
        return float((np.abs(self.image.astype(int) - self.kept) <= CLOSE).mean())

    @property
    def matches(self) -> bool:
        """Whether this is the same image, but for low bits."""
        return self.share_close >= SHARE


def remake(ids: list[str], profile: Profile) -> list[Remade]:
    """Each image made again, alone, in the order of ``ids``.

    Raises CompanionError for an id that is not in the pool, and where the generator is no longer
    the one it was made by.
    """
    kept = _find(ids, profile)
    renderers = {
        name: Renderer(name, profile) for name in {row["generator"] for row, _ in kept.values()}
    }
    for row, _ in kept.values():
        _check_same_generator(row, profile)
    return [Remade(*kept[name], _draw_again(kept[name][0], renderers)) for name in ids]


def some_ids(count: int, profile: Profile, *, seed: int = 0) -> list[str]:
    """``count`` random ids of the pool."""
    ids = read_manifest(profile)["id"].to_numpy(str)
    return np.random.default_rng(seed).choice(ids, min(count, len(ids)), replace=False).tolist()


def _draw_again(row: dict, renderers: dict[str, Renderer]) -> np.ndarray:
    return renderers[row["generator"]].draw([row["prompt"]], [row["seed"]])[0][0]


def _find(ids: list[str], profile: Profile) -> dict[str, tuple[dict, np.ndarray]]:
    found = {}
    for _, images, rows in read_shards(profile):
        for k in np.flatnonzero(rows["id"].isin(ids)):
            found[rows["id"].iloc[k]] = (rows.iloc[k].to_dict(), images[k])
    unknown = [name for name in ids if name not in found]
    if unknown:
        known = read_manifest(profile)["id"]
        raise CompanionError(
            f"The pool {profile.paths.pool} has no image '{unknown[0]}'. Its {len(known):,} ids run"
            f" from {known.iloc[0]} to {known.iloc[-1]}; read_manifest lists them."
        )
    return found


def _check_same_generator(row: dict, profile: Profile) -> None:
    settings = getattr(profile.generators, row["generator"])
    now = {
        **identity(row["generator"], profile),
        "negative_prompt": profile.synthesis.negative_prompt,
        "steps": settings.steps,
        "guidance_scale": settings.guidance_scale,
        "size": settings.size,
    }
    changed = [
        f"{name} was {row[name]!r} and is {value!r}"
        for name, value in now.items()
        if row[name] != value
    ]
    if changed:
        raise CompanionError(
            f"{row['id']} was made by another {row['generator']} than the profile '{profile.name}' "
            f"names now: {'; '.join(changed)}. Go back to those settings, or run stage 03 again."
        )


def as_table(remade: list[Remade]) -> pd.DataFrame:
    """One row for each image: id, generator, seed, identical, largest_difference (of 255),
    share_close, matches."""
    return pd.DataFrame(
        [
            {
                "id": one.row["id"],
                "generator": one.row["generator"],
                "seed": one.row["seed"],
                "identical": one.identical,
                "largest_difference": int(np.abs(one.image.astype(int) - one.kept).max()),
                "share_close": one.share_close,
                "matches": one.matches,
            }
            for one in remade
        ]
    )
