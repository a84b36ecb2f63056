"""RAF-DB in every layout gives the same faces; labels and images that disagree are named."""

import itertools
import os
import shutil

import numpy as np
import pytest
import torch
from written_data import (
    assert_same_faces,
    colour,
    encoded,
    rafdb_by_emotion,
    rafdb_images,
    rafdb_kaggle,
    rafdb_list,
    rafdb_official,
    write_files,
    write_tar,
    write_zip,
)

from fer_utils.core.emotions import EMOTIONS, RAFDB_ORDER
from fer_utils.core.errors import CompanionError
from fer_utils.core.profiles import load_profile
from fer_utils.datasets import load_splits, paper_scale_counts, rafdb
from fer_utils.datasets.checks import official_counts
from fer_utils.datasets.demo_faces import draw_more
from fer_utils.datasets.rafdb_labels import read_list
from fer_utils.datasets.tree import look_into

LAYOUTS = {
    "official": rafdb_official,
    "kaggle": rafdb_kaggle,
    "kaggle without tables": lambda images: rafdb_kaggle(images, tables=False),
    "by emotion": rafdb_by_emotion,
}


def read(folder, **options):
    return rafdb.read_rafdb(folder, **{"validation_share": 0.3, "seed": 1} | options)


def write(folder, layout, pack, images):
    files = {f"basic/{name}": data for name, data in LAYOUTS[layout](images).items()}
    if pack == "folder":
        write_files(folder, files)
    else:
        (write_zip if pack == "zip" else write_tar)(folder / f"RAF-DB.{pack}", files)


@pytest.mark.parametrize("pack", ["folder", "zip", "tar", "tar.gz"])
def test_every_layout_and_packing_gives_the_same_faces(pack, project, any_counts):
    images, splits = rafdb_images(), {}
    for layout in LAYOUTS:
        write(project / layout, layout, pack, images)
        splits[layout] = read(project / layout)
    for layout in LAYOUTS:
        for (_, one), (_, two) in zip(splits["official"].items(), splits[layout].items()):
            assert_same_faces(one, two)
    assert (
        splits["official"].test.ids[0] == "rafdb-test_0001"
        and splits["official"].test.origin[0] == "RAF-DB/test"
    )


@pytest.mark.parametrize("layout", LAYOUTS)
def test_folders_whose_names_are_not_utf_8_are_read(layout, project, any_counts):
    images = rafdb_images()
    write_files(project / "plain", LAYOUTS[layout](images))
    write_files(project / "named" / "caf\udce9", LAYOUTS[layout](images))
    assert_same_faces(read(project / "plain").test, read(project / "named").test)
    assert rafdb.find_rafdb(project / "named").place.startswith("caf\udce9")


def test_rafdb_is_read_with_a_stratified_validation_share_of_train(project, any_counts):
    write(project / "data" / "RAF-DB", "official", "folder", rafdb_images(10))
    splits = read(project / "data")
    assert splits.validation.counts() == dict.fromkeys(EMOTIONS, 3)
    assert splits.train.counts() == dict.fromkeys(
        EMOTIONS, 7
    ) and splits.test.counts() == dict.fromkeys(EMOTIONS, 10)
    assert not set(splits.train.ids) & set(splits.validation.ids)
    assert [EMOTIONS[label] for label in splits.test.labels[:7]] == [
        RAFDB_ORDER[n % 7] for n in range(1, 8)
    ]


def test_another_seed_draws_another_validation_share(project, any_counts):
    write(project, "official", "folder", rafdb_images(10))
    first, again, other = (read(project, seed=seed).validation.ids.tolist() for seed in (1, 1, 2))
    assert first == again and first != other


def test_original_pictures_are_shrunk_and_said_not_to_be_aligned(project, any_counts):
    images = [
        (stem, code, encoded(colour(7, 130)[:, :110], "JPEG")) for stem, code, _ in rafdb_images()
    ]
    write_files(project, rafdb_official(images, "original"))
    splits = read(project)
    assert splits.train.images.shape[1:] == (100, 100, 3) and not splits.found.official
    assert any(
        "Image/original was read, so the faces are not aligned" in note
        for note in splits.found.notes
    )


