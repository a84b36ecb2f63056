"""Finds faces that are known pixel by pixel, as FER2013's rows are, in pictures of any size.

A picture gives candidate tiles: itself, what lies between plain gaps, the places of a grid, and
equal parts where faces may touch. A tile is compared with every row, first as a few gray values
with all of them at once, then with the most alike rows by their detail, moved and scaled a little
to where they fit best.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from fer_utils.datasets.twins import SIZE

COARSE, LIKELY, CONTRAST, MOST_PLAIN = 12, 0.85, 4.0, 0.5
"""Side of the first comparison, correlation worth a second one; least standard deviation, largest
plain share of rows."""
FINE, BROAD, NOISE, EDGE = 1.0, 4.0, 4.0, 6
"""In pixels and gray values of a row: two blurs between which detail lies, detail too weak to
count, edge left out."""
SCALES, HOPELESS = ((0.94, 1.0, 1.06), (0.92, 0.96, 0.98, 1.02, 1.04, 1.08)), 0.6
"""Sizes at which a row is laid on a tile, the second ones only where the first come as near as
``HOPELESS``."""
GAP_TOLERANCES, SMALLEST, MOST_TOUCHING = (2, 24), 24, 12
"""Spread of gray values along a line that is still a gap; pixels of the smallest tile; faces
without gaps side by side."""

cv2.setNumThreads(1)  # tiles are small: threads would only wait for each other

Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels


@dataclass(frozen=True)
class Match:
    """The tile of a picture that is most like a row, which row, and how like."""

    correlation: float
    row: int
    box: Box


class Rows:
    """Distinct pictures uint8 [N, 48, 48] to look for, and their mirror images; blank ones and
    icons are left out."""

    def __init__(self, images: np.ndarray):
        clear = np.flatnonzero(
            [image.std() >= CONTRAST and _plain(image) <= MOST_PLAIN for image in images]
        )
        self.numbers = clear[np.unique(images[clear], axis=0, return_index=True)[1]]
        images = images[self.numbers]
        self.images = np.concatenate([images, images[:, :, ::-1]])
        self._coarse = _coarse(self.images).T.copy()

    def most_alike(self, picture: np.ndarray) -> Match | None:
        """The best match of any tile of a picture; None where no tile comes near a row."""
        return max(self.matches(picture), key=lambda match: match.correlation, default=None)

    def matches(self, picture: np.ndarray) -> list[Match]:
        """The likely rows of every tile of a picture with the correlation of their detail."""
        boxes = tiles(picture)
        vectors = _coarse([picture[top:bottom, left:right] for left, top, right, bottom in boxes])
        found = []
        for start in range(0, len(boxes), 256):
            likeness = vectors[start : start + 256] @ self._coarse
            for place in np.flatnonzero(likeness.max(1) >= LIKELY):
                likely = np.argpartition(likeness[place], -3)[-3:]
                fits = fit(picture, boxes[start + place], self.images[likely])
                found += [
                    Match(value, int(self.numbers[row % len(self.numbers)]), boxes[start + place])
                    for row, value in zip(likely, fits)
                ]
        return found


def _plain(image: np.ndarray) -> float:
    """Share of a row without any detail: more than half in blank pictures and icons, far less in
    photographs."""
    between = _between_blurs(image.astype(np.float32))
    return float((cv2.GaussianBlur(between * between, (0, 0), BROAD / 2) < CONTRAST).mean())


def _coarse(images) -> np.ndarray:
    """float32 [N, 144] of zero mean and unit length each; zero where a picture is almost of one
    gray."""
    small = [
        cv2.resize(image, (COARSE, COARSE), interpolation=cv2.INTER_AREA).ravel()
        for image in images
    ]
    small = np.array(small, np.float32)
    small -= small.mean(1, keepdims=True)
    length = np.linalg.norm(small, axis=1, keepdims=True)
    return np.where(length < CONTRAST * COARSE, 0, small / np.maximum(length, 1e-6))


def fit(picture: np.ndarray, box: Box, rows: np.ndarray) -> list[float]:
    """The correlation of each row's detail with a tile's, moved by up to an eighth of its side and
    scaled a little.

    Detail alone, because any two soft pictures of a bright disc on a dark ground are alike in all
    that is coarse.
    """
    left, top, right, bottom = box
    margins = (bottom - top) // 8, (right - left) // 8
    wide = picture[
        max(0, top - margins[0]) : bottom + margins[0],
        max(0, left - margins[1]) : right + margins[1],
    ]
    # the blurs see what lies beside a tile
    looked_for = [_detail(row)[EDGE:-EDGE, EDGE:-EDGE] for row in rows]
    best = np.zeros(len(rows))
    for scales in SCALES:
        for scale in scales:
            size = [
                max(SIZE, round(scale * SIZE * along / side))
                for along, side in ((wide.shape[1], right - left), (wide.shape[0], bottom - top))
            ]
            drawn = _detail(cv2.resize(wide, size, interpolation=cv2.INTER_AREA))
            best = np.maximum(best, [_laid_on(drawn, row) for row in looked_for])
        if best.max() < HOPELESS:
            break
    return best.tolist()


def _laid_on(drawn: np.ndarray, row: np.ndarray) -> float:
    """The correlation at the place where it is largest; none with a plain ground, where OpenCV says
    1."""
    found = cv2.matchTemplate(drawn, row, cv2.TM_CCOEFF_NORMED)
    y, x = np.unravel_index(np.nanargmax(np.where(np.isfinite(found), found, -1)), found.shape)
    part = drawn[y : y + len(row), x : x + len(row)]
    return float(np.corrcoef(part.ravel(), row.ravel())[0, 1]) if part.std() > 1e-3 else 0.0


def _detail(image: np.ndarray) -> np.ndarray:
    """float32: what lies between two blurs, of equal strength all over the picture, so that no
    single edge decides."""
    image = image.astype(np.float32)
    image *= 50 / max(float(image.std()), 1e-6)
    detail = _between_blurs(image)
    return detail / np.sqrt(cv2.GaussianBlur(detail * detail, (0, 0), BROAD) + NOISE * NOISE)


def _between_blurs(image: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(image, (0, 0), FINE) - cv2.GaussianBlur(image, (0, 0), BROAD)


def tiles(picture: np.ndarray) -> list[Box]:
    """Boxes of a picture in which a face may fill the whole box."""
    height, width = picture.shape
    found = {(0, 0, width, height)}
    for tolerance in GAP_TOLERANCES:
        pieces = set(_between_gaps(picture, (0, 0, width, height), tolerance))
        found |= {box for piece in pieces for box in _squares(piece, width, height)} | _grid(pieces)
        found |= {box for piece in pieces for box in _touching(picture, piece)}
    return sorted(found)


def _between_gaps(
    picture, box, tolerance: int, down: bool = True, whole: bool = False
) -> Iterator[Box]:
    """The pieces left by cutting along lines of one gray, downwards and across in turn, until there
    are none."""
    left, top, right, bottom = box
    part, axis = picture[top:bottom, left:right], 1 if down else 0
    busy = np.flatnonzero(
        np.diff(np.concatenate([[False], part.max(axis) - part.min(axis) > tolerance, [False]]))
    )
    runs = [(start, end) for start, end in busy.reshape(-1, 2).tolist() if end - start >= SMALLEST]
    uncut = busy.tolist() == [0, part.shape[1 - axis]]
    if uncut and whole:
        yield box
        return
    for start, end in runs:
        piece = (
            (left, top + start, right, top + end)
            if down
            else (left + start, top, left + end, bottom)
        )
        if not uncut:
            yield piece
        yield from _between_gaps(picture, piece, tolerance, not down, uncut)


def _squares(box, width: int, height: int) -> Iterator[Box]:
    """A piece as it is, and the squares around it: of a face before a plain ground, only the face
    is left as a piece."""
    left, top, right, bottom = box
    wide, tall = right - left, bottom - top
    if max(wide, tall) > 2 * min(wide, tall):
        return
    yield box
    side = max(wide, tall)
    for share in (0, 0.5, 1) if abs(wide - tall) > side // 16 else ():
        x, y = left - round(share * (side - wide)), top - round(share * (side - tall))
        if min(x, y) >= 0 and x + side <= width and y + side <= height:
            yield (x, y, x + side, y + side)


def _grid(pieces) -> set[Box]:
    """Where columns and rows of square pieces cross: a face whose edge is as plain as the gap is
    found by the others."""
    square = [box for box in pieces if 0.9 < (box[2] - box[0]) / (box[3] - box[1]) < 1.1]
    columns = {(left // 4, right // 4): (left, right) for left, _, right, _ in square}.values()
    lines = {(top // 4, bottom // 4): (top, bottom) for _, top, _, bottom in square}.values()
    return {
        (left, top, right, bottom)
        for left, right in columns
        for top, bottom in lines
        if 0.95 < (right - left) / (bottom - top) < 1.05
    }


def _touching(picture, box) -> Iterator[Box]:
    """The places of every grid of squares that fills a piece and shows at its seams: faces side by
    side without gaps."""
    left, top, right, bottom = box
    wide, tall = right - left, bottom - top
    part = picture[top:bottom, left:right].astype(np.int16)
    steps = [np.abs(np.diff(part, axis=axis)).mean(1 - axis) for axis in (1, 0)]
    for count in range(1, MOST_TOUCHING + 1):
        side = min(wide, tall) / count
        across, down = round(wide / side), round(tall / side)
        if (
            across * down == 1
            or side < SIZE * 0.9
            or max(abs(wide / side - across), abs(tall / side - down)) > count / 16
        ):
            continue
        lines = [round(place * side) for place in range(max(across, down) + 1)]
        if _stand_out(steps[0], lines[1:across]) and _stand_out(steps[1], lines[1:down]):
            yield from (
                (left + lines[x], top + lines[y], left + lines[x + 1], top + lines[y + 1])
                for x in range(across)
                for y in range(down)
            )


def _stand_out(steps: np.ndarray, seams: list[int]) -> bool:
    """Whether gray values change more at the seams than between nine of ten other lines."""
    usual = np.quantile(steps, 0.9)
    return all(steps[max(0, seam - 2) : seam + 1].max(initial=0) >= usual for seam in seams)
