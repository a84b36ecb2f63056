"""Photos of every kind, and folders of them, are read by a trained network; what can't be read is
named."""

import io
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from sklearn.metrics import f1_score

from fer_utils import cli
from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.errors import CompanionError
from fer_utils.core.faces import resize_images
from fer_utils.core.paths import PACKAGE
from fer_utils.core.profiles import load_profile
from fer_utils.datasets.decoding import MOST_PIXELS, is_image
from fer_utils.datasets.demo_faces import draw_more
from fer_utils.evaluation.cross_database import (
    balanced_accuracy,
    class_folders,
    macro_f1,
    macro_f1_interval,
    read_class_folders,
)
from fer_utils.training.photos import read_photo, squared
from fer_utils.training.resemotenet import ResEmoteNet, save_weights

CLASSES = ("Angry", "disgusted", "FEAR", "happiness", "neutral", "sadness", "Surprise")


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A network that nobody trained, for coloured faces of 32x32."""
    torch.manual_seed(3)
    path = tmp_path_factory.mktemp("weights") / "model.safetensors"
    save_weights(ResEmoteNet(0.0625, image_size=32), path)
    return path


@pytest.fixture(scope="module")
def drawn():
    """Seven drawn faces, one of each emotion: uint8 [7, 100, 100, 3]."""
    faces = draw_more("demo_rafdb", 1, load_profile("demo", ["data.label_noise=0.0"]))
    return faces.images[np.argsort(faces.labels)]


@pytest.fixture
def folder(project, drawn):
    """One drawn face in each class folder, and one more in happiness."""
    for label, name in enumerate(CLASSES):
        (project / "faces" / name).mkdir(parents=True)
        Image.fromarray(drawn[label]).save(project / "faces" / name / f"{name}.png")
    Image.fromarray(drawn[3][..., 0]).save(project / "faces" / "happiness" / "gray.jpg")
    return project / "faces"


def run(*arguments):
    return cli.main([str(argument) for argument in arguments])


def all_kinds(place, drawn):
    """One photo of each kind that people have; the last two can't be read."""
    happy = Image.fromarray(drawn[3])
    with_alpha, rotated, exif = happy.copy(), happy.rotate(90), Image.Exif()
    with_alpha.putalpha(200)
    exif[0x0112] = 6  # the camera was turned: the stored picture must be turned by 270 degrees
    happy.save(place / "colour.png")
    happy.convert("L").save(place / "gray.jpg")
    happy.resize((3000, 2000)).save(place / "huge.jpg")
    rotated.save(place / "turned.jpg", exif=exif, quality=95)
    with_alpha.save(place / "alpha.png")
    whole = (place / "huge.jpg").read_bytes()
    (place / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (place / "text.png").write_text("no image")
    return [
        place / name
        for name in (
            "colour.png",
            "gray.jpg",
            "huge.jpg",
            "turned.jpg",
            "alpha.png",
            "cut.jpg",
            "text.png",
        )
    ]


def test_predict_reads_what_it_can_names_the_rest_with_reasons_and_ends_with_2(
    project, weights, drawn, capsys
):
    files = all_kinds(project, drawn)
    (project / "empty").mkdir()
    assert run("predict", *files, project / "empty", "--weights", weights) == 2
    assert "empty is a folder without images" in capsys.readouterr().err
    assert run("predict", *files, project / "nowhere.png", "--weights", weights) == 2
    said = capsys.readouterr()
    blocks = said.out.strip().split("\n\n")[1:]
    assert [block.splitlines()[0] for block in blocks] == [str(path) for path in files[:5]]
    for block in blocks:
        shares = [line.split() for line in block.splitlines()[1:8]]
        assert sorted(name for name, *_ in shares) == sorted(EMOTIONS)
        values = [float(value) for _, value, _ in shares]
        assert values == sorted(values, reverse=True) and abs(sum(values) - 100) < 0.5
    assert "3000x2000 pixels stretched to a square." in blocks[2] and "turned upright" in blocks[3]
    assert "3 of 8 photos were not read:" in said.err
    assert (
        "cut.jpg can't be read as an image" in said.err
        and "text.png can't be read as an image (no JPEG" in said.err
    )
    assert "nowhere.png is not there" in said.err


def test_predict_reads_a_folder_and_writes_a_table_for_machines(project, weights, drawn, capsys):
    all_kinds(project, drawn)
    (project / "more").mkdir()
    # a name from another system
    os.rename(project / "gray.jpg", project / os.fsdecode(b"more/caf\xe9.jpg"))
    (project / "notes.txt").write_text("x")
    assert (
        run("predict", project, "--weights", weights, "--csv", project / "out" / "answers.csv") == 2
    )
    said = capsys.readouterr()
    assert "2 of 7 photos were not read:" in said.err and r"caf\udce9.jpg" in said.out
    text = (project / "out" / "answers.csv").read_text(encoding="utf-8", errors="surrogateescape")
    assert "more/caf\udce9.jpg," in text
    table = pd.read_csv(io.StringIO(text.replace("\udce9", "e")))
    assert list(table) == [
        "file",
        "face_left",
        "face_top",
        "face_width",
        "face_height",
        "predicted",
        *(f"p_{emotion}" for emotion in EMOTIONS),
    ]
    assert table["file"].tolist() == [
        str(project / name)
        for name in ("alpha.png", "colour.png", "huge.jpg", "more/cafe.jpg", "turned.jpg")
    ]
    shares = table[[f"p_{emotion}" for emotion in EMOTIONS]]
    assert (shares.idxmax(axis=1) == "p_" + table["predicted"]).all()
    assert np.allclose(shares.sum(axis=1), 1, atol=1e-5)
    assert table[["face_left", "face_top", "face_width", "face_height"]].isna().all(axis=None)


def test_the_box_of_a_cropped_face_is_in_the_table_as_whole_numbers(project, weights, drawn):
    pytest.importorskip("cv2")
    Image.fromarray(drawn[3]).save(project / "a.png")
    Image.new("RGB", (50, 50)).save(project / "b.png")
    assert (
        run(
            "predict",
            project / "a.png",
            project / "b.png",
            "--crop",
            "--weights",
            weights,
            "--csv",
            project / "p.csv",
        )
        == 0
    )
    found, none = (line.split(",") for line in (project / "p.csv").read_text().splitlines()[1:])
    assert (
        all(cell.isdigit() for cell in found[1:5])
        and found[3] == found[4]
        and none[1:5] == [""] * 4
    )


def test_a_name_that_the_console_cannot_show_is_escaped(project, weights, drawn):
    Image.fromarray(drawn[3]).save(project / "顔.png")
    script = "import sys; from fer_utils.cli import main; sys.exit(main(sys.argv[1:]))"
    environment = os.environ | {"PYTHONPATH": str(PACKAGE.parent), "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-c", script, "predict", "顔.png", "--weights", weights]
    found = subprocess.run(
        command,
        cwd=project,
        check=False,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert found.returncode == 0 and r"\u9854.png" in found.stdout, found.stderr


def test_weights_that_give_no_numbers_end_predict_and_evaluate_with_the_layer(
    folder, drawn, capsys
):
    model = ResEmoteNet(0.0625, image_size=32)
    model.fc1.bias.data += 1e30
    model.fc2.weight.data = model.fc2.weight.data.abs() * 1e30
    save_weights(model, folder.parent / "wild.safetensors")
    for command in (("predict", folder / "FEAR"), ("evaluate", "--data", folder)):
        assert run(*command, "--weights", folder.parent / "wild.safetensors") == 2
        said = capsys.readouterr()
        assert (
            "the layer fc2 gives values too large to be numbers" in said.err and "%" not in said.out
        )


def test_predict_ends_with_0_when_every_photo_was_read(project, weights, drawn, capsys):
    assert run("predict", *all_kinds(project, drawn)[:5], "--weights", weights) == 0
    assert capsys.readouterr().err == ""


def test_a_turned_photo_is_read_as_it_was_seen(project, drawn):
    turned = read_photo(all_kinds(project, drawn)[3], channels=3)[0].astype(int)
    assert np.abs(turned - drawn[3]).mean() < 6 < np.abs(turned - np.rot90(drawn[3])).mean()


def test_a_picture_with_too_many_pixels_is_refused_before_it_is_decoded(project):
    side = int(MOST_PIXELS**0.5) + 1
    stream = io.BytesIO()
    Image.new("1", (side, side)).save(stream, "PNG")
    (project / "vast.png").write_bytes(stream.getvalue())
    with pytest.raises(
        CompanionError, match=rf"vast.png is {side}x{side} pixels.*Make the picture smaller"
    ):
        read_photo(project / "vast.png", channels=1)


@pytest.mark.parametrize("channels", [1, 3])
def test_photos_are_resized_as_faces_are_in_training(drawn, channels):
    for size in (16, 48, 150):
        whole = drawn[2][..., :channels]
        apart = (
            squared(whole, size).astype(int)
            - resize_images(whole[None], size, channels=channels)[0]
        )
        assert np.abs(apart).max() <= 1


def test_explain_writes_a_picture_of_the_photos_size_for_each_and_no_name_twice(
    project, weights, drawn, capsys
):
    (project / "more").mkdir()
    Image.fromarray(drawn[0]).save(project / "a.png")
    Image.fromarray(drawn[0]).resize((90, 60)).save(project / "more" / "a.png")
    assert (
        run(
            "predict",
            project / "a.png",
            project / "more" / "a.png",
            "--weights",
            weights,
            "--explain",
            project / "why",
        )
        == 0
    )
    made = sorted((project / "why").iterdir())
    assert len(made) == 2 and {Image.open(path).size for path in made} == {(100, 100), (90, 60)}
    assert capsys.readouterr().out.count("wrote ") == 2
    shown = np.asarray(
        Image.open(next(path for path in made if Image.open(path).size == (100, 100)))
    ).astype(int)
    # coloured somewhere: the photo is laid under it in gray
    assert (np.ptp(shown, axis=2) > 20).any()


def test_an_explanation_takes_no_name_that_is_taken_from_whatever_call(
    project, weights, drawn, capsys
):
    for name in ("a.png", "a.jpg"):
        Image.fromarray(drawn[0]).save(project / name)
        for _ in range(2):
            assert (
                run("predict", project / name, "--weights", weights, "--explain", project / "why")
                == 0
            )
    assert len(list((project / "why").iterdir())) == 4


def test_a_large_photo_is_explained_at_the_size_that_is_looked_at(
    project, weights, drawn, monkeypatch
):
    monkeypatch.setattr("fer_utils.training.photos.SHOWN_SIDE", 60)
    Image.fromarray(drawn[0]).resize((300, 200)).save(project / "large.png")
    Image.fromarray(drawn[0]).resize((600, 2)).save(project / "line.png")
    assert (
        run(
            "predict",
            project / "large.png",
            project / "line.png",
            "--weights",
            weights,
            "--explain",
            project / "why",
        )
        == 0
    )
    assert {Image.open(path).size for path in (project / "why").iterdir()} == {(60, 40), (60, 1)}


def test_predict_without_weights_says_what_to_run(project, capsys):
    assert run("predict", "x.png", "--profile", "smoke") == 2
    assert "reproduce --profile smoke" in capsys.readouterr().err


def test_predict_without_weights_takes_the_profiles_own_and_warns_that_it_knows_drawn_faces_only(
    project, drawn, capsys
):
    folder = load_profile("demo").paths.model("demo_fer2013", "aug4", 0)
    save_weights(ResEmoteNet(0.0625, image_size=32), folder / "model.safetensors", channels=1)
    Image.fromarray(drawn[1]).save(project / "x.png")
    assert run("predict", project / "x.png") == 0
    said = capsys.readouterr().out
    assert "learned from drawn faces alone" in said and str(folder) in said
    assert "gray faces of 32x32" in said and "turned gray" in said


def test_evaluate_prints_the_mapping_every_class_with_n_and_interval_and_writes_the_predictions(
    folder, weights, capsys
):
    assert (
        run(
            "evaluate",
            "--weights",
            weights,
            "--data",
            folder,
            "--csv",
            folder.parent / "out" / "p.csv",
        )
        == 0
    )
    said = capsys.readouterr().out
    for name, emotion in zip(CLASSES, EMOTIONS):
        assert [*next(line for line in said.splitlines() if line.strip().startswith(name)).split()][
            :3
        ] == [name, "->", emotion]
    table = pd.read_csv(folder.parent / "out" / "p.csv")
    assert sorted(table["id"]) == sorted(
        [*(f"{name}/{name}.png" for name in CLASSES), "happiness/gray.jpg"]
    )
    assert (
        table["emotion"] == [EMOTIONS[CLASSES.index(name.split("/")[0])] for name in table["id"]]
    ).all()
    right = (table["emotion"] == table["predicted"]).sum()
    overall = next(line.split() for line in said.splitlines() if line.split()[:1] == ["overall"])
    assert overall[1] == "8" and float(overall[2]) == pytest.approx(100 * right / 8, abs=0.051)
    happy = next(line.split() for line in said.splitlines() if line.split()[:2] == ["happy", "2"])
    assert happy[4] == "to" and "Macro-F1" in said and "Confusion" in said


def test_evaluate_works_with_one_image_and_with_images_of_one_class(folder, weights, capsys):
    for name in CLASSES:
        if name != "happiness":
            (folder / name / f"{name}.png").unlink()
    assert run("evaluate", "--weights", weights, "--data", folder) == 0
    said = capsys.readouterr()
    assert re.search(
        r"Balanced accuracy \d+\.\d % \(mean of the one emotion that has images: nothing " r"tells",
        said.out,
    )
    assert "bootstrap over 2 images" in said.out and said.err == ""
    (folder / "happiness" / "gray.jpg").unlink()
    assert run("evaluate", "--weights", weights, "--data", folder) == 0
    said = capsys.readouterr()
    assert "no interval: a bootstrap over one image" in said.out and said.err == ""


def test_names_that_are_no_text_are_tested_and_written_as_they_are(folder, weights, capsys):
    os.rename(folder / "FEAR" / "FEAR.png", folder / os.fsdecode(b"FEAR/caf\xe9.png"))
    assert (
        run("evaluate", "--weights", weights, "--data", folder, "--csv", folder.parent / "p.csv")
        == 0
    )
    assert b"\nFEAR/caf\xe9.png,fear," in (folder.parent / "p.csv").read_bytes()


def test_balanced_accuracy_is_the_mean_over_the_emotions_that_have_images():
    labels, predicted = np.array([0, 0, 0, 0, 1, 2, 2]), np.array([0, 0, 0, 5, 1, 6, 2])
    assert balanced_accuracy(labels, predicted) == pytest.approx((0.75 + 1 + 0.5) / 3)


def test_images_called_like_the_authors_altered_copies_are_named(folder, weights, drawn, capsys):
    for name in (
        "happiness/img_1234_happy.jpg",
        "FEAR/PrivateTest_1.jpg0.jpg",
        "FEAR/Training_2.png",
    ):
        Image.fromarray(drawn[0]).save(folder / name)
    assert run("evaluate", "--weights", weights, "--data", folder) == 0
    assert "2 of 11 images are called like altered copies of others" in (
        said := capsys.readouterr().out
    )
    assert "the first is FEAR/PrivateTest_1.jpg0.jpg" in said


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        (
            "sadness/0.npy",
            b"x",
            r"sadness is a class by its name, but none of its 1 files is an image by its "
            r"own, the first is 0",
        ),
        ("sadness/0.heic", b"\0\0\0\x18ftypheic" + bytes(99), "0.heic is a HEIC photo"),
        ("sadness/0.tiff", b"II*\0" + bytes(99), "0.tiff can't be read as an image"),
        ("contempt/0.tif", b"", "contempt is none of the seven emotions"),
    ],
)
def test_a_class_whose_files_are_of_another_kind_does_not_go_untested_in_silence(
    folder, weights, name, data, message, capsys
):
    (folder / "sadness" / "sadness.png").unlink()
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(data)
    assert run("evaluate", "--weights", weights, "--data", folder) == 2
    assert re.search(message, capsys.readouterr().err)


