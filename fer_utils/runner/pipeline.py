"""The road from faces to tables: every unit of every stage in order, skipping what is fresh."""

import shutil
import sys
import time
from concurrent.futures import as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from fer_utils.core.errors import CompanionError
from fer_utils.core.paths import notebooks_folder
from fer_utils.runner.freshness import (
    changed,
    describe_files,
    ingredients,
    missing_or_changed,
    read_record,
    record_path,
    write_record,
)
from fer_utils.runner.provenance import write_provenance
from fer_utils.runner.stages import STAGES, Unit, find_stage, units_of

FORCED = "forced"


@dataclass(frozen=True)
class UnitStatus:
    """A unit and, if it has to run, why; ``reason`` is empty when it is fresh."""

    unit: Unit
    reason: str


def status(profile) -> list[UnitStatus]:
    """What is fresh, and why the rest is not, without running anything."""
    found: list[UnitStatus] = []
    for unit in units_of(STAGES, profile):
        stale = [
            known.unit.name
            for known in found
            if known.reason and known.unit.stage.number in unit.stage.inputs
        ]
        own = why_stale(unit, profile)
        follows = stale and (not own or own.startswith("input"))
        found.append(UnitStatus(unit, f"upstream stale ({stale[0]})" if follows else own))
    return found


def why_stale(unit: Unit, profile) -> str:
    """Why ``unit`` must run, with its inputs as they are now; empty if its results stand."""
    record = read_record(unit, profile)
    if record is None:
        return "never run"
    difference = changed(record["ingredients"], _ingredients(unit, profile))
    if difference or not record["finished"]:
        return difference or "interrupted"
    return missing_or_changed(record["outputs"])


def reproduce(
    profile,
    *,
    start: str | None = None,
    force: bool = False,
    kept: bool = False,
    say: Callable[[str], None],
    watched: bool = False,
) -> int:
    """Run every unit that is not fresh, in order; returns how many ran.

    start: run this stage and all after it even if they are fresh. force: run everything from
    nothing. kept:  trainings kept beside the tables are taken from there (``kept_runs``) and not
    repeated. say:   called with each line of progress. Raises CompanionError at the first unit that
    fails; what was made stays. So it does for a profile without a level to synthesize faces for: no
    stage from 2 to 4 would have anything to make.
    """
    if set(profile.balancing.levels) <= {"original"}:
        raise CompanionError(
            f"balancing.levels of the profile {profile.name} is {profile.balancing.levels}: nothing"
            " is to be synthesized or balanced. Add a level, or train without stages 2 to 4:"
            f" python -m fer_utils train --profile {profile.name} --level original --seed"
            f" {profile.training.seeds[0]}, and then python -m fer_utils interim --profile"
            f" {profile.name} for its tables."
        )

    first_forced = find_stage(start, STAGES).number if start else (0 if force else None)
    units, finished, ran = units_of(STAGES, profile), [], 0
    with _only_run(profile), _says_what_is_kept(units, finished, again=first_forced is not None):
        taken = _take_kept(profile, say) if kept else []
        for stage in STAGES:
            forced = first_forced is not None and stage.number >= first_forced
            stale = [
                (unit, reason)
                for unit, reason in _stale_units(stage, units, profile, forced=forced, say=say)
                if unit.name not in taken
            ]
            due = [unit for unit, _ in stale]
            finished += [unit for unit in units if unit.stage is stage and unit not in due]
            if stale and stage.spread and profile.run.cluster:
                stale = _spread(stage, stale, profile, say)
            if stale:
                _run_all(
                    stage,
                    stale,
                    profile,
                    finished,
                    watched=watched and len(stale) == 1,
                    label=lambda unit: _labelled(unit, units, say),
                )
            ran += len(stale)
        write_provenance(profile, units, renew=ran > 0)
    return ran


def _take_kept(profile, say) -> list[str]:
    """Names of the training units that stand by what is kept of them."""
    from fer_utils.runner.kept_runs import take_kept_runs

    taken, refused = take_kept_runs(profile)
    for line in (*refused, f"{len(taken)} trainings taken from {profile.paths.all_kept}"):
        say(line)
    runs = [run._asdict() for run in taken]
    return [unit.name for unit in units_of(STAGES, profile) if unit.parameters in runs]


def side_by_side_in(stage, profile) -> int:
    """How many units of a stage run at once. It does not depend on how many are stale: the threads
    each of them gets decide the low bits of its results."""
    return max(1, min(profile.run.workers, len(stage.varies(profile))))


def _stale_units(stage, units: list[Unit], profile, *, forced: bool, say) -> list[tuple[Unit, str]]:
    """The units of one stage that must run, each with its reason; the others are announced as
    fresh."""
    stale = []
    for unit in (unit for unit in units if unit.stage is stage):
        reason = FORCED if forced else why_stale(unit, profile)
        if reason:
            stale.append((unit, reason))
        else:
            _labelled(unit, units, say)("fresh")
    return stale


def _spread(stage, stale: list[tuple[Unit, str]], profile, say) -> list[tuple[Unit, str]]:
    """The trainings of the stale units on the cluster; what is left for their notebooks is to show
    them."""
    from fer_utils.runner.training_runs import train_on_cluster  # only here: it needs PyTorch

    for unit, reason in stale:
        _clear(unit, profile, _ingredients(unit, profile), forced=reason == FORCED)
    train_on_cluster([unit.parameters for unit, _ in stale], profile, say)
    return [(unit, "made on the cluster") for unit, _ in stale]


