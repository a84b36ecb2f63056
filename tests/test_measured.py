"""What is said of real FER2013 is what its committed tables say."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fer_utils.balancing.controls import CONTROLS
from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.paths import committed_tables
from fer_utils.core.profiles import load_profile
from fer_utils.evaluation import after_the_drop, around_the_drop, priors, scores
from fer_utils.evaluation.control_results import comparisons
from fer_utils.pages import measured
from fer_utils.pages.measured import numbers

TEST = 140
RIGHT = {
    "original": 70,
    "aug1": 112,
    "oversampling": 111,
    "aug2": 45,
    "aug4": 35,
    "equal_updates": 40,
}


def predictions(levels, seeds) -> pd.DataFrame:
    """Runs of each level, which get the first faces right."""
    names, rows = np.array(EMOTIONS), []
    for level in levels:
        for seed in seeds:
            labels = np.arange(TEST) % 7
            said = np.where(np.arange(TEST) < RIGHT[level], labels, (labels + 1) % 7)
            rows.append(
                pd.DataFrame(
                    {
                        "dataset": "fer2013",
                        "level": level,
                        "seed": seed,
                        "id": [f"{k:03d}" for k in range(TEST)],
                        "emotion": names[labels],
                        "predicted": names[said],
                    }
                    | {f"p_{name}": (said == k).astype(float) for k, name in enumerate(EMOTIONS)}
                )
            )
    return pd.concat(rows, ignore_index=True)


@pytest.fixture
def committed(tmp_path, monkeypatch):
    """Makes the tables of a run that has trained the given levels."""
    monkeypatch.setattr(numbers, "committed_tables", lambda name: tmp_path / name)

    def write(*levels, name=measured.FULL, seeds=(0, 1, 2), drops=None):
        profile, folder = load_profile(name, ["evaluation.resamples=200"]), tmp_path / name
        found = predictions(levels, seeds)
        folder.mkdir()
        for level, history in (drops or {}).items():
            write_history(folder / "runs" / "fer2013" / level / "0", *history)
        scores(found, profile).to_csv(folder / "table_a6_summary.csv", index=False)
        if len(levels) > 1:
            comparisons(found, profile).to_csv(folder / "table_a6_comparison.csv", index=False)
        run = {"hours": 2.0, "hardware": f"a machine for {name}", "device": "cpu"}
        (folder / "provenance.json").write_text(
            json.dumps({"trainings": {f"fer2013/{level}/0": run for level in levels}})
        )

    return write


def write_history(folder: Path, rates, losses, accuracies) -> None:
    folder.mkdir(parents=True)
    pd.DataFrame(
        {
            "epoch": range(1, len(rates) + 1),
            "learning_rate": rates,
            "validation_loss": losses,
            "validation_accuracy": accuracies,
        }
    ).to_csv(folder / "history.csv", index=False)


def test_each_training_set_stands_beside_the_paper_original_and_oversampling(committed):
    committed("oversampling", "aug1", "original")
    rows = measured.measured()
    assert rows["level"].tolist() == ["original", "aug1", "oversampling"]
    assert rows["accuracy"].tolist() == pytest.approx([50.0, 80.0, 100 * 111 / 140])
    assert rows["paper"].tolist()[:2] == [79.79, 84.81]
    table = measured.shown(rows).set_index("Training set")
    original, oversampling = (
        f"Against {name} (points) [95 %: faces and runs]" for name in ("Original", "Oversampling")
    )
    assert table.loc["Aug. 1", original].startswith("+30.0 [") and table.loc[
        "Aug. 1", original
    ].endswith("], p < 0.001, better")
    assert table.loc["Aug. 1", oversampling].endswith(", open (exploratory)")
    assert (
        table.loc["Oversampling", original].endswith(", better (exploratory)")
        and table.loc["Original", original] == ""
    )
    assert table.columns[1] == "Ours (%) [95 %: faces]"


@pytest.mark.parametrize(
    ("seeds", "said"), [((0,), "1 seed: no verdict"), ((0, 1), "2 seeds: no verdict")]
)
def test_too_few_seeds_show_difference_and_interval_and_neither_p_nor_reading(
    seeds, said, committed
):
    committed("oversampling", "aug1", "original", seeds=seeds)
    shown = measured.shown(measured.measured()).set_index("Training set").loc["Aug. 1"]
    for column in shown.index[shown.index.str.startswith("Against")]:
        assert (
            shown[column].endswith(f"], {said}")
            and shown[column].startswith("+")
            and "p " not in shown[column]
        )
    words = measured.in_words()
    assert "**better**: none; **worse**: none; **open**: none; **too few seeds**: Aug. 1" in words
    assert "+30.0 points** [" in words and said in words


def test_the_answer_names_what_each_width_found(committed):
    committed("original", "aug1", "oversampling")
    committed("original", "aug1", "aug4", name=measured.NARROW)
    said = measured.in_words()
    assert "claims +16.68 points" in said
    better = "**better**: Aug. 1; **worse**: none; **open**: none"
    assert f"Width 1: Against Original, {better}; balanced, {better}. Against" in said
    assert (
        "Against Oversampling (exploratory), **better**: none; **worse**: none; **open**: Aug. 1"
        in said
    )
    assert (
        "Width 0.25: Against Original, **better**: Aug. 1; **worse**: Aug. 4; **open**: none"
        in said
    )
    assert (
        "Not measured: Aug. 2, Aug. 3, Aug. 4." in said
        and "Not measured: Aug. 2, Aug. 3.\n" in said
    )
    assert (
        "**Aug. 1.** Width 1 (seeds: 3): against Original **+30.0 points** [" in said
        and "balanced +30.0 [" in said
    )
    assert "**Aug. 4.** Width 0.25 (seeds: 3): against Original **-25.0 points**" in said
    assert (
        f"**Oversampling.** {CONTROLS['oversampling'].answers} Width 1 (seeds: 3): against Original"
        " **+29.3 points**" in said
    )


def test_the_limits_name_recipe_cost_and_hardware_of_both_widths(committed):
    committed("original", "aug1", "oversampling")
    committed("original", name=measured.NARROW)
    said = measured.limits()
    assert (
        "**The recipe.** Batches of 64 and a learning rate of 0.01 instead of 16 and 0.001" in said
    )
    assert (
        "**The cost at width 1.** 3 of 30 trainings, 6.0 hours on: a machine for"
        " fer2013_full_paper_recipe. Not trained at width 1: " in said
    )
    assert "our Original has 50.0 %, 29.8 points less than the 79.79 % of Table III" in said
    assert (
        "**The cost at width 0.25.** 1 of 18 trainings, 2.0 hours on: a machine for"
        " fer2013_paper_recipe." in said
    )


def test_a_run_that_has_just_begun_is_shown_without_comparisons(committed):
    committed("original")
    table = measured.shown(measured.measured())
    assert table["Training set"].tolist() == ["Original"] and table[
        "Ours (%) [95 %: faces]"
    ].tolist()[0].startswith("50.0")
    assert (
        measured.differences().empty
        and "Not measured: Aug. 1, Aug. 2, Aug. 3, Aug. 4." in measured.in_words()
    )


def test_the_differences_of_both_widths_stand_side_by_side_and_beside_the_claims(committed):
    committed("original", "aug1")
    committed("original", "aug1", "aug4", name=measured.NARROW)
    table = measured.differences()
    assert list(dict.fromkeys(table["level"])) == ["aug1", "aug4"]
    found = table.set_index(["width", "level", "measure"])["value"]
    assert found[1, "aug1", "accuracy"] == pytest.approx(30.0) and found[
        0.25, "aug4", "accuracy"
    ] == pytest.approx(-25.0)
    assert (
        set(found.index.get_level_values("measure")) == set(measured.MEASURES) and len(found) == 6
    )
    assert measured.claimed() == pytest.approx(
        {"aug1": 5.02, "aug2": 11.69, "aug3": 14.90, "aug4": 16.68}
    )


def test_what_the_copies_of_test_faces_are_worth_is_said_where_it_was_trained(committed):
    committed("original", "oversampling")
    committed("original", "aug1", name=measured.NARROW)
    assert "With them in it" not in measured.limits()
    committed("original", name=measured.WITH_TWINS, seeds=(2, 5))
    path = numbers.committed_tables(measured.NARROW) / f"{numbers.SUMMARY}.csv"
    table = pd.read_csv(path)
    table.loc[(table["score"] == "accuracy") & (table["level"] == "original"), "value_seed_2"] = (
        40.0
    )
    table.to_csv(path, index=False)
    said = measured.limits()
    assert (
        "With them in it, at width 0.25: Original 50.0 %, 40.0 % without them (seed 2 of both)."
        in said
    )
    assert "whether the paper's training set did is not known" in said


def test_a_rate_that_falls_all_along_has_no_drop_and_the_table_no_column_for_it():
    governed = measured.measured(measured.PROTOCOL)
    assert len(governed) > 1 and governed["after_drop"].isna().all()
    assert not any(
        "drop" in text for text in (*measured.shown(governed), measured.caption(measured.PROTOCOL))
    )
    assert any("drop" in text for text in measured.shown(measured.measured(measured.FULL)))


def test_what_was_not_trained_is_named_with_its_reason(committed):
    committed("original")
    path = numbers.committed_tables(measured.FULL) / "provenance.json"
    runs = {
        f"fer2013/{level}/{seed}": {"hours": 1.0, "hardware": "h", "device": "cpu"}
        for level in (
            "original",
            "aug1",
            "aug2",
            "aug3",
            "aug4",
            "oversampling",
            "geometric",
            "equal_updates",
            "synthetic_only",
        )
        for seed in (0, 1, 2)
    }
    path.write_text(json.dumps({"trainings": runs}))
    assert (
        "Not trained at width 1: Filtered (seeds 0, 1, 2), which needs an auxiliary classifier"
        in measured.limits()
    )
    path.write_text(
        json.dumps(
            {
                "trainings": (
                    runs
                    | {f"fer2013/filtered/{seed}": runs["fer2013/aug1/0"] for seed in (0, 1, 2)}
                )
            }
        )
    )
    assert "Not trained" not in measured.limits()


def test_equal_updates_that_lose_as_much_as_augmentations_make_the_differences_the_stopping_rules(
    committed,
):
    early, late = (
        ((0.1, 0.1, 0.01, 0.01), (3, 1, 2, 2), (50, 51, 60, 62)),
        (
            (0.1, 0.1, 0.01, 0.01),
            (3, 2, 1, 2),
            (50, 51, 58, 60),
        ),
    )
    committed(
        "original",
        "aug1",
        "aug2",
        "aug4",
        "equal_updates",
        drops={"original": late, "aug1": early, "equal_updates": early},
    )
    said = measured.in_words()
    assert "Width 1: 2 of 3 networks were kept before their learning rate first dropped." in said
    assert (
        "differs from it by -21.4 points (p < 0.001, worse (exploratory)). That is as much as the"
        " augmentations do (-25.0 to +30.0 points)" in said
    )
    assert (
        "differences of this size are the stopping rule's, and can't be laid to the faces." in said
    )
    assert (
        "the augmentations differ from Original by +2.0 to +2.0 points of mean validation accuracy,"
        " equal updates by +2.0." in said
    )
    shown = measured.shown(measured.measured()).set_index("Training set")
    assert shown["After the drop, validation (points against Original)"].tolist() == [
        "",
        "+2.0",
        "",
        "",
        "+2.0",
    ]


def test_after_the_drop_runs_are_paired_by_seed_and_runs_without_a_drop_left_out(tmp_path):
    for level, seed, after in (
        ("original", 0, 60),
        ("original", 1, 50),
        ("aug1", 1, 53),
        ("aug2", 3, 70),
    ):
        write_history(
            tmp_path / "fer2013" / level / str(seed),
            (0.1, 0.01, 0.001),
            (1, 2, 3),
            (10, after - 1, after + 1),
        )
    write_history(tmp_path / "fer2013" / "aug1" / "0", (0.1, 0.1), (2, 1), (90, 90))
    runs = around_the_drop(tmp_path, load_profile(measured.NARROW))
    assert runs["kept_before"].all() and runs.set_index(["level", "seed"])[
        "after"
    ].isna().to_dict() == {
        ("aug1", 0): True,
        ("aug1", 1): False,
        ("aug2", 3): False,
        ("original", 0): False,
        ("original", 1): False,
    }
    assert after_the_drop(runs).to_dict() == {"aug1": 3.0}


def test_the_kept_histories_of_real_fer2013_give_the_figures_computed_apart_from_this_project():
    full, narrow = (
        around_the_drop(committed_tables(name) / "runs", load_profile(name))
        for name in (measured.FULL, measured.NARROW)
    )
    assert len(full) == 27
    assert full.loc[~full["kept_before"], ["level", "seed"]].to_numpy().tolist() == [
        ["original", 0],
        ["original", 2],
    ]
    found = after_the_drop(full)
    for level, points in {
        "aug1": 0.0,
        "aug2": -0.6,
        "aug3": -0.6,
        "aug4": -0.9,
        "oversampling": -1.65,
        "geometric": -0.1,
        "equal_updates": 0.2,
    }.items():
        assert found[level] == pytest.approx(points, abs=0.05), level
    assert after_the_drop(narrow)[["aug1", "oversampling"]].tolist() == pytest.approx(
        [0.7, -1.3], abs=0.05
    )


@pytest.mark.parametrize("name", [measured.FULL, measured.NARROW])
def test_each_table_on_real_faces_names_generator_and_width(name):
    profile = load_profile(name)
    width = profile.network.width
    assert "generator trained on FER2013" in profile.stamp
    assert (
        "full ResEmoteNet" if width == 1 else f"ResEmoteNet of width {width:g}"
    ) in profile.stamp


def test_the_command_that_finishes_it_has_a_cost():
    assert (
        "reproduce --profile paper" in measured.finishing()
        and "hours" in measured.finishing()
        and "money" in measured.finishing()
    )


def levels_against_original(low, high, *, reading="better"):
    """``measured`` by level, where every augmentation differs from Original alike."""
    return pd.DataFrame(
        {"to_original_low": low, "to_original_high": high, "to_original_reading": reading},
        index=["aug1", "aug2", "aug3", "aug4"],
    )


def read_for_equal_shares(low):
    return pd.DataFrame(
        {
            "level": ["aug1", "aug2", "aug3", "aug4"],
            "reading": priors.EQUAL,
            "to_original_balanced_low": low,
        }
    )


@pytest.mark.parametrize(
    ("rows", "equal", "verdict"),
    (
        (levels_against_original(1.5, 4.0), read_for_equal_shares(0.1), "for the paper"),
        (levels_against_original(1.5, 4.0), read_for_equal_shares(-0.1), "open"),
        (levels_against_original(0.9, 4.0), read_for_equal_shares(0.1), "open"),
        (
            levels_against_original(-3.0, 1.9, reading="open"),
            read_for_equal_shares(0.1),
            "against the paper",
        ),
        (levels_against_original(-3.0, 2.1, reading="open"), read_for_equal_shares(0.1), "open"),
        (
            levels_against_original(-3.0, 1.9, reading="too few seeds"),
            read_for_equal_shares(0.1),
            "",
        ),
        (levels_against_original(1.5, 4.0), pd.DataFrame(), ""),
        (levels_against_original(1.5, 4.0).drop("aug3"), read_for_equal_shares(0.1), ""),
    ),
)
def test_what_counts_for_and_against_the_paper_is_the_protocols_rule(rows, equal, verdict):
    assert measured.counts_for(rows, equal) == verdict


def test_the_answer_has_a_line_for_claim_measurement_bound_and_what_is_free_and_no_more_than_twelve(
    committed, tmp_path
):
    committed("original", "aug1", "aug4", name="fer2013")
    folder = tmp_path / "fer2013_tenth"
    folder.mkdir()
    pd.DataFrame(
        [
            {
                "level": "original",
                "faces": 2871,
                "added": 0,
                "balanced": 40.0,
                "low": 38.0,
                "high": 42.0,
            },
            {
                "level": "unseen",
                "faces": 8000,
                "added": 5129,
                "balanced": 46.5,
                "low": 44.0,
                "high": 49.0,
            },
            {
                "level": "exchange rate",
                "faces": np.nan,
                "added": np.nan,
                "balanced": 0.25,
                "low": 0.1,
                "high": 0.4,
            },
        ]
    ).to_csv(folder / "table_a7_oracle.csv", index=False)
    said = measured.answer()
    assert len(said) <= 12
    claim, found, bound = said
    assert "79.79 %" in claim and "+16.68 points" in claim
    assert (
        "n = 140" in found
        and "3 of 42 trainings" in found
        and "Aug. 1 +30.0 [" in found
        and "better" in found
    )
    assert "Aug. 2" not in found
    assert (
        "5,129 unseen real faces" in bound and "40.0 % [38.0, 42.0] to 46.5 % [44.0, 49.0]" in bound
    )
    assert "0.25 [0.10, 0.40] real ones" in bound


def test_nothing_measured_yet_is_said(committed):
    assert "nothing yet" in measured.answer()[1]
