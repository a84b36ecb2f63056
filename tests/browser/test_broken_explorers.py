"""What the tests of explorers look for is found where it is planted."""

import nbformat
import pytest
from notebook_reader import press, slide

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("browser")]

SOUND = "View(words=f'{faces} faces')"
BUTTON = (
    "from fer_utils.widgets import Choice, Slider, View, explore\ncontrols = {'faces':"
    " Choice('faces', [1, 2], buttons=True)}"
)


def written(lab, name, *cells):
    """A notebook of these code cells."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in cells])
    notebook.metadata["kernelspec"] = {
        "name": "python3",
        "display_name": "Python 3 (ipykernel)",
        "language": "python",
    }
    nbformat.write(notebook, lab.root / "notebooks" / f"{name}.ipynb")
    return name


def explorer(draw):
    return f"explore(lambda faces: {draw}, controls)"


def test_explorers_that_fail_at_once_when_touched_or_not_at_all_are_told_apart(reader, lab):
    reader.open(
        lab,
        written(
            lab,
            "broken",
            BUTTON,
            explorer("1 / 0"),
            explorer("View(words=f'{1 / (2 - faces)} faces')"),
            explorer("View(words='1 faces')"),
            explorer(SOUND),
        ),
    )
    reader.run_all()
    failed_at_once, empty = [
        problem for problem in reader.problems() if problem.startswith("explorer")
    ]
    assert (
        failed_at_once.startswith("explorer 0: ZeroDivisionError")
        and empty == "explorer 0 shows nothing"
    )
    with pytest.raises(AssertionError, match="explorer 1: ZeroDivisionError"):
        reader.touch(press("2"), "2 faces", explorer=1, seconds=3)
    with pytest.raises(AssertionError, match="'2 faces' is not in the view"):
        reader.touch(press("2"), "2 faces", explorer=2, seconds=3)
    reader.touch(press("2"), "2 faces", explorer=3)
    assert [problem for problem in reader.problems() if problem.startswith("explorer 3")] == []


def test_a_failed_cell_a_missing_explorer_and_an_error_in_the_console_are_reported(reader, lab):
    reader.open(
        lab,
        written(
            lab,
            "failing",
            "from IPython.display import Javascript, display\n"
            "display(Javascript('console.error(\"planted\")'))",
            "1 / 0",
            "2",
        ),
    )
    reader.run_all()
    reader.page.wait_for_timeout(500)
    found = " | ".join(reader.problems())
    assert (
        "a cell failed or warned: ZeroDivisionError" in found
        and "there is no explorer" in found
        and "console: planted" in found
    )


def test_a_slider_is_moved_by_the_keyboard(reader, lab):
    reader.open(
        lab,
        written(
            lab,
            "slider",
            BUTTON.replace("Choice('faces', [1, 2], buttons=True)", "Slider('faces', 1, 9, 3)"),
            explorer(SOUND),
        ),
    )
    reader.run_all()
    reader.touch(slide("faces", "ArrowRight"), "^4 faces")
    assert reader.problems() == []
