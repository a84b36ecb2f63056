"""One image file to pixels: refused where it is damaged or has another size, converted and counted
where it has another kind of pixels (palette, CMYK, 16 bits, transparency, ...) or was taken with
the camera turned."""

import io
import warnings
from collections import Counter
from contextlib import contextmanager

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from fer_utils.core.errors import CompanionError
from fer_utils.core.file_kinds import described, kind_of
from fer_utils.datasets.tree import Tree

IMAGE_ENDINGS = (
    ".jpg",
    ".jpeg",
    ".jpe",
    ".jfif",
    ".png",
    ".bmp",
    ".webp",
    ".gif",
    ".tif",
    ".tiff",
    ".ppm",
    ".pgm",
    ".pbm",
    ".pnm",
    ".jp2",
    ".j2k",
    ".avif",
)
"""What Pillow reads; which of the kinds a file is, its bytes tell."""
_UNREAD_ENDINGS = (
    ".heic",
    ".heif",
    ".jxl",
    ".svg",
    ".psd",
    ".tga",
    ".pcx",
    ".raw",
    ".dng",
    ".cr2",
    ".cr3",
    ".nef",
    ".arw",
)
"""Pictures of other kinds count as images too, so that they are named where they lie and not passed
over."""
_FORMATS = ("JPEG", "PNG", "BMP", "GIF", "PPM", "WEBP", "TIFF", "JPEG2000", "AVIF")
LARGEST_IMAGE = 64 << 20
"""Bytes of an image file."""
MOST_PIXELS = 50_000_000
"""Pixels of an original picture before it is shrunk; 150 MB decoded."""
_KINDS = {
    "P": "a palette",
    "PA": "a palette",
    "1": "black and white only",
    "CMYK": "CMYK colours",
    "YCbCr": "YCbCr colours",
    "LAB": "LAB colours",
    "HSV": "HSV colours",
}


class _Unsuitable(Exception):
    """An intact image whose pixels can't be used."""


def is_image(name: str) -> bool:
    """Whether a file name ends like an image, in capitals or not; also like one that can't be
    read."""
    return name.lower().endswith((*IMAGE_ENDINGS, *_UNREAD_ENDINGS))


def decode_images(
    tree: Tree, names: list[str], *, size: int, channels: int, shrink: bool = False
) -> tuple[np.ndarray, list[str]]:
    """uint8 [N, size, size, channels] of the files in this order, and sentences on what was
    converted.

    Raises CompanionError naming the image that is damaged or, unless ``shrink``, not size x size
    pixels.
    """
    positions = {name: position for position, name in enumerate(names)}
    images, converted = np.empty((len(names), size, size, channels), np.uint8), Counter()
    missing = set(names)
    with quiet_about_size():
        for name, data in tree.read(names, limit=LARGEST_IMAGE):
            images[positions[name]] = decode_image(
                data,
                tree.where(name),
                size=size,
                channels=channels,
                shrink=shrink,
                converted=converted,
            )
            missing.discard(name)
    if missing:
        raise CompanionError(
            f"{tree.where(min(missing))} is no longer there. Run the command again."
        )
    return images, conversion_notes(converted)


def decode_photo(data: bytes, where: str, *, channels: int, converted: Counter) -> np.ndarray:
    """uint8 [H, W, channels] of one file's bytes, upright, in the picture's own size (at most
    ``MOST_PIXELS``)."""
    with quiet_about_size():
        return decode_image(
            data, where, size=None, channels=channels, shrink=True, converted=converted
        )


def decode_image(
    data: bytes,
    where: str,
    *,
    size: int | None,
    channels: int,
    converted: Counter,
    shrink: bool = False,
) -> np.ndarray:
    """uint8 [size, size, channels] of one file's bytes; counts in ``converted`` what kind of pixels
    were changed.

    ``size`` None keeps the picture's own.
    """
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            found = image.size
            if found == (size, size) or (shrink and found[0] * found[1] <= MOST_PIXELS):
                return _pixels(image, data, size, channels, converted)
    except _Unsuitable as problem:
        raise CompanionError(
            f"{where} can't be read as an image: {problem}. Save it as PNG or JPEG."
        ) from problem
    except UnidentifiedImageError as problem:
        raise _unidentified(data, where) from problem
    except Exception as problem:  # a hostile file can raise nearly anything inside Pillow
        raise CompanionError(
            f"{where} can't be read as an image ({problem}). It is damaged or was cut "
            "short: copy it from the original archive again."
        ) from problem
    if size is None:
        raise CompanionError(
            f"{where} is {found[0]}x{found[1]} pixels; expected at most {MOST_PIXELS:,} in all. "
            "Make the picture smaller."
        )
    wanted = f"at most {MOST_PIXELS:,} pixels in all" if shrink else f"{size}x{size}"
    raise CompanionError(
        f"{where} is {found[0]}x{found[1]} pixels; expected {wanted}. It is not of this data set,"
        " or was resized: copy it from the original archive again."
    )


