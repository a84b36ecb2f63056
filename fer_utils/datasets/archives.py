"""Zip and tar files read member by member, within stated limits; nothing is ever unpacked to disk.

An archive comes from somewhere else: a member may be named '../../x' or '/etc/x', declare a size no
disk holds, or unpack to far more than it declares. Each is refused with the member's name before
anything is read.
"""

import gzip
import lzma
import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fer_utils.core.errors import CompanionError
from fer_utils.core.file_kinds import described, stand_in, unexpected_kind

DAMAGED = (
    EOFError,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    gzip.BadGzipFile,
    zipfile.BadZipFile,
    tarfile.TarError,
    RuntimeError,
    ValueError,
    IndexError,
)
"""What the standard library raises for a truncated, damaged or unknown kind of archive."""
LARGEST_FILE = 1 << 30
"""Bytes of one data file or member, unpacked: fer2013.csv has 0.3 GB."""
LARGEST_ARCHIVE = 8 << 30
"""Bytes of all members of an archive: RAF-DB with its original pictures has 2 to 3 GB."""
MOST_MEMBERS = 500_000
_TARS = (".tar.gz", ".tgz", ".tar")
_ENCRYPTED = 1  # the flag of a zip member
_PACKINGS = {
    zipfile.ZIP_STORED,
    zipfile.ZIP_DEFLATED,
    zipfile.ZIP_BZIP2,
    zipfile.ZIP_LZMA,
    getattr(zipfile, "ZIP_ZSTANDARD", zipfile.ZIP_STORED),
}  # from Python 3.14 on
_DEFLATE64 = 9  # what Windows packs members of over two gigabytes with


def is_archive(name: str) -> bool:
    """Whether a file of that name is a zip or tar file."""
    return name.lower().endswith((".zip", *_TARS))


def list_members(path: Path) -> tuple[list[str], list[str]]:
    """Names of the regular files and of the links in an archive, as 'folder/file', in their order.

    Raises CompanionError naming the member that leads out of the archive, is there twice, or is
    larger than the limits of this module, and for an archive that can't be read.
    """
    files, links, total = [], [], 0
    with reading(path):
        for name, size, is_link in _headers(path):
            total += size
            _refuse_unsafe(path, name, size, total, len(files))
            (links if is_link else files).append(clean_name(name))
    twice = _first_repeated(files)
    if twice:
        raise CompanionError(
            f"{path}: the member '{twice}' is in the archive twice, so it is unclear which one "
            "counts. Download the archive again."
        )
    return files, links


def read_members(
    path: Path, wanted: set[str], *, limit: int = LARGEST_FILE
) -> Iterator[tuple[str, bytes]]:
    """(name, bytes) of the wanted members in the archive's own order, so that a tar file is
    unpacked once."""
    missing = set(wanted)
    with reading(path):
        for name, stream in _opened(path, wanted):
            missing.discard(name)
            yield name, bounded(stream, limit, f"{path} ({name})")
            if not missing:
                return


@contextmanager
def open_member(path: Path, member: str):
    """The bytes of one member as a binary stream."""
    opened = _opened(path, {member})
    try:
        yield next(opened)[1]
    finally:
        opened.close()


@contextmanager
def reading(where):
    """Turns whatever reading a file can raise into one CompanionError that names the file."""
    try:
        yield
    except PermissionError as problem:
        raise CompanionError(
            f"{where} can't be opened: no permission to read it. Change its permissions (chmod u+r)"
            " or its owner."
        ) from problem
    except (*DAMAGED, OSError) as problem:
        kind = isinstance(problem, DAMAGED) and unexpected_kind(Path(getattr(where, "path", where)))
        if kind:
            raise CompanionError(described(where, kind)) from problem
        # tarfile tells all it tried
        reason = str(problem).split("\n")[0].rstrip(":") or type(problem).__name__
        raise CompanionError(
            f"{where} can't be read to its end ({reason}). It is damaged or the download stopped "
            "early: download it again."
        ) from problem


