"""Shards: some hundred images of one generator with their rows of the manifest, in one file that is
whole or absent.

A shard's name ends in a hash of everything that decides its pixels. While it is made, what is
finished lies beside it in a hidden partial file, which every batch replaces.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.errors import CompanionError
from fer_utils.core.faces import FaceSet
from fer_utils.core.paths import atomic_write
from fer_utils.core.profiles import Profile
from fer_utils.synthesis.generators.identity import identity

MANIFEST_COLUMNS = (
    "id",
    "generator",
    "model",
    "weights",
    "lora",
    "scheduler",
    "without",
    "dtype",
    "prompt",
    "negative_prompt",
    "emotion",
    "seed",
    "attempt",
    "rejected",
    "steps",
    "guidance_scale",
    "size",
    "sha256",
)
"""model: address and commit, to read; weights: digest of a folder, or hub id, to compare; attempt:
how often the guards asked for another seed; rejected: why, in order; size: pixels of the image as
the generator made it; sha256: of the pixels as they lie in the pool."""


def plan_shards(prompts: pd.DataFrame, profile: Profile) -> dict[str, pd.DataFrame]:
    """Which rows of the prompt table go into which shard: {shard name: rows}.

    Within a generator and emotion, rows of one prompt stand together: its words are encoded once.
    """
    shards = {}
    for generator, rows in prompts.groupby("generator", sort=False):
        made_by = identity(generator, profile)
        rows = rows.sort_values(["emotion", "prompt", "id"], kind="stable")
        for number, start in enumerate(range(0, len(rows), profile.synthesis.shard_size)):
            part = rows.iloc[start : start + profile.synthesis.shard_size]
            shards[f"{generator}-{number:05d}-{_shard_hash(part, made_by, generator, profile)}"] = (
                part
            )
    return shards


def shard_path(name: str, profile: Profile) -> Path:
    """Where a finished shard lies."""
    return profile.paths.pool / f"{name}.npz"


def partial_path(name: str, profile: Profile) -> Path:
    """Where the finished part of a shard lies while the rest is made."""
    return profile.paths.pool / f".{name}.partial.npz"


def write_shard(path: Path, images: np.ndarray, rows: pd.DataFrame, made: dict) -> None:
    """Write images uint8 [N, S, S, 3], their rows of the manifest and how they were made (device,
    batch size, ...)."""
    with atomic_write(path) as file:
        np.savez(
            file,
            images=images,
            rows=np.array(rows[list(MANIFEST_COLUMNS)].to_json(orient="records")),
            made=np.array(json.dumps(made)),
        )


def read_shard(path: Path) -> tuple[np.ndarray, pd.DataFrame]:
    """Images and manifest rows of a shard; CompanionError says what to do with one that can't be
    read, or of which an image is not the one that its row tells of."""
    with _Opened(path) as shard:
        images, rows = shard["images"], _rows(shard)
        if len(images) != len(rows):
            raise ValueError(f"it has {len(images):,} images and {len(rows):,} rows")
        for name, image, recorded in zip(rows["id"], images, rows["sha256"]):
            if pixel_hash(image) != recorded:
                raise ValueError(
                    f"the pixels of its image {name} are not those that were made, by their SHA-256"
                )
        return images, rows


def pixel_hash(image: np.ndarray) -> str:
    """SHA-256 of the pixels of an image, as the manifest holds it."""
    return hashlib.sha256(image.tobytes()).hexdigest()


def read_rows(path: Path) -> pd.DataFrame:
    """The manifest rows of a shard alone; its images are not read."""
    with _Opened(path) as shard:
        return _rows(shard)


def how_made(path: Path) -> dict:
    """Device, batch size and package versions of a shard: what may change the low bits of its
    pixels."""
    with _Opened(path) as shard:
        return json.loads(str(shard["made"]))


class _Opened:
    """The arrays of a shard; whatever goes wrong while they are read becomes our own error."""

    def __init__(self, path: Path):
        self.path, self.arrays = path, None

    def __enter__(self):
        try:
            self.arrays = np.load(self.path, allow_pickle=False)
            return self.arrays
        except Exception as problem:
            raise self._unreadable(problem) from problem

    def __exit__(self, kind, problem, trace):
        self.arrays.close()
        if isinstance(problem, Exception):
            raise self._unreadable(problem) from problem

    def _unreadable(self, problem: Exception) -> CompanionError:
        return CompanionError(
            f"{self.path} is not a shard of the pool that can be read ({problem}). Delete it and"
            " run stage 03 again; only its images are made again."
        )


def _rows(shard) -> pd.DataFrame:
    rows = json.loads(str(shard["rows"]))
    strange = set(MANIFEST_COLUMNS) ^ set(rows[0] if rows else MANIFEST_COLUMNS)
    if strange:
        raise ValueError(f"its manifest lacks or adds the columns {', '.join(sorted(strange))}")
    return pd.DataFrame(rows, columns=list(MANIFEST_COLUMNS))


def shard_files(profile: Profile) -> list[Path]:
    """The finished shards of the pool; CompanionError where there is none."""
    shards = sorted(
        path for path in profile.paths.pool.glob("*.npz") if not path.name.startswith(".")
    )
    if not shards:
        raise CompanionError(
            f"No synthetic faces in {profile.paths.pool}: run stage 03 (03_synthesis) first."
        )
    return shards


def read_manifest(profile: Profile) -> pd.DataFrame:
    """One row for each image of the pool, ``MANIFEST_COLUMNS``, by id; no image is read."""
    found, seen = [], {}
    for path in shard_files(profile):
        found.append(read_rows(path))
        _refuse_repeated(found[-1], path, seen)
    return pd.concat(found, ignore_index=True).sort_values("id", kind="stable", ignore_index=True)


def read_shards(profile: Profile) -> Iterator[tuple[Path, np.ndarray, pd.DataFrame]]:
    """Shard after shard, so that memory holds one of them: (path, images, rows)."""
    seen: dict[str, Path] = {}
    for path in shard_files(profile):
        images, rows = read_shard(path)
        _refuse_repeated(rows, path, seen)
        yield path, images, rows


def load_pool(profile: Profile) -> tuple[FaceSet, pd.DataFrame]:
    """All synthetic faces made so far (RGB, ``synthesis.size``) and their manifest, in the order of
    their ids."""
    contents = [(images, rows) for _, images, rows in read_shards(profile)]
    manifest = pd.concat([rows for _, rows in contents], ignore_index=True)
    order = np.argsort(manifest["id"].to_numpy(dtype=str), kind="stable")
    manifest = manifest.iloc[order].reset_index(drop=True)
    images = np.concatenate([images for images, _ in contents])[order]
    return faces_of(images, manifest), manifest


def faces_of(images: np.ndarray, rows: pd.DataFrame) -> FaceSet:
    """Images and rows of the manifest as faces whose label is the emotion that was asked for."""
    labels = rows["emotion"].map(EMOTIONS.index).to_numpy(np.int64)
    return FaceSet(
        images, labels, rows["id"].to_numpy(dtype=str), rows["generator"].to_numpy(dtype=str)
    )


def _refuse_repeated(rows: pd.DataFrame, path: Path, seen: dict[str, Path]) -> None:
    """Raise CompanionError for an id that is there already; ``seen`` is which shard each id was in,
    and grows."""
    for name in rows["id"]:
        if name in seen:
            raise CompanionError(
                f"{path} holds the image {name}, which {seen[name]} holds too: one of the "
                "two shards is left from other settings. Run stage 03 again, which removes "
                "it; only what is missing is made again."
            )
        seen[name] = path


def _shard_hash(rows: pd.DataFrame, made_by: dict, generator: str, profile: Profile) -> str:
    """Changes with anything that changes a pixel of the shard; batch size, workers and device do
    not count."""
    settings = getattr(profile.generators, generator)
    facts = [
        rows[["id", "prompt", "negative_prompt", "seed"]].to_csv(index=False),
        made_by,
        settings.steps,
        settings.guidance_scale,
        settings.size,
        profile.synthesis.size,
        profile.synthesis.face_crop,
        list(MANIFEST_COLUMNS),
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:12]
