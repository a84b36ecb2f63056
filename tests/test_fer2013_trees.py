"""FER2013 from folders of images: every spelling, and the official split recovered, drawn or
compared."""

import numpy as np
import pytest
from test_ferplus import votes_text
from written_data import (
    SPELLINGS,
    assert_same_faces,
    csv_text,
    encoded,
    fer2013_files,
    gray,
    write_files,
    write_tar,
    write_zip,
)

from fer_utils.core.emotions import EMOTIONS, FER2013_ORDER
from fer_utils.core.errors import CompanionError
from fer_utils.core.faces import concatenate
from fer_utils.datasets import fer2013, fer2013_trees
from fer_utils.datasets.fer2013_csv import USAGES
from fer_utils.datasets.fer2013_matching import compare_tree_with_csv, comparison_notes
from fer_utils.datasets.ferplus import FILE


def assert_is_the_small_set(splits):
    for part, (_, faces) in enumerate(splits.items()):
        assert faces.counts() == dict.fromkeys(EMOTIONS, 2)
        expected = [
            gray(100 * part + 10 * FER2013_ORDER.index(EMOTIONS[label]) + number % 2)
            for number, label in enumerate(faces.labels)
        ]
        assert np.array_equal(faces.images[:, :, :, 0], np.array(expected))


@pytest.mark.parametrize("prefix", ["", "archive/fer2013/", "train/"])
@pytest.mark.parametrize("pack", ["folder", "a.zip", "a.tar", "a.tar.gz"])
def test_a_tree_is_read_from_folders_and_archives_with_the_split_in_its_names(
    prefix, pack, project, any_counts
):
    files = {
        f"{prefix if prefix != 'train/' else name.split('/')[0] + '/'}{name}": data
        for name, data in fer2013_files(spelling=SPELLINGS).items()
    }
    if pack == "folder":
        write_files(project / "data", files)
    else:
        (write_zip if pack.endswith("zip") else write_tar)(project / "data" / pack, files)
    splits = fer2013.read_fer2013(project / "data")
    assert_is_the_small_set(splits)
    assert (
        splits.test.ids[0] == "fer2013-test/anger/privatetest_200"
        and splits.test.origin[0] == "FER2013/PrivateTest"
    )
    assert (
        "The official split was told from the file names (Training_, PublicTest_, PrivateTest_)."
        in splits.found.notes
    )


@pytest.mark.parametrize(
    "folders",
    [
        ("train", "val", "test"),
        ("Training", "Validation", "Testing"),
        ("FER2013Train", "FER2013Valid", "FER2013Test"),
        ("TRAIN", "PublicTest", "PrivateTest"),
    ],
)
def test_three_split_folders_are_training_publictest_and_privatetest(folders, project, any_counts):
    renamed = dict(zip(("train", "val", "test"), folders))
    write_files(
        project,
        {
            "/".join([renamed[name.split("/")[0]], *name.split("/")[1:]]): data
            for name, data in fer2013_files(named=False, validation=True).items()
        },
    )
    splits = fer2013.read_fer2013(project)
    assert_is_the_small_set(splits)
    assert splits.validation.origin[0] == "FER2013/PublicTest"


def test_a_test_folder_without_official_names_is_halved_by_a_stated_stratified_draw(
    project, any_counts, monkeypatch
):
    monkeypatch.setattr(fer2013_trees, "official_counts", lambda *_: dict.fromkeys(EMOTIONS, 1))
    write_files(project, fer2013_files(named=False))
    splits = fer2013.read_fer2013(project)
    assert splits.validation.counts() == dict.fromkeys(EMOTIONS, 1)
    assert splits.test.counts() == dict.fromkeys(EMOTIONS, 3)
    assert not set(splits.validation.ids) & set(splits.test.ids)
    assert not splits.found.official and splits.validation.origin[0] == "FER2013/test"
    (note,) = [note for note in splits.found.notes if "halved" in note]
    assert f"seed {fer2013_trees.merged_seed()}" in note and "not the official one" in note


