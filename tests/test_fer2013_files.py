"""FER2013 from its CSV, whatever it is packed in, and from parquet files."""

import hashlib
import io
import json
import sys

import numpy as np
import pytest
from written_data import (
    GOOD,
    csv_text,
    encoded,
    fer2013_files,
    gray,
    write_files,
    write_gzip,
    write_tar,
    write_zip,
)

from fer_utils.core.emotions import EMOTIONS, FER2013_ORDER
from fer_utils.core.errors import CompanionError
from fer_utils.datasets import fer2013, fer2013_parquet, fer2013_trees
from fer_utils.datasets.checks import official_counts


def plain(folder):
    (folder / "fer2013.csv").write_bytes(csv_text())


def gzipped(folder):
    write_gzip(folder / "fer2013.csv.gz", csv_text())


def zipped(folder):
    write_zip(folder / "archive.zip", {"other.csv": b"a,b", "fer2013/fer2013.csv": csv_text()})


def tarred(folder):
    write_tar(folder / "fer2013.tar.gz", {"fer2013/README": b"", "fer2013/fer2013.csv": csv_text()})


def icml_text():
    rows = [
        ",".join((code, usage, pixels)) for code, pixels, usage in (row.split(",") for row in GOOD)
    ]
    return csv_text(rows, "emotion, Usage, pixels")


def icml(folder):
    (folder / "icml_face_data.csv").write_bytes(icml_text())


def kaggle_competition(folder):
    write_zip(
        folder / "challenges.zip",
        {
            "train.csv": b"emotion,pixels\n",
            "test.csv": b"pixels\n",
            "icml_face_data.csv": icml_text(),
        },
    )


LAYOUTS = {
    plain: "the CSV file",
    gzipped: "the CSV file, gzipped",
    zipped: "the CSV file, in an archive",
    tarred: "the CSV file, in an archive",
    icml: "the CSV of the Kaggle competition",
    kaggle_competition: "the CSV of the Kaggle competition, in an archive",
}


@pytest.mark.parametrize("below", ["", "fer2013", "kaggle/fer2013"])
@pytest.mark.parametrize("write", LAYOUTS)
def test_fer2013_is_read_whatever_it_is_packed_in_and_up_to_two_folders_deep(
    write, below, project, any_counts
):
    folder = project / "data" / below
    folder.mkdir(parents=True)
    write(folder)
    splits = fer2013.read_fer2013(project / "data")
    for offset, (_, faces) in enumerate(splits.items()):
        assert faces.images.shape == (7, 48, 48, 1)
        assert [EMOTIONS[label] for label in faces.labels] == list(FER2013_ORDER)
        assert (
            faces.images[:, 0, 0, 0].tolist() == list(range(7))
            and (faces.images[:, 0, 1:] == 7).all()
        )
        assert faces.ids[0] == f"fer2013-{7 * offset:05d}"
    assert splits.validation.origin[0] == "FER2013/PublicTest"
    assert splits.found.layout == LAYOUTS[write] and splits.found.place.startswith(below)


def test_the_decoded_array_is_cached_until_the_file_changes(project, any_counts, monkeypatch):
    plain(project)
    fer2013.read_fer2013(project)
    monkeypatch.setattr(fer2013, "decode", lambda source: pytest.fail("decoded again"))
    assert len(fer2013.read_fer2013(project).train) == 7
    (project / "fer2013.csv").write_bytes(csv_text(GOOD[:14]))
    with pytest.raises(pytest.fail.Exception):
        fer2013.read_fer2013(project)


def test_a_damaged_cache_is_made_again(project, any_counts):
    plain(project)
    fer2013.read_fer2013(project)
    (cache,) = (project / "runs" / "cache").iterdir()
    cache.write_bytes(cache.read_bytes()[:500])
    assert len(fer2013.read_fer2013(project).train) == 7


def test_a_file_of_unknown_md5_and_content_is_reported_as_not_official(project, any_counts):
    gzipped(project)
    found = fer2013.find_fer2013(project)
    assert (found.place, found.official) == ("fer2013.csv.gz", False)
    assert (
        hashlib.md5(csv_text()).hexdigest() in found.notes[0]
        and "no published copy" in found.notes[0]
    )


