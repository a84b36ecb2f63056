"""Sets of the controls: equal counts, equal choices from run to run, and nothing of a validation or
test face."""

import json
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from fer_utils.balancing import (
    ALTERED,
    REPEATED,
    SHUFFLED,
    SYNTHETIC,
    assemble,
    balanced_index,
    controls,
    read_balanced_set,
)
from fer_utils.balancing.controls import (
    CONTROLS,
    RATIO_SWEEP,
    chosen_controls,
    control_index,
    control_sets_table,
    inverse_frequency,
    trained_sets,
    training_arguments,
    training_options,
    write_control_sets,
)
from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.errors import CompanionError
from fer_utils.core.faces import FaceSet
from fer_utils.core.profiles import load_profile
from fer_utils.core.recipes import RECIPE_SWITCHES
from fer_utils.datasets import unseen_faces
from fer_utils.datasets.gate import refuse_copies
from fer_utils.runner.freshness import ingredients
from fer_utils.runner.stages import STAGES, find_stage, units_of

COUNTS = (13, 2, 3, 16, 6, 4, 5)
LARGEST, PER_CLASS = max(COUNTS), 40
BALANCED = [
    name
    for name, control in CONTROLS.items()
    if control.balanced and not control.unseen and control.part == 1
]
MIXED = ["oversampling", "ratio_25", "ratio_50", "ratio_75"]
UNSEEN_ONES = [name for name, control in CONTROLS.items() if control.unseen]
IN_PART = [name for name, control in CONTROLS.items() if control.part < 1]
OF_A_BUDGET = [name for name, control in CONTROLS.items() if control.synthetic_first]
OF_NO_BUDGET = [
    name for name, control in CONTROLS.items() if control.updates_of_level or control.recipe
]


def faces(counts, split, seed) -> FaceSet:
    labels = np.repeat(np.arange(7), counts)
    images = np.random.default_rng(seed).integers(0, 256, (len(labels), 24, 24, 1), np.uint8)
    return FaceSet(
        images,
        labels,
        np.array([f"{split}-{i}" for i in range(len(labels))]),
        np.full(len(labels), split),
    )


@pytest.fixture
def train():
    return faces(COUNTS, "train", 0)


@pytest.fixture
def manifest():
    rows = [
        (f"{emotion}-{i:03d}", ("sd2", "sd3")[i % 2], emotion)
        for emotion in EMOTIONS
        for i in range(PER_CLASS)
    ]
    return pd.DataFrame(rows, columns=["id", "generator", "emotion"])


@pytest.fixture
def pool(manifest):
    labels = manifest["emotion"].map(EMOTIONS.index).to_numpy()
    return FaceSet(
        np.full((len(labels), 24, 24, 3), 99, np.uint8),
        labels,
        manifest["id"].to_numpy(str),
        manifest["generator"].to_numpy(str),
    )


@pytest.fixture
def profile(project):
    """Every control that drawn faces can have under the paper's recipe: a budget would refuse those
    that ask about updates or stopping, and without one there are no halves of it."""
    return load_profile("demo_recipes", [f"controls.names=[{', '.join(_with(OF_NO_BUDGET))}]"])


@pytest.fixture
def budget(project):
    """The same under a budget."""
    return load_profile("demo", [f"controls.names=[{', '.join(_with(OF_A_BUDGET))}]"])


def _with(names):
    return [
        name
        for name in CONTROLS
        if name in names or name not in (*UNSEEN_ONES, *OF_A_BUDGET, *OF_NO_BUDGET)
    ]


@pytest.fixture
def scores(manifest, monkeypatch):
    """A reader that agrees with three faces of four, and with one face of fear."""
    agrees = (manifest.index % 4 > 0) & (
        (manifest["emotion"] != "fear") | manifest["id"].str.endswith("-001")
    )
    table = manifest[["id"]].assign(predicted="sad", confidence=0.5, agrees=agrees)
    monkeypatch.setitem(
        sys.modules,
        "fer_utils.synthesis.quality",
        SimpleNamespace(read_scores=lambda dataset, profile: table),
    )
    return table


