"""The files around the package agree with each other and with what is really there."""

import ast
import re
import subprocess
import sys
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from fer_utils.errors import CompanionError
from fer_utils.paths import PACKAGE
from fer_utils.readme import _filled

ROOT = PACKAGE.parent
CONDA_NAMES = {"opencv-python-headless": "py-opencv", "ray": "ray-default", "torch": "pytorch",
               "playwright": "playwright-python"}
IMPORT_NAMES = {"yaml": "pyyaml", "sklearn": "scikit-learn", "PIL": "pillow", "jupyter_client": "nbclient",
                "IPython": "ipykernel", "huggingface_hub": "diffusers",
                "cv2": "opencv-python-headless"}
NOT_IN_A_CLONE = ("data/", "runs/", ".venv")


def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def declared(*extras):
    listed = project()["dependencies"] + [item for name in extras for item in project()["optional-dependencies"][name]]
    return {canonicalize_name(Requirement(item).name): Requirement(item) for item in listed}


def locked():
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(pin.name): pin for pin in pins}


def readme():
    return (ROOT / "README.md").read_text(encoding="utf-8")


def make_targets():
    return set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_the_lock_pins_exact_versions_and_no_addresses():
    text = (ROOT / "requirements.lock").read_text()
    assert "://" not in text and "@" not in text and "-e " not in text
    assert all(re.fullmatch(r"==[\w.!+]+", str(pin.specifier)) for pin in locked().values())


def test_the_lock_satisfies_every_range_of_the_project():
    pins = locked()
    for name, requirement in declared("test", "data").items():
        assert name in pins, f"requirements.lock lacks {name}"
        version = str(pins[name].specifier).removeprefix("==")
        assert requirement.specifier.contains(version), f"{pins[name]} is outside {requirement}"


def test_conda_users_get_the_same_ranges_and_a_reason_for_each():
    text = (ROOT / "environment.yml").read_text()
    listed = [item for item in yaml.safe_load(text)["dependencies"] if item != "pip"]
    found = {item.name: item.specifier for item in map(Requirement, listed)}
    expected = {CONDA_NAMES.get(name, name): requirement.specifier
                for name, requirement in declared("test", "data").items()}
    expected["python"] = Requirement(f"python{project()['requires-python']}").specifier
    assert found == expected
    entries = [line for line in text.splitlines() if line.startswith("  - ") and "conda-forge" not in line]
    assert all(re.search(r" # \w+", line) for line in entries)


def test_every_library_the_package_imports_is_declared():
    known = {*declared("data", "crop", "cluster"), *map(canonicalize_name, sys.stdlib_module_names), "fer-utils"}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module] if isinstance(node, ast.ImportFrom) and not node.level else \
                [name.name for name in node.names] if isinstance(node, ast.Import) else []
            for name in (name.split(".")[0] for name in names):
                assert canonicalize_name(IMPORT_NAMES.get(name, name)) in known, f"{path.name} imports {name}"


def test_the_readme_names_only_make_targets_and_commands_that_exist():
    assert set(re.findall(r"\bmake ([a-z]+)", readme())) <= make_targets()
    assert {"reproduce", "test", "lab", "notebooks", "clean"} <= make_targets()
    listed = subprocess.run([sys.executable, "-m", "fer_utils", "--help"], capture_output=True, text=True, check=True)
    for command in set(re.findall(r"python -m fer_utils ([a-z-]+)", readme())):
        assert re.search(rf"^\s+{command}\s", listed.stdout, re.MULTILINE), command


def test_the_files_the_readme_names_exist():
    links = re.findall(r"\]\(([^)#:]+)\)", readme()) + re.findall(r"`([\w./-]+/[\w./-]*|[\w-]+\.\w+)`", readme())
    for name in (link.replace("\\_", "_") for link in links):
        if not name.startswith(NOT_IN_A_CLONE) and "." in name.rsplit("/")[-1]:
            assert (ROOT / name).exists() or (PACKAGE / name).exists(), f"README.md names {name}"


def test_continuous_integration_runs_the_readmes_test_command():
    assert "make test" in (ROOT / ".ci" / "run").read_text() and "make test" in readme()


def test_readme_tables_are_filled_between_their_markers_and_a_lost_marker_is_an_error():
    text = "before\n<!-- results:start -->\nold\n<!-- results:end -->\nafter\n"
    assert _filled(text, "results", "new") == text.replace("old", "new")
    with pytest.raises(CompanionError, match="notebooks:start"):
        _filled(text, "notebooks", "new")
