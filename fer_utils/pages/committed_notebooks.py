"""The notebooks as they are committed: outputs of one run, and nothing that changes from machine to
machine."""

import json
import re
from pathlib import Path

from fer_utils.core.errors import CompanionError
from fer_utils.core.paths import atomic_write, notebooks_folder, project_root
from fer_utils.core.stored import read_json
from fer_utils.runner.kernels import side_by_side
from fer_utils.runner.notebook_runs import parameter_values, run_notebook
from fer_utils.runner.stages import STAGES, units_of

ADDED_BY_PAPERMILL = {"injected-parameters", "papermill-error-cell-tag"}
KEPT_TYPES = ("text/plain", "text/html", "text/markdown", "text/latex", "image/png")
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def executed_beside(profile) -> dict[str, Path]:
    """Execute the notebooks that are no stage on this profile's run; name of each -> its executed
    copy."""
    stages = {stage.notebook for stage in STAGES}
    return {
        path.stem: _execute(path, profile)
        for path in sorted(notebooks_folder().glob("*.ipynb"))
        if path.stem not in stages
    }


def store_notebooks(profile, others: dict[str, Path], folder: Path) -> list[Path]:
    """Write the committed notebooks to ``folder`` with the outputs of this profile's run; the prose
    stays as it is.

    Of a stage with several units (training) the one whose parameters are those written in the
    notebook is taken; ``others`` are the executed copies of the notebooks that are no stage. Raises
    CompanionError if a stage was not run so.
    """
    executed = {stage.notebook: _executed_as_written(stage, profile) for stage in STAGES} | others
    stored = []
    for path in sorted(notebooks_folder().glob("*.ipynb")):
        notebook = with_outputs(_read(path), _read(executed[path.stem]))
        stored.append(folder / path.name)
        with atomic_write(stored[-1], "w", encoding="utf-8") as file:
            file.write(as_text(clean_notebook(notebook)))
    return stored


def with_outputs(notebook: dict, executed: dict) -> dict:
    """``notebook`` with the outputs of its executed copy; prose may have changed since, code must
    not have."""
    ran = [
        cell
        for cell in executed["cells"]
        if cell["cell_type"] == "code"
        and not ADDED_BY_PAPERMILL & set(cell["metadata"].get("tags", []))
    ]
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    if ["".join(cell["source"]) for cell in ran] != ["".join(cell["source"]) for cell in code]:
        raise CompanionError(
            "A notebook's code has changed since it was run. Run python -m fer_utils reproduce"
            " first."
        )
    outputs = {id(cell): done for cell, done in zip(code, ran)}
    cells = [
        (
            cell | {key: outputs[id(cell)][key] for key in ("outputs", "execution_count")}
            if id(cell) in outputs
            else cell
        )
        for cell in notebook["cells"]
    ]
    return notebook | {"cells": cells}


def _execute(path: Path, profile) -> Path:
    ran = profile.paths.executed(path.stem)
    with side_by_side(1, threads=profile.run.threads) as executor:
        executor.submit(
            run_notebook,
            path,
            ran,
            {"profile_name": profile.name, "overrides": list(profile.overrides)},
            timeout=profile.run.cell_timeout,
        ).result()
    return ran


def _read(path: Path) -> dict:
    return read_json(path, ["cells"])


def clean_notebook(notebook: dict) -> dict:
    """A copy with execution counts 1..n, plain outputs, the tags and nothing else a run or an
    editor left."""
    cells = [
        cell
        for cell in notebook["cells"]
        if not ADDED_BY_PAPERMILL & set(cell["metadata"].get("tags", []))
    ]
    ran = [
        cell
        for cell in cells
        if cell["cell_type"] == "code" and cell.get("execution_count") is not None
    ]
    numbers = {id(cell): number for number, cell in enumerate(ran, 1)}
    return {
        "cells": [
            _clean_cell(cell, position, numbers.get(id(cell)))
            for position, cell in enumerate(cells, 1)
        ],
        "metadata": METADATA,
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def as_text(notebook: dict) -> str:
    """The file's text, laid out as Jupyter does."""
    return json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def _executed_as_written(stage, profile) -> Path:
    """The executed copy whose parameters are those that the committed notebook shows."""
    path = notebooks_folder() / f"{stage.notebook}.ipynb"
    written = parameter_values(path)
    for unit in units_of([stage], profile):
        given = {
            "profile_name": profile.name,
            "overrides": list(profile.overrides),
            **unit.parameters,
        }
        executed = profile.paths.executed(unit.name)
        if written | given == written and executed.is_file():
            return executed
    raise CompanionError(
        f"{path.name} was not run with the values in its parameters cell ({written}); give it"
        f" values that the profile '{profile.name}' runs, or run python -m fer_utils reproduce"
        " first."
    )


def _clean_cell(cell: dict, position: int, number: int | None) -> dict:
    tags = sorted(cell["metadata"].get("tags", []))
    source = _lines("".join(cell["source"]))
    clean = {
        "cell_type": cell["cell_type"],
        "id": f"cell-{position:02d}",
        "source": source,
        "metadata": {"tags": tags} if tags else {},
    }
    if cell["cell_type"] == "code":
        outputs = [_clean_output(output, number) for output in cell.get("outputs", [])]
        clean |= {"execution_count": number, "outputs": [output for output in outputs if output]}
    return clean


def _clean_output(output: dict, number: int | None) -> dict | None:
    """The output without widgets, warnings, vector images and machine paths; None if nothing is
    left."""
    kind = output["output_type"]
    if kind == "stream":
        text = _without_paths("".join(output["text"]))
        return (
            {"output_type": kind, "name": "stdout", "text": _lines(text)}
            if output["name"] == "stdout"
            else None
        )
    if kind == "error":
        return output
    if "application/vnd.jupyter.widget-view+json" in output["data"]:
        return None
    data = {
        name: _clean_data(name, output["data"][name])
        for name in KEPT_TYPES
        if name in output["data"]
    }
    counted = {"execution_count": number} if kind == "execute_result" else {}
    return (
        {"output_type": kind, "data": data, "metadata": _alt_text(output)} | counted
        if data
        else None
    )


def _alt_text(output: dict) -> dict:
    """Of an output's metadata what a picture shows in words, for readers who can't see it."""
    alt = output["metadata"].get("image/png", {}).get("alt")
    return {"image/png": {"alt": _without_paths(alt)}} if alt else {}


def _clean_data(kind: str, data):
    text = "".join(data)
    return text if kind == "image/png" else _lines(_without_paths(text))


def _without_paths(text: str) -> str:
    """Paths below the project become relative to it, those below the home folder begin with ~."""
    text = re.sub(re.escape(str(project_root())) + r"/?", "", text)
    return text.replace(str(Path.home()) + "/", "~/")


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)
