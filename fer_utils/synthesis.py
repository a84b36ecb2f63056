"""From the prompt table to a pool of synthetic faces (section III of the paper), written shard by shard.

Each image has its own seed and its own CPU generator, so that it can be made again alone (diffusers #612,
PR #1718). A shard is written atomically when all its images exist; a killed run continues with the next one.
"""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from fer_utils.emotions import EMOTIONS
from fer_utils.errors import CompanionError
from fer_utils.faces import FaceSet, resize_images
from fer_utils.generators.identity import identity
from fer_utils.generators.loading import call_options, load_generator, revision, text_arguments
from fer_utils.generators.settings import check_generator
from fer_utils.paths import atomic_write
from fer_utils.profiles import Profile

MANIFEST_COLUMNS = ("id", "generator", "weights", "prompt", "negative_prompt", "emotion", "seed", "steps",
                    "guidance_scale", "size", "sha256")


def make_pool(prompts: pd.DataFrame, profile: Profile, *,
              on_progress: Callable[[int, int], None] | None = None) -> pd.DataFrame:
    """Make every image of ``prompts`` that is not in the pool yet; returns the manifest, one row per image.

    ``on_progress(done, total)`` is called after each shard. Shards of other settings or prompts are removed
    only once their successors are complete.
    """
    wanted = plan_shards(prompts, profile)
    folder = profile.paths.pool
    for generator in {name.split("-")[0] for name in wanted if not (folder / f"{name}.npz").exists()}:
        check_generator(generator, profile)     # before the first of them works for days
    done = 0
    for generator in ("sd3", "sd2"):
        missing = {name: rows for name, rows in wanted.items()
                   if name.startswith(generator) and not (folder / f"{name}.npz").exists()}
        done += sum(len(rows) for name, rows in wanted.items() if name.startswith(generator) and name not in missing)
        pipeline = load_generator(generator, profile) if missing else None
        for name, rows in missing.items():
            images = generate_all(pipeline, rows, generator, profile)
            _write_shard(folder / f"{name}.npz", rows, images, revision(pipeline), profile)
            done += len(rows)
            if on_progress:
                on_progress(done, len(prompts))
    _remove_strangers(folder, wanted)
    return load_pool(profile)[1]


def plan_shards(prompts: pd.DataFrame, profile: Profile) -> dict[str, pd.DataFrame]:
    """Which rows go into which shard: {shard name: rows}; the name ends in a hash of rows and settings."""
    shards = {}
    for generator, rows in prompts.groupby("generator", sort=False):
        for number, start in enumerate(range(0, len(rows), profile.synthesis.shard_size)):
            part = rows.iloc[start:start + profile.synthesis.shard_size]
            shards[f"{generator}-{number:05d}-{_shard_hash(part, generator, profile)}"] = part
    return shards


def load_pool(profile: Profile) -> tuple[FaceSet, pd.DataFrame]:
    """All synthetic faces made so far (RGB, ``synthesis.size``) and their manifest, in the order of the prompts."""
    shards = sorted(profile.paths.pool.glob("*.npz"))
    if not shards:
        raise CompanionError(f"No synthetic faces in {profile.paths.pool}: run stage 03 (03_synthesis) first.")
    contents = [_read_shard(path) for path in shards]
    manifest = pd.concat([rows for _, rows in contents], ignore_index=True)
    order = np.argsort(manifest["id"].to_numpy(dtype=str), kind="stable")
    manifest = manifest.iloc[order].reset_index(drop=True)
    images = np.concatenate([images for images, _ in contents])[order]
    labels = np.array([EMOTIONS.index(emotion) for emotion in manifest["emotion"]], dtype=np.int64)
    faces = FaceSet(images, labels, manifest["id"].to_numpy(dtype=str), manifest["generator"].to_numpy(dtype=str))
    return faces, manifest


def generate(pipeline, prompts: list[str], *, negative_prompt: str, seeds: list[int], steps: int,
             guidance_scale: float, size: int) -> np.ndarray:
    """One image for each prompt, each from its own seed: uint8 [N, size, size, 3]."""
    made = pipeline(**text_arguments(pipeline, prompts, negative_prompt), num_inference_steps=steps,
                    guidance_scale=guidance_scale, height=size, width=size, output_type="np",
                    generator=[torch.Generator("cpu").manual_seed(seed) for seed in seeds],
                    **call_options(pipeline)).images
    return np.rint(made * 255).astype(np.uint8)


def generate_all(pipeline, rows: pd.DataFrame, generator: str, profile: Profile) -> np.ndarray:
    """The images of these rows of the prompt table, by the profile's settings, resized to ``synthesis.size``."""
    settings = getattr(profile.generators, generator)
    images = []
    for start in range(0, len(rows), settings.batch_size):
        batch = rows.iloc[start:start + settings.batch_size]
        made = generate(pipeline, batch["prompt"].tolist(), negative_prompt=profile.synthesis.negative_prompt,
                        seeds=batch["seed"].tolist(), steps=settings.steps, guidance_scale=settings.guidance_scale,
                        size=settings.size)
        images.append(resize_images(made, profile.synthesis.size, channels=3))
    return np.concatenate(images)


def _write_shard(path: Path, rows: pd.DataFrame, images: np.ndarray, weights: str, profile: Profile) -> None:
    settings = getattr(profile.generators, rows["generator"].iloc[0])
    manifest = rows[["id", "generator", "prompt", "negative_prompt", "emotion", "seed"]].assign(
        weights=weights, steps=settings.steps, guidance_scale=settings.guidance_scale, size=settings.size,
        sha256=[hashlib.sha256(image.tobytes()).hexdigest() for image in images])
    with atomic_write(path) as file:
        np.savez(file, images=images, rows=np.array(manifest[list(MANIFEST_COLUMNS)].to_json(orient="records")))


def _read_shard(path: Path) -> tuple[np.ndarray, pd.DataFrame]:
    try:
        with np.load(path, allow_pickle=False) as shard:
            return shard["images"], pd.DataFrame(json.loads(str(shard["rows"])), columns=list(MANIFEST_COLUMNS))
    except Exception as problem:
        raise CompanionError(f"{path} is not a shard of the pool that can be read ({problem}). Delete it and run "
                             "stage 03 again; only its images are made again.") from problem


def _shard_hash(rows: pd.DataFrame, generator: str, profile: Profile) -> str:
    """Changes with anything that changes a pixel of the shard; batch size does not count."""
    settings = getattr(profile.generators, generator)
    facts = [rows[["id", "prompt", "negative_prompt", "seed"]].to_csv(index=False), identity(generator, profile),
             settings.steps, settings.guidance_scale, settings.size, profile.synthesis.size]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:12]


def _remove_strangers(folder: Path, wanted: dict[str, pd.DataFrame]) -> None:
    for path in folder.glob("*.npz"):
        if path.stem not in wanted:
            path.unlink()
    for path in folder.glob(".*.tmp"):
        path.unlink()
