"""What is said of real FER2013 is what its committed tables say."""

import json

import numpy as np
import pandas as pd
import pytest

from fer_utils import measured
from fer_utils.control_results import comparisons
from fer_utils.controls import CONTROLS
from fer_utils.emotions import EMOTIONS
from fer_utils.evaluation import scores
from fer_utils.profiles import load_profile

TEST = 140
RIGHT = {"original": 70, "aug1": 112, "oversampling": 111, "aug4": 35}


def predictions(levels) -> pd.DataFrame:
    """Two seeds of each level, which get the first faces right."""
    names, rows = np.array(EMOTIONS), []
    for level in levels:
        for seed in (0, 1):
            labels = np.arange(TEST) % 7
            said = np.where(np.arange(TEST) < RIGHT[level], labels, (labels + 1) % 7)
            rows.append(pd.DataFrame({"dataset": "fer2013", "level": level, "seed": seed,
                                      "id": [f"{k:03d}" for k in range(TEST)], "emotion": names[labels], "predicted": names[said]}
                                     | {f"p_{name}": (said == k).astype(float) for k, name in enumerate(EMOTIONS)}))
    return pd.concat(rows, ignore_index=True)


@pytest.fixture
def committed(tmp_path, monkeypatch):
    """Makes the tables of a run that has trained the given levels."""
    monkeypatch.setattr(measured, "committed_tables", lambda name: tmp_path / name)

    def write(*levels, name=measured.FULL):
        profile, folder, found = load_profile(name, ["evaluation.resamples=200"]), tmp_path / name, predictions(levels)
        folder.mkdir()
        scores(found, profile).to_csv(folder / "table_a6_summary.csv", index=False)
        if len(levels) > 1:
            comparisons(found, profile).to_csv(folder / "table_a6_comparison.csv", index=False)
        run = {"hours": 2.0, "hardware": f"a machine for {name}", "device": "cpu"}
        (folder / "provenance.json").write_text(json.dumps({"trainings": {f"fer2013/{level}/0": run for level in levels}}))
    return write


def test_each_training_set_stands_beside_the_paper_original_and_oversampling(committed):
    committed("oversampling", "aug1", "original")
    rows = measured.measured()
    assert rows["level"].tolist() == ["original", "aug1", "oversampling"]
    assert rows["accuracy"].tolist() == pytest.approx([50.0, 80.0, 100 * 111 / 140])
    assert rows["paper"].tolist()[:2] == [79.79, 84.81]
    table = measured.shown(rows).set_index("Training set")
    assert table.loc["Aug. 1", "Against Original (points)"].startswith("+30.0 [") and "better" in table.loc["Aug. 1"].iloc[-2]
    assert table.loc["Aug. 1", "Against Oversampling (points)"].endswith("open")
    assert table.loc["Original", "Against Original (points)"] == ""


def test_the_answer_names_what_each_width_found(committed):
    committed("original", "aug1", "oversampling")
    committed("original", "aug1", "aug4", name=measured.NARROW)
    said = measured.in_words()
    assert "claims +16.68 points" in said
    assert "Width 1: Against Original, **better**: Aug. 1; **worse**: none; **open**: none; balanced, interval above 0: Aug. 1" in said
    assert "Against Oversampling, **better**: none; **worse**: none; **open**: Aug. 1" in said
    assert "Width 0.25: Against Original, **better**: Aug. 1; **worse**: Aug. 4; **open**: none" in said
    assert "Not measured: Aug. 2, Aug. 3, Aug. 4." in said and "Not measured: Aug. 2, Aug. 3.\n" in said
    assert "**Aug. 1.** Width 1 (seeds: 2): against Original **+30.0 points** [" in said and "balanced +30.0 [" in said
    assert "**Aug. 4.** Width 0.25 (seeds: 2): against Original **-25.0 points**" in said
    assert f"**Oversampling.** {CONTROLS['oversampling'].answers} Width 1 (seeds: 2): against Original **+29.3 points**" in said


def test_the_limits_name_recipe_cost_and_hardware_of_both_widths(committed):
    committed("original", "aug1", "oversampling")
    committed("original", name=measured.NARROW)
    said = measured.limits()
    assert "**The recipe.** Batches of 64 and a learning rate of 0.01 instead of 16 and 0.001" in said
    assert "**The cost at width 1.** 3 of 30 trainings, 6.0 hours on: a machine for fer2013_full." in said
    assert "**The cost at width 0.25.** 1 of 18 trainings, 2.0 hours on: a machine for fer2013." in said


def test_a_run_that_has_just_begun_is_shown_without_comparisons(committed):
    committed("original")
    table = measured.shown(measured.measured())
    assert table["Training set"].tolist() == ["Original"] and table["Ours (%)"].tolist()[0].startswith("50.0")
    assert measured.differences().empty and "Not measured: Aug. 1, Aug. 2, Aug. 3, Aug. 4." in measured.in_words()


def test_the_differences_of_both_widths_stand_side_by_side_and_beside_the_claims(committed):
    committed("original", "aug1")
    committed("original", "aug1", "aug4", name=measured.NARROW)
    table = measured.differences()
    assert list(dict.fromkeys(table["level"])) == ["aug1", "aug4"]
    found = table.set_index(["width", "level", "measure"])["value"]
    assert found[1, "aug1", "accuracy"] == pytest.approx(30.0) and found[0.25, "aug4", "accuracy"] == pytest.approx(-25.0)
    assert set(found.index.get_level_values("measure")) == set(measured.MEASURES) and len(found) == 6
    assert measured.claimed() == pytest.approx({"aug1": 5.02, "aug2": 11.69, "aug3": 14.90, "aug4": 16.68})


def test_what_the_copies_of_test_faces_are_worth_is_said_where_it_was_trained(committed):
    committed("original", "oversampling")
    committed("original", "aug1", name=measured.NARROW)
    assert "With them in it" not in measured.limits()
    committed("original", name=measured.WITH_TWINS)
    assert "With them in it, at width 0.25: Original 50.0 ± 0.0 [" in measured.limits() and "50.0 % without them." in measured.limits()


@pytest.mark.parametrize("name", [measured.FULL, measured.NARROW])
def test_each_table_on_real_faces_names_generator_and_width(name):
    profile = load_profile(name)
    width = profile.network.width
    assert "generator trained on FER2013" in profile.stamp
    assert ("full ResEmoteNet" if width == 1 else f"ResEmoteNet of width {width:g}") in profile.stamp


def test_the_command_that_finishes_it_has_a_cost():
    assert "reproduce --profile paper" in measured.finishing() and "hours" in measured.finishing() and "money" in measured.finishing()
