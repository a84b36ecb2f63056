"""Prompts and targets put together by hand: what a reader's touch changes, what takes how long, and
what is refused."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.errors import CompanionError
from fer_utils.core.paths import notebooks_folder
from fer_utils.core.profiles import load_profile
from fer_utils.pages.readme import QUESTIONS
from fer_utils.pages.start import contents, places
from fer_utils.prompts import keywords, sample_prompts
from fer_utils.synthesis import Renderer
from fer_utils.tables.benchmarks import measured_rates
from fer_utils.widgets import (
    class_target,
    level_explorer,
    marked,
    prompt_explorer,
    prompt_view,
    target_view,
    token_words,
)
from fer_utils.widgets.levels import time_words

CHOSEN = {
    "emotion": "sad",
    "person": "woman",
    "decade": 50,
    "template": "portrait",
    "light": "dim light",
    "realism": "studio photo",
    "glasses": "with glasses",
    "generator": "sd2",
    "seed": 3,
}
REAL = dict(zip(EMOTIONS, (40, 5, 41, 72, 50, 48, 31)))
MACHINE = "Linux, 2 CPU cores"


class Drawn(Renderer):
    """A generator that gives gray squares and remembers what it was asked for."""

    def __init__(self, generator, profile):
        super().__init__(generator, profile)
        self.asked = []
        self.__dict__["pipeline"] = (
            Renderer("sd2", load_profile("smoke")).pipeline if generator == "sd2" else None
        )

    def draw(self, prompts, seeds):
        self.asked.append((prompts, seeds))
        return np.full((1, 64, 64, 3), 99, np.uint8), np.ones(1, bool)


@pytest.fixture(scope="module")
def sd2() -> Drawn:
    return Drawn("sd2", load_profile("smoke"))


def view_of(renderer, **changes):
    return prompt_view({"sd2": renderer}, **CHOSEN | changes)


def test_the_marked_words_are_the_keywords():
    for prompt in sample_prompts()["prompt"]:
        assert [
            word.lower()
            for word in re.findall("<mark>(.*?)</mark>", marked(prompt).replace("&#x27;", "'"))
        ] == keywords(prompt)
    assert marked("<b>a sad man") == "&lt;b&gt;a <mark>sad</mark> <mark>man</mark>"


def test_the_prompt_of_the_controls_is_shown_and_drawn_from_the_seed(sd2):
    view = view_of(sd2)
    prompt = "Portrait of a sad woman in her 50's with glasses, dim light, studio photo"
    assert sd2.asked[-1] == ([prompt], [3]) and prompt in view.alt
    assert "<mark>sad</mark> <mark>woman</mark>" in view.words and "from seed 3" in view.words
    assert view.picture[1:4] == b"PNG" and "no place" not in view.words
    assert view_of(sd2, emotion="fear").words != view.words


def test_a_reader_is_told_which_controls_a_template_leaves_out(sd2):
    assert (
        "no place for age and light and realism and glasses"
        in view_of(sd2, template="face_with").words
    )
    assert "A child's age is in no template" in view_of(sd2, person="girl").words


def test_own_words_take_the_place_of_the_composed_prompt_and_unknown_ones_are_named(sd2):
    view = view_of(sd2, own_words="  a sad zebra, soft light ")
    assert sd2.asked[-1][0] == ["a sad zebra, soft light"]
    assert "in pieces, as it did not learn them: zebra" in view.words
    assert "every word is one it knows" in token_words(
        "Angry expression on a kid, realistic photo", sd2.pipeline.tokenizer
    )
    assert "cut off" in token_words("sad " * 40, sd2.pipeline.tokenizer)


def test_a_model_that_is_not_shipped_waits_for_its_box():
    profile = load_profile("demo", ["generators.sd2.model=owner/large"])
    renderer = Drawn("sd3", profile)
    renderer.settings = profile.generators.sd2
    view = view_of(renderer)
    assert (
        not renderer.asked
        and not view.picture
        and "owner/large is no shipped model: tick the box" in view.words
    )


def test_only_profiles_with_such_a_model_have_the_box(monkeypatch):
    monkeypatch.delenv("FER_HEADLESS", raising=False)
    monkeypatch.setattr("fer_utils.widgets.prompts.Renderer", Drawn)
    found = {}
    for name in ("smoke", "paper"):
        controls, status, _ = prompt_explorer(load_profile(name)).children
        found[name] = [control.description for control in controls.children]
        assert not status.value
    assert [name for name in found["paper"] if name not in found["smoke"]][-1].startswith(
        "draw with a large model"
    )


def test_a_face_of_the_shipped_generator_changes_with_the_emotion(monkeypatch):
    monkeypatch.delenv("FER_HEADLESS", raising=False)
    controls, status, shown = prompt_explorer(load_profile("smoke"), emotion="sad").children
    before, emotion = shown.value, controls.children[0]
    emotion.value = "happy"
    assert not status.value and "<mark>happy</mark>" in shown.value
    assert re.search('src="(.*?)"', shown.value)[1] != re.search('src="(.*?)"', before)[1]


def test_a_generator_that_is_not_there_is_said_in_words(monkeypatch):
    monkeypatch.delenv("FER_HEADLESS", raising=False)
    profile = load_profile("smoke", ["generators.sd2.model=trained-here"])
    controls, status, shown = prompt_explorer(profile).children
    assert "tick the box" in shown.value
    controls.children[-1].value = True
    assert 'role="alert"' in status.value and "holds no model yet" in status.value


def test_a_target_is_real_images_then_those_of_the_pool_then_new_ones():
    found = class_target(REAL, dict.fromkeys(EMOTIONS, 30), 80, load_profile("demo"))
    assert found.pool["happy"] == 8 and found.new["happy"] == 0
    assert found.pool["disgust"] == 30 and found.new["disgust"] == 45
    assert all(REAL[name] + found.pool[name] + found.new[name] == 80 for name in EMOTIONS)
    assert sum(found.made_by.values()) == sum(found.new.values()) and set(found.made_by) == {
        "sd2",
        "sd3",
    }
    assert found.synthetic == 80 * 7 - sum(REAL.values())


def test_a_target_under_the_largest_class_is_refused_in_words():
    with pytest.raises(
        CompanionError,
        match="71 images per class are fewer than the 72 real ones of happy.*Choose 72 or more",
    ):
        class_target(REAL, {}, 71, load_profile("demo"))


def test_the_time_follows_from_the_measured_rates_and_says_whence_they_are():
    profile = load_profile("demo")
    words = time_words({"sd2": 7200, "sd3": 3600}, {"sd2": 2.0, "sd3": 0.5}, MACHINE, profile)
    assert "3.0 hours" in words and MACHINE in words and "synthesis.csv" in words
    assert "0.5 seconds" in time_words({"sd2": 1}, {"sd2": 2.0}, MACHINE, profile)
    assert "10.0 minutes" in time_words({"sd2": 1200}, {"sd2": 2.0}, MACHINE, profile)
    assert "plan --profile demo" in time_words({"sd2": 1, "sd3": 1}, {"sd2": 2.0}, MACHINE, profile)
    assert time_words({}, {}, "", profile) == "Nothing has to be made."


def test_the_rates_are_the_benchmarks_and_only_for_settings_that_it_measured(project):
    assert measured_rates(load_profile("demo")) == ({}, "")
    folder = project / "tables" / "benchmarks"
    folder.mkdir(parents=True)
    pd.DataFrame(
        {
            "case": ["sd2: make_pool", "sd3: make_pool"],
            "images_per_second": [24.0, 21.0],
            "machine": MACHINE,
        }
    ).to_csv(folder / "synthesis.csv", index=False)
    assert measured_rates(load_profile("demo")) == ({"sd2": 24.0, "sd3": 21.0}, MACHINE)
    assert measured_rates(load_profile("demo", ["generators.sd3.steps=30"])) == (
        {"sd2": 24.0},
        MACHINE,
    )
    assert measured_rates(load_profile("paper")) == ({}, MACHINE)


def test_the_bars_and_their_words_change_with_the_slider_and_the_data_set(project, monkeypatch):
    monkeypatch.delenv("FER_HEADLESS", raising=False)
    # 15,000 images a class at the paper's scale are 300 here
    profile = load_profile("demo", ["data.scale=0.02"])
    counts = {"demo_fer2013": REAL, "demo_rafdb": dict(zip(EMOTIONS, (14, 14, 6, 95, 50, 40, 26)))}
    manifest = pd.DataFrame({"emotion": np.repeat(EMOTIONS, 295)})
    controls, status, shown = level_explorer(counts, manifest, profile).children
    dataset, target = controls.children
    assert (target.min, target.value, target.max) == (
        72,
        300,
        600,
    ) and "<b>0</b> would have to be made" in shown.value
    target.value = 400
    assert "400 images of each emotion" in shown.value and "<b>0</b>" not in shown.value
    dataset.value = "demo_rafdb"
    assert "Demo faces after RAF-DB" in shown.value
    target.value = 80
    assert "fewer than the 95 real ones of happy" in status.value


def test_without_a_reader_the_target_is_a_picture_in_words(project):
    view = target_view(
        {"demo_fer2013": REAL},
        {"demo_fer2013": {}},
        load_profile("demo"),
        dataset="demo_fer2013",
        target=100,
    )
    assert view.picture[1:4] == b"PNG" and f"{700 - sum(REAL.values()):,} to be made" in view.alt


def test_the_start_notebook_links_every_other_one_with_its_question():
    others = {path.stem for path in notebooks_folder().glob("*.ipynb")} - {"00_start_here"}
    assert others == set(QUESTIONS)
    assert set(re.findall(r"\]\((\S+?)\.ipynb\)", contents().data.replace("\\_", "_"))) == others
    assert all(question.endswith("?") for question, _ in QUESTIONS.values())


def test_the_start_notebook_draws_a_face_before_anything_else_and_needs_no_stage():
    notebook = json.loads((notebooks_folder() / "00_start_here.ipynb").read_text(encoding="utf-8"))
    code = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert code[2] == "widgets.prompt_explorer(profile, emotion=emotion)"
    assert not any("stored_" in text or "load_pool" in text for text in code)


def test_places_are_relative_to_the_project_and_follow_the_profile(project):
    assert (
        "`tables/demo`" in places(load_profile("demo")).data
        and "`runs/smoke/pool`" in places(load_profile("smoke")).data
    )
    assert str(project) not in places(load_profile("demo")).data
