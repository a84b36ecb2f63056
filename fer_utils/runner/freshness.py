"""Whether a unit's results still stand: what they were made from, written down when they were made.

The record of a unit is one JSON file. It holds the settings, the code and the inputs the unit was
made from, each with its own hash, so that the reason for running again can be named.
"""

import functools
import hashlib
import json
from pathlib import Path, PurePosixPath

from fer_utils.core.paths import PACKAGE, atomic_write, data_folder, project_root
from fer_utils.core.profiles import settings_of
from fer_utils.core.stored import file_hash, reading_back
from fer_utils.runner.imports import DATA, reached_files
from fer_utils.runner.stages import Unit


def record_path(unit: Unit, profile) -> Path:
    """Where the record of ``unit`` lies."""
    return profile.paths.stages / f"{unit.name}.json"


def read_record(unit: Unit, profile) -> dict | None:
    """The record of ``unit``; None if it never started or its record cannot be read or is not
    whole."""
    try:
        record = json.loads(record_path(unit, profile).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    whole = isinstance(record, dict) and {"finished", "ingredients"} <= set(record)
    return record if whole and (not record["finished"] or "outputs" in record) else None


def write_record(unit: Unit, profile, record: dict) -> None:
    """Write the record atomically; its file appears only when it is complete."""
    with atomic_write(record_path(unit, profile), "w", encoding="utf-8") as file:
        json.dump(record, file, indent=1, sort_keys=True)


def ingredients(unit: Unit, profile, notebook: Path, inputs: list[Unit]) -> dict[str, dict]:
    """Everything the unit's results depend on: kind -> name -> value or hash."""
    stage, cells = unit.stage, notebook_code(notebook)
    return {
        "setting": settings_of(profile, stage.sections),
        "code": dict(_code("\n".join(cells), _package_state())),
        "notebook": {notebook.name: hashlib.sha256(json.dumps(cells).encode()).hexdigest()},
        "data": _source_files(profile) if "data" in stage.sections else {},
        "committed": {
            path.relative_to(path.parents[2]).as_posix(): file_hash(path)
            for path in stage.committed(profile)
            if path.is_file()
        },
        "input": {
            needed.name: _content(read_record(needed, profile), unit.reads(profile))
            for needed in inputs
        },
    }


def changed(recorded: dict, current: dict) -> str:
    """The first difference between two ``ingredients``, in words; empty if there is none."""
    for kind, now in current.items():
        before = recorded.get(kind, {})
        for name in sorted(set(before) | set(now)):
            if before.get(name) != now.get(name):
                shown = f": {before.get(name)} -> {now.get(name)}" if kind == "setting" else ""
                return f"{kind} changed ({name}{shown})"
    return ""


def describe_files(paths: list[Path]) -> dict[str, dict]:
    """Name below the project root -> sha256, size and time of change, for every file at or below
    ``paths``."""
    return {_relative(path): _described(path) for path in _files_below(paths)}


def missing_or_changed(outputs: dict[str, dict]) -> str:
    """The first recorded output that is gone or has other bytes, in words; empty if all stand.

    A file with the recorded size and time of change is taken as unchanged without reading it.
    """
    for name, recorded in outputs.items():
        path = project_root() / name
        if not path.is_file():
            return f"output missing ({name})"
        found = path.stat()
        untouched = (found.st_size, found.st_mtime_ns) == (recorded["size"], recorded["mtime_ns"])
        if not untouched and file_hash(path) != recorded["sha256"]:
            return f"output changed ({name})"
    return ""


def _described(path: Path) -> dict:
    found = path.stat()
    return {"sha256": file_hash(path), "size": found.st_size, "mtime_ns": found.st_mtime_ns}


def _files_below(paths: list[Path]) -> list[Path]:
    """Files at or below ``paths``, without temporary and hidden ones."""
    files = []
    for path in paths:
        files += sorted(path.rglob("*")) if path.is_dir() else [path]
    return [file for file in files if file.is_file() and not file.name.startswith(".")]


def _relative(path: Path) -> str:
    return path.relative_to(project_root()).as_posix()


def notebook_code(notebook: Path) -> list[str]:
    """The code cells of a notebook: prose and stored outputs change no result."""
    with reading_back(notebook):
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


# asked for by each unit of a stage; ``state`` tells when the package was edited in between
@functools.lru_cache
def _code(cells: str, state: tuple) -> dict[str, str]:
    """File of the package -> hash, for every file that the cells of a notebook reach through
    imports."""
    return {
        file.relative_to(PACKAGE).as_posix(): file_hash(file)
        for file in sorted(reached_files(cells))
    }


def _package_state() -> tuple:
    """Path and time of change of every module and of the data they read."""
    paths = (path for pattern in ("**/*.py", *DATA.values()) for path in PACKAGE.glob(pattern))
    return tuple((path, path.stat().st_mtime_ns) for path in paths)


def _source_files(profile) -> dict[str, list]:
    """Size and time of change of every file in the data folder; nothing where all faces are drawn
    by code."""
    if all(name.startswith("demo_") for name in profile.data.sets):
        return {}
    return {
        path.relative_to(data_folder()).as_posix(): [path.stat().st_size, path.stat().st_mtime_ns]
        for path in _files_below([data_folder()])
    }


def _content(record: dict | None, wanted: list[Path] | None) -> str:
    """A hash of what a finished unit hands on, or of that part of it that lies at or below the
    ``wanted`` paths, so that a stage that ran again with equal results changes nothing."""
    if not record or not record.get("finished"):
        return ""
    counts = None if wanted is None else {_relative(path) for path in wanted}
    handed_on = {
        name: record["outputs"][name]["sha256"]
        for name in record["handed_on"]
        if counts is None or counts & {name, *map(str, PurePosixPath(name).parents)}
    }
    return hashlib.sha256(json.dumps(handed_on, sort_keys=True).encode()).hexdigest()
