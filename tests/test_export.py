"""Faces that leave the project: every reader finds all of them, no table runs anything, nothing
lands elsewhere."""

import errno
import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from torchvision.datasets import ImageFolder

from fer_utils.balancing import write_index
from fer_utils.balancing.export import export_balanced_set, export_pool
from fer_utils.core.emotions import AUTHORS_ORDER, EMOTIONS
from fer_utils.core.errors import CompanionError
from fer_utils.core.faces import FaceSet
from fer_utils.core.profiles import load_profile
from fer_utils.core.stored import harmless, write_table
from fer_utils.datasets.gate import Verdict, write_verdict
from fer_utils.synthesis.shards import MANIFEST_COLUMNS, pixel_hash, shard_path, write_shard

LEVEL, DATASET = "aug1", "demo_fer2013"

# What datasets 5.2 takes for a split (data_files.py): a word of a folder's or a file's name, and if
# any file has one, only the files with one are read.
WORDS = "train|training|validation|valid|dev|val|test|testing|eval|evaluation"
OF_A_SPLIT = re.compile(rf"(^|.*[-._ 0-9/])({WORDS})([-._ 0-9/].*|$)")


class Four4All:
    """A loader of the authors' form (get_dataset.py of their repository): the first line is a
    header, then name and label."""

    def __init__(self, csv_file, img_dir):
        self.labels, self.folder = pd.read_csv(csv_file), img_dir

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, place):
        return Image.open(self.folder / self.labels.iloc[place, 0]), self.labels.iloc[place, 1]


def face(number):
    return np.random.default_rng(number).integers(0, 255, (64, 64, 3), np.uint8)


def manifest_row(number, emotion, prompt, name=""):
    values = {
        "id": name or f"{emotion}-{number:06d}",
        "generator": "sd2",
        "emotion": emotion,
        "prompt": prompt,
        "seed": 7 * number,
        "sha256": pixel_hash(face(number)),
    }
    return {
        column: values.get(column, 1 if column in ("steps", "attempt") else "")
        for column in MANIFEST_COLUMNS
    }


def write_pool(profile, rows):
    path = shard_path("sd2-0000", profile)
    write_shard(
        path, np.stack([face(number) for number in range(len(rows))]), pd.DataFrame(rows), {}
    )


@pytest.fixture
def profile(project):
    return load_profile("smoke")


@pytest.fixture
def exported(profile, tmp_path):
    """A balanced set of 35 real faces of all splits' names and 14 synthetic ones, exported."""
    labels = np.arange(35) % 7
    names = [
        f"{('train', 'test', 'Training-val', 'evaluation', 'dev_')[k % 5]}-{k}" for k in range(35)
    ]
    train = FaceSet(
        np.stack([face(k)[:48, :48, :1] for k in range(35)]),
        labels,
        np.array(names),
        np.full(35, "FER2013/Training"),
    )
    for split in ("train", "validation", "test"):
        train.save(profile.paths.faces(DATASET, split))
    write_verdict(Verdict(pd.DataFrame(), 0, 0), profile.paths.gate(DATASET))
    rows = [
        manifest_row(
            k, EMOTIONS[k % 7], '=HYPERLINK("https://elsewhere.example")' if k == 3 else "a face"
        )
        for k in range(14)
    ]
    write_pool(profile, rows)
    index = pd.DataFrame(
        {
            "id": [*names, *(row["id"] for row in rows)],
            "source": ["real"] * 35 + ["synthetic"] * 14,
            "emotion": [EMOTIONS[k] for k in labels] + [row["emotion"] for row in rows],
        }
    )
    write_index(index, profile.paths.balanced_set(DATASET, LEVEL))
    assert export_balanced_set(tmp_path / "my_train" / "out", DATASET, LEVEL, profile) == 49
    return tmp_path / "my_train" / "out"


def test_torchvision_reads_every_exported_face(exported):
    read = ImageFolder(exported)
    assert len(read) == 49 and read.classes == list(EMOTIONS)


def test_the_authors_loader_reads_every_exported_face_with_their_label(exported):
    read = Four4All(exported / "labels.csv", exported)
    assert len(read) == 49
    for place in range(len(read)):
        image, label = read[place]
        assert image.size == (48, 48) and read.labels.iloc[place, 0].startswith(
            f"{AUTHORS_ORDER[label]}/"
        )


def test_datasets_reads_every_exported_face_with_its_metadata(exported, tmp_path):
    datasets = pytest.importorskip("datasets")
    read = datasets.load_dataset(
        "imagefolder", data_dir=str(exported), cache_dir=str(tmp_path / "cache")
    )
    assert {split: len(rows) for split, rows in read.items()} == {"train": 49}
    assert sorted(read["train"]["id"])[0] == "Training-val-12" and set(
        read["train"]["emotion"]
    ) == set(EMOTIONS)


