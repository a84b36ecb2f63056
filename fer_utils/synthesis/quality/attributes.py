"""How evenly the prompts spread person, age, light, glasses and template over each emotion and
generator.

Emotion prompts alone skew who is drawn (arXiv 2602.00032), so the prompts state attributes evenly;
here it is counted.
"""

import pandas as pd

from fer_utils.prompts import DECADES, GLASSES, LIGHTS, PEOPLE, TEMPLATES

CHILD = "child"
"""Boy, girl and kid: the templates name children in two ways, so they are counted together."""


def attribute_counts(prompts: pd.DataFrame) -> pd.DataFrame:
    """How many prompts state each value: columns generator, emotion, attribute, value, count, n,
    even.

    ``prompts`` has the columns of ``prompts.prompt_table``. n: prompts of that generator and
    emotion that state the attribute at all; even: what count would be if all values were spread as
    the grammar means them to be.
    """
    rows = []
    for (generator, emotion), part in prompts.groupby(["generator", "emotion"], sort=False):
        for attribute, (stated, shares) in _stated(part).items():
            counts = stated.value_counts()
            rows += [
                (
                    generator,
                    emotion,
                    attribute,
                    value,
                    int(counts.get(value, 0)),
                    len(stated),
                    share * len(stated),
                )
                for value, share in shares.items()
            ]
    return pd.DataFrame(
        rows, columns=["generator", "emotion", "attribute", "value", "count", "n", "even"]
    )


def largest_deviations(counts: pd.DataFrame) -> pd.DataFrame:
    """The value furthest from even of each generator, emotion and attribute: the row of
    ``attribute_counts`` with the column deviation, (count - even) / n, a share of -1..1."""
    known = counts[counts["n"] > 0]
    deviation = (known["count"] - known["even"]) / known["n"]
    worst = (
        deviation.abs()
        .groupby([known["generator"], known["emotion"], known["attribute"]], sort=False)
        .idxmax()
    )
    return known.loc[worst].assign(deviation=deviation[worst]).reset_index(drop=True)


def _stated(prompts: pd.DataFrame) -> dict[str, tuple[pd.Series, dict[str, float]]]:
    """For each attribute the values that the prompts state, and the share each should have."""
    people = pd.Series([person if decade else CHILD for person, decade in PEOPLE]).value_counts(
        normalize=True
    )
    pattern = prompts["template"].map(TEMPLATES)
    return {
        "person": (
            prompts["person"].replace(dict.fromkeys(("boy", "girl", "kid"), CHILD)),
            people.to_dict(),
        ),
        "age": (
            prompts.loc[prompts["age"] != "", "age"],
            _evenly(f"{decade}'s" for decade in DECADES),
        ),
        "light": (prompts.loc[prompts["light"] != "", "light"], _evenly(LIGHTS)),
        "glasses": (
            prompts.loc[pattern.str.contains("{glasses}", regex=False), "glasses"],
            _evenly(GLASSES),
        ),
        "template": (prompts["template"], _evenly(TEMPLATES)),
    }


def _evenly(values) -> dict[str, float]:
    values = list(values)
    return dict.fromkeys(values, 1 / len(values))
