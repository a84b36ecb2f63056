"""Tables III and IV and the confusion matrices say what the predictions say."""

import numpy as np
import pandas as pd
import pytest

from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.errors import CompanionError
from fer_utils.core.faces import FaceSet
from fer_utils.core.intervals import wilson_interval
from fer_utils.core.profiles import load_profile
from fer_utils.core.reference import read_reference
from fer_utils.evaluation import (
    all_predictions,
    class_accuracy,
    confusion_counts,
    confusion_rates,
    finished_predictions,
    read_predictions,
    table_3,
    table_4,
)
from fer_utils.training import write_predictions

PROFILE = load_profile("demo", ["balancing.levels=[original, aug4]"])


def run(dataset, level, seed, *, right, n):
    """Predictions with ``right[i]`` of ``n[i]`` images of emotion i right; the wrong ones say the
    next emotion."""
    rows = [
        (emotion, emotion if k < right[i] else EMOTIONS[(i + 1) % 7])
        for i, emotion in enumerate(EMOTIONS)
        for k in range(n[i])
    ]
    frame = pd.DataFrame(rows, columns=["emotion", "predicted"])
    return frame.assign(
        dataset=dataset, level=level, seed=seed, id=[f"{k}" for k in range(len(rows))]
    )


def faces_of(count):
    return FaceSet(
        np.zeros((count, 8, 8, 1), np.uint8),
        np.arange(count) % 7,
        np.array([f"{k:04d}" for k in range(count)]),
        np.full(count, "test"),
    )


def write_run(folder, *, count=14):
    faces = faces_of(count)
    write_predictions(folder, faces, np.eye(7, dtype=np.float32)[faces.labels])


def write_test_set(count):
    faces_of(count).save(PROFILE.paths.faces("demo_fer2013", "test"))


@pytest.fixture
def outputs(tmp_path, monkeypatch):
    monkeypatch.setenv("FER_ROOT", str(tmp_path))


