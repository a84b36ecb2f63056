"""What the demo says must not hang on the processor: how that is counted, and what was found."""

import pandas as pd
import pytest

from fer_utils.bench.processors import VARIANTS, in_short, read_processors, results, shown


def table(accuracies, readings):
    """Two variants of one training set beside Original, each accuracy with an interval of 2 points to each side."""
    return pd.DataFrame([
        {"variant": variant, "dataset": "demo", "level": level, "n": 100, "seeds": 3, "accuracy": accuracy, "low": accuracy - 2,
         "high": accuracy + 2, "difference": None if level == "original" else 1.0, "difference_low": 0.5,
         "difference_high": 1.5, "reading": None if level == "original" else reading}
        for variant, pair, reading in zip(("one", "other"), accuracies, readings)
        for level, accuracy in zip(("original", "aug1"), pair)])


def test_equal_variants_have_no_spread_and_no_reading_that_differs():
    found = list(in_short(table([(40, 50), (40, 50)], ["better", "better"])).values())
    assert found == [0, 0, 4, 0, 1]


def test_an_accuracy_outside_another_variants_interval_counts_from_both_sides():
    found = list(in_short(table([(40, 50), (40, 53)], ["better", "better"])).values())
    assert found[:2] == [3, 2]


def test_a_reading_that_changes_with_the_processor_is_counted():
    assert list(in_short(table([(40, 50), (40, 50)], ["better", "open"])).values())[3:] == [1, 1]


def test_readers_see_a_column_for_each_variant_and_the_reading_in_it():
    found = shown(table([(40, 50), (40, 50)], ["better", "open"]))
    assert list(found) == ["dataset", "level", "one", "other"]
    assert found["one"].tolist() == ["40.0 [38.0, 42.0]", "50.0 [48.0, 52.0]; +1.0 [+0.5, +1.5] better"]


def test_a_runs_rows_come_from_its_table_3_and_its_comparisons(tmp_path):
    row = {"dataset": "demo", "n": 4, "seeds": 3, "low": 38, "high": 42}
    for level, seed, answers in (("original", 0, "sad,sad,happy,sad"), ("original", 1, "sad,happy,happy,happy"),
                                 ("aug1", 0, "sad,sad,sad,sad"), ("aug1", 1, "sad,sad,sad,sad")):
        folder = tmp_path / "models" / "demo" / level / str(seed)
        folder.mkdir(parents=True)
        pd.DataFrame({"id": range(4), "emotion": "sad", "predicted": answers.split(",")}).to_csv(folder / "predictions.csv")
    (tmp_path / "tables").mkdir()
    pd.DataFrame([row | {"level": "aug1", "reference": reference, "difference": 0.0, "family": "primary", "p": 1.0, "p_holm": 1.0,
                         **{f"{side}_seed_{seed}": 3 for side in "bc" for seed in range(3)}}
                  for reference in ("original", "oversampling")]).to_csv(tmp_path / "tables" / "table_a6_comparison.csv")
    found = results(tmp_path).set_index("level")
    assert found.loc["aug1", "reading"] == "open" and pd.isna(found.loc["original", "reading"]) and len(found) == 2
    assert found["accuracy"].to_dict() == {"original": 50.0, "aug1": 100.0} and found["n"].tolist() == [4, 4]
    assert found.loc["original", "low"] < 10 and found.loc["aug1", "low"] == 100


@pytest.fixture
def measured():
    found = read_processors()
    if found.empty:
        pytest.skip("not measured yet: python -m fer_utils bench processors")
    return found


def test_the_demo_was_run_on_at_least_four_imitated_processors(measured):
    assert len(VARIANTS) >= 4 and set(measured["variant"]) == set(VARIANTS)


def test_no_reading_of_the_demo_and_no_accuracy_hangs_on_the_processor(measured):
    found = in_short(measured)
    assert found["accuracies outside another variant's interval"] == 0 and found["readings that differ between variants"] == 0
    assert found["readings"] == 8 and found["accuracies compared with another variant's interval"] == 120