def test_the_same_half_is_drawn_however_the_copy_is_spelt_and_packed(
    project, any_counts, monkeypatch, tmp_path
):
    monkeypatch.setattr(fer2013_trees, "official_counts", lambda *_: dict.fromkeys(EMOTIONS, 1))
    write_files(tmp_path / "one", fer2013_files(named=False))
    write_zip(tmp_path / "two" / "a.zip", fer2013_files(named=False, spelling=SPELLINGS))
    first, second = (fer2013.read_fer2013(tmp_path / name) for name in ("one", "two"))
    for (_, one), (_, two) in zip(first.items(), second.items()):
        assert_same_faces(one, two)


def ferplus_files():
    """The 42 faces of ``fer2013_files`` under FER+'s names, which are not their rows; and FER+'s
    table."""
    files = fer2013_files()
    rows = sorted(
        files,
        key=lambda name: (
            list(USAGES).index(name.split("/")[-1].split("_")[0]),
            int(name.split("_")[-1][:-4]),
        ),
    )
    usages = [name.split("/")[-1].split("_")[0] for name in rows]
    names = [f"fer{row * 3:07d}.png" for row in range(len(rows))]
    tree = {"/".join([*old.split("/")[:-1], new]): files[old] for old, new in zip(rows, names)}
    return tree, votes_text(usages, names)


def test_ferpluss_names_and_row_order_tell_the_split_and_the_rows(project, any_counts, monkeypatch):
    tree, table = ferplus_files()
    monkeypatch.setattr("fer_utils.datasets.ferplus.ROWS", 42)
    write_files(project, {**tree, FILE: table})
    splits = fer2013.read_fer2013(project)
    assert splits.train.ids.tolist() == [f"fer2013-{row:05d}" for row in range(14)]
    assert splits.test.ids[-1] == "fer2013-00041" and splits.test.origin[0] == "FER2013/PrivateTest"
    assert np.array_equal(splits.test.images[-1, :, :, 0], gray(261))
    assert any("FER+'s file names and row order" in note for note in splits.found.notes)


def test_ferpluss_names_without_its_table_tell_nothing(project, any_counts):
    write_files(project, ferplus_files()[0])
    assert any("halved" in note for note in fer2013.read_fer2013(project).found.notes)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "train/angry/PrivateTest_1.png",
            r"PrivateTest_1\.png lies in the train folder but is a PrivateTest face",
        ),
        (
            "test/angry/Training_1.png",
            r"Training_1\.png lies in the test folder but is a Training face by its name",
        ),
        (
            "test/angry/PrivateTest_200.jpg0.jpg",
            r"jpg0\.jpg has more in its name than PrivateTest_ and a " r"number.*altered copy",
        ),
        ("test/angry/extra.png", r"extra\.png has no PublicTest_ or PrivateTest_ in its name"),
        (
            "test/anger/Privatetest_200.jpg",
            r"is there twice, also as test/anger/PrivateTest_200\.png",
        ),
    ],
)
def test_a_copy_that_mixes_the_splits_is_refused_with_the_image(
    name, message, project, any_counts, nothing_left
):
    write_files(project, {**fer2013_files(), name: encoded(gray(0))})
    with pytest.raises(CompanionError, match=message):
        fer2013.read_fer2013(project)


def test_ferpluss_own_folders_without_classes_are_refused_with_the_reason(
    project, any_counts, nothing_left
):
    files = {**fer2013_files(), "test/fer0000001.png": encoded(gray(1))}
    write_files(project, files)
    with pytest.raises(
        CompanionError, match=r"test/fer0000001\.png lies in no class folder, so it has no label"
    ):
        fer2013.read_fer2013(project)


def test_a_tree_with_a_missing_image_is_caught_by_its_class_counts(project):
    write_files(project, fer2013_files())
    with pytest.raises(CompanionError, match="train split has 14 faces, FER2013 has 28,709"):
        fer2013.read_fer2013(project)


def csv_of(files) -> bytes:
    """The faces of ``fer2013_files`` as rows of the CSV, in the order of Usage and number."""
    rows = []
    for part, usage in enumerate(USAGES):
        for code in range(7):
            for number in range(2):
                pixels = " ".join(map(str, gray(100 * part + 10 * code + number).ravel()))
                rows.append(f"{code},{pixels},{usage}")
    return csv_text(rows)


