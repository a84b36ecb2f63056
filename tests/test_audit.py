"""The audit of the paper's own numbers: every figure that FACTS of the tables implies, and the
text's claims."""

import pandas as pd
import pytest

from fer_utils.audit import (
    FITS,
    NOT_POSSIBLE,
    audit_paper,
    conclusions,
    paper_test_sets,
    summarise,
    table_3_columns,
)
from fer_utils.audit.checks import implied_overall, overall_fits, smallest_size
from fer_utils.audit.paper import UNLIKELY
from fer_utils.audit.rounding import read_printed
from fer_utils.audit.times import least_inference_seconds, least_step_seconds, steps_per_epoch
from fer_utils.audit.verdicts import IMPLIED
from fer_utils.core.reference import read_reference
from fer_utils.training.resemotenet import ResEmoteNet, count_parameters

IMPLIED_BY_TABLE_3 = {
    ("FER2013", "original"): ("77.90 to 78.90", NOT_POSSIBLE),
    ("FER2013", "aug1"): ("85.67 to 86.67", NOT_POSSIBLE),
    ("FER2013", "aug2"): ("91.10 to 92.10", FITS),
    ("FER2013", "aug3"): ("94.50 to 95.50", FITS),
    ("FER2013", "aug4"): ("95.78 to 96.66", FITS),
    ("RAF-DB", "original"): ("96.79 to 97.79", NOT_POSSIBLE),
    ("RAF-DB", "aug1"): ("97.97 to 98.78", NOT_POSSIBLE),
    ("RAF-DB", "aug2"): ("99.06 to 99.70", NOT_POSSIBLE),
    ("RAF-DB", "aug3"): ("99.14 to 99.78", NOT_POSSIBLE),
    ("RAF-DB", "aug4"): ("99.35 to 99.91", NOT_POSSIBLE),
}
NEEDED = {"FER2013": [21_796, 41_291, 58_791, 76_291], "RAF-DB": [21_133, 57_729, 75_229, 92_729]}
GAINS = ["16.68", "4.47", "25", "11", "93 to 99", "8"]


@pytest.fixture(scope="module")
def checks():
    return audit_paper()


@pytest.fixture(scope="module")
def summary(checks):
    return summarise(checks)


def readings(checks, check, **wanted):
    rows = checks[checks["check"] == check]
    for name, value in wanted.items():
        rows = rows[rows[name] == value]
    return rows


def not_possible(rows):
    return set(rows.loc[rows["verdict"] == NOT_POSSIBLE, "printed"])


def test_the_ten_columns_of_table_3_imply_these_overall_accuracies(summary):
    rows = summary[summary["check"] == IMPLIED]
    assert {
        (row.dataset, row.column): (row.follows, row.verdict) for row in rows.itertuples()
    } == IMPLIED_BY_TABLE_3


def test_the_columns_that_fit_are_said_to_fit_under_both_ways_to_round(checks):
    fitting = [key for key, (_, verdict) in IMPLIED_BY_TABLE_3.items() if verdict == FITS]
    for dataset, column in fitting:
        for rounding in ("half-up", "half-even", "mixed"):
            rows = readings(
                checks, IMPLIED, dataset=dataset, column=column, mean="micro", rounding=rounding
            )
            assert (rows["verdict"] == FITS).all() and len(rows) == 6
    assert fitting == [("FER2013", "aug2"), ("FER2013", "aug3"), ("FER2013", "aug4")]


def test_seven_columns_fit_on_no_test_set_and_under_no_rounding_when_every_image_counts_once(
    checks,
):
    rows = readings(checks, IMPLIED, mean="micro")
    outside = {
        key
        for key, group in rows.groupby(["dataset", "column"])
        if (group["verdict"] == NOT_POSSIBLE).all()
    }
    assert outside == {
        key for key, (_, verdict) in IMPLIED_BY_TABLE_3.items() if verdict == NOT_POSSIBLE
    }


def test_public_test_gives_the_same_verdicts_as_private_test(checks):
    rows = readings(checks, IMPLIED, mean="micro", rounding="half-up", test_set="PublicTest")
    assert {("FER2013", row.column): row.verdict for row in rows.itertuples()} == {
        key: verdict for key, (_, verdict) in IMPLIED_BY_TABLE_3.items() if key[0] == "FER2013"
    }


