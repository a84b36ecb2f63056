"""Anybody's photos, of any size and kind, as faces that a trained network can read.

A photo is stretched to the network's square, as the authors' published code does it (``Resize((64,
64))``); the resizing is Pillow's antialiased bilinear one, the filter of ``faces.resize_images``.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.errors import CompanionError
from fer_utils.core.faces import FaceSet
from fer_utils.core.paths import atomic_write
from fer_utils.datasets.archives import bounded, reading
from fer_utils.datasets.decoding import LARGEST_IMAGE, conversion_notes, decode_photo, is_image
from fer_utils.datasets.tree import names_column, walk
from fer_utils.training.trained import Trained, class_probabilities

SHOWN_SIDE = 1024
"""Pixels of the longer side of a picture that explains: more are looked at by nobody, and cost
seconds and gigabytes."""
BOX = ("face_left", "face_top", "face_width", "face_height")


@dataclass(frozen=True)
class Reading:
    """What a network says about one photo.

    image:         uint8 [H, W, 1 or 3], upright, cropped if that was asked for. probabilities:
    float32 [7] in the order of ``EMOTIONS``. notes:         what was done to the photo, as
    sentences. box:           (left, top, width, height) of the face it was cropped to, in the
    upright photo; or None.
    """

    path: Path
    image: np.ndarray
    probabilities: np.ndarray
    notes: list[str]
    box: tuple[int, int, int, int] | None = None

    def ranked(self) -> list[tuple[str, float]]:
        """(emotion, probability), the most probable first."""
        return [
            (EMOTIONS[label], float(self.probabilities[label]))
            for label in np.argsort(-self.probabilities)
        ]

    @property
    def lines(self) -> list[str]:
        """The answer for readers, one emotion a line."""
        return [
            str(self.path),
            *(f"  {name:9}{100 * share:6.1f} %" for name, share in self.ranked()),
            *(f"  {note}" for note in self.notes),
        ]

    @property
    def row(self) -> dict:
        """The answer for machines: file, the columns ``BOX`` (empty without a face), predicted,
        p_anger ... p_surprise."""
        shares = {
            f"p_{emotion}": share for emotion, share in zip(EMOTIONS, self.probabilities.tolist())
        }
        box = dict(zip(BOX, self.box or [None] * len(BOX)))
        return {"file": str(self.path)} | box | {"predicted": self.ranked()[0][0]} | shares


def photos_among(addresses: Iterable[Path]) -> list[Path]:
    """The files, and in the place of each folder the images in it and below, by name; no image is
    opened.

    Raises CompanionError for a folder without images, or with something in it that can't be looked
    into.
    """
    found: list[Path] = []
    for address in map(Path, addresses):
        if not address.is_dir():
            found.append(address)
            continue
        tree = walk(address)
        tree.refuse_problems("")
        images = sorted(filter(is_image, tree.names()))
        if not images:
            raise CompanionError(
                f"{address} is a folder without images in it. Give files, or a folder that "
                "holds some."
            )
        found += [address / name for name in images]
    return found


def read_photo(path: Path, *, channels: int) -> tuple[np.ndarray, list[str]]:
    """uint8 [H, W, channels] of one file, upright, and sentences on what was converted.

    Raises CompanionError that names the file and why it can't be read.
    """
    path = Path(path)
    if not path.is_file():
        raise CompanionError(
            f"{path} is {'no file' if path.exists() else 'not there'}. Check its name."
        )
    with reading(path), open(path, "rb") as stream:
        data = bounded(stream, LARGEST_IMAGE, str(path))
    return decoded(data, str(path), channels=channels)


def decoded(data: bytes, name: str, *, channels: int) -> tuple[np.ndarray, list[str]]:
    """As ``read_photo``, of a file's bytes; ``name`` is what errors call it."""
    converted: Counter = Counter()
    image = decode_photo(data, name, channels=channels, converted=converted)
    return image, conversion_notes(converted)


def squared(image: np.ndarray, size: int) -> np.ndarray:
    """uint8 [H, W, C] stretched or squeezed to [size, size, C]."""
    if image.shape[:2] == (size, size):
        return image
    picture = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
    pixels = np.asarray(picture.resize((size, size), Image.Resampling.BILINEAR))
    return pixels.reshape(size, size, image.shape[2])


