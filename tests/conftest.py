"""Fixtures that every test may ask for."""

import os
from pathlib import Path

import pytest

from fer_utils.paths import PACKAGE

os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture
def data() -> Path:
    """The real data folder (``FER_DATA``, or ``shared/data`` beside the checkout); skips where there is none."""
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
def real_project(data, tmp_path_factory, monkeypatch) -> Path:
    """A project root with the real data behind it, shared by the session so that FER2013 is decoded once."""
    root = tmp_path_factory.getbasetemp() / "real"
    monkeypatch.setenv("FER_ROOT", str(root))
    monkeypatch.setenv("FER_DATA", str(data))
    return root
