"""Which files of the package a piece of code reaches through its imports, read from its text:
nothing is run.

An import counts wherever it stands, inside a function too. Of a package whose ``__init__`` only
hands on names of its modules (``figures``, ``widgets``) are reached the modules behind the names
that are used; of every other module all that it imports.
"""

import ast
import functools
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

from fer_utils.core.paths import PACKAGE

DATA = {
    "core/reference/__init__.py": "core/reference/*.csv",
    "core/recipes.py": "core/profiles/paper.yaml",
    "pages/measured/numbers.py": "core/profiles/*.yaml",
    "synthesis/generators/making.py": "synthesis/generators/weights/**/*",
}
"""Module -> the files of the package that it reads. A run's own profile counts by its values, as
settings."""

EVERYTHING = "*"


def reached_files(code: str) -> set[Path]:
    """Every file of the package that ``code`` reaches: modules, and the data that these read."""
    files, seen, waiting = set(), set(), _imported(ast.parse(code), package="")
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            along, inside = _found(name)
            waiting += [further for file in set(along) - files for further in _always(file)]
            waiting += _for_the_name(along[-1], inside) if along else []
            files |= set(along)
    read = [pattern for module, pattern in DATA.items() if PACKAGE / module in files]
    return files | {file for pattern in read for file in PACKAGE.glob(pattern) if file.is_file()}


def _always(file: Path) -> list[str]:
    """What a module imports, whoever imports it."""
    imported, handed_on = _read(file, file.stat().st_mtime_ns)
    return imported if handed_on is None else []


def _for_the_name(file: Path, name: str) -> list[str]:
    """What a module that only hands on names imports for one of them; all where no such name is
    asked for."""
    imported, handed_on = _read(file, file.stat().st_mtime_ns)
    return [] if handed_on is None else [handed_on[name]] if name in handed_on else imported


def _found(name: str) -> tuple[list[Path], str]:
    """The files that an import of a dotted name runs, the package's own first, and what of the last
    of them is wanted; no file where the name is not ours."""
    first, *parts = name.split(".")
    if first != "fer_utils":
        return [], ""
    folder, along = PACKAGE, [PACKAGE / "__init__.py"]
    for place, part in enumerate(parts):
        folder /= part
        file = next(
            (
                file
                for file in (folder / "__init__.py", folder.with_suffix(".py"))
                if file.is_file()
            ),
            None,
        )
        if file is None:
            return along, parts[place]
        along.append(file)
    return along, ""


@functools.cache
def _read(file: Path, changed: int) -> tuple[list[str], dict[str, str] | None]:
    """The dotted names that a module imports; and, where it does nothing else, the same by the
    names it hands on.

    changed: when the file was written, so that a module edited while this process runs is read
    again.
    """
    tree = ast.parse(file.read_text(encoding="utf-8"))
    package = ".".join(["fer_utils", *file.parent.relative_to(PACKAGE).parts])
    return _imported(tree, package=package), (
        _handed_on(tree, package) if file.name == "__init__.py" else None
    )


def _imported(tree: ast.Module, *, package: str) -> list[str]:
    """Dotted names of modules and of what is taken from them, in a module of ``package``."""
    names, taken = [], []
    for node in _statements(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            taken += [
                (f"{_source(node, package)}.{alias.name}", alias.asname or alias.name)
                for alias in node.names
            ]
    packages = {name for name, _ in taken if _is_package(name)}
    uses = _uses(tree) if packages else {}
    for name, known_as in taken:
        names += (
            [f"{name}.{attribute}" for attribute in uses.get(known_as, EVERYTHING)]
            if name in packages
            else [name]
        )
    return names


def _statements(tree: ast.Module) -> Iterator[ast.AST]:
    """Every statement, at any depth; expressions are left out, which saves most of the time."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        for part in ("body", "orelse", "finalbody", "handlers", "cases"):
            waiting += getattr(node, part, [])


def _source(node: ast.ImportFrom, package: str) -> str:
    """The module a ``from`` names; each dot after the first of a relative one goes a package up."""
    if not node.level:
        return node.module
    above = package.split(".")[: len(package.split(".")) - node.level + 1]
    return ".".join([*above, *filter(None, [node.module])])


def _is_package(name: str) -> bool:
    along, inside = _found(name)
    return bool(along) and not inside and along[-1].name == "__init__.py"


def _uses(tree: ast.Module) -> dict[str, set[str]]:
    """Name -> the attributes that are taken from it, with ``EVERYTHING`` where it also stands
    without one."""
    uses, alone = defaultdict(set), Counter()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            alone[node.id] += 1
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            uses[node.value.id].add(node.attr)
            alone[node.value.id] -= 1
    for name in +alone:
        uses[name].add(EVERYTHING)
    return uses


def _handed_on(tree: ast.Module, package: str) -> dict[str, str] | None:
    """Name -> where it comes from, of a module that consists of imports, docstrings and
    ``__all__``; None for any other."""
    names = {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            names |= {
                alias.asname or alias.name: f"{_source(node, package)}.{alias.name}"
                for alias in node.names
            }
        elif not (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            or isinstance(node, ast.Assign)
            and ast.unparse(node.targets[0]) == "__all__"
        ):
            return None
    return names