def index_of(name, profile, train, manifest):
    return control_index(CONTROLS[name], "demo_fer2013", profile, train=train, manifest=manifest)


def counts_of(index):
    return index["emotion"].value_counts().reindex(EMOTIONS, fill_value=0).tolist()


@pytest.mark.parametrize("name", BALANCED)
def test_every_balanced_control_has_the_class_counts_of_aug_1(
    name, profile, train, manifest, scores
):
    index = index_of(name, profile, train, manifest)
    aug1 = balanced_index(train, manifest, "aug1", profile)
    assert counts_of(index) == counts_of(aug1) == [LARGEST] * 7
    assert index["id"].is_unique and list(index.columns) == list(aug1.columns)


@pytest.mark.parametrize(
    "name", sorted(set(CONTROLS) - set(BALANCED) - set(UNSEEN_ONES) - set(IN_PART))
)
def test_the_other_controls_have_the_faces_of_original(name, profile, train, manifest):
    index = index_of(name, profile, train, manifest)
    assert index.equals(balanced_index(train, manifest, "original", profile))


def test_controls_follow_another_level_where_the_profile_asks(train, manifest, project):
    profile = load_profile(
        "demo", ["controls.names=[oversampling]", "controls.level=aug4", "data.scale=0.002"]
    )
    assert counts_of(index_of("oversampling", profile, train, manifest)) == [30] * 7


def test_the_choice_of_faces_depends_on_the_seed_but_not_on_the_order_of_the_manifest(
    profile, train, manifest, project
):
    shuffled = manifest.sample(frac=1, random_state=1)
    other = load_profile("demo", ["balancing.seed=5"])
    for name in ("oversampling", "geometric", "ratio_50", "sd2_only", "synthetic_only"):
        first = index_of(name, profile, train, manifest)
        assert first.equals(index_of(name, profile, train, shuffled))
        assert not first.equals(index_of(name, other, train, manifest)), name


def test_every_real_face_is_repeated_equally_often_but_one(profile, train, manifest):
    index = index_of("oversampling", profile, train, manifest)
    copied = index.loc[index["source"] == REPEATED, "id"].str.rpartition("+")[0]
    times = copied.value_counts().reindex(train.ids, fill_value=0)
    spread = times.groupby(train.labels).agg(lambda found: found.max() - found.min())
    assert (spread <= 1).all() and times.sum() == 7 * LARGEST - len(train)


def test_the_ratio_sweep_is_nested_and_ends_in_aug_1(profile, train, manifest):
    assert tuple(MIXED) == RATIO_SWEEP
    sets = [set(index_of(name, profile, train, manifest)["id"]) for name in MIXED]
    sets.append(set(balanced_index(train, manifest, "aug1", profile)["id"]))
    synthetic = [{name for name in ids if name in set(manifest["id"])} for ids in sets]
    repeated = [{name for name in ids if "+" in name} for ids in sets]
    assert all(less < more for less, more in zip(synthetic, synthetic[1:]))
    assert all(more > less for more, less in zip(repeated, repeated[1:]))
    missing = 7 * LARGEST - len(train)
    assert [round(100 * len(ids) / missing, -1) for ids in synthetic] == pytest.approx(
        [0, 25, 50, 75, 100], abs=5
    )


@pytest.mark.parametrize("generator", ["sd2", "sd3"])
def test_a_control_of_one_generator_holds_faces_of_no_other(generator, profile, train, manifest):
    index = index_of(f"{generator}_only", profile, train, manifest)
    used = index[index["source"] == SYNTHETIC].merge(manifest, on="id")
    assert set(used["generator"]) == {generator} and len(used) == 7 * LARGEST - len(train)


