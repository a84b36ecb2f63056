"""Anybody's photos, of any size and kind, as faces that a trained network can read.

A photo is stretched to the network's square, as the authors' published code does it (``Resize((64, 64))``); the
resizing is Pillow's antialiased bilinear one, the filter of ``faces.resize_images``.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from fer_utils.datasets.archives import bounded, reading
from fer_utils.datasets.decoding import LARGEST_IMAGE, conversion_notes, decode_photo
from fer_utils.emotions import EMOTIONS
from fer_utils.errors import CompanionError
from fer_utils.faces import FaceSet
from fer_utils.paths import atomic_write
from fer_utils.trained import Trained, class_probabilities


@dataclass(frozen=True)
class Reading:
    """What a network says about one photo.

    image:         uint8 [H, W, 1 or 3], upright, cropped if that was asked for.
    probabilities: float32 [7] in the order of ``EMOTIONS``.
    notes:         what was done to the photo, as sentences.
    """

    path: Path
    image: np.ndarray
    probabilities: np.ndarray
    notes: list[str]

    def ranked(self) -> list[tuple[str, float]]:
        """(emotion, probability), the most probable first."""
        return [(EMOTIONS[label], float(self.probabilities[label])) for label in np.argsort(-self.probabilities)]

    @property
    def lines(self) -> list[str]:
        """The answer for readers, one emotion a line."""
        return [str(self.path), *(f"  {name:9}{100 * share:6.1f} %" for name, share in self.ranked()),
                *(f"  {note}" for note in self.notes)]


def read_photo(path: Path, *, channels: int) -> tuple[np.ndarray, list[str]]:
    """uint8 [H, W, channels] of one file, upright, and sentences on what was converted.

    Raises CompanionError that names the file and why it can't be read.
    """
    path = Path(path)
    if path.is_dir():
        raise CompanionError(f"{path} is a folder. Give files; for a folder with a sub-folder for each class there is "
                             "python -m fer_utils evaluate.")
    if not path.is_file():
        raise CompanionError(f"{path} is not there. Check its name.")
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

    Three channels always, so that ``predict`` has nothing to convert: what converts takes two seconds to import.
    """
    square = squared(image, trained.model.image_size)[None]
    return FaceSet(np.repeat(square, 3, axis=3) if square.shape[3] == 1 else square, np.zeros(1, np.int64), np.array([name]),
                   np.array(["photo"]))


def read_faces(paths: Iterable[Path], trained: Trained, *, crop: bool, device: str) -> Iterator[Reading | CompanionError]:
    """For each photo in turn what the network says, or the error that says why it can't be read.

    Raises CompanionError where ``crop`` is asked for and OpenCV 4 is absent.
    """
    if crop:
        from fer_utils.face_crop import opencv

        opencv()   # where it is absent, that is no photo's fault
    for path in paths:
        try:
            image, notes = read_photo(path, channels=trained.channels)
            yield read_face(image, notes, trained, name=path, crop=crop, device=device)
        except CompanionError as problem:
            yield problem


def read_face(image: np.ndarray, notes: list[str], trained: Trained, *, name: str | Path, crop: bool,
              device: str) -> Reading:
    """What the network says about one photo as ``read_photo`` or ``decoded`` give it."""
    if crop:
        image, note = _cropped(image)
        notes = [*notes, note]
    height, width = image.shape[:2]
    if height != width:
        notes = [*notes, f"{width}x{height} pixels stretched to a square."]
    probabilities = class_probabilities(trained, as_face(image, trained, str(name)), device=device)[0]
    return Reading(Path(name), image, probabilities, notes)


def explain(readings: list[Reading], trained: Trained, folder: Path) -> list[Path]:
    """One PNG for each reading: the photo with the evidence for its most probable emotion laid over it.

    The map is ``attribution.hires_cam``. Photos of the same name get numbers. Returns the files' paths.
    """
    from fer_utils.attribution import hires_cam, overlay

    paths: list[Path] = []
    for reading_ in readings:
        emotion = reading_.ranked()[0][0]
        heat = hires_cam(trained.model, as_face(reading_.image, trained), [EMOTIONS.index(emotion)],
                         size=reading_.image.shape[:2])[0]
        path = _unused(Path(folder), f"{reading_.path.stem}_{emotion}", paths)
        with atomic_write(path) as file:
            Image.fromarray(overlay(reading_.image, heat)).save(file, "PNG")
        paths.append(path)
    return paths


def _cropped(image: np.ndarray) -> tuple[np.ndarray, str]:
    from fer_utils.face_crop import MARGIN, face_square

    square = face_square(image, margin=MARGIN)
    if square is None:
        return image, "No face was found in it: the whole photo was read."
    left, top, side = square
    return image[top:top + side, left:left + side], f"Cropped to the face: {side}x{side} pixels at {left}, {top}."


def _unused(folder: Path, stem: str, taken: list[Path]) -> Path:
    """A path in the folder that no earlier photo of the same call took."""
    path, number = folder / f"{stem}.png", 2
    while path in taken:
        path, number = folder / f"{stem}_{number}.png", number + 1
    return path
