"""Every kind of bad input is refused with what was found, where and what to do; and nothing half-written is left.

Labels that disagree with images are in test_rafdb_files.py, mixed splits in test_fer2013_trees.py.
"""

import builtins
import errno
import gzip
import io
import os
import struct
import subprocess
import sys
import tarfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_utils.datasets import archives, fer2013, sources
from fer_utils.errors import CompanionError
from written_data import GOOD, PIXELS, csv_text, encoded, fer2013_files, gray, write_files, write_tar, write_zip

FACE = "train/happy/Training_30.png"


def refused(folder, message):
    with pytest.raises(CompanionError, match=message):
        fer2013.read_fer2013(folder)


@pytest.mark.parametrize(("rows", "message"), [
    ([*GOOD, f"0,{PIXELS},Training"], r"row 22 \(line 23\) has 2,303 pixel values; expected 2,304"),
    ([*GOOD, "3,12 14 15"], r"row 22 \(line 23\) has 3 pixel values"),
    ([*GOOD[:3], f"0,256 {PIXELS},Training"], r"row 4 \(line 5\) has a pixel that is not a whole number of 0 to 255"),
    ([*GOOD[:3], f"0,-1 {PIXELS},Training"], r"row 4 \(line 5\) has a pixel that is not a whole number of 0 to 255"),
    ([*GOOD[:3], f"0,65541 {PIXELS},Training"], r"row 4 \(line 5\) has a pixel that is not a whole number of 0 to 255"),
    ([*GOOD[:3], f"0,1.5 {PIXELS},Training"], r"row 4 \(line 5\) has a pixel that is not a whole number of 0 to 255"),
    ([*GOOD[:3], f"0,x {PIXELS},Training"], r"row 4 \(line 5\) has a pixel that is not a whole number"),
    ([f"7,1 {PIXELS},Training"], r"row 1 \(line 2\) has label '7'; expected 0 to 6"),
    ([f",1 {PIXELS},Training"], r"row 1 \(line 2\) has label ''; expected 0 to 6"),
    ([*GOOD, f"1,1 {PIXELS},PrivateTe"], r"row 22 \(line 23\) has Usage 'PrivateTe'; expected one of Training"),
    ([*GOOD, f"1,1 {PIXELS},Training,more"], r"can't be read to its end.*Expected 3 fields in line 23, saw 4.*download it"),
    ([f"1,1 {PIXELS},Training,more"], r"has rows of more fields than its header names.*emotion, pixels, Usage"),
    ([], "has a header but no rows"),
])
def test_an_unusable_row_is_named_with_what_was_expected(rows, message, project, nothing_left):
    (project / "fer2013.csv").write_bytes(csv_text(rows))
    refused(project, r"fer2013\.csv.* " + message)


@pytest.mark.parametrize(("data", "message"), [
    (csv_text(["0,Training"], "emotion,Usage"), r"fer2013\.csv: no column 'pixels'; found emotion, Usage"),
    (csv_text(["0;1 2;Training"], "emotion;pixels;Usage"), r"no column 'emotion'; found emotion;pixels;Usage"),
    (csv_text(["0,1,2,Training"], "emotion,pixels,pixels,Usage"), r"the column 'pixels' is there twice"),
    (csv_text(["0,1,2,Training"], "emotion,pixels, pixels,Usage"), r"the column 'pixels' is there twice"),
    (b"", r"fer2013\.csv is empty; expected the columns emotion, pixels, Usage"),
    (b"\n\n", r"fer2013\.csv is empty"),
    (np.random.default_rng(0).bytes(100_000), r"fer2013\.csv is not FER2013's table: it is not UTF-8 text.*zero bytes"),
    (csv_text().decode().encode("utf-16"), r"is not FER2013's table: it is not UTF-8 text.*UTF-16.*Save it as UTF-8"),
    (csv_text([*GOOD, "0,\xe9,Training"]).decode().encode("latin-1"), r"is not UTF-8 text.*another encoding"),
    (b"emotion,pixels,Usage\n0," + b"1 " * 600_000, r"it has a line of more than 1 MB"),
])
def test_a_file_that_is_not_the_table_says_what_it_is(data, message, project, nothing_left):
    (project / "fer2013.csv").write_bytes(data)
    refused(project, message)