@pytest.fixture
def csv_and_tree(project, any_counts):
    """The CSV and a tree in which one face is compressed again, one unknown, and one Training face
    in test/."""
    files = fer2013_files(named=False)
    files["train/happy/im30.jpg"] = encoded(smooth(30), "JPEG", quality=75)
    del files["train/happy/im30.png"]
    files["test/sad/stranger.png"] = encoded(gray(999))
    files["test/fear/leaked.png"] = encoded(gray(20))
    write_files(project / "tree", files)
    text = csv_of(files).decode().splitlines()
    text[1 + 6] = f"3,{' '.join(map(str, smooth(30).ravel()))},Training"
    (project / "fer2013.csv").write_text("\n".join(text) + "\n")
    return project


def smooth(number):
    """A picture that survives JPEG, unlike noise."""
    across, down = np.meshgrid(np.linspace(0, 3, 48), np.linspace(0, 2, 48))
    return (127 + 100 * np.sin(across + down * number)).astype(np.uint8)


def test_each_image_of_a_tree_beside_the_csv_is_matched_to_its_row_by_pixels(csv_and_tree):
    table = compare_tree_with_csv(csv_and_tree).set_index("name")
    assert fer2013.find_fer2013(csv_and_tree).layout == "the CSV file"
    assert table.loc["tree/train/happy/im30.jpg", ["row", "how", "same_label"]].tolist() == [
        6,
        "recompressed",
        True,
    ]
    assert table.loc["tree/test/sad/stranger.png", ["row", "usage", "how"]].tolist() == [
        -1,
        "",
        "unknown",
    ]
    assert table.loc["tree/test/fear/leaked.png", ["usage", "how"]].tolist() == [
        "Training",
        "identical",
    ]
    others = table.drop(["tree/train/happy/im30.jpg", "tree/test/sad/stranger.png"])
    assert (others["how"] == "identical").all() and others["same_label"].all()


def test_the_comparison_is_put_into_sentences(csv_and_tree):
    notes = comparison_notes(compare_tree_with_csv(csv_and_tree))
    assert notes[0].startswith(
        "42 of 44 images are pixel for pixel in the CSV, 1 more are the same pictures"
    )
    assert (
        "The test folder holds 14 of PublicTest, 14 of PrivateTest, 1 of Training, 1 of no row"
        in " ".join(notes)
    )


def test_comparing_without_a_tree_says_what_is_lacking(project, any_counts):
    write_files(project, {"fer2013.csv": csv_text()})
    with pytest.raises(CompanionError, match="holds no folder of FER2013 images"):
        compare_tree_with_csv(project)


@pytest.mark.realdata
@pytest.mark.slow
def test_the_real_fer2013_written_as_a_tree_is_read_back_as_the_official_data(
    real_project, data, tmp_path, monkeypatch
):
    original = fer2013.read_fer2013(data)
    for split, faces in original.items():
        usage = {name: usage for usage, name in USAGES.items()}[split]
        for emotion in EMOTIONS:
            (tmp_path / ("train" if split == "train" else "test") / emotion).mkdir(
                parents=True, exist_ok=True
            )
        for face, image, label in zip(faces.ids, faces.images, faces.labels):
            folder = "train" if split == "train" else "test"
            path = tmp_path / folder / EMOTIONS[label] / f"{usage}_{face[-5:]}.bmp"
            path.write_bytes(encoded(image[:, :, 0], "BMP"))
    splits = fer2013.read_fer2013(tmp_path)
    assert splits.found.official and "Every pixel, label and split" in " ".join(splits.found.notes)
    for (_, one), (_, two) in zip(original.items(), splits.items()):
        order = np.argsort([face[-5:] for face in two.ids])
        assert np.array_equal(one.images, two.images[order]) and np.array_equal(
            one.labels, two.labels[order]
        )
    monkeypatch.setattr(fer2013, "decode_tree", None)  # read again, nothing is decoded
    fer2013.read_fer2013(tmp_path)
    assert len(concatenate(*(faces for _, faces in splits.items()))) == 35_887
