"""Images and folders that can't be used are named; other kinds of pixels are converted, and that is
said."""

import io
import os
import re
import struct
import zlib

import numpy as np
import pytest
from PIL import Image
from written_data import csv_text, encoded, fer2013_files, gray, write_files, write_zip

from fer_utils.core.errors import CompanionError
from fer_utils.datasets import fer2013

FACE = "train/happy/Training_30.png"


def refused(folder, message):
    with pytest.raises(CompanionError, match=message):
        fer2013.read_fer2013(folder)


def png_header(width: int, height: int) -> bytes:
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13)
        + body
        + struct.pack(">I", zlib.crc32(body))
        + struct.pack(">I", 100)
        + b"IDAT"
    )


JPEG = encoded(gray(30), "JPEG")


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        (
            "Training_30.jpg",
            JPEG[: len(JPEG) // 2],
            r"can't be read as an image.*truncated.*copy it from the original",
        ),
        ("Training_30.png", encoded(gray(30))[:500], r"can't be read as an image.*cut short"),
        ("Training_30.png", b"no image", r"can't be read as an image"),
        ("Training_30.png", b"\xff\xd8\xff" + bytes(99), r"can't be read as an image.*damaged"),
        ("Training_30.png", b"", r"can't be read as an image"),
        (
            "Training_30.png",
            png_header(60_000, 60_000),
            r"can't be read as an image.*decompression bomb",
        ),
        ("Training_30.png", png_header(9_000, 9_000), r"is 9000x9000 pixels; expected 48x48"),
        ("Training_30.png", encoded(gray(30, 64)), r"is 64x64 pixels; expected 48x48"),
    ],
)
def test_an_image_that_can_not_be_used_is_named(
    name, data, message, project, any_counts, nothing_left
):
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


@pytest.mark.parametrize(
    ("data", "note", "expected", "within"),
    [
        (
            converted(lambda image: image.convert("P")),
            "1 image has a palette: converted",
            lambda p: p,
            0,
        ),
        (
            converted(lambda image: image.convert("1")),
            "1 image has black and white only: converted",
            None,
            0,
        ),
        (
            converted(lambda image: image.convert("CMYK"), "JPEG"),
            "1 image has CMYK colours: converted",
            lambda p: p,
            60,
        ),
        (
            converted(deep),
            "1 image has 16-bit gray values: scaled to 8 bits, 65535 becoming 255",
            lambda p: p,
            0,
        ),
        (converted(with_alpha), "1 image has transparency: laid over black", half_black, 1),
        (
            converted(lambda image: image.convert("RGB")),
            "1 image has three equal channels: one was kept",
            lambda p: p,
            0,
        ),
        (
            converted(lambda image: Image.merge("RGB", [image, image.rotate(90), image])),
            "turned gray by ITU-R",
            None,
            0,
        ),
        (converted(lambda image: image, "BMP"), None, lambda p: p, 0),
        (converted(lambda image: image, "TIFF"), None, lambda p: p, 0),
        (converted(lambda image: image, "PPM"), None, lambda p: p, 0),
        (converted(lambda image: image, "JPEG2000"), None, lambda p: p, 0),
        (converted(lambda image: image, "AVIF"), None, lambda p: p, 40),
        (converted(lambda image: image, "GIF"), None, lambda p: p, 0),
        (
            converted(deep, "TIFF"),
            "1 image has 16-bit gray values: scaled to 8 bits, 65535 becoming 255",
            lambda p: p,
            0,
        ),
    ],
)
def test_other_kinds_of_pixels_are_converted_and_counted(
    data, note, expected, within, project, any_counts
):
    write_files(project, {**fer2013_files(), FACE: data})
    splits = fer2013.read_fer2013(project)
    assert note is None or any(note in line for line in splits.found.notes)
    face = splits.train.images[splits.train.ids == "fer2013-train/happy/training_30"][
        0, :, :, 0
    ].astype(int)
    assert expected is None or np.abs(face - expected(gray(30).astype(float))).max() <= within


@pytest.mark.parametrize("number", [np.int32, np.float32])
def test_pixels_of_which_nothing_tells_black_and_white_are_refused(
    number, project, any_counts, nothing_left
):
    data = converted(lambda image: Image.fromarray(np.asarray(image).astype(number)), "TIFF")
    files = {name: data for name, data in fer2013_files().items() if name != FACE}
    write_files(project, {**files, FACE.replace(".png", ".tif"): data})
    refused(
        project,
        r"Training_30\.tif can't be read as an image: its pixels are 32-bit numbers.*Save it as "
        r"PNG",
    )


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        (
            "Training_30.png",
            b"\0\0\0\x18ftypheic" + bytes(99),
            r"png is a HEIC photo by its first bytes.*save it " r"as JPEG or PNG",
        ),
        ("Training_30.heic", b"\0\0\0\x18ftypheic" + bytes(99), r"heic is a HEIC photo"),
        ("Training_30.jxl", b"\xff\x0a" + bytes(99), r"jxl is a JPEG XL image"),
        (
            "Training_30.tga",
            bytes(99),
            r"tga can't be read as an image: that kind is not read here",
        ),
    ],
)
def test_an_intact_picture_of_another_kind_is_named_and_not_called_damaged(
    name, data, message, project, any_counts, nothing_left
):
    files = {key: value for key, value in fer2013_files().items() if key != FACE}
    write_files(project, {**files, f"train/happy/{name}": data})
    with pytest.raises(CompanionError, match=message) as problem:
        fer2013.read_fer2013(project)
    assert "damaged" not in str(problem.value)


