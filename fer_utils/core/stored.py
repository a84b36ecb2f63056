"""Tables, records and texts that this project writes, or that lie in the repository: written,
hashed and read back.

They are small and plain, and people open them: a table saved anew by a spreadsheet, a record cut
short, a conflict left by git. What such a file does to its reader becomes one sentence that names
it and says how it comes back.
"""

import hashlib
import json
import re
from collections.abc import Iterable
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from fer_utils.core.errors import CompanionError
from fer_utils.core.paths import atomic_write, project_root

_STUMBLES = (ValueError, LookupError, TypeError, AttributeError, SyntaxError)
"""What taking the expected things out of a file ends in when it holds others."""


def read_table(path: Path, columns: Iterable[str] = (), **options) -> pd.DataFrame:
    """A CSV file by ``pandas.read_csv``; with ``columns`` it has these and at least one row, else
    CompanionError."""
    wanted = list(columns)
    with reading_back(path):
        frame = pd.read_csv(path, **options)
        lacking = [name for name in wanted if name not in frame.columns]
        if lacking:
            found = ", ".join(map(str, frame.columns[:8]))
            raise ValueError(f"it has no column {lacking[0]}, only {found}")
        if wanted and frame.empty:
            raise ValueError("it has no rows")
        return frame


def read_json(path: Path, keys: Iterable[str] = ()) -> dict:
    """The object in a JSON file, which has these keys; CompanionError if not."""
    with reading_back(path):
        found = json.loads(Path(path).read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError(f"expected an object in braces, found a {type(found).__name__}")
        lacking = [key for key in keys if key not in found]
        if lacking:
            raise ValueError(f"it has no '{lacking[0]}'")
        return found


def read_text(path: Path) -> str:
    """A text in UTF-8; CompanionError for another encoding."""
    with reading_back(path):
        return Path(path).read_text(encoding="utf-8")


def file_hash(path: Path) -> str:
    """The SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_table(frame: pd.DataFrame, path: Path, *, float_format: str | None = "%.6f") -> None:
    """Write a CSV file atomically, its texts ``harmless``. File names come back as they were, also
    those that are not UTF-8."""
    texts = {
        name: pd.Series(list(map(harmless, frame[name])), frame.index, dtype=object)
        for name in frame
        if not pd.api.types.is_numeric_dtype(frame[name])
    }
    with atomic_write(path, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        frame.assign(**texts).to_csv(
            file, index=False, lineterminator="\n", float_format=float_format
        )


def harmless(cell):
    """A cell that no spreadsheet takes for a formula: a text that begins like one has an apostrophe
    before it (OWASP, "CSV Injection"), and none begins a row of its own by a carriage return.
    Numbers stay as they are."""
    if not isinstance(cell, str):
        return cell
    number = re.fullmatch(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?", cell)
    first = "'" if cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) and not number else ""
    return first + cell.replace("\r", " ")  # pandas puts no quotes around it


def text_table(frame: pd.DataFrame) -> str:
    """A frame as aligned plain text, empty cells blank."""
    return frame.fillna("").to_string(index=False)


@contextmanager
def reading_back(path: Path):
    """Whatever a damaged or changed file does to its reader, inside the block, is a CompanionError.

    An OSError goes on: it says by itself what is wrong with which file (``errors.about_the_disk``).
    """
    try:
        yield
    except _STUMBLES as problem:
        lines = str(problem).strip().splitlines()
        why = lines[0] if lines else "it is empty"
        if isinstance(problem, KeyError):
            why = f"it has no {problem}"
        raise CompanionError(
            f"{path} is not what was written there ({why.rstrip('.')}): it was damaged or changed. "
            f"{_remedy(Path(path))}"
        ) from problem


def _remedy(path: Path) -> str:
    if path.is_relative_to(project_root() / "runs"):
        return "Delete it and run python -m fer_utils reproduce with this profile, which makes it."
    return "Restore it from the repository, or make it again by the command that wrote it."
