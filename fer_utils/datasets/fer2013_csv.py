"""FER2013's CSV file to arrays: fer2013.csv, or icml_face_data.csv, whose column names begin with
spaces.

Goodfellow et al. 2013, "Challenges in Representation Learning" (reference [19] of the paper): one
row per face with its class 0-6, 2,304 pixel values and its Usage (Training, PublicTest or
PrivateTest).
"""

import io
import re
import warnings
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd

from fer_utils.core.emotions import FER2013_ORDER, codes_to_labels
from fer_utils.core.errors import CompanionError
from fer_utils.core.file_kinds import described
from fer_utils.datasets.archives import reading
from fer_utils.datasets.sources import HashingStream, Source, open_source
from fer_utils.datasets.tree import Contents, join

SIZE = 48
USAGES = {"Training": "train", "PublicTest": "validation", "PrivateTest": "test"}
CSV_NAMES = ("fer2013.csv", "icml_face_data.csv")
_COLUMNS = ("emotion", "pixels", "Usage")
_ROWS_AT_ONCE = 1000
_DEPTH = 2


def find_files(contents: Contents, names: tuple[str, ...]) -> list[Source]:
    """Files of these names (in small letters), up to two folders deep: plain, then gzipped, then in
    archives."""
    top, *archives = contents.trees
    found = sorted(
        (name for name in top.names() if name.count("/") <= _DEPTH), key=lambda n: (n.count("/"), n)
    )
    plain = [
        Source(top.path / name)
        for wanted in [name + ending for ending in ("", ".gz") for name in names]
        for name in found
        if name.rsplit("/", 1)[-1].lower() == wanted
    ]
    packed = [
        Source(archive.path, join(folder, name))
        for archive in archives
        for folder, files in archive.folders.items()
        for name in files
        if name.lower() in names
    ]
    return plain + packed


def decode(source: Source) -> dict[str, np.ndarray]:
    """The CSV as arrays: images uint8 [N, 48, 48, 1], labels int64 [N], usage str [N], md5 of the
    unpacked file.

    Reads it once, in pieces, without holding the text; ``python -m bench data`` measures it.
    """
    with reading(source), open_source(source) as stream:
        hashing = HashingStream(stream)
        try:
            parts = list(_decoded(_pieces(hashing, source), source))
        except (
            pd.errors.ParserError,
            pd.errors.ParserWarning,
            UnicodeDecodeError,
            CompanionError,
        ) as problem:
            raise _unreadable(source, hashing, problem) from problem
    if hashing.problem:
        raise _unreadable(source, hashing, None)
    if not parts:
        raise CompanionError(
            f"{source} has a header but no rows; FER2013 has 35,887. Download it again."
        )
    images, labels, usage = (np.concatenate(column) for column in zip(*parts))
    return {
        "images": images,
        "labels": labels,
        "usage": usage,
        "md5": np.array(hashing.md5.hexdigest()),
    }


def _decoded(pieces: Iterator[pd.DataFrame], source: Source) -> Iterator[tuple]:
    """Each piece decoded, in order, while the next one is read."""
    with ThreadPoolExecutor(1) as worker:
        waiting: deque = deque()
        for piece in pieces:
            waiting.append(worker.submit(_decode_piece, piece, source))
            if len(waiting) > 2:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _pieces(stream: HashingStream, source: Source) -> Iterator[pd.DataFrame]:
    with warnings.catch_warnings():
        # rows longer than the header would lose their end
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            reader = pd.read_csv(
                io.BufferedReader(stream, 1 << 20),
                chunksize=_ROWS_AT_ONCE,
                dtype=object,
                index_col=False,
                keep_default_na=False,
            )
        except pd.errors.EmptyDataError as problem:
            raise CompanionError(
                f"{source} is empty; expected the columns {', '.join(_COLUMNS)}. Download it again."
            ) from problem
        for piece in reader:
            # icml_face_data.csv: ' Usage', ' pixels'
            piece = piece.rename(columns=lambda name: str(name).strip())
            _check_columns(list(piece), source)
            if len(piece):
                yield piece[list(_COLUMNS)].fillna("")


def _check_columns(found: list[str], source: Source) -> None:
    expected = f"fer2013.csv has the columns {', '.join(_COLUMNS)}."
    absent = [name for name in _COLUMNS if name not in found]
    if absent:
        shown = ", ".join(found)
        raise CompanionError(f"{source}: no column '{absent[0]}'; found {shown[:200]}. {expected}")
    # pandas renames a second 'pixels' to 'pixels.1'
    plain = [re.sub(r"\.\d+$", "", name) for name in found]
    twice = [name for name in _COLUMNS if plain.count(name) > 1]
    if twice:
        raise CompanionError(
            f"{source}: the column '{twice[0]}' is there twice, so it is unclear which one counts. "
            f"{expected} Download it again."
        )