ENDINGS = st.sampled_from(
    [
        "png",
        "JPG",
        "tif",
        "tiff",
        "gif",
        "jfif",
        "avif",
        "ppm",
        "jp2",
        "webp",
        "bmp",
        "heic",
        "svg",
        "npy",
        "txt",
        "jpeg.bak",
        "",
    ]
)
FOLDERS = st.sampled_from(["happy", "sad", "SURPRISE", "contempt", "Angst", "other", ""])
QUICK = settings(
    max_examples=50,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
FORMATS = {"JPG": "JPEG", "jfif": "JPEG", "tif": "TIFF", "jp2": "JPEG2000"}


@QUICK
@given(files=st.lists(st.tuples(FOLDERS, ENDINGS), max_size=8))
def test_every_image_of_any_class_folders_is_read_or_named(tmp_path, drawn, files):
    top = Path(tempfile.mkdtemp(dir=tmp_path))
    for number, (name, ending) in enumerate(files):
        path = top / name / f"{number}.{ending}"
        path.parent.mkdir(exist_ok=True)
        kind = FORMATS.get(ending, ending.upper())
        if kind in Image.SAVE and is_image(path.name):
            Image.fromarray(drawn[number % 7]).save(path, kind)
        else:
            path.write_bytes(b"of another kind")
    try:
        found = class_folders(top)
        faces, _ = read_class_folders(found, size=16, channels=3)
    except CompanionError as problem:
        assert str(top) in str(problem)
    else:
        read = len(faces)
        left = sum(int(re.search(r"\d+", note)[0]) for note in found.notes)
        assert read + left == len(files)


def test_a_class_beyond_the_seven_is_an_error_until_it_is_left_out_by_name(
    folder, weights, drawn, capsys
):
    (folder / "contempt").mkdir()
    Image.fromarray(drawn[0]).save(folder / "contempt" / "a.png")
    assert run("evaluate", "--weights", weights, "--data", folder) == 2
    assert (
        "contempt is none of the seven emotions" in (said := capsys.readouterr().err)
        and "--leave-out" in said
    )
    assert run("evaluate", "--weights", weights, "--data", folder, "--leave-out", "contempt") == 0
    assert re.search(r"contempt +-> left out +1 images", capsys.readouterr().out)
    assert run("evaluate", "--weights", weights, "--data", folder, "--leave-out", "contemt") == 2
    assert "did you mean 'contempt'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda top: (top / "sadness").rename(top / "surprize_"),
            "surprize_ is none of the seven.*did you mean 'surprise'",
        ),
        (
            lambda top: (top / "FEAR" / "FEAR.png").rename(top / "a.png"),
            r"a\.png lies in no class folder",
        ),
        (
            lambda top: (top / "sadness").rename(top / "FEAR" / "sad"),
            r"lies in no class folder.*--data .*FEAR",
        ),
        (lambda top: (top / "FEAR" / "loop").symlink_to(top), "link loop"),
    ],
)
def test_a_folder_that_is_not_one_of_classes_is_refused_with_what_is_wrong(folder, change, message):
    change(folder)
    with pytest.raises(CompanionError, match=message):
        class_folders(folder)