def test_a_macro_mean_fits_fer2013_aug_1_but_neither_raf_db_original_nor_aug_1(checks):
    rows = readings(checks, IMPLIED, mean="macro")
    fits = set(
        rows.loc[rows["verdict"] == FITS, ["dataset", "column"]].itertuples(index=False, name=None)
    )
    assert ("FER2013", "aug1") in fits and not fits & {("RAF-DB", "original"), ("RAF-DB", "aug1")}


def test_a_mean_over_batches_of_16_widens_the_interval_and_allows_only_raf_db_aug_4_besides(checks):
    rows = readings(checks, IMPLIED, rounding="half-up")
    means = {
        mean: group.set_index(["dataset", "column", "test_set"])
        for mean, group in rows.groupby("mean")
    }
    assert (means["per batch"]["low"] <= means["micro"]["low"]).all()
    gained = means["per batch"][
        (means["per batch"]["verdict"] == FITS) & (means["micro"]["verdict"] != FITS)
    ]
    assert {key[:2] for key in gained.index} == {("RAF-DB", "aug4")}


def test_no_single_mean_fits_all_columns_of_a_data_set(checks, summary):
    proven = conclusions(checks, summary)["proven"]
    assert [s for s in proven if s.startswith(("FER2013: none of", "RAF-DB: none of"))] and len(
        [s for s in proven if ": none of" in s]
    ) == 2


def test_another_class_mix_would_allow_every_column(checks):
    assert (readings(checks, IMPLIED, mean="any class mix")["verdict"] == FITS).all()


@pytest.mark.parametrize(
    ("dataset", "emotion", "test_set", "unattainable"),
    [
        ("RAF-DB", "fear", "test", {"90", "94", "98"}),
        ("FER2013", "disgust", "PrivateTest", {"88", "92"}),
    ],
)
def test_74_fear_and_55_disgust_images_do_not_round_to_these_percentages(
    checks, dataset, emotion, test_set, unattainable
):
    for rounding in ("half-up", "half-even"):
        rows = readings(
            checks,
            "attainable class row",
            dataset=dataset,
            row=emotion,
            test_set=test_set,
            rounding=rounding,
        )
        assert not_possible(rows) == unattainable


def test_cut_off_instead_of_rounded_74_images_allow_the_fear_row(checks):
    rows = readings(
        checks, "attainable class row", dataset="RAF-DB", row="fear", rounding="truncation"
    )
    assert not not_possible(rows)


def test_every_other_class_is_large_enough_for_its_row(summary):
    rows = summary[(summary["check"] == "class size") & (summary["row"] != "overall")]
    assert set(rows.loc[rows["verdict"] == NOT_POSSIBLE, "row"]) == {"fear", "disgust"}
    assert rows.set_index(["dataset", "row"])["high"][
        [("RAF-DB", "fear"), ("FER2013", "disgust")]
    ].tolist() == [86, 64]


def test_the_smallest_class_for_a_row_is_found():
    assert smallest_size([read_printed("90")], "half-up") == 10
    assert smallest_size([read_printed(text) for text in ("90", "94", "97", "98")], "half-up") == 62
    assert smallest_size([read_printed("33.33")], "half-up") == 3


def test_of_the_ten_overalls_only_84_81_is_a_share_of_the_official_images(summary):
    rows = summary[summary["check"] == "attainable overall"]
    assert set(rows.loc[rows["verdict"] == FITS, "printed"]) == {"84.81"}


def test_one_row_less_makes_79_79_a_share(checks):
    rows = readings(
        checks,
        "attainable overall",
        column="original",
        test_set="PrivateTest, one row lost",
        mean="micro",
    )
    assert (rows[rows["dataset"] == "FER2013"]["verdict"] == FITS).all()


def test_the_six_quoted_gains_agree_with_table_3(summary):
    rows = summary[summary["check"] == "gain"]
    assert rows["printed"].tolist() == GAINS == rows["follows"].tolist()
    assert set(rows["verdict"]) == {FITS}


def test_every_other_statement_of_the_text_about_the_tables_agrees(summary):
    rows = summary[summary["check"].isin(["accuracy", "count", "Table II", "Table IV"])]
    assert len(rows) == 34 and set(rows["verdict"]) == {FITS}


