"""The paper's tables as transcribed, and the official counts."""

import pytest

from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.errors import CompanionError
from fer_utils.core.reference import read_as_printed, read_reference
from fer_utils.datasets.checks import check_counts, official_counts

LEVELS = ("original", "aug1", "aug2", "aug3", "aug4")
TABLE_3_OVERALL = {
    "FER2013": (79.79, 84.81, 91.48, 94.69, 96.47),
    "RAF-DB": (94.76, 96.17, 98.58, 98.91, 99.23),
}


@pytest.mark.parametrize(("dataset", "total"), [("FER2013", 28_709), ("RAF-DB", 12_271)])
def test_table_2_sums_to_the_sizes_the_paper_states(dataset, total):
    assert sum(official_counts(dataset, "train").values()) == total


def test_table_2_has_one_row_per_set_level_and_emotion():
    table = read_reference("table_2")
    assert len(table) == 2 * 5 * 7
    assert not table.duplicated(["dataset", "level", "emotion"]).any()
    assert tuple(table["level"].unique()) == LEVELS


def test_official_test_counts_sum_to_the_published_sizes():
    sums = read_reference("test_counts").groupby(["dataset", "split"])["count"].sum().to_dict()
    assert sums == {
        ("FER2013", "validation"): 3_589,
        ("FER2013", "test"): 3_589,
        ("RAF-DB", "test"): 3_068,
    }


def test_rare_classes_have_their_known_test_counts():
    assert official_counts("RAF-DB", "test")["fear"] == 74
    assert official_counts("FER2013", "test")["disgust"] == 55


def test_table_3_holds_every_class_and_the_printed_overall_accuracies():
    table = read_reference("table_3")
    assert set(table["emotion"]) == {*EMOTIONS, "overall"} and len(table) == 2 * 5 * 8
    for dataset, printed in TABLE_3_OVERALL.items():
        rows = table[(table["dataset"] == dataset) & (table["emotion"] == "overall")].set_index(
            "level"
        )
        assert tuple(rows.loc[list(LEVELS), "accuracy"]) == printed


def test_the_gains_the_text_quotes_follow_from_table_3():
    table = read_reference("table_3").set_index(["dataset", "emotion", "level"])["accuracy"]
    gains = [
        round(table[dataset, emotion, "aug4"] - table[dataset, emotion, "original"], 2)
        for dataset, emotion in [
            ("FER2013", "overall"),
            ("RAF-DB", "overall"),
            ("FER2013", "fear"),
            ("FER2013", "happy"),
            ("RAF-DB", "fear"),
        ]
    ]
    assert gains == [16.68, 4.47, 25, 11, 8]


def test_table_1_holds_the_four_prompts_with_keywords_that_name_their_emotion():
    table = read_reference("table_1")
    assert len(table) == 4 and not table["prompt"].str.contains('"').any()
    assert all(
        emotion in keywords for emotion, keywords in zip(table["emotion"], table["keywords"])
    )


def test_table_4_ends_with_the_papers_own_rows_and_agrees_with_table_3():
    table = read_reference("table_4")
    assert len(table) == 14
    own = table[table["row"] >= 10].set_index(["row", "dataset"])["accuracy"].to_dict()
    assert own == {
        (10, "FER2013"): 79.79,
        (10, "RAF-DB"): 94.76,
        (11, "FER2013"): 96.47,
        (11, "RAF-DB"): 99.23,
    }


@pytest.mark.parametrize(
    ("name", "printed"), [("table_1", 4), ("table_2", 49), ("table_3", 80), ("table_4", 14)]
)
def test_every_printed_cell_has_a_place_in_the_paper(name, printed):
    place = read_reference(name)["place"]
    assert place.str.contains("2411.10863").all() and place.nunique() == printed


def test_the_test_sets_are_the_official_counts_alone_and_added_up():
    sets = read_reference("test_sets").set_index(["test_set", "emotion"])["count"]
    for name, dataset, split in (
        ("PrivateTest", "FER2013", "test"),
        ("PublicTest", "FER2013", "validation"),
        ("test", "RAF-DB", "test"),
    ):
        assert sets[name].to_dict() == official_counts(dataset, split)
    assert (sets["PublicTest and PrivateTest"] == sets["PublicTest"] + sets["PrivateTest"]).all()


def test_every_claim_quotes_the_paper_and_says_where_and_every_fact_has_a_source():
    claims = read_reference("claims")
    assert (
        claims["place"].str.contains("2411.10863, (?:abstract|section)").all()
        and claims["quote"].ne("").all()
    )
    assert claims["kind"].value_counts().to_dict() == {
        "gain": 6,
        "accuracy": 10,
        "count": 10,
        "training time": 2,
        "inference time": 2,
    }
    for name in ("test_sets", "costs", "code_facts", "label_agreement"):
        assert read_reference(name)["source"].ne("").all(), name


def test_read_as_printed_every_cell_is_text():
    table = read_as_printed("table_3")
    assert table["accuracy"].map(type).eq(str).all() and "79.79" in set(table["accuracy"])


def test_an_unknown_reference_table_names_the_nearest():
    with pytest.raises(CompanionError, match="did you mean 'table_2'"):
        read_reference("tabel_2")


def test_a_class_count_that_is_off_is_named_with_both_numbers():
    found = official_counts("FER2013", "test") | {"disgust": 54}
    with pytest.raises(CompanionError, match=r"some\.csv.*test split.*disgust 54 instead of 55"):
        check_counts(found, "FER2013", "test", where="some.csv")


def test_rafdb_has_no_official_validation_split():
    with pytest.raises(CompanionError, match="cut from train"):
        official_counts("RAF-DB", "validation")
