"""Everything about a generator that changes pixels, so that a shard can be told from one of another
generator."""

import functools
import hashlib
from pathlib import Path

from fer_utils.core.profiles import Profile
from fer_utils.synthesis.generators.addresses import lora_address, model_address

READ_WHOLE = 50_000_000
"""Bytes up to which a file counts by all of its content; of a larger one SAMPLES pieces are
read."""

SAMPLES, SAMPLE_BYTES = 64, 65_536
PARTS_OF_A_MODEL = {".safetensors", ".bin", ".json", ".txt", ".model"}


def identity(generator: str, profile: Profile) -> dict[str, str]:
    """weights, lora, scheduler, without and dtype of 'sd2' or 'sd3', as text; known before anything
    is loaded.

    A folder counts by its content, so it may move. A hub id counts with its ``revision``; where
    that is empty the newest commit is taken, and only the manifest says which one it was: a new
    commit may be a word in its README. Batch size, slicing, offload and compilation change no more
    than low bits and don't count.
    """
    settings = getattr(profile.generators, generator)
    return {
        "weights": _content(model_address(generator, profile), settings.revision),
        "lora": _content(lora_address(generator, profile), ""),
        "scheduler": settings.scheduler,
        "without": ",".join(sorted(settings.without)),
        "dtype": profile.synthesis.dtype,
    }


def _content(address: str | Path | None, revision: str) -> str:
    if isinstance(address, Path):
        return digest(address)
    return f"{address}@{revision}" if revision else address or ""


def digest(path: Path) -> str:
    """SHA-256 over the names and contents of a model's files; ``path`` is a folder or one file."""
    files = (
        [path]
        if path.is_file()
        else sorted(found for found in path.rglob("*") if _is_part(found, path))
    )
    whole = hashlib.sha256()
    for file in files:
        found = file.stat()
        whole.update(
            f"{file.relative_to(path).as_posix()}"
            f" {_file_digest(file, found.st_size, found.st_mtime_ns)}\n".encode()
        )
    return whole.hexdigest()


def _is_part(file: Path, folder: Path) -> bool:
    hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
    return file.is_file() and file.suffix in PARTS_OF_A_MODEL and not hidden


@functools.lru_cache(maxsize=4096)  # asked once for each shard; size and time tell a changed file
def _file_digest(file: Path, size: int, changed: int) -> str:
    with open(file, "rb") as opened:
        if size <= READ_WHOLE:
            return hashlib.file_digest(opened, "sha256").hexdigest()
        sampled = hashlib.sha256(str(size).encode())
        # training on changes all of the weights, so a sample of them tells
        for k in range(SAMPLES):
            opened.seek(k * (size - SAMPLE_BYTES) // (SAMPLES - 1))
            sampled.update(opened.read(SAMPLE_BYTES))
        return sampled.hexdigest()
