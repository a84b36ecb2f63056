"""The prompt grammar: Table I word for word, even attributes, rows that do not move when the pool
grows."""

import pandas as pd
import pytest

from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.errors import CompanionError
from fer_utils.core.profiles import load_profile
from fer_utils.core.reference import read_reference
from fer_utils.prompts import (
    PEOPLE,
    TEMPLATES,
    generator_sequence,
    keywords,
    prompt_table,
    sample_prompts,
)


def table(count: int, *overrides: str) -> pd.DataFrame:
    return prompt_table(dict.fromkeys(EMOTIONS, count), load_profile("demo", overrides))


def test_the_templates_reproduce_table_1_word_for_word():
    paper = read_reference("table_1")
    ours = sample_prompts()
    assert ours["prompt"].tolist() == paper["prompt"].tolist()
    assert ours["keywords"].tolist() == paper["keywords"].tolist()


def test_there_is_one_row_per_image_to_make_and_every_id_and_seed_is_its_own():
    rows = prompt_table({"anger": 3, "surprise": 5}, load_profile("demo"))
    assert rows["emotion"].value_counts().to_dict() == {"anger": 3, "surprise": 5}
    assert rows["id"].is_unique and rows["seed"].is_unique


def test_a_larger_table_begins_with_the_rows_of_a_smaller_one():
    small, large = table(40), table(90)
    pd.testing.assert_frame_equal(
        small, large[large["id"].isin(small["id"])].reset_index(drop=True)
    )


@pytest.mark.parametrize("count", [48, 100, 331])
def test_templates_people_and_generators_are_spread_evenly_within_each_emotion(count):
    rows = table(count)
    for _, part in rows.groupby("emotion"):
        assert (
            part["template"]
            .value_counts()
            .reindex(list(TEMPLATES))
            .agg(["min", "max"])
            .diff()
            .iloc[-1]
            <= 1
        )
        assert abs((part["generator"] == "sd3").mean() - 0.5) <= 1 / count
    women = rows["person"].eq("woman").mean()
    expected = sum(person == "woman" for person, _ in PEOPLE) / len(PEOPLE)
    assert women == pytest.approx(expected, abs=0.02)


def test_the_keywords_are_words_of_the_prompt_and_name_its_emotion():
    for row in table(60).itertuples():
        found = keywords(row.prompt)
        assert all(word in row.prompt.lower() for word in found)
        assert len(found) >= 2


def test_the_order_of_attributes_depends_on_the_seed_of_the_profile():
    assert not table(30).equals(table(30, "prompts.seed=1"))
    assert table(30).equals(table(30))


def test_one_generator_alone_makes_every_image_when_its_share_is_one():
    profile = load_profile("demo", ["generators.sd2.share=0.0", "generators.sd3.share=1.0"])
    assert set(generator_sequence(profile, 50)) == {"sd3"}


def test_shares_that_do_not_add_up_are_an_error_that_names_both():
    with pytest.raises(
        CompanionError, match="generators.sd2.share.*generators.sd3.share.*add up to 1"
    ):
        table(4, "generators.sd2.share=0.7")


def test_an_unknown_emotion_is_an_error_that_names_the_nearest():
    with pytest.raises(CompanionError, match="did you mean 'surprise'"):
        prompt_table({"suprise": 2}, load_profile("demo"))
