"""Finding the files of a data set, opening them whatever they are packed in, and keeping what was decoded."""

import gzip
import hashlib
import io
import os
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fer_utils.errors import CompanionError
from fer_utils.paths import atomic_write, cache_folder

DAMAGED = (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile, tarfile.TarError)
"""What the standard library raises for a truncated or damaged archive."""
_TARS = (".tar.gz", ".tgz", ".tar")
_LAYOUT = 1  # part of the cache's key: raise it when decoded arrays change


@dataclass(frozen=True)
class Source:
    """A file on disk, or a member of an archive on disk."""

    path: Path
    member: str | None = None

    def __str__(self) -> str:
        return f"{self.path} ({self.member})" if self.member else str(self.path)


def files_below(folder: Path, *, depth: int = 2) -> list[Path]:
    """Files in ``folder`` and up to ``depth`` folders under it, shallow ones first, each level by name."""
    levels = (sorted(folder.glob("*/" * level + "*")) for level in range(depth + 1))
    return [path for level in levels for path in level if path.is_file()]


def find_source(folder: Path, names: tuple[str, ...]) -> tuple[Source | None, list[str]]:
    """The first of ``names`` plain, then gzipped, then in a zip or tar file; and the archives that can't be read."""
    files = files_below(folder)
    for wanted in [name + ending for ending in ("", ".gz") for name in names]:
        for path in files:
            if path.name.lower() == wanted:
                return Source(path), []
    return _find_in_archives(files, names)


def _find_in_archives(files: list[Path], names: tuple[str, ...]) -> tuple[Source | None, list[str]]:
    unreadable = []
    for path in files:
        try:
            member = next((m for m in _members(path) if Path(m).name.lower() in names), None)
        except (*DAMAGED, OSError) as problem:
            unreadable.append(f"{path} ({problem})")
            continue
        if member:
            return Source(path, member), unreadable
    return None, unreadable


def _members(path: Path) -> Iterator[str]:
    """Names in an archive, read no further than asked for; nothing for other files."""
    if path.suffix.lower() == ".zip":
        with zipfile.ZipFile(path) as archive:
            yield from archive.namelist()
    elif path.name.lower().endswith(_TARS):
        with tarfile.open(path) as archive:
            yield from (member.name for member in archive)


@contextmanager
def open_source(source: Source):
    """The bytes of a source, unpacked, as a binary stream."""
    path = source.path
    if source.member is None:
        with (gzip.open if path.suffix.lower() == ".gz" else open)(path, "rb") as stream:
            yield stream
    elif path.suffix.lower() == ".zip":
        with zipfile.ZipFile(path) as archive, archive.open(source.member) as stream:
            yield stream
    else:
        with tarfile.open(path) as archive:
            member = next(m for m in archive if m.name == source.member)  # getmember() would unpack all of it first
            with archive.extractfile(member) as stream:
                yield stream


class HashingStream(io.RawIOBase):
    """Passes a stream on and takes the MD5 of what went by, so that a large file is read once."""

    def __init__(self, stream):
        self.stream, self.md5 = stream, hashlib.md5(usedforsecurity=False)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        data = self.stream.read(len(buffer))
        self.md5.update(data)
        buffer[:len(data)] = data
        return len(data)


def stamp(*paths: Path) -> str:
    """Number, names, sizes and times of files: a changed file changes it, an unchanged one need not be read."""
    digest = hashlib.sha256()
    for path in paths:
        found = os.stat(path)
        digest.update(f"{path.name} {found.st_size} {found.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


def cached_arrays(name: str, key: str, make: Callable[[], dict]) -> dict[str, np.ndarray]:
    """The arrays ``make`` returns, from the cache when they are there under this key (a stamp of the source)."""
    path = cache_folder() / f"{name}-{key}-{_LAYOUT}.npz"
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)
    except (OSError, ValueError, KeyError, *DAMAGED):
        arrays = make()  # absent or damaged: both are mended by decoding the source again
    with atomic_write(path) as file:
        np.savez(file, **arrays)
    return arrays


def missing_data(title: str, folder: Path, *, wanted: str) -> CompanionError:
    """The error for data that is not there: where we looked, what belongs there, and FER_DATA."""
    state = "does not exist" if not folder.is_dir() else "was searched with the folders in it"
    setting = os.environ.get("FER_DATA")
    return CompanionError(
        f"{title} was not found: {folder} {state} (FER_DATA is {f'set to {setting}' if setting else 'not set'}). "
        f"Put {wanted} there, or set FER_DATA to the folder that holds it. "
        "The demo profile needs no data: --profile demo.")
