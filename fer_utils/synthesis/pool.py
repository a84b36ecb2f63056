"""Making the pool: every shard that is not there yet, one after the other or spread over a
cluster."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from fer_utils.core.errors import CompanionError
from fer_utils.core.profiles import Profile
from fer_utils.datasets import stored_splits
from fer_utils.datasets.gate import HeldOut
from fer_utils.synthesis.generators.batches import with_halving
from fer_utils.synthesis.generators.settings import check_generator
from fer_utils.synthesis.guards import draw_sound
from fer_utils.synthesis.rendering import Renderer
from fer_utils.synthesis.shards import (
    MANIFEST_COLUMNS,
    partial_path,
    plan_shards,
    read_manifest,
    read_shard,
    read_shards,
    shard_path,
    write_shard,
)

BYTES_PER_ROW = 1_000
"""Of the manifest, generously: a prompt, a negative prompt, three digests."""

_NOTHING = (None, pd.DataFrame(columns=list(MANIFEST_COLUMNS)))

OnProgress = Callable[[int, int], None]


def make_pool(
    prompts: pd.DataFrame,
    profile: Profile,
    *,
    held_out: HeldOut | None = None,
    on_progress: OnProgress | None = None,
) -> pd.DataFrame:
    """Make every image of ``prompts`` that is not in the pool yet; returns the manifest, one row
    per image.

    held_out: validation and test faces no image may copy (``held_out_faces``). ``on_progress(done,
    total)`` is called after each batch, or with ``run.cluster`` after each shard. Shards of other
    settings or prompts are removed only once their successors are complete. Raises CompanionError
    before anything is drawn where the disk can't hold it.
    """
    wanted = plan_shards(prompts, profile)
    missing = {
        name: rows for name, rows in wanted.items() if not shard_path(name, profile).exists()
    }
    check_space(sum(map(len, missing.values())), profile)
    for generator in {rows["generator"].iloc[0] for rows in missing.values()}:
        check_generator(generator, profile)  # before the first of them works for days
    count = _Count(len(prompts), len(prompts) - sum(map(len, missing.values())), on_progress)
    if profile.run.cluster and missing:
        from fer_utils.synthesis.cluster import make_on_cluster  # Ray is an optional extra

        make_on_cluster(missing, profile, held_out=held_out, on_shard=count.add)
    else:
        make_here(missing, profile, held_out=held_out, on_batch=count.add)
    remove_strangers(profile.paths.pool, wanted)
    replace_duplicates(profile, held_out=held_out)
    return read_manifest(profile)


def held_out_faces(profile: Profile) -> HeldOut | None:
    """The validation and test faces of all the profile's data sets, ready to be compared with; None
    without the gate."""
    if not profile.gate.enabled:
        return None
    return HeldOut(
        [
            part
            for name in profile.data.sets
            for part in (stored_splits(name, profile).validation, stored_splits(name, profile).test)
        ]
    )


def make_here(
    missing: dict[str, pd.DataFrame],
    profile: Profile,
    *,
    held_out: HeldOut | None,
    on_batch: Callable[[int], None],
) -> None:
    """Shard after shard in this process, one generator after the other."""
    renderer = None
    for name, rows in missing.items():
        generator = rows["generator"].iloc[0]
        if renderer is None or renderer.generator != generator:
            # the first model goes before the second comes
            renderer = None
            renderer = Renderer(generator, profile)
        make_shard(name, rows, renderer, held_out=held_out, on_batch=on_batch)


def make_shard(
    name: str,
    rows: pd.DataFrame,
    renderer: Renderer,
    *,
    held_out: HeldOut | None = None,
    on_batch: Callable[[int], None] = lambda count: None,
) -> Path:
    """Make one shard, or what its partial file lacks; ``on_batch(images)`` is called as they are
    made."""
    profile = renderer.profile
    partial = partial_path(name, profile)
    images, made = _continued(partial, rows)
    on_batch(len(made))
    left = rows.iloc[len(made) :]
    batch_size = 0
    if len(left):
        # all at once: offloaded text encoders travel once
        renderer.embeddings.prepare(left["prompt"].tolist())

    def draw(batch: pd.DataFrame):
        return draw_sound(
            renderer.draw,
            batch,
            known=set(made["sha256"]),
            attempts=profile.synthesis.attempts,
            held_out=held_out,
            correlation=profile.gate.correlation,
        )

    for batch, (drawn, drawn_rows) in with_halving(draw, left, renderer.settings.batch_size):
        drawn_rows = drawn_rows.assign(**renderer.made_with)[list(MANIFEST_COLUMNS)]
        images = np.concatenate([images, drawn]) if len(made) else drawn
        made = pd.concat([made, drawn_rows], ignore_index=True) if len(made) else drawn_rows
        batch_size = max(batch_size, len(batch))
        write_shard(partial, images, made, {})
        on_batch(len(batch))
    write_shard(shard_path(name, profile), images, made, _how(renderer, batch_size))
    partial.unlink(missing_ok=True)
    return shard_path(name, profile)


def check_space(images: int, profile: Profile) -> None:
    """CompanionError if the disk of the pool can't hold so many more images."""
    needed, free = pool_bytes(images, profile), free_bytes(profile.paths.pool)
    if needed > free:
        raise CompanionError(
            f"{images:,} more images need {needed / 1e9:.2f} GB, but the disk of"
            f" {profile.paths.pool} has {free / 1e9:.2f} GB free. Free some, or set FER_ROOT to a"
            " folder on another disk."
        )


