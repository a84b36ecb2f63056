"""What one run left behind: executed notebooks, provenance, and which steps would have to run
again."""

import json
import re
import shlex
from contextlib import contextmanager
from dataclasses import dataclass

from fer_utils.core.errors import CompanionError
from fer_utils.pages.committed_notebooks import clean_notebook
from fer_utils.runner.kept_runs import stands_by_kept_files
from fer_utils.runner.notebook_runs import parameter_values
from fer_utils.runner.provenance import read_provenance
from fer_utils.runner.stages import STAGES, Unit, units_of


@dataclass(frozen=True)
class Notebook:
    """One executed notebook; ``content`` is cleaned as the committed ones are, so its cells are
    cell-01, cell-02, ..."""

    unit: Unit
    content: dict

    @property
    def stem(self) -> str:
        """The notebook's name without what varies: ``05_training``."""
        return self.unit.stage.notebook

    @property
    def anchor(self) -> str:
        """Its address in the page: ``05-training``; a cell's is ``05-training-cell-24``."""
        return anchor_of(self.stem)

    @property
    def title(self) -> str:
        """Its first heading."""
        return next((text for _, text, _ in headings(self)), self.stem)


@dataclass(frozen=True)
class Run:
    """Everything a report is made from.

    stale: name of a unit -> why its results no longer stand.
    provenance: what stands beside the tables, with the files of the figures added.
    """

    profile: object
    units: list[Unit]
    notebooks: list[Notebook]
    stale: dict[str, str]
    provenance: dict

    @property
    def command(self) -> str:
        """What makes the run, as it is typed."""
        return reproduce_command(self.profile)


def collect_run(profile) -> Run:
    """The run of ``profile`` as it lies on the disk; nothing is executed.

    Trainings taken from what is kept (``kept_runs``) have no notebook. Raises CompanionError if
    another notebook was not executed, naming the command that does it.
    """
    from fer_utils.runner.pipeline import status

    units = units_of(STAGES, profile)
    kept = {
        unit.name
        for unit in units
        if unit.stage.name == "training" and stands_by_kept_files(profile, **unit.parameters)
    }
    made = [unit for unit in units if unit.name not in kept]
    _check_executed(made, profile)
    shown = [
        _shown_unit([unit for unit in made if unit.stage is stage], profile)
        for stage in STAGES
        if any(unit.stage is stage for unit in made)
    ]
    stale = {
        found.unit.name: found.reason
        for found in status(profile)
        if found.reason and found.unit.name not in kept
    }
    return Run(
        profile,
        units,
        [Notebook(unit, _read(unit, profile)) for unit in shown],
        stale,
        _provenance(profile),
    )


def anchor_of(notebook: str) -> str:
    """The address of a notebook in the page."""
    return notebook.replace("_", "-")


def headings(notebook: Notebook) -> list[tuple[int, str, str]]:
    """(level, text, address of the cell) of every heading in the prose, in order."""
    found = []
    for cell in notebook.content["cells"]:
        if cell["cell_type"] == "markdown":
            prose = re.sub(
                r"^```.*?^```", "", "".join(cell["source"]), flags=re.DOTALL | re.MULTILINE
            )
            found += [
                (len(marks), text.strip(), f"{notebook.anchor}-{cell['id']}")
                for marks, text in re.findall(r"^(#{1,6}) +(.+)$", prose, re.MULTILINE)
            ]
    return found


def reproduce_command(profile) -> str:
    """The command that makes a profile's run."""
    overrides = "".join(f" --set {shlex.quote(override)}" for override in profile.overrides)
    return f"python -m fer_utils reproduce --profile {profile.name}{overrides}"


def _check_executed(units: list[Unit], profile) -> None:
    missing = [unit.name for unit in units if not profile.paths.executed(unit.name).is_file()]
    if missing:
        listed = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
        raise CompanionError(
            f"{len(missing)} of {len(units)} notebooks of this run were not executed: {listed} "
            f"(looked in {profile.paths.notebooks}). Run {reproduce_command(profile)} first."
        )


def _shown_unit(units: list[Unit], profile) -> Unit:
    """Of a stage's units the one that is shown in full: the one nearest to the values written in
    the notebook."""
    with _readable(units[0], profile) as path:
        written = parameter_values(path)
    return max(
        units,
        key=lambda unit: sum(written.get(name) == value for name, value in unit.parameters.items()),
    )


def _read(unit: Unit, profile) -> dict:
    with _readable(unit, profile) as path:
        return clean_notebook(json.loads(path.read_text(encoding="utf-8")))


@contextmanager
def _readable(unit: Unit, profile):
    """The executed notebook's path; what goes wrong in reading it becomes words."""
    path = profile.paths.executed(unit.name)
    try:
        yield path
    except (ValueError, KeyError):
        raise CompanionError(
            f"{path} is not a notebook that can be read. Delete it and run "
            f"{reproduce_command(profile)} again."
        ) from None


def _provenance(profile) -> dict:
    found = [read_provenance(folder) for folder in (profile.paths.tables, profile.paths.figures)]
    if not found[0]:
        raise CompanionError(
            f"{profile.paths.tables} holds no provenance.json; run {reproduce_command(profile)}"
            " first."
        )
    return found[0] | {
        "files": {name: about for part in found for name, about in part.get("files", {}).items()}
    }