def test_the_csv_is_preferred_and_further_copies_are_named(project, any_counts):
    write_files(project / "tree", fer2013_files())
    write_zip(project / "copy.zip", {"fer2013.csv": csv_text()})
    plain(project)
    found = fer2013.find_fer2013(project)
    assert found.place == "fer2013.csv"
    assert found.notes[1:] == (
        "Also there, not used: the CSV file, in an archive, copy.zip (fer2013.csv).",
        "Also there, not used: folders of images by split and emotion, tree.",
    )


@pytest.mark.parametrize("packed", [False, True])
def test_the_competitions_two_files_are_refused_with_the_file_to_use_instead(packed, project):
    files = {"train.csv": b"emotion,pixels\n0,1 2 3\n", "test.csv": b"pixels\n1 2 3\n"}
    if packed:
        write_zip(project / "challenges.zip", files)
    else:
        write_files(project, files)
    with pytest.raises(
        CompanionError,
        match=r"train\.csv.*test\.csv.*no labels.*validated or tested.*icml_face_data",
    ):
        fer2013.read_fer2013(project)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {
                "train.csv": b"emotion,pixels\n",
                "val.csv": b"emotion,pixels\n",
                "test.csv": b"emotion,pixels\n",
            },
            r"no column Usage.*nor has .*(val|test)\.csv\)? or .*(val|test)\.csv\)?\. Put them one"
            r" under the other "
            r"into a file fer2013\.csv",
        ),
        ({"train.csv": b"emotion,pixels\n"}, r"no table of test faces lies beside it"),
        (
            {"train.csv": b"emotion,pixels\n", "more/test.csv": b"pixels\n"},
            r"no table of test faces lies beside " r"it",
        ),
        (
            {"train.csv": b"emotion,Usage,pixels\n"},
            r"has the columns of fer2013\.csv: if it holds all .* rename " r"it",
        ),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_tables_of_the_parts_are_looked_into_before_anything_is_said_of_them(
    files, message, packed, project
):
    (write_zip(project / "a.zip", files) if packed else write_files(project, files))
    with pytest.raises(CompanionError, match=message):
        fer2013.read_fer2013(project)


@pytest.mark.realdata
def test_the_real_fer2013_has_its_official_counts_and_md5_and_is_decoded_once(
    real_project, data, monkeypatch
):
    counts = fer2013.fer2013_counts(data)
    assert counts == {
        split: official_counts("FER2013", split) for split in ("train", "validation", "test")
    }
    found = fer2013.find_fer2013(data)
    assert found.official and next(iter(fer2013.KNOWN_MD5)) in found.notes[0]
    monkeypatch.setattr(fer2013, "decode", None)  # read again, nothing is decoded
    splits = fer2013.read_fer2013(data)
    assert [len(faces) for _, faces in splits.items()] == [28_709, 3_589, 3_589]


@pytest.mark.realdata
def test_the_official_content_is_known_without_the_file_in_any_order(real_project, data):
    splits = fer2013.read_fer2013(data)
    images, labels, names = (
        np.concatenate(parts)[::-1]
        for parts in zip(
            *(
                (faces.images, faces.labels, np.full(len(faces), split))
                for split, faces in splits.items()
            )
        )
    )
    assert fer2013_trees.content_digest(images, labels, names) == fer2013_trees.OFFICIAL_CONTENT


COUNTS = {emotion: 2 + position for position, emotion in enumerate(FER2013_ORDER)}


def parquet(
    order, *, image="image", label="label", columns=(), per_class=COUNTS, hub=False, pack=None
) -> bytes:
    """One file with ``per_class`` faces of each emotion, coded by their position in ``order``."""
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    pack = pack or (lambda pixels: {"bytes": encoded(pixels), "path": None})
    labels = [emotion for emotion in order for _ in range(per_class[emotion])]
    table = {
        image: [pack(gray(number)) for number in range(len(labels))],
        label: [order.index(e) for e in labels],
        **{name: values * len(labels) for name, values in columns},
    }
    table = pa.table(table)
    if hub:
        features = {"info": {"features": {label: {"names": list(order), "_type": "ClassLabel"}}}}
        table = table.replace_schema_metadata({"huggingface": json.dumps(features)})
    stream = io.BytesIO()
    pq.write_table(table, stream)
    return stream.getvalue()


@pytest.fixture
def small_counts(monkeypatch, any_counts):
    monkeypatch.setattr(
        fer2013_parquet, "official_counts", lambda *_: {e: COUNTS[e] for e in EMOTIONS}
    )
    monkeypatch.setattr(fer2013_trees, "official_counts", lambda *_: dict.fromkeys(EMOTIONS, 1))


