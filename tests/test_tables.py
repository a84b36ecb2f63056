"""Tables: the CSV is exact, what readers see is escaped and stamped, and equal content gives equal
bytes."""

import hashlib

import numpy as np
import pandas as pd
import pytest

from fer_utils import tables
from fer_utils.balancing import LEVEL_TITLES, distribution_table
from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.profiles import differences, load_profile
from fer_utils.core.reference import read_reference
from fer_utils.datasets.checks import official_counts
from fer_utils.tables.text import escape_latex, escape_markdown

TITLES = {"demo_fer2013": "Demo faces after FER2013"}


@pytest.fixture
def demo(project):
    return load_profile("demo")


@pytest.fixture
def accuracies() -> pd.DataFrame:
    """A long Table III with the columns of ``evaluation.table_3``."""
    rows = [
        {
            "dataset": "demo_fer2013",
            "level": level,
            "emotion": emotion,
            "paper": 71.0,
            "n": 100,
            "seeds": 2,
            "accuracy": 53.123456789,
            "sd": 1.5,
            "low": 43.4,
            "high": 62.6,
            "accuracy_seed_0": 52.0,
            "accuracy_seed_1": 54.246913578,
        }
        for level in LEVEL_TITLES
        for emotion in (*EMOTIONS, "overall")
    ]
    return pd.DataFrame(rows)


def save_accuracies(table, profile):
    shown = tables.table_3_class_accuracy(table, titles=TITLES, level_titles=LEVEL_TITLES)
    return tables.save(
        table, "table_3_class_accuracy", profile, caption="Accuracy, 100 % of_it", shown=shown
    )


def test_the_csv_of_table_3_holds_every_number_behind_a_cell(accuracies, demo):
    csv, _, _ = save_accuracies(accuracies, demo)
    read = pd.read_csv(csv)
    assert {"n", "low", "high", "seeds", "paper", "accuracy", "accuracy_seed_0"} <= set(
        read.columns
    )
    assert len(read) == len(accuracies)
    np.testing.assert_allclose(read["accuracy"], accuracies["accuracy"], rtol=1e-9)


def test_a_cell_of_table_3_shows_paper_ours_interval_images_and_seeds(accuracies):
    shown = tables.table_3_class_accuracy(accuracies, titles=TITLES, level_titles=LEVEL_TITLES)
    assert list(shown.columns) == ["Classes", "Data set", *LEVEL_TITLES.values()]
    assert shown["Aug. 1"][0] == "71 | 53.1 [43.4, 62.6]\nn = 100, seeds 52.0, 54.2"


def test_an_emotion_without_test_images_is_said_to_have_none(accuracies):
    empty = accuracies.assign(n=0, accuracy=np.nan, low=np.nan, high=np.nan)
    shown = tables.table_3_class_accuracy(empty, titles=TITLES, level_titles=LEVEL_TITLES)
    assert shown["Original"][0] == "71 | no test images"


def test_saving_the_same_table_twice_gives_the_same_bytes(accuracies, demo):
    def hashes():
        return [
            hashlib.sha256(path.read_bytes()).hexdigest()
            for path in save_accuracies(accuracies, demo)
        ]

    assert hashes() == hashes()


def test_markdown_and_latex_carry_the_stamp_and_escape_the_caption(accuracies, demo):
    _, markdown, latex = (path.read_text() for path in save_accuracies(accuracies, demo))
    assert "**[demo faces]**" in markdown.splitlines()[0]
    assert r"\caption{Accuracy, 100 \% of\_it [demo faces]}" in latex


def test_special_characters_of_latex_are_escaped():
    assert (
        escape_latex("a_b & 5 % #1 {x} $y$ ~ ^ \\")
        == r"a\_b \& 5 \% \#1 \{x\} \$y\$ \textasciitilde{} \textasciicircum{} \textbackslash{}"
    )


def test_a_bracket_after_a_line_break_is_not_read_as_an_argument_by_latex():
    assert escape_latex("5\n[1, 2]") == r"\shortstack[l]{5 \\ {}[1, 2]}"


def test_a_bar_or_a_star_in_a_cell_does_not_break_a_markdown_table():
    assert escape_markdown("1 | *2*\n3") == r"1 \| \*2\*<br>3"
    table = tables.markdown_table(pd.DataFrame({"a|b": ["c|d"], "e": [None]}))
    assert [line.replace(r"\|", "").count("|") for line in table.splitlines()] == [3, 3, 3]


