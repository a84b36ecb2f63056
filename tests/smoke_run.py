"""The smoke profile by the command line, in a project folder of its own."""

import os
import subprocess
import sys
from pathlib import Path

from filelock import FileLock

PRINTED = "printed.txt"


def run(name: str, *, root: Path) -> str:
    """What ``python -m fer_utils NAME --profile smoke`` prints in that folder; it must end well."""
    found = subprocess.run(
        [sys.executable, "-m", "fer_utils", name, "--profile", "smoke"],
        capture_output=True,
        text=True,
        env=os.environ | {"FER_ROOT": str(root)},
        check=False,
        timeout=900,
    )
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout


def made_once(folder: Path) -> tuple[Path, str]:
    """A project folder below ``folder`` in which the smoke profile ran, and what that printed.

    Whoever comes first makes it, in whichever process; the others wait.
    """
    root = folder / "smoke"
    with FileLock(folder / "smoke.lock"):
        if not (root / PRINTED).is_file():
            root.mkdir(exist_ok=True)
            (root / PRINTED).write_text(run("reproduce", root=root), encoding="utf-8")
    return root, (root / PRINTED).read_text(encoding="utf-8")
