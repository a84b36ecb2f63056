"""The optional crop finds drawn and real faces, keeps what it cannot crop, and says what it
needs."""

import re
import sys

import numpy as np
import pytest
from PIL import Image

from fer_utils import cli
from fer_utils.core.errors import CompanionError
from fer_utils.core.profiles import load_profile
from fer_utils.datasets import load_splits
from fer_utils.datasets.demo_faces import draw_more
from fer_utils.datasets.face_crop import _inside, crop_faces, face_square, opencv
from fer_utils.training.resemotenet import ResEmoteNet, save_weights


@pytest.fixture
def opencv4():
    cv2 = pytest.importorskip("cv2", reason="the extra 'crop' is not installed")
    if not hasattr(cv2, "CascadeClassifier"):
        pytest.skip("OpenCV 5 has no face cascades")


@pytest.fixture(scope="module")
def drawn():
    faces = draw_more("demo_rafdb", 2, load_profile("demo", ["data.label_noise=0.0"]))
    return faces.images


def test_a_drawn_face_in_a_larger_picture_is_found_where_it_was_put(opencv4, drawn):
    pictures = np.full((len(drawn), 240, 300, 3), 120, np.uint8)
    pictures[:, 110:210, 160:260] = drawn
    squares = [face_square(picture, margin=0.15) for picture in pictures]
    found = np.array([square for square in squares if square is not None])
    assert len(found) >= 0.8 * len(drawn)
    centres = found[:, :2] + found[:, 2:] / 2
    assert (np.abs(centres - [210, 165]) < 25).mean() > 0.9 and (
        np.abs(found[:, 2] - 85) < 45
    ).mean() > 0.9


def test_a_crop_has_the_size_asked_for_and_images_without_a_face_are_kept_whole(opencv4, drawn):
    images = np.concatenate([drawn[:3], np.full((1, 100, 100, 3), 90, np.uint8)])
    cropped, found = crop_faces(images, size=64)
    assert cropped.shape == (4, 64, 64, 3) and cropped.dtype == np.uint8
    assert found.dtype == bool and not found[3] and (cropped[3] == 90).all()
    assert crop_faces(images[..., :1])[0].shape == (4, 100, 100, 1)


def test_a_larger_margin_shows_more_of_the_picture(opencv4, drawn):
    picture = np.full((200, 200, 3), 120, np.uint8)
    picture[50:150, 50:150] = drawn[0]
    tight, wide = face_square(picture, margin=0.0), face_square(picture, margin=0.3)
    assert wide[2] == pytest.approx(1.6 * tight[2], abs=2)


def test_predict_crops_when_asked_and_says_where_or_that_there_is_no_face(
    opencv4, project, drawn, capsys
):
    save_weights(ResEmoteNet(0.0625, image_size=32), project / "w.safetensors")
    picture = np.full((200, 300, 3), 120, np.uint8)
    picture[40:140, 150:250] = drawn[0]
    for name, pixels in (("face.png", picture), ("none.png", np.full((60, 60, 3), 120, np.uint8))):
        Image.fromarray(pixels).save(project / name)
    assert (
        cli.main(
            [
                "predict",
                str(project / "face.png"),
                str(project / "none.png"),
                "--crop",
                "--weights",
                str(project / "w.safetensors"),
            ]
        )
        == 0
    )
    said = capsys.readouterr().out
    assert re.search(
        r"face.png(\n.*){7}\n  Cropped to the face: (\d+)x\2 pixels at 1\d\d, \d+", said
    )
    assert "No face was found in it: the whole photo was read." in said and "stretched" not in said


def test_without_opencv_predict_names_what_to_install_once_and_not_for_each_photo(
    project, monkeypatch, capsys
):
    monkeypatch.setitem(sys.modules, "cv2", None)
    save_weights(ResEmoteNet(0.0625, image_size=32), project / "w.safetensors")
    assert (
        cli.main(
            ["predict", "a.png", "b.png", "--crop", "--weights", str(project / "w.safetensors")]
        )
        == 2
    )
    assert capsys.readouterr().err.count("pip install") == 1


@pytest.mark.realdata
def test_most_real_fer2013_faces_are_found(opencv4, data, real_project):
    faces = load_splits("fer2013", load_profile("fer2013")).test.images[:60]
    assert np.mean([face_square(face) is not None for face in faces]) > 0.65


def test_a_square_at_the_edge_is_moved_and_one_too_large_is_shrunk():
    assert _inside((5, 50), 40, 100, 100) == (0, 30, 40)
    assert _inside((99, 99), 40, 100, 100) == (60, 60, 40)
    assert _inside((60, 30), 500, 120, 60) == (30, 0, 60)


@pytest.mark.parametrize(
    ("stand_in", "message"),
    [
        (None, r"not installed: pip install 'fer_utils\[crop\]'"),
        (
            type("cv2", (), {"__version__": "5.0.0"}),
            "needs OpenCV 4; OpenCV 5.0.0, which is installed",
        ),
    ],
)
def test_without_opencv_4_the_error_says_what_to_install(monkeypatch, stand_in, message):
    monkeypatch.setitem(sys.modules, "cv2", stand_in)
    with pytest.raises(CompanionError, match=message):
        opencv()
