"""No photograph of a person is committed: neither by name nor, where FER2013 lies, by its pixels.

``photograph_search`` says how alike the detail of a tile and of a row is. A row that this project
draws into any kind of file stays above ``SAME`` at its usual sizes, face by face. What comes
nearest from below are drawn faces beside a portrait in the same pose, and mean faces; generated
faces are further away, plots further still. ``SAME`` lies between the two sides as they were
measured on all committed files and on figures of real faces. A face set into a larger picture with
neither a gap around it nor others of its size beside it, turned, or hidden in the weights of a
network is not found.
"""

import base64
import io
import json
import os
import subprocess

import numpy as np
import pytest
from photograph_search import Rows
from pictures_in_files import pictures_in
from PIL import Image, ImageOps

from fer_utils import figures
from fer_utils.core.faces import concatenate
from fer_utils.core.paths import PACKAGE
from fer_utils.core.profiles import load_profile
from fer_utils.datasets import load_splits
from fer_utils.datasets.demo_faces import draw_more
from fer_utils.figures.sheets import Cell, contact_sheet

ROOT = PACKAGE.parent
SAME = 0.9
"""Correlation of detail from which a tile is a row; ``test_what_is_no_row...`` and those before it
hold both sides of it."""
REAL_FACES = ("figure_a1_samples", "figure_a1_twins", "figure_a4_beside_real", "figure_a4_nearest")
"""Figures in which faces of the data set are drawn as they are."""
# weights hold no pictures; what their generators draw is searched as any picture
SEARCHED_ELSEHOW = (".safetensors",)


