"""Whatever lies in the data folder, the readers either read it or say what is wrong in the
project's own words."""

import io
import shutil
import tempfile
import warnings
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from written_data import (
    GOOD,
    csv_text,
    encoded,
    fer2013_files,
    gray,
    rafdb_images,
    rafdb_kaggle,
    rafdb_list,
    rafdb_official,
    write_files,
    write_tar,
    write_zip,
)

from fer_utils.core.errors import CompanionError
from fer_utils.datasets import fer2013, rafdb
from fer_utils.datasets.ferplus import FILE, read_votes

QUICK = settings(
    max_examples=80,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=6)
NAMES = TEXT | st.sampled_from(
    [
        "train",
        "test",
        "val",
        "Training",
        "happy",
        "sad",
        "Angry",
        "1",
        "7",
        "EmoLabel",
        "Image",
        "aligned",
        "__MACOSX",
    ]
)
FILES = NAMES | st.sampled_from(
    [
        "Training_1.png",
        "PrivateTest_2.JPG",
        "a.bmp",
        "fer0000001.png",
        "train_00001_aligned.jpg",
        "test_0001.jpg",
        "fer2013.csv",
        "fer2013.csv.gz",
        "train.csv",
        "a.zip",
        "a.tar.gz",
        "train-0.parquet",
        FILE,
        "list_patition_label.txt",
        "train_labels.csv",
        ".DS_Store",
        "Thumbs.db",
        "Training_3.tiff",
        "a.gif",
        "b.heic",
        "c.jfif",
    ]
)
DATA = st.binary(max_size=60) | st.sampled_from(
    [
        b"",
        encoded(gray(1)),
        encoded(gray(1), "JPEG"),
        encoded(gray(1, 100), "JPEG"),
        encoded(gray(2, 20)),
        csv_text(),
        csv_text()[:5000],
        rafdb_list(rafdb_images()),
        b"image,label\n",
        b"emotion,pixels\n0,1\n",
        b"\x1f\x8b\x08\x00",
        b"PK\x03\x04",
        b"PAR1PAR1",
        b"version https://git-lfs.github.com/spec/v1",
        b"<!DOCTYPE html>",
        encoded(gray(3), "TIFF"),
        encoded(gray(3), "GIF"),
        b"\0\0\0\x18ftypheic",
    ]
)
PATHS = st.lists(NAMES, max_size=3).flatmap(
    lambda folders: FILES.map(lambda name: "/".join([*folders, name]))
)
CELLS = st.text(max_size=8) | st.sampled_from(
    [
        "0",
        "6",
        "7",
        "-1",
        "",
        " 3",
        "happy",
        "Training",
        "PublicTest",
        "256",
        " ".join(["7"] * 2304),
        " ".join(["7"] * 2303),
        '"',
        '"a',
        "\x00",
        "é",
        "9" * 30,
    ]
)


@contextmanager
def folder():
    """A data folder of its own for each example."""
    place = Path(tempfile.mkdtemp(dir=fresh_root))
    try:
        yield place
    finally:
        shutil.rmtree(place)


@pytest.fixture(autouse=True)
def root(project, any_counts):
    global fresh_root
    fresh_root = project


def read_everything(place: Path) -> None:
    """Each reader on the folder, which it must leave as it is; only the project's own error may
    come out of it, and that must say something."""
    before = sorted(place.rglob("*"))
    for read in (fer2013.read_fer2013, rafdb.read_official_splits, rafdb.rafdb_counts, read_votes):
        try:
            read(place)
        except CompanionError as problem:
            assert len(str(problem)) > 40
    assert sorted(place.rglob("*")) == before


def write_what_can_be(place: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        with suppress(OSError, ValueError):  # a file where a folder is, '.', a name too long
            write_files(place, {name: data})


@QUICK
@given(
    rows=st.lists(st.lists(CELLS, min_size=1, max_size=5).map(",".join), max_size=4),
    header=st.sampled_from(
        ["emotion,pixels,Usage", "emotion, Usage, pixels", "emotion,pixels", "", "a"]
    )
    | st.text(max_size=30),
)
def test_any_rows_of_a_csv_are_read_or_refused_in_our_words(rows, header):
    with folder() as place:
        (place / "fer2013.csv").write_bytes(
            csv_text([*GOOD[:2], *rows], header).decode().encode("utf-8", "replace")
        )
        read_everything(place)


@QUICK
@given(
    at=st.floats(0, 1),
    data=st.binary(min_size=1, max_size=8),
    name=st.sampled_from(["fer2013.csv", "fer2013.csv.gz", FILE]),
)
def test_any_bytes_anywhere_in_a_table_are_read_or_refused_in_our_words(at, data, name):
    text = csv_text(GOOD[:3])
    with folder() as place:
        (place / name).write_bytes(text[: int(at * len(text))] + data + text[int(at * len(text)) :])
        read_everything(place)


@QUICK
@given(files=st.dictionaries(PATHS, DATA, max_size=6))
def test_any_tree_is_read_or_refused_in_our_words(files):
    with folder() as place:
        write_what_can_be(place, files)
        read_everything(place)


@QUICK
@given(
    added=st.dictionaries(PATHS, DATA, max_size=3),
    removed=st.integers(0, 40),
    kind=st.integers(0, 2),
)
def test_any_change_of_a_good_tree_is_read_or_refused_in_our_words(added, removed, kind):
    files = [fer2013_files(1), rafdb_kaggle(rafdb_images(1)), rafdb_official(rafdb_images(1))][kind]
    with folder() as place:
        write_what_can_be(place, {**dict(list(files.items())[removed:]), **added})
        read_everything(place)


@QUICK
@given(
    files=st.dictionaries(
        PATHS | st.sampled_from(["../a.png", "/a", "a\\..\\b", "./train/happy/a.png"]),
        DATA,
        max_size=5,
    ),
    at=st.floats(0, 1),
    data=st.binary(max_size=4),
    name=st.sampled_from(["a.zip", "a.tar", "a.tar.gz"]),
)
def test_any_archive_and_any_damage_to_one_is_read_or_refused_in_our_words(files, at, data, name):
    with folder() as place:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # names that are there twice
            (write_zip if name.endswith("zip") else write_tar)(
                place / name, {**fer2013_files(1), **files}
            )
        whole = bytearray((place / name).read_bytes())
        start = int(at * len(whole))
        whole[start : start + len(data)] = data
        (place / name).write_bytes(whole)
        read_everything(place)


@QUICK
@given(
    kind=st.sampled_from(["PNG", "JPEG", "BMP", "WEBP", "TIFF", "GIF", "PPM", "JPEG2000", "AVIF"]),
    at=st.floats(0, 1),
    data=st.binary(min_size=1, max_size=6),
)
def test_any_damage_to_an_image_is_read_or_refused_in_our_words(kind, at, data):
    image = bytearray(encoded(gray(30), kind))
    start = int(at * len(image))
    image[start : start + len(data)] = data
    with folder() as place:
        write_files(place, {**fer2013_files(1), "train/happy/Training_30.png": bytes(image)})
        read_everything(place)


@QUICK
@given(at=st.floats(0, 1), data=st.binary(min_size=1, max_size=6))
def test_any_damage_to_a_parquet_file_is_read_or_refused_in_our_words(at, data):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    stream = io.BytesIO()
    pq.write_table(
        pa.table({"image": [encoded(gray(n)) for n in range(3)], "label": [0, 1, 2]}), stream
    )
    whole = bytearray(stream.getvalue())
    start = int(at * len(whole))
    whole[start : start + len(data)] = data
    with folder() as place:
        (place / "train.parquet").write_bytes(whole)
        read_everything(place)
