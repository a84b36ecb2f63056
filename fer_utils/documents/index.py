"""tables/<profile>/README.md: every table and figure of a run, what it shows and which notebook section makes it."""

import os
from collections.abc import Iterable
from pathlib import Path

import PIL.Image

from fer_utils.documents.sections import made_in
from fer_utils.paths import atomic_write, notebooks_folder
from fer_utils.profiles import Profile
from fer_utils.tables.text import escape_markdown

NAME = "README.md"
UNKNOWN = "no notebook saves it now"


def write_index(profile: Profile) -> Path:
    """Write the index beside the profile's tables; returns its path."""
    path = profile.paths.tables / NAME
    with atomic_write(path, "w", encoding="utf-8") as file:
        file.write(index_text(profile))
    return path


def index_text(profile: Profile) -> str:
    """The index as Markdown, made from the files that are there and from the notebooks as they are now."""
    tables = [path for path in sorted(profile.paths.tables.glob("*.md")) if path.name != NAME]
    figures = sorted(profile.paths.figures.glob("*.png"))
    return "\n".join([
        f"# Tables and figures of the profile {profile.name}", "",
        f"{profile.description[0].upper()}{profile.description[1:]}. "
        "The CSV file of a table is what was computed, with all digits; the others are made from it for readers. "
        f"Versions, seeds and checksums: [provenance.json](provenance.json). "
        "This list is written by `python -m fer_utils reproduce`, or `interim` while that is not at its end.", "",
        *_table(profile.paths.tables, "table", {path: _table_caption(path) for path in tables}), "",
        *_table(profile.paths.tables, "figure", {path: _figure_caption(path) for path in figures}), ""])


def section_links(names: Iterable[str], folder: Path) -> dict[str, str]:
    """{table or figure: a Markdown link from a file in ``folder`` to the notebook section that makes it}."""
    place = _relative(notebooks_folder(), folder)
    found = {name: f"[{section.notebook}, {section.title}]({place}/{section.notebook}.ipynb#{section.fragment})"
             for name, section in made_in(names, notebooks_folder()).items()}
    return dict.fromkeys(names, UNKNOWN) | found


def _table(folder: Path, kind: str, captions: dict[Path, str]) -> list[str]:
    links = section_links([path.stem for path in captions], folder)
    return [f"| {kind} | what it shows | other forms | made in |", "| --- | --- | --- | --- |",
            *(f"| [{path.stem}]({_relative(path, folder)}) | {caption} | {_other_forms(path, folder)} | "
              f"{links[path.stem]} |" for path, caption in captions.items())]


def _other_forms(path: Path, folder: Path) -> str:
    others = sorted(path.parent.glob(f"{path.stem}.*"))
    return ", ".join(f"[{other.suffix[1:]}]({_relative(other, folder)})" for other in others if other != path)


def _table_caption(path: Path) -> str:
    """The first line of the Markdown form, which is Markdown already."""
    return path.read_text(encoding="utf-8").split("\n", 1)[0]


def _figure_caption(path: Path) -> str:
    with PIL.Image.open(path) as picture:
        return escape_markdown(picture.info.get("Description", ""))


def _relative(path: Path, folder: Path) -> str:
    return Path(os.path.relpath(path, folder)).as_posix()
