"""Geometric copies of faces as the authors of ResEmoteNet make them to enlarge a class.

Their script (https://github.com/ArnabKumarRoy02/ResEmoteNet at commit fabbe68,
data_preprocessing/data_augmentation.py) alters each copy in one of three ways, drawn at random:
rotated by up to 30 degrees, mirrored, or cropped by up to ten pixels an edge. Here a copy is a
function of the face's id and the copy's number alone, so it need not be stored; a rotation by 0
degrees and a crop of 0 pixels, which leave the face as it was, are not drawn.
"""

import re
from collections.abc import Iterable

import numpy as np
from PIL import Image

from fer_utils.core.faces import resize_images
from fer_utils.datasets import derived_seed

WAYS = ("rotated", "mirrored", "cropped")
MOST_DEGREES, MOST_PIXELS = 30, 10
_COPY = re.compile(r"img_\d+_[a-z]+\.jpg|.+\.(jpe?g|png)_?\d+\.(jpe?g|png)", re.IGNORECASE)
"""The script calls its copies ``img_<number>_<emotion>.jpg`` and puts them beside the originals;
others number the name of the original (``PrivateTest_1.jpg0.jpg``)."""


def altered_copies(images: np.ndarray, ids, size: int, *, channels: int) -> np.ndarray:
    """One altered copy of each image, uint8 [N, H, W, C] to [N, size, size, channels]; altered
    first, then resized.

    ``ids`` name the copies ('train-7+2'): equal ids and images give equal copies.
    """
    copies = np.empty((len(images), size, size, channels), np.uint8)
    for place, (image, name) in enumerate(zip(images, ids, strict=True)):
        # torch takes no view mirrored or read-only
        copy = altered(image, *way_of(name, len(image))).copy()
        copies[place] = resize_images(copy[None], size, channels=channels)[0]
    return copies


def copies_note(names: Iterable[str]) -> list[str]:
    """The sentence on files that are called like altered copies, which have no place in a test set;
    nothing for none."""
    names = list(names)
    copies = [name for name in names if _COPY.fullmatch(name.rsplit("/", 1)[-1])]
    if not copies:
        return []
    return [
        f"{len(copies):,} of {len(names):,} images are called like altered copies of others, as the"
        f" augmentation script of ResEmoteNet's authors writes them; the first is {min(copies)}. If"
        " they are, faces count several times here, and a network that learnt from the originals"
        " has seen them."
    ]


def way_of(name: str, width: int) -> tuple[str, int]:
    """How the copy of that name is altered: a way and its amount (degrees, pixels an edge; 0 for
    mirrored).

    A crop leaves at least half of a face of ``width`` pixels standing.
    """
    random = np.random.default_rng(derived_seed("altered copy", name))
    way = WAYS[random.integers(len(WAYS))]
    degrees = int(random.integers(1, MOST_DEGREES + 1) * random.choice((-1, 1)))
    pixels = int(random.integers(1, max(1, min(MOST_PIXELS, width // 4)) + 1))
    return way, {"rotated": degrees, "mirrored": 0, "cropped": pixels}[way]


def altered(image: np.ndarray, way: str, amount: int) -> np.ndarray:
    """The image uint8 [H, W, C] rotated (counterclockwise, corners black), mirrored or cropped."""
    if way == "mirrored":
        return image[:, ::-1]
    if way == "cropped":
        return image[amount:-amount, amount:-amount]
    single = image.shape[2] == 1
    turned = np.asarray(Image.fromarray(image[..., 0] if single else image).rotate(amount))
    return turned[..., None] if single else turned
