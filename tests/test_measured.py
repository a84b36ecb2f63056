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
RIGHT = {"original": 70, "aug1": 112, "oversampling": 111}


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
    profile = load_profile("fer2013", ["evaluation.resamples=200"])
    monkeypatch.setattr(measured, "committed_tables", lambda name: tmp_path if name == measured.PROFILE else tmp_path / name)

    def write(*levels):
        found = predictions(levels)
        scores(found, profile).to_csv(tmp_path / "table_a6_summary.csv", index=False)
        if len(levels) > 1:
            comparisons(found, profile).to_csv(tmp_path / "table_a6_comparison.csv", index=False)
        run = {"hours": 2.0, "hardware": "a small machine", "device": "cpu"}
        log = {"trainings": {f"fer2013/{level}/0": run for level in levels}, "training_hours": 2.0 * len(levels)}
        (tmp_path / "provenance.json").write_text(json.dumps(log))
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


def test_the_answer_names_what_was_found_and_what_was_not_measured(committed):
    committed("original", "aug1", "oversampling")
    said = measured.in_words()
    assert "claims +16.68 points" in said and "**Aug. 1.** Against Original: **+30.0 points** [" in said
    assert "balanced +30.0 [" in said and "**Aug. 4** was not measured" in said and "140 test faces, seeds: 2" in said
    assert f"**Oversampling.** {CONTROLS['oversampling'].answers} Against Original: **+29.3 points**" in said
    assert "6.0 hours on: a small machine" in measured.limits() and "width is 0.25" in measured.limits()


def test_a_run_that_has_just_begun_is_shown_without_comparisons(committed):
    committed("original")
    table = measured.shown(measured.measured())
    assert table["Training set"].tolist() == ["Original"] and table["Ours (%)"].tolist()[0].startswith("50.0")
    assert "**Aug. 1** was not measured" in measured.in_words()


@pytest.mark.parametrize(("name", "said"), [(measured.FULL_WIDTH, "The full network, on a GPU, came to: Original 50.0 %"),
                                            (measured.WITH_TWINS, "With them in it: Original 50.0 %")])
def test_what_another_profile_gave_is_said_where_it_was_trained(committed, tmp_path, name, said):
    committed("original", "oversampling")
    assert said not in measured.limits()
    (tmp_path / name).mkdir()
    found = scores(predictions(["original"]), load_profile(name, ["evaluation.resamples=200"]))
    found.to_csv(tmp_path / name / "table_a6_summary.csv", index=False)
    assert said in measured.limits()


@pytest.mark.parametrize("name", [measured.PROFILE, measured.FULL_WIDTH])
def test_each_table_on_real_faces_names_generator_and_width(name):
    profile = load_profile(name)
    width = profile.network.width
    assert "generator trained on FER2013" in profile.stamp
    assert ("full ResEmoteNet" if width == 1 else f"ResEmoteNet of width {width:g}") in profile.stamp


def test_the_command_that_finishes_it_has_a_cost():
    assert "reproduce --profile paper" in measured.finishing() and "hours" in measured.finishing() and "money" in measured.finishing()
