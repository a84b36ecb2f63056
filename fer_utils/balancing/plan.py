"""What a pool will take before it is begun: images, disk, hours, money."""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from fer_utils.balancing import pool_counts, synthetic_needed
from fer_utils.core.devices import device_words
from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.errors import CompanionError
from fer_utils.core.profiles import Profile
from fer_utils.core.stored import text_table
from fer_utils.datasets import dataset_info, stored_splits
from fer_utils.datasets.checks import official_counts
from fer_utils.prompts import prompt_table, read_prompts
from fer_utils.synthesis.pool import free_bytes, pool_bytes
from fer_utils.synthesis.rendering import Renderer
from fer_utils.synthesis.shards import plan_shards, shard_path

RATE_BATCHES = 2
"""Batches timed after a first one that warms up."""
PUBLISHED = "published counts; what the gate keeps out of the training faces adds to them"


@dataclass(frozen=True)
class Plan:
    """A pool to be made.

    counts:   images of each emotion (rows) and generator (columns).
    separate: images that a pool for each data set and none shared would take.
    left:     {generator: images that are not there yet}.
    prompts:  the prompt table; basis: where its counts come from, in words.
    """

    counts: pd.DataFrame
    separate: int
    left: dict[str, int]
    prompts: pd.DataFrame
    basis: str

    @property
    def total(self) -> int:
        """All images of the pool."""
        return int(self.counts.to_numpy().sum())

    def attributes(self) -> pd.DataFrame:
        """How many images each value of an attribute gets: columns attribute, value, images."""
        named = {
            name: self.prompts[name].replace("", "not named").value_counts()
            for name in ("template", "person", "age", "light", "realism", "glasses")
        }
        return pd.concat(named, names=["attribute", "value"]).rename("images").reset_index()


def plan_pool(profile: Profile) -> Plan:
    """The pool of a profile: from its prompt table where stage 02 wrote one, else from the training
    faces of stage 01, else from the published counts of its data sets at ``data.scale``."""
    counts, basis = _class_counts(profile)
    if profile.paths.prompts.is_file():
        prompts, basis = (
            read_prompts(profile),
            f"the prompt table {profile.paths.prompts.name}; {basis}",
        )
    else:
        prompts = prompt_table(pool_counts(counts, profile), profile)
    return Plan(
        _table(prompts), _separate(counts, profile), _left(prompts, profile), prompts, basis
    )


def published_plan(profile: Profile) -> Plan:
    """The same before anything is there: from the published counts, with every image still to be
    made."""
    counts = published_counts(profile)
    prompts = prompt_table(pool_counts(counts, profile), profile)
    return Plan(
        _table(prompts),
        _separate(counts, profile),
        prompts["generator"].value_counts(sort=False).to_dict(),
        prompts,
        PUBLISHED,
    )


def _table(prompts: pd.DataFrame) -> pd.DataFrame:
    return pd.crosstab(prompts["emotion"], prompts["generator"]).reindex(
        list(EMOTIONS), fill_value=0
    )


def check_plan(plan: Plan, profile: Profile) -> tuple[int, int]:
    """Bytes that the pool still needs and that its disk has free; CompanionError where the second
    is less."""
    left = sum(plan.left.values())
    needed, free = pool_bytes(left, profile), free_bytes(profile.paths.pool)
    if needed > free:
        raise CompanionError(
            f"{left:,} images need {needed / 1e9:.2f} GB and {profile.paths.pool} has"
            f" {free / 1e9:.2f} GB free. Free some, or set FER_ROOT to a folder on another disk."
        )
    return needed, free


def measured_rate(generator: str, profile: Profile) -> float:
    """Images a second on the present device: some batches of the profile's own size and settings,
    after one to warm up."""
    renderer = Renderer(generator, profile)
    size = renderer.settings.batch_size
    rows = prompt_table(dict.fromkeys(EMOTIONS, size), profile).query("generator == @generator")
    renderer.draw(rows["prompt"].tolist()[:size], rows["seed"].tolist()[:size])
    began = time.perf_counter()
    for k in range(1, RATE_BATCHES + 1):
        part = rows.iloc[k * size : (k + 1) * size]
        renderer.draw(part["prompt"].tolist(), part["seed"].tolist())
    return RATE_BATCHES * size / (time.perf_counter() - began)


