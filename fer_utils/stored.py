"""Tables, records and texts that this project wrote, or that lie in the repository, read back.

They are small and plain, and people open them: a table saved anew by a spreadsheet, a record cut
short, a conflict left by git. What such a file does to its reader becomes one sentence that names
it and says how it comes back.
"""

import json
from collections.abc import Iterable
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from fer_utils.errors import CompanionError
from fer_utils.paths import project_root

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
