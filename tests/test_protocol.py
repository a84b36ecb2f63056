"""docs/protocol.md stands before the runs it governs, and the profiles do what it says."""

import re

from fer_utils.balancing.controls import set_title, trained_sets
from fer_utils.core.paths import PACKAGE
from fer_utils.core.profiles import load_profile

PROTOCOL = (PACKAGE.parent / "docs" / "protocol.md").read_text(encoding="utf-8")
ORACLE = ("fer2013_quarter", "fer2013_tenth", "fer2013_twentieth")
SHORT = {
    "a quarter and a half of the synthetic faces": ("synthetic_25", "synthetic_50"),
    "unseen real faces (a quarter, a half, all of Aug. 1's number, and not balanced)": (
        "unseen_25",
        "unseen_50",
        "unseen",
        "unseen_natural",
    ),
}


def rows(heading):
    """The cells of the first table after a heading or sentence."""
    lines = PROTOCOL[PROTOCOL.index(heading) :].splitlines()
    start = next(k for k, line in enumerate(lines) if line.startswith("| ---"))
    found = []
    for line in lines[start + 1 :]:
        if not line.startswith("|"):
            return found
        found.append([cell.strip() for cell in line.strip("|").split("|")])
    return found


def named(cell):
    """The sets a cell names, by the names of profiles."""
    for words, names in SHORT.items():
        cell = cell.replace(words, ", ".join(names))
    titles = {
        set_title(name).lower(): name
        for name, _ in [
            *trained_sets(load_profile("fer2013")),
            *trained_sets(load_profile("fer2013_tenth")),
        ]
    }
    return [titles.get(part.strip().lower(), part.strip()) for part in cell.split(", ")]


def test_the_profiles_train_the_sets_of_the_protocol_with_its_seeds():
    promised = {}
    for sets, profiles, seeds in rows("## Sets"):
        for profile in profiles.split(", "):
            promised.setdefault(profile, {}).update(
                {name: [int(seed) for seed in seeds.split(", ")] for name in named(sets)}
            )
    assert set(promised) == {"fer2013", *ORACLE}
    for name, sets in promised.items():
        assert dict(trained_sets(load_profile(name))) == sets


def test_the_profiles_have_the_recipe_that_the_protocol_chose():
    header = PROTOCOL[PROTOCOL.index("recipe chosen") :].split("| setting |")[1].splitlines()[0]
    columns = [cell.strip() for cell in header.strip("| ").split("|")]
    profiles = {column: ORACLE if column == "oracle profiles" else (column,) for column in columns}
    assert {name for names in profiles.values() for name in names} == {
        "fer2013",
        *ORACLE,
        "fer2013_full",
    }
    for setting, *values in rows("recipe chosen"):
        section, name = setting.split(".")
        for names, value in zip(profiles.values(), values, strict=True):
            for profile in names:
                assert str(load_profile(profile).values[section][name]) == value, (
                    f"{profile}: {setting}"
                )


def test_what_was_added_to_the_protocol_is_dated_and_in_order():
    dates = re.findall(r"^## Added on (\d{4}-\d{2}-\d{2}): ", PROTOCOL, re.MULTILINE)
    assert len(dates) == PROTOCOL.count("\n## Added") > 0
    assert dates == sorted(dates)
