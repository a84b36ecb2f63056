"""Archives that are damaged, lead out of themselves or unpack to more than any data set has are
refused unpacked."""

import gzip
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest
from written_data import GOOD, csv_text, encoded, fer2013_files, gray, write_tar, write_zip

from fer_utils.core.errors import CompanionError
from fer_utils.datasets import archives, fer2013, sources

FACE = "train/happy/Training_30.png"


def refused(folder, message):
    with pytest.raises(CompanionError, match=message):
        fer2013.read_fer2013(folder)


@pytest.mark.parametrize("name", ["archive.zip", "fer2013.tar.gz", "fer2013.tar"])
@pytest.mark.parametrize("data", ["cut", "junk", "empty"])
def test_an_archive_that_is_damaged_is_named_in_the_error(name, data, project, nothing_left):
    (write_zip if name.endswith("zip") else write_tar)(
        project / name, {"fer2013/fer2013.csv": csv_text()}
    )
    whole = (project / name).read_bytes()
    (project / name).write_bytes({"cut": whole[:150], "junk": b"\x07" * 5000, "empty": b""}[data])
    refused(project, rf"FER2013 was not found.*{name} can't be read to its end.*download it again")


@pytest.mark.parametrize(
    "name",
    [
        "../fer2013.csv",
        "a/../../fer2013.csv",
        "/tmp/fer2013.csv",
        "C:\\fer2013.csv",
        "..\\fer2013.csv",
    ],
)
@pytest.mark.parametrize("pack", ["a.zip", "a.tar.gz"])
def test_a_member_that_leads_out_of_its_archive_is_refused_and_nothing_is_unpacked(
    pack, name, project, nothing_left
):
    (write_zip if pack == "a.zip" else write_tar)(project / "data" / pack, {name: csv_text()})
    before = set(project.parent.rglob("*.csv"))
    refused(
        project / "data",
        rf"{pack}: the member '.*fer2013\.csv' leads out of the archive.*Nothing was unpacked",
    )
    assert set(project.parent.rglob("*.csv")) == before


def test_a_link_inside_an_archive_is_not_followed(project, any_counts, nothing_left):
    files = fer2013_files()
    write_tar(project / "a.tar", files)
    with tarfile.open(project / "a.tar", "a") as archive:
        link = tarfile.TarInfo("train/happy/Training_99.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    refused(
        project,
        r"a\.tar \(train/happy/Training_99\.png\) is a link inside an archive, which is not"
        r" followed",
    )


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
    data[at + 24 : at + 28] = struct.pack("<I", size)
    path.write_bytes(data)


def test_an_archive_that_declares_more_than_any_data_set_has_is_refused_unread(
    project, nothing_left
):
    write_zip(project / "bomb.zip", {"fer2013.csv": csv_text()})
    declare_size(project / "bomb.zip", 4_000_000_000)
    refused(
        project, r"bomb\.zip: the member 'fer2013\.csv' declares 4\.0 GB.*limits are 1\.1 GB a file"
    )


def test_a_tar_member_of_a_petabyte_is_refused_at_its_header(project, nothing_left):
    member = tarfile.TarInfo("fer2013.csv")
    member.size = 1 << 50
    (project / "bomb.tar.gz").write_bytes(gzip.compress(member.tobuf(tarfile.GNU_FORMAT)))
    refused(project, r"bomb\.tar\.gz: the member 'fer2013\.csv' declares 1125899\.9 GB")


@pytest.mark.parametrize("pack", ["fer2013.csv.gz", "a.zip"])
def test_a_bomb_that_lies_about_its_size_is_stopped_while_it_unpacks(
    pack, project, nothing_left, monkeypatch
):
    monkeypatch.setattr(sources, "LARGEST_FILE", 3_000_000)
    text = csv_text(GOOD * 50)
    if pack == "a.zip":
        write_zip(project / pack, {"fer2013.csv": text})
    else:
        (project / pack).write_bytes(gzip.compress(text))
        assert len(text) > 4_000_000 > 100 * (project / pack).stat().st_size
    refused(project, r"fer2013\.csv.* is not FER2013's table: it unpacks to more than 3 MB")


def test_an_image_file_larger_than_any_face_is_not_read_further(
    project, any_counts, nothing_left, monkeypatch
):
    monkeypatch.setattr("fer_utils.datasets.decoding.LARGEST_IMAGE", 100_000)
    write_zip(project / "a.zip", {**fer2013_files(), FACE: encoded(gray(0)) + bytes(1_000_000)})
    refused(project, rf"a\.zip \({FACE}\) has more than 100,000 bytes.*remove it")


def test_an_archive_of_too_many_members_is_refused(project, nothing_left, monkeypatch):
    monkeypatch.setattr(archives, "MOST_MEMBERS", 3)
    write_zip(project / "a.zip", fer2013_files())
    refused(project, r"a\.zip has more than 3 members")


def flag(path: Path, at_local: int, at_directory: int, value: int) -> None:
    """Overwrites two bytes of a zip's first member in both of its headers."""
    data = bytearray(path.read_bytes())
    for at, offset in (
        (data.index(b"PK\x03\x04"), at_local),
        (data.index(b"PK\x01\x02"), at_directory),
    ):
        data[at + offset : at + offset + 2] = struct.pack("<H", value)
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("at_local", "at_directory", "value", "message"),
    [
        (
            6,
            8,
            1,
            r"fer2013\.csv' is locked with a password\. Unpack the archive with its password",
        ),
        (8, 10, 9, r"fer2013\.csv' is packed by Deflate64, which Python does not unpack"),
        (8, 10, 98, r"fer2013\.csv' is packed by method 98, which"),
    ],
)
def test_an_intact_archive_that_python_does_not_unpack_says_why(
    at_local, at_directory, value, message, project
):
    write_zip(project / "a.zip", {"fer2013.csv": csv_text()})
    flag(project / "a.zip", at_local, at_directory, value)
    refused(project, rf"FER2013 was not found.*a\.zip: the member '{message}")


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 301072766\n"
PAGE = b"\n<!DOCTYPE html>\n<html><title>Sign in</title></html>"


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (POINTER, "a git-lfs pointer, a few lines that stand for the file"),
        (PAGE, "a web page"),
        (b"Rar!\x1a\x07\x01\x00", "a RAR archive"),
        (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
        (b"%PDF-1.7", "a PDF document"),
    ],
)
@pytest.mark.parametrize("name", ["fer2013.zip", "fer2013.tar.gz", "fer2013.csv.gz"])
def test_an_intact_file_of_another_kind_is_told_by_its_first_bytes(
    name, data, kind, project, nothing_left
):
    (project / name).write_bytes(data + bytes(50))
    with pytest.raises(CompanionError, match=rf"{name} is {kind} by its first bytes\.") as problem:
        fer2013.read_fer2013(project)
    assert "damaged" not in str(problem.value)


@pytest.mark.parametrize(("data", "kind"), [(POINTER, "a git-lfs pointer"), (PAGE, "a web page")])
@pytest.mark.parametrize("name", ["fer2013.csv", FACE, "archive.zip"])
def test_a_text_that_came_in_the_place_of_a_data_file_is_told(
    name, data, kind, project, any_counts, nothing_left
):
    if name == "fer2013.csv":
        (project / name).write_bytes(data)
    elif name == FACE:
        (project / name).parent.mkdir(parents=True)
        (project / name).write_bytes(data)
    else:
        write_zip(project / name, {**fer2013_files(), FACE: data})
    refused(project, rf"Training_30\.png.? is {kind}|fer2013\.csv is {kind}")