def test_an_empty_folder_and_a_missing_one_are_told_apart(project):
    (project / "empty" / "happy").mkdir(parents=True)
    with pytest.raises(CompanionError, match="has no images to test on"):
        class_folders(project / "empty")
    with pytest.raises(CompanionError, match="is no folder"):
        class_folders(project / "nowhere")


def test_two_spellings_of_one_emotion_are_one_class_and_other_files_are_counted(folder, drawn):
    (folder / "anger").mkdir()
    Image.fromarray(drawn[0]).save(folder / "anger" / "b.png")
    (folder / "anger" / "notes.txt").write_text("x")
    (folder / "licence").mkdir()
    (folder / "licence" / "MIT.txt").write_text("no class, but no image is lost either")
    found = class_folders(folder)
    assert found.images[0] == ["Angry/Angry.png", "anger/b.png"]
    assert "licence" not in found.mapping
    assert any("2 files that are no images" in note for note in found.notes)


def test_unreadable_images_of_a_class_folder_are_all_counted_and_the_first_named(folder):
    for number in range(7):
        (folder / "sadness" / f"{number}.png").write_bytes(b"x")
    with pytest.raises(
        CompanionError, match=r"(?s)^7 of 15 images can't be read.*sadness/0\.png.*and 2 more$"
    ):
        read_class_folders(class_folders(folder), size=32, channels=3)


