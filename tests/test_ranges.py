"""Every setting has a range; a value outside it is a sentence when the profile loads, no error in a
stage."""

import copy
import functools
import json
import math
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_utils.balancing import LEVEL_TITLES
from fer_utils.balancing.controls import CONTROLS
from fer_utils.core import profiles
from fer_utils.core.devices import choose_device
from fer_utils.core.errors import CompanionError
from fer_utils.core.profiles import flatten, load_profile, profile_names, ranges
from fer_utils.core.profiles.ranges import RANGES
from fer_utils.core.profiles.rules import FEW_STEPS
from fer_utils.datasets.splits import DATASETS
from fer_utils.synthesis.quality.scores import FILTERS
from fer_utils.training import devices

PAPER = flatten(load_profile("paper").values)
NUMBERS = (
    0,
    -1,
    1,
    2,
    7,
    64,
    500,
    10**9,
    10**400,
    0.0,
    -0.5,
    0.5,
    1.0,
    1e-300,
    math.nan,
    math.inf,
    -math.inf,
)
OTHERS = (True, None, "", " ", "x", "original", "nan", "\u202e", "a" * 200, {}, {"a": 1})
LISTS = (
    [],
    [0],
    [0, 0],
    [-1],
    [1, 0.5],
    [None],
    [[]],
    [{}],
    ["original"],
    ["original", "original"],
    ["aug9"],
    ["sd2"],
)


@pytest.fixture(scope="module", autouse=True)
def read_once():
    """Reading a profile's files takes most of the time to load it: here each is read once."""
    read = functools.cache(profiles._read)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(profiles, "_read", lambda *names: copy.deepcopy(read(*names)))
        yield


def as_override(setting, value) -> str:
    """``--set`` as it would be typed: JSON is YAML but for numbers that are none."""
    return f"{setting}={json.dumps(value).replace('NaN', '.nan').replace('Infinity', '.inf')}"


def loads_or_says_why_not(name, setting, value):
    try:
        profile = load_profile(name, [as_override(setting, value)])
    except CompanionError as problem:
        assert setting in str(problem) and len(str(problem)) < 1500
        return
    for known, found in flatten(profile.values).items():
        assert RANGES[known].objection(found) == ""
        assert not isinstance(found, int | float) or 0 <= found < math.inf
        assert not isinstance(found, list) or len(set(found)) == len(found)


def test_every_setting_of_the_paper_has_a_range_and_every_range_a_setting():
    assert set(RANGES) == set(PAPER)


@pytest.mark.parametrize("name", profile_names())
def test_every_shipped_profile_lies_within_the_ranges(name):
    assert load_profile(name).name == name


@pytest.mark.parametrize("setting", sorted(RANGES))
def test_a_value_at_an_edge_loads_or_is_refused_by_the_name_of_its_setting(setting):
    for name in ("demo", "paper"):
        for value in (*NUMBERS, *OTHERS, *LISTS, PAPER[setting]):
            loads_or_says_why_not(name, setting, value)


known_words = st.sampled_from(
    (*ranges.LEVELS, *ranges.CONTROLS, *ranges.DATA_SETS, *ranges.DIFFUSION, *ranges.DTYPES)
)
words = known_words | st.text(string.printable, max_size=12) | st.text(max_size=4)
numbers = st.integers(-2, 100) | st.integers() | st.floats() | st.floats(0, 1)
scalars = numbers | words | st.booleans() | st.none()
anything = (
    scalars | st.lists(st.integers(0, 9) | known_words, max_size=4) | st.lists(scalars, max_size=3)
)


@given(setting=st.sampled_from(sorted(RANGES)), value=anything)
@settings(max_examples=1000, deadline=None, derandomize=True)
def test_any_value_loads_or_is_refused_by_the_name_of_its_setting(setting, value):
    loads_or_says_why_not("demo", setting, value)