def test_the_filtered_control_holds_only_faces_the_reader_agrees_with_and_says_what_is_lacking(
    profile, train, manifest, scores
):
    index = index_of("filtered", profile, train, manifest)
    used = index.loc[index["source"] == SYNTHETIC, "id"]
    assert set(used) <= set(scores.loc[scores["agrees"], "id"])
    # fear has a single face it agrees with
    assert (index["source"] == REPEATED).sum() == LARGEST - COUNTS[2] - 1
    table = control_sets_table(
        {"demo_fer2013": {"filtered": index}}, {"demo_fer2013": train.counts()}, profile
    )
    assert table["lacking"].tolist() == [LARGEST - COUNTS[2] - 1] and table["faces"].tolist() == [
        7 * LARGEST
    ]


def test_synthetic_only_holds_no_real_face_and_is_smaller_where_the_pool_is(
    profile, train, manifest
):
    index = index_of("synthetic_only", profile, train, manifest)
    assert set(index["source"]) == {SYNTHETIC}
    few = manifest[manifest["id"].str[-3:].astype(int) < 5]
    assert counts_of(index_of("synthetic_only", profile, train, few)) == [5] * 7


def test_a_pool_without_any_face_of_the_kind_is_an_error_that_names_the_control(
    profile, train, manifest
):
    with pytest.raises(
        CompanionError, match=r"'sd2_only' finds no synthetic face.*controls\.names"
    ):
        index_of("sd2_only", profile, train, manifest.query("generator == 'sd3'"))


def test_altered_copies_are_other_pictures_of_the_same_label_and_equal_from_run_to_run(
    profile, train, manifest, pool
):
    index = index_of("geometric", profile, train, manifest)
    first, second = (assemble(index, train, pool, channels=1, size=24) for _ in range(2))
    assert np.array_equal(first.images, second.images) and first.images.dtype == np.uint8
    place = {name: number for number, name in enumerate(train.ids)}
    copies = index["source"].to_numpy(str) == ALTERED
    assert copies.sum() == 7 * LARGEST - len(train)
    for name, label, image in zip(first.ids[copies], first.labels[copies], first.images[copies]):
        original = place[name.rpartition("+")[0]]
        assert train.labels[original] == label and not np.array_equal(train.images[original], image)


def test_copies_are_made_of_training_faces_alone(profile, train, manifest, pool):
    held_out = faces((2,) * 7, "test", 9)
    index = index_of("geometric", profile, train, manifest)
    stolen = index.replace({"id": {index["id"].iloc[-1]: "test-13+1"}})
    with pytest.raises(CompanionError, match="1 altered faces.*stage 04"):
        assemble(stolen, train, pool, channels=1, size=24)
    refuse_copies(assemble(index, train, pool, channels=1, size=24), [held_out], profile)


@pytest.mark.parametrize("name", ["oversampling", "geometric"])
def test_a_control_set_with_a_test_face_is_refused_before_training(
    name, profile, train, manifest, pool
):
    place = int(np.flatnonzero(train.labels == 1)[0])
    held_out = FaceSet(
        train.images[place : place + 1, :, ::-1],
        train.labels[:1],
        np.array(["test-0"]),
        np.array(["test"]),
    )
    training = assemble(index_of(name, profile, train, manifest), train, pool, channels=1, size=24)
    with pytest.raises(CompanionError, match="pictures of the validation or test set"):
        refuse_copies(training, [held_out], profile)


def test_class_weights_are_the_inverse_frequency_and_an_image_counts_one_on_average(train):
    weights = np.array(inverse_frequency(train.counts()))
    assert weights * COUNTS == pytest.approx(np.full(7, sum(COUNTS) / 7))
    assert (weights * COUNTS).sum() / sum(COUNTS) == pytest.approx(1)
    assert inverse_frequency(train.counts() | {"fear": 0})[EMOTIONS.index("fear")] == 0