def committed():
    """Paths of all files that are tracked or could be added, as they are on the disk."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listed.returncode:
        pytest.skip("not a git checkout, so nothing is committed here")
    paths = [ROOT / name for name in sorted(set(listed.stdout.split("\0"))) if name]
    return [path for path in paths if path.is_file() and path.suffix not in SEARCHED_ELSEHOW]


@pytest.fixture(scope="module")
def fer2013(tmp_path_factory):
    """All faces of FER2013, read once; skips where there are none."""
    folder = os.environ.get("FER_DATA", ROOT.parent / "shared" / "data")
    if not os.path.isdir(os.path.join(folder, "fer2013")):
        pytest.skip(f"no FER2013 in {folder}; set FER_DATA")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FER_DATA", str(folder))
        patch.setenv("FER_ROOT", str(tmp_path_factory.getbasetemp() / "real"))
        return concatenate(
            *(faces for _, faces in load_splits("fer2013", load_profile("fer2013")).items())
        )


@pytest.fixture(scope="module")
def fer2013_rows(fer2013):
    return Rows(fer2013.images[..., 0])


@pytest.fixture(
    scope="module", params=["drawn faces", pytest.param("FER2013", marks=pytest.mark.realdata)]
)
def faces(request):
    """The faces to look for: drawn ones everywhere, so that the search is tested without data
    too."""
    if request.param == "FER2013":
        return request.getfixturevalue("fer2013")
    profile = load_profile("smoke")
    return draw_more("demo_fer2013", 70, profile).resize(48, channels=1)


@pytest.fixture(scope="module")
def rows(faces, request):
    return (
        request.getfixturevalue("fer2013_rows")
        if faces.origin[0].startswith("FER2013")
        else Rows(faces.images[..., 0])
    )


@pytest.fixture
def some(faces):
    """Two faces of each emotion with some contrast, and where they are among all."""
    strong = np.flatnonzero(faces.images.std((1, 2, 3)) > 25)
    return faces.select(
        np.concatenate([strong[faces.labels[strong] == label][:2] for label in range(7)])
    )


def found(rows, path):
    """Correlation and row of the best match in a file, and the numbers of all rows that are found
    in it."""
    matches = [match for picture in pictures_in(path) for match in rows.matches(picture)]
    best = max(matches, key=lambda match: match.correlation, default=None)
    return best, {match.row for match in matches if match.correlation >= SAME}


def as_notebook(png, path):
    lines = base64.encodebytes(png).decode().splitlines(True)
    output = {"output_type": "display_data", "metadata": {}, "data": {"image/png": lines}}
    path.write_text(json.dumps({"cells": [{"cell_type": "code", "outputs": [output]}]}, indent=1))
    return path


@pytest.mark.parametrize("kind", ["pdf", "svg", "png", "ipynb"])
def test_faces_that_a_figure_draws_are_found_in_every_kind_of_file(
    kind, faces, some, rows, project
):
    profile = load_profile("smoke")
    figure = figures.sample_grids({"FER2013, real": some, "the same": some}, 2)
    if kind == "ipynb":
        path = as_notebook(figures.show(figure, profile).data, project / "shown.ipynb")
    else:
        path = next(
            path
            for path in figures.save(figure, "figure_a4_beside_real", profile)
            if path.suffix == f".{kind}"
        )
    seen = found(rows, path)[1]
    pixels = {faces.images[row].tobytes() for row in seen}
    assert all(face.tobytes() in pixels for face in some.images)


@pytest.mark.parametrize(
    "form", ["sheet", "touching", "alone", "twice as large, JPEG", "mirrored", "paler", "numbers"]
)
def test_a_face_is_found_however_it_was_stored(form, faces, some, rows, tmp_path):
    face = some.images[3, ..., 0]
    image = Image.fromarray(face)
    path = tmp_path / (
        "face.jpg" if "JPEG" in form else "face.csv" if form == "numbers" else "face.png"
    )
    if form == "numbers":
        path.write_text(
            "emotion,pixels,Usage\n3," + " ".join(map(str, face.ravel())) + ",Training\n"
        )
    elif form == "sheet":
        path.write_bytes(contact_sheet([Cell(one, ("happy",)) for one in some.images], columns=5))
    else:
        together = np.vstack(
            [np.hstack(some.images[:3, ..., 0]), np.hstack(some.images[3:6, ..., 0])]
        )
        stored = {
            "touching": Image.fromarray(together),
            "twice as large, JPEG": image.resize((96, 96), Image.Resampling.BICUBIC),
            "mirrored": ImageOps.mirror(image),
            "alone": ImageOps.expand(image, 30, 255),
            "paler": image.point(lambda gray: 90 + gray * 0.4),
        }
        stored[form].save(path)
    best, seen = found(rows, path)
    assert some.images[3].tobytes() in {faces.images[row].tobytes() for row in seen}, best


@pytest.mark.realdata
def test_what_is_no_row_is_not_taken_for_one(fer2013, fer2013_rows, project):
    profile = load_profile("smoke")
    drawn = draw_more("demo_fer2013", 70, profile)
    shown = {
        "mean": figures.mean_faces({"FER2013": fer2013}),
        "drawn": figures.sample_grid(drawn, 6),
    }
    for name, figure in shown.items():
        path = figures.save(figure, name, profile)[-1]
        assert not found(fer2013_rows, path)[1], name


@pytest.mark.realdata
@pytest.mark.slow
def test_no_committed_file_holds_a_photograph_of_fer2013(fer2013, fer2013_rows):
    searched, holding = {}, []
    for path in committed():
        for picture in pictures_in(path):
            key = picture.shape, picture.tobytes()
            if key not in searched:
                searched[key] = fer2013_rows.most_alike(picture)
            match = searched[key]
            if match and match.correlation >= SAME:
                row = fer2013.ids[match.row]
                holding.append(
                    f"{path.relative_to(ROOT)} {match.box}: row {row}, {match.correlation:.3f}"
                )
    count = len(searched)
    assert not holding, "\n".join(holding)
    assert count > 100


def test_every_committed_file_is_of_a_kind_that_can_be_searched(tmp_path):
    assert sum(1 for path in committed() for _ in pictures_in(path)) > 100
    packed = io.BytesIO()
    np.savez_compressed(packed, images=np.zeros((2, 48, 48), np.uint8))
    (tmp_path / "faces.npz").write_bytes(packed.getvalue())
    with pytest.raises(ValueError, match="faces.npz is neither text"):
        list(pictures_in(tmp_path / "faces.npz"))


def test_no_figure_that_shows_faces_of_photographs_is_committed():
    for path in committed():
        assert not path.name.startswith("figure_a4_beside_real"), path
        if path.parent.parent == ROOT / "figures" and path.name.startswith(REAL_FACES):
            sets = load_profile(path.parent.name).data.sets
            assert all(name.startswith("demo_") for name in sets), f"{path} shows faces of {sets}"


def test_the_data_card_says_that_no_photograph_is_here_and_these_tests_stand_behind_it():
    assert "No photograph of a person is in this repository." in (ROOT / "DATA_CARD.md").read_text(
        encoding="utf-8"
    )
