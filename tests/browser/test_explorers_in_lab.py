"""Every notebook in JupyterLab: it runs by the menu, and its explorers answer to whoever touches them."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from notebook_reader import choose

from fer_utils.paths import notebooks_folder

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("browser")]


@dataclass(frozen=True)
class Touched:
    """What to touch in the explorer of that number, and what its view says afterwards and did not before."""

    touch: Callable
    expected: str
    explorer: int = 0


TOUCHED = {
    "07_paper_audit": [
        Touched(choose("rounding", "truncation: cut off"), "FER2013: micro mean fits Aug. 4; macro mean fits Aug. 1, Aug. 2, Aug. 3")],
}


def explorers_in(notebook: str) -> int:
    """How many explorers the source of a notebook makes."""
    return len(re.findall(r"\bwidgets\.\w+_explorer\(", (notebooks_folder() / f"{notebook}.ipynb").read_text()))


def test_every_explorer_of_every_notebook_is_touched():
    made = {path.stem: explorers_in(path.stem) for path in notebooks_folder().glob("*.ipynb")}
    touched = {name: len({row.explorer for row in rows}) for name, rows in TOUCHED.items()}
    assert touched == {name: count for name, count in made.items() if count}


@pytest.mark.parametrize("notebook", TOUCHED)
def test_a_notebook_runs_by_the_menu_and_its_explorers_answer(notebook, reader, lab, screenshots, record_property):
    reader.open(lab, notebook)
    reader.run_all()
    assert reader.problems() == []
    for row in TOUCHED[notebook]:
        record_property("seconds to answer", reader.touch(row.touch, row.expected, explorer=row.explorer))
    for number in range(explorers_in(notebook)):
        reader.photograph(screenshots / f"{notebook}_{number}.png", number)
    assert reader.problems() == []
