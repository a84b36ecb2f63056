"""JupyterLab as ``make lab`` starts it, on a copy of the notebooks in which each is set to the
smoke profile."""

import json
import os
import secrets
import shlex
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import nbformat

from fer_utils.core.paths import PACKAGE, notebooks_folder

SETTINGS = {
    "@jupyterlab/apputils-extension": {
        "notification.jupyterlab-settings": {"fetchNews": "false", "checkForUpdates": False}
    }
}


@dataclass(frozen=True)
class Lab:
    """A running server.

    address: ends in a slash. root: the project folder, with notebooks/ in it. served: the folder
    that Lab shows, which is one of them. start_page: a file that leads a browser to where ``make
    lab`` does.
    """

    address: str
    token: str
    root: Path
    served: Path
    start_page: Path

    def address_of(self, notebook: str) -> str:
        """Where a notebook is opened, in a Lab with nothing else open."""
        path = (self.root / "notebooks" / f"{notebook}.ipynb").relative_to(self.served)
        return f"{self.address}lab/tree/{path.as_posix()}?token={self.token}&reset"

    def leave(self) -> None:
        """Shut all kernels down, for a torch process a notebook would fill the memory; open next
        time with nothing open."""
        for session in json.loads(ask("GET", f"{self.address}api/sessions", self.token)):
            ask("DELETE", f"{self.address}api/sessions/{session['id']}", self.token)
        shutil.rmtree(self.root / "jupyter" / "workspaces", ignore_errors=True)


def copy_notebooks(root: Path, profile_name: str) -> None:
    """notebooks/ in ``root``: those of the checkout, set to a profile, and without the outputs of
    an earlier run."""
    (root / "notebooks").mkdir(parents=True, exist_ok=True)
    for path in sorted(notebooks_folder().glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
            if "parameters" in cell.metadata.get("tags", []):
                cell.source = cell.source.replace(
                    'profile_name = "demo"', f'profile_name = "{profile_name}"'
                )
        nbformat.write(notebook, root / "notebooks" / path.name)


@contextmanager
def running_lab(root: Path) -> Iterator[Lab]:
    """The command of ``make lab`` in ``root``, with nothing of this person's Jupyter settings,
    until the block ends."""
    jupyter, token = root / "jupyter", secrets.token_hex(16)
    for extension, files in SETTINGS.items():
        for name, settings in files.items():
            path = jupyter / "settings" / extension / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(settings))
    command = [sys.executable, *lab_command()[1:], "--no-browser", "--port=0", "--allow-root"]
    with open(root / "jupyter.log", "w") as log:
        server = subprocess.Popen(
            command, cwd=root, env=_environment(root, jupyter, token), stdout=log, stderr=log
        )
        try:
            yield _wait(server, root, jupyter / "runtime", token)
        finally:
            server.terminate()
            try:
                server.wait(timeout=30)
            except subprocess.TimeoutExpired:
                server.kill()


def lab_command() -> list[str]:
    """What ``make lab`` runs, in words; within ``make test``, make would name folders, too."""
    printed = subprocess.run(
        ["make", "--dry-run", "--no-print-directory", "lab"],
        cwd=PACKAGE.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    command = shlex.split(printed.stdout.splitlines()[-1])
    assert command[1:4] == ["-m", "jupyter", "lab"], f"make lab ends in {command}"
    return command


def _environment(root: Path, jupyter: Path, token: str) -> dict[str, str]:
    """FER_HEADLESS is not set: somebody is there."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("FER_HEADLESS", "FER_DATA", "MPLBACKEND")
    }
    folders = {
        f"JUPYTER_{name.upper()}_DIR": str(jupyter / name) for name in ("config", "data", "runtime")
    }
    lab = {
        f"JUPYTERLAB_{name.upper()}_DIR": str(jupyter / name) for name in ("settings", "workspaces")
    }
    return (
        kept
        | folders
        | lab
        | {
            "FER_ROOT": str(root),
            "PYTHONPATH": str(PACKAGE.parent),
            "IPYTHONDIR": str(jupyter / "ipython"),
            "JUPYTER_TOKEN": token,
            "OMP_NUM_THREADS": "1",
        }
    )


def _wait(
    server: subprocess.Popen, root: Path, runtime: Path, token: str, seconds: float = 120
) -> Lab:
    """Port 0 lets the system choose one; the server writes down which, and answers when its pages
    are written, too."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and server.poll() is None:
        described = list(runtime.glob("jpserver-*.json"))
        if described:
            about = json.loads(described[0].read_text())
            ask("GET", f"{about['url']}api/status", token)
            pages = [
                *runtime.glob("jpserver-file-to-run-*-open.html"),
                *runtime.glob("jpserver-*-open.html"),
            ]
            return Lab(about["url"], token, root, Path(about["root_dir"]), pages[0])
        time.sleep(0.2)
    raise AssertionError(f"JupyterLab did not start:\n{(root / 'jupyter.log').read_text()[-3000:]}")


def ask(method: str, address: str, token: str) -> bytes:
    """The server's answer to a request of its own interface."""
    request = urllib.request.Request(
        address, method=method, headers={"Authorization": f"token {token}"}
    )
    with urllib.request.urlopen(request, timeout=120) as answer:
        return answer.read()
