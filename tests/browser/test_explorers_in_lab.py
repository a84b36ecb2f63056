"""Every notebook in JupyterLab: it runs by the menu, and its explorers answer to whoever touches
them."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO

import pytest
from notebook_reader import choose, press, press_cell, slide, upload, write
from PIL import Image

from fer_utils.core.paths import notebooks_folder

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("browser")]


@dataclass(frozen=True)
class Touched:
    """What to touch in the explorer of that number, and what its view says afterwards and did not
    before."""

    touch: Callable
    expected: str
    explorer: int = 0


def photo() -> bytes:
    """A PNG of one colour, for who has no face at hand."""
    file = BytesIO()
    Image.new("RGB", (120, 160), "tan").save(file, "PNG")
    return file.getvalue()


AFTER_RAFDB = "Demo faces after RAF-DB"
TOUCHED = {
    "01_dataset_analysis": [
        Touched(press("fear"), "faces labelled fear"),
        Touched(choose("data set", AFTER_RAFDB), f"^{AFTER_RAFDB}, most alike", explorer=1),
    ],
    "02_prompt_generation": [
        Touched(press("Fear"), r"“Portrait of a fearful man"),
        Touched(
            write("or your own words", "a sad woman with glasses"), "“a sad woman with glasses”"
        ),
    ],
    "03_synthesis": [
        Touched(press("surprise"), "“Portrait of a surprised man"),
        Touched(slide("noise → face (%)", "Home"), "large is noise"),
    ],
    "04_balancing": [
        Touched(slide("images per class", "End"), r"[1-9][\d,]* would have to be made"),
        Touched(choose("data set", AFTER_RAFDB), AFTER_RAFDB),
    ],
    "05_training": [
        Touched(choose("training sets", "Aug. 2", "Aug. 3"), r"Aug\. 3, seed 0"),
        Touched(press("accuracy"), "accuracy over epochs"),
    ],
    "06_evaluation": [
        Touched(press("HiResCAM"), "HiResCAM over them"),
        Touched(press_cell("anger read as happy"), "anger read as happy: "),
        Touched(
            choose("network", f"{AFTER_RAFDB}, Aug. 1, seed 0"), "demo_rafdb-test-00000", explorer=1
        ),
        Touched(upload("Choose a photo", "me.png", photo()), r"^me\.png, read as: \w+", explorer=1),
    ],
    "07_paper_audit": [
        Touched(
            choose("rounding", "truncation: cut off"),
            r"FER2013: micro mean fits Aug\. 4; macro mean fits Aug\. 1, Aug\. 2, Aug\. 3",
        )
    ],
}
ELSEWHERE = {"00_start_here": 1}  # in test_first_visit.py


def explorers_in(notebook: str) -> int:
    """How many explorers the source of a notebook makes."""
    return len(
        re.findall(
            r"\bwidgets\.\w+_explorer\(", (notebooks_folder() / f"{notebook}.ipynb").read_text()
        )
    )


def test_every_explorer_of_every_notebook_is_touched():
    made = {path.stem: explorers_in(path.stem) for path in notebooks_folder().glob("*.ipynb")}
    touched = {name: len({row.explorer for row in rows}) for name, rows in TOUCHED.items()}
    assert touched | ELSEWHERE == {name: count for name, count in made.items() if count}


@pytest.mark.parametrize("notebook", TOUCHED)
def test_a_notebook_runs_by_the_menu_and_its_explorers_answer(notebook, reader, lab, screenshots):
    reader.open(lab, notebook)
    reader.run_all()
    assert reader.problems() == []
    for row in TOUCHED[notebook]:
        reader.touch(row.touch, row.expected, explorer=row.explorer)
    for number in range(explorers_in(notebook)):
        reader.photograph(screenshots / f"{notebook}_{number}.png", number)
    assert reader.problems() == []
