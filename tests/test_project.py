"""The files around the package agree with each other and with what is really there."""

import ast
import re
import sys
import tomllib

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from fer_utils.core.paths import PACKAGE

ROOT = PACKAGE.parent
CONDA_NAMES = {
    "opencv-python-headless": "py-opencv",
    "ray": "ray-default",
    "torch": "pytorch",
    "playwright": "playwright-python",
}
IMPORT_NAMES = {
    "yaml": "pyyaml",
    "sklearn": "scikit-learn",
    "PIL": "pillow",
    "jupyter_client": "nbclient",
    "bs4": "beautifulsoup4",
    "markupsafe": "jinja2",
    "IPython": "ipykernel",
    "huggingface_hub": "diffusers",
    "cv2": "opencv-python-headless",
}


def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def declared(*extras):
    listed = project()["dependencies"] + [
        item for name in extras for item in project()["optional-dependencies"][name]
    ]
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


def test_no_package_is_declared_twice():
    groups = [project()["dependencies"], *project()["optional-dependencies"].values()]
    for group in groups:
        names = [Requirement(item).name for item in group]
        assert len(set(names)) == len(names), names


def test_conda_users_get_the_same_ranges_and_a_reason_for_each():
    text = (ROOT / "environment.yml").read_text()
    listed = [item for item in yaml.safe_load(text)["dependencies"] if item != "pip"]
    found = {item.name: item.specifier for item in map(Requirement, listed)}
    assert len(found) == len(listed), "environment.yml names a package twice"
    expected = {
        CONDA_NAMES.get(name, name): requirement.specifier
        for name, requirement in declared("test", "data").items()
    }
    expected["python"] = Requirement(f"python{project()['requires-python']}").specifier
    assert found == expected
    entries = [
        line for line in text.splitlines() if line.startswith("  - ") and "conda-forge" not in line
    ]
    assert all(re.search(r" # \w+", line) for line in entries)


def test_every_library_the_package_imports_is_declared():
    known = {
        *declared("data", "crop", "cluster"),
        *map(canonicalize_name, sys.stdlib_module_names),
        "fer-utils",
    }
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = (
                [node.module]
                if isinstance(node, ast.ImportFrom) and not node.level
                else [name.name for name in node.names]
                if isinstance(node, ast.Import)
                else []
            )
            for name in (name.split(".")[0] for name in names):
                assert canonicalize_name(IMPORT_NAMES.get(name, name)) in known, (
                    f"{path.name} imports {name}"
                )


def test_continuous_integration_runs_the_readmes_test_command():
    assert "make test" in (ROOT / ".ci" / "run").read_text() and "make test" in readme()
