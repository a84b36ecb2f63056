"""A run's tables against the committed ones: each kind of cell, changed by hand."""

import shutil

import pandas as pd
import pytest

from fer_utils import cli
from fer_utils.core.errors import CompanionError
from fer_utils.core.paths import committed_tables
from fer_utils.core.profiles import load_profile
from fer_utils.runner import comparing
from fer_utils.runner.comparing import compare, compare_tables, summary_line

TABLE = pd.DataFrame(
    {
        "dataset": ["d", "d", "d"],
        "level": ["original", "aug1", "aug1"],
        "paper": ["79", "", ""],
        "n": ["10", "10", "10"],
        "accuracy": ["40", "50.5", "60"],
        "sd": ["1", "2", "3"],
        "low": ["30", "40", "50"],
        "high": ["50", "60", "70"],
        "to_original": ["", "10", "20"],
        "to_original_low": ["", "-1", "1"],
        "to_original_high": ["", "21", "39"],
        "to_original_p": ["", "0.2", "0.01"],
        "to_original_reading": ["", "open", "better"],
        "accuracy_seed_0": ["39", "50", "59"],
        "seconds": ["1", "2", "3"],
    }
)


def kinds(changes: dict, row: int = 1):
    """Counts of the kinds after some cells of a row were changed, identical ones left out, and the
    places outside."""
    now = TABLE.copy()
    for column, value in changes.items():
        now.loc[row, column] = value
    found = compare_tables("t", TABLE, now)
    assert found.cells == 3 * (len(TABLE.columns) - 1) and found.times == 3
    return {
        kind: count for kind, count in found.counts.items() if kind != "identical"
    }, found.places


@pytest.mark.parametrize(
    "changes, expected",
    [
        ({}, {}),
        ({"seconds": "9"}, {}),
        ({"accuracy": "45"}, {"within": 1}),
        (
            {"accuracy": "45", "sd": "9", "low": "35", "high": "55", "accuracy_seed_0": "1"},
            {"within": 5},
        ),
        ({"accuracy": "60.1", "sd": "9"}, {"outside": 2}),
        ({"accuracy": ""}, {"outside": 1}),
        ({"sd": "9"}, {"outside": 1}),
        ({"high": "99"}, {"outside": 1}),
        ({"accuracy_seed_0": "51"}, {"outside": 1}),
        ({"to_original": "20.5", "to_original_p": "0.3", "to_original_low": "0"}, {"within": 3}),
        ({"to_original": "20.5", "accuracy": "99"}, {"within": 1, "outside": 1}),
        ({"to_original_p": "0.3"}, {"outside": 1}),
        ({"to_original": "20.5", "to_original_reading": "better"}, {"within": 1, "outside": 1}),
        ({"n": "11"}, {"outside": 1}),
        ({"paper": "1"}, {"outside": 1}),
    ],
)
def test_a_cell_is_identical_within_its_interval_or_outside(changes, expected):
    counts, places = kinds(changes)
    assert counts == expected and len(places) == expected.get("outside", 0)


def test_p_values_and_seeds_of_a_comparison_belong_to_their_measure():
    measures = {
        "difference": ["low", "high", "p", "p_holm", "b", "c", "difference_seed_0"],
        "balanced": [
            "balanced_low",
            "balanced_high",
            "balanced_p",
            "balanced_p_holm",
            "balanced_seed_0",
        ],
    }
    every = [
        "dataset",
        "level",
        "n",
        "seeds",
        "family",
        *measures,
        *measures["difference"],
        *measures["balanced"],
    ]
    assert comparing._owners(every) == {
        column: measure for measure, of in measures.items() for column in (measure, *of)
    }


def test_a_place_outside_is_named_with_both_values_and_repeated_rows_are_told_apart():
    assert kinds({"n": "11"})[1] == ["d, aug1, n: 10 -> 11"]
    assert kinds({"n": "11"}, row=2)[1] == ["d, aug1, no. 2, n: 10 -> 11"]
    assert kinds({"to_original": "3"}, row=0)[1] == ["d, original, to_original: empty -> 3"]


def test_rows_are_matched_by_their_keys_in_any_order_and_lost_ones_are_named():
    assert set(compare_tables("t", TABLE, TABLE.iloc[[1, 0, 2]]).counts) == {"identical"}
    lost = compare_tables("t", TABLE, TABLE.iloc[1:])
    assert (
        lost.places == ["row d, original missing in the run"]
        and lost.counts["outside"] == len(TABLE.columns) - 1
    )
    other = TABLE.assign(level=["original", "aug1", "aug2"])
    assert compare_tables("t", TABLE, other).places == [
        "row d, aug1, no. 2 missing in the run",
        "row d, aug2 not committed",
    ]