def test_table_2_asks_for_these_numbers_of_synthetic_images(summary):
    rows = summary[summary["check"] == "synthetic images"].set_index("row")
    for dataset, needed in NEEDED.items():
        assert rows[rows["dataset"] == dataset].loc["needed", "low"].tolist() == needed
    assert rows.loc["two pools", "low"] == 169_020 and rows.loc["one pool", "low"] == 93_010
    shares = rows[rows["column"] == "aug4"]["follows"].tolist()
    assert "72.7 %" in shares[0] and "88.3 %" in shares[1]


def test_the_training_times_are_longer_than_the_hardware_needs_and_the_inference_times_too(summary):
    rows = summary[summary["check"].isin(["training time", "inference time"])]
    assert set(rows.loc[rows["verdict"] == FITS, "printed"]) == {
        "6.5 hours",
        "5 hours",
        "6.5 and 5 hours",
        "1.4 ms",
        "4.7 ms",
    }
    assert steps_per_epoch(105_000) == 6_563
    assert max(least_step_seconds()) == pytest.approx(0.00305, rel=0.01)
    assert max(least_inference_seconds()) == pytest.approx(6.4e-5, rel=0.01)


def test_the_ratio_of_the_inference_times_is_only_called_unlikely(summary):
    [row] = summary[summary["printed"] == "1.4 and 4.7 ms"].itertuples()
    assert row.verdict == UNLIKELY and row.certainty == "likely" and "3.36" in row.follows


def test_the_label_estimate_stands_beside_96_47_and_is_called_likely_not_proven(summary):
    [row] = summary[summary["check"] == "labels"].itertuples()
    assert row.printed == "96.47" and row.certainty == "likely" and row.verdict == UNLIKELY
    assert (round(row.low, 2), round(row.high, 2)) == (
        79.21,
        84.40,
    ) and "434 of the 560" in row.follows


def test_every_verdict_states_its_assumption_and_how_sure_it_is(checks, summary):
    for frame in (checks, summary):
        assert (frame["assumption"].str.len() > 20).all() and frame["verdict"].ne("").all()
        assert set(frame["certainty"]) == {"arithmetic", "likely", "fact"}


def test_what_is_proven_and_what_is_likely_are_kept_apart(checks, summary):
    found = conclusions(checks, summary)
    assert any("79.79 is printed" in sentence for sentence in found["proven"])
    assert not any("time" in sentence or "labels" in sentence for sentence in found["proven"])
    assert len(found["likely"]) == 7 and all(
        "Assumed: " in sentence for sentence in found["likely"]
    )


def test_the_costs_are_those_of_the_network_of_this_package():
    import torch

    network, additions = ResEmoteNet(width=1.0).eval(), []

    def count(part, _, output):
        places = output[0].numel() // part.weight.shape[0]
        additions.append(places * part.weight.numel())

    for part in network.modules():
        if isinstance(part, (torch.nn.Conv2d, torch.nn.Linear)):
            part.register_forward_hook(count)
    with torch.no_grad():
        network(torch.zeros(1, 3, 64, 64))
    costs = read_reference("costs").set_index("quantity")["value"]
    assert costs["forward_flop"] == 2 * sum(additions) and costs["parameters"] == count_parameters(
        network
    )


def test_the_official_test_set_comes_first_and_each_set_has_a_copy_with_one_row_lost():
    sets = paper_test_sets()
    assert [(known.name, known.size) for known in sets] == [
        ("PrivateTest", 3_589),
        ("PublicTest", 3_589),
        ("PublicTest and PrivateTest", 7_178),
        ("test", 3_068),
        ("PrivateTest, one row lost", 3_588),
        ("PublicTest, one row lost", 3_588),
        ("PublicTest and PrivateTest, one row lost", 7_177),
        ("test, one row lost", 3_067),
    ]
    assert len(sets[4].variants) == 7


def test_verdicts_do_not_depend_on_the_order_of_the_classes():
    column, test_set = table_3_columns()[0], paper_test_sets()[0]
    turned = type(column)(
        column.dataset, column.name, dict(reversed(column.classes.items())), column.overall
    )
    options = {"mean": "micro", "rounding": "half-up"}
    assert implied_overall(column, test_set, **options) == implied_overall(
        turned, test_set, **options
    )
    assert not overall_fits(column, test_set, **options)


def test_the_summary_has_one_row_per_printed_figure(summary):
    assert not summary.duplicated(["check", "dataset", "column", "row", "printed"]).any()
    assert isinstance(summary, pd.DataFrame) and "explanation" in summary
