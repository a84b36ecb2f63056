"""FER+, the ten votes that each FER2013 face got when it was labelled again (Barsoum et al. 2016,
arXiv 1608.01041).

``fer2013new.csv`` has one line for each row of fer2013.csv, in its order. Its file names
(fer0028638.png) are not the row numbers: 173 rows have no name, and the names count on without
them.
"""

import csv
import io
from pathlib import Path

import numpy as np
import pandas as pd

from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.errors import CompanionError
from fer_utils.core.faces import FaceSet
from fer_utils.datasets.archives import bounded, reading
from fer_utils.datasets.fer2013_csv import USAGES, find_files
from fer_utils.datasets.sources import Source, missing_data, open_source, stamp
from fer_utils.datasets.tree import Contents, look_into

FILE = "fer2013new.csv"
ROWS = 35_887
OTHERS = ("contempt", "unknown", "not_a_face")
VOTES = (*EMOTIONS, *OTHERS)
"""The vote columns: the project's emotions in their order, then what FER2013 has no class for."""
MAJORITY = 6
_LARGEST = 1 << 26  # bytes of the table, which has 1.6 MB
_COLUMNS = {
    "neutral": "neutral",
    "happiness": "happy",
    "surprise": "surprise",
    "sadness": "sad",
    "anger": "anger",
    "disgust": "disgust",
    "fear": "fear",
    "contempt": "contempt",
    "unknown": "unknown",
    "NF": "not_a_face",
}


def read_votes(folder: Path) -> pd.DataFrame:
    """One row per row of fer2013.csv, by its number: usage, then a column of whole numbers for each
    of ``VOTES``.

    Found in ``folder`` like the data sets (plain, gzipped or in an archive). Raises CompanionError
    when it is not there, or is not the published table of 35,887 rows.
    """
    contents = look_into(folder)
    source = votes_source(contents)
    if source is None:
        raise missing_data(
            "FER+",
            contents.folder,
            wanted=f"{FILE} from github.com/microsoft/FERPlus",
            problems=contents.problems,
        )
    return read_votes_file(source).drop(columns="name")


def plurality(votes: pd.DataFrame) -> np.ndarray:
    """The emotion with the most votes of each row, int64 [N]; -1 where there is none.

    There is none where two or more columns share the most votes, or where contempt, unknown or not
    a face has the most: FER2013 has no such class.
    """
    counts = votes[list(VOTES)].to_numpy()
    most = counts.max(axis=1, keepdims=True)
    winner = counts.argmax(axis=1)
    decided = ((counts == most).sum(axis=1) == 1) & (winner < len(EMOTIONS))
    return np.where(decided, winner, -1).astype(np.int64)


def undecided(votes: pd.DataFrame) -> np.ndarray:
    """Why ``plurality`` names no emotion: 'tie', 'contempt', 'unknown' or 'not a face'; '' where it
    names one. str [N]."""
    counts = votes[list(VOTES)].to_numpy()
    tied = (counts == counts.max(axis=1, keepdims=True)).sum(axis=1) > 1
    winner = np.array(VOTES)[counts.argmax(axis=1)]
    reasons = np.where(np.isin(winner, OTHERS), np.char.replace(winner, "_", " "), "")
    return np.where(tied, "tie", reasons)


def surely_mislabelled(labels: np.ndarray, votes: pd.DataFrame) -> np.ndarray:
    """bool [N]: at least six of the ten votes agree on something else than the label (an emotion,
    contempt, unknown or not a face).

    A lower bound of the label noise, since no tie and no narrow plurality counts: 784 of 3,589
    PrivateTest faces (21.8 %).
    """
    counts = votes[list(VOTES)].to_numpy()
    return (counts.max(axis=1) >= MAJORITY) & (counts.argmax(axis=1) != labels)


def votes_for(faces: FaceSet, votes: pd.DataFrame) -> pd.DataFrame:
    """The row of votes of each face, in the faces' order, joined by the row number in its id
    ('fer2013-00000').

    Raises CompanionError for an id without a row number, and where FER+ names another Usage than
    the face's origin.
    """
    numbers = pd.Series(faces.ids, dtype=str).str.extract(r"^fer2013-(\d{5})$")[0]
    unknown = (numbers.isna() | (pd.to_numeric(numbers) >= len(votes))).to_numpy()
    if unknown.any():
        raise CompanionError(
            f"The face '{faces.ids[unknown][0]}' has no row number of fer2013.csv"
            f" ('fer2013-00000'), by which FER+ votes are joined ({len(votes):,} rows). Put"
            " fer2013.csv there."
        )
    joined = votes.iloc[numbers.to_numpy(int)]
    wrong = np.char.add("FER2013/", joined["usage"].to_numpy(str)) != faces.origin
    if wrong.any():
        raise CompanionError(
            f"FER+ says {joined['usage'].to_numpy()[wrong][0]} of the face '{faces.ids[wrong][0]}',"
            f" which comes from {faces.origin[wrong][0]}: the two tables are not in the same order."
            f" Use the official fer2013.csv and {FILE}."
        )
    return joined


def votes_source(contents: Contents) -> Source | None:
    """FER+'s table in the data folder, None where there is none."""
    return next(iter(find_files(contents, (FILE,))), None)


def rows_by_name(source: Source) -> tuple[dict[str, int], np.ndarray]:
    """FER+'s file name without its ending -> row of fer2013.csv, and each row's Usage, str
    [35,887]."""
    table = read_votes_file(source)
    named = table.loc[table["name"] != "", "name"]
    return dict(zip(named.str.rsplit(".", n=1).str[0].str.lower(), named.index)), table[
        "usage"
    ].to_numpy(str)


def votes_stamp(source: Source | None) -> str:
    """Changes with FER+'s file."""
    return stamp(source.path) if source else ""


def read_votes_file(source: Source) -> pd.DataFrame:
    """The whole table: name (of the image, '' for 173 rows), usage and ``VOTES``."""
    with reading(source), open_source(source) as stream:
        text = bounded(stream, _LARGEST, str(source))
    try:
        lines = list(csv.reader(io.StringIO(text.decode("utf-8-sig"), newline="")))
    except (UnicodeDecodeError, csv.Error) as problem:
        raise CompanionError(
            f"{source} is not a table in UTF-8 text ({problem}). Download it again."
        ) from problem
    expected = ["Usage", "Image name", *_COLUMNS]
    if not lines or lines[0] != expected:
        raise CompanionError(
            f"{source} begins with {','.join(lines[0])[:100] if lines else 'nothing'}; expected the"
            f" columns {','.join(expected)}. Download it again."
        )
    _check_lines(lines[1:], source)
    table = pd.DataFrame(lines[1:], columns=["usage", "name", *_COLUMNS.values()])
    return table[["name", "usage", *VOTES]].astype(dict.fromkeys(VOTES, np.int64))


def _check_lines(lines: list[list[str]], source: Source) -> None:
    for number, line in enumerate(lines, start=2):
        votes = line[2:]
        if (
            len(votes) != len(VOTES)
            or line[0] not in USAGES
            or not all(v in _NUMBERS for v in votes)
        ):
            raise CompanionError(
                f"{source}: line {number:,} is {','.join(line)[:100]!r}; expected a Usage, a file "
                "name and ten numbers of votes from 0 to 10. Download it again."
            )
    if len(lines) != ROWS:
        raise CompanionError(
            f"{source} has {len(lines):,} rows, FER+ has {ROWS:,}, one for each of fer2013.csv. The"
            " file is truncated or altered: download it again."
        )


_NUMBERS = {str(number) for number in range(11)}