def test_aligned_images_are_preferred_to_original_ones(project, any_counts):
    write_files(
        project, {**rafdb_official(rafdb_images()), **rafdb_official(rafdb_images(), "original")}
    )
    assert read(project).found.layout == "the official folders with aligned images"
    assert any("original images" in note for note in read(project).found.notes)


def test_images_left_in_their_own_archive_beside_the_label_list_are_found(project, any_counts):
    files = rafdb_official(rafdb_images())
    listed = {name: data for name, data in files.items() if name.startswith("EmoLabel")}
    write_files(project / "basic", listed)
    write_zip(
        project / "basic" / "Image" / "aligned.zip",
        {name.removeprefix("Image/"): data for name, data in files.items() if name not in listed},
    )
    assert read(project).found.place == "basic/Image/aligned.zip (aligned)"


def test_a_damaged_further_copy_stops_nobody(project, any_counts):
    images = rafdb_images()
    write(project / "a", "official", "folder", images)
    write_files(project / "b", {**rafdb_kaggle(images), "train_labels.csv": b"broken"})
    assert (
        read(project).found.notes[-1]
        == "Also there, not used: folders of images by split and class, b/DATASET."
    )


COMPOUND = {
    "compound/EmoLabel/list_patition_label.txt": (
        "".join(f"train_{n:04d}.jpg {n}\n" for n in range(1, 12)).encode()
    ),
    "compound/Image/aligned/train_0001_aligned.jpg": encoded(colour(1), "JPEG"),
}


@pytest.mark.parametrize("layout", [rafdb_official, rafdb_kaggle])
@pytest.mark.parametrize("place", ["", "rafdb/deep/"])
def test_the_compound_subset_beside_is_named_and_stops_nobody(layout, place, project, any_counts):
    write_files(
        project,
        {f"{place}{name}": data for name, data in layout(rafdb_images()).items()} | COMPOUND,
    )
    found = read(project).found
    assert (
        found.notes[-1] == "Also there, not used: RAF-DB's compound subset (11 classes), compound."
    )
    assert rafdb.rafdb_counts(project)["test"] == dict.fromkeys(EMOTIONS, 2)


def test_the_compound_subset_alone_is_told_not_to_be_the_basic_one(project):
    write_files(project, COMPOUND)
    assert not rafdb.has_rafdb(project)
    with pytest.raises(
        CompanionError,
        match=r"RAF-DB was not found.*label list of RAF-DB's compound " r"subset.*the basic one",
    ):
        read(project)


def test_counts_need_the_label_list_alone_or_folders_with_names(project, any_counts):
    write_files(project / "list", {"EmoLabel/list_patition_label.txt": rafdb_list(rafdb_images())})
    write_files(project / "tree", rafdb_kaggle(rafdb_images()))
    assert rafdb.rafdb_counts(project / "list") == rafdb.rafdb_counts(project / "tree")
    assert rafdb.rafdb_counts(project / "list")["test"] == dict.fromkeys(EMOTIONS, 2)


def without(files, name):
    return {key: data for key, data in files.items() if key != name}


