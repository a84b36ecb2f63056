"""provenance.json: for every table and figure, which notebook made it, from what, when and on
what."""

import json
import platform
import shutil
import subprocess
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from fer_utils.core.machine import hardware
from fer_utils.core.paths import PACKAGE, SHIPPED_GENERATORS, atomic_write, project_root
from fer_utils.core.stored import file_hash, read_json
from fer_utils.runner.freshness import read_record
from fer_utils.runner.stages import Unit

PACKAGES = (
    "torch",
    "torchvision",
    "torchmetrics",
    "diffusers",
    "transformers",
    "accelerate",
    "safetensors",
    "tokenizers",
    "numpy",
    "pandas",
    "scipy",
    "statsmodels",
    "scikit-learn",
    "matplotlib",
    "seaborn",
    "papermill",
)
NAME = "provenance.json"
ABOUT_THE_FILES = (NAME, "README.md")
"""Files beside tables and figures that are none."""


def write_provenance(
    profile, units: list[Unit], *, renew: bool, by_command: dict[Path, str] | None = None
) -> None:
    """Write the file beside the run's tables and beside its figures; without ``renew`` only where
    it is missing.

    by_command: files that no notebook wrote -> the command that did.
    """
    for folder in (profile.paths.tables, profile.paths.figures):
        if folder.is_dir() and (renew or not (folder / NAME).is_file()):
            save_provenance(folder, _provenance(folder, profile, units, by_command or {}))


def save_provenance(folder: Path, content: dict) -> None:
    """Write ``content`` as the provenance.json of ``folder``."""
    with atomic_write(folder / NAME, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=1, sort_keys=True)
        file.write("\n")


def read_provenance(folder: Path) -> dict:
    """What ``write_provenance`` left in ``folder``; empty if it left nothing."""
    path = folder / NAME
    return read_json(path) if path.is_file() else {}


def stage_seconds(profile, units: list[Unit]) -> dict[str, float]:
    """Notebook -> seconds all its units took when they last ran."""
    seconds: dict[str, float] = {}
    for unit in units:
        record = read_record(unit, profile) or {}
        seconds[unit.stage.notebook] = round(
            seconds.get(unit.stage.notebook, 0.0) + record.get("seconds", 0.0), 1
        )
    return seconds


def _provenance(folder: Path, profile, units: list[Unit], by_command: dict[Path, str]) -> dict:
    producers = _producers(profile, units) | {
        _relative(path): {"notebook": None, "command": command}
        for path, command in by_command.items()
    }
    paths = [
        path
        for path in sorted(folder.iterdir())
        if path.is_file() and path.name[0] != "." and path.name not in ABOUT_THE_FILES
    ]
    return {
        "profile": profile.name,
        "overrides": list(profile.overrides),
        "profile_hash": profile.fingerprint(),
        "seeds": _seeds(profile),
        "git_commit": _git_commit(),
        "hardware": hardware(),
        "python": platform.python_version(),
        "packages": _versions(),
        "written": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "notebook_seconds": stage_seconds(profile, units),
        **kept_trainings(profile),
        "files": {
            path.name: {
                "sha256": file_hash(path),
                **producers.get(_relative(path), {"notebook": None}),
            }
            for path in paths
        },
    }


def kept_trainings(profile) -> dict:
    """The log of the trainings that are kept beside the committed tables (``kept_runs``): epochs,
    hours, hardware and precision of each, wherever and whenever it was trained; and that of the
    generators kept with the package."""
    found = {}
    for path in sorted(profile.paths.all_kept.glob("*/*/*/kept.json")):
        about = read_json(path, ["epochs", "hours", "hardware", "trained_with"])
        found[path.parent.relative_to(profile.paths.all_kept).as_posix()] = {
            name: about[name] for name in ("epochs", "hours", "hardware")
        } | {
            name: about["trained_with"][name]
            for name in ("device", "precision", "threads", "torch")
        }
    generators = {
        path.parent.name: read_json(path)
        for path in sorted(SHIPPED_GENERATORS.glob(f"{profile.name}/*/trained_with.json"))
    }
    logs = (
        {
            "trainings": found,
            "training_hours": round(sum(run["hours"] for run in found.values()), 2),
        }
        if found
        else {}
    )
    return logs | ({"generators": generators} if generators else {})


def _producers(profile, units: list[Unit]) -> dict[str, dict]:
    """Name of a file -> the notebook that wrote it last, its parameters and its seconds."""
    producers = {}
    for unit in units:
        record = read_record(unit, profile) or {}
        for name in record.get("outputs", {}):
            producers[name] = {
                "notebook": unit.stage.notebook,
                "parameters": unit.parameters,
                "seconds": record["seconds"],
            }
    return producers


def _relative(path: Path) -> str:
    return path.relative_to(project_root()).as_posix()


def _seeds(profile) -> dict:
    """Every seed in the profile by its full name."""
    from fer_utils.core.profiles import flatten

    return {
        key: value
        for key, value in flatten(profile.values).items()
        if key.rsplit(".")[-1] in ("seed", "seeds")
    }


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _git_commit() -> str | None:
    """The commit of the checkout, or None outside git."""
    found = (
        subprocess.run(
            ["git", "-C", str(PACKAGE.parent), "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
            check=False,
        )
        if shutil.which("git")
        else None
    )
    return found.stdout.strip() if found and found.returncode == 0 else None
