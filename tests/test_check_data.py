"""``check-data``: what is official is said to be, what is not is said with its reason, and the exit
code tells."""

import json

import pytest
from written_data import GOOD, csv_text

from bench.__main__ import main
from fer_utils import cli
from fer_utils.core.profiles import load_profile
from fer_utils.datasets import fer2013, inspection
from fer_utils.datasets.inspection import inspect_dataset, inspection_lines

PROFILE = load_profile("paper")


def test_an_empty_data_folder_is_not_the_official_data_and_says_what_belongs_there(project, capsys):
    assert cli.main(["check-data"]) == 1
    printed = capsys.readouterr()
    assert "FER2013 was not found" in printed.out and "RAF-DB was not found" in printed.out
    assert printed.err.strip() == "Not the official data: FER2013, RAF-DB."


def test_a_csv_with_too_few_rows_is_not_official_and_the_class_counts_say_why(project):
    (project / "data").mkdir()
    (project / "data" / "fer2013.csv").write_bytes(csv_text())
    found = inspect_dataset("fer2013", PROFILE)
    assert (
        not found.official and "the train split has 7 faces, FER2013 has 28,709" in found.reasons[0]
    )


def test_a_copy_with_changed_pixels_is_not_official_although_all_else_is_right(
    project, any_counts, monkeypatch
):
    (project / "data").mkdir()
    (project / "data" / "fer2013.csv").write_bytes(csv_text(GOOD * 3))
    found = inspect_dataset("fer2013", PROFILE)
    assert not found.official and "not proven to be a published copy" in found.reasons[0]
    assert "its content is not the official one" in found.reasons[0]
    lines = "\n".join(inspection_lines(found))
    assert "This is not the official data:" in lines and "rows that repeat an earlier one" in lines


def test_a_figure_that_differs_from_the_official_files_is_a_reason(
    project, any_counts, monkeypatch
):
    (project / "data").mkdir()
    (project / "data" / "fer2013.csv").write_bytes(csv_text())

    def one_too_many(name, splits, profile):
        table = inspection_table(name, splits, profile)
        return table.assign(expected=(table["found"] - (table.index == 2)).astype("Int64"))

    inspection_table = inspection.integrity_table
    monkeypatch.setattr(inspection, "integrity_table", one_too_many)
    reasons = inspect_dataset("fer2013", PROFILE).reasons
    assert reasons[1:] == (
        "rows that repeat an earlier one (train): found 0, the official files have -1",
    )


def test_json_holds_everything_and_nothing_else_is_printed(project, any_counts, capsys):
    (project / "data").mkdir()
    (project / "data" / "fer2013.csv").write_bytes(csv_text())
    assert cli.main(["check-data", "--json"]) == 1
    first, second = json.loads(capsys.readouterr().out)
    assert (
        first["dataset"] == "FER2013"
        and first["official"] is False
        and first["found"]["place"] == "fer2013.csv"
    )
    assert {"split": "train", "emotion": "anger", "found": 1, "official": 3995} in first["counts"]
    assert second["found"] is None and second["integrity"] == []


def test_bench_without_data_says_what_to_put_where(project, capsys):
    assert main(["data"]) == 2
    assert "FER2013 was not found" in capsys.readouterr().err


@pytest.mark.realdata
def test_the_real_fer2013_is_official_and_raf_dbs_label_list_is_counted_without_images(
    real_project,
):
    fer, raf = (inspect_dataset(name, PROFILE) for name in inspection.REAL_SETS)
    assert fer.official and fer.found.official and not fer.copies
    assert (fer.counts["found"] == fer.counts["official"]).all() and len(fer.counts) == 21
    assert (raf.counts["found"] == raf.counts["official"]).all() and raf.counts[
        "found"
    ].sum() == 15_339
    assert not raf.official and "images are missing" in raf.reasons[0]


def test_a_folder_tree_beside_the_csv_is_compared_with_it(project, any_counts, monkeypatch):
    monkeypatch.setattr(fer2013, "check_counts", lambda *_, **__: None)
    (project / "data").mkdir()
    (project / "data" / "fer2013.csv").write_bytes(csv_text())
    monkeypatch.setattr(inspection, "fer2013_trees", lambda contents: ["a tree"])
    monkeypatch.setattr(inspection, "compare_tree_with_csv", lambda folder: "compared")
    monkeypatch.setattr(inspection, "comparison_notes", lambda table: [f"{table}."])
    found = inspect_dataset("fer2013", PROFILE)
    assert found.copies == ("compared.",) and "compared." in inspection_lines(found)
