"""A person at a notebook in JupyterLab: opens it, runs it by the menu, touches its explorers, sees
what is wrong."""

import re
import time
from collections.abc import Callable
from pathlib import Path

from lab_server import Lab

RAN = """() => {
  const panel = '.jp-NotebookPanel:not(.lm-mod-hidden)';
  const cells = [...document.querySelectorAll(panel + ' .jp-CodeCell')];
  const prompts = cells.map(cell => cell.querySelector('.jp-InputArea-prompt').textContent);
  const ran = prompts.filter(prompt => /^\\[\\d+\\]:$/.test(prompt.trim()));
  const error = '[data-mime-type="application/vnd.jupyter.stderr"]';
  const stopped = document.querySelector(error) && ran.length > 0
                  && !prompts.some(prompt => prompt.includes('*'));
  return cells.length > 0 && (ran.length == cells.length || stopped);
}"""
PROMPTS = ".jp-CodeCell .jp-InputArea-prompt"
FRAME = 300  # pixels that JupyterLab's own bars take, and some more
STDERR = '[data-mime-type="application/vnd.jupyter.stderr"]'  # of tracebacks, too


class Reader:
    """page: of playwright. clicks: how often something was clicked. complaints: every error in the
    browser's console; JupyterLab has none of its own, so none is ignored."""

    def __init__(self, page):
        self.page, self.clicks, self.complaints = page, 0, []
        page.on(
            "console",
            lambda message: (
                message.type == "error"
                and self.complaints.append(f"{message.text} ({message.location.get('url', '')})")
            ),
        )
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def open(self, lab: Lab, notebook: str) -> None:
        """By its address, in an empty JupyterLab."""
        self.page.goto(lab.address_of(notebook))
        self.wait_for_kernel()

    def wait_for_kernel(self) -> None:
        """Until the open notebook has cells and a kernel that listens."""
        self.page.locator(".jp-NotebookPanel .jp-Cell").first.wait_for(timeout=60_000)
        self.page.locator(".jp-StatusBar-TextItem", has_text="| Idle").wait_for(timeout=120_000)

    def click(self, target) -> None:
        """A click of the mouse, counted."""
        self.clicks += 1
        target.click()

    def run_all(self, seconds: float = 240) -> None:
        """Run > Run All Cells, and wait until every cell has run or one has failed."""
        self.click(self.page.get_by_role("menuitem", name="Run", exact=True))
        self.click(self.page.get_by_role("menuitem", name="Run All Cells", exact=True))
        try:
            self.page.wait_for_function(RAN, timeout=seconds * 1000)
        except Exception as problem:
            # playwright's own, which is not there where playwright is not
            raise AssertionError(
                f"Not all cells ran in {seconds} s:"
                f" {self.page.locator(PROMPTS).all_text_contents()}; {self.problems()}"
            ) from problem

    def explorer(self, number: int = 0):
        """The explorer of that number on the page, counted from 0."""
        return self.page.locator(".fer-explorer").nth(number)

    def touch(
        self, touch: Callable, expected: str, *, explorer: int = 0, seconds: float = 20
    ) -> None:
        """Touch a control and wait until the view says what is expected; AssertionError if it does
        not, or did before."""
        shown = self.explorer(explorer)
        shown.scroll_into_view_if_needed()
        before = view_of(shown)
        assert not re.search(expected, before), (
            f"The view says '{expected}' before anything is touched: {before}"
        )
        began = time.perf_counter()
        touch(self, shown)
        while not re.search(expected, view_of(shown)):
            assert time.perf_counter() - began < seconds, (
                f"'{expected}' is not in the view {seconds} s after the touch: {view_of(shown)}; "
                f"{self.problems()}"
            )
            self.page.wait_for_timeout(50)

    def problems(self) -> list[str]:
        """See ``explorer_problems``; and what the console complained of."""
        return explorer_problems(self.page) + [f"console: {text}" for text in self.complaints]

    def photograph(self, path: Path, number: int = 0) -> None:
        """The explorer as it stands there, in a window that is high enough for it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        shown, window = self.explorer(number), self.page.viewport_size
        height = int(shown.bounding_box()["height"]) + FRAME
        self.page.set_viewport_size(
            {"width": window["width"], "height": max(window["height"], height)}
        )
        shown.scroll_into_view_if_needed()
        shown.screenshot(path=path)
        self.page.set_viewport_size(window)


def view_of(explorer) -> str:
    """What the explorer shows, in words: the alternative text of its picture, then its
    sentences."""
    pictures = explorer.locator("img.fer-picture")
    return " ".join(
        [
            *(picture.get_attribute("alt") for picture in pictures.all()),
            *explorer.locator(".fer-words").all_text_contents(),
        ]
    )


def explorer_problems(page) -> list[str]:
    """What is wrong with the notebook that is open: errors and warnings of cells, explorers that
    are missing, unfinished or failed."""
    found = [
        f"a cell failed or warned: {text.strip().splitlines()[-1]}"
        for text in page.locator(STDERR).all_text_contents()
    ]
    explorers = page.locator(".fer-explorer")
    if not explorers.count():
        found.append("there is no explorer")
    for number, explorer in enumerate(explorers.all()):
        found += [
            f"explorer {number}: {text}"
            for text in explorer.locator(".fer-problem").all_text_contents()
        ]
        if not explorer.locator(".fer-picture, .fer-words").count():
            found.append(f"explorer {number} shows nothing")
    return found + [
        f"a widget failed: {text}"
        for text in page.locator(".jupyter-widgets-error-widget").all_text_contents()
    ]


def choose(label: str, *options: str) -> Callable:
    """An option of a drop-down list, or several of a longer list, by their texts."""

    def touch(reader: Reader, explorer) -> None:
        reader.clicks += 1
        explorer.get_by_label(label, exact=True).select_option(list(options))

    return touch


def press(button: str) -> Callable:
    """A button by its text."""
    return lambda reader, explorer: reader.click(
        explorer.get_by_role("button", name=button, exact=True)
    )


def tick(label: str) -> Callable:
    """A box by its text."""
    return lambda reader, explorer: reader.click(explorer.get_by_label(label, exact=True))


def slide(label: str, key: str) -> Callable:
    """A slider, by a key of the keyboard."""

    def touch(_, explorer) -> None:
        named = explorer.page.locator(".widget-label", has_text=re.compile(f"^{re.escape(label)}$"))
        explorer.locator(".widget-slider", has=named).get_by_role("slider").press(key)

    return touch


def write(label: str, text: str) -> Callable:
    """A text into a field, then Enter."""

    def touch(_, explorer) -> None:
        field = explorer.get_by_label(label, exact=True)
        field.fill(text)
        field.press("Enter")

    return touch


def upload(button: str, name: str, picture: bytes) -> Callable:
    """A PNG file chosen after a press on an upload button, behind whose text stands how many are
    chosen."""

    def touch(reader: Reader, explorer) -> None:
        with reader.page.expect_file_chooser() as chooser:
            reader.click(explorer.locator(".widget-upload", has_text=button))
        chooser.value.set_files({"name": name, "mimeType": "image/png", "buffer": picture})

    return touch


def press_cell(title: str) -> Callable:
    """A cell of a matrix of buttons, by the beginning of the words that hovering over it shows."""
    return lambda reader, explorer: reader.click(explorer.get_by_title(re.compile(f"^{title}")))
