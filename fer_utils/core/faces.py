"""FaceSet, the only thing that carries pixels between stages."""

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.errors import CompanionError
from fer_utils.core.paths import atomic_write


@dataclass(frozen=True)
class FaceSet:
    """Faces with labels; the arrays share their first axis.

    images: uint8 [N, H, W, C], C = 1 (gray) or 3 (RGB).
    labels: int64 [N], positions in ``EMOTIONS``.
    ids:    str [N], unique within the set, stable from run to run.
    origin: str [N], where each face comes from ('FER2013/Training', 'sd3', ...).
    """

    images: np.ndarray
    labels: np.ndarray
    ids: np.ndarray
    origin: np.ndarray

    def __post_init__(self):
        count = len(self.images)
        if (
            self.images.dtype != np.uint8
            or self.images.ndim != 4
            or self.images.shape[3] not in (1, 3)
        ):
            raise CompanionError(
                "FaceSet: images must be uint8 [N, H, W, 1 or 3], found "
                f"{self.images.dtype} {list(self.images.shape)}."
            )
        for name in ("labels", "ids", "origin"):
            if len(getattr(self, name)) != count:
                raise CompanionError(
                    f"FaceSet: {count} images but {len(getattr(self, name))} {name}."
                )
        if count and not (self.labels.min() >= 0 and self.labels.max() < len(EMOTIONS)):
            raise CompanionError(
                f"FaceSet: labels must lie in 0..{len(EMOTIONS) - 1}, found "
                f"{self.labels.min()}..{self.labels.max()}."
            )

    def __len__(self) -> int:
        return len(self.images)

    def select(self, index) -> "FaceSet":
        """The faces at ``index`` (integers or a boolean mask), in that order."""
        return FaceSet(self.images[index], self.labels[index], self.ids[index], self.origin[index])

    def counts(self) -> dict[str, int]:
        """Number of faces of each emotion, in the order of ``EMOTIONS``."""
        found = np.bincount(self.labels, minlength=len(EMOTIONS))
        return dict(zip(EMOTIONS, found.tolist()))

    def resize(self, size: int, *, channels: int) -> "FaceSet":
        """All faces at ``size`` x ``size`` with 1 or 3 channels; antialiased bilinear, ITU-R 601
        luma."""
        images = resize_images(self.images, size, channels=channels)
        return FaceSet(images, self.labels, self.ids, self.origin)

    def save(self, path: Path) -> None:
        """Write one ``.npz`` file, atomically."""
        with atomic_write(path) as file:
            np.savez(
                file,
                images=self.images,
                labels=self.labels,
                ids=self.ids.astype(str),
                origin=self.origin.astype(str),
            )


def load_faces(path: Path) -> FaceSet:
    """The FaceSet that ``FaceSet.save`` wrote to ``path``."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return FaceSet(*(arrays[name] for name in ("images", "labels", "ids", "origin")))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as problem:
        raise CompanionError(
            f"{path} is not a face set that can be read ({problem}). "
            "Delete it and run the stage that writes it again."
        ) from problem


def concatenate(*sets: FaceSet) -> FaceSet:
    """All faces of all sets, in order; the sets must agree in size and channels."""
    shapes = {faces.images.shape[1:] for faces in sets}
    if len(shapes) != 1:
        raise CompanionError(
            f"Cannot concatenate faces of different shapes {sorted(shapes)}; resize them first."
        )
    return FaceSet(
        *(
            np.concatenate([getattr(faces, name) for faces in sets])
            for name in ("images", "labels", "ids", "origin")
        )
    )


def resize_images(images: np.ndarray, size: int, *, channels: int, chunk: int = 2048) -> np.ndarray:
    """uint8 [N, H, W, C] to uint8 [N, size, size, channels]; unchanged pixels if already so."""
    if images.shape[1:] == (size, size, channels):
        return images
    import torch  # only here: reading faces alone takes half the memory without it
    from torchvision.transforms.v2 import functional as transforms

    resized = np.empty((len(images), size, size, channels), np.uint8)
    for start in range(0, len(images), chunk):
        batch = torch.from_numpy(images[start : start + chunk]).permute(0, 3, 1, 2)
        if batch.shape[1] != channels:
            batch = (
                transforms.rgb_to_grayscale(batch) if channels == 1 else batch.expand(-1, 3, -1, -1)
            )
        batch = transforms.resize(batch, [size, size], antialias=True)
        resized[start : start + chunk] = batch.permute(0, 2, 3, 1).numpy()
    return resized