def test_written_controls_read_back_with_their_options(profile, train, manifest, scores):
    written = write_control_sets("demo_fer2013", profile, train=train, manifest=manifest)
    assert list(written) == [name for name in profile.controls.names if not CONTROLS[name].adjusted]
    for name, index in written.items():
        assert (
            read_balanced_set("demo_fer2013", name, profile).to_numpy().tolist()
            == index.to_numpy().tolist()
        )

    same, options = training_options("demo_fer2013", "oversampling", profile)
    assert same.values == profile.values and options == {}
    assert training_options("demo_fer2013", "aug1", profile) == (profile, {})
    assert training_options("demo_fer2013", "equal_updates", profile)[1] == {
        "images_per_epoch": 7 * LARGEST
    }
    weights = training_options("demo_fer2013", "class_weights", profile)[1]["class_weights"]
    assert list(weights.values()) == pytest.approx(inverse_frequency(train.counts()))


def test_options_become_weights_and_phases_of_the_faces_of_the_set(budget, train, manifest, scores):
    written = write_control_sets("demo_fer2013", budget, train=train, manifest=manifest)
    found = {
        name: training_arguments(training_options("demo_fer2013", name, budget)[1], index)
        for name, index in written.items()
    }
    assert found["oversampling"] == {} and set(found["class_weights"]) == set(
        found["half_weight"]
    ) == {"weights"}
    by_emotion = written["class_weights"]["emotion"].map(
        dict(zip(EMOTIONS, inverse_frequency(train.counts())))
    )
    assert found["class_weights"]["weights"] == pytest.approx(by_emotion.to_numpy())
    synthetic = (written["half_weight"]["source"] == SYNTHETIC).to_numpy()
    assert found["half_weight"]["weights"] == pytest.approx(
        np.where(synthetic, 0.5, 1.0)
    ) and 0 < synthetic.sum() < len(synthetic)
    assert (
        found["synthetic_first"]["phases"].tolist()
        == (written["synthetic_first"]["source"] != SYNTHETIC).astype(int).tolist()
    )


def test_halves_of_the_updates_are_refused_where_there_is_no_budget(project):
    with pytest.raises(
        CompanionError,
        match=r"'synthetic_first', but training\.recipe is paper: only the updates of a budget",
    ):
        chosen_controls(load_profile("demo_recipes", ["controls.names=[synthetic_first]"]))


def test_shuffled_labels_keep_every_face_and_every_count_and_part_faces_from_emotions(
    profile, train, manifest, pool
):
    index, aug1 = (
        index_of("shuffled", profile, train, manifest),
        balanced_index(train, manifest, "aug1", profile),
    )
    assert sorted(index["id"]) == sorted(aug1["id"])
    dealt = index[index["source"] == SHUFFLED].merge(manifest, on="id")
    assert (dealt["emotion_x"] == dealt["emotion_y"]).mean() < 0.5
    faces_of = assemble(index, train, pool, channels=1, size=24)
    assert [EMOTIONS[label] for label in faces_of.labels] == index["emotion"].tolist()


def real_part(share, *names):
    overrides = [
        f"controls.names=[{', '.join(names)}]",
        f"data.scale={share}",
        "data.sets=[fer2013]",
    ]
    return load_profile("fer2013_tenth", overrides)


@pytest.fixture
def unseen(monkeypatch):
    """Three times as many left-out faces as the training set has, but of disgust one."""
    found = faces((39, 1, 9, 48, 18, 12, 15), "unseen", 5)
    monkeypatch.setattr(controls, "unseen_faces", lambda dataset, profile: found)
    return found


def test_unseen_faces_take_the_place_of_synthetic_ones_and_a_class_without_enough_stays_smaller(
    train, manifest, unseen, project
):
    profile = real_part(0.1, *UNSEEN_ONES)
    index = control_index(CONTROLS["unseen"], "fer2013", profile, train=train, manifest=manifest)
    expected = [min(LARGEST, count + more) for count, more in zip(COUNTS, unseen.counts().values())]
    assert counts_of(index) == expected and expected[1] == 3
    assert set(index["source"]) == {"real", "unseen"} and set(
        index.loc[index["source"] == "unseen", "id"]
    ) <= set(unseen.ids)
    part = control_index(CONTROLS["unseen_25"], "fer2013", profile, train=train, manifest=manifest)
    assert set(part["id"]) < set(index["id"])


