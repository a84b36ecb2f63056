"""Publishing: tables, figures, notebooks, pictures and documents of a finished run take the place
of those committed.

Nothing else writes to them (``paths``). ``provenance.json`` beside the tables records the hash of
each file, of the notebooks and of the pictures, so that a test can name what no longer belongs
together.
"""

import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from fer_utils.core.errors import CompanionError
from fer_utils.core.paths import (
    PACKAGE,
    atomic_write,
    committed_figures,
    committed_tables,
    notebooks_folder,
    pictures_folder,
    project_root,
)
from fer_utils.core.profiles import Profile, ancestors
from fer_utils.core.stored import file_hash
from fer_utils.pages.committed_notebooks import executed_beside, store_notebooks
from fer_utils.pages.documents.index import write_index
from fer_utils.pages.documents.sections import made_in
from fer_utils.pages.readme import SHOWN, fill_documents
from fer_utils.runner.freshness import read_record
from fer_utils.runner.kept_runs import stands_by_kept_files
from fer_utils.runner.pipeline import why_stale
from fer_utils.runner.provenance import (
    ABOUT_THE_FILES,
    kept_trainings,
    read_provenance,
    save_provenance,
)
from fer_utils.runner.stages import STAGES, units_of, unpublished

TEXTS = (".csv", ".md", ".tex", ".svg")
PICTURES = PACKAGE.parent / "tests" / "browser" / "readme_images.py"


def publish(profile: Profile, say: Callable[[str], None]) -> None:
    """Put what the run of ``profile`` made in the place of what is committed; ``say`` gets a line
    for each step.

    A run whose units are not all fresh is refused, except where its trainings are kept
    (``kept_runs``): then what stands is published, and the rest stays as it was committed. A file
    that comes out as in a profile that this one extends is not published twice. The profile
    ``SHOWN`` brings the notebooks and the README's pictures along. Raises CompanionError, before
    anything is written, if the run is not finished or has settings of its own.
    """
    stale = _stale(profile)
    if not read_provenance(profile.paths.tables):
        raise CompanionError(
            f"{profile.paths.tables} holds no provenance.json, so nothing tells what its "
            "tables were made from. Run python -m fer_utils reproduce --profile "
            f"{profile.name} first."
        )
    others = executed_beside(profile) if profile.name == SHOWN else {}
    made, refused = _made(profile, stale, others)
    for line in refused:
        say(line)
    if not made:
        raise CompanionError(
            f"Nothing in {profile.paths.run} can be published; run python -m fer_utils reproduce"
            f" --profile {profile.name} first, or interim."
        )
    more = _notebooks_and_pictures(profile, made, others, say) if profile.name == SHOWN else {}
    for source, folder in _folders(profile):
        files = {path: about for path, about in made.items() if path.parent == source}
        if files or folder.is_dir():
            say(
                _put(
                    files,
                    folder,
                    profile,
                    keep_others=bool(stale),
                    more=more if source == profile.paths.tables else {},
                )
            )
    write_index(profile, project_root())
    for name in fill_documents(project_root()):
        say(f"filled {name}")


def tables_hash(provenance: dict) -> str:
    """A hash of all CSV tables that a provenance.json lists: which run something was made from."""
    tables = {
        name: about["sha256"]
        for name, about in provenance["files"].items()
        if name.endswith(".csv")
    }
    return hashlib.sha256(json.dumps(tables, sort_keys=True).encode()).hexdigest()


def _folders(profile: Profile) -> list[tuple[Path, Path]]:
    """Where the run's tables and its figures lie, and where they are published."""
    paths, root = profile.paths, project_root()
    return [
        (paths.tables, committed_tables(profile.name, root)),
        (paths.figures, committed_figures(profile.name, root)),
    ]


def _stale(profile: Profile) -> dict[str, str]:
    """Name of a unit -> why it does not stand; CompanionError where that forbids to publish."""
    if profile.run_name != profile.name:
        raise CompanionError(
            f"{profile.run_name} is a run with settings of its own"
            f" ({', '.join(profile.overrides)}); only the run of a profile as it is can be"
            " published. Leave out --set."
        )
    reasons = {
        unit.name: why_stale(unit, profile)
        for unit in units_of(STAGES, profile)
        if not (unit.stage.name == "training" and stands_by_kept_files(profile, **unit.parameters))
    }
    stale = {name: reason for name, reason in reasons.items() if reason}
    if stale and not list(profile.paths.all_kept.glob("*/*/*/kept.json")):
        first, reason = next(iter(stale.items()))
        raise CompanionError(
            f"The run of {profile.name} is not finished: {len(stale)} of {len(reasons)} steps do"
            f" not stand ({first}: {reason}). Nothing was published; run python -m fer_utils"
            f" reproduce --profile {profile.name} first."
        )
    return stale