def image_size(data: bytes) -> tuple[int, int] | None:
    """Width and height that a file's header declares, None where it is no image; no pixel is
    decoded."""
    try:
        with quiet_about_size(), Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            return image.size
    except Exception:  # as in decode_image
        return None


def conversion_notes(converted: Counter) -> list[str]:
    """One sentence for each kind of pixels that was converted, with the number of images."""
    return [
        f"{count:,} {'image has' if count == 1 else 'images have'} {kind}."
        for kind, count in sorted(converted.items())
    ]


@contextmanager
def quiet_about_size():
    """Pillow warns of large declared sizes; we refuse them by our own limits."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        yield


def _unidentified(data: bytes, where: str) -> CompanionError:
    """The error on bytes that begin like none of ``_FORMATS``."""
    kind = kind_of(data)
    # else it is of a kind that is read, and damaged
    if kind and not set(kind.endings) & set(IMAGE_ENDINGS):
        return CompanionError(described(where, kind))
    if where.lower().rstrip(")").endswith(_UNREAD_ENDINGS):
        return CompanionError(
            f"{where} can't be read as an image: that kind is not read here. Save it as "
            "PNG or JPEG."
        )
    return CompanionError(
        f"{where} can't be read as an image (no {', '.join(_FORMATS[:-1])} or "
        f"{_FORMATS[-1]}). It is damaged or was cut short: copy it from the original "
        "archive again."
    )


def _pixels(
    image: Image.Image, data: bytes, size: int | None, channels: int, converted: Counter
) -> np.ndarray:
    kind, changed = _plain(_upright(image, converted), data)
    if size is not None and changed.size != (size, size):
        changed = changed.resize((size, size), Image.Resampling.BILINEAR)
    if kind:
        converted[kind] += 1
    pixels = np.asarray(changed)
    if channels == 1:
        return _gray(changed, pixels, Counter() if kind else converted)
    if changed.mode == "L":
        converted["gray pixels: repeated in the three channels"] += 1
        return np.repeat(pixels[:, :, None], 3, axis=2)
    return pixels


def _upright(image: Image.Image, converted: Counter) -> Image.Image:
    """A photo as its camera held it: the sensor's rows may be columns, which only the EXIF block
    tells."""
    if "exif" not in image.info or image.getexif().get(ExifTags.Base.Orientation, 1) == 1:
        return image
    converted["an EXIF orientation: turned upright"] += 1
    return ImageOps.exif_transpose(image)


def _gray(image: Image.Image, pixels: np.ndarray, converted: Counter) -> np.ndarray:
    if image.mode == "L":
        return pixels[:, :, None]
    if (pixels == pixels[:, :, :1]).all():
        converted["three equal channels: one was kept"] += 1
        return pixels[:, :, :1]
    converted["colours: turned gray by ITU-R 601 luma"] += 1
    return np.asarray(image.convert("L"))[:, :, None]


def _plain(image: Image.Image, data: bytes) -> tuple[str | None, Image.Image]:
    """The image as mode L or RGB, and what had to be converted for it."""
    if getattr(image, "n_frames", 1) > 1:
        return "several frames: the first was kept", _plain(_first_frame(image), b"")[1]
    if image.mode == "F" or (image.mode == "I" and image.format == "TIFF"):
        raise _Unsuitable(
            "its pixels are 32-bit numbers, of which nothing tells what is black and what is white"
        )
    if image.mode.startswith("I"):
        return "16-bit gray values: scaled to 8 bits, 65535 becoming 255", _eight_bits(image)
    if image.has_transparency_data:
        return "transparency: laid over black", _over_black(image)
    if image.mode in ("L", "RGB"):
        # Pillow has kept the high bytes already
        deep = data[:8] == b"\x89PNG\r\n\x1a\n" and data[24] == 16
        image.load()
        return ("16-bit colours: their high bytes were kept" if deep else None), image
    kind = _KINDS.get(image.mode, f"pixels of mode {image.mode}")
    return (f"{kind}: converted", image.convert("L" if image.mode == "1" else "RGB"))


def _first_frame(image: Image.Image) -> Image.Image:
    image.seek(0)
    return image.copy()


def _eight_bits(image: Image.Image) -> Image.Image:
    values = np.asarray(image).astype(np.int64)
    return Image.fromarray(((values * 255 + 32767) // 65535).clip(0, 255).astype(np.uint8))


def _over_black(image: Image.Image) -> Image.Image:
    face = image.convert("RGBA")
    black = Image.new("RGBA", face.size, (0, 0, 0, 255))
    return Image.alpha_composite(black, face).convert("RGB")
