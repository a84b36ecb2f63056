"""The package is built as its map says: rooms whose imports go one way, and no slip that a linter
finds."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from fer_utils.core.paths import PACKAGE

ROOT = PACKAGE.parent
BIN = Path(sys.executable).parent


def ran(*command):
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def rooms():
    return {
        path.stem
        for path in PACKAGE.iterdir()
        if path.name not in ("__init__.py", "__main__.py", "__pycache__", "README.md")
    }


def test_imports_between_rooms_go_one_way():
    found = ran(BIN / "lint-imports", "--no-cache")
    assert found.returncode == 0, found.stdout
    assert "1 kept" in found.stdout


def test_an_import_that_runs_upwards_is_found(tmp_path):
    folder = tmp_path / "fer_utils"
    for room in rooms():
        (folder / room).mkdir(parents=True)
        (folder / room / "__init__.py").write_text(
            "from fer_utils import cli" if room == "core" else ""
        )
    (folder / "__init__.py").write_text("")
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    found = subprocess.run(
        [BIN / "lint-imports", "--no-cache"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(tmp_path), "PATH": "/usr/bin"},
    )
    assert (
        found.returncode == 1
        and "fer_utils.core is not allowed to import fer_utils.cli" in found.stdout
    )


def test_no_slip_that_the_linter_knows():
    found = ran(BIN / "ruff", "check", "--no-cache", "fer_utils", "bench", "tests")
    assert found.returncode == 0, found.stdout


def test_all_code_has_the_form_that_the_formatter_gives():
    found = ran(BIN / "ruff", "format", "--no-cache", "--check", "fer_utils", "bench", "tests")
    assert found.returncode == 0, found.stdout


def test_the_map_has_a_row_for_every_room_from_top_to_bottom():
    rows = re.findall(
        r"^\| \[(\w+)\]\(([\w./]+)\) \|",
        (PACKAGE / "README.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    layers = re.search(r"layers = \[(.*?)\]", (ROOT / "pyproject.toml").read_text(), re.DOTALL)[1]
    assert [name for name, _ in rows] == re.findall(r'"(\w+)"', layers)
    assert {name for name, _ in rows} == rooms() and len(rows) <= 14
    assert all((PACKAGE / link).exists() for _, link in rows)


@pytest.mark.parametrize(
    "how", ["data set", "generator", "control", "table or figure", "notebook cell", "explorer"]
)
def test_the_map_says_how_to_add_a(how):
    text = (PACKAGE / "README.md").read_text(encoding="utf-8")
    assert re.search(rf"^\*\*An? {how}\.\*\*", text, re.MULTILINE)