# Newcombe: "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17
# (1998), 857-872, Table I, method 3.
@pytest.mark.parametrize(
    ("correct", "n", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_the_wilson_interval_agrees_with_newcombes_published_examples(correct, n, low, high):
    assert np.round(wilson_interval(correct, n, 0.95), 4).tolist() == [low, high]


def test_the_wilson_interval_of_no_images_is_unknown_not_an_error():
    assert np.isnan(wilson_interval(0, 0)).all()


def test_the_interval_narrows_with_less_confidence():
    assert wilson_interval(60, 74, 0.8)[0] > wilson_interval(60, 74, 0.95)[0]


def test_the_overall_accuracy_of_table_3_lies_where_its_rows_put_it_and_not_where_it_is_printed():
    printed = (
        read_reference("table_3")
        .query("dataset == 'FER2013' and level == 'original'")
        .set_index("emotion")
    )
    counts = (
        read_reference("test_counts")
        .query("dataset == 'FER2013' and split == 'test'")
        .set_index("emotion")
    )
    n = [int(counts["count"][emotion]) for emotion in EMOTIONS]
    right = [
        round(printed["accuracy"][emotion] / 100 * k)
        for emotion, k in zip(EMOTIONS, n, strict=True)
    ]
    overall = class_accuracy(run("fer2013", "original", 0, right=right, n=n), PROFILE).iloc[-1]
    assert (overall["emotion"], overall["n"]) == ("overall", 3589)
    assert 77.90 <= overall["accuracy"] <= 78.90 < printed["accuracy"]["overall"]


def test_accuracies_are_means_over_seeds_with_their_spread_and_the_interval_of_one_test_set():
    predictions = pd.concat(
        [
            run("demo_rafdb", "original", 0, right=[8] * 7, n=[10] * 7),
            run("demo_rafdb", "original", 1, right=[9] * 7, n=[10] * 7),
        ]
    )
    anger = class_accuracy(predictions, PROFILE).iloc[0]
    assert (anger["emotion"], anger["n"], anger["seeds"]) == ("anger", 10, 2)
    assert (anger["accuracy_seed_0"], anger["accuracy_seed_1"]) == (80, 90)
    assert anger["accuracy"] == pytest.approx(85)
    assert anger["sd"] == pytest.approx(np.std([80, 90], ddof=1))
    assert (anger["low"], anger["high"]) == pytest.approx(
        tuple(100 * x for x in wilson_interval(8.5, 10, 0.95))
    )


def test_the_overall_row_weights_each_image_alike():
    overall = class_accuracy(
        run("fer2013", "original", 0, right=[0, *[10] * 6], n=[30, *[10] * 6]), PROFILE
    ).iloc[-1]
    assert overall["accuracy"] == pytest.approx(100 * 60 / 90)


def test_an_emotion_without_test_images_has_no_accuracy():
    frame = class_accuracy(
        run("fer2013", "original", 0, right=[0, *[1] * 6], n=[0, *[2] * 6]), PROFILE
    )
    assert (
        frame.loc[0, "n"] == 0
        and np.isnan(frame.loc[0, ["accuracy", "low", "high"]].astype(float)).all()
    )
    assert frame["n"].iloc[-1] == 12


def test_runs_tested_on_different_images_are_refused():
    predictions = pd.concat(
        [
            run("fer2013", "original", 0, right=[1] * 7, n=[2] * 7),
            run("fer2013", "original", 1, right=[1] * 7, n=[3] * 7),
        ]
    )
    with pytest.raises(CompanionError, match="not tested on the same images"):
        class_accuracy(predictions, PROFILE)


def test_table_3_puts_the_printed_value_beside_ours():
    predictions = pd.concat(
        [
            run("demo_fer2013", "original", 0, right=[1] * 7, n=[2] * 7),
            run("demo_rafdb", "aug4", 0, right=[1] * 7, n=[2] * 7),
        ]
    )
    table = table_3(predictions, PROFILE).set_index(["dataset", "level", "emotion"])
    assert table.loc[("demo_fer2013", "original", "overall"), "paper"] == 79.79
    assert table.loc[("demo_rafdb", "aug4", "fear"), "paper"] == 98
    assert len(table) == 16 and (table["accuracy"] == 50).all()


def test_table_4_keeps_every_printed_cell_and_adds_two_labelled_rows():
    predictions = pd.concat(
        [
            run("demo_fer2013", "original", 0, right=[5] * 7, n=[10] * 7),
            run("demo_fer2013", "aug4", 0, right=[6] * 7, n=[10] * 7),
            run("demo_rafdb", "original", 0, right=[7] * 7, n=[10] * 7),
        ]
    )
    table = table_4(predictions, PROFILE)
    printed = read_reference("table_4")
    for cell in printed.itertuples():
        assert table.loc[cell.row - 1, ["method", cell.dataset]].tolist() == [
            cell.method,
            cell.accuracy,
        ]
    assert table.iloc[:-2][["FER2013", "RAF-DB"]].notna().sum().sum() == len(printed)
    without, with_augmentation = (table.iloc[i] for i in (-2, -1))
    assert without[["FER2013", "RAF-DB"]].tolist() == pytest.approx([50, 70])
    assert with_augmentation["FER2013"] == pytest.approx(60) and np.isnan(
        with_augmentation["RAF-DB"]
    )
    assert without["FER2013_low"] < 50 < without["FER2013_high"]
    assert (without["FER2013_n"], without["FER2013_seeds"]) == (70, 1)
    assert all(
        "demo faces" in text
        for row in (without, with_augmentation)
        for text in row[["method", "source"]]
    )


def test_confusion_rows_are_labels_and_seeds_are_summed():
    predictions = pd.concat(
        [run("fer2013", "aug1", seed, right=[3, *[4] * 6], n=[4] * 7) for seed in (0, 1)]
    )
    counts = confusion_counts(predictions, "fer2013", "aug1")
    assert counts[0, :2].tolist() == [6, 2] and counts.sum() == 56
    assert confusion_rates(counts)[0, :2].tolist() == [0.75, 0.25]


def test_rates_of_an_emotion_without_images_are_unknown_without_a_warning(recwarn):
    rates = confusion_rates(np.diag([0, *[2] * 6]))
    assert np.isnan(rates[0]).all() and rates[1, 1] == 1 and not recwarn.list


def test_a_confusion_matrix_of_a_level_that_was_not_run_names_those_that_were():
    with pytest.raises(CompanionError, match="aug2; there are: fer2013 original"):
        confusion_counts(run("fer2013", "original", 0, right=[1] * 7, n=[2] * 7), "fer2013", "aug2")


def test_predictions_of_all_runs_are_read_with_their_level_and_seed(outputs):
    for dataset in PROFILE.data.sets:
        for level in ("original", "aug4"):
            for seed in PROFILE.training.seeds:
                write_run(PROFILE.paths.model(dataset, level, seed))
    frame = all_predictions(PROFILE)
    assert len(frame) == 2 * 2 * 3 * 14
    assert list(frame.columns[:6]) == ["dataset", "level", "seed", "id", "emotion", "predicted"]
    assert frame["id"].iloc[1] == "0001" and (frame["emotion"] == frame["predicted"]).all()


def test_rows_that_are_missing_in_all_runs_alike_are_noticed_by_the_test_set(outputs):
    for level in PROFILE.balancing.levels:
        for seed in PROFILE.training.seeds:
            write_run(PROFILE.paths.model("demo_fer2013", level, seed), count=13)
    assert len(read_predictions("demo_fer2013", PROFILE)) == 6 * 13  # no test set is there
    write_test_set(13)
    assert len(read_predictions("demo_fer2013", PROFILE)) == 6 * 13
    write_test_set(14)
    with pytest.raises(
        CompanionError,
        match=r"original seed \d has answers for 13 test faces, "
        r"demo_fer2013_test.npz stands for 14; 13 of them are the same.*Rows are",
    ):
        read_predictions("demo_fer2013", PROFILE)


def test_answers_that_are_no_numbers_are_called_so(outputs):
    write_run(PROFILE.paths.model("demo_fer2013", "original", 0))
    path = PROFILE.paths.model("demo_fer2013", "original", 0) / "predictions.csv"
    whole = "0013,surprise,surprise,0.000000"
    path.write_text(path.read_text().replace(whole, "0013,surprise,surprise,"))
    with pytest.raises(CompanionError, match="probabilities of the face 0013 are no numbers: the"):
        finished_predictions(PROFILE)


def test_missing_runs_are_listed_with_the_command_that_makes_them(outputs):
    write_run(PROFILE.paths.model("demo_rafdb", "original", 0))
    with pytest.raises(CompanionError) as caught:
        read_predictions("demo_rafdb", PROFILE)
    message = str(caught.value)
    assert (
        "5 training runs" in message
        and "original seed 1, original seed 2, aug4 seed 0, aug4 seed 1" in message
    )
    assert (
        "python -m fer_utils reproduce --profile demo --set 'balancing.levels=[original, aug4]'"
        in message
    )


def test_levels_that_are_there_can_be_read_while_others_are_missing(outputs):
    for seed in PROFILE.training.seeds:
        write_run(PROFILE.paths.model("demo_rafdb", "original", seed))
    frame = read_predictions("demo_rafdb", PROFILE, levels=["original"])
    assert set(frame["level"]) == {"original"} and len(table_3(frame, PROFILE)) == 8


def test_a_misspelt_level_is_refused_with_the_nearest(outputs):
    with pytest.raises(CompanionError, match="did you mean 'aug4'"):
        read_predictions("demo_rafdb", PROFILE, levels=["aug_4"])


def test_a_truncated_predictions_file_is_refused_with_its_path(outputs):
    path = PROFILE.paths.model("demo_rafdb", "original", 0) / "predictions.csv"
    for seed in PROFILE.training.seeds:
        write_run(PROFILE.paths.model("demo_rafdb", "original", seed))
    path.write_text(path.read_text()[:200])
    with pytest.raises(CompanionError, match="predictions.csv is not a table of predictions"):
        read_predictions("demo_rafdb", PROFILE, levels=["original"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: "", "No columns to parse"),
        (
            lambda text: text.replace("0003,happy,happy", "0003,joy,happy"),
            "it names the emotion 'joy'; expected anger",
        ),
        (
            lambda text: text.replace("0003,happy,happy", "0003,happy,contempt"),
            "it names the emotion 'contempt'",
        ),
        (lambda text: text.replace("0004,", "0003,", 1), "two answers for the face 0003"),
        (
            lambda text: text.replace("0003,happy,happy", "0003,happy,sad"),
            "the face 0003 is called sad, which is not its most",
        ),
        (
            lambda text: text.replace("1.000000", "7.5", 1),
            "the face 0000 has a probability outside of 0 to 1",
        ),
        (lambda text: text.replace("1.000000", "high", 1), "could not convert string to float"),
        (
            lambda text: text.replace("0013,", "0014,"),
            "has answers for 14 test faces, .*for 14; 13 of them are the same",
        ),
        (
            lambda text: text.replace("0013,surprise,", "0013,anger,"),
            "13 of them are the same with the same label",
        ),
        (
            lambda text: "".join(text.splitlines(keepends=True)[:-1]),
            "seed 0 has answers for 13 test faces, .* seed . for 14",
        ),
    ],
)
def test_answers_that_no_network_gave_are_refused_with_the_face(outputs, change, message):
    for seed in PROFILE.training.seeds:
        write_run(PROFILE.paths.model("demo_rafdb", "original", seed))
    path = PROFILE.paths.model("demo_rafdb", "original", 0) / "predictions.csv"
    changed = change(path.read_text())
    assert changed != path.read_text()
    path.write_text(changed)
    with pytest.raises(CompanionError, match=message):
        read_predictions("demo_rafdb", PROFILE, levels=["original"])