def test_lost_and_new_columns_and_tables_are_named():
    found = compare_tables("t", TABLE, TABLE.drop(columns="sd").assign(new="1"))
    assert sorted(found.places) == ["column new not committed", "column sd missing in the run"]
    assert compare_tables("t", TABLE, None).places == ["table missing in the run"]
    assert compare_tables("t", None, TABLE).places == ["table not committed"]
    assert (
        summary_line([found, compare_tables("u", TABLE, TABLE)])
        == f"{found.cells + 42} cells: {found.counts['identical'] + 42} identical, 0 within the"
        f" committed intervals, 6 outside (t: {found.places[0]}; t: {found.places[1]}); 6 times"
        " left out"
    )


@pytest.fixture
def profile(project):
    """A run of demo that made what is committed; and another table of a notebook beside the
    stages."""
    profile = load_profile("demo")
    shutil.copytree(committed_tables("demo"), profile.paths.tables)
    (profile.paths.tables / "table_a2_demo_difficulty.csv").write_text(
        "dataset,accuracy,low,high\nd,1,0,2\n"
    )
    return profile


def committed_by_notebook_91(monkeypatch):
    """As publishing records it."""
    real = comparing.read_provenance
    about = {"table_a2_demo_difficulty.csv": {"notebook": "91_demo_difficulty"}}
    monkeypatch.setattr(
        comparing, "read_provenance", lambda folder: {"files": real(folder)["files"] | about}
    )


def test_a_run_equal_to_what_is_committed_is_identical_and_one_changed_digit_is_found(
    profile, monkeypatch, capsys
):
    committed_by_notebook_91(monkeypatch)
    assert cli.main(["compare"]) == 0
    assert "0 within the committed intervals, 0 outside" in capsys.readouterr().out
    path = profile.paths.tables / "table_1_prompts.csv"
    path.write_text(path.read_text().replace("disgust", "Disgust", 1))
    assert cli.main(["compare"]) == 1
    said = capsys.readouterr()
    assert "table_1_prompts: row paper" in said.out and "outside" in said.err
    shown = (profile.paths.run / "tables_compared.md").read_text()
    assert (
        "## Outside" in shown
        and "table_1_prompts" in (profile.paths.run / "tables_compared.csv").read_text()
    )


def test_every_measured_cell_of_the_committed_tables_has_an_interval(profile):
    """Set to the middle of its interval each estimate is within; so none is left without one."""
    for path in sorted(profile.paths.tables.glob("table_*.csv")):
        table = comparing._read(path)
        for estimate in {*comparing._owners([*table]).values()}:
            low, high = (
                f"{estimate}_{end}" if f"{estimate}_{end}" in table else end
                for end in ("low", "high")
            )
            known = table[estimate].map(bool) & (table.get("source", "") != "paper")
            assert (table.loc[known, [low, high]] != "").all(axis=None), f"{path.name}: {estimate}"


def test_a_profile_of_which_nothing_is_committed_and_a_run_without_tables_are_said(project):
    with pytest.raises(CompanionError, match="No tables of smoke are committed"):
        compare(load_profile("smoke"))
    with pytest.raises(
        CompanionError,
        match="holds no table; run python -m fer_utils reproduce --profile demo first",
    ):
        compare(load_profile("demo"))


def test_what_a_profile_has_in_common_with_the_one_it_extends_is_compared_with_that(
    project, tmp_path, monkeypatch
):
    lying = {
        "demo": ["table_1_prompts", "table_a2_demo_difficulty"],
        "demo_controls": ["table_a2_controls"],
    }
    for name, tables in lying.items():
        for table in tables:
            (tmp_path / "committed" / name).mkdir(parents=True, exist_ok=True)
            (tmp_path / "committed" / name / f"{table}.csv").write_text("a,b\nx,1\n")
    monkeypatch.setattr(comparing, "committed_tables", lambda name: tmp_path / "committed" / name)
    profile = load_profile("demo_controls")
    profile.paths.tables.mkdir(parents=True)
    for table in ("table_1_prompts", "table_a2_controls"):
        (profile.paths.tables / f"{table}.csv").write_text("a,b\nx,1\n")
    assert (
        summary_line(compare(profile))
        == "4 cells: 4 identical, 0 within the committed intervals, 0 outside"
    )