def _labelled(unit: Unit, units: list[Unit], say: Callable[[str], None]) -> Callable[[str], None]:
    label = f"[{units.index(unit) + 1:>{len(str(len(units)))}}/{len(units)}] {unit.name}"
    return lambda text: say(f"{label}: {text}")


def _run_all(
    stage, stale: list[tuple[Unit, str]], profile, finished: list[Unit], *, watched: bool, label
) -> None:
    """The stale units of a stage, as many at once as it may, each added to ``finished``. After the
    first failure those that have not begun are left out."""
    from fer_utils.runner.kernels import side_by_side

    workers = side_by_side_in(stage, profile)
    with side_by_side(workers, threads=profile.run.threads // workers) as executor:
        running = {
            executor.submit(
                _run, unit, profile, reason=reason, watched=watched, say=label(unit)
            ): unit
            for unit, reason in stale
        }
        for future in as_completed(running):
            future.result()
            finished.append(running[future])


@contextmanager
def _says_what_is_kept(units: list[Unit], finished: list[Unit], *, again: bool):
    """A KeyboardInterrupt that leaves the block says how many units are finished and, in one line,
    how to go on."""
    try:
        yield
    except KeyboardInterrupt as stop:
        command = "without --force and --from the same command" if again else "the same command"
        stop.args = (
            (
                f"Stopped. {len(finished)} of {len(units)} steps are finished and kept; {command}"
                " goes on from there."
            ),
        )
        raise


def _run(unit: Unit, profile, *, reason: str, watched: bool, say: Callable[[str], None]) -> None:
    from fer_utils.runner.notebook_runs import run_notebook

    say(f"runs ({reason})")
    made_from = _ingredients(unit, profile)
    _clear(unit, profile, made_from, forced=reason == FORCED)
    write_record(unit, profile, {"finished": False, "ingredients": made_from})
    before, began = _readers_files(profile), time.perf_counter()
    run_notebook(
        _notebook(unit),
        profile.paths.executed(unit.name),
        _parameters(unit, profile),
        timeout=profile.run.cell_timeout,
        watched=watched,
    )
    seconds = time.perf_counter() - began
    handed_on, files = _files_made(unit, profile, before)
    write_record(
        unit,
        profile,
        {
            "finished": True,
            "ingredients": made_from,
            "seconds": round(seconds, 1),
            "handed_on": handed_on,
            "outputs": files,
        },
    )
    say(f"done in {seconds:.0f} s")


def _files_made(unit: Unit, profile, before: dict[Path, int]) -> tuple[list[str], dict]:
    """Names of the files handed on, and a description of all files made; an error if a promised one
    is missing."""
    promised = unit.outputs(profile) + unit.shown(profile)
    for path in promised:
        if not path.exists():
            raise CompanionError(
                f"Stage {unit.name} ended without error but did not write {path}. "
                f"Its executed notebook is {profile.paths.executed(unit.name)}."
            )
    shown = [path for path, when in _readers_files(profile).items() if before.get(path) != when]
    handed_on = describe_files(unit.outputs(profile))
    others = describe_files([*unit.shown(profile), *shown, profile.paths.executed(unit.name)])
    return sorted(handed_on), others | handed_on


def _clear(unit: Unit, profile, made_from: dict, *, forced: bool) -> None:
    """Remove what was made from other ingredients; the unfinished work of a killed run stays and is
    used."""
    record = read_record(unit, profile)
    other = record is None or bool(changed(record["ingredients"], made_from))
    if forced or (other and not unit.stage.resumes):
        for path in unit.outputs(profile) + unit.unfinished(profile):
            _remove(path)
    record_path(unit, profile).unlink(missing_ok=True)


def _remove(path: Path) -> None:
    """A file, or a folder with all that is in it; of a folder that is linked to another disk only
    what is in it."""
    if path.is_symlink() and path.is_dir():
        for inner in path.iterdir():
            _remove(inner)
    elif path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _ingredients(unit: Unit, profile) -> dict:
    inputs = [
        other for other in units_of(STAGES, profile) if other.stage.number in unit.stage.inputs
    ]
    return ingredients(unit, profile, _notebook(unit), inputs)


def _parameters(unit: Unit, profile) -> dict:
    return {"profile_name": profile.name, "overrides": list(profile.overrides), **unit.parameters}


def _notebook(unit: Unit) -> Path:
    path = notebooks_folder() / f"{unit.stage.notebook}.ipynb"
    if not path.is_file():
        raise CompanionError(f"The notebook {path} is missing; restore it from the repository.")
    return path


def _readers_files(profile) -> dict[Path, int]:
    """Every table and figure of this run and when it was written."""
    folders = (profile.paths.tables, profile.paths.figures)
    return {
        path: path.stat().st_mtime_ns
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "provenance.json" and not path.name.startswith(".")
    }


@contextmanager
def _only_run(profile):
    """Hold a lock, so that two runs never write the same files; the system frees it when a run is
    killed."""
    if sys.platform == "win32":
        yield
        return
    import fcntl

    profile.paths.run.mkdir(parents=True, exist_ok=True)
    with open(profile.paths.run / ".lock", "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise CompanionError(
                f"Another run is working in {profile.paths.run}; wait for it or stop it."
            ) from None
        yield
