"""What images lie in the data folder where no data set was found: nobody should read 'not found'
beside 35,000 images."""

from collections import defaultdict
from collections.abc import Iterator

from fer_utils.datasets.class_trees import (
    FER2013_NAME,
    RAFDB_NAME,
    SPLIT_FOLDERS,
    class_trees,
    identified,
    is_class,
)
from fer_utils.datasets.decoding import is_image
from fer_utils.datasets.tree import Contents, Tree, join

_SHOWN = 8
_NAMES = {"FER2013": FER2013_NAME, "RAF-DB": RAFDB_NAME}


def loose_images(contents: Contents, title: str) -> list[str]:
    """A sentence on the images of each arrangement that is no copy of a data set: how many, where,
    and what is missing.

    Images that are named like those of another data set than ``title`` are left to its own message.
    """
    others = [pattern for name, pattern in _NAMES.items() if name != title]
    found: list[str] = []
    for tree in contents.trees:
        found += [*_unknown_trees(tree), *_outside_of_trees(tree, others)]
    return found


def _unknown_trees(tree: Tree) -> Iterator[str]:
    """Trees of the right arrangement whose images are of neither data set."""
    for found in class_trees(tree):
        title, why_not = identified(found)
        if title is None:
            yield (
                f"{tree.where(found.root)} has {len(found.names()):,} images in folders by split"
                f" and emotion, but {why_not}."
            )


def _outside_of_trees(tree: Tree, others: list) -> Iterator[str]:
    """Images in folders that lack the split, the class, or both."""
    by_class, by_split, neither = defaultdict(dict), defaultdict(dict), {}
    for folder, images in _outside(tree, others).items():
        parent, _, name = folder.rpartition("/")
        if is_class(name):
            by_class[parent][name] = len(images)
        elif name.lower() in SPLIT_FOLDERS:
            by_split[parent][name] = len(images)
        else:
            neither[folder] = images
    for parent, found in by_class.items():
        yield (
            f"{tree.where(parent)} has {sum(found.values()):,} images in folders by emotion"
            f" ({_named(found)}), but in no folders train and test, so nothing tells which are to"
            " be tested on."
        )
    for parent, found in by_split.items():
        yield (
            f"{tree.where(parent)} has {sum(found.values()):,} images right in {_named(found)}, in"
            " no folders by emotion, so they have no labels: those of FER2013's images are in"
            " fer2013.csv."
        )
    if neither:
        first = min(neither)
        yield (
            f"{sum(map(len, neither.values())):,} images lie in folders that are named like no"
            f" emotion, the first is {tree.where(join(first, neither[first][0]))}."
        )


def _outside(tree: Tree, others: list) -> dict[str, list[str]]:
    """The folders with images that are in no class tree, and the images' names."""
    in_trees = {folder for found in class_trees(tree) for *_, folder in found.folders}
    images = {
        folder: list(filter(is_image, files))
        for folder, files in tree.folders.items()
        if folder not in in_trees
    }
    return {
        folder: names
        for folder, names in images.items()
        if names and not any(pattern.fullmatch(names[0]) for pattern in others)
    }


def _named(found: dict[str, int]) -> str:
    return ", ".join(sorted(found)[:_SHOWN]) + (", ..." if len(found) > _SHOWN else "")