def test_unseen_faces_that_balance_nothing_come_in_the_proportions_of_the_training_set(
    train, manifest, unseen, project
):
    index = control_index(
        CONTROLS["unseen_natural"],
        "fer2013",
        real_part(0.1, *UNSEEN_ONES),
        train=train,
        manifest=manifest,
    )
    added = np.array(counts_of(index[index["source"] == "unseen"]))
    missing = 7 * LARGEST - sum(COUNTS)
    wanted = np.round(missing * np.array(COUNTS) / sum(COUNTS))
    assert added.tolist() == np.minimum(wanted, list(unseen.counts().values())).tolist()


def test_a_part_of_the_synthetic_faces_is_nested_in_all_of_them_and_nothing_makes_up_for_the_rest(
    profile, train, manifest
):
    quarter, half = (
        index_of(f"synthetic_{percent}", profile, train, manifest) for percent in (25, 50)
    )
    aug1 = balanced_index(train, manifest, "aug1", profile)
    assert set(quarter["id"]) < set(half["id"]) < set(aug1["id"])
    missing = 7 * LARGEST - len(train)
    assert len(half) - len(train) == pytest.approx(missing / 2, abs=4) and set(half["source"]) == {
        "real",
        SYNTHETIC,
    }


def test_drawn_faces_and_whole_data_sets_leave_no_face_unseen(project):
    with pytest.raises(CompanionError, match="leaves no real training face out"):
        unseen_faces("demo_fer2013", load_profile("demo"))
    with pytest.raises(CompanionError, match=r"data\.scale under 1"):
        unseen_faces("fer2013", load_profile("fer2013"))


@pytest.mark.parametrize(
    "control", [control for control in CONTROLS.values() if control.recipe], ids=lambda c: c.name
)
def test_a_recipe_control_changes_its_one_setting_and_no_other(
    control, profile, train, manifest, scores
):
    write_control_sets("demo_fer2013", profile, train=train, manifest=manifest)
    changed, options = training_options("demo_fer2013", control.name, profile)
    before, after = profile.values["training"], changed.values["training"]
    assert {key: after[key] for key in after if after[key] != before[key]} == RECIPE_SWITCHES[
        control.recipe
    ]
    assert options == {} and changed.values["network"] == profile.values["network"]


def test_options_that_were_not_written_name_the_stage_and_the_setting(project):
    with pytest.raises(CompanionError, match=r"stage 04.*'geometric' in controls\.names"):
        training_options("demo_fer2013", "geometric", load_profile("demo"))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["controls.names=[oversamplin]"], "did you mean 'oversampling'"),
        (["controls.names=[geometric]", "controls.level=aug5"], "did you mean 'aug"),
        (["controls.names=[geometric]", "controls.level=original"], "other than original"),
        (
            [
                "controls.names=[geometric]",
                "controls.level=aug2",
                "balancing.levels=[original, aug1]",
            ],
            "aug1",
        ),
    ],
)
def test_an_unknown_control_or_level_is_refused_with_the_nearest(overrides, message, project):
    with pytest.raises(CompanionError, match=message):
        chosen_controls(load_profile("demo", overrides))


def test_every_control_is_in_a_shipped_profile_and_paper_and_demo_have_none():
    in_group = {
        group: [name for name, control in CONTROLS.items() if control.group == group]
        for group in controls.GROUPS
    }
    # refuses what a budget makes idle
    named = {
        name: [control.name for control in chosen_controls(load_profile(name))]
        for name in ("demo_controls", "demo_recipes", "fer2013_paper_recipe", "fer2013_tenth")
    }
    assert named["demo_controls"] == in_group["balance"] + in_group["synthesis"]
    assert named["demo_recipes"] == in_group["recipe"]
    assert set(in_group["updates"]) < set(named["fer2013_paper_recipe"]) and set(
        in_group["oracle"]
    ) < set(named["fer2013_tenth"])
    for name in ("paper", "demo"):
        assert trained_sets(load_profile(name)) == [
            (level, load_profile(name).training.seeds)
            for level in load_profile(name).balancing.levels
        ]


