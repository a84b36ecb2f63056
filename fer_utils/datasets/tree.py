"""One view on a folder and on an archive: which files are in which folder, and their bytes in
order.

Left out and counted: what operating systems and tools leave behind (.DS_Store and other hidden
files, Thumbs.db, desktop.ini, __MACOSX). Kept apart, and an error once a data set needs them: link
loops, dangling links, folders that may not be read, special files.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from fer_utils.core.errors import CompanionError
from fer_utils.datasets.archives import (
    LARGEST_FILE,
    bounded,
    is_archive,
    list_members,
    read_members,
    reading,
)
from fer_utils.datasets.sources import cached_arrays, stamp

DEEPEST = 8
"""Folders below the data folder that are looked into."""
_ARCHIVES_AT = 4
_JUNK = {"thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx"}


@dataclass(frozen=True)
class Tree:
    """A folder or an archive at ``path``.

    folders:  'train/angry' -> names of the files in it, sorted ('' is the top).
    junk:     names of what was left out.
    problems: name -> why it can't be read.
    """

    path: Path
    folders: dict[str, list[str]] = field(default_factory=dict)
    junk: list[str] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)

    @property
    def packed(self) -> bool:
        """Whether this is an archive."""
        return is_archive(self.path.name)

    def where(self, name: str) -> str:
        """A file's place for messages: a path, or an archive with the member in brackets."""
        if not name:
            return str(self.path)
        return f"{self.path} ({name})" if self.packed else str(self.path / name)

    def names(self) -> Iterator[str]:
        """Every file, folder by folder."""
        return (join(folder, name) for folder, files in self.folders.items() for name in files)

    def read(
        self, names: Iterable[str], *, limit: int = LARGEST_FILE
    ) -> Iterator[tuple[str, bytes]]:
        """(name, bytes) of each file, in the order that is quickest; the place of a problem is in
        the error."""
        if self.packed:
            yield from read_members(self.path, set(names), limit=limit)
            return
        for name in names:
            with reading(self.path / name), open(self.path / name, "rb") as stream:
                data = bounded(stream, limit, self.where(name))
            yield name, data

    def read_one(self, name: str, *, limit: int = LARGEST_FILE) -> bytes:
        """The bytes of one file."""
        for _, data in self.read([name], limit=limit):
            return data
        raise CompanionError(f"{self.where(name)} is no longer there. Run the command again.")

    def stamp(self, names: Iterable[str]) -> str:
        """Changes when one of these files does; a packed file changes with its archive."""
        names = list(names)
        digest = hashlib.sha256("\n".join(names).encode("utf-8", "surrogateescape"))
        with reading(self.path):
            if self.packed:
                digest.update(stamp(self.path).encode())
            else:
                found = map(os.stat, [f"{self.path}/{name}" for name in names])
                digest.update(
                    "".join(f"{file.st_size} {file.st_mtime_ns}\n" for file in found).encode()
                )
        return digest.hexdigest()[:16]

    def refuse_problems(self, root: str) -> None:
        """Raise CompanionError for the first file below ``root`` that can't be read."""
        for name, problem in sorted(self.problems.items()):
            if is_below(name, root):
                raise CompanionError(f"{self.where(name)} {problem}.")

    def junk_below(self, root: str) -> list[str]:
        """What was left out below ``root``; of an archive, all of it."""
        return [name for name in self.junk if self.packed or is_below(name, root)]


@dataclass(frozen=True)
class Contents:
    """What lies in the data folder: the folder itself, then every readable archive in it; and what
    can't be read."""

    folder: Path
    trees: list[Tree]
    problems: list[str]

    def place(self, tree: Tree, name: str = "") -> str:
        """A place relative to the data folder, for readers: 'rafdb/DATASET', 'fer2013.zip
        (train)'."""
        if tree.packed:
            archive = str(tree.path.relative_to(self.folder))
            return f"{archive} ({name})" if name else archive
        return name or "."


def look_into(folder: Path) -> Contents:
    """All trees of a data folder; archives up to four folders deep, their lists of members kept in
    the cache."""
    top = walk(Path(folder))
    trees, problems = (
        [top],
        [f"{top.where(name)} {problem}" for name, problem in sorted(top.problems.items())],
    )
    for name in sorted(top.names(), key=lambda name: (name.count("/"), name)):
        if is_archive(name) and name.count("/") <= _ARCHIVES_AT:
            try:
                trees.append(_archive(top.path / name))
            except CompanionError as problem:
                problems.append(str(problem).rstrip("."))
    return Contents(Path(folder), trees, problems)


