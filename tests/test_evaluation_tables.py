"""What readers see of the comparison, the scores, the subsets and the calibration; and the latency
benchmark."""

import numpy as np
import pandas as pd
import pytest

from bench import latency as bench_latency
from bench.__main__ import main
from fer_utils import tables
from fer_utils.balancing import LEVEL_TITLES
from fer_utils.evaluation import BRIER, ECE, PREFIXES
from fer_utils.figures import figure_a6_calibration

NAMED = {"titles": {"demo_rafdb": "Demo faces"}, "level_titles": LEVEL_TITLES}


def compared(**changes):
    row = {
        "dataset": "demo_rafdb",
        "level": "aug1",
        "reference": "original",
        "n": 1614,
        "seeds": 3,
        "difference": 5.0,
        "low": 2.0,
        "high": 8.0,
        "p": 0.004,
        "balanced": -1.0,
        "balanced_low": -4.0,
        "balanced_high": 2.0,
        "balanced_p": 0.4,
        "family": "primary",
        "p_holm": 0.0321,
        "balanced_p_holm": 1.0,
        "b": 40.0,
        "c": 20.5,
    }
    return row | changes


@pytest.mark.parametrize("measure", PREFIXES)
@pytest.mark.parametrize(
    ("changes", "row", "reading"),
    [
        ({}, {}, "better"),
        ({"p_holm": 0.06}, {}, "open"),
        ({"low": -0.1}, {}, "open"),
        ({"difference": -5.0, "low": -8.0, "high": -2.0}, {}, "worse"),
        ({"difference": 0.0, "low": 0.0, "high": 0.0}, {}, "open"),
        ({"p_holm": np.nan}, {"family": "exploratory"}, "better"),
        ({"p_holm": np.nan, "p": 0.06}, {"family": "exploratory"}, "open"),
        ({}, {"seeds": 2}, "too few seeds"),
        ({"p": np.nan, "p_holm": np.nan}, {"seeds": 1}, "too few seeds"),
    ],
)
def test_a_level_is_called_better_in_a_measure_only_if_p_and_interval_of_it_say_so(
    changes, row, reading, measure
):
    found = {"difference": 5.0, "low": 2.0, "high": 8.0, "p": 0.004, "p_holm": 0.0321} | changes
    named = {measure: found.pop("difference")} | {
        f"{PREFIXES[measure]}{name}": value for name, value in found.items()
    }
    assert tables.verdict(compared(**row, **named), measure) == reading


def test_the_comparison_shows_images_seeds_and_of_both_measures_interval_p_and_reading():
    shown = tables.table_a6_comparison(
        pd.DataFrame(
            [
                compared(),
                compared(
                    level="control",
                    reference="oversampling",
                    balanced_p=0.0001,
                    balanced_high=-0.5,
                    family="exploratory",
                    p_holm=np.nan,
                    balanced_p_holm=np.nan,
                ),
            ]
        ),
        **NAMED,
    )
    assert shown.iloc[0].tolist() == [
        "Demo faces",
        "Aug. 1 with Original",
        "1,614, 3",
        "+5.0 [+2.0, +8.0]",
        "0.004 | 0.032",
        "better",
        "-1.0 [-4.0, +2.0]",
        "0.400 | 1.000",
        "open",
        "40.0 | 20.5",
    ]
    assert shown.iloc[1, [1, 4, 5, 7, 8]].tolist() == [
        "control with oversampling",
        "0.004",
        "better (exploratory)",
        "< 0.001",
        "worse (exploratory)",
    ]
    assert list(shown.columns[3:9]) == [
        "Difference (points) [interval: faces and runs]",
        "p | Holm",
        "Reading",
        "In balanced accuracy (points) [interval: faces and runs]",
        "p | Holm (balanced)",
        "Reading (balanced)",
    ]
    caption = tables.comparison_caption(0.95)
    assert (
        "95 % interval: faces and runs" in caption
        and "no verdict under 3 seeds; of one seed" in caption
    )


