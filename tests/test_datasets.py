"""Real data sets read from files that are right, wrong or absent."""

import gzip
import hashlib
import tarfile
import time
import zipfile

import numpy as np
import pytest
from PIL import Image

from fer_utils.datasets import dataset_info, fer2013, load_splits, paper_scale_counts, rafdb
from fer_utils.datasets.checks import official_counts
from fer_utils.datasets.splits import stratified_sample
from fer_utils.emotions import EMOTIONS
from fer_utils.errors import CompanionError
from fer_utils.profiles import load_profile

USAGES = ("Training", "PublicTest", "PrivateTest")
PIXELS = " ".join(["7"] * 2303)
GOOD = [f"{code},{code} {PIXELS},{usage}" for usage in USAGES for code in range(7)]


def csv_text(rows=GOOD, header="emotion,pixels,Usage") -> bytes:
    return "\n".join([header, *rows, ""]).encode()


@pytest.fixture
def any_counts(monkeypatch):
    """Lets a file of a few rows pass for the whole data set."""
    monkeypatch.setattr(fer2013, "check_counts", lambda *_, **__: None)
    monkeypatch.setattr(rafdb, "check_counts", lambda *_, **__: None)


def write_plain(folder):
    (folder / "fer2013.csv").write_bytes(csv_text())


def write_gzip(folder):
    (folder / "fer2013.csv.gz").write_bytes(gzip.compress(csv_text()))


