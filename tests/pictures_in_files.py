"""Every picture in a file of any kind that this repository holds: pictures, PDF and SVG drawings,
notebooks, text."""

import base64
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageSequence

from fer_utils.datasets.twins import SIZE

# Base64 of PNG, JPEG, GIF and WebP by how it begins, in one piece or in lines as notebooks and SVG
# have it.
_CODED = re.compile(
    rb"(?<![A-Za-z0-9+/])(?:iVBORw0KGgo|/9j/|R0lGOD|UklGR)(?:[A-Za-z0-9+/\s]|\\n|\",\s*\"|&#10;)+"
)
_NUMBERS = re.compile(rb"[\d\s.,;|\[\]]+")
_MAGIC = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"BM", b"II*\0", b"MM\0*")


def pictures_in(path: Path) -> Iterator[np.ndarray]:
    """Every picture that a file holds as uint8 [H, W]. ValueError for a kind of file that can't be
    searched."""
    content = path.read_bytes()
    if content.startswith(b"\x1f\x8b"):  # kept answers
        content = gzip.decompress(content)
    if content.startswith(_MAGIC):
        yield from _decoded(content)
    elif content.startswith(b"%PDF"):
        yield from _of_pdf(content)
    elif b"\0" in content:
        raise ValueError(
            f"{path} is neither text, PDF nor a picture, so nobody can say that it holds no"
            " photograph"
        )
    else:
        for found in _CODED.finditer(content):
            code = re.sub(rb"\\n|&#10;|[^A-Za-z0-9+/]", b"", found[0])
            # matplotlib's SVG holds it upside down
            turned = b'"scale(1 -1)' in content[found.end() : found.end() + 200]
            for picture in _decoded(base64.b64decode(code[: len(code) // 4 * 4] + _rest(code))):
                yield picture[::-1].copy() if turned else picture
        for found in _NUMBERS.finditer(content):
            if len(found[0]) >= 2 * SIZE * SIZE - 1:  # a digit and a separator for each pixel
                yield from _of_numbers(np.array(re.findall(rb"\d+\.?\d*", found[0]), dtype=float))


def _rest(code: bytes) -> bytes:
    left = code[len(code) // 4 * 4 :]
    return left.ljust(4, b"=") if len(left) > 1 else b""


def _decoded(content: bytes) -> Iterator[np.ndarray]:
    with Image.open(io.BytesIO(content)) as picture:
        for frame in ImageSequence.Iterator(picture):
            page = Image.new("RGBA", frame.size, "white")
            page.alpha_composite(frame.convert("RGBA"))
            yield np.asarray(page.convert("L"))


def _of_pdf(content: bytes) -> Iterator[np.ndarray]:
    """Image objects as matplotlib writes them: the data of a PNG file without its head, which is
    put before it again."""
    for start in re.finditer(rb"/Subtype\s+/Image", content):
        head, _, rest = content[start.end() :].partition(b"\nstream\n")
        number = {
            name: int(value)
            for name, value in re.findall(rb"/(Width|Height|BitsPerComponent)\s+(\d+)", head)
        }
        palette = re.search(rb"/Indexed\s+/DeviceRGB\s+\d+\s+\((.*)\)\s*\]", head, re.DOTALL)
        colours = 3 if palette else 2 if b"/DeviceRGB" in head else 0
        if not re.search(rb"/Predictor\s+1\d", head):
            raise ValueError(
                "a PDF holds an image that matplotlib did not write, so it can't be searched"
            )
        size = number[b"Width"].to_bytes(4) + number[b"Height"].to_bytes(4)
        chunks = {b"IHDR": size + bytes([number[b"BitsPerComponent"], colours, 0, 0, 0])}
        chunks |= {b"PLTE": _unescaped(palette[1])} if palette else {}
        chunks |= {b"IDAT": zlib.compress(zlib.decompressobj().decompress(rest), 1), b"IEND": b""}
        yield from _decoded(
            b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks.items())
        )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4) + kind + data + zlib.crc32(kind + data).to_bytes(4)


def _unescaped(text: bytes) -> bytes:
    return re.sub(
        rb"\\(.)",
        lambda found: {b"n": b"\n", b"r": b"\r"}.get(found[1], found[1]),
        text,
        flags=re.DOTALL,
    )


def _of_numbers(values: np.ndarray) -> Iterator[np.ndarray]:
    """Each run of as many numbers as a row has pixels, wherever it begins (a label may stand before
    the first)."""
    values = values * 255 if values.max(initial=0) <= 1 else values
    for start in range(len(values) - SIZE * SIZE + 1):
        yield values[start : start + SIZE * SIZE].clip(0, 255).astype(np.uint8).reshape(SIZE, SIZE)