@pytest.mark.parametrize("columns", ["emotion,pixels,Usage,note", ",emotion,pixels,Usage"])
def test_further_columns_are_no_obstacle(columns, project, any_counts):
    rows = [f"{row},x" if columns.endswith("note") else f"5,{row}" for row in GOOD]
    (project / "fer2013.csv").write_bytes(b"\xef\xbb\xbf" + csv_text(rows, columns))
    assert len(fer2013.read_fer2013(project).train) == 7


def test_a_csv_cut_between_two_rows_is_caught_by_its_class_counts(project):
    (project / "fer2013.csv").write_bytes(csv_text())
    refused(project, r"fer2013\.csv: the train split has 7 faces, FER2013 has 28,709.*anger 1 instead of 3,995")


@pytest.mark.parametrize("cut", [1, 40, 4000])
def test_a_csv_cut_within_a_row_is_caught(cut, project, nothing_left):
    text = csv_text().rstrip()
    (project / "fer2013.csv").write_bytes(text[:-cut])
    refused(project, r"fer2013\.csv: row 21 \(line 22\) has")


@pytest.mark.parametrize("kept", [0.6, 0.95])
def test_a_truncated_gzip_file_says_to_download_it_again(kept, project, nothing_left):
    noise = np.random.default_rng(0).integers(0, 256, (300, 2304))
    whole = gzip.compress(csv_text([f"0,{' '.join(map(str, row))},Training" for row in noise]))
    (project / "fer2013.csv.gz").write_bytes(whole[:int(len(whole) * kept)])
    refused(project, r"fer2013\.csv\.gz can't be read to its end.*download it again")


@pytest.mark.parametrize("name", ["archive.zip", "fer2013.tar.gz", "fer2013.tar"])
@pytest.mark.parametrize("data", ["cut", "junk", "empty"])
def test_an_archive_that_is_damaged_is_named_in_the_error(name, data, project, nothing_left):
    (write_zip if name.endswith("zip") else write_tar)(project / name, {"fer2013/fer2013.csv": csv_text()})
    whole = (project / name).read_bytes()
    (project / name).write_bytes({"cut": whole[:150], "junk": b"\x07" * 5000, "empty": b""}[data])
    refused(project, rf"FER2013 was not found.*{name} can't be read to its end.*download it again")


@pytest.mark.parametrize("name", ["../fer2013.csv", "a/../../fer2013.csv", "/tmp/fer2013.csv", "C:\\fer2013.csv",
                                  "..\\fer2013.csv"])
@pytest.mark.parametrize("pack", ["a.zip", "a.tar.gz"])
def test_a_member_that_leads_out_of_its_archive_is_refused_and_nothing_is_unpacked(pack, name, project, nothing_left):
    (write_zip if pack == "a.zip" else write_tar)(project / "data" / pack, {name: csv_text()})
    before = set(project.parent.rglob("*.csv"))
    refused(project / "data", rf"{pack}: the member '.*fer2013\.csv' leads out of the archive.*Nothing was unpacked")
    assert set(project.parent.rglob("*.csv")) == before