def test_no_exported_file_is_taken_by_datasets_for_one_of_a_split(exported):
    names = [
        path.relative_to(exported).as_posix() for path in exported.rglob("*") if path.is_file()
    ]
    assert len(names) == 49 + 2 and not [name for name in names if OF_A_SPLIT.match(name)]
    assert all(
        map(
            OF_A_SPLIT.match,
            ("anger/train-7.png", "x/a_val_1.png", "test/a.png", "my-eval/b.png", "train.csv"),
        )
    )


def test_ids_and_where_faces_come_from_stand_in_the_metadata(exported):
    metadata = pd.read_csv(exported / "metadata.csv").set_index("id")
    assert metadata.loc["train-0", ["source", "emotion"]].tolist() == ["real", "anger"]
    assert metadata.loc["anger-000007", ["source", "seed"]].tolist() == ["synthetic", 49]
    assert all((exported / name).is_file() for name in metadata["file_name"])


def test_a_prompt_that_a_spreadsheet_would_run_is_exported_as_text(exported):
    prompts = pd.read_csv(exported / "metadata.csv").set_index("id")["prompt"]
    assert (
        prompts["happy-000003"] == '\'=HYPERLINK("https://elsewhere.example")'
        and prompts["sad-000005"] == "a face"
    )


@pytest.mark.parametrize("emotion", ["../../elsewhere", "/tmp/elsewhere", "joy", ""])
def test_an_emotion_that_is_none_is_refused_before_anything_is_written(profile, tmp_path, emotion):
    write_pool(
        profile,
        [manifest_row(0, "anger", "a face"), manifest_row(1, emotion, "a face", name="odd-1")],
    )
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(
        CompanionError, match="odd-1 has the emotion .*expected one of anger, disgust"
    ):
        export_pool(tmp_path / "a" / "out", profile)
    assert [path for path in tmp_path.rglob("*") if path not in before] in ([], [tmp_path / "a"])
    write_index(
        pd.DataFrame({"id": ["odd-1"], "source": ["synthetic"], "emotion": [emotion or "none"]}),
        profile.paths.balanced_set(DATASET, LEVEL),
    )
    with pytest.raises(CompanionError, match="names the emotion"):
        export_balanced_set(tmp_path / "b" / "out", DATASET, LEVEL, profile)


@pytest.mark.parametrize(
    "fails", ["PIL.Image.Image.save", "fer_utils.balancing.export.write_table"]
)
def test_a_disk_that_fills_leaves_nothing_of_an_export_and_the_error_names_the_folder(
    profile, tmp_path, monkeypatch, fails
):
    write_pool(profile, [manifest_row(0, "anger", "a face")])

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(fails, full)
    with pytest.raises(OSError) as caught:
        export_pool(tmp_path / "a" / "out", profile)
    assert (
        caught.value.filename == str(tmp_path / "a" / "out")
        and list((tmp_path / "a").iterdir()) == []
    )


@pytest.mark.parametrize("name", ["../../up", "a/b", "..", "C:\\x", "=x", "x" * 400])
def test_an_id_makes_no_path(profile, tmp_path, name):
    write_pool(profile, [manifest_row(0, "anger", "a face", name=name)])
    export_pool(tmp_path / "out", profile)
    assert [
        path.relative_to(tmp_path / "out").as_posix()
        for path in sorted((tmp_path / "out").rglob("*.png"))
    ] == ["anger/000001.png"]
    assert pd.read_csv(tmp_path / "out" / "metadata.csv")["id"].tolist() == [harmless(name)]


@pytest.mark.parametrize(
    "text", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "-"]
)
def test_a_text_that_begins_like_a_formula_is_no_formula_in_a_table(tmp_path, text):
    write_table(
        pd.DataFrame({"file": [text, f"a{text}", "a.jpg"], "share": [-0.5, 1.0, 1.0]}),
        tmp_path / "t.csv",
    )
    read, shown = pd.read_csv(tmp_path / "t.csv"), text.replace("\r", " ")
    assert read["file"].tolist() == [f"'{shown}", f"a{shown}", "a.jpg"] and read[
        "share"
    ].tolist() == [-0.5, 1.0, 1.0]


@pytest.mark.parametrize("number", ["-5", "+0.25", "-1.5e-07", "7"])
def test_a_number_written_as_text_stays_a_number(number):
    assert harmless(number) == number