def _unreadable(source: Source, stream: HashingStream, problem: Exception | None) -> CompanionError:
    """What the stream saw comes first: the parser only sees its consequences."""
    if stream.kind:
        return CompanionError(described(source, stream.kind))
    if stream.problem:
        return CompanionError(
            f"{source} is not FER2013's table: {stream.problem}. Save it as UTF-8 text, or download"
            " it again."
        )
    if isinstance(problem, CompanionError):
        return problem
    if isinstance(problem, UnicodeDecodeError):
        return CompanionError(
            f"{source} is not UTF-8 text ({problem}): it was saved in another encoding, or is "
            "damaged. Save it as UTF-8, or download it again."
        )
    if isinstance(problem, pd.errors.ParserWarning):
        return CompanionError(
            f"{source} has rows of more fields than its header names; fer2013.csv has the columns "
            f"{', '.join(_COLUMNS)}. Download it again."
        )
    return CompanionError(
        f"{source} can't be read to its end ({str(problem).strip()}). It is damaged or the download"
        " stopped early: download it again."
    )


def _decode_piece(piece: pd.DataFrame, source: Source) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    images = _pixels(piece["pixels"].tolist(), source, piece.index[0])
    codes, usage = piece["emotion"].str.strip(), piece["Usage"].str.strip()
    _refuse(~codes.isin(list("0123456")), piece["emotion"], source, "label {}; expected 0 to 6")
    _refuse(
        ~usage.isin(list(USAGES)),
        piece["Usage"],
        source,
        f"Usage {{}}; expected one of {', '.join(USAGES)}",
    )
    labels = np.array(codes_to_labels(FER2013_ORDER), np.int64)[codes.to_numpy(int)]
    return images, labels, usage.to_numpy(str).astype("U11")


def _pixels(rows: list[str], source: Source, first: int) -> np.ndarray:
    """Numbers in text to uint8 [N, 48, 48, 1]; the slow search for the row at fault runs only if
    there is one."""
    counts_agree = all(row.count(" ") == SIZE * SIZE - 1 for row in rows)
    values = _numbers(" ".join(rows)) if counts_agree else None
    if values is None or len(values) != len(rows) * SIZE * SIZE:
        values = np.concatenate(
            [_row_pixels(row, source, number) for number, row in enumerate(rows, start=first)]
        )
    return values.reshape(-1, SIZE, SIZE, 1)


def _numbers(text: str) -> np.ndarray | None:
    """Numbers of 0 to 255, of at most three digits and with a space between two, as uint8; None for
    any other text.

    All digits at once, because ``numpy.fromstring`` takes twice as long and lets no other thread
    run meanwhile.
    """
    if not text.isascii():
        return None
    codes = np.frombuffer(f"    {text} ".encode(), np.uint8)
    # the code of a space has no bit of a digit
    space, digits = codes == 32, codes & 15
    if (~space & (codes - np.uint8(48) > 9)).any() or not (
        space[:-4] | space[1:-3] | space[2:-2] | space[3:-1]
    ).all():
        return None
    # of the number that ends here, if one does
    values = digits[2:-2] * np.uint8(10) + digits[3:-1]
    hundreds = digits[1:-3] * ~space[2:-2]
    ends = space[4:] & ~space[3:-1]
    if (ends & ((hundreds > 2) | ((hundreds == 2) & (values > 55)))).any():
        return None
    return (values + hundreds * np.uint8(100))[ends]


def _row_pixels(row: str, source: Source, number: int) -> np.ndarray:
    """The pixels of one row, unless the row is at fault: that of an unusual spacing is not."""
    values, count = _numbers(" ".join(row.split())), len(row.split())
    if count != SIZE * SIZE:
        raise _bad_row(source, number, f"{count:,} pixel values; expected {SIZE * SIZE:,} (48x48)")
    if values is None or len(values) != count:
        raise _bad_row(source, number, "a pixel that is not a whole number of 0 to 255")
    return values


def _refuse(wrong: pd.Series, shown: pd.Series, source: Source, found: str) -> None:
    if wrong.any():
        number = wrong.idxmax()
        raise _bad_row(source, number, found.format(repr(shown[number])))


def _bad_row(source: Source, number: int, found: str) -> CompanionError:
    return CompanionError(
        f"{source}: row {number + 1:,} (line {number + 2:,}) has {found}. The file is damaged or "
        "the download stopped early: download it again."
    )