def test_a_link_inside_an_archive_is_not_followed(project, any_counts, nothing_left):
    files = fer2013_files()
    write_tar(project / "a.tar", files)
    with tarfile.open(project / "a.tar", "a") as archive:
        link = tarfile.TarInfo("train/happy/Training_99.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    refused(project, r"a\.tar \(train/happy/Training_99\.png\) is a link inside an archive, which is not followed")


def test_a_member_that_is_there_twice_is_refused(project, nothing_left):
    with zipfile.ZipFile(project / "a.zip", "w") as archive:
        archive.writestr("fer2013.csv", csv_text())
        with pytest.warns(UserWarning):
            archive.writestr("fer2013.csv", b"other")
    refused(project, r"a\.zip: the member 'fer2013\.csv' is in the archive twice")


def declare_size(path: Path, size: int) -> None:
    """Overwrites the unpacked size of a zip's one member in its directory."""
    data = bytearray(path.read_bytes())
    at = data.rindex(b"PK\x01\x02")
    data[at + 24:at + 28] = struct.pack("<I", size)
    path.write_bytes(data)


def test_an_archive_that_declares_more_than_any_data_set_has_is_refused_unread(project, nothing_left):
    write_zip(project / "bomb.zip", {"fer2013.csv": csv_text()})
    declare_size(project / "bomb.zip", 4_000_000_000)
    refused(project, r"bomb\.zip: the member 'fer2013\.csv' declares 4\.0 GB.*limits are 1\.1 GB a file.*Nothing was unpacked")


def test_a_tar_member_of_a_petabyte_is_refused_at_its_header(project, nothing_left):
    member = tarfile.TarInfo("fer2013.csv")
    member.size = 1 << 50
    (project / "bomb.tar.gz").write_bytes(gzip.compress(member.tobuf(tarfile.GNU_FORMAT)))
    refused(project, r"bomb\.tar\.gz: the member 'fer2013\.csv' declares 1125899\.9 GB")


@pytest.mark.parametrize("pack", ["fer2013.csv.gz", "a.zip"])
def test_a_bomb_that_lies_about_its_size_is_stopped_while_it_unpacks(pack, project, nothing_left, monkeypatch):
    monkeypatch.setattr(sources, "LARGEST_FILE", 3_000_000)
    text = csv_text(GOOD * 50)
    if pack == "a.zip":
        write_zip(project / pack, {"fer2013.csv": text})
    else:
        (project / pack).write_bytes(gzip.compress(text))
        assert len(text) > 4_000_000 > 100 * (project / pack).stat().st_size
    refused(project, r"fer2013\.csv.* is not FER2013's table: it unpacks to more than 3 MB")


def test_an_image_file_larger_than_any_face_is_not_read_further(project, any_counts, nothing_left, monkeypatch):
    monkeypatch.setattr("fer_utils.datasets.decoding.LARGEST_IMAGE", 100_000)
    write_zip(project / "a.zip", {**fer2013_files(), FACE: encoded(gray(0)) + bytes(1_000_000)})
    refused(project, rf"a\.zip \({FACE}\) has more than 100,000 bytes.*remove it")


def test_an_archive_of_too_many_members_is_refused(project, nothing_left, monkeypatch):
    monkeypatch.setattr(archives, "MOST_MEMBERS", 3)
    write_zip(project / "a.zip", fer2013_files())
    refused(project, r"a\.zip has more than 3 members")


def png_header(width: int, height: int) -> bytes:
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
            + struct.pack(">I", 100) + b"IDAT")


JPEG = encoded(gray(30), "JPEG")