def test_upper_case_extensions_are_images_and_junk_is_left_out_and_counted(project, any_counts):
    files = {name.replace(".png", ".PNG"): data for name, data in fer2013_files().items()}
    junk = {
        "train/happy/.DS_Store": b"x",
        "train/happy/Thumbs.db": b"x",
        "test/sad/desktop.ini": b"x",
        "train/sad/._Training_40.png": b"x",
        "__MACOSX/train/happy/._a.png": b"x",
        "train/happy/readme.txt": b"x",
    }
    write_zip(project / "a.zip", {**files, **junk})
    splits = fer2013.read_fer2013(project)
    assert len(splits.train) == 14
    assert (
        "Left out 5 hidden or system files (.DS_Store, Thumbs.db and the like), the first is"
        " __MACOSX." in splits.found.notes
    )
    assert any(
        note.startswith("Left out 1 files in class folders that are no images")
        for note in splits.found.notes
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("train/hapy/a.png", r"train/hapy is no class of this data set: did you mean 'happy'"),
        (
            "train/contempt/a.png",
            r"contempt is no class of this data set: Valid names: anger, disgust, "
            r"fear.*leave it out",
        ),
        ("train/Angst/a.png", r"train/Angst is no class of this data set: Valid names"),
        ("train/a.png", r"train/a\.png lies in no class folder, so it has no label"),
        ("train/happy/more/a.png", r"train/happy/more/a\.png lies in no class folder"),
    ],
)
def test_a_folder_of_no_class_is_named_with_the_nearest(
    name, message, project, any_counts, nothing_left
):
    write_files(project, {**fer2013_files(), name: encoded(gray(0))})
    refused(project, message)


def test_folders_of_faces_of_another_size_are_told_not_to_be_this_data_set(project, nothing_left):
    write_files(project, {f"train/{name}/a.png": encoded(gray(0, 64)) for name in ("happy", "sad")})
    refused(
        project,
        r"FER2013 was not found.*neither 48x48 pixels like FER2013 nor 100x100 like RAF-DB.*Put"
        r" fer2013",
    )


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {
                f"fer2013/{name}/{n}.png": encoded(gray(n))
                for name in ("angry", "happy")
                for n in range(3)
            },
            (
                r"fer2013 has 6 images in folders by emotion \(angry, happy\), but in no folders"
                r" train and test"
            ),
        ),
        (
            {
                f"images/FER2013{part}/fer000000{n}.png": encoded(gray(n))
                for n in range(3)
                for part in ("Train", "Valid", "Test")
            },
            (
                r"images has 9 images right in FER2013Test, FER2013Train, FER2013Valid, in no"
                r" folders by.*fer2013\.csv"
            ),
        ),
        (
            {f"faces/{n}.png": encoded(gray(n)) for n in range(4)},
            r"4 images lie in folders .* the first is .*faces/0\.png",
        ),
        (
            {
                f"train/{name}/a.png": b"version https://git-lfs.github.com/spec/v1"
                for name in ("happy", "sad")
            },
            (
                r"has 2 images in folders by split and emotion, but one can't be read: .* is a"
                r" git-lfs pointer"
            ),
        ),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_images_that_are_no_copy_of_the_data_set_are_told_with_what_is_missing(
    files, message, packed, project
):
    if packed:
        write_zip(project / "a.zip", files)
        message = re.sub(r"^(fer2013|images) has", r"a\.zip \(\1\) has", message)
    else:
        write_files(project, files)
    refused(project, rf"FER2013 was not found.*{message}.*Put fer2013")


def test_images_of_the_other_data_set_are_no_news(project):
    write_files(project, {f"Image/aligned/train_0000{n}_aligned.jpg": JPEG for n in range(3)})
    with pytest.raises(CompanionError, match="FER2013 was not found") as problem:
        fer2013.read_fer2013(project)
    assert "images lie" not in str(problem.value)


def test_a_link_loop_is_named_and_not_followed(project, any_counts, nothing_left):
    write_files(project / "data", fer2013_files())
    (project / "data" / "train" / "happy" / "again").symlink_to(project / "data")
    refused(
        project / "data",
        r"train/happy/again is a link to a folder that it lies in itself \(a link loop\)",
    )


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