SHUFFLED = ["sad", "anger", "neutral", "happy", "surprise", "disgust", "fear"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"hub": True}, "Hugging Face metadata"),
        ({"image": "img_bytes", "label": "labels", "pack": encoded}, "class counts of train"),
        (
            {
                "image": "pixels",
                "label": "emotion",
                "pack": lambda p: " ".join(map(str, p.ravel())),
            },
            "class counts of train",
        ),
        ({"pack": lambda p: p.ravel().tolist()}, "class counts of train"),
    ],
)
def test_parquet_files_of_the_hub_are_read_and_their_codes_understood(
    options, told, project, small_counts
):
    write_files(
        project,
        {
            f"data/{split}-00000-of-00001.parquet": parquet(SHUFFLED, **options)
            for split in ("train", "valid", "test")
        },
    )
    splits = fer2013.read_fer2013(project)
    for _, faces in splits.items():
        assert faces.counts() == {emotion: COUNTS[emotion] for emotion in EMOTIONS}
        assert np.array_equal(faces.images[3, :, :, 0], gray(3))
    assert splits.found.layout == "parquet files" and any(
        told in note for note in splits.found.notes
    )
    assert (
        splits.test.origin[0] == "FER2013/PrivateTest"
        and splits.train.ids[1] == "fer2013-train/00001"
    )


@pytest.mark.parametrize(
    "names",
    [
        ("data/train.parquet", "data/test.parquet"),
        ("default/train/0000.parquet", "default/test/0000.parquet"),
    ],
)
def test_a_parquet_copy_without_validation_split_has_its_test_halved_and_says_so(
    names, project, small_counts
):
    write_files(project, {name: parquet(SHUFFLED) for name in names})
    splits = fer2013.read_fer2013(project)
    assert splits.validation.counts() == dict.fromkeys(EMOTIONS, 1)
    assert splits.test.counts() == {emotion: COUNTS[emotion] - 1 for emotion in EMOTIONS}
    assert any("halved by a seeded draw" in note for note in splits.found.notes)


def test_a_split_column_of_a_single_parquet_file_is_used(project, small_counts):
    write_files(project, {"all.parquet": parquet(SHUFFLED, columns=[("Usage", ["Training"])])})
    assert len(fer2013.read_fer2013(project).train) == sum(COUNTS.values())


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        (
            "train.parquet",
            b"PAR1 no",
            r"train\.parquet can't be read as a parquet file.*download it again",
        ),
        ("train.parquet", b"", r"train\.parquet can't be read as a parquet file"),
        (
            "0000.parquet",
            None,
            r"0000\.parquet: neither its name nor a column 'split' tells its split",
        ),
    ],
)
def test_an_unusable_parquet_file_is_named(
    name, data, message, project, nothing_left, small_counts
):
    write_files(project, {name: parquet(SHUFFLED) if data is None else data})
    with pytest.raises(CompanionError, match=message):
        fer2013.read_fer2013(project)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"image": "picture"},
            r"no column named img_bytes or image or pixels; found picture, label",
        ),
        (
            {"columns": [("split", ["holdout"])]},
            r"column 'split' holds 'holdout'; expected one of train",
        ),
        ({"pack": lambda pixels: b"no image"}, r"row 1 can't be read as an image"),
        (
            {"pack": lambda pixels: "1 2 3"},
            r"row 1 holds no image; expected the bytes of an image file or 2,304 numbers",
        ),
        (
            {"per_class": dict.fromkeys(FER2013_ORDER, 3)},
            r"nothing tells what the label codes mean.*fer2013\.csv",
        ),
    ],
)
def test_a_parquet_file_without_sense_says_what_was_expected(
    options, message, project, nothing_left, small_counts
):
    write_files(project, {"train.parquet": parquet(SHUFFLED, **options)})
    with pytest.raises(CompanionError, match=message):
        fer2013.read_fer2013(project)


def test_without_pyarrow_the_error_names_what_to_install(project, nothing_left, monkeypatch):
    write_files(project, {"train.parquet": b"PAR1"})
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(
        CompanionError, match=r"train\.parquet is there.*needs pyarrow.*install 'fer_utils\[data\]'"
    ):
        fer2013.read_fer2013(project)
