"""A browser, a JupyterLab and a reader, for tests that look at notebooks and reports as a person
does."""

import os
import shutil
from importlib.util import find_spec
from pathlib import Path

import chromium
import pytest

from fer_utils.core.paths import PACKAGE


def lacking(what: str):
    """Skip for the plain reason ``what``; where FER_BROWSER=required (continuous integration), fail
    for it."""
    if os.environ.get("FER_BROWSER") == "required":
        pytest.fail(f"{what}, and FER_BROWSER=required")
    pytest.skip(what)


@pytest.fixture(scope="module")
def browser():
    """Chromium without a window. Of each module its own: playwright's event loop must not outlive
    these tests."""
    if chromium.installed() is None:
        lacking(f"no browser found (looked for {', '.join(chromium.BROWSERS)})")
    if find_spec("playwright") is None:
        lacking("playwright is not installed")
    with chromium.running() as browser:
        yield browser


@pytest.fixture
def reader(browser):
    """Somebody with a window of 1200 by 900 pixels."""
    from notebook_reader import Reader

    context = browser.new_context(viewport={"width": 1200, "height": 900})
    yield Reader(context.new_page())
    context.close()


@pytest.fixture(scope="session")
def smoke_project(request, tmp_path_factory) -> Path:
    """A project folder of its own with a finished smoke run: that of FER_SMOKE_ROOT, for who writes
    tests and can't wait for one, or that of ``smoke_root``."""
    finished = Path(os.environ.get("FER_SMOKE_ROOT") or request.getfixturevalue("smoke_root")[0])
    root = tmp_path_factory.mktemp("browser")
    shutil.copytree(
        finished / "runs" / "smoke", root / "runs" / "smoke", ignore=shutil.ignore_patterns(".*")
    )
    return root


@pytest.fixture(scope="session")
def served_lab(smoke_project):
    """One JupyterLab for all tests of a session."""
    from lab_server import copy_notebooks, running_lab

    copy_notebooks(smoke_project, "smoke")
    with running_lab(smoke_project) as lab:
        yield lab


@pytest.fixture
def lab(served_lab):
    """The same, whose kernels and open notebooks are closed after the test."""
    yield served_lab
    served_lab.leave()


@pytest.fixture(scope="session")
def axe() -> str:
    """The script of axe-core."""
    from axe import axe_source

    source = axe_source()
    if source is None:
        lacking("axe-core is not there and npm does not fetch it")
    return source


@pytest.fixture(scope="session")
def screenshots() -> Path:
    """Where pictures of what was seen are kept: FER_SCREENSHOTS, or runs/screenshots, which git
    ignores."""
    return Path(os.environ.get("FER_SCREENSHOTS") or PACKAGE.parent / "runs" / "screenshots")
