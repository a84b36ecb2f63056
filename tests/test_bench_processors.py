"""What the demo says must not hang on the processor: how that is counted, and what was found."""

import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

from bench.processors import VARIANTS, in_short, results, shown
from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.paths import PACKAGE
from fer_utils.core.profiles import load_profile
from fer_utils.tables.benchmarks import read_processors


def table(accuracies, readings):
    """Two variants of one training set beside Original, each accuracy with an interval of 2 points
    to each side."""
    return pd.DataFrame(
        [
            {
                "variant": variant,
                "dataset": "demo",
                "level": level,
                "n": 100,
                "seeds": 3,
                "accuracy": accuracy,
                "low": accuracy - 2,
                "high": accuracy + 2,
                "difference": None if level == "original" else 1.0,
                "difference_low": 0.5,
                "difference_high": 1.5,
                "reading": None if level == "original" else reading,
            }
            for variant, pair, reading in zip(("one", "other"), accuracies, readings)
            for level, accuracy in zip(("original", "aug1"), pair)
        ]
    )


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
    assert found["one"].tolist() == [
        "40.0 [38.0, 42.0]",
        "50.0 [48.0, 52.0]; +1.0 [+0.5, +1.5] better",
    ]


def test_a_runs_rows_come_from_its_predictions(project):
    profile = load_profile(
        "demo", ["data.sets=[demo_fer2013]", "balancing.levels=[original, aug1]"]
    )
    answers = {
        "original": ("sad,sad,happy,sad", "sad,happy,happy,happy", "sad,sad,happy,happy"),
        "aug1": 3 * ("sad,sad,sad,sad",),
    }
    for level, seeds in answers.items():
        for seed, given in enumerate(seeds):
            frame = pd.DataFrame({"id": range(4), "emotion": "sad", "predicted": given.split(",")})
            folder = profile.paths.model("demo_fer2013", level, seed)
            folder.mkdir(parents=True)
            frame.assign(**{f"p_{emotion}": 0.1 for emotion in EMOTIONS}).to_csv(
                folder / "predictions.csv", index=False
            )
    found = results(profile).set_index("level")
    assert found["accuracy"].to_dict() == {"original": 50.0, "aug1": 100.0} and found[
        "n"
    ].tolist() == [4, 4]
    assert found.loc["aug1", "difference"] == 50 and found.loc["aug1", "reading"] == "open"
    assert (
        pd.isna(found.loc["original", "reading"])
        and found.loc["original", "low"] < 10
        and found.loc["aug1", "low"] == 100
    )


@pytest.fixture
def measured():
    found = read_processors()
    if found.empty:
        pytest.skip("not measured yet: python -m bench processors")
    return found


def test_the_demo_was_run_on_at_least_four_imitated_processors(measured):
    assert len(VARIANTS) >= 4 and set(measured["variant"]) == set(VARIANTS)


def test_no_reading_of_the_demo_and_no_accuracy_hangs_on_the_processor(measured):
    found = in_short(measured)
    assert (
        found["accuracies outside another variant's interval"] == 0
        and found["readings that differ between variants"] == 0
    )
    assert (
        found["readings"] == 8
        and found["accuracies compared with another variant's interval"] == 120
    )


def test_workers_of_a_benchmark_end_with_it(tmp_path):
    code = (
        "import signal, time\nsignal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's"
        " background processes ignore it\nfrom bench.measuring import side_by_side\nif __name__ =="
        " '__main__':\n    print('begun', flush=True)\n    list(side_by_side(time.sleep, [300,"
        " 300], 2))\n"
    )
    (tmp_path / "work.py").write_text(code)
    process = subprocess.Popen(
        [sys.executable, tmp_path / "work.py"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"PYTHONPATH": str(PACKAGE.parent)},
        start_new_session=True,
    )
    assert process.stdout.readline() == "begun\n"
    time.sleep(3)  # the workers are being started, or sleep
    process.send_signal(signal.SIGINT)
    # ends once no worker holds the other end of its output any more
    process.communicate(timeout=30)
    assert process.returncode != 0
