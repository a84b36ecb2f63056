"""What the environment says about folders, names and consoles means the same for a command and for
the notebooks it runs."""

import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from fer_utils.cli import main
from fer_utils.core import paths
from fer_utils.core.errors import CompanionError
from fer_utils.core.paths import (
    absolute_folders,
    atomic_write,
    data_folder,
    notebooks_folder,
    project_root,
)
from fer_utils.pages import notebook
from fer_utils.runner.kernels import kernel_environment, side_by_side
from fer_utils.runner.notebook_runs import run_notebook


def a_notebook(path: Path, source: str) -> Path:
    cells = [
        nbformat.v4.new_code_cell("profile_name = 'smoke'", metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell(source),
    ]
    path.parent.mkdir(parents=True)
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
    return path


def said(path: Path) -> str:
    return "".join(
        output.text
        for cell in nbformat.read(path, as_version=4).cells
        for output in cell.get("outputs", [])
    )


def test_a_relative_folder_is_that_of_the_command_in_a_notebook_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FER_ROOT", "made")
    monkeypatch.setenv("FER_DATA", "mine")
    looks = a_notebook(
        tmp_path / "elsewhere" / "n.ipynb",
        "from fer_utils.core.paths import data_folder, project_root\n"
        "print(project_root(), data_folder())",
    )
    with side_by_side(1, threads=1) as executor:
        executor.submit(
            run_notebook, looks, tmp_path / "out.ipynb", {"profile_name": "demo"}, timeout=100
        ).result()
    assert said(tmp_path / "out.ipynb").split() == [str(tmp_path / "made"), str(tmp_path / "mine")]
    assert os.environ["FER_ROOT"] == "made"


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ("mine", "{here}/mine"),
        ("my faces/../mine", "{here}/my faces/../mine"),
        ("/mine", "/mine"),
        ("~/mine", "~/mine"),
        ("", ""),
    ],
)
@pytest.mark.parametrize("by", ["environment", "argument"])
@pytest.mark.parametrize("variable", ["FER_ROOT", "FER_DATA"])
def test_make_lab_hands_on_folders_as_seen_from_where_it_is_typed(
    variable, by, given, seen, tmp_path
):
    for name in ("requirements.lock", "pyproject.toml", ".venv/.ready", ".venv/bin/python"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f'#!/bin/sh\necho "${variable}"\n')
    (tmp_path / ".venv" / "bin" / "python").chmod(0o755)
    shutil.copy(paths.PACKAGE.parent / "Makefile", tmp_path)
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("FER_", "MAKE"))
    }
    environment |= {variable: given} if by == "environment" else {}
    ran = subprocess.run(
        ["make", "--silent", "lab", *([f"{variable}={given}"] if by == "argument" else [])],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=environment,
        check=True,
    )
    assert ran.stdout.strip() == seen.format(here=tmp_path)


def test_braces_in_a_path_are_braces(tmp_path):
    looks = a_notebook(tmp_path / "{run} {}" / "n.ipynb", "print(1)")
    with side_by_side(1, threads=1) as executor:
        executor.submit(
            run_notebook,
            looks,
            tmp_path / "{out}" / "n.ipynb",
            {"profile_name": "demo"},
            timeout=100,
        ).result()
    assert said(tmp_path / "{out}" / "n.ipynb") == "1\n"


@pytest.mark.parametrize("variable", ["FER_ROOT", "FER_DATA"])
def test_an_empty_variable_is_none_and_a_tilde_is_the_home_folder(variable, monkeypatch, tmp_path):
    monkeypatch.delenv("FER_ROOT", raising=False)
    monkeypatch.delenv("FER_DATA", raising=False)
    unset = absolute_folders()
    monkeypatch.setenv(variable, "")
    monkeypatch.chdir(tmp_path)
    assert absolute_folders() == unset
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv(variable, "~/faces")
    assert absolute_folders()[variable] == str(tmp_path / "faces")


def test_kernels_get_the_folders_of_the_command_and_nothing_of_it_stays(monkeypatch, tmp_path):
    monkeypatch.setenv("FER_DATA", "here")
    monkeypatch.chdir(tmp_path)
    before = dict(os.environ)
    with kernel_environment():
        assert os.environ["FER_DATA"] == str(tmp_path / "here")
    assert os.environ == before


def test_installed_alone_it_works_in_the_folder_one_stands_in_and_refuses_what_needs_notebooks(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(paths, "PACKAGE", tmp_path / "site-packages" / "fer_utils")
    monkeypatch.delenv("FER_ROOT", raising=False)
    monkeypatch.delenv("FER_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    assert project_root() == tmp_path and data_folder() == tmp_path / "data"
    with pytest.raises(CompanionError, match=r"without its notebooks.*pip install -e \."):
        notebooks_folder()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("training.seeds=[3]", ("training.seeds=[3]",)),
        ("['training.seeds=[3]', data.scale=0.02]", ("training.seeds=[3]", "data.scale=0.02")),
        ("", ()),
        ([], ()),
        (["data.scale=0.02"], ("data.scale=0.02",)),
    ],
)
def test_overrides_that_papermill_made_text_of_are_read_as_a_list(given, expected):
    assert notebook.start("smoke", given).overrides == expected


def test_names_that_are_not_utf_8_or_not_in_the_consoles_encoding_are_shown_escaped(monkeypatch):
    for stream in ("stdout", "stderr"):
        monkeypatch.setattr(sys, stream, io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    assert main(["predict", "顔\udce9.png", "--weights", "none"]) == 2
    sys.stderr.flush()
    assert b"none" in sys.stderr.buffer.getvalue()
    print("顔 caf\udce9")
    sys.stdout.flush()
    assert sys.stdout.buffer.getvalue() == b"\\u9854 caf\\udce9\n"


def test_a_name_that_is_not_utf_8_is_written_as_the_bytes_it_has(tmp_path):
    with atomic_write(tmp_path / "names.txt", "w", encoding="utf-8") as file:
        file.write("caf\udce9")
    assert (tmp_path / "names.txt").read_bytes() == b"caf\xe9"


def test_the_command_line_reads_a_relative_root(tmp_path):
    ran = subprocess.run(
        [sys.executable, "-m", "fer_utils", "status", "--profile", "smoke"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=os.environ | {"FER_ROOT": "here", "PYTHONPATH": str(paths.PACKAGE.parent)},
        check=True,
    )
    assert "never run" in ran.stdout