IMAGES = rafdb_images()
OFFICIAL, KAGGLE = rafdb_official(IMAGES), rafdb_kaggle(IMAGES)
LIST, TABLE = "EmoLabel/list_patition_label.txt", "train_labels.csv"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            without(OFFICIAL, "Image/aligned/train_00003_aligned.jpg"),
            (
                r"1 of 28 images are missing, the first is .*train_00003_aligned\.jpg, which"
                r" .*list_patition_label\.txt lists"
            ),
        ),
        (
            {**OFFICIAL, "Image/aligned/train_99999_aligned.jpg": b""},
            r"train_99999_aligned\.jpg is an image without a label: .*does not list it",
        ),
        (
            {**OFFICIAL, LIST: OFFICIAL[LIST] + b"train_00001.jpg 2\n"},
            r"line 29 names train_00001\.jpg again, line 1 did",
        ),
        ({**OFFICIAL, LIST: b""}, r"list_patition_label\.txt is empty"),
        (
            {**OFFICIAL, LIST: OFFICIAL[LIST].decode().encode("utf-16")},
            r"list_patition_label\.txt is not (UTF-8|a) text",
        ),
        (
            {**OFFICIAL, LIST: b"train_00001.jpg \xe9\n"},
            r"list_patition_label\.txt is not UTF-8 text",
        ),
        (
            {**OFFICIAL, LIST: b"train_00001.jpg 8\n"},
            r"line 1 is 'train_00001\.jpg 8'; expected .*code of 1 to 7",
        ),
        (
            {**OFFICIAL, LIST: b"train_00001.jpg 1\ntrain_00002.jpg\n"},
            r"line 2 is 'train_00002\.jpg'; expected",
        ),
        ({**OFFICIAL, LIST: b"00001.jpg 3\n"}, r"line 1 is '00001\.jpg 3'; expected"),
        (
            {
                **KAGGLE,
                TABLE: KAGGLE[TABLE].replace(b"00003_aligned.jpg,4", b"00003_aligned.jpg,5"),
            },
            r"train_00003\.jpg lies in the folder of happy.*labels it sad",
        ),
        (
            {**KAGGLE, TABLE: KAGGLE[TABLE] + b"train_00015_aligned.jpg,1\n"},
            r"lists train_00015\.jpg, but there is no",
        ),
        (
            {**KAGGLE, "DATASET/train/1/train_00015_aligned.jpg": IMAGES[0][2]},
            r"image train_00015\.jpg, but .*no label",
        ),
        (
            {**KAGGLE, TABLE: KAGGLE[TABLE] + b"train_00001_aligned.jpg,2\n"},
            r"line 16 names train_00001\.jpg again",
        ),
        (
            {**KAGGLE, TABLE: b"file,class\n"},
            r"train_labels\.csv begins with file,class; expected the columns image,label",
        ),
        (
            {**KAGGLE, TABLE: b"image,label\ntrain_00001_aligned.jpg,9\n"},
            r"line 2 is .*expected an image and a code",
        ),
        (
            {**KAGGLE, "DATASET/train/1/test_0001_aligned.jpg": IMAGES[0][2]},
            r"is not named like RAF-DB's train images",
        ),
        (
            {**KAGGLE, "DATASET/train/1/train_00001_aligned.jpg": IMAGES[0][2]},
            (
                r"train_00001_aligned\.jpg is there twice, also as"
                r" DATASET/train/1/train_00001_aligned\.jpg"
            ),
        ),
        (
            {**KAGGLE, "DATASET/train/8/train_00001_aligned.jpg": IMAGES[0][2]},
            r"DATASET/train/8 is no class of",
        ),
        (
            {**KAGGLE, LIST: OFFICIAL[LIST].replace(b"train_00003.jpg 4", b"train_00003.jpg 5")},
            r"train_00003\.jpg lies in the folder of happy.*labels it sad",
        ),
    ],
)
def test_labels_and_images_that_disagree_are_named(
    files, message, project, any_counts, nothing_left
):
    write_files(project, files)
    with pytest.raises(CompanionError, match=message):
        read(project)


def test_a_truncated_label_list_is_caught_by_its_class_counts(project, nothing_left):
    write_files(project, {LIST: b"train_00000.jpg 1\n"})
    with pytest.raises(CompanionError, match="train split has 1 faces, RAF-DB has 12,271"):
        rafdb.rafdb_counts(project)


