"""The explorers over networks and generators: what they show, how they follow a reader, and how
they say no."""

import html
import io
import re
from datetime import datetime

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from sklearn.metrics import balanced_accuracy_score

from fer_utils import figures, widgets
from fer_utils.balancing.controls import Run
from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.errors import CompanionError
from fer_utils.core.profiles import load_profile
from fer_utils.datasets import prepare_splits, stored_splits
from fer_utils.evaluation import all_predictions
from fer_utils.evaluation.priors import trained_shares
from fer_utils.figures.curves import CURVE_COLOURS, Curves
from fer_utils.training import HISTORY, WEIGHTS, predict, write_csv, write_predictions
from fer_utils.training.photos import Reading, read_faces
from fer_utils.training.resemotenet import ResEmoteNet, save_weights
from fer_utils.training.trained import read_trained
from fer_utils.widgets import confusion, curves, photo, playground
from fer_utils.widgets.explorer import Explorer, Several
from fer_utils.widgets.kept import Kept
from fer_utils.widgets.matrix import EVERY_CELL, Matrix, cell_colours, luminance
from fer_utils.widgets.runs import finished_runs

SETTINGS = [
    "data.sets=[demo_fer2013]",
    "data.scale=0.001",
    "data.evaluation_scale=0.02",
    "gate.enabled=false",
    "balancing.levels=[original, aug1]",
    "controls.names=[]",
    "network.width=0.0625",
    "network.head_width=0.0",
    "network.image_size=32",
    "training.seeds=[0, 1]",
    "training.max_epochs=4",
]
DATASET = "demo_fer2013"
RUNS = [Run(DATASET, level, seed) for level in ("original", "aug1") for seed in (0, 1)]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A profile whose four runs are there: untrained networks, what they really say, and a history
    each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FER_ROOT", str(tmp_path_factory.mktemp("finished")))
        patch.delenv("FER_HEADLESS", raising=False)
        # whose trainings stop early and lower their rate at a plateau
        profile = load_profile("demo_recipes", SETTINGS)
        test = prepare_splits(DATASET, profile).test
        for number, run in enumerate(RUNS):
            torch.manual_seed(number)
            model = ResEmoteNet(0.0625, image_size=32).eval()
            save_weights(model, run.folder(profile) / WEIGHTS, channels=1)
            write_predictions(run.folder(profile), test, predict(model, test, device="cpu"))
            write_csv(history(4 - number % 2), run.folder(profile) / HISTORY)
        yield profile


@pytest.fixture
def predictions(finished):
    return all_predictions(finished)


@pytest.fixture
def headless(monkeypatch):
    monkeypatch.setenv("FER_HEADLESS", "1")


def history(epochs, losses=(2.0, 1.5, 1.7, 1.6), rates=(0.1, 0.1, 0.1, 0.01)):
    return pd.DataFrame(
        {
            "epoch": range(1, epochs + 1),
            "learning_rate": rates[:epochs],
            "train_loss": losses[:epochs],
            "train_accuracy": [10.0, 20, 30, 40][:epochs],
            "validation_loss": losses[:epochs],
            "validation_accuracy": [10.0, 25, 20, 28][:epochs],
        }
    )


def living(monkeypatch, module, make):
    """The Explorer behind a function that returns its box."""
    made = []
    monkeypatch.setattr(
        module,
        "explore",
        lambda draw, controls, **options: made.append(
            Explorer(
                draw, {name: control.widget() for name, control in controls.items()}, **options
            )
        ),
    )
    make()
    return made[0]


def pixels(view):
    return np.asarray(Image.open(io.BytesIO(view.picture)).convert("RGB"))


def shown(explorer):
    return html.unescape(re.sub(r'src="[^"]*"', "", explorer.shown.value))


# What all share


