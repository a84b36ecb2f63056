"""Fixtures that every test may ask for."""

import os
from pathlib import Path

import pytest
from smoke_run import made_once

from fer_utils.core.paths import PACKAGE
from fer_utils.datasets import fer2013, rafdb

os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture
def data() -> Path:
    """The real data folder (``FER_DATA``, or ``shared/data`` beside the checkout); skips where
    there is none."""
    folder = Path(os.environ.get("FER_DATA", PACKAGE.parent.parent / "shared" / "data")).resolve()
    if not (folder / "fer2013").is_dir() or not (folder / "rafdb").is_dir():
        pytest.skip(f"no FER2013 and RAF-DB files in {folder}; set FER_DATA")
    return folder


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """An empty project root: everything written during the test lands in a temporary folder."""
    monkeypatch.setenv("FER_ROOT", str(tmp_path))
    monkeypatch.delenv("FER_DATA", raising=False)
    return tmp_path


@pytest.fixture
def any_counts(monkeypatch):
    """Lets a data set of a few faces pass for the whole one."""
    for reader in (fer2013, rafdb):
        monkeypatch.setattr(reader, "check_counts", lambda *_, **__: None)


@pytest.fixture(scope="session")
def smoke_root(tmp_path_factory) -> tuple[Path, str]:
    """A project folder in which the smoke profile ran, and what the run printed; one for all of
    xdist's processes."""
    folder = tmp_path_factory.getbasetemp()
    return made_once(folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder)


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory) -> Path:
    """A project folder with a small run of demo that counts as finished (``published_run``); to be
    copied, not changed."""
    from published_run import write_finished_run

    from fer_utils.core.profiles import load_profile

    root = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FER_ROOT", str(root))
        write_finished_run(load_profile("demo"))
    return root


@pytest.fixture
def nothing_left(project):
    """After the test, the cache is empty or absent and no temporary file lies anywhere."""
    yield
    cache = project / "runs" / "cache"
    kept = (
        [path.name for path in cache.iterdir() if not path.name.startswith("members-")]
        if cache.exists()
        else []
    )
    assert kept == [] and list(project.rglob("*.tmp")) == [] and list(project.rglob(".*.tmp")) == []


@pytest.fixture
def real_project(data, tmp_path_factory, monkeypatch) -> Path:
    """A project root with the real data behind it, shared by the session so that FER2013 is decoded
    once."""
    root = tmp_path_factory.getbasetemp() / "real"
    monkeypatch.setenv("FER_ROOT", str(root))
    monkeypatch.setenv("FER_DATA", str(data))
    return root
