"""How threads wait: in every process of the project OpenMP, when torch loads it, finds that it must
not spin."""

import ast
import os
import subprocess
import sys

import nbformat
import numpy as np
import pytest
import torch
from test_pipeline import write_notebook

from fer_utils.core.devices import one_thread
from fer_utils.core.paths import notebooks_folder
from fer_utils.core.profiles import load_profile
from fer_utils.datasets import load_splits, population
from fer_utils.runner.kernels import side_by_side
from fer_utils.runner.notebook_runs import run_notebook

OURS = ("OMP_WAIT_POLICY", "KMP_BLOCKTIME")
gnu = pytest.mark.skipif(
    sys.platform != "linux", reason="PyTorch brings GNU's OpenMP for Linux alone"
)


def fresh(**more):
    """This environment without what fer_utils has put into it; OpenMP prints what it reads when it
    is loaded."""
    return (
        {name: value for name, value in os.environ.items() if name not in OURS}
        | {"OMP_DISPLAY_ENV": "VERBOSE"}
        | more
    )


def imports_of_notebooks():
    """The imports of all committed notebooks that come before the first of this package, and that
    one."""
    lines = []
    for path in sorted(notebooks_folder().glob("*.ipynb")):
        code = "\n".join(
            cell.source
            for cell in nbformat.read(path, as_version=4).cells
            if cell.cell_type == "code"
        )
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                text = ast.unparse(node)
                if "fer_utils" in text:
                    break
                lines.append(text)
    return "\n".join([*dict.fromkeys(lines), "import fer_utils, torch"])


def all_wait_passively(printed):
    """Whether every OpenMP library that was loaded spins for no turn. GNU's calls its default,
    300,000 turns, PASSIVE too."""
    turns = [
        line.split("=")[1].strip(" '") for line in printed.splitlines() if "GOMP_SPINCOUNT" in line
    ]
    return bool(turns) and set(turns) == {"0"}


@gnu
@pytest.mark.parametrize(
    "arguments",
    [
        ["-m", "fer_utils", "train", "--profile", "smoke", "--level", "aug9"],
        ["-c", imports_of_notebooks()],
        [
            "-m",
            "pytest",
            "-s",
            "-q",
            "-n0",
            "-p",
            "no:cacheprovider",
            "--collect-only",
            "tests/test_resemotenet.py",
        ],
    ],
    ids=["command line", "notebook in JupyterLab", "tests"],
)
def test_a_process_of_the_project_waits_passively(arguments, tmp_path):
    found = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=fresh(FER_ROOT=str(tmp_path)),
        cwd=notebooks_folder().parent,
    )
    assert all_wait_passively(found.stderr + found.stdout), (
        found.stderr[-2000:] + found.stdout[-2000:]
    )


@gnu
def test_a_kernel_that_reproduce_starts_waits_passively(tmp_path, monkeypatch, capfd):
    # set in this process, which has imported fer_utils: it is to be its doing, not the shell's
    for name in OURS:
        assert name in os.environ
    monkeypatch.setenv("OMP_DISPLAY_ENV", "VERBOSE")
    (tmp_path / "notebooks").mkdir()
    # not even fer_utils: the environment is inherited
    write_notebook(tmp_path, "01_one", "import torch")
    with side_by_side(1) as executor:
        executor.submit(
            run_notebook,
            tmp_path / "notebooks" / "01_one.ipynb",
            tmp_path / "ran.ipynb",
            {},
            timeout=0,
        ).result()
    notebook = nbformat.read(tmp_path / "ran.ipynb", as_version=4)
    shown = "".join(
        output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", [])
    )
    assert all_wait_passively(shown + capfd.readouterr().err)


def test_what_the_user_has_set_stands():
    script = "import os, fer_utils; print(os.environ['OMP_WAIT_POLICY'])"
    found = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env=fresh(OMP_WAIT_POLICY="ACTIVE"),
    )
    assert found.stdout.strip() == "ACTIVE"


def test_demo_faces_are_the_same_whatever_the_threads_and_are_drawn_on_one(monkeypatch):
    seen, draw = [], population.draw_faces
    monkeypatch.setattr(
        population,
        "draw_faces",
        lambda *arguments, **options: (
            seen.append(torch.get_num_threads()),
            draw(*arguments, **options),
        )[1],
    )
    before, sets = torch.get_num_threads(), []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            profile = load_profile("demo", ["data.scale=0.0005", "data.evaluation_scale=0.003"])
            sets.append([load_splits(name, profile) for name in profile.data.sets])
            assert torch.get_num_threads() == threads
        assert seen and set(seen) == {1}
        # and with one_thread doing nothing the bytes are the same, so that pictures drawn before
        # still stand
        monkeypatch.setattr(torch, "set_num_threads", lambda number: None)
        sets.append([load_splits(name, profile) for name in profile.data.sets])
        assert seen[-1] == 2
    finally:
        monkeypatch.undo()
        torch.set_num_threads(before)
    for other in sets[1:]:
        for one, two in zip(sets[0], other):
            assert all(
                np.array_equal(faces.images, getattr(two, split).images)
                for split, faces in one.items()
            )


def test_one_thread_gives_the_others_back_even_after_an_error():
    before = torch.get_num_threads()
    with pytest.raises(ZeroDivisionError), one_thread():
        assert torch.get_num_threads() == 1
        raise ZeroDivisionError
    assert torch.get_num_threads() == before