def test_what_was_made_is_kept_until_newer_things_push_out_the_one_not_asked_for_longest():
    kept, made = Kept(2), []

    def make(thing):
        return lambda: made.append(thing) or thing

    for thing in ("a", "b", "a", "c", "a", "b"):
        assert kept.get(thing, make(thing)) == thing
    assert made == ["a", "b", "c", "b"]
    with pytest.raises(ZeroDivisionError):
        kept.get("d", lambda: 1 / 0)
    assert "d" not in kept and "b" in kept


def test_several_values_begin_with_all_or_with_those_named_and_come_as_a_tuple():
    assert Several("seeds", [0, 1, 2]).first == (0, 1, 2)
    control = Several("sets", [("Original", "original"), ("Aug. 1", "aug1")], ["aug1"])
    widget = control.widget()
    assert control.first == widget.value == ("aug1",)
    widget.value = ("original", "aug1")
    assert widget.value == ("original", "aug1")


def test_only_runs_with_a_history_count_as_finished(finished):
    assert finished_runs(finished) == RUNS
    moved = RUNS[1].folder(finished) / HISTORY
    moved.rename(moved.with_suffix(".away"))
    try:
        assert finished_runs(finished) == [RUNS[0], *RUNS[2:]]
    finally:
        moved.with_suffix(".away").rename(moved)
    with pytest.raises(CompanionError, match="no finished training.*reproduce --profile demo"):
        finished_runs(load_profile("demo", ["data.seed=1"]))


# Notebook 05: curves


def test_a_run_is_described_by_the_epochs_that_decided_it(finished):
    long, short = (curves.run_curves(run, finished) for run in RUNS[:2])
    assert (long.kept, list(long.lowered), long.stopped) == (2, [4], False)
    assert (short.kept, list(short.lowered), short.stopped) == (2, [], True)
    budget = load_profile("demo", [*SETTINGS, "training.updates=100"])
    write_csv(
        history(4, losses=(2.0, 1.5, 1.7, 1.6), rates=(0.1, 0.07, 0.04, 0.01)),
        RUNS[0].folder(budget) / HISTORY,
    )
    found = curves.run_curves(RUNS[0], budget)
    assert (found.kept, list(found.lowered), found.stopped) == (4, [], False)


def test_marks_stand_at_the_plateau_at_the_kept_epoch_and_at_the_early_end(finished):
    run = Curves("Aug. 1", 1, history(3, rates=(0.1, 0.1, 0.01)), kept=2, lowered=[3], stopped=True)
    figure = figures.compared_curves([run], measures=["loss"], parts=["validation"])
    marks = {
        line.get_marker(): line.get_xydata().tolist()
        for line in figure.axes[0].lines
        if line.get_marker() != "None"
    }
    assert marks == {"o": [[2, 1.5]], "v": [[3, 1.7]], "|": [[3, 1.7]]}
    assert figure.axes[0].lines[0].get_ydata().tolist() == [2.0, 1.5, 1.7]


def test_more_sets_than_colours_are_refused_in_words():
    many = [
        Curves(f"set {number}", 0, history(2), kept=1) for number in range(len(CURVE_COLOURS) + 1)
    ]
    with pytest.raises(CompanionError, match="9 training sets.*Choose fewer"):
        figures.compared_curves(many)


def test_without_a_reader_a_run_stands_beside_original_of_the_same_seed(finished, headless):
    view = widgets.curve_explorer(finished, dataset=DATASET, level="aug1", seed=1)
    assert re.findall(r"(Original|Aug. 1), seed (\d): (stopped early|ran all)", view.words) == [
        ("Original", "1", "stopped early"),
        ("Aug. 1", "1", "stopped early"),
    ]
    assert pixels(view).std() > 0 and "Aug. 1 with seed 1" in view.alt


def test_the_curves_follow_the_lists_and_an_empty_choice_is_explained(finished, monkeypatch):
    explorer = living(
        monkeypatch,
        curves,
        lambda: widgets.curve_explorer(finished, dataset=DATASET, level="aug1", seed=0),
    )
    explorer.controls["seeds"].value = (0, 1)
    assert shown(explorer).count("kept are the weights of epoch 2") == 4
    explorer.controls["measure"].value = "both"
    assert "loss and accuracy over epochs of Original with seed 0" in shown(explorer)
    explorer.controls["levels"].value = ()
    assert (
        "Choose at least one training set" in explorer.status.value
        and "Aug. 1, seed 1" in explorer.status.value
    )