def walk(top: Path) -> Tree:
    """A folder with everything below it. Links are followed, but not into a folder that they lie
    in."""
    tree, waiting = Tree(Path(top)), [("", ())]
    while waiting:
        folder, parents = waiting.pop()
        below = _scan(tree, folder, parents)
        waiting.extend(sorted(below, reverse=True))
    return tree


def join(folder: str, name: str) -> str:
    """'folder/name', or the name alone at the top."""
    return f"{folder}/{name}" if folder else name


def is_below(name: str, root: str) -> bool:
    """Whether a name lies in a folder; '' is the top."""
    return not root or name == root or name.startswith(root + "/")


def names_column(names: Iterable[str]) -> pd.Series:
    """File names as a column of a table; pandas' own strings can't hold one that is not UTF-8."""
    return pd.Series(list(names), dtype=object)


def is_junk(part: str) -> bool:
    """Whether a file or folder of that name holds no data."""
    return part.startswith(".") or part.lower() in _JUNK


def _scan(tree: Tree, folder: str, parents: tuple) -> list[tuple[str, tuple]]:
    """Enters one folder's files into the tree; returns the folders in it with the identities of
    their parents."""
    path, below, files = tree.path / folder, [], []
    try:
        found = os.stat(path)
        identity = (found.st_dev, found.st_ino)
        if identity in parents:
            tree.problems[folder] = (
                "is a link to a folder that it lies in itself (a link loop). Remove the link"
            )
            return []
        if len(parents) > DEEPEST:
            tree.problems[folder] = (
                f"lies more than {DEEPEST} folders deep and was not looked into. Move it up"
            )
            return []
        for entry in os.scandir(path):
            _enter(tree, folder, entry, files, below)
    except FileNotFoundError:
        return []
    except OSError as problem:
        tree.problems[folder] = (
            f"can't be looked into ({problem.strerror}). Change its permissions or remove it"
        )
        return []
    if files:
        tree.folders[folder] = sorted(files)
    return [(name, (*parents, identity)) for name in below]


def _enter(tree: Tree, folder: str, entry: os.DirEntry, files: list[str], below: list[str]) -> None:
    name = join(folder, entry.name)
    try:
        if is_junk(entry.name):
            tree.junk.append(name)
        elif entry.is_dir():
            below.append(name)
        elif entry.is_file():
            files.append(entry.name)
        elif entry.is_symlink():
            tree.problems[name] = "is a link that leads nowhere. Remove it or mend it"
        else:
            tree.problems[name] = "is neither a file nor a folder. Remove it"
    except OSError as problem:
        tree.problems[name] = (
            f"can't be followed ({problem.strerror}; perhaps a link loop). Remove the link"
        )


def _archive(path: Path) -> Tree:
    with reading(path):
        key = stamp(path)
    listed = cached_arrays("members", key, lambda: _listed(path))
    tree = Tree(path)
    for name in _unpacked_names(listed["files"]):
        parts = name.split("/")
        junk = next((depth for depth, part in enumerate(parts) if is_junk(part)), None)
        if junk is not None:
            tree.junk.append("/".join(parts[: junk + 1]))
        else:
            tree.folders.setdefault("/".join(parts[:-1]), []).append(parts[-1])
    for files in tree.folders.values():
        files.sort()
    tree.problems.update(
        dict.fromkeys(
            _unpacked_names(listed["links"]),
            "is a link inside an archive, which is not followed. Pack the file itself",
        )
    )
    return Tree(path, dict(sorted(tree.folders.items())), sorted(set(tree.junk)), tree.problems)


def _listed(path: Path) -> dict[str, np.ndarray]:
    files, links = list_members(path)
    return {"files": _packed_names(files), "links": _packed_names(links)}


def _packed_names(names: list[str]) -> np.ndarray:
    return np.frombuffer(json.dumps(names).encode(), np.uint8)


def _unpacked_names(packed: np.ndarray) -> list[str]:
    return json.loads(packed.tobytes())