def _made(
    profile: Profile, stale: dict[str, str], others: dict[str, Path]
) -> tuple[dict[Path, dict], list[str]]:
    """Every file that may be published -> its entry in provenance.json; and a line for each table
    or figure that may not."""
    by_name = {
        name: unit
        for unit in units_of(STAGES, profile)
        for name in (read_record(unit, profile) or {}).get("outputs", {})
    }
    made, refused = (
        {},
        {
            name: (
                f"{name} stays in the run: it shows photographs of people, or belongs to another"
                " profile"
            )
            for name in unpublished(profile)
        },
    )
    for folder, _ in _folders(profile):
        recorded = read_provenance(folder).get("files", {})
        for path in _files(folder):
            about, unit = (
                recorded.get(path.name, {}),
                by_name.get(path.relative_to(project_root()).as_posix()),
            )
            now = {"sha256": file_hash(path)}
            by_command = "command" in about and about["sha256"] == now["sha256"]
            if path.stem in refused:
                continue
            if by_command or (unit and unit.name not in stale):
                made[path] = about | now
            elif unit is None and (notebook := _notebook_of(path.stem)) in others:
                made[path] = now | {"notebook": notebook}
            else:
                why = f"{unit.name}: {stale[unit.name]}" if unit else "no step of this run made it"
                refused[path.stem] = f"{path.stem} was not published ({why})"
    lying = {path.stem for folder, _ in _folders(profile) for path in _files(folder)}
    return made, [line for name, line in refused.items() if name in lying]


def _notebook_of(name: str) -> str:
    section = made_in([name], notebooks_folder()).get(name)
    return section.notebook if section else ""


def _files(folder: Path) -> list[Path]:
    """Tables or figures in ``folder``, without the files about them."""
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    return [
        path
        for path in found
        if path.is_file() and path.name[0] != "." and path.name not in ABOUT_THE_FILES
    ]


def _put(
    files: dict[Path, dict], folder: Path, profile: Profile, *, keep_others: bool, more: dict
) -> str:
    """Copy the files, remove those that the run no longer makes (none with ``keep_others``), write
    provenance.json."""
    same = {path.name: ancestor for path in files if (ancestor := _same_in(path, folder, profile))}
    wanted = {path.name: about for path, about in files.items() if path.name not in same}
    before = _files(folder)
    left = [
        path
        for path in before
        if path.name not in wanted
        and keep_others
        and path.name not in same
        and path.stem not in unpublished(profile)
    ]
    for path in files:
        if path.name in wanted:
            with atomic_write(folder / path.name) as file:
                file.write(path.read_bytes())
    for path in before:  # nothing goes before all that comes lies on the disk
        if path.name not in wanted and path not in left:
            path.unlink()
    earlier = read_provenance(folder).get("files", {})
    entries = {
        path.name: earlier.get(path.name, {}) | {"sha256": file_hash(path)} for path in left
    } | wanted
    source = next(iter(files)).parent if files else folder
    save_provenance(
        folder,
        read_provenance(source)
        | kept_trainings(profile)
        | more
        | {
            "files": entries,
            "same_as": same,
        },
    )
    shown = folder.relative_to(project_root())
    return f"published {len(wanted)} files to {shown}" + (
        f"; {len(same)} are those of {same[min(same)]}" if same else ""
    )


def _same_in(path: Path, folder: Path, profile: Profile) -> str:
    """The profile, of those that ``profile`` extends, that has published the same table or figure;
    empty if none has.

    All forms with text in them must be equal, the name of the profile apart; a figure's pixels lie
    in its SVG too.
    """
    texts = [form for form in path.parent.glob(f"{path.stem}.*") if form.suffix in TEXTS]
    for name in ancestors(profile.name):
        others = [folder.parent / name / form.name for form in texts]
        if all(
            other.is_file() and other.read_bytes() == _as_of(name, form, profile)
            for other, form in zip(others, texts)
        ):
            return name
    return ""


def _as_of(name: str, path: Path, profile: Profile) -> bytes:
    return re.sub(rb"\b%s\b" % profile.name.encode(), name.encode(), path.read_bytes())


def _notebooks_and_pictures(
    profile: Profile, made: dict[Path, dict], others: dict[str, Path], say
) -> dict:
    """Store both; their hashes for provenance.json, with the run that each picture shows."""
    root = project_root()
    stored = store_notebooks(profile, others, root / notebooks_folder().name)
    say(f"stored {len(stored)} notebooks")
    drawn, folder = _draw_pictures(say), pictures_folder(root)
    run = tables_hash({"files": {path.name: about for path, about in made.items()}})
    before = read_provenance(committed_tables(profile.name, root)).get("images", {})
    return {
        "notebooks": {path.name: file_hash(path) for path in stored},
        "images": {
            path.name: (
                {"sha256": file_hash(path), "tables": run} if drawn else before.get(path.name, {})
            )
            for path in sorted(folder.glob("*.png"))
        },
    }


def _draw_pictures(say) -> bool:
    """Whether the README's pictures were made of this run; that takes a browser, and without one
    they stay."""
    ran = subprocess.run([sys.executable, PICTURES], capture_output=True, text=True, check=False)
    if ran.returncode == 0:
        say("made the pictures in docs/images")
        return True
    why = (ran.stderr.strip().splitlines() or ["no reason given"])[-1]
    say(f"left the pictures in docs/images as they are: {why}")
    return False