@given(st.text(string.printable, max_size=20) | st.text("[]{}&*!:,-#|>'\"\n 0a", max_size=12))
@settings(max_examples=500, deadline=None, derandomize=True)
def test_any_text_after_set_loads_or_is_refused(text):
    for override in (text, f"training.seeds={text}", f"generators.sd2.lora={text}"):
        try:
            load_profile("demo", [override])
        except CompanionError as problem:
            assert str(problem)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "training.max_epochs=0",
            (
                "training.max_epochs is 0, but must be a whole number from 1 to 100,000. "
                "Change it in the profile demo or by --set training.max_epochs=VALUE."
            ),
        ),
        ("training.learning_rate=-1", "is -1.0, but must be a number over 0 and at most 10."),
        ("training.learning_rate=nan", "is nan, but must be a number over 0 and at most 10."),
        ("evaluation.confidence=95", "is 95.0, but must be a number over 0 and under 1."),
        ("data.label_noise=1", "is 1.0, but must be a number from 0 to under 1."),
        ("quality.confidence=-.inf", "is -inf, but must be a number from 0 to 1."),
        (
            "generators.sd2.size=500",
            "is 500, but must be a whole number from 64 to 4,096 that 8 divides.",
        ),
        ("network.image_size=4", "is 4, but must be a whole number from 8 to 1,024."),
        ("training.seeds=[]", "is [], but must be a list of 1 or more."),
        ("training.seeds=[1, 1]", "holds 1 twice, but must name each once."),
        ("controls.seeds=[-1]", "holds -1, but must be a whole number from 0 to 4,294,967,295."),
        ("balancing.levels=[aug1]", "is ['aug1'], but must hold 'original'"),
        (
            "balancing.levels=[original, aug5]",
            "holds 'aug5': did you mean 'aug1' or 'aug2' or 'aug3' or 'aug4'?",
        ),
        ("data.sets=[fer2031]", "holds 'fer2031': did you mean 'fer2013'?"),
        ("generators.sd2.without=[3]", "holds 3, but must be a name"),
        (
            "generators.sd3.scheduler=DPMSolverMultistepSchedule",
            "did you mean 'DPMSolverMultistepScheduler'?",
        ),
        (
            "generators.sd2.revision=main",
            "is 'main', but must be the 40 hexadecimal digits of a commit",
        ),
        ("generators.sd2.share=0.7", "share (0.7) and generators.sd3.share (0.5) must add up to 1"),
        (
            "generators.sd3.size=128",
            "its model tiny-sd3 draws images of 64 pixels: set generators.sd3.size=64.",
        ),
        ("synthesis.dtype=half", "is 'half': Valid names: float32, float16, bfloat16."),
        ("run.cluster=local:0", 'but must be "" for this process, local:N for N processes'),
        ("training.warmup=1", "is 1.0, but must be a number from 0 to under 1."),
        (
            "training.updates=9",
            "training.updates 9 ends with the first update, too early for a rise",
        ),
        (
            "training.updates=5",
            "training.updates 5 cannot be divided into training.max_epochs 7 parts",
        ),
        (
            "quality.reader.max_epochs=2000",
            "1400 cannot be divided into quality.reader.max_epochs 2000 parts",
        ),
        ("training.updates=0", "a budget has updates and a cosine, no other recipe has either."),
        (
            "training.recipe=authors_code",
            "a budget has updates and a cosine, no other recipe has either.",
        ),
    ],
)
def test_what_lies_outside_is_said_with_what_is_valid(override, message):
    with pytest.raises(CompanionError) as problem:
        load_profile("demo", [override])
    assert override.partition("=")[0] in str(problem.value) and message in str(problem.value)


@pytest.mark.parametrize(
    ("name", "overrides", "message"),
    [
        ("paper", ["generators.sd3.size=520"], "16 must divide it for Stable Diffusion 3"),
        (
            "paper",
            ["generators.sd2.scheduler=LCMScheduler", "generators.sd2.steps=51"],
            "LCMScheduler takes 50",
        ),
        ("paper", ["training.patience=0"], "is 0, which ends a training before its first epoch"),
        (
            "demo_controls",
            ["balancing.levels=[original, aug2]"],
            "found original, aug2. Name one of these",
        ),
        (
            "demo_controls",
            ["controls.level=original"],
            "must be a level of balancing.levels other than original",
        ),
    ],
)
def test_settings_that_do_not_go_together_are_said_with_what_to_do(name, overrides, message):
    with pytest.raises(CompanionError) as problem:
        load_profile(name, overrides)
    assert message in str(problem.value)


@pytest.mark.parametrize(
    "override",
    [
        "training.seeds=[0",
        "training.seeds=&a [*a]",
        "stamp=!!timestamp x",
        "stamp=2020-13-01",
        "stamp=\x00",
        "training={patience: 3, patience: 4}",
        "training={[a]: 1}",
        "training.seeds=" + "[" * 3000,
        "training.max_epochs=" + "9" * 5000,
    ],
)
def test_text_that_is_no_value_is_refused_with_what_was_typed(override):
    with pytest.raises(
        CompanionError, match=r"^The value in --set .{,90}: this can't be read as YAML: "
    ):
        load_profile("demo", [override])


def test_names_given_a_meaning_elsewhere_are_the_same_here():
    assert set(ranges.DATA_SETS) == set(DATASETS) and set(ranges.LEVELS) == set(LEVEL_TITLES)
    assert set(ranges.CONTROLS) == set(CONTROLS) and set(ranges.FILTERS) == set(FILTERS)
    assert set(ranges.PRECISIONS) == set(devices.PRECISIONS) and set(FEW_STEPS) < set(
        ranges.DIFFUSION
    )
    with pytest.raises(CompanionError, match=f"Valid names: {', '.join(ranges.DEVICES)}."):
        choose_device("none of them")