def test_every_control_asks_one_question_under_its_own_title():
    for control in CONTROLS.values():
        assert control.answers.endswith("?") and control.group in controls.GROUPS
    assert len({control.title for control in CONTROLS.values()}) == len(CONTROLS)


def test_stage_5_trains_each_control_with_its_own_seeds_and_stage_4_promises_its_files(project):
    profile = load_profile(
        "demo", ["controls.names=[geometric, class_weights]", "controls.seeds=[4]"]
    )
    units = [unit.name for unit in units_of(STAGES, profile)]
    assert (
        units.count("05_training_demo_rafdb_geometric_4") == 1
        and "05_training_demo_rafdb_geometric_0" not in units
    )
    promised = {
        path.name
        for path in units_of([find_stage("balancing", STAGES)], profile)[0].outputs(profile)
    }
    assert {
        "demo_rafdb_geometric.csv",
        "demo_rafdb_class_weights.json",
        "demo_fer2013_aug1.csv",
    } <= promised


def test_a_set_named_to_have_fewer_seeds_is_trained_with_the_first_alone(project):
    profile = load_profile(
        "demo",
        [
            "controls.names=[geometric, oversampling]",
            "repetition.fewer=[aug2, geometric]",
            "training.seeds=[3, 4]",
            "controls.seeds=[4, 5]",
        ],
    )
    assert dict(trained_sets(profile)) == {
        "original": [3, 4],
        "aug1": [3, 4],
        "aug2": [3],
        "aug3": [3, 4],
        "aug4": [3, 4],
        "geometric": [4],
        "oversampling": [4, 5],
    }
    with pytest.raises(CompanionError, match=r"repetition\.fewer holds 'geometry'.*geometric"):
        trained_sets(load_profile("demo", ["repetition.fewer=[geometry]"]))


def test_table_and_figure_of_the_controls_are_promised_only_where_there_are_controls(project):
    for names, there in (("[]", False), ("[geometric]", True)):
        profile = load_profile("demo", [f"controls.names={names}"])
        shown = units_of([find_stage("evaluation", STAGES)], profile)[0].shown(profile)
        assert any("table_a2_controls" in path.name for path in shown) is there


def test_another_control_leaves_the_training_of_a_level_fresh(project, tmp_path):
    """What a training reads of stage 4 is its own set and options."""
    profile = load_profile("demo", ["controls.names=[geometric]"])
    stage = find_stage("balancing", STAGES)
    balancing = units_of([stage], profile)[0]
    trainings = {
        unit.parameters["level"]: unit
        for unit in units_of([find_stage("training", STAGES)], profile)
        if unit.parameters["dataset"] == "demo_rafdb"
    }
    notebook = tmp_path / "x.ipynb"
    notebook.write_text('{"cells": []}')

    def inputs_after(hashes):
        handed_on = {
            path.relative_to(project).as_posix(): "1" for path in balancing.outputs(profile)
        } | hashes
        record = {
            "finished": True,
            "ingredients": {},
            "handed_on": sorted(handed_on),
            "outputs": {name: {"sha256": value} for name, value in handed_on.items()},
        }
        folder = profile.paths.stages
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{balancing.name}.json").write_text(json.dumps(record))
        return {
            level: ingredients(unit, profile, notebook, [balancing])["input"]
            for level, unit in trainings.items()
        }

    sets = profile.paths.run.relative_to(project).as_posix() + "/sets/demo_rafdb_"
    before = inputs_after({})
    with_other_copies = inputs_after({f"{sets}geometric.csv": "2"})
    with_other_options = inputs_after({f"{sets}geometric.json": "2"})
    with_other_level = inputs_after({f"{sets}aug1.csv": "2"})
    for changed in (with_other_copies, with_other_options):
        assert changed["aug1"] == before["aug1"] and changed["geometric"] != before["geometric"]
    assert (
        with_other_level["aug1"] != before["aug1"]
        and with_other_level["geometric"] == before["geometric"]
    )