def pool_bytes(images: int, profile: Profile) -> int:
    """Bytes of so many images on the disk, with their rows; one shard more, because a shard is
    written beside its part."""
    return (images + profile.synthesis.shard_size * bool(images)) * (
        3 * profile.synthesis.size**2 + BYTES_PER_ROW
    )


def free_bytes(folder: Path) -> int:
    """Free bytes of the disk on which a folder lies or will lie."""
    return shutil.disk_usage(next(path for path in (folder, *folder.parents) if path.exists())).free


def replace_duplicates(profile: Profile, *, held_out: HeldOut | None = None) -> None:
    """Make those images again that equal one of an earlier id in another shard.

    Within a shard the guards see to it; shards are made apart, so only the finished pool shows what
    is left.
    """
    manifest = read_manifest(profile)
    repeated = set(manifest.loc[manifest["sha256"].duplicated(), "id"])
    renderers = {}
    for path, images, rows in read_shards(profile) if repeated else ():
        again = rows.index[rows["id"].isin(repeated)]
        if len(again):
            generator = rows["generator"].iloc[0]
            renderer = renderers.setdefault(generator, Renderer(generator, profile))
            _redraw(again, images, rows, renderer, set(manifest["sha256"]), held_out)
            write_shard(path, images, rows, _how(renderer, 1))


def _redraw(
    again, images: np.ndarray, rows: pd.DataFrame, renderer: Renderer, known: set[str], held_out
) -> None:
    """Replace the images and rows at positions ``again``; an image that comes out the same counts
    as unsound."""
    settings = renderer.profile
    for k in again:
        drawn, row = draw_sound(
            renderer.draw,
            rows.loc[[k]],
            known=known,
            attempts=settings.synthesis.attempts,
            held_out=held_out,
            correlation=settings.gate.correlation,
        )
        images[k] = drawn[0]
        rows.loc[k, ["seed", "attempt", "rejected", "sha256"]] = row.loc[
            0, ["seed", "attempt", "rejected", "sha256"]
        ]


def remove_strangers(folder: Path, wanted) -> None:
    """Remove the shards and partial files of other settings and prompts, and what a killed writer
    left."""
    for path in folder.glob("*.npz"):
        if path.stem not in wanted:
            path.unlink()
    for path in folder.glob(".*"):
        path.unlink()


def _continued(partial: Path, rows: pd.DataFrame) -> tuple[np.ndarray | None, pd.DataFrame]:
    """What the partial file holds of a shard: the first of its rows, in order; nothing where it
    can't be read."""
    try:
        images, made = read_shard(partial)
    except CompanionError:
        return _NOTHING
    whole = made["id"].tolist() == rows["id"].iloc[: len(made)].tolist()
    return (images, made) if whole else _NOTHING


def _how(renderer: Renderer, batch_size: int) -> dict:
    """Nothing that changes from run to run: equal pools are equal bytes, and what stands on them
    stays fresh."""
    import diffusers

    return {
        "device": str(renderer.pipeline.device),
        "batch_size": batch_size,
        "torch": torch.__version__,
        "diffusers": diffusers.__version__,
    }


class _Count:
    """How many images are there, told to whoever watches."""

    def __init__(self, total: int, done: int, tell: OnProgress | None):
        self.total, self.done, self.tell = total, done, tell

    def add(self, images: int) -> None:
        self.done += images
        if images and self.tell:
            self.tell(self.done, self.total)
