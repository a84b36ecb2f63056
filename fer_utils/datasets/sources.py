"""A data file as a stream, whatever it is packed in; and the cache of what was decoded."""

import errno
import gzip
import hashlib
import io
import os
import shutil
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fer_utils.core.errors import CompanionError
from fer_utils.core.file_kinds import stand_in
from fer_utils.core.paths import atomic_write, cache_folder
from fer_utils.datasets.archives import DAMAGED, LARGEST_FILE, open_member, size_text

_LONGEST_LINE = 1 << 20
_LAYOUT = 2  # part of the cache's key: raise it when decoded arrays change


class NotKept(CompanionError):
    """What was decoded can't be kept in the cache: the fault of a disk, not of the data."""


@dataclass(frozen=True)
class Source:
    """A file on disk, or a member of an archive on disk."""

    path: Path
    member: str | None = None

    def __str__(self) -> str:
        return f"{self.path} ({self.member})" if self.member else str(self.path)


@contextmanager
def open_source(source: Source):
    """The bytes of a source, unpacked, as a binary stream."""
    path = source.path
    if source.member is not None:
        with open_member(path, source.member) as stream:
            yield stream
    else:
        with (gzip.open if path.suffix.lower() == ".gz" else open)(path, "rb") as stream:
            yield stream


class HashingStream(io.RawIOBase):
    """Passes a text file on and takes the MD5 of what went by, so that a large file is read once.

    ``problem`` is set, and the stream ends, where the file can't be such a text: larger than
    ``LARGEST_FILE`` however small it was packed, a line of over a megabyte, or another encoding.
    ``kind`` is that of a text that came in the table's place.
    """

    def __init__(self, stream):
        self.stream, self.md5 = stream, hashlib.md5(usedforsecurity=False)
        self.problem, self.kind, self._read, self._line = None, None, 0, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        data = b"" if self.problem else self.stream.read(len(buffer))
        self._inspect(data)
        if self.problem:
            return 0
        self.md5.update(data)
        buffer[: len(data)] = data
        return len(data)

    def _inspect(self, data: bytes) -> None:
        self.kind = self.kind if self._read else stand_in(data)
        self._read += len(data)
        self._line = self._line + len(data) if b"\n" not in data else len(data) - data.rindex(b"\n")
        if self.kind:
            self.problem = f"it is {self.kind.name}"
        elif self._read > LARGEST_FILE:
            self.problem = f"it unpacks to more than {size_text(LARGEST_FILE)}"
        elif b"\0" in data:
            self.problem = (
                "it is not UTF-8 text (it holds zero bytes: a binary file, or a text saved as"
                " UTF-16)"
            )
        elif self._line > _LONGEST_LINE:
            self.problem = f"it has a line of more than {size_text(_LONGEST_LINE)}"


def stamp(*paths: Path) -> str:
    """Number, names, sizes and times of files: a changed file changes it, an unchanged one need not
    be read."""
    digest = hashlib.sha256()
    for path in paths:
        found = os.stat(path)
        digest.update(os.fsencode(f"{path.name} {found.st_size} {found.st_mtime_ns}\n"))
    return digest.hexdigest()[:16]


def cached_arrays(name: str, key: str, make: Callable[[], dict]) -> dict[str, np.ndarray]:
    """The arrays ``make`` returns, from the cache when they are there under this key (a stamp of
    the source).

    Raises CompanionError, leaving nothing behind, where they can't be kept.
    """
    path = cache_folder() / f"{name}-{key}-{_LAYOUT}.npz"
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)
    except (OSError, KeyError, *DAMAGED):
        arrays = make()  # absent or damaged: both are mended by decoding the source again
    try:
        with atomic_write(path) as file:
            np.savez(file, **arrays)
    except OSError as problem:
        raise _cannot_keep(path, arrays, problem) from problem
    return arrays


def missing_data(
    title: str,
    folder: Path,
    *,
    wanted: str,
    problems: Iterable[str] = (),
    there: Iterable[str] = (),
) -> CompanionError:
    """The error for data that is not there: where we looked, what belongs there, FER_DATA, what
    can't be read, and what is ``there`` instead, as sentences."""
    state = (
        "does not exist"
        if not folder.is_dir()
        else "was searched with the folders and archives in it"
    )
    setting = os.environ.get("FER_DATA")
    setting = f"set to {setting}" if setting else "not set"
    blocked = [f"This was left out: {problem}." for problem in problems]
    return CompanionError(
        " ".join(
            [
                f"{title} was not found: {folder} {state} (FER_DATA is {setting}).",
                *blocked,
                *there,
                (
                    f"Put {wanted} there, or set FER_DATA to the folder that holds it. The demo"
                    " profile needs no data: --profile demo."
                ),
            ]
        )
    )


def _cannot_keep(path: Path, arrays: dict, problem: OSError) -> NotKept:
    needed = size_text(sum(np.asarray(array).nbytes for array in arrays.values()))
    if problem.errno in (errno.ENOSPC, errno.EDQUOT):
        folder = next(parent for parent in path.parents if parent.exists())
        return NotKept(
            f"{path} can't be written: the disk is full. The decoded images need {needed}, "
            f"{size_text(shutil.disk_usage(folder).free)} are free; no part of the file was left. "
            "Make room there, or set FER_ROOT to a folder on a larger disk."
        )
    return NotKept(
        f"{path} can't be written ({problem.strerror or problem}); the decoded images need "
        f"{needed} there. Make the folder writable, or set FER_ROOT to a folder that is."
    )