def bounded(stream, limit: int, where: str) -> bytes:
    """All bytes of a stream; CompanionError when there are more than ``limit``, whatever its header
    says, and when it is a text that stands for the file."""
    data = stream.read(limit + 1)
    kind = stand_in(data)
    if kind:
        raise CompanionError(described(where, kind))
    if len(data) > limit:
        raise CompanionError(
            f"{where} has more than {size_text(limit)}, which no file of this data set has. It was "
            "not read any further: remove it, or download the original again."
        )
    return data


def clean_name(name: str) -> str:
    """A member's name with '/' between folders, whatever system packed it."""
    return re.sub(r"^(\./)+", "", name.replace("\\", "/"))


def size_text(count: int) -> str:
    """Bytes for people: '1.0 GB', '64 MB'."""
    return (
        f"{count / 1e9:.1f} GB"
        if count >= 1e9
        else f"{count / 1e6:.0f} MB"
        if count >= 1e6
        else f"{count:,} bytes"
    )


def _headers(path: Path) -> Iterator[tuple[str, int, bool]]:
    """Name, declared size and whether it is a link, of every member that is not a folder."""
    if path.suffix.lower() == ".zip":
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                if not info.is_dir():
                    _refuse_locked(path, info)
                    yield info.filename, info.file_size, info.external_attr >> 28 == 0xA  # S_IFLNK
        return
    with tarfile.open(path) as archive:
        for member in archive:  # a header is checked before the file behind it is skipped
            if not member.isdir():
                yield member.name, member.size, not member.isfile()


def _opened(path: Path, wanted: set[str]) -> Iterator[tuple[str, object]]:
    if path.suffix.lower() == ".zip":
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                if clean_name(info.filename) in wanted:
                    _refuse_locked(path, info)  # the list in the cache may be an earlier version's
                    with archive.open(info) as stream:
                        yield clean_name(info.filename), stream
        return
    with tarfile.open(path) as archive:
        for member in archive:
            if member.isfile() and clean_name(member.name) in wanted:
                with archive.extractfile(member) as stream:
                    yield clean_name(member.name), stream


def _refuse_locked(path: Path, info: zipfile.ZipInfo) -> None:
    """Raise CompanionError for a member that is intact but that Python does not unpack."""
    if info.flag_bits & _ENCRYPTED:
        raise CompanionError(
            f"{path}: the member '{info.filename}' is locked with a password. Unpack the "
            "archive with its password, and put the files in its place."
        )
    if info.compress_type not in _PACKINGS:
        packing = (
            "Deflate64" if info.compress_type == _DEFLATE64 else f"method {info.compress_type}"
        )
        raise CompanionError(
            f"{path}: the member '{info.filename}' is packed by {packing}, which Python "
            "does not unpack. Unpack the archive with the program that made it, and put the "
            "files in its place."
        )


def _refuse_unsafe(path: Path, name: str, size: int, total: int, count: int) -> None:
    clean = clean_name(name)
    if clean.startswith("/") or re.match(r"[A-Za-z]:", clean) or ".." in clean.split("/"):
        raise CompanionError(
            f"{path}: the member '{name}' leads out of the archive, which only a hostile archive "
            "needs. Nothing was unpacked: delete the file and download the original."
        )
    if size > LARGEST_FILE or total > LARGEST_ARCHIVE:
        raise CompanionError(
            f"{path}: the member '{name}' declares {size_text(size)} ({size_text(total)} so far);"
            f" the limits are {size_text(LARGEST_FILE)} a file and {size_text(LARGEST_ARCHIVE)} an"
            " archive. Nothing was unpacked: move it elsewhere if it is another data set's."
        )
    if count >= MOST_MEMBERS:
        raise CompanionError(
            f"{path} has more than {MOST_MEMBERS:,} members; no archive of this data set has. Move"
            " it out of the data folder."
        )


def _first_repeated(names: list[str]) -> str | None:
    seen = set()
    return next((name for name in names if name in seen or seen.add(name)), None)
