"""Where in a notebook a table or figure is made: the heading above the cell, and its address."""

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from fer_utils.core.stored import read_json

SAVING = "Save"
"""The section of a notebook that only writes to files what the sections before it made."""

_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$")
_FENCE = re.compile(r"^\s*(```|~~~)")


@dataclass(frozen=True)
class Section:
    """A heading of a notebook: the notebook's name without the ending, and the heading's plain
    text."""

    notebook: str
    title: str

    @property
    def fragment(self) -> str:
        """What follows ``#`` in a link. JupyterLab and nbconvert take the text with hyphens for
        spaces, letter case and punctuation kept (jupyterlab/jupyterlab issue 5765)."""
        return quote(self.title.replace(" ", "-"), safe="?/:@!$&'*+,;=")


def headings(markdown: str) -> list[str]:
    """The plain text of each heading outside code blocks, in order."""
    found, fenced = [], False
    for line in markdown.splitlines():
        fenced ^= bool(_FENCE.match(line))
        heading = None if fenced else _HEADING.match(line)
        found += [_plain(heading[1])] if heading else []
    return found


def notebook_headings(path: Path) -> list[str]:
    """The same for a notebook's Markdown cells."""
    return [
        title
        for cell in _cells(path)
        if cell["cell_type"] == "markdown"
        for title in headings(_source(cell))
    ]


def made_in(names: Iterable[str], notebooks: Path) -> dict[str, Section]:
    """{table or figure: the section of the notebook in ``notebooks`` that makes it}, for those that
    one saves.

    That is where the variable that is saved gets its value; the section 'Save' only if it gets it
    nowhere else.
    """
    found, missing = {}, set(names)
    for path in sorted(notebooks.glob("*.ipynb")):
        cells = _code_cells(path)
        for position, (tree, heading) in enumerate(cells):
            for name in sorted(missing):
                variables = _saved(tree, name)
                if variables is not None:
                    titles = [
                        title
                        for wanted in variables
                        for title in _assigned_under(wanted, cells[: position + 1])
                    ]
                    found[name] = Section(
                        path.stem, next((title for title in titles if title != SAVING), heading)
                    )
            missing -= set(found)
    return found


def _assigned_under(variable: str, cells: list[tuple[ast.Module, str]]) -> list[str]:
    """Headings of the cells that give the variable a value, the last first."""
    return [
        heading
        for tree, heading in reversed(cells)
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id == variable
    ]


def _saved(tree: ast.Module, name: str) -> list[str] | None:
    """The variables a cell saves under ``name``, what readers see first; None if it saves nothing
    of that name."""
    for call in ast.walk(tree):
        if (
            isinstance(call, ast.Call)
            and getattr(call.func, "attr", "") == "save"
            and len(call.args) > 1
        ):
            target, shown = (
                call.args[1],
                [word.value for word in call.keywords if word.arg == "shown"],
            )
            if isinstance(target, ast.Constant) and target.value == name:
                return _names(*shown, call.args[0])
            for value in _entries(tree, name, target):
                return _names(value)
    return None


def _entries(tree: ast.Module, name: str, target: ast.expr) -> Iterator[ast.expr]:
    """Values of a cell's dicts under the key that, after the constant start of ``target``, ends
    ``name``."""
    first = target.values[0] if isinstance(target, ast.JoinedStr) and target.values else None
    start = first.value if isinstance(first, ast.Constant) else ""
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict) and name.startswith(start):
            yield from (
                value
                for key, value in zip(node.keys, node.values)
                if isinstance(key, ast.Constant) and key.value == name.removeprefix(start)
            )


def _names(*expressions: ast.expr) -> list[str]:
    return [
        node.id
        for expression in expressions
        for node in ast.walk(expression)
        if isinstance(node, ast.Name)
    ]


def _code_cells(path: Path) -> list[tuple[ast.Module, str]]:
    """Each code cell as a syntax tree, with the heading it stands under."""
    found, heading = [], ""
    for cell in _cells(path):
        if cell["cell_type"] == "markdown":
            heading = ([heading] + headings(_source(cell)))[-1]
        elif cell["cell_type"] == "code":
            found.append((ast.parse(_source(cell)), heading))
    return found


def _cells(path: Path) -> list[dict]:
    return read_json(path, ["cells"])["cells"]


def _source(cell: dict) -> str:
    return "".join(cell["source"])


def _plain(heading: str) -> str:
    """A heading's text as a browser shows it: without links, code and emphasis marks."""
    return (
        re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        .replace("`", "")
        .replace("**", "")
        .replace("*", "")
    )
