"""Small data sets written in every layout, for the tests of the readers."""

import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from fer_utils.core.emotions import EMOTIONS, FER2013_ORDER, RAFDB_ORDER
from fer_utils.datasets.fer2013_csv import USAGES

PIXELS = " ".join(["7"] * 2303)
GOOD = [f"{code},{code} {PIXELS},{usage}" for usage in USAGES for code in range(7)]
SPELLINGS = {
    "anger": "Angry",
    "disgust": "disgust",
    "fear": "fearful",
    "happy": "HAPPINESS",
    "neutral": "neutral",
    "sad": "sad",
    "surprise": "Surprise",
}


def csv_text(rows=GOOD, header="emotion,pixels,Usage") -> bytes:
    return "\n".join([header, *rows, ""]).encode()


def gray(number: int, size=48) -> np.ndarray:
    """A face stand-in that differs for every number."""
    return np.random.default_rng(number).integers(0, 256, (size, size), np.uint8)


def colour(number: int, size=100) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (size, size, 3), np.uint8)


def encoded(pixels: np.ndarray, kind="PNG", **options) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind, **options)
    return stream.getvalue()


def write_files(folder: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def write_zip(path: Path, files: dict[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)


def write_tar(path: Path, files: dict[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


def write_gzip(path: Path, data: bytes) -> None:
    path.write_bytes(gzip.compress(data))


def fer2013_files(per_class=2, *, named=True, validation=False, spelling=None) -> dict[str, bytes]:
    """A tree train|test/<class>/ of ``per_class`` faces for every Usage; test holds PublicTest and
    PrivateTest.

    The image of Usage u, class c and number n is ``gray(100 * u + 10 * c + n)``.
    """
    files, parts = (
        {},
        {
            "Training": "train",
            "PublicTest": "val" if validation else "test",
            "PrivateTest": "test",
        },
    )
    for part, (usage, folder) in enumerate(parts.items()):
        for code, emotion in enumerate(FER2013_ORDER):
            for number in range(per_class):
                seed = 100 * part + 10 * code + number
                stem = f"{usage}_{seed}" if named else f"im{seed}"
                files[f"{folder}/{(spelling or {}).get(emotion, emotion)}/{stem}.png"] = encoded(
                    gray(seed)
                )
    return files


def rafdb_images(per_class=2) -> list[tuple[str, int, bytes]]:
    """(stem, code 1-7, JPEG) of a small RAF-DB."""
    return [
        (
            f"{split}_{number:0{5 if split == 'train' else 4}d}",
            1 + number % 7,
            encoded(colour(number + (1000 if split == "test" else 0)), "JPEG"),
        )
        for split in ("train", "test")
        for number in range(1, 7 * per_class + 1)
    ]


def rafdb_list(images) -> bytes:
    return "".join(f"{stem}.jpg {code}\n" for stem, code, _ in images).encode()


def rafdb_official(images, kind="aligned") -> dict[str, bytes]:
    ending = "_aligned.jpg" if kind == "aligned" else ".jpg"
    return {
        "EmoLabel/list_patition_label.txt": rafdb_list(images),
        **{f"Image/{kind}/{stem}{ending}": data for stem, _, data in images},
    }


def rafdb_kaggle(images, *, tables=True) -> dict[str, bytes]:
    files = {
        f"DATASET/{stem.split('_')[0]}/{code}/{stem}_aligned.jpg": data
        for stem, code, data in images
    }
    if tables:
        for split in ("train", "test"):
            rows = [
                f"{stem}_aligned.jpg,{code}" for stem, code, _ in images if stem.startswith(split)
            ]
            files[f"{split}_labels.csv"] = "\n".join(["image,label", *rows, ""]).encode()
    return files


def rafdb_by_emotion(images) -> dict[str, bytes]:
    return {
        f"{stem.split('_')[0]}/{SPELLINGS[RAFDB_ORDER[code - 1]]}/{stem}.jpg": data
        for stem, code, data in images
    }


def assert_same_faces(first, second) -> None:
    for name in ("images", "labels", "ids", "origin"):
        assert np.array_equal(getattr(first, name), getattr(second, name)), name


assert set(SPELLINGS) == set(EMOTIONS)