def test_table_2_of_the_published_counts_equals_the_paper_cell_for_cell():
    counts = {
        name: official_counts(paper, "train")
        for name, paper in (("fer2013", "FER2013"), ("rafdb", "RAF-DB"))
    }
    long = tables.table_2_counts(counts, load_profile("paper"))
    printed = read_reference("table_2")
    merged = printed.merge(long, on=["dataset", "level", "emotion"], suffixes=("_paper", ""))
    assert len(merged) == len(printed) == len(long)
    assert (merged["count"] == merged["count_paper"]).all()
    assert (long["real"] + long["synthetic"] == long["count"]).all()


def test_table_2_for_readers_has_a_row_of_totals():
    counts = {
        "fer2013": official_counts("FER2013", "train"),
        "rafdb": official_counts("RAF-DB", "train"),
    }
    shown = tables.table_2_distribution(distribution_table(counts, load_profile("paper")))
    last = shown.iloc[-1].tolist()
    assert last == ["Total", "28,709", "12,271", "50,505", "33,404", "70,000", "87,500", "105,000"]


def test_table_1_lists_the_papers_prompts_first():
    printed = read_reference("table_1")[["prompt", "keywords"]]
    ours = pd.DataFrame({"prompt": ["A sad face"], "keywords": ["sad"], "seed": [1]})
    table = tables.table_1_prompts(printed, ours)
    assert table["source"].tolist() == ["paper"] * 4 + ["ours"]
    assert table.columns.tolist() == ["source", "prompt", "keywords"]


def test_a_change_is_only_called_clear_where_the_intervals_do_not_overlap(accuracies):
    higher = accuracies["level"] == "aug4"
    accuracies.loc[higher, ["accuracy", "low", "high"]] = 70.0, 60.0, 80.0
    accuracies.loc[higher & (accuracies["emotion"] == "fear"), "low"] = 65.0
    changes = tables.accuracy_changes(accuracies, first="original", last="aug4").set_index(
        "emotion"
    )
    assert changes["change"].to_numpy() == pytest.approx(70 - 53.123456789)
    assert changes.index[changes["apart"]].tolist() == ["fear"]


def test_table_4_shows_an_interval_only_for_our_rows():
    table = pd.DataFrame(
        {
            "method": ["theirs", "ours"],
            "source": ["paper", "demo"],
            "FER2013": [70.44, 55.0],
            "FER2013_low": [np.nan, 51.2],
            "FER2013_high": [np.nan, 58.8],
            "FER2013_n": [np.nan, 718],
            "FER2013_seeds": [np.nan, 2],
            "RAF-DB": [np.nan, np.nan],
        }
    )
    shown = tables.table_4_comparison(table)
    assert shown["FER2013"].tolist() == ["70.44", "55.00 [51.20, 58.80]\nn = 718, seeds: 2"]
    assert shown["RAF-DB"].tolist() == ["", ""]


def test_the_differences_table_shows_lists_and_numbers_as_people_write_them():
    shown = tables.table_a0_differences(
        differences(load_profile("demo", ["training.seeds=[5]"]))
    ).set_index("setting")
    assert shown.loc["training.learning_rate"].tolist() == ["0.001", "0.01"]
    assert shown.loc["training.seeds"].tolist() == ["0, 1, 2", "5"]


def test_the_generator_table_has_a_column_for_each_generator():
    rows = [
        {"generator": name, "attribute": "emotion", "value": "anger", "n": 100, "agreement": 0.9}
        for name in ("sd2", "sd3")
    ]
    shown = tables.table_a1_generators(pd.DataFrame(rows), titles={"sd2": "SD 2", "sd3": "SD 3"})
    assert shown["SD 3"].tolist() == ["90.0 [82.6, 94.5]\nn = 100"]


def test_a_wide_latex_table_is_scaled_to_the_page_and_a_narrow_one_is_not(accuracies, demo):
    _, _, wide = save_accuracies(accuracies, demo)
    assert r"\resizebox{\textwidth}" in wide.read_text()
    assert "resizebox" not in tables.latex_table(pd.DataFrame({"a": ["b"]}), caption="", label="x")
