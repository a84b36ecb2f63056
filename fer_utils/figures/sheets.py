"""Contact sheets: many small pictures with a few words under each, drawn by Pillow.

matplotlib takes seconds for a panel of its own around each of forty faces; an explorer must answer
at once.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fer_utils.figures.style import INK, STAMP_COLOUR

FONT_SIZE, LINE, GAP, SIDE = 11, 14, 8, 96
"""Pixels: height of letters, distance of lines, space between two cells, about the height of a
picture."""

QUIET = "#666666"
COMPRESSION = 2
"""Of nine: a sheet of colour faces is a tenth larger than at the default, and packed in half the
time."""


@dataclass(frozen=True)
class Cell:
    """One picture of a sheet. image: uint8 [H, W, 1 or 3]; lines: what stands below it; warned:
    those of them, by their positions, that are printed in the colour of warnings; quiet: those
    printed in gray."""

    image: np.ndarray
    lines: tuple[str, ...] = ()
    warned: tuple[int, ...] = ()
    quiet: tuple[int, ...] = ()


def contact_sheet(
    cells: Sequence[Cell], *, columns: int, side: int = SIDE, stamp: str = ""
) -> bytes:
    """The cells row by row as the bytes of a PNG file, every pixel of a picture a square, about
    ``side`` pixels high.

    A line too long for its cell ends in '…'. The stamp stands at the lower right, as on every
    figure.
    """
    pictures = [_enlarged(cell.image, side) for cell in cells]
    width = max((picture.width for picture in pictures), default=side)
    tall = max((picture.height for picture in pictures), default=side)
    height = tall + LINE * max((len(cell.lines) for cell in cells), default=0) + GAP // 2
    columns = max(1, min(columns, len(cells)))
    rows = -(-len(cells) // columns)
    foot = LINE + GAP if stamp else 0
    sheet = Image.new(
        "RGB", (GAP + columns * (width + GAP), GAP + rows * (height + GAP) + foot), "white"
    )
    for place, (cell, picture) in enumerate(zip(cells, pictures)):
        corner = (GAP + place % columns * (width + GAP), GAP + place // columns * (height + GAP))
        sheet.paste(picture, corner)
        _write(ImageDraw.Draw(sheet), cell, (corner[0], corner[1] + tall), width)
    if stamp:
        _stamp(sheet, stamp)
    return _png(sheet)


def _enlarged(image: np.ndarray, side: int) -> Image.Image:
    """By the whole number that comes nearest to the side, at least as large as it is."""
    times = max(1, round(side / len(image)))
    large = np.repeat(np.repeat(image, times, axis=0), times, axis=1)
    return Image.fromarray(large[..., 0] if large.shape[2] == 1 else large).convert("RGB")


def _write(pen: ImageDraw.ImageDraw, cell: Cell, corner: tuple[int, int], width: int) -> None:
    for number, line in enumerate(cell.lines):
        colour = STAMP_COLOUR if number in cell.warned else QUIET if number in cell.quiet else INK
        pen.text(
            (corner[0], corner[1] + 2 + number * LINE),
            _fitted(line, width),
            font=_font(),
            fill=colour,
        )


def _fitted(line: str, width: int) -> str:
    """The line, or as much of it as fits and '…'."""
    short = line
    while short and _font().getlength(short if short == line else f"{short}…") > width:
        short = short[:-1]
    return short if short == line else f"{short}…"


def _stamp(sheet: Image.Image, stamp: str) -> None:
    """White on the warning colour, in the lower right corner."""
    pen, wide = ImageDraw.Draw(sheet), _font().getlength(stamp)
    right, low = sheet.width - GAP, sheet.height - 4
    pen.rectangle((right - wide - 8, low - LINE - 2, right, low), fill=STAMP_COLOUR)
    pen.text((right - wide - 4, low - LINE), stamp, font=_font(), fill="white")


@functools.cache
def _font() -> ImageFont.FreeTypeFont:
    """The font of all figures, which comes with matplotlib."""
    return ImageFont.truetype(
        Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", FONT_SIZE
    )


def _png(sheet: Image.Image) -> bytes:
    buffer = BytesIO()
    sheet.save(buffer, "PNG", compress_level=COMPRESSION)
    return buffer.getvalue()