def as_face(image: np.ndarray, trained: Trained, name: str = "photo") -> FaceSet:
    """One photo as the FaceSet that the network reads; its label means nothing.

    Three channels always, so that ``predict`` has nothing to convert: what converts takes two
    seconds to import.
    """
    square = squared(image, trained.model.image_size)[None]
    return FaceSet(
        np.repeat(square, 3, axis=3) if square.shape[3] == 1 else square,
        np.zeros(1, np.int64),
        np.array([name]),
        np.array(["photo"]),
    )


def read_faces(
    paths: Iterable[Path], trained: Trained, *, crop: bool, device: str
) -> Iterator[Reading | CompanionError]:
    """For each photo in turn what the network says, or the error that says why it can't be read.

    Raises CompanionError where ``crop`` is asked for and OpenCV 4 is absent, and where the network
    gives no numbers.
    """
    if crop:
        from fer_utils.datasets.face_crop import opencv

        opencv()  # where it is absent, that is no photo's fault
    for path in paths:
        try:
            image, notes = read_photo(path, channels=trained.channels)
        except CompanionError as problem:
            yield problem
        else:
            yield read_face(image, notes, trained, name=path, crop=crop, device=device)


def read_face(
    image: np.ndarray,
    notes: list[str],
    trained: Trained,
    *,
    name: str | Path,
    crop: bool,
    device: str,
) -> Reading:
    """What the network says about one photo as ``read_photo`` or ``decoded`` give it."""
    box = None
    if crop:
        image, box, note = _cropped(image)
        notes = [*notes, note]
    height, width = image.shape[:2]
    if height != width:
        notes = [*notes, f"{width}x{height} pixels stretched to a square."]
    probabilities = class_probabilities(trained, as_face(image, trained, str(name)), device=device)[
        0
    ]
    return Reading(Path(name), image, probabilities, notes, box)


def explain(reading_: Reading, trained: Trained, folder: Path) -> Path:
    """Write a PNG: the photo, of at most ``SHOWN_SIDE`` pixels a side, with the evidence for its
    most probable emotion laid over it; returns its path, under which nothing lay before.

    The map is ``attribution.hires_cam``.
    """
    from fer_utils.training.attribution import hires_cam, overlay

    emotion, shown = reading_.ranked()[0][0], _shrunk(reading_.image)
    heat = hires_cam(
        trained.model,
        as_face(reading_.image, trained),
        [EMOTIONS.index(emotion)],
        size=shown.shape[:2],
    )[0]
    path = _unused(Path(folder), f"{reading_.path.stem}_{emotion}")
    with atomic_write(path) as file:
        Image.fromarray(overlay(shown, heat)).save(file, "PNG")
    return path


def answers_table(rows: list[dict]) -> pd.DataFrame:
    """``Reading.row`` of each photo as a table; the columns ``BOX`` are whole numbers, empty where
    there was no face."""
    numbers = [*BOX, "predicted", *(f"p_{emotion}" for emotion in EMOTIONS)]
    frame = pd.DataFrame(rows, columns=numbers).astype(dict.fromkeys(BOX, "Int64"))
    frame.insert(0, "file", names_column(row["file"] for row in rows))
    return frame


def _cropped(image: np.ndarray) -> tuple[np.ndarray, tuple[int, int, int, int] | None, str]:
    from fer_utils.datasets.face_crop import MARGIN, face_square

    square = face_square(image, margin=MARGIN)
    if square is None:
        return image, None, "No face was found in it: the whole photo was read."
    left, top, side = square
    note = f"Cropped to the face: {side}x{side} pixels at {left}, {top}."
    return image[top : top + side, left : left + side], (left, top, side, side), note


def _shrunk(image: np.ndarray) -> np.ndarray:
    """uint8 [H, W, C] with its longer side at most ``SHOWN_SIDE``."""
    if max(image.shape[:2]) <= SHOWN_SIDE:
        return image
    picture = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
    picture.thumbnail((SHOWN_SIDE, SHOWN_SIDE))
    return np.asarray(picture).reshape(picture.height, picture.width, image.shape[2])


def _unused(folder: Path, stem: str) -> Path:
    """A path in the folder where nothing lies, whether from this call or an earlier one."""
    path, number = folder / f"{stem}.png", 2
    while path.exists():
        path, number = folder / f"{stem}_{number}.png", number + 1
    return path
