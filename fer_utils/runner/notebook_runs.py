"""Executing one notebook with papermill, without papermill's traps.

papermill only warns about an unknown parameter, takes ``sys.exit(0)`` in a cell for success and
picks whatever kernel is called python3. Here each of these is an error, or cannot happen.
"""

import ast
import json
import logging
import re
from pathlib import Path

from fer_utils.core.errors import CompanionError, nearest
from fer_utils.core.stored import reading_back
from fer_utils.runner.kernels import KnownKernel, kernel_environment

__all__ = ["check_parameters", "kernel_environment", "parameter_values", "run_notebook"]

PATIENCE = 3600
"""Seconds for a kernel to start, and for a finished cell's output to arrive: a kernel that died is
noticed at once anyway."""


def run_notebook(
    notebook: Path, executed: Path, parameters: dict, *, timeout: int, watched: bool = False
) -> None:
    """Execute ``notebook`` with ``parameters`` and leave the executed copy at ``executed``.

    To be called within ``kernels.side_by_side`` or ``kernel_environment``. ``timeout`` is in
    seconds a cell, 0 for none: a cell may take as long as its kernel lives, which is looked at
    every second. ``watched`` shows a bar. Raises CompanionError naming the notebook, the cell, the
    error's last line and the executed copy.
    """
    import papermill
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    check_parameters(notebook, parameters)
    # what it logs is raised too, or is no fault
    logging.getLogger("papermill").setLevel(logging.CRITICAL)
    executed.parent.mkdir(parents=True, exist_ok=True)
    try:
        result = papermill.execute_notebook(
            *map(_as_it_is, (notebook, executed)),
            parameters,
            kernel_name="python3",
            cwd=str(notebook.parent),
            start_timeout=PATIENCE,
            iopub_timeout=PATIENCE,
            execution_timeout=timeout or None,
            kernel_manager_class=KnownKernel,
            progress_bar={"leave": False} if watched else False,
        )
    except PapermillExecutionError as problem:
        raise _failure(
            notebook, executed, problem.source, problem.exec_count, _last_line(problem)
        ) from None
    except (DeadKernelError, CellTimeoutError, RuntimeError) as problem:
        if isinstance(problem, RuntimeError) and "Kernel" not in str(problem):
            raise
        raise _stopped(notebook, executed, problem, timeout) from None
    except (
        OSError
    ) as problem:  # papermill writes the copy after each cell, and its error may name no file
        raise type(problem)(
            problem.errno, problem.strerror, problem.filename or str(executed)
        ) from problem
    _check_complete(result, notebook, executed)


def _as_it_is(path: Path) -> str:
    """papermill fills parameters into the braces of a path; doubled they mean braces."""
    return str(path).replace("{", "{{").replace("}", "}}")


def check_parameters(notebook: Path, parameters: dict) -> None:
    """Raise CompanionError if a parameter is not set in the notebook's ``parameters`` cell."""
    if not notebook.is_file():
        raise CompanionError(f"The notebook {notebook} is missing; restore it from the repository.")
    with reading_back(notebook):
        known = parameter_values(notebook)
    for name in parameters:
        if name not in known:
            raise CompanionError(
                f"{notebook.name} has no parameter '{name}' in its parameters cell: "
                f"{nearest(name, known)}"
            )


def parameter_values(notebook: Path) -> dict:
    """What the ``parameters`` cell sets, read as Python: papermill's own reader stumbles over
    comments.

    ValueError or KeyError for a file that is no notebook.
    """
    content = json.loads(notebook.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError(f"expected a notebook, found a {type(content).__name__}")
    cells = [cell for cell in content["cells"] if "parameters" in cell["metadata"].get("tags", [])]
    statements = [one for cell in cells for one in ast.parse("".join(cell["source"])).body]
    assigned = [one for one in statements if isinstance(one, ast.Assign)]
    return {
        target.id: ast.literal_eval(one.value)
        for one in assigned
        for target in one.targets
        if isinstance(target, ast.Name)
    }


def _check_complete(result, notebook: Path, executed: Path) -> None:
    """Every code cell ran to its end: ``sys.exit(0)`` or a stop by hand leaves cells that did
    not."""
    for cell in result.cells:
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        left = [output.ename for output in cell.outputs if output.output_type == "error"]
        done = cell.execution_count is not None and cell.metadata.papermill.status == "completed"
        if left or not done:
            why = f"the cell ended with {left[0]}" if left else "the cell did not run to its end"
            raise _failure(notebook, executed, cell.source, cell.execution_count, why)


def _failure(
    notebook: Path, executed: Path, source: str, number: int | None, why: str
) -> CompanionError:
    first_line = next((line.strip() for line in source.splitlines() if line.strip()), "")
    return CompanionError(
        f"Stage {notebook.stem} failed in cell [{number or '-'}] ({first_line}):\n  {why}\n"
        f"The executed notebook is {executed}; everything made so far is kept."
    )


def _stopped(notebook: Path, executed: Path, problem: Exception, timeout: int) -> CompanionError:
    """A kernel that died or a cell that took too long; papermill's copy says which cell was
    running."""
    import nbformat

    late = type(problem).__name__ == "CellTimeoutError"
    why = (
        f"the cell took longer than {timeout} seconds (setting run.cell_timeout)"
        if late
        else "the notebook's Python process died; too little memory is the usual reason"
    )
    started = [
        cell
        for cell in nbformat.read(executed, as_version=4).cells
        if cell.cell_type == "code" and cell.metadata.get("papermill", {}).get("start_time")
    ]
    source, number = (started[-1].source, started[-1].execution_count) if started else ("", None)
    return _failure(notebook, executed, source, number, why)


def _last_line(problem) -> str:
    """The message of a CompanionError as it is; of anything else its type and the last line of its
    message."""
    if problem.ename == "CompanionError":
        return problem.evalue
    lines = [
        line for line in re.sub(r"\x1b\[[0-9;]*m", "", problem.evalue).splitlines() if line.strip()
    ]
    return f"{problem.ename}: {lines[-1]}" if lines else problem.ename