def test_macro_f1_is_scikit_learns_over_the_emotions_that_occur():
    random = np.random.default_rng(0)
    labels, predicted = random.integers(0, 5, 60), random.integers(0, 7, 60)
    expected = f1_score(labels, predicted, average="macro", labels=np.unique(labels))
    assert macro_f1(labels, predicted) == pytest.approx(expected)
    low, high = macro_f1_interval(labels, predicted, 0.95)
    assert low < expected < high and (low, high) == macro_f1_interval(labels, predicted, 0.95)
    assert macro_f1_interval(labels, labels, 0.95) == (1.0, 1.0)


def test_a_network_for_gray_faces_sees_coloured_photos_in_gray(folder, drawn):
    faces, notes = read_class_folders(class_folders(folder), size=100, channels=1)
    assert (
        faces.images.shape == (8, 100, 100, 1)
        and "7 of 8 images have colours: turned gray" in notes[0]
    )
    assert np.array_equal(faces.images[faces.ids == "happiness/gray.jpg"].shape, (1, 100, 100, 1))


def test_predict_starts_without_what_it_does_not_need(project, drawn):
    save_weights(ResEmoteNet(0.0625, image_size=32), project / "gray.safetensors", channels=1)
    Image.fromarray(drawn[1]).save(project / "x.png")
    script = (
        "import sys; from fer_utils.cli import main; code = main(['predict', 'x.png', '--weights',"
        " 'gray.safetensors']); sys.exit(code or ', '.join({'captum', 'torchvision', 'sklearn',"
        " 'statsmodels', 'matplotlib', 'cv2'} & set(sys.modules)) or 0)"
    )
    found = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONPATH": str(PACKAGE.parent)},
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert found.returncode == 0, found.stderr
