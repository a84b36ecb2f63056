"""What every data set has in common: names, samples of a share, and the report of what was
found."""

import numpy as np
import pytest
from written_data import csv_text, fer2013_files, rafdb_images, rafdb_kaggle, write_files, write_zip

from fer_utils.core.errors import CompanionError
from fer_utils.core.profiles import load_profile
from fer_utils.datasets import dataset_info, find_dataset, load_splits
from fer_utils.datasets.splits import Found, stratified_sample


@pytest.mark.parametrize("name", ["fer2013", "rafdb"])
def test_missing_data_says_where_it_looked_what_belongs_there_and_how_to_point_elsewhere(
    name, project
):
    with pytest.raises(CompanionError) as caught:
        load_splits(name, load_profile("paper"))
    message = str(caught.value)
    assert str(project / "data") in message and "FER_DATA" in message and "Put " in message


def test_a_sample_keeps_the_share_of_each_class_and_never_under_two():
    labels = np.repeat(np.arange(7), [100, 40, 3, 2, 1, 50, 60])
    kept = np.bincount(labels[stratified_sample(labels, 0.1, seed=0)], minlength=7)
    assert kept.tolist() == [10, 4, 2, 2, 1, 5, 6]


def test_a_smaller_sample_is_part_of_a_larger_one():
    labels = np.repeat(np.arange(7), 50)
    small, large = (set(stratified_sample(labels, share, seed=3)) for share in (0.1, 0.5))
    assert small < large


def test_an_unknown_data_set_names_the_nearest():
    with pytest.raises(CompanionError, match="did you mean 'demo_rafdb'"):
        dataset_info("demo_rafbd")


def test_what_was_found_is_said_in_lines_to_print():
    found = Found("FER2013", "the CSV file", "fer2013.csv", True, ("A note.",))
    assert found.lines() == ["FER2013: the CSV file, fer2013.csv", "  A note."]


def test_drawn_sets_are_found_as_drawn(project):
    found = find_dataset("demo_fer2013")
    assert (found.layout, found.official) == ("drawn by code", False)


def test_loaded_splits_say_which_copy_they_come_from(project, any_counts):
    write_files(project / "data", {"fer2013.csv": csv_text()})
    splits = load_splits("fer2013", load_profile("paper", ["data.scale=0.5"]))
    assert splits.found == find_dataset("fer2013") and splits.found.place == "fer2013.csv"
    assert [name for name, _ in splits.items()] == ["train", "validation", "test"]


def test_both_data_sets_are_told_apart_in_one_folder_by_names_and_sizes(project, any_counts):
    write_files(project / "data" / "a", fer2013_files(named=False))
    write_files(project / "data" / "b", rafdb_kaggle(rafdb_images()))
    assert find_dataset("fer2013").place == "a" and find_dataset("rafdb").place == "b/DATASET"


def test_both_data_sets_are_told_apart_in_archives(project, any_counts):
    write_zip(
        project / "data" / "one.zip", {f"x/{k}": v for k, v in rafdb_kaggle(rafdb_images()).items()}
    )
    write_zip(project / "data" / "two.zip", fer2013_files())
    assert (
        find_dataset("fer2013").place == "two.zip"
        and find_dataset("rafdb").place == "one.zip (x/DATASET)"
    )


def test_what_is_found_a_second_time_decodes_nothing(project, any_counts, monkeypatch):
    write_files(project / "data", fer2013_files(named=False))
    first = find_dataset("fer2013")
    monkeypatch.setattr(
        "fer_utils.datasets.fer2013.decode_tree", lambda *_: pytest.fail("decoded again")
    )
    assert find_dataset("fer2013") == first