def hours(plan: Plan, rates: dict[str, float]) -> dict[str, float]:
    """Hours that the images still missing take at these rates (images a second), for each generator
    with a rate."""
    return {name: plan.left.get(name, 0) / rate / 3600 for name, rate in rates.items()}


def _left(prompts: pd.DataFrame, profile: Profile) -> dict[str, int]:
    left = dict.fromkeys(prompts["generator"].unique(), 0)
    for name, rows in plan_shards(prompts, profile).items():
        if not shard_path(name, profile).exists():
            left[rows["generator"].iloc[0]] += len(rows)
    return left


def _class_counts(profile: Profile) -> tuple[dict[str, dict[str, int]], str]:
    try:
        return (
            {name: stored_splits(name, profile).train.counts() for name in profile.data.sets},
            "training faces that the gate admitted",
        )
    except CompanionError:
        return published_counts(profile), PUBLISHED


def published_counts(profile: Profile) -> dict[str, dict[str, int]]:
    """{data set: published training faces of each emotion at ``data.scale``}."""
    counts = {
        name: official_counts(dataset_info(name).paper_name, "train") for name in profile.data.sets
    }
    return {
        name: {emotion: math.ceil(count * profile.data.scale) for emotion, count in found.items()}
        for name, found in counts.items()
    }


def published_pool(profile: Profile) -> dict[str, int]:
    """Images of each emotion in the pool that the published counts need: 93,010 for the paper's
    profile."""
    return pool_counts(published_counts(profile), profile)


def _separate(counts: dict[str, dict[str, int]], profile: Profile) -> int:
    """Images of one pool for each data set: the largest level of each, every class."""
    return sum(
        max(
            sum(synthetic_needed(found, level, profile).values())
            for level in profile.balancing.levels
        )
        for found in counts.values()
    )


def plan_lines(profile: Profile, *, rates: dict[str, float], price: float | None) -> Iterator[str]:
    """The plan in words, line by line; rates that are not given are measured, which loads the
    models.

    Raises CompanionError at the end where the disk can't hold the pool.
    """
    plan = plan_pool(profile)
    yield from estimate_lines(plan, profile, rates=rates, price=price)
    needed, free = check_plan(plan, profile)
    yield f"disk: {needed / 1e9:.2f} GB needed, {free / 1e9:.2f} GB free"


def estimate_lines(
    plan: Plan, profile: Profile, *, rates: dict[str, float], price: float | None
) -> Iterator[str]:
    """``plan_lines`` without a look at the disk."""
    yield (
        f"{plan.total:,} images (one pool for {' and '.join(profile.data.sets)}; {plan.separate:,}"
        " with a pool for each)"
    )
    yield f"counted from {plan.basis}"
    yield text_table(plan.counts.reset_index())
    yield (
        f"{plan.prompts['prompt'].nunique():,} different prompts; images of each value of an"
        " attribute:"
    )
    for attribute, rows in plan.attributes().groupby("attribute", sort=False):
        yield f"  {attribute}: " + ", ".join(
            f"{row.value} {row.images:,}" for row in rows.itertuples()
        )
    yield f"{sum(plan.left.values()):,} of them are still to be made"
    yield from _time_lines(plan, profile, rates, price)


def _time_lines(
    plan: Plan, profile: Profile, rates: dict[str, float], price: float | None
) -> Iterator[str]:
    known = dict(rates)
    for name in (name for name, left in plan.left.items() if left and name not in rates):
        try:
            known[name] = measured_rate(name, profile)
        except CompanionError as problem:
            yield (
                f"{name}: rate not measured, {problem}\n  give it by hand: --rate"
                f" {name}=IMAGES_PER_SECOND"
            )
    for name, taken in hours(plan, known).items():
        source = "given" if name in rates else f"measured on {device_words(profile.run.device)}"
        yield f"{name}: {known[name]:.2f} images/s ({source}), {taken:.2f} hours"
    if price is not None and known:
        yield (
            f"money: {price * sum(hours(plan, known).values()):,.2f} at {price:g} an hour on one"
            " such device"
        )