def test_rafdb_images_of_another_size_are_refused(project, any_counts, nothing_left):
    write_files(
        project, {**OFFICIAL, "Image/aligned/test_0003_aligned.jpg": encoded(colour(0, 90), "JPEG")}
    )
    with pytest.raises(
        CompanionError, match=r"test_0003_aligned\.jpg is 90x90 pixels; expected 100x100"
    ):
        read(project)


@pytest.mark.realdata
def test_the_real_rafdb_label_list_has_its_official_counts(data):
    counts = rafdb.rafdb_counts(data)
    assert counts == {split: official_counts("RAF-DB", split) for split in ("train", "test")}
    assert (sum(counts["train"].values()), sum(counts["test"].values())) == (12_271, 3_068)


@pytest.mark.realdata
def test_rafdb_without_images_says_where_they_belong_and_still_gives_its_counts(real_project):
    with pytest.raises(
        CompanionError, match=r"15,339 of 15,339 images are missing.*train_00001_aligned\.jpg"
    ):
        load_splits("rafdb", load_profile("paper"))
    assert paper_scale_counts()["rafdb"] == official_counts("RAF-DB", "train")


def drawn_faces(count: int):
    """``count`` distinct JPEGs of drawn faces: a few dozen people, each with another shift and
    brightness."""
    torch.set_num_threads(1)
    people = draw_more("demo_rafdb", 12, load_profile("demo")).images.astype(np.int16)
    changes = itertools.product(
        range(len(people)), range(0, 20, 2), range(0, 20, 2), (0, 12, 24, 36)
    )
    for person, across, down, light in itertools.islice(changes, count):
        moved = np.roll(people[person], (down, across), axis=(0, 1))
        yield encoded(np.clip(moved + light - 18, 0, 255).astype(np.uint8), "JPEG", quality=80)


def link_layout(folder, layout, listed, stored):
    """The whole set in one layout, as hard links to the images stored once."""
    for name in layout([(stem, code, b"") for stem, code in listed]):
        path, stem = (
            folder / name,
            name.rsplit("/", 1)[-1].removesuffix(".jpg").removesuffix("_aligned"),
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".jpg"):
            os.link(stored[stem], path)
    for name, text in layout([(stem, code, b"") for stem, code in listed]).items():
        if not name.endswith(".jpg"):
            (folder / name).write_bytes(text)


@pytest.mark.realdata
@pytest.mark.slow
def test_all_15339_images_under_the_real_label_list_are_the_same_faces_in_each_layout(
    data, project, tmp_path, monkeypatch
):
    tree = look_into(data).trees[0]
    rows = read_list(tree, "rafdb/" + LIST)
    listed = [
        (file.removesuffix(".jpg"), 1 + RAFDB_ORDER.index(EMOTIONS[label]))
        for file, label in zip(rows["file"], rows["label"])
    ]
    stored = {}
    for (stem, _), image in zip(listed, drawn_faces(len(listed))):
        stored[stem] = tmp_path / "stored" / stem
        stored[stem].parent.mkdir(exist_ok=True)
        stored[stem].write_bytes(image)
    assert len(stored) == 15_339 == len({path.read_bytes() for path in stored.values()})
    first = None
    for name, layout in LAYOUTS.items():
        shutil.rmtree(project / "runs", ignore_errors=True)  # half a gigabyte a layout
        link_layout(tmp_path / name, layout, listed, stored)
        train, test, found = rafdb.read_official_splits(tmp_path / name)
        assert (
            found.official
            and "Every image has its label and split of the official list." in found.notes
        )
        first = first or (train, test)
        assert_same_faces(train, first[0])
        assert_same_faces(test, first[1])
        assert train.counts() == official_counts("RAF-DB", "train")
        assert test.counts() == official_counts("RAF-DB", "test")
    monkeypatch.setattr(
        rafdb, "decode_images", lambda *_, **__: pytest.fail("decoded again instead of read back")
    )
    rafdb.read_official_splits(tmp_path / name)
    shutil.rmtree(project / "runs")
