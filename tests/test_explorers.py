"""How an explorer behaves under a reader's hand, and without one."""

import pytest

from fer_utils.core.errors import CompanionError
from fer_utils.widgets import Choice, Slider, Toggle, View, Words, explore
from fer_utils.widgets.explorer import Explorer


@pytest.fixture
def reader(monkeypatch):
    monkeypatch.delenv("FER_HEADLESS", raising=False)


CONTROLS = {
    "emotion": Choice("emotion", [("Fear", "fear"), ("Sad", "sad")], buttons=True),
    "faces": Slider("faces", 1, 9, 3),
}


def describe(emotion, faces):
    if faces == 9:
        raise CompanionError("There are <8> faces; choose fewer.")
    if faces == 8:
        raise KeyError("lost")
    return View(b"png", alt=f"{faces} faces", words=f"{faces} faces of {emotion}")


def explorer_of(draw=describe, controls=CONTROLS, **options):
    return Explorer(draw, {name: control.widget() for name, control in controls.items()}, **options)


def test_without_a_reader_the_view_of_the_first_values_is_shown_and_no_control_is_made(monkeypatch):
    monkeypatch.setenv("FER_HEADLESS", "1")
    assert explore(describe, CONTROLS) == View(b"png", alt="3 faces", words="3 faces of fear")


def test_a_touched_control_draws_the_view_of_all_values(reader):
    explorer = explorer_of()
    assert "3 faces of fear" in explorer.shown.value
    explorer.controls["emotion"].value = "sad"
    explorer.controls["faces"].value = 5
    assert "5 faces of sad" in explorer.shown.value and 'alt="5 faces"' in explorer.shown.value
    assert not explorer.status.value


def test_a_mistake_is_said_in_its_own_words_and_the_last_view_stays(reader):
    explorer = explorer_of()
    explorer.controls["faces"].value = 9
    assert (
        'role="alert"' in explorer.status.value
        and "&lt;8&gt; faces; choose fewer" in explorer.status.value
    )
    assert "3 faces of fear" in explorer.shown.value
    explorer.controls["faces"].value = 4
    assert not explorer.status.value and "4 faces" in explorer.shown.value


def test_an_unforeseen_error_is_shown_by_name_and_not_swallowed(reader, caplog):
    explorer = explorer_of()
    explorer.controls["faces"].value = 8
    assert "KeyError" in explorer.status.value and "lost" in explorer.status.value
    assert "An explorer failed" in caplog.text


def test_while_it_works_the_reader_is_told_so_and_by_the_function_how_far(reader):
    told = []

    def draw(faces, say):
        told.append(explorer.status.value if explorer else "")
        say("face 1 of 2")
        told.append(explorer.status.value if explorer else "")
        return View(words="done")

    explorer = None
    explorer = explorer_of(draw, {"faces": Slider("faces", 1, 9, 3)}, busy="drawing …")
    explorer.controls["faces"].value = 4
    assert "drawing …" in told[2] and "face 1 of 2" in told[3] and not explorer.status.value


def test_words_are_taken_as_they_are_typed_and_a_toggle_is_true_or_false(reader):
    explorer = explorer_of(
        lambda text, mirrored: View(words=f"{text} {mirrored}"),
        {"text": Words("prompt", "a face"), "mirrored": Toggle("mirrored")},
    )
    explorer.controls["text"].value, explorer.controls["mirrored"].value = "a sad face", True
    assert "a sad face True" in explorer.shown.value