def write_zip(folder):
    with zipfile.ZipFile(folder / "archive.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("other.csv", "a,b")
        archive.writestr("fer2013/fer2013.csv", csv_text())


def write_tar(folder):
    write_plain(folder)
    with tarfile.open(folder / "fer2013.tar.gz", "w:gz") as archive:
        archive.add(folder / "fer2013.csv", "fer2013/fer2013.csv")
    (folder / "fer2013.csv").unlink()


def write_icml(folder):
    rows = [",".join((code, usage, pixels)) for code, pixels, usage in (row.split(",") for row in GOOD)]
    (folder / "icml_face_data.csv").write_bytes(csv_text(rows, "emotion, Usage, pixels"))


@pytest.mark.parametrize("below", ["", "fer2013", "kaggle/fer2013"])
@pytest.mark.parametrize("write", [write_plain, write_gzip, write_zip, write_tar, write_icml])
def test_fer2013_is_read_whatever_it_is_packed_in_and_up_to_two_folders_deep(write, below, project, any_counts):
    folder = project / "data" / below
    folder.mkdir(parents=True)
    write(folder)
    splits = fer2013.read_fer2013(project / "data")
    for offset, (_, faces) in enumerate(splits.items()):
        assert faces.images.shape == (7, 48, 48, 1)
        assert [EMOTIONS[label] for label in faces.labels] == list(fer2013.FER2013_ORDER)
        assert faces.images[:, 0, 0, 0].tolist() == list(range(7)) and (faces.images[:, 0, 1:] == 7).all()
        assert faces.ids[0] == f"fer2013-{7 * offset:05d}"
    assert splits.validation.origin[0] == "FER2013/PublicTest"


@pytest.mark.parametrize(("rows", "message"), [
    ([*GOOD, f"0,{PIXELS},Training"], r"row 22 \(line 23\) has 2,303 pixel values; expected 2,304"),
    ([*GOOD, "3,12 14 15"], r"row 22 \(line 23\) has 3 pixel values"),
    ([*GOOD[:3], f"0,256 {PIXELS},Training"], r"row 4 \(line 5\) has a pixel that is not a whole number of 0 to 255"),
    ([*GOOD[:3], f"0,x {PIXELS},Training"], r"row 4 \(line 5\) has a pixel that is not a whole number"),
    ([f"7,1 {PIXELS},Training"], r"row 1 \(line 2\) has label '7'; expected 0 to 6"),
    ([*GOOD, f"1,1 {PIXELS},PrivateTe"], r"row 22 \(line 23\) has Usage 'PrivateTe'; expected one of Training"),
    ([], "has a header but no rows"),
])
def test_an_unusable_row_is_named_with_what_was_expected(rows, message, project):
    (project / "fer2013.csv").write_bytes(csv_text(rows))
    with pytest.raises(CompanionError, match=r"fer2013\.csv.* " + message):
        fer2013.read_fer2013(project)


def test_a_missing_column_is_named_in_the_error(project):
    (project / "fer2013.csv").write_bytes(csv_text(["0,Training"], "emotion,Usage"))
    with pytest.raises(CompanionError, match=r"fer2013\.csv: no column 'pixels'; found emotion, Usage"):
        fer2013.read_fer2013(project)


def test_an_empty_file_is_named_in_the_error(project):
    (project / "fer2013.csv").write_bytes(b"")
    with pytest.raises(CompanionError, match=r"fer2013\.csv is empty"):
        fer2013.read_fer2013(project)


def test_a_csv_cut_between_two_rows_is_caught_by_its_class_counts(project):
    (project / "fer2013.csv").write_bytes(csv_text())
    with pytest.raises(CompanionError, match=r"fer2013\.csv: the train split has 7 faces, FER2013 has 28,709.*anger 1 "
                                             r"instead of 3,995"):
        fer2013.read_fer2013(project)


@pytest.mark.parametrize("kept", [0.6, 0.95])
def test_a_truncated_gzip_file_says_to_download_it_again(kept, project):
    noise = np.random.default_rng(0).integers(0, 256, (300, 2304))
    whole = gzip.compress(csv_text([f"0,{' '.join(map(str, row))},Training" for row in noise]))
    (project / "fer2013.csv.gz").write_bytes(whole[:int(len(whole) * kept)])
    with pytest.raises(CompanionError, match=r"fer2013\.csv\.gz can't be read to its end.*download it again"):
        fer2013.read_fer2013(project)


@pytest.mark.parametrize(("write", "name"), [(write_zip, "archive.zip"), (write_tar, "fer2013.tar.gz")])
def test_a_truncated_archive_is_named_in_the_error(write, name, project):
    write(project)
    path = project / name
    path.write_bytes(path.read_bytes()[:150])
    with pytest.raises(CompanionError, match=rf"{name}.*[Dd]ownload"):
        fer2013.read_fer2013(project)


@pytest.mark.parametrize("name", ["fer2013", "rafdb"])
def test_missing_data_says_where_it_looked_what_belongs_there_and_how_to_point_elsewhere(name, project):
    with pytest.raises(CompanionError) as caught:
        load_splits(name, load_profile("paper"))
    message = str(caught.value)
    assert str(project / "data") in message and "FER_DATA" in message and "Put " in message


def test_the_decoded_array_is_cached_until_the_file_changes(project, any_counts, monkeypatch):
    write_plain(project)
    fer2013.read_fer2013(project)
    monkeypatch.setattr(fer2013, "decode", lambda source: pytest.fail("decoded again"))
    assert len(fer2013.read_fer2013(project).train) == 7
    (project / "fer2013.csv").write_bytes(csv_text(GOOD[:14]))
    with pytest.raises(pytest.fail.Exception):
        fer2013.read_fer2013(project)


def test_a_damaged_cache_is_made_again(project, any_counts):
    write_plain(project)
    fer2013.read_fer2013(project)
    (cache,) = (project / "runs" / "cache").iterdir()
    cache.write_bytes(cache.read_bytes()[:500])
    assert len(fer2013.read_fer2013(project).train) == 7


def test_the_md5_is_reported_as_unknown_for_another_file(project):
    write_gzip(project)
    found = fer2013.fer2013_provenance(project)
    assert (found.file, found.known) == ("fer2013.csv.gz", None)
    assert found.md5 == hashlib.md5(csv_text()).hexdigest()


@pytest.mark.realdata
def test_the_real_fer2013_has_its_official_counts_and_md5_and_loads_at_once_again(real_project, data):
    counts = fer2013.fer2013_counts(data)
    assert counts == {split: official_counts("FER2013", split) for split in ("train", "validation", "test")}
    assert fer2013.fer2013_provenance(data).md5 in fer2013.KNOWN_MD5
    started = time.process_time()  # not the clock on the wall: other tests may run beside this one
    splits = fer2013.read_fer2013(data)
    assert time.process_time() - started < 1
    assert [len(faces) for _, faces in splits.items()] == [28_709, 3_589, 3_589]


@pytest.mark.realdata
def test_the_real_rafdb_label_list_has_its_official_counts(data):
    counts = rafdb.rafdb_counts(data)
    assert counts == {split: official_counts("RAF-DB", split) for split in ("train", "test")}


@pytest.mark.realdata
def test_rafdb_without_images_says_where_they_belong_and_still_gives_its_counts(real_project):
    with pytest.raises(CompanionError, match=r"15,339 of 15,339 images are missing.*train_00001_aligned\.jpg"):
        load_splits("rafdb", load_profile("paper"))
    assert paper_scale_counts()["rafdb"] == official_counts("RAF-DB", "train")


def make_rafdb(folder, per_class=10, size=100) -> None:
    (folder / "EmoLabel").mkdir(parents=True)
    (folder / "Image" / "aligned").mkdir(parents=True)
    names = [(f"{split}_{i:05d}", 1 + i % 7) for split in ("train", "test") for i in range(7 * per_class)]
    lines = "".join(f"{name}.jpg {code}\n" for name, code in names)
    (folder / "EmoLabel" / "list_patition_label.txt").write_text(lines)
    for name, code in names:
        Image.new("RGB", (size, size), (code * 30, 0, 0)).save(folder / "Image" / "aligned" / f"{name}_aligned.jpg")


def test_rafdb_is_read_with_a_stratified_validation_share_of_train(project, any_counts):
    make_rafdb(project / "data" / "RAF-DB" / "basic")
    splits = rafdb.read_rafdb(project / "data", validation_share=0.3, seed=1)
    assert splits.validation.counts() == dict.fromkeys(EMOTIONS, 3)
    assert splits.train.counts() == dict.fromkeys(EMOTIONS, 7) and splits.test.counts() == dict.fromkeys(EMOTIONS, 10)
    assert not set(splits.train.ids) & set(splits.validation.ids)
    codes = np.round(splits.test.images[:, 50, 50, 0] / 30).astype(int)
    assert [EMOTIONS[label] for label in splits.test.labels] == [rafdb.RAFDB_ORDER[code - 1] for code in codes]


def test_another_seed_draws_another_validation_share(project, any_counts):
    make_rafdb(project)
    first, again, other = (rafdb.read_rafdb(project, validation_share=0.3, seed=seed).validation.ids.tolist()
                           for seed in (1, 1, 2))
    assert first == again and first != other


@pytest.mark.parametrize("line", ["train_00001.jpg 8", "train_00001.jpg", "00001.jpg 3"])
def test_a_line_of_the_label_list_that_makes_no_sense_is_named(line, project):
    (project / "list_patition_label.txt").write_text(f"train_00000.jpg 1\n{line}\n")
    with pytest.raises(CompanionError, match=r"list_patition_label\.txt: line 2 is .*code of 1 to 7"):
        rafdb.rafdb_counts(project)


def test_a_truncated_label_list_is_caught_by_its_class_counts(project):
    (project / "list_patition_label.txt").write_text("train_00000.jpg 1\n")
    with pytest.raises(CompanionError, match="train split has 1 faces, RAF-DB has 12,271"):
        rafdb.rafdb_counts(project)


def test_rafdb_images_of_another_size_are_refused(project, any_counts):
    make_rafdb(project, per_class=2, size=90)
    with pytest.raises(CompanionError, match="90x90 pixels.*100x100"):
        rafdb.read_rafdb(project, validation_share=0.3, seed=1)


def test_a_sample_keeps_the_share_of_each_class_and_never_under_two():
    labels = np.repeat(np.arange(7), [100, 40, 3, 2, 1, 50, 60])
    kept = np.bincount(labels[stratified_sample(labels, 0.1, seed=0)], minlength=7)
    assert kept.tolist() == [10, 4, 2, 2, 1, 5, 6]


def test_a_smaller_sample_is_part_of_a_larger_one():
    labels = np.repeat(np.arange(7), 50)
    small, large = (set(stratified_sample(labels, share, seed=3)) for share in (0.1, 0.5))
    assert small < large


def test_an_unknown_data_set_names_the_nearest():
    with pytest.raises(CompanionError, match="did you mean 'demo_rafdb'"):
        dataset_info("demo_rafbd")
