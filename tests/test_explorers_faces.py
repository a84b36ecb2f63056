"""Leafing through faces and twins, and the sheets they are drawn on."""

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.errors import CompanionError
from fer_utils.core.faces import FaceSet
from fer_utils.core.profiles import load_profile
from fer_utils.datasets import load_splits
from fer_utils.datasets.gate import COLUMNS, KINDS, Verdict, copies
from fer_utils.datasets.pairs import closest_admitted, kept_out_pairs
from fer_utils.datasets.splits import Splits
from fer_utils.figures import Cell, contact_sheet
from fer_utils.widgets import View, face_explorer, face_page, twin_explorer, twin_page
from fer_utils.widgets.faces import ADMITTED, EVERY, FACES_A_PAGE, KEPT_OUT

LABELS = np.arange(60) % 6  # no face is a surprise


def noise(count: int, name: str, seed: int = 0, size: int = 48, channels: int = 1) -> FaceSet:
    images = np.random.default_rng(seed).integers(0, 256, (count, size, size, channels), np.uint8)
    return FaceSet(
        images,
        LABELS[:count].astype(np.int64),
        np.array([f"{name}-{i:05d}" for i in range(count)]),
        np.full(count, name),
    )


@pytest.fixture(scope="module")
def splits() -> Splits:
    """Two training faces are a test face, one of them mirrored."""
    train, validation, test = (
        noise(60, "demo-train", 1),
        noise(10, "demo-validation", 2),
        noise(14, "demo-test", 3),
    )
    train.images[0], train.images[1] = test.images[7], test.images[8, :, ::-1]
    return Splits(train, validation, test)


@pytest.fixture(scope="module")
def verdict(splits) -> Verdict:
    return copies(splits.train, [splits.validation, splits.test], correlation=0.95)


def picture(view: View) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(view.picture)).convert("RGB"))


def page(faces, opinions=None, **changes) -> View:
    return face_page(
        faces, opinions, **{"dataset": "demo_fer2013", "emotion": EVERY, "page": 1} | changes
    )


def test_every_pixel_of_a_picture_becomes_a_square_and_words_and_stamp_stand_below():
    face = np.random.default_rng(0).integers(0, 256, (48, 48, 1), np.uint8)
    bare, stamped = (
        np.asarray(
            Image.open(io.BytesIO(contact_sheet([Cell(face, ("id",))] * 3, columns=2, stamp=stamp)))
        )
        for stamp in ("", "demo faces")
    )
    assert (bare[8:104, 8:104, 0] == face[..., 0].repeat(2, 0).repeat(2, 1)).all()
    # the second row holds one face
    assert (bare[104:118, 8:104] < 255).any() and (bare[-100:, 112:] == 255).all()
    assert (
        len(stamped) > len(bare) and (stamped[len(bare) :, :, 0] > stamped[len(bare) :, :, 1]).any()
    )


def test_a_line_that_is_too_long_is_cut_and_colours_tell_warnings():
    face = np.zeros((48, 48, 3), np.uint8)
    long, short = (contact_sheet([Cell(face, (text,))], columns=1) for text in ("W" * 200, "W"))
    assert Image.open(io.BytesIO(long)).size == Image.open(io.BytesIO(short)).size
    red = np.asarray(
        Image.open(io.BytesIO(contact_sheet([Cell(face, ("W",), warned=(0,))], columns=1)))
    )[104:]
    assert (red[..., 0].astype(int) - red[..., 1] > 60).any()


def test_a_page_holds_the_faces_of_one_label_in_their_order(splits):
    whole, fear = page(splits.train), page(splits.train, emotion="fear")
    assert (
        "60 faces, page 1 of 3" in whole.words
        and "10 faces labelled fear, page 1 of 1" in fear.words
    )
    assert "<code>demo-train-</code>" in fear.words and "page 1 of 1" in fear.alt
    second = picture(fear)[8:104, 112:208]
    # 2, 8, 14, ... are fear
    assert (second[..., 0] == splits.train.images[8, ..., 0].repeat(2, 0).repeat(2, 1)).all()


def test_another_page_shows_other_faces_and_one_beyond_the_last_says_so(splits):
    first, last, beyond = (page(splits.train, page=number) for number in (1, 3, 9))
    assert first.picture != last.picture and last.picture == beyond.picture
    assert "page 3 of 3." in last.words and "page 3 of 3, the last" in beyond.words
    assert 60 - 2 * FACES_A_PAGE == 12


def test_the_second_opinion_is_marked_where_it_differs_and_can_be_shown_alone(splits):
    opinions = splits.train.labels.copy()
    opinions[[3, 5]], opinions[4] = EMOTIONS.index("surprise"), -1
    # none is no contradiction
    assert "contradicts 2 of these 24 labels" in page(splits.train, opinions).words
    doubted = page(splits.train, opinions, doubted=True)
    assert "2 doubtful faces, page 1 of 1" in doubted.words
    assert (
        picture(doubted)[8:104, 8:104, 0]
        == splits.train.images[3, ..., 0].repeat(2, 0).repeat(2, 1)
    ).all()


