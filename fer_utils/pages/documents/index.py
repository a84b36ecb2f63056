"""tables/<profile>/README.md: every published table and figure, what it shows and which notebook
section makes it."""

import os
from collections.abc import Iterable
from pathlib import Path

import PIL.Image

from fer_utils.core.paths import (
    PACKAGE,
    atomic_write,
    committed_figures,
    committed_tables,
    notebooks_folder,
)
from fer_utils.core.profiles import Profile
from fer_utils.core.stored import read_text
from fer_utils.pages.documents.sections import made_in
from fer_utils.runner.provenance import read_provenance
from fer_utils.tables.text import escape_markdown

NAME = "README.md"
UNKNOWN = "no notebook saves it now"


def write_index(profile: Profile, root: Path) -> Path:
    """Write the index beside the tables that the profile has published below ``root``; returns its
    path."""
    path = committed_tables(profile.name, root) / NAME
    with atomic_write(path, "w", encoding="utf-8") as file:
        file.write(index_text(profile, root))
    return path


def index_text(profile: Profile, root: Path = PACKAGE.parent) -> str:
    """The index as Markdown, made from the files that are there and from the notebooks as they are
    now."""
    folder = committed_tables(profile.name, root)
    tables = [path for path in sorted(folder.glob("*.md")) if path.name != NAME]
    figures = sorted(committed_figures(profile.name, root).glob("*.png"))
    return "\n".join(
        [
            f"# Tables and figures of the profile {profile.name}",
            "",
            (
                f"{profile.description[0].upper()}{profile.description[1:]}. The CSV file of a"
                " table is what was computed, with all digits; the others are made from it for"
                " readers. Versions, seeds and checksums: [provenance.json](provenance.json). This"
                " list is written by `python -m fer_utils publish --profile"
                f" {profile.name}`.{_elsewhere(folder)}"
            ),
            "",
            *_table(folder, "table", {path: _table_caption(path) for path in tables}, root),
            "",
            *_table(folder, "figure", {path: _figure_caption(path) for path in figures}, root),
            "",
        ]
    )


def _elsewhere(folder: Path) -> str:
    """Where the tables and figures lie that came out as in another profile."""
    same = read_provenance(folder).get("same_as", {})
    return "".join(
        f" What came out as in the profile {name} lies there alone:"
        f" [tables/{name}](../{name}/{NAME})."
        for name in sorted(set(same.values()))
    )


def section_links(
    names: Iterable[str], folder: Path, root: Path = PACKAGE.parent
) -> dict[str, str]:
    """{table or figure: a Markdown link from a file in ``folder`` to the notebook section, below
    ``root``, that makes it}."""
    place = _relative(root / notebooks_folder().name, folder)
    found = {
        name: (
            f"[{section.notebook},"
            f" {section.title}]({place}/{section.notebook}.ipynb#{section.fragment})"
        )
        for name, section in made_in(names, notebooks_folder()).items()
    }
    return dict.fromkeys(names, UNKNOWN) | found


def _table(folder: Path, kind: str, captions: dict[Path, str], root: Path) -> list[str]:
    links = section_links([path.stem for path in captions], folder, root)
    for name, about in read_provenance(folder).get("files", {}).items():
        stem = Path(name).stem
        # a table that is made while a long run goes on
        if links.get(stem) == UNKNOWN and about.get("command"):
            links[stem] = f"`{about['command']}`"
    return [
        f"| {kind} | what it shows | other forms | made in |",
        "| --- | --- | --- | --- |",
        *(
            f"| [{path.stem}]({_relative(path, folder)}) | {caption} | {_other_forms(path, folder)}"
            f" | {links[path.stem]} |"
            for path, caption in captions.items()
        ),
    ]


def _other_forms(path: Path, folder: Path) -> str:
    others = sorted(path.parent.glob(f"{path.stem}.*"))
    return ", ".join(
        f"[{other.suffix[1:]}]({_relative(other, folder)})" for other in others if other != path
    )


def _table_caption(path: Path) -> str:
    """The first line of the Markdown form, which is Markdown already."""
    return read_text(path).partition("\n")[0]


def _figure_caption(path: Path) -> str:
    with PIL.Image.open(path) as picture:
        return escape_markdown(picture.info.get("Description", ""))


def _relative(path: Path, folder: Path) -> str:
    return Path(os.path.relpath(path, folder)).as_posix()
