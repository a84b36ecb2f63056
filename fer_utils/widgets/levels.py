"""Notebook 04: how many synthetic faces a target per class takes, how many the pool has, and how
long the rest takes."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from fer_utils import figures
from fer_utils.balancing import LEVEL_TITLES, level_targets
from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.errors import CompanionError
from fer_utils.core.profiles import Profile
from fer_utils.datasets import dataset_info
from fer_utils.prompts import generator_sequence
from fer_utils.tables.benchmarks import measured_rates
from fer_utils.widgets.explorer import Choice, Slider, View, explore

BEYOND = 2
"""How many times the paper's largest target the slider goes to: beyond it, the pool does not
suffice."""


@dataclass(frozen=True)
class Target:
    """What a number of images per class takes.

    real, pool, new: images of each emotion that are there, that the pool adds, and that would have
    to be made. made_by: those to be made by each generator, by their shares.
    """

    real: dict[str, int]
    pool: dict[str, int]
    new: dict[str, int]
    made_by: dict[str, int]

    @property
    def synthetic(self) -> int:
        """Synthetic images in all."""
        return sum(self.pool.values()) + sum(self.new.values())


def class_target(
    real: dict[str, int], available: Mapping[str, int], target: int, profile: Profile
) -> Target:
    """Split ``target`` images of each emotion into real ones, those ``available`` in the pool, and
    those to be made.

    Raises CompanionError where an emotion has more real images than that: nothing real is ever left
    out.
    """
    largest = max(real, key=real.__getitem__)
    if target < real[largest]:
        raise CompanionError(
            f"{target:,} images per class are fewer than the {real[largest]:,} real ones of"
            f" {largest}, and no real image is ever left out. Choose {real[largest]:,} or more."
        )
    pool = {
        emotion: min(target - real[emotion], int(available.get(emotion, 0))) for emotion in EMOTIONS
    }
    new = {emotion: target - real[emotion] - pool[emotion] for emotion in EMOTIONS}
    made_by: Counter = Counter()
    # an emotion's later images go on where the pool's sequence of generators ends
    for emotion, count in new.items():
        made_by.update(generator_sequence(profile, pool[emotion] + count)[pool[emotion] :])
    return Target(real, pool, new, dict(made_by))


def time_words(
    made_by: Mapping[str, int], rates: Mapping[str, float], machine: str, profile: Profile
) -> str:
    """How long so many images of each generator take at these rates (images a second), and whence
    the rates are."""
    unknown = [name for name, count in made_by.items() if count and name not in rates]
    if unknown:
        return (
            "How long they take is not known here: nothing was measured for"
            f" {' and '.join(unknown)} with this profile's settings. <code>python -m fer_utils plan"
            f" --profile {profile.name}</code> measures it."
        )
    if not sum(made_by.values()):
        return "Nothing has to be made."
    seconds = sum(count / rates[name] for name, count in made_by.items())
    unit, size = next(
        (unit, size)
        for unit, size in (("hours", 3600), ("minutes", 60), ("seconds", 0))
        if seconds >= size
    )
    taken = f"{seconds / (size or 1):,.1f} {unit}"
    shown = ", ".join(f"{name} {rates[name]:.1f}" for name in sorted(made_by))
    return (
        f"They take <b>{taken}</b> at {shown} images a second, as <code>python -m bench synthesis"
        f"</code> measured on {machine} (<code>tables/benchmarks/synthesis.csv</code>)."
    )


def target_view(
    counts: Mapping[str, dict[str, int]],
    pools: Mapping[str, Mapping[str, int]],
    profile: Profile,
    *,
    dataset: str,
    target: int,
) -> View:
    """Bars of one data set at one target, and what it takes in words."""
    found = class_target(counts[dataset], pools[dataset], target, profile)
    levels = {
        LEVEL_TITLES[level]: max(level_targets(counts[dataset], level, profile).values())
        for level in profile.balancing.levels
        if level != "original"
    }
    figure = figures.class_target(found.real, found.pool, found.new, levels)
    new, all_images = sum(found.new.values()), target * len(EMOTIONS)
    title = dataset_info(dataset).title
    words = (
        f"<b>{title}, {target:,} images of each emotion</b>: {all_images:,} in all,"
        f" {sum(found.real.values()):,} of them real and {found.synthetic:,} synthetic"
        f" ({found.synthetic / all_images:.0%}). The pool has {sum(found.pool.values()):,} of"
        f" these; <b>{new:,}</b> would have to be made. "
        + time_words(found.made_by, *measured_rates(profile), profile)
    )
    return View(
        figures.render(figure, profile),
        words=words,
        alt=(
            f"Bars of {title} at {target:,} images of each emotion: real, synthetic from the pool,"
            f" and {new:,} to be made"
        ),
    )


def level_explorer(counts: Mapping[str, dict[str, int]], manifest: pd.DataFrame, profile: Profile):
    """A slider for the images per class above bars of real, synthetic and missing ones.

    counts: real training images of each data set; manifest: rows of the pool that may be used.
    """
    from fer_utils.synthesis.quality import (
        keep_good,  # here: it loads torchmetrics, and no other explorer has to wait for that
    )

    pools = {name: keep_good(manifest, name, profile)["emotion"].value_counts() for name in counts}
    low = min(max(found.values()) for found in counts.values())
    highest = max(
        max(level_targets(found, level, profile).values())
        for found in counts.values()
        for level in profile.balancing.levels
    )
    controls = {
        "dataset": Choice("data set", [(dataset_info(name).title, name) for name in counts]),
        "target": Slider("images per class", low, BEYOND * highest, highest),
    }

    def draw(dataset, target):
        return target_view(counts, pools, profile, dataset=dataset, target=target)

    return explore(draw, controls)
