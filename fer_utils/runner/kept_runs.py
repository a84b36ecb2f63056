"""Trainings that took hours, kept beside the committed tables: what each network answered on the
test faces, and how it was trained.

Weights are not kept, they would fill the repository; from the answers every number of Table III,
its intervals and tests can be computed again in a minute. A kept run is taken only by a profile
with the same settings.
"""

import gzip
import hashlib
import json
import shutil
import tempfile
import zlib
from collections.abc import Iterable
from pathlib import Path

from fer_utils.balancing.controls import CONTROLS, Run, runs_of
from fer_utils.core.machine import hardware
from fer_utils.core.paths import KEPT, atomic_write
from fer_utils.core.profiles import BASE, Profile, load_profile, settings_of
from fer_utils.core.stored import file_hash, read_json, read_table
from fer_utils.runner.freshness import changed
from fer_utils.training import HISTORY, PREDICTIONS, TRAINED_WITH, VALIDATION_PREDICTIONS, WEIGHTS

FILES = (HISTORY, PREDICTIONS)
TRAINED_BY = ("device", "precision", "threads", "torch")
"""What every record of a training says of the machine."""

# runs of earlier versions have no answers on validation faces
ALL_FILES = (*FILES, VALIDATION_PREDICTIONS)
_ALWAYS = ("data", "gate", "network", "training", "-training.seeds")
_OF_SETS = ("balancing", "controls.level")
_OF_POOLS = (
    "prompts",
    "generators",
    "synthesis",
    "tiny_generators",
    "quality.filter",
    "quality.surplus",
)


def keep_runs(profile: Profile) -> list[Path]:
    """Copy history and predictions of every finished training beside the committed tables; the
    folders written."""
    kept = []
    for run in runs_of(profile):
        source, target = run.folder(profile), profile.paths.kept(*run)
        if not all((source / name).is_file() for name in (*FILES, WEIGHTS, TRAINED_WITH)) or _same(
            source, target
        ):
            continue
        about = _about(source, run.level, profile)
        _replace(target, source, about)
        kept.append(target)
    return kept


def _replace(target: Path, source: Path, about: dict) -> None:
    """Put what is kept of a training in the place of what was kept of an earlier one.

    All of it lies on the same disk before the first file gives way: what took hours must not be
    lost to a full disk. The record goes first and comes last, so that a folder with it is whole.
    """
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target, prefix=".") as new:
        for name in about["sha256"]:
            _copy(source / name, Path(new) / kept_name(name))
        Path(new, KEPT).write_text(json.dumps(about, indent=1, sort_keys=True), encoding="utf-8")
        (target / KEPT).unlink(missing_ok=True)
        for name in (*map(kept_name, about["sha256"]), KEPT):
            Path(new, name).replace(target / name)


def kept_name(name: str) -> str:
    """What a file of a run is called where it is kept: answers are packed, to a third."""
    return name if name == HISTORY else f"{name}.gz"


def kept_content(kept: Path, name: str) -> bytes:
    """A file of a run as it was when it was kept. OSError where it is missing or can't be
    unpacked."""
    data = (kept / kept_name(name)).read_bytes()
    try:
        return data if name == HISTORY else gzip.decompress(data)
    except (EOFError, zlib.error) as problem:
        raise OSError(f"{kept / kept_name(name)} can't be unpacked: {problem}") from problem


def damaged_kept(kept: Path, names: Iterable[str]) -> list[str]:
    """Those of the names of a run's files whose content is not the one that the record beside it
    lists."""
    recorded, found = read_json(kept / KEPT, ["sha256"])["sha256"], []
    for name in dict.fromkeys(names):
        try:
            same = name in ALL_FILES and hashlib.sha256(
                kept_content(kept, name)
            ).hexdigest() == recorded.get(name)
        except OSError:
            same = False
        found += [] if same else [kept_name(name)]
    return found


def _copy(source: Path, place: Path) -> None:
    if place.name == source.name:
        shutil.copyfile(source, place)
    else:
        place.write_bytes(gzip.compress(source.read_bytes(), mtime=0))


def take_kept_runs(profile: Profile) -> tuple[list[Run], list[str]]:
    """Put kept histories and predictions where stage 5 would leave them, unless it did.

    Returns the runs that stand by their kept files alone, without weights, and a line for each
    kept run that was not taken: made with other settings, or damaged.
    """
    taken, refused = [], []
    for run in runs_of(profile):
        kept, folder = profile.paths.kept(*run), run.folder(profile)
        if (folder / WEIGHTS).is_file() or not (kept / KEPT).is_file():
            continue
        why = _why_not(kept, run.level, profile)
        if why:
            refused.append(f"{' '.join(map(str, run))} is kept but not taken: {why}")
            continue
        for name in json.loads((kept / KEPT).read_text(encoding="utf-8"))["sha256"]:
            with atomic_write(folder / name) as file:
                file.write(kept_content(kept, name))
        taken.append(run)
    return taken, refused


def stands_by_kept_files(profile: Profile, *, dataset: str, level: str, seed: int) -> bool:
    """Whether a training was taken from what is kept, and not trained in this run."""
    folder = profile.paths.model(dataset, level, seed)
    return (
        (profile.paths.kept(dataset, level, seed) / KEPT).is_file()
        and (folder / PREDICTIONS).is_file()
        and not (folder / WEIGHTS).is_file()
    )


def _about(source: Path, level: str, profile: Profile) -> dict:
    history = read_table(source / HISTORY, ["seconds"])
    return {
        "settings": _settings(level, profile),
        "hardware": hardware(),
        "epochs": len(history),
        "hours": round(history["seconds"].sum() / 3600, 3),
        "trained_with": read_json(source / TRAINED_WITH, TRAINED_BY),
        "sha256": {
            name: file_hash(source / name) for name in ALL_FILES if (source / name).is_file()
        },
    }


def _settings(level: str, profile: Profile) -> dict:
    """All settings that decide what this training found; those of the pool only where its faces are
    in the set."""
    control = CONTROLS.get(level)
    of_sets = () if level == "original" else _OF_SETS
    of_pools = () if level == "original" or (control and not control.synthetic) else _OF_POOLS
    return settings_of(profile, (*_ALWAYS, *of_sets, *of_pools))


def _why_not(kept: Path, level: str, profile: Profile) -> str:
    try:
        about = json.loads((kept / KEPT).read_text(encoding="utf-8"))
        about["settings"], about["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return f"{KEPT} is not whole. Restore it from the repository."
    if damaged := damaged_kept(kept, (*FILES, *about["sha256"])):
        return (
            f"{damaged[0]} is missing or not the file that was kept. Restore it from the"
            " repository."
        )
    # settings that came later stood at the base's value
    recorded = _settings(level, load_profile(BASE)) | about["settings"]
    return changed({"setting": recorded}, {"setting": _settings(level, profile)})


def _same(source: Path, target: Path) -> bool:
    try:
        recorded = json.loads((target / KEPT).read_text(encoding="utf-8"))["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return all(
        file_hash(source / name) == recorded.get(name)
        for name in ALL_FILES
        if (source / name).is_file()
    )