def test_a_score_shows_paper_mean_spread_interval_and_what_chance_makes():
    row = {
        "dataset": "demo_rafdb",
        "level": "aug1",
        "n": 614,
        "seeds": 2,
        "paper": np.nan,
        "sd": 1.2345,
        "floor": np.nan,
    }
    table = pd.DataFrame(
        [
            row
            | {
                "score": "accuracy",
                "value": 81.2345,
                "low": 78.0,
                "high": 84.0,
                "paper": 96.17,
            },
            row | {"score": ECE, "value": 5.0, "low": 2.0, "high": 6.0, "floor": 4.1},
            row | {"score": BRIER, "value": 0.4321, "low": 0.4, "high": 0.5, "sd": np.nan},
        ]
    )
    assert tables.table_a6_summary(table, **NAMED).iloc[0].to_dict() == {
        "Data set": "Demo faces",
        "Level": "Aug. 1",
        "Test images, seeds": "614, 2",
        "Accuracy (%)": "96.17 | 81.2 ± 1.2 [78.0, 84.0]",
        "Expected calibration error (%)": "5.0 ± 1.2 [2.0, 6.0]\n4.1 by chance alone",
        "Brier score": "0.432 [0.400, 0.500]",
    }


def test_a_subset_says_how_many_faces_are_left_out_and_why():
    row = {
        "dataset": "demo_rafdb",
        "level": "aug1",
        "subset": "without twins",
        "labels": "the data set's",
        "paper": np.nan,
        "n": 600,
        "dropped": 14,
        "why": "14 with a copy",
        "seeds": 2,
        "accuracy": 70.0,
        "sd": 1.0,
        "low": 66.0,
        "high": 73.0,
        "labels_same": 100.0,
    }
    shown = tables.table_a6_subsets(pd.DataFrame([row]), **NAMED).iloc[0]
    assert (shown["n"], shown["Left out"], shown["Aug. 1"], shown["Aug. 2"]) == (
        "600",
        "14 (14 with a copy)",
        "70.0 ± 1.0 [66.0, 73.0]\nseeds: 2",
        "",
    )


def test_the_confusion_table_shows_shares_and_counts_and_emotions_without_images():
    from fer_utils.core.emotions import EMOTIONS

    table = pd.DataFrame(
        [
            {
                "dataset": "demo_rafdb",
                "level": "aug1",
                "emotion": label,
                "n": 4 if label == "anger" else 0,
                "seeds": 2,
                "predicted": name,
                "count": 2 * (label == "anger"),
                "share": 25.0 if label == "anger" else np.nan,
            }
            for label in EMOTIONS
            for name in EMOTIONS
        ]
    )
    shown = tables.table_a6_confusion(table, **NAMED)
    assert shown["Happy"].tolist() == ["25 % (2)", *["no test images"] * 6] and len(shown) == 7


def test_the_reliability_diagram_has_two_panels_per_title_and_says_its_note():
    diagram = pd.DataFrame(
        {
            "low_edge": [20.0, 80.0],
            "high_edge": [30.0, 90.0],
            "answers": [5, 9],
            "confidence": [24.0, 85.0],
            "accuracy": [20.0, 88.0],
            "low": [4.0, 60.0],
            "high": [60.0, 97.0],
        }
    )
    figure = figure_a6_calibration(
        {"one": diagram, "two": diagram}, {"one": "error 5", "two": "error 6"}
    )
    assert [axes.get_title() for axes in figure.axes if axes.get_title()] == [
        "(a) one\nerror 5",
        "(b) two\nerror 6",
    ]


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(bench_latency, "WIDTH", 0.0625)
    monkeypatch.setattr(bench_latency, "REPEATS", 3)


def test_the_latency_benchmark_times_each_data_set_batch_and_part_beside_the_papers_milliseconds(
    project, small, capsys
):
    assert main(["latency"]) == 0
    table = pd.read_csv(project / "tables" / "benchmarks" / "latency.csv")
    assert len(table.drop_duplicates(["dataset", "timed", "batch_size"])) == len(table) == 12
    assert (table["first_quartile"] <= table["median"]).all() and (
        table["median"] <= table["third_quartile"]
    ).all()
    assert (
        (table["median"] > 0).all()
        and (table["repeats"] == 3).all()
        and table["threads"].min() >= 1
    )
    stated = table[table["paper"].notna()]
    assert set(zip(stated["dataset"], stated["batch_size"], stated["paper"])) == {
        ("FER2013", 16, 1.4),
        ("RAF-DB", 16, 4.7),
    }
    text = (project / "tables" / "benchmarks" / "latency.md").read_text(encoding="utf-8")
    assert (
        "threads" in text
        and "on CPU" in text
        and "as the paper states" in text
        and "3.36" in capsys.readouterr().out
    )


def test_a_face_written_as_png_is_read_back_unchanged():
    for name in bench_latency.DATASETS:
        faces = bench_latency._drawn(name).select(np.arange(2))
        again = bench_latency.from_png(bench_latency.as_png(faces), faces)
        np.testing.assert_array_equal(again.images, faces.images)
