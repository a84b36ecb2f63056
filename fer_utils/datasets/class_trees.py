"""Images sorted into folders by split and class, as train/angry/x.jpg or DATASET/test/3/x.jpg,
below any folder."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from fer_utils.core.emotions import EMOTIONS, SPELLINGS, emotion_name
from fer_utils.core.errors import CompanionError, nearest
from fer_utils.datasets.decoding import LARGEST_IMAGE, image_size, is_image
from fer_utils.datasets.tree import Contents, Tree, is_below, join

SPLIT_FOLDERS = {
    "train": "train",
    "training": "train",
    "fer2013train": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "fer2013valid": "validation",
    "publictest": "validation",
    "test": "test",
    "testing": "test",
    "fer2013test": "test",
    "privatetest": "test",
}
"""Names of split folders, in small letters."""
RAFDB_NAME = re.compile(r"((train|test)_\d+)(_aligned)?\.\w+", re.IGNORECASE)
FER2013_NAME = re.compile(r"((Training|PublicTest|PrivateTest)_\d+|fer\d{7})\.\w+", re.IGNORECASE)
_SIZES = {48: "FER2013", 100: "RAF-DB"}


@dataclass(frozen=True)
class ClassTree:
    """The class folders below ``root``; ``folders`` holds (split, name of the class folder,
    folder)."""

    tree: Tree
    root: str
    folders: list[tuple[str, str, str]]

    def images(self) -> Iterator[tuple[str, str, str]]:
        """(split, name of the class folder, name of the image), in the order of the folders."""
        for split, alias, folder in self.folders:
            for name in self.tree.folders.get(folder, []):
                if is_image(name):
                    yield split, alias, join(folder, name)

    def names(self) -> list[str]:
        """Every image."""
        return [name for _, _, name in self.images()]

    def check(self, classes: dict[str, int]) -> None:
        """Raise CompanionError for a class folder not in ``classes``, an image outside of them, or
        what can't be read.

        ``classes``: name of a class folder in small letters -> label.
        """
        self.tree.refuse_problems(self.root)
        for _, alias, folder in self.folders:
            if alias.lower() not in classes:
                codes = [name for name in classes if name.isdigit()]
                hint = nearest(alias.lower(), (*codes, *SPELLINGS), listed=(*codes, *EMOTIONS))
                raise CompanionError(
                    f"{self.tree.where(folder)} is no class of this data set: {hint} If its "
                    "images show one of these, rename the folder; else leave it out, by "
                    "moving it elsewhere."
                )
        for folder, files in self.tree.folders.items():
            stray = next(filter(is_image, files), None)
            if stray and self._is_stray(folder):
                raise CompanionError(
                    f"{self.tree.where(join(folder, stray))} lies in no class folder, so it has no "
                    "label. Images belong right into a folder such as "
                    f"{join(self.root, 'train/happy')}: move it there or remove it."
                )

    def notes(self) -> list[str]:
        """Sentences on what lies among the images and was not read."""
        others = [
            join(folder, name)
            for _, _, folder in self.folders
            for name in self.tree.folders.get(folder, [])
            if not is_image(name)
        ]
        return left_out(self.tree.junk_below(self.root)) + left_out(
            others, what="files in class folders that are no images by their names"
        )

    def _is_stray(self, folder: str) -> bool:
        tops = {top.rsplit("/", 1)[0] if "/" in top else "" for _, _, top in self.folders}
        known = {top for _, _, top in self.folders}
        return folder not in known and any(is_below(folder, top) for top in tops)


def left_out(
    names: list[str], *, what: str = "hidden or system files (.DS_Store, Thumbs.db and the like)"
) -> list[str]:
    """The sentence that says what was not read, with its number; nothing for nothing."""
    return [f"Left out {len(names):,} {what}, the first is {min(names)}."] if names else []


def class_trees(tree: Tree) -> list[ClassTree]:
    """Every root of a tree with folders <split>/<class>, at least one of them named like a
    class."""
    roots = {}
    for folder in sorted(tree.folders):
        found = _parse(folder)
        if found:
            root, split, alias, class_folder = found
            roots.setdefault(root, {})[class_folder] = (split, alias, class_folder)
    return [
        ClassTree(tree, root, list(folders.values()))
        for root, folders in roots.items()
        if any(is_class(alias) for _, alias, _ in folders.values())
    ]


def data_set_of(class_tree: ClassTree) -> str | None:
    """'FER2013' or 'RAF-DB', by the names of the images, else by the size of the first that can be
    opened."""
    return identified(class_tree)[0]


def identified(class_tree: ClassTree) -> tuple[str | None, str]:
    """``data_set_of``, and where that is None why, as the end of a sentence."""
    for _, _, folder in class_tree.folders:
        for name in class_tree.tree.folders.get(folder, []):
            if RAFDB_NAME.fullmatch(name):
                return "RAF-DB", ""
            if FER2013_NAME.fullmatch(name):
                return "FER2013", ""
    try:
        for number, (_, data) in enumerate(
            class_tree.tree.read(class_tree.names(), limit=LARGEST_IMAGE)
        ):
            size = image_size(data)
            if size:
                title = _SIZES.get(size[0]) if size[0] == size[1] else None
                return title, "they are neither 48x48 pixels like FER2013 nor 100x100 like RAF-DB"
            if number == 9:
                break
    except CompanionError as problem:
        return None, f"one can't be read: {str(problem).rstrip('.')}"
    return None, "they can't be opened as images"


def class_trees_of(title: str, contents: Contents) -> list[ClassTree]:
    """The class trees of one data set, those in folders before those in archives."""
    return [
        found
        for tree in contents.trees
        for found in class_trees(tree)
        if data_set_of(found) == title
    ]


def _parse(folder: str) -> tuple[str, str, str, str] | None:
    """Root, split, class name and class folder of 'root/train/angry' or of a folder below it."""
    parts = folder.split("/")
    at = next(
        (i for i in reversed(range(len(parts) - 1)) if parts[i].lower() in SPLIT_FOLDERS), None
    )
    if at is None:
        return None
    top = at
    while top and parts[top - 1].lower() == parts[at].lower():  # Kaggle's train/train/angry
        top -= 1
    return (
        "/".join(parts[:top]),
        SPLIT_FOLDERS[parts[at].lower()],
        parts[at + 1],
        "/".join(parts[: at + 2]),
    )


def is_class(alias: str) -> bool:
    """Whether a folder of that name may hold the images of a class: an emotion, or one of RAF-DB's
    codes."""
    try:
        return alias in list("1234567") or bool(emotion_name(alias))
    except CompanionError:
        return False
