"""``fetch-data``: FER2013 from Kaggle, checked by its MD5; for RAF-DB, how to ask its authors."""

import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from fer_utils.core.errors import CompanionError
from fer_utils.core.paths import atomic_write, data_folder
from fer_utils.datasets.archives import reading
from fer_utils.datasets.fer2013 import KNOWN_MD5, find_fer2013, has_fer2013
from fer_utils.datasets.fer2013_csv import find_files
from fer_utils.datasets.rafdb import find_rafdb, has_rafdb
from fer_utils.datasets.sources import HashingStream, Source, open_source
from fer_utils.datasets.tree import look_into

KAGGLE = "https://www.kaggle.com"
FER2013_ON_KAGGLE = "deadskull7/fer2013"
SECONDS = 4
"""How long Kaggle may take to answer at all."""
_FILE = "fer2013.csv"
_RAFDB = """RAF-DB is given out by its authors only, for research that is not commercial:
  1. Read the terms at http://www.whdeng.cn/RAF/model1.html and ask for the password as they say
     there, from the address of your university or institute.
  2. Download the basic set and put its folders EmoLabel/ and Image/aligned/ into {folder}/rafdb/,
     or the archive as it is.
  3. python -m fer_utils fetch-data tells whether it is found."""


def fetch_data(say: Callable[[str], None]) -> None:
    """Put FER2013 into ``data_folder()`` unless it is there, and say how to get RAF-DB.

    Raises CompanionError where FER2013 can't be fetched: no kagglehub, no network, no access,
    another MD5. Nothing half-written is left, and data that is there is never touched.
    """
    folder = data_folder()
    for line in rafdb_lines(folder):
        say(line)
    if has_fer2013(folder):
        for line in _present(folder):
            say(line)
        return
    say(f"Fetching FER2013 from Kaggle ({FER2013_ON_KAGGLE}).")
    say(f"Wrote {fetch_fer2013(folder)}: {KNOWN_MD5[_official_md5()]}.")


def rafdb_lines(folder: Path) -> list[str]:
    """What was found of RAF-DB, or how to ask for it and what is missing."""
    steps = _RAFDB.format(folder=folder).splitlines()
    if not has_rafdb(folder):
        return steps
    try:
        return [*find_rafdb(folder).lines(), "  It is left as it is."]
    except CompanionError as problem:
        return [*steps, f"  Now: {problem}"]


def fetch_fer2013(folder: Path) -> Path:
    """Download fer2013.csv through kagglehub, check its MD5 and copy it to ``folder``/fer2013;
    returns the copy."""
    kagglehub = _kagglehub()
    _check_reachable()
    try:
        downloaded = Path(kagglehub.dataset_download(FER2013_ON_KAGGLE, path=_FILE))
    except Exception as problem:  # kagglehub raises what requests, its own API and the disk raise
        raise CompanionError(
            f"Kaggle did not give {FER2013_ON_KAGGLE} ({type(problem).__name__}: {problem}). Sign"
            " in as kaggle.com/docs/api says, or download it in a browser and put it into"
            f" {folder}."
        ) from problem
    sources = find_files(
        look_into(downloaded if downloaded.is_dir() else downloaded.parent), (_FILE,)
    )
    if not sources:
        raise CompanionError(
            f"{downloaded} holds no {_FILE}: Kaggle's {FER2013_ON_KAGGLE} has changed. Download "
            f"FER2013 in a browser and put it into {folder}."
        )
    return _copy_checked(sources[0], folder / "fer2013" / _FILE)


def _present(folder: Path) -> list[str]:
    try:
        return [*find_fer2013(folder).lines(), "  It is left as it is."]
    except CompanionError as problem:
        raise CompanionError(
            f"FER2013 is there, but can't be used: {problem} Nothing was changed. If its files are"
            f" at fault, move them out of {folder} and run fetch-data again."
        ) from problem


def _kagglehub():
    try:
        import kagglehub
    except ImportError as problem:
        raise CompanionError(
            "Fetching FER2013 needs kagglehub, which is not installed. Install it with: pip"
            " install 'fer_utils[data]' (or pip install kagglehub), or put fer2013.csv into"
            f" {data_folder()} yourself."
        ) from problem
    return kagglehub


def _check_reachable() -> None:
    """kagglehub tries again for minutes when there is no network, so we ask first, and not for
    long."""
    answers = []
    asking = threading.Thread(target=lambda: answers.append(_problem_reaching(KAGGLE)), daemon=True)
    asking.start()
    asking.join(SECONDS + 1)  # looking up a name has no time limit of its own
    problem = answers[0] if answers else f"no answer within {SECONDS} seconds"
    if problem:
        raise CompanionError(
            f"{KAGGLE} can't be reached ({problem}), so FER2013 was not fetched. Connect to the "
            f"internet and run fetch-data again, or put {_FILE} into {data_folder()} by hand."
        )


def _problem_reaching(address: str) -> str | None:
    try:
        urllib.request.urlopen(
            urllib.request.Request(address, method="HEAD"), timeout=SECONDS
        ).close()
    except urllib.error.HTTPError:
        return None  # it answered
    except (OSError, ValueError) as problem:
        return str(getattr(problem, "reason", problem))
    return None


def _copy_checked(source: Source, target: Path) -> Path:
    """Copies while taking the MD5; the copy gets its name only if that is right."""
    try:
        with atomic_write(target) as file:
            for piece in _pieces(source, target):
                file.write(piece)
    except OSError as problem:
        raise CompanionError(
            f"{target} can't be written ({problem.strerror or problem}). Make room or change the "
            "permissions there, or set FER_DATA to another folder."
        ) from problem
    return target


def _pieces(source: Source, target: Path) -> Iterator[bytes]:
    """The bytes of the source; CompanionError at their end if they are not the official file's.

    What goes wrong in writing them, outside of this, is no fault of the source.
    """
    official = _official_md5()
    with reading(source), open_source(source) as stream:
        hashing = HashingStream(stream)
        while data := hashing.read(1 << 20):
            yield data
    if hashing.md5.hexdigest() != official:
        raise CompanionError(
            f"{source} has the MD5 {hashing.md5.hexdigest()}; the official {_FILE} has "
            f"{official}. It was not copied. Put another download into {target.parent}."
        )


def _official_md5() -> str:
    return next(iter(KNOWN_MD5))
