"""The synthesis benchmark measures whole cases and writes its ratios."""

import pandas as pd

from bench import synthesis as bench


def test_ratios_set_the_pool_against_both_loops():
    rates = {
        bench._loop("sd2", "defaults"): 1.0,
        bench._loop("sd2", "same steps"): 2.0,
        "sd2: make_pool": 8.0,
        bench._loop("sd3", "defaults"): 2.0,
        bench._loop("sd3", "same steps"): 4.0,
        "sd3: make_pool": 8.0,
        bench.FEW_CASE: 1.0,
        bench.MANY_CASE: 1.0,
        bench.ROWS_CASE: 1.0,
    }
    table = pd.DataFrame({"images_per_second": rates, "seconds": 5.0, "peak_mb": 900.0})
    table.loc[bench.MANY_CASE, "peak_mb"] = 990.0
    assert list(bench._ratios(table).values()) == [8.0, 4.0, 4.0, 2.0, 1.1, 5.0]


def test_a_case_of_the_pool_makes_as_many_images_as_it_says(project):
    work = bench._pool_case(("sd3",), 4)(project)
    assert len(work()) == 4


def test_a_case_of_the_loop_saves_one_file_for_each_image(project, monkeypatch):
    monkeypatch.setattr(bench, "LOOP_IMAGES", 2)
    bench._loop_case("sd3", "same steps")(project)()
    assert len(list(project.glob("*.png"))) == 2