@pytest.mark.parametrize(("name", "data", "message"), [
    ("Training_30.jpg", JPEG[:len(JPEG) // 2], r"can't be read as an image.*truncated.*copy it from the original"),
    ("Training_30.png", encoded(gray(30))[:500], r"can't be read as an image.*cut short"),
    ("Training_30.png", b"no image", r"can't be read as an image"),
    ("Training_30.png", b"", r"can't be read as an image"),
    ("Training_30.png", png_header(60_000, 60_000), r"can't be read as an image.*decompression bomb"),
    ("Training_30.png", png_header(9_000, 9_000), r"is 9000x9000 pixels; expected 48x48"),
    ("Training_30.png", encoded(gray(30, 64)), r"is 64x64 pixels; expected 48x48"),
])
def test_an_image_that_can_not_be_used_is_named(name, data, message, project, any_counts, nothing_left):
    files = {key: value for key, value in fer2013_files().items() if key != FACE}
    write_files(project, {**files, f"train/happy/{name}": data})
    refused(project, rf"train/happy/{name} {message}")


def converted(make, save="PNG"):
    stream = io.BytesIO()
    make(Image.fromarray(gray(30))).save(stream, save)
    return stream.getvalue()


def with_alpha(image):
    image = image.convert("LA")
    image.putalpha(128)
    return image


def deep(image):
    return Image.fromarray(np.asarray(image).astype(np.uint16) * 257)


def half_black(pixels):
    return np.round(pixels * (128 / 255))


@pytest.mark.parametrize(("data", "note", "expected", "within"), [
    (converted(lambda image: image.convert("P")), "1 image has a palette: converted", lambda p: p, 0),
    (converted(lambda image: image.convert("1")), "1 image has black and white only: converted", None, 0),
    (converted(lambda image: image.convert("CMYK"), "JPEG"), "1 image has CMYK colours: converted", lambda p: p, 60),
    (converted(deep), "1 image has 16-bit gray values: scaled to 8 bits, 65535 becoming 255", lambda p: p, 0),
    (converted(with_alpha), "1 image has transparency: laid over black", half_black, 1),
    (converted(lambda image: image.convert("RGB")), "1 image has three equal channels: one was kept", lambda p: p, 0),
    (converted(lambda image: Image.merge("RGB", [image, image.rotate(90), image])), "colours: turned gray by ITU-R", None, 0),
    (converted(lambda image: image, "BMP"), None, lambda p: p, 0),
])
def test_other_kinds_of_pixels_are_converted_and_counted(data, note, expected, within, project, any_counts):
    write_files(project, {**fer2013_files(), FACE: data})
    splits = fer2013.read_fer2013(project)
    assert note is None or any(note in line for line in splits.found.notes)
    face = splits.train.images[splits.train.ids == "fer2013-train/happy/training_30"][0, :, :, 0].astype(int)
    assert expected is None or np.abs(face - expected(gray(30).astype(float))).max() <= within


def test_upper_case_extensions_are_images_and_junk_is_left_out_and_counted(project, any_counts):
    files = {name.replace(".png", ".PNG"): data for name, data in fer2013_files().items()}
    junk = {"train/happy/.DS_Store": b"x", "train/happy/Thumbs.db": b"x", "test/sad/desktop.ini": b"x",
            "train/sad/._Training_40.png": b"x", "__MACOSX/train/happy/._a.png": b"x", "train/happy/readme.txt": b"x"}
    write_zip(project / "a.zip", {**files, **junk})
    splits = fer2013.read_fer2013(project)
    assert len(splits.train) == 14
    assert "Left out 5 hidden or system files (.DS_Store, Thumbs.db and the like), the first is __MACOSX." \
        in splits.found.notes
    assert any(note.startswith("Left out 1 files in class folders that are no images") for note in splits.found.notes)


@pytest.mark.parametrize(("name", "message"), [
    ("train/hapy/a.png", r"train/hapy is no class of this data set: did you mean 'happy'"),
    ("train/contempt/a.png", r"train/contempt is no class of this data set"),
    ("train/a.png", r"train/a\.png lies in no class folder, so it has no label"),
    ("train/happy/more/a.png", r"train/happy/more/a\.png lies in no class folder"),
])
def test_a_folder_of_no_class_is_named_with_the_nearest(name, message, project, any_counts, nothing_left):
    write_files(project, {**fer2013_files(), name: encoded(gray(0))})
    refused(project, message)


def test_folders_of_faces_of_another_size_are_told_not_to_be_this_data_set(project, nothing_left):
    write_files(project, {f"train/{name}/a.png": encoded(gray(0, 64)) for name in ("happy", "sad")})
    refused(project, r"FER2013 was not found.*neither 48x48 pixels like FER2013 nor 100x100 like RAF-DB.*Put fer2013\.csv")


def test_a_link_loop_is_named_and_not_followed(project, any_counts, nothing_left):
    write_files(project / "data", fer2013_files())
    (project / "data" / "train" / "happy" / "again").symlink_to(project / "data")
    refused(project / "data", r"train/happy/again is a link to a folder that it lies in itself \(a link loop\)")


def test_links_that_lead_to_themselves_or_nowhere_are_named(project, any_counts, nothing_left):
    write_files(project, fer2013_files())
    (project / "train" / "happy" / "a.png").symlink_to("nowhere.png")
    refused(project, r"train/happy/a\.png is a link that leads nowhere")
    (project / "train" / "happy" / "a.png").unlink()
    (project / "train" / "happy" / "a.png").symlink_to("a.png")
    refused(project, r"train/happy/a\.png (is a link that leads nowhere|can't be followed)")


def test_a_link_to_a_folder_elsewhere_is_followed(project, any_counts):
    write_files(project / "elsewhere", fer2013_files())
    (project / "data").mkdir()
    (project / "data" / "fer").symlink_to(project / "elsewhere")
    assert len(fer2013.read_fer2013(project / "data").train) == 14


def test_a_loop_elsewhere_in_the_data_folder_stops_nobody(project, any_counts):
    write_files(project / "data", {"fer2013.csv": csv_text()})
    (project / "data" / "loop").symlink_to(project / "data")
    notes = fer2013.find_fer2013(project / "data").notes
    assert any(note.startswith("Left out:") and "link loop" in note for note in notes)


def test_a_special_file_is_not_waited_for(project, any_counts, nothing_left):
    write_files(project, fer2013_files())
    os.mkfifo(project / "train" / "happy" / "pipe.png")
    refused(project, r"train/happy/pipe\.png is neither a file nor a folder")


@pytest.mark.parametrize(("name", "files"), [("fer2013.csv", {"fer2013.csv": csv_text()}), (FACE, fer2013_files())])
def test_a_file_without_permission_to_read_says_so(name, files, project, any_counts, nothing_left, monkeypatch):
    write_files(project, files)
    really_open = builtins.open

    def closed(path, *arguments, **options):  # the tests may run as root, who may read everything
        if str(path) == str(project / name):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return really_open(path, *arguments, **options)

    monkeypatch.setattr(builtins, "open", closed)
    refused(project, rf"{name} can't be opened: no permission to read it\. Change its permissions")


def test_a_folder_without_permission_is_named_when_it_holds_part_of_the_data(project, any_counts, nothing_left, monkeypatch):
    write_files(project, fer2013_files())
    really_scan = os.scandir

    def closed(path):
        if str(path).endswith("train/sad"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return really_scan(path)

    monkeypatch.setattr(os, "scandir", closed)
    refused(project, r"train/sad can't be looked into \(Permission denied\)")


@pytest.mark.parametrize("files", [{"fer2013.csv": csv_text()}, fer2013_files()])
def test_a_full_disk_while_caching_leaves_nothing_and_says_how_much_is_needed(files, project, any_counts, nothing_left,
                                                                              monkeypatch):
    write_files(project, files)

    def full(file, **arrays):
        file.write(b"half of it")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    refused(project, r"runs/cache/fer2013-.*\.npz can't be written: the disk is full\. The decoded images need [\d,]+ (bytes|MB)"
                     r".*are free; no part of the file was left\. Make room there, or set FER_ROOT")


def test_a_cache_that_may_not_be_written_says_so(project, any_counts, monkeypatch):
    write_files(project / "data", {"fer2013.csv": csv_text()})
    (project / "runs").write_text("a file where a folder belongs")
    refused(project / "data", r"\.npz can't be written \(.*\).*Make the folder writable, or set FER_ROOT")


@pytest.mark.skipif(sys.platform != "linux", reason="limits the size of files as Linux does")
def test_a_disk_that_really_takes_no_more_leaves_nothing(project):
    write_files(project / "data", {"fer2013.csv": csv_text(GOOD * 100)})
    program = ("import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
               "resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000)); "
               "from fer_utils.datasets.fer2013 import find_fer2013; "
               "from fer_utils.errors import CompanionError\n"
               "try: find_fer2013(__import__('pathlib').Path('data'))\nexcept CompanionError as problem: print(problem)")
    done = subprocess.run([sys.executable, "-c", program], cwd=project, capture_output=True, text=True, check=True,
                          env={**os.environ, "PYTHONPATH": str(Path(fer2013.__file__).parents[2])})
    assert "can't be written (File too large)" in done.stdout
    assert list((project / "runs" / "cache").iterdir()) == []
