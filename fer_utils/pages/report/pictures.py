"""Pictures for the page: as few bytes as without loss, and small ones to find a figure by."""

import base64
from io import BytesIO
from pathlib import Path

import PIL.Image
from PIL.Image import Dither, Resampling

PALETTE = 256
THUMBNAIL_WIDTH, THUMBNAIL_HEIGHT, THUMBNAIL_COLOURS = 480, 360, 64


def smaller(png: bytes) -> bytes:
    """The same picture, pixel by pixel, as a palette where it has at most 256 colours and that
    takes fewer bytes."""
    with PIL.Image.open(BytesIO(png)) as picture:
        if picture.mode == "P" or _transparent(picture):
            return png
        plain = picture.convert("RGB")
    if plain.getcolors(PALETTE) is None:
        return png
    few = plain.quantize(PALETTE, dither=Dither.NONE)
    packed = _packed(few)
    same = few.convert("RGB").tobytes() == plain.tobytes()
    return packed if same and len(packed) < len(png) else png


def size(png: bytes) -> tuple[int, int]:
    """Width and height in pixels."""
    with PIL.Image.open(BytesIO(png)) as picture:
        return picture.size


def thumbnail(path: Path) -> tuple[str, int, int]:
    """A small copy of a figure as a data address, with its width and height."""
    with PIL.Image.open(path) as picture:
        small = picture.convert("RGB")
    small.thumbnail((THUMBNAIL_WIDTH, THUMBNAIL_HEIGHT), Resampling.LANCZOS, reducing_gap=2.0)
    few = small.quantize(THUMBNAIL_COLOURS, dither=Dither.NONE)
    return f"data:image/png;base64,{base64.b64encode(_packed(few)).decode()}", *small.size


def _transparent(picture: PIL.Image.Image) -> bool:
    return "A" in picture.getbands() and picture.getchannel("A").getextrema()[0] < 255


def _packed(picture: PIL.Image.Image) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
