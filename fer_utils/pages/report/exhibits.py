"""Every table and figure of a run: what the paper has in its place, and which cell saved it."""

import ast
import re
from dataclasses import dataclass
from pathlib import Path

import PIL.Image

from fer_utils.core.reference import read_reference
from fer_utils.core.stored import read_text
from fer_utils.pages.report.collect import Notebook, Run

IN_THE_PAPER = re.compile(r"(table|figure)_([1-4])_")
ROMAN = {"1": "I", "2": "II", "3": "III", "4": "IV"}


@dataclass(frozen=True)
class Exhibit:
    """One table or figure.

    paper:    the paper's counterpart ('Table III'), empty where it has none; its own
    ``paper_caption`` and ``place``.
    caption:  ours, with the stamp: Markdown of a table; of a figure plain text, which may go on to
    describe it; empty if
              its file is missing.
    anchor:   address of the cell that saved it, of its notebook if no cell names it, empty if the
    run has neither.
    file:     the CSV of a table, the PNG of a figure; it may not be there.
    """

    name: str
    paper: str
    paper_caption: str
    place: str
    caption: str
    notebook: str
    anchor: str
    file: Path

    @property
    def is_table(self) -> bool:
        return self.name.startswith("table_")

    @property
    def cell(self) -> str:
        """The cell's name (cell-24), empty where only the notebook is known."""
        found = re.search(r"cell-\d+$", self.anchor)
        return found[0] if found else ""


def exhibits(run: Run) -> list[Exhibit]:
    """The paper's first, in its order; then ours in the order of the stages; then files that no
    stage promises."""
    promised = _promised(run)
    names = [*promised, *(name for name in _names_in_folders(run.profile) if name not in promised)]
    found = [_exhibit(name, promised.get(name, ""), run) for name in names]
    return sorted(found, key=lambda one: (not one.paper, one.paper.startswith("Figure"), one.paper))


def counterpart(name: str) -> str:
    """'Table III' for table_3_class_accuracy, 'Figure 4' for figure_4_..., empty for what the paper
    does not have."""
    found = IN_THE_PAPER.match(name)
    if not found:
        return ""
    return f"Table {ROMAN[found[2]]}" if found[1] == "table" else f"Figure {found[2]}"


def saving_cell(notebook: Notebook, name: str) -> str:
    """The address of the cell that saves ``name``, be it named there in full or by an f-string;
    else the notebook's."""
    by_pattern = ""
    for cell in notebook.content["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] != "code" or "save(" not in source:
            continue
        exact, patterns = _texts(source)
        if name in exact:
            return f"{notebook.anchor}-{cell['id']}"
        if any(re.fullmatch(pattern, name) for pattern in patterns):
            by_pattern = by_pattern or f"{notebook.anchor}-{cell['id']}"
    return by_pattern or notebook.anchor


def figure_caption(path: Path) -> str:
    """What ``figures.save`` wrote into a PNG for readers of the file alone; empty if it wrote
    nothing."""
    with PIL.Image.open(path) as picture:
        return picture.info.get("Description", "")


def _promised(run: Run) -> dict[str, str]:
    """Every table and figure that a stage of the run must write -> its notebook, in the order of
    the stages."""
    return {
        name: unit.stage.notebook
        for unit in run.units
        for name in (*unit.stage.shown, *unit.stage.shown_at_times(run.profile))
    }


def _names_in_folders(profile) -> list[str]:
    files = [
        path
        for folder in (profile.paths.tables, profile.paths.figures)
        if folder.is_dir()
        for path in sorted(folder.iterdir())
    ]
    return [path.stem for path in files if path.suffix in (".csv", ".png") and path.name[0] != "."]


def _exhibit(name: str, notebook: str, run: Run) -> Exhibit:
    paths, is_table = run.profile.paths, name.startswith("table_")
    file = paths.tables / f"{name}.csv" if is_table else paths.figures / f"{name}.png"
    notebook = run.provenance["files"].get(file.name, {}).get("notebook") or notebook
    shown = {one.stem: one for one in run.notebooks}
    printed = (
        read_reference("exhibits").set_index("exhibit").to_dict("index").get(counterpart(name), {})
    )
    return Exhibit(
        name,
        counterpart(name),
        printed.get("caption", ""),
        printed.get("place", ""),
        _caption(file),
        notebook,
        saving_cell(shown[notebook], name) if notebook in shown else "",
        file,
    )


def _caption(file: Path) -> str:
    if file.suffix == ".png":
        return figure_caption(file) if file.is_file() else ""
    shown = file.with_suffix(".md")
    return read_text(shown).partition("\n")[0] if shown.is_file() else ""


def _texts(source: str) -> tuple[set[str], list[str]]:
    """Texts written in a cell, and a pattern for each text with values put in."""
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except SyntaxError:  # a cell with a line for IPython alone, such as %time
        return set(), []
    exact = {
        node.value
        for node in nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    patterns = [
        "".join(
            re.escape(part.value) if isinstance(part, ast.Constant) else ".+"
            for part in node.values
        )
        for node in nodes
        if isinstance(node, ast.JoinedStr)
    ]
    return exact, [pattern for pattern in patterns if pattern.startswith(("table_", "figure_"))]