# Notebook 06: the confusion matrix


def test_every_number_can_be_read_on_its_colour():
    for rate in np.linspace(0, 1, 201):
        background, text = cell_colours(rate)
        light, dark = sorted(
            (
                luminance([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
                for colour in (background, text)
            ),
            reverse=True,
        )
        assert (light + 0.05) / (dark + 0.05) >= 4.5, rate


def test_the_buttons_carry_counts_or_shares_and_a_pressed_one_is_the_value():
    counts = np.zeros((7, 7), int)
    counts[2, 6], counts[2, 2] = 30, 10
    control = Matrix("press", (2, 6))
    widget = control.widget()
    control.paint(counts, shares=False)
    assert (control.first, widget.value, widget.buttons[2, 6].description) == ((2, 6), (2, 6), "30")
    assert widget.buttons[2, 6].tooltip == "fear read as surprise: 30 of 40 faces (75%)"
    control.paint(counts, shares=True)
    assert (
        widget.buttons[2, 6].description,
        widget.buttons[2, 2].description,
        widget.buttons[0, 0].description,
    ) == ("75%", "25%", "0%")
    widget.buttons[2, 2].click()
    assert widget.value == (2, 2)
    assert [cell for cell in EVERY_CELL if widget.buttons[cell].layout is widget.chosen] == [(2, 2)]


def test_answers_are_those_of_one_run_in_the_order_of_the_test_faces(finished, predictions):
    test = stored_splits(DATASET, finished).test
    answers = confusion.answers_of(RUNS[2], predictions.sample(frac=1, random_state=0), test)
    own = read_trained(RUNS[2].folder(finished), finished).model
    np.testing.assert_allclose(answers.probabilities, predict(own, test, device="cpu"), atol=1e-5)
    assert (
        answers.counts.sum() == len(test)
        and (answers.counts.sum(1) == list(test.counts().values())).all()
    )
    with pytest.raises(CompanionError, match="no predictions of .*seed 7"):
        confusion.answers_of(Run(DATASET, "aug1", 7), predictions, test)
    with pytest.raises(CompanionError, match="Run stage 05 again"):
        confusion.answers_of(RUNS[0], predictions, test.select(slice(0, 5)))


def fullest(answers):
    return tuple(map(int, np.unravel_index(answers.counts.argmax(), (7, 7))))


def test_a_cell_shows_its_own_faces_the_surest_first_with_the_second_opinion(finished, predictions):
    test = stored_splits(DATASET, finished).test
    answers = confusion.answers_of(
        RUNS[0], predictions, test, np.where(np.arange(len(test)) % 2, test.labels, -1)
    )
    label, answer = fullest(answers)
    found = answers.behind(label, answer)
    view = confusion.cell_view(answers, (label, answer), finished)
    first = np.repeat(np.repeat(test.images[found[0]], 2, 0), 2, 1).repeat(3, 2)
    np.testing.assert_array_equal(pixels(view)[8:104, 8:104], first)
    agreeing = (found % 2 == 1).sum()
    assert f"{EMOTIONS[label]} read as {EMOTIONS[answer]}: {len(found)} of" in view.words
    assert f"{agreeing} of {len(found)}" in view.words
    lines, warned = confusion._lines(answers, found[0], (label, answer))
    assert (
        test.ids[found[0]].endswith(lines[0])
        and f"{answers.probabilities[found[0], answer]:.0%}" in lines[1]
    )
    assert lines[-1] == ("drawn: none" if found[0] % 2 == 0 else f"drawn: {EMOTIONS[label]}")
    assert bool(warned) == (found[0] % 2 == 0)


def test_an_empty_cell_says_so(finished, predictions):
    answers = confusion.answers_of(RUNS[0], predictions, stored_splits(DATASET, finished).test)
    empty = tuple(map(int, np.argwhere(answers.counts == 0)[0]))
    view = confusion.cell_view(answers, empty, finished)
    assert view.picture == b"" and "no face to show" in view.words


def test_without_a_reader_the_most_confused_pair_is_shown(finished, predictions, headless):
    view = widgets.confusion_explorer(predictions, finished, level="aug1")
    answers = confusion.answers_of(RUNS[2], predictions, stored_splits(DATASET, finished).test)
    label, answer = confusion.most_confused(answers.probabilities, answers.faces.labels)
    assert (
        f"Aug. 1, seed 0: {EMOTIONS[label]} read as {EMOTIONS[answer]}" in view.alt
        and len(view.picture) > 1000
    )


def test_numbers_and_colours_follow_the_chosen_run(finished, predictions, monkeypatch):
    explorer = living(
        monkeypatch,
        confusion,
        lambda: widgets.confusion_explorer(predictions, finished, level="aug1"),
    )
    matrix, test = explorer.controls["cell"], stored_splits(DATASET, finished).test
    for run in (RUNS[2], RUNS[1]):
        explorer.controls["level"].value, explorer.controls["seed"].value = run.level, run.seed
        counts = confusion.answers_of(run, predictions, test).counts
        assert [matrix.buttons[cell].description for cell in EVERY_CELL] == [
            str(counts[cell]) for cell in EVERY_CELL
        ]
        assert (
            matrix.buttons[fullest(confusion.answers_of(run, predictions, test))].style.button_color
            != "#f7fbff"
        )
    pressed = fullest(confusion.answers_of(RUNS[1], predictions, test))
    matrix.buttons[pressed].click()
    assert f"{EMOTIONS[pressed[0]]} read as {EMOTIONS[pressed[1]]}" in shown(explorer)


def test_the_slider_reads_the_answers_for_equal_class_shares_and_says_what_that_does(
    finished, predictions, monkeypatch
):
    explorer = living(
        monkeypatch,
        confusion,
        lambda: widgets.confusion_explorer(predictions, finished, level="original"),
    )
    run = Run(DATASET, "original", explorer.controls["seed"].value)
    answers = confusion.answers_of(run, predictions, stored_splits(DATASET, finished).test)
    explorer.controls["strength"].value = 1.0
    read = answers.read_for_equal_shares(trained_shares(run, finished), 1.0)
    matrix = explorer.controls["cell"]
    assert [matrix.buttons[cell].description for cell in EVERY_CELL] == [
        str(read.counts[cell]) for cell in EVERY_CELL
    ]
    labels = answers.faces.labels
    expected = balanced_accuracy_score(labels, read.probabilities.argmax(1))
    assert f"balanced accuracy <b>{expected:.1%}</b>" in shown(explorer)
    explorer.controls["strength"].value = 0.0
    assert "to the power of" not in shown(explorer)


def test_the_evidence_is_laid_over_the_faces_and_its_network_read_once(
    finished, predictions, monkeypatch
):
    loaded, load = [], confusion.load_model
    monkeypatch.setattr(
        confusion,
        "load_model",
        lambda folder, profile: loaded.append(folder) or load(folder, profile),
    )
    explorer = living(
        monkeypatch,
        confusion,
        lambda: widgets.confusion_explorer(predictions, finished, level="aug1"),
    )
    said = []
    explorer.status.observe(lambda change: said.append(change["new"]), names="value")
    plain = explorer.shown.value
    for kind in ("HiResCAM", "Grad-CAM", "none"):
        explorer.controls["overlaid"].value = kind
        assert (explorer.shown.value == plain) == (kind == "none")
    assert loaded == [RUNS[2].folder(finished)]
    assert any("reading the weights" in text for text in said) and any(
        "HiResCAM of" in text for text in said
    )


# Notebook 06: a photo


def upload(name, data):
    return (
        {
            "name": name,
            "type": "image/png",
            "size": len(data),
            "content": memoryview(data),
            "last_modified": datetime(2026, 1, 1),
        },
    )


@pytest.fixture(scope="module")
def portrait(finished, tmp_path_factory):
    """A test face as a wide photo."""
    face = Image.fromarray(stored_splits(DATASET, finished).test.images[3][..., 0])
    path = tmp_path_factory.mktemp("photo") / "a <wide> photo.png"
    face.resize((300, 200)).save(path)
    return path


def test_an_uploaded_photo_is_read_as_the_command_line_reads_it(finished, portrait, monkeypatch):
    explorer = living(monkeypatch, photo, lambda: widgets.photo_explorer(finished))
    explorer.controls["run"].value = RUNS[3]
    explorer.controls["photo"].value = upload(portrait.name, portrait.read_bytes())
    trained = read_trained(RUNS[3].folder(finished), finished)
    [reading] = read_faces([portrait], trained, crop=False, device="cpu")
    said = ", ".join(f"{name} {share:.1%}" for name, share in reading.ranked())
    assert f"a <wide> photo.png, read as: {said}." in shown(explorer)
    assert "300x200 pixels stretched to a square." in shown(
        explorer
    ) and "learnt from drawn faces alone" in shown(explorer)


@pytest.mark.parametrize("data", [b"no image", None])
def test_a_photo_that_cannot_be_read_is_named_and_the_last_view_stays(
    finished, portrait, monkeypatch, data
):
    explorer = living(monkeypatch, photo, lambda: widgets.photo_explorer(finished))
    before = explorer.shown.value
    explorer.controls["photo"].value = upload("holiday.png", data or portrait.read_bytes()[:1000])
    assert "holiday.png can't be read as an image" in html.unescape(explorer.status.value)
    assert explorer.shown.value == before


def test_before_any_upload_and_without_a_reader_a_test_face_is_read(finished, headless):
    view, test = widgets.photo_explorer(finished), stored_splits(DATASET, finished).test
    own = predict(
        read_trained(RUNS[2].folder(finished), finished).model, test.select([0]), device="cpu"
    )[0]
    assert test.ids[0] in view.words and f"labelled {EMOTIONS[test.labels[0]]}" in view.words
    assert f"test face {test.ids[0]}, read as: {EMOTIONS[own.argmax()]} {own.max():.1%}" in view.alt


def test_the_bars_and_the_pictures_are_what_was_read_and_seen(finished):
    trained = read_trained(RUNS[0].folder(finished), finished)
    image = stored_splits(DATASET, finished).test.images[0]
    drawn = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            photo.figures,
            "read_photo",
            lambda pictures, p: drawn.update(pictures=pictures, p=p) or figures_bars(pictures, p),
        )
        reading = Reading(RUNS[0].folder(finished), image, np.eye(7, dtype=np.float32)[3], [])
        photo.photo_view(reading, trained, finished, evidence=True)
    assert [picture.shape for picture in drawn["pictures"].values()] == [
        (48, 48, 1),
        (32, 32, 1),
        (32, 32, 3),
    ]
    widths = [
        bar.get_width() for bar in figures_bars(drawn["pictures"], drawn["p"]).axes[-1].patches
    ]
    assert widths == [0, 0, 0, 100, 0, 0, 0]


figures_bars = figures.read_photo


# Notebook 03: the playground

TINY = load_profile(
    "demo", ["generators.sd3.steps=2", "generators.sd2.share=0.0", "generators.sd3.share=1.0"]
)


def drawn(steps=4, size=64):
    """Pictures that tell their step by their brightness."""
    brightness = np.arange(0, 250, 50, dtype=np.uint8)[: steps + 1, None, None, None]
    images = np.zeros((steps + 1, size, size, 3), np.uint8) + brightness
    return playground.Drawing(images, np.eye(7, dtype=np.float32)[[0, 3, 5, 5, 5][: steps + 1]])


@pytest.mark.parametrize(("part", "step"), [(0, 0), (0.4, 2), (0.5, 2), (1, 4)])
def test_the_slider_shows_the_picture_of_its_step(part, step):
    setting = playground.Setting("sd3", "A <sad> face", 1, 4, 4.0)
    view = playground.playground_view(drawn(), setting, TINY, part=part)
    assert (pixels(view)[20:250, 20:250] == 50 * step).all()
    assert (
        f"large is {f'step {step}' if step else 'noise'} of 4" in view.words
        and "&lt;sad&gt;" in view.words
    )
    assert "it reads sad, and it does so from step 2 on" in view.words


def test_a_setting_is_drawn_once_whatever_step_is_looked_at_and_progress_is_said(monkeypatch):
    calls = []

    def fake(pipeline, prompt, seed, *, steps, on_step, **rest):
        calls.append((pipeline, prompt, seed, steps))
        on_step(1)
        return drawn(4).images

    monkeypatch.setattr(playground, "_load", lambda generator, profile: generator)
    monkeypatch.setattr("fer_utils.synthesis.generators.trajectory.trajectory", fake)
    explorer = living(monkeypatch, playground, lambda: widgets.playground_explorer(TINY))
    said = []
    explorer.status.observe(lambda change: said.append(change["new"]), names="value")
    for part in (0, 50, 100):
        explorer.controls["part"].value = part
    assert len(calls) == 1
    explorer.controls["light"].value = "dim light"
    explorer.controls["seed"].value = 5
    assert [call[2] for call in calls] == [0, 0, 5] and "dim light" in calls[1][1]
    assert any("drawing: step 1 of 2" in text for text in said) and not explorer.status.value
    explorer.controls["template"].value = "face_with"  # says nothing of light
    explorer.controls["light"].value = "bright light"
    assert len(calls) == 4


def test_a_large_model_draws_only_where_it_is_allowed_to(monkeypatch):
    large = load_profile(
        "demo",
        [
            "generators.sd2.model=somebody/large",
            "generators.sd2.share=1.0",
            "generators.sd3.share=0.0",
        ],
    )
    loaded = []
    monkeypatch.setattr(playground, "_load", lambda generator, profile: loaded.append(generator))
    monkeypatch.setattr(
        "fer_utils.synthesis.generators.trajectory.trajectory", lambda *_, **__: drawn().images
    )
    explorer = living(monkeypatch, playground, lambda: widgets.playground_explorer(large))
    explorer.controls["emotion"].value = "sad"
    assert not loaded and "Not drawn yet" in shown(explorer) and "a sad man" in shown(explorer)
    explorer.controls["allowed"].value = True
    assert loaded == ["sd2"] and "fer-picture" in explorer.shown.value
    explorer.controls["allowed"].value = False
    assert "fer-picture" in explorer.shown.value  # what is drawn already may be looked at


def test_without_a_reader_a_face_comes_out_of_noise_and_the_judge_reads_it(headless):
    from fer_utils.synthesis.generators.making import judge_for

    view = widgets.playground_explorer(TINY, judge_for(TINY), emotion="surprise")
    assert "a surprised man" in html.unescape(view.words) and "In the face it reads" in view.words
    large = pixels(view)[8:264, 8:264]
    assert large.std() > 20 and "step 2 of 2" in view.alt


def test_the_steps_are_counted_while_a_trajectory_is_drawn():
    from fer_utils.synthesis.generators.loading import load_generator
    from fer_utils.synthesis.generators.trajectory import trajectory

    pipeline, done = load_generator("sd3", TINY), []
    setting = {"steps": 3, "guidance_scale": 4.0, "size": 64}
    images = trajectory(pipeline, "a happy man", 1, **setting, on_step=done.append)
    assert done == [1, 2, 3] and images.shape == (4, 64, 64, 3)
    np.testing.assert_array_equal(images, trajectory(pipeline, "a happy man", 1, **setting))
