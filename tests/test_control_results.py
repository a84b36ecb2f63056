"""What the controls amount to: the table, the sentence it gives, and the figure."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from fer_utils import figures, tables
from fer_utils.balancing import write_index
from fer_utils.balancing.controls import GROUPS, NO_CONTROLS, set_title
from fer_utils.core.faces import FaceSet
from fer_utils.core.paths import committed_tables
from fer_utils.core.profiles import load_profile
from fer_utils.evaluation import all_predictions
from fer_utils.evaluation.control_results import comparisons, control_results, in_words, ratio_sweep
from fer_utils.figures.controls import _GROUP_MARKS
from fer_utils.pages import notebook
from fer_utils.training import write_predictions

TEST, TITLES = 140, {"demo_rafdb": "Demo faces after RAF-DB"}
RIGHT = {"original": 70, "aug1": 112, "oversampling": 84, "equal_updates": 77, "ratio_50": 98}


@pytest.fixture
def profile(project):
    loaded = load_profile(
        "demo_recipes",
        [
            "data.sets=[demo_rafdb]",
            "training.seeds=[0, 1, 2, 3]",
            "controls.names=[oversampling, equal_updates, ratio_50]",
            "evaluation.resamples=200",
        ],
    )
    # a test may change a value and still find these runs
    profile = replace(loaded, overrides=())
    for name, right in RIGHT.items():
        seeds = (
            profile.training.seeds if name in profile.balancing.levels else profile.controls.seeds
        )
        for seed in seeds:
            write_run(profile, name, seed, right)
        index = pd.DataFrame(
            {"id": [f"face-{k}" for k in range(65)], "source": "real", "emotion": "sad"}
        )
        index.loc[: {"aug1": 29, "ratio_50": 14}.get(name, -1), "source"] = "synthetic"
        write_index(index, profile.paths.balanced_set("demo_rafdb", name))
    return profile


def write_run(profile, name, seed, right):
    """A run that gets the first ``right`` test faces right, after two epochs of 65 images."""
    folder = profile.paths.model("demo_rafdb", name, seed)
    labels = np.arange(TEST) % 7
    said = np.where(np.arange(TEST) < right, labels, (labels + 1) % 7)
    test = FaceSet(
        np.zeros((TEST, 8, 8, 3), np.uint8),
        labels,
        np.array([f"{k:03d}" for k in range(TEST)]),
        np.full(TEST, "test"),
    )
    write_predictions(folder, test, np.eye(7, dtype=np.float32)[said])
    pd.DataFrame({"epoch": [1, 2], "images": 65}).to_csv(folder / "history.csv", index=False)


def test_every_row_rests_on_all_its_seeds_and_each_difference_is_one_of_accuracies(profile):
    rows = control_results(profile).set_index("control")
    assert list(rows.index) == ["original", "aug1", "oversampling", "equal_updates", "ratio_50"]
    assert rows["seeds"].tolist() == [4, 4, 3, 3, 3] and (rows["n"] == TEST).all()
    for name, right in RIGHT.items():
        assert rows.loc[name, "accuracy"] == pytest.approx(100 * right / TEST)
        if name != "original":
            assert rows.loc[name, "to_original"] == pytest.approx(
                rows.loc[name, "accuracy"] - rows.loc["original", "accuracy"]
            )
        if name not in ("original", "oversampling"):
            assert rows.loc[name, "to_oversampling"] == pytest.approx(
                rows.loc[name, "accuracy"] - rows.loc["oversampling", "accuracy"]
            )
    assert np.isnan(rows.loc["original", "to_original"]) and np.isnan(
        rows.loc["oversampling", "to_oversampling"]
    )
    assert (rows["low"] < rows["accuracy"]).all() and (rows["accuracy"] < rows["high"]).all()


def test_a_control_trained_once_is_compared_with_the_runs_of_its_own_seed(profile):
    write_run(profile, "original", 1, 98)
    once = replace(
        profile, values=profile.values | {"repetition": {"fewer": ["equal_updates"], "seeds": 1}}
    )
    rows = control_results(once).set_index("control")
    assert rows["seeds"].to_dict() == {
        "original": 4,
        "aug1": 4,
        "oversampling": 3,
        "equal_updates": 1,
        "ratio_50": 3,
    }
    assert rows.loc["original", "accuracy"] == pytest.approx(100 * (3 * 70 + 98) / 4 / TEST)
    # of seed 0 alone
    assert rows.loc["equal_updates", "to_original"] == pytest.approx(100 * (77 - 70) / TEST)
    assert rows.loc["equal_updates", ["to_original_seeds", "to_original_reading"]].tolist() == [
        1,
        "too few seeds",
    ]
    assert (
        "1 seed: no verdict"
        in tables.table_a2_controls(rows.reset_index(), titles=TITLES).iloc[3, -2]
    )


SHARED = [
    "difference",
    "low",
    "high",
    "p",
    "p_holm",
    "reading",
    "seeds",
    "family",
    *(f"balanced{end}" for end in ("", "_low", "_high", "_p", "_p_holm", "_reading")),
]


def with_readings(compared):
    rows = compared.to_dict("records")
    return compared.assign(
        reading=[tables.verdict(row) for row in rows],
        balanced_reading=[tables.verdict(row, "balanced") for row in rows],
    )


def test_equal_comparisons_have_equal_p_and_reading_in_every_table_of_the_same_predictions(
    profile,
):
    predictions = all_predictions(profile, levels=[*RIGHT])
    compared = comparisons(predictions, profile)
    compared = with_readings(compared)
    controls = control_results(profile)
    for row in compared.to_dict("records"):
        name = f"to_{row['reference']}"
        theirs = controls.set_index("control").loc[
            row["level"], [name, *(f"{name}_{column}" for column in SHARED[1:])]
        ]
        pd.testing.assert_series_equal(
            theirs.set_axis(SHARED), pd.Series(row)[SHARED], check_names=False, check_dtype=False
        )
    shown = tables.table_a6_comparison(
        compared, titles=TITLES, level_titles={name: set_title(name) for name in RIGHT}
    )
    readers = tables.table_a2_controls(controls, titles=TITLES).set_index("Control")
    for row in shown.to_dict("records"):
        level, reference = row["Compared"].split(" with ")
        cell = readers.loc[
            level,
            f"To {reference if reference == 'Original' else 'oversampling'} [interval: faces and"
            " runs]",
        ]
        _, in_accuracy, _, balanced = cell.split("\n")
        assert in_accuracy.endswith(f", {row['Reading']}") and balanced.endswith(
            f", {row['Reading (balanced)']}"
        )


@pytest.mark.parametrize("name", ["demo_controls"])
def test_the_committed_tables_of_controls_and_of_comparisons_agree(name):
    controls, compared = (
        pd.read_csv(committed_tables(name) / f"{table}.csv")
        for table in ("table_a2_controls", "table_a6_comparison")
    )
    compared = with_readings(compared)
    for reference in ("original", "oversampling"):
        columns = {f"to_{reference}": "difference"} | {
            f"to_{reference}_{column}": column for column in SHARED[1:]
        }
        theirs = controls[["dataset", "control", *columns]].rename(
            columns=columns | {"control": "level"}
        )
        both = theirs.dropna(subset="difference").merge(
            compared[compared["reference"] == reference], on=["dataset", "level"]
        )
        assert len(both) >= 5
        for column in columns.values():
            pd.testing.assert_series_equal(
                both[f"{column}_x"], both[f"{column}_y"], check_names=False, check_dtype=False
            )


def test_updates_are_counted_as_training_makes_its_batches(profile):
    rows = control_results(profile).set_index("control")
    assert (
        (rows["faces"] == 65).all()
        and rows.loc["aug1", "synthetic"] == 30
        and rows.loc["oversampling", "synthetic"] == 0
    )
    # 65 images in batches of 16: the one left over joins the fourth batch
    assert (rows["updates"] == 2 * 4).all()


@pytest.mark.parametrize(
    ("aug1", "verdict"), [(112, "better than"), (40, "worse than"), (85, "left open")]
)
def test_the_sentence_says_whether_synthesis_beats_oversampling_whatever_the_answer(
    aug1, verdict, profile
):
    for seed in profile.training.seeds:
        write_run(profile, "aug1", seed, aug1)
    text = in_words(control_results(profile), profile)
    assert (
        f"**{verdict}**" in text
        and f"the difference is {100 * (aug1 - 84) / TEST:+.1f} points [" in text
    )
    assert (
        f"on {TEST} test faces (seeds: 4)" in text
        and "(exploratory, p not corrected)" in text
        and "As many updates without any balance" in text
    )


def test_without_oversampling_its_columns_are_empty_and_the_sentence_leaves_it_out(profile):
    profile.values["controls"]["names"] = ["equal_updates"]
    rows = control_results(profile)
    assert rows["to_oversampling"].isna().all()
    assert "Repeated" not in in_words(rows, profile)
    assert (
        tables.table_a2_controls(rows, titles=TITLES)["To oversampling [interval: faces and runs]"]
        == ""
    ).all()


def test_the_sweep_goes_from_oversampling_to_the_level(profile):
    sweep = ratio_sweep(control_results(profile), profile)
    assert sweep["control"].tolist() == ["oversampling", "ratio_50", "aug1"] and sweep[
        "percent"
    ].tolist() == [0, 50, 100]


def test_a_row_for_readers_has_n_seeds_intervals_and_corrected_p(profile):
    shown = tables.table_a2_controls(control_results(profile), titles=TITLES)
    aug1 = shown.iloc[1]
    accuracy, original = (
        aug1["Accuracy [interval: faces]"],
        aug1["To Original [interval: faces and runs]"],
    )
    assert accuracy.startswith("80.0 ± 0.0 [") and accuracy.endswith(f"n = {TEST}, seeds: 4")
    assert (
        original.startswith("+30.0 [+")
        and original.count("p < 0.001, better") == 2
        and "\nbalanced +30.0 [+" in original
    )
    assert (
        shown["To Original [interval: faces and runs]"][0] == ""
        and "synthetic: 30" in aug1["Faces an epoch"]
    )
    assert list(shown["Control"]) == [
        "Original",
        "Aug. 1",
        "Oversampling",
        "Equal updates",
        "50 % synthetic",
    ]


def test_a_profile_without_controls_gets_a_sentence_and_no_rows(project):
    rows = control_results(load_profile("demo"))
    assert len(rows) == 0 and notebook.if_any(rows, None, NO_CONTROLS).data == NO_CONTROLS
    assert notebook.if_any(pd.DataFrame({"a": [1]}), len, NO_CONTROLS) == 1


def test_the_figure_draws_every_control_for_every_data_set(profile):
    rows = control_results(profile)
    figure = figures.figure_a2_controls(rows, ratio_sweep(rows, profile), titles=TITLES)
    assert figures.show(figure, profile).data.startswith(b"\x89PNG")
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == ["Aug. 1", "Oversampling", "Equal updates", "50 % synthetic"]


def test_the_figure_stands_a_profile_with_a_single_control_and_no_sweep(profile):
    profile.values["controls"]["names"] = ["equal_updates"]
    rows = control_results(profile)
    figure = figures.figure_a2_controls(rows, ratio_sweep(rows, profile), titles=TITLES)
    assert figures.show(figure, SimpleNamespace(stamp="")).data.startswith(b"\x89PNG")


def test_the_groups_of_the_figure_differ_in_shape_and_in_gray():
    assert set(_GROUP_MARKS) == {"level", *GROUPS}
    grays = sorted(
        np.dot(to_rgb(filling), (0.299, 0.587, 0.114)) for _, filling in _GROUP_MARKS.values()
    )
    assert min(np.diff(grays)) > 0.1 and len({shape for shape, _ in _GROUP_MARKS.values()}) == len(
        _GROUP_MARKS
    )
