"""Makes the README's pictures of explorers and of the report, as a browser shows them, from a
finished demo run.

    python tests/browser/readme_images.py      after make reproduce; publish calls it

They are written to docs/images/, each below 300 kB. Without a browser nothing is written and the
last line says why.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from io import BytesIO
from pathlib import Path

import chromium
from lab_server import copy_notebooks, running_lab
from notebook_reader import Reader, press
from PIL import Image

from fer_utils.core.errors import CompanionError
from fer_utils.core.paths import RunPaths, atomic_write, pictures_folder, project_root
from fer_utils.core.profiles import load_profile
from fer_utils.runner.pipeline import status

LIMIT = 300_000  # bytes
SHARP = 1.5  # an explorer is some 770 pixels wide in a window of 1200


def main() -> None:
    """All three, in a copy of the run, so that the run stays as it is."""
    if chromium.installed() is None:
        raise CompanionError(
            "Found no Chromium or Chrome to take them with; install one, then publish again."
        )
    run, stale = RunPaths("demo"), [unit for unit in status(load_profile("demo")) if unit.reason]
    if stale:
        raise CompanionError(
            f"The demo run in {run.run} is not fresh ({stale[0].unit.name}: {stale[0].reason}), and"
            " its pictures would not show what the code makes: make reproduce first."
        )
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        shutil.copytree(
            run.run, root / run.run.relative_to(project_root()), ignore=shutil.ignore_patterns(".*")
        )
        copy_notebooks(root, "demo")
        with chromium.running() as browser:
            with running_lab(root) as lab:
                explorer(
                    browser,
                    lab,
                    "02_prompt_generation",
                    "explorer_prompt",
                    press("Surprise"),
                    "surprise",
                )
                explorer(
                    browser,
                    lab,
                    "06_evaluation",
                    "explorer_confusion",
                    press("HiResCAM"),
                    "HiResCAM over them",
                )
            report(browser, root, root / run.report.relative_to(project_root()))


def explorer(browser, lab, notebook: str, name: str, touch, expected: str) -> None:
    """The first explorer of a notebook after a touch."""
    context = browser.new_context(
        viewport={"width": 1200, "height": 900}, device_scale_factor=SHARP
    )
    reader, path = Reader(context.new_page()), lab.root / f"{name}.png"
    reader.open(lab, notebook)
    reader.run_all(seconds=900)
    reader.touch(touch, expected, seconds=60)
    reader.photograph(path)
    context.close()
    lab.leave()
    keep(path.read_bytes(), name)


def report(browser, root: Path, page_file: Path) -> None:
    """The upper part of the run's report."""
    subprocess.run(
        [sys.executable, "-m", "fer_utils", "report", "--profile", "demo"],
        check=True,
        env=os.environ | {"FER_ROOT": str(root)},
    )
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    page = context.new_page()
    page.goto(page_file.as_uri())
    keep(page.screenshot(), "report")
    context.close()


def keep(picture: bytes, name: str) -> None:
    """As a PNG of 256 colours in docs/images/."""
    file = BytesIO()
    Image.open(BytesIO(picture)).convert("RGB").quantize(256).save(file, "PNG", optimize=True)
    if file.tell() > LIMIT:
        raise CompanionError(
            f"The picture {name} has {file.tell():,} bytes, more than {LIMIT:,}; make the window"
            " smaller."
        )
    with atomic_write(pictures_folder(project_root()) / f"{name}.png") as out:
        out.write(file.getvalue())


if __name__ == "__main__":
    try:
        main()
    except CompanionError as problem:
        sys.exit(str(problem))