def test_without_a_second_opinion_the_box_is_an_error_in_words_and_the_page_says_so(splits):
    assert "no second opinion" in page(splits.train, dataset="rafdb").words
    with pytest.raises(
        CompanionError, match="no second opinion on the labels of RAF-DB. Untick the box"
    ):
        page(splits.train, dataset="rafdb", doubted=True)


def test_a_label_without_faces_is_said(splits):
    view = page(splits.train, emotion="surprise")
    assert not view.picture and "0 faces labelled surprise. Choose another label" in view.words


def test_pairs_kept_out_come_with_both_ids_labels_and_the_kind_of_copy(splits, verdict):
    pairs = kept_out_pairs(splits, verdict)
    assert [(pair.ids, pair.kind) for pair in pairs] == [
        (("demo-train-00000", "demo-test-00007"), "identical"),
        (("demo-train-00001", "demo-test-00008"), "mirrored"),
    ]
    assert pairs[0].emotions == ("anger", "disgust") and pairs[0].lines == (
        "anger | disgust",
        "identical, 1.000",
    )
    view = twin_page(pairs, dataset="demo_fer2013", kind=KEPT_OUT, page=1)
    assert "2 pairs" in view.words and "differ in 2 of these 2 pairs" in view.words
    shown = picture(view)[8:104, 8:204, 0]
    assert (shown[:, :96] == shown[:, 100:]).all()  # the same picture, left and right of a gap


def test_the_most_alike_pairs_leave_out_what_the_gate_kept_out(splits, verdict):
    pairs = closest_admitted(splits, verdict, 5)
    assert len(pairs) == 5 and {pair.kind for pair in pairs} == {"admitted"}
    assert not {"demo-train-00000", "demo-train-00001"} & {pair.ids[0] for pair in pairs}
    assert [pair.correlation for pair in pairs] == sorted(
        (pair.correlation for pair in pairs), reverse=True
    )


def test_no_pairs_are_said(splits):
    assert (
        "0 pairs. Choose the other kind"
        in twin_page([], dataset="demo_fer2013", kind=KEPT_OUT, page=1).words
    )


@pytest.fixture(scope="module")
def drawn():
    """The smoke profile and one of its data sets, whose second opinions are known."""
    profile = load_profile("smoke")
    return profile, {"demo_fer2013": load_splits("demo_fer2013", profile)}


def test_each_touch_changes_the_page_and_a_mistake_is_said_below_the_controls(drawn, monkeypatch):
    monkeypatch.delenv("FER_HEADLESS", raising=False)
    profile, whole = drawn
    box = face_explorer(whole, profile)
    controls, status, shown = box.children
    by_label = {control.description: control for control in controls.children}
    seen = [shown.value]
    for label, value in (("split", "test"), ("label", "happy")):
        by_label[label].value = value
        assert shown.value not in seen and not status.value
        seen.append(shown.value)
    by_label["only labels that the second opinion contradicts"].value = True
    assert "emotion that was drawn" in shown.value or "0 doubtful faces" in shown.value


def test_without_a_reader_both_explorers_give_a_picture_with_its_words(drawn, monkeypatch):
    monkeypatch.setenv("FER_HEADLESS", "1")
    profile, whole = drawn
    nothing = Verdict(
        copies(
            whole["demo_fer2013"].train.select(slice(0)),
            [whole["demo_fer2013"].test],
            correlation=0.95,
        ).kept_out,
        0,
        0,
    )
    for view in (
        face_explorer(whole, profile),
        twin_explorer(whole, {"demo_fer2013": nothing}, profile),
    ):
        assert view.picture[1:4] == b"PNG" and view.alt.startswith("Demo faces after FER2013")
    assert ADMITTED in view.words  # nothing was kept out, so the other kind comes first


def test_pairs_kept_out_come_first_where_there_are_any(drawn, monkeypatch):
    monkeypatch.setenv("FER_HEADLESS", "1")
    profile, whole = drawn
    test, train = whole["demo_fer2013"].test, whole["demo_fer2013"].train
    row = {
        "id": train.ids[0],
        "origin": "",
        "emotion": "",
        "kind": KINDS[0],
        "correlation": 1.0,
        "twin": test.ids[0],
        "twin_origin": "",
        "twin_emotion": "",
    }
    found = Verdict(pd.DataFrame([row], columns=list(COLUMNS)), 1, 1)
    view = twin_explorer(whole, {"demo_fer2013": found}, profile)
    assert f"{KEPT_OUT}: 1 pair," in view.words
