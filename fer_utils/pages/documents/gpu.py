"""The numbers of docs/table_3_on_your_gpu.md: what the paper's experiment takes, under assumptions
that are said."""

from functools import cache

import pandas as pd

from fer_utils.balancing.controls import trained_sets
from fer_utils.balancing.plan import estimate_lines, published_plan
from fer_utils.core.profiles import Profile, load_profile
from fer_utils.core.reference import read_reference
from fer_utils.synthesis.pool import pool_bytes
from fer_utils.tables.text import markdown_table

GENERATORS = ("sd2", "sd3")


@cache
def gpu_page_blocks() -> dict[str, str]:
    """The blocks of docs/table_3_on_your_gpu.md; counted once, for they plan the whole pool of the
    paper."""
    profile = load_profile("paper")
    return {
        "assumptions": _assumptions(),
        "plan": _plan(profile),
        "training": _training(profile),
        "downloads": _downloads(profile),
    }


def assumed_rates(profile: Profile) -> dict[str, float]:
    """{generator: images a second}, two digits: arithmetic of an image at the assumed share of the
    card's peak."""
    cost, rates = _costs(), {}
    for name in GENERATORS:
        passes = getattr(profile.generators, name).steps * cost["passes_per_step"]
        flop = passes * cost[f"{name}_pass_flop"] + cost[f"{name}_decoder_flop"]
        rates[name] = float(f"{cost['share_of_peak'] * cost['peak_flop'] / flop:.2g}")
    return rates


def _assumptions() -> str:
    table = read_reference("generator_costs")
    return markdown_table(
        table.assign(value=table["value"].map("{:g}".format))[
            ["quantity", "value", "unit", "source"]
        ]
    )


def _plan(profile: Profile) -> str:
    rates, price, plan = assumed_rates(profile), _costs()["price"], published_plan(profile)
    given = " ".join(f"--rate {name}={rate:g}" for name, rate in rates.items())
    lines = [
        *estimate_lines(plan, profile, rates=rates, price=price),
        f"disk: {pool_bytes(plan.total, profile) / 1e9:.2f} GB needed",
    ]
    command = f"python -m fer_utils plan --profile {profile.name} {given} --price {price:g}"
    return "\n".join(["```", f"$ {command}", *lines, "```"])


def _training(profile: Profile) -> str:
    """Runs, the hours that moving the weights alone takes on the assumed card, and the disk they
    need."""
    table, cost, card = read_reference("table_2"), _costs("costs"), _costs()
    images = table.groupby(["dataset", "level"])["count"].sum()
    seeds = dict(trained_sets(profile))
    steps = sum(
        len(seeds[level]) * count / profile.training.batch_size
        for (_, level), count in images.items()
    )
    runs = sum(len(seeds[level]) for _, level in images.index)
    step = (
        cost["weight_transfers"]
        * cost["parameters"]
        * cost["bytes_per_parameter"]
        / card["peak_bandwidth"]
    )
    most = steps * profile.training.max_epochs
    return (
        f"{runs} trainings, at most {profile.training.max_epochs} epochs each: {most:,.0f} steps of"
        f" {profile.training.batch_size} images if none stops early. Moving the weights through the"
        f" memory of the assumed card takes {1000 * step:.1f} ms a step, so at least"
        f" {most * step / 3600:.0f} hours together. That is a lower bound, not an estimate; real"
        " steps take longer. The weights that are kept take"
        f" {runs * cost['parameters'] * cost['bytes_per_parameter'] / 1e9:.0f} GB on the disk."
    )


def _downloads(profile: Profile) -> str:
    cost = _costs()
    rows = [
        {
            "model": getattr(profile.generators, name).model,
            "setting": f"generators.{name}.model",
            "weights in memory": f"{cost[f'{name}_weight_bytes'] / 1e9:.1f} GB",
        }
        for name in GENERATORS
    ]
    return markdown_table(pd.DataFrame(rows))


def _costs(name: str = "generator_costs") -> dict[str, float]:
    table = read_reference(name)
    return dict(zip(table["quantity"], table["value"], strict=True))
