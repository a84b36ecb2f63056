"""The answer to docs/protocol.md's question in a few lines, from the committed tables of the
profiles that it governs."""

import numpy as np
import pandas as pd
from sklearn.metrics import balanced_accuracy_score

from fer_utils.balancing import LEVEL_TITLES
from fer_utils.balancing.controls import set_title, trained_sets
from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.paths import KEPT, committed_tables
from fer_utils.core.profiles import load_profile
from fer_utils.core.reference import read_reference
from fer_utils.core.stored import read_json, read_table
from fer_utils.evaluation import BETTER, TOO_FEW
from fer_utils.evaluation.priors import EQUAL, EVEN, read_for
from fer_utils.pages.measured.numbers import claimed, committed_table, in_order, measured, trainings
from fer_utils.runner.kept_runs import kept_name
from fer_utils.runner.stages import ORACLES
from fer_utils.training import VALIDATION_PREDICTIONS

PROTOCOL = "fer2013"
LEVELS = tuple(level for level in LEVEL_TITLES if level != "original")
FOR, AGAINST, UNDECIDED = "for the paper", "against the paper", "open"
LEAST_GAIN, LARGEST_GAIN = 1.0, 2.0
"""Points: what an interval must lie above to count for the paper, and below to count against it
(docs/protocol.md)."""
STRENGTHS = (0.0, 0.5, 0.75, 0.9, 1.0, 1.1)
"""Of the reading for equal class shares: 0 as trained, 1 the protocol's."""


def answer(docs: str = "docs") -> list[str]:
    """A line each, as Markdown: claimed, measured, what that counts for, the bound by real faces,
    what is free. ``docs`` is where the protocol's folder lies from the page."""
    rows = measured(PROTOCOL).set_index("level")
    if rows.empty:
        return [_claimed(), "**Measured**: nothing yet; its trainings are under way."]
    return [
        line
        for line in (
            _claimed(),
            _measured(rows),
            _verdict(rows, docs),
            *map(_bound, ORACLES),
            *_without_new_faces(rows),
        )
        if line
    ]


def counts_for(rows: pd.DataFrame, priors: pd.DataFrame) -> str:
    """``FOR``, ``AGAINST`` or ``UNDECIDED``, by the rule of docs/protocol.md ("What would count");
    empty while a level, its third seed or the table of readings is missing.

    ``rows``: ``measured`` by level; ``priors``: table_a6_priors, whose reading for equal shares is
    what Original gives for nothing.
    """
    levels = rows.loc[rows.index.isin(LEVELS)]
    if (
        priors.empty
        or len(levels) < len(LEVELS)
        or (levels["to_original_reading"] == TOO_FEW).any()
    ):
        return ""
    equal = (
        priors[priors["reading"] == EQUAL]
        .set_index("level")["to_original_balanced_low"]
        .reindex(levels.index)
    )
    gains = (
        (levels["to_original_reading"] == BETTER)
        & (levels["to_original_low"] > LEAST_GAIN)
        & (equal > 0)
    )
    if gains.any():
        return FOR
    return AGAINST if (levels["to_original_high"] < LARGEST_GAIN).all() else UNDECIDED


def readings() -> pd.DataFrame:
    """table_a6_priors of the protocol's profile; empty where there is none."""
    return committed_table(PROTOCOL, "table_a6_priors")


def oracles() -> dict[str, pd.DataFrame]:
    """Size of a part of the training faces in words -> its table_a7_oracle, of those that are
    published."""
    tables = {name: committed_table(name, "table_a7_oracle") for name in ORACLES}
    parts = {}
    for name, table in tables.items():
        if len(table):
            faces = table.set_index("level")["faces"]["original"]
            parts[f"{name.removeprefix('fer2013_')}: {faces:,.0f} faces"] = table
    return parts


def trade_off() -> pd.DataFrame:
    """How the kept runs answer on PublicTest, where things are chosen: columns level, seed,
    strength, n, accuracy, balanced (%).

    Those trained on unequal classes are read for equal ones with each of ``STRENGTHS``, the others
    only as they answer.
    """
    rows, profile = [], load_profile(PROTOCOL)
    for path in sorted(
        (committed_tables(PROTOCOL) / "runs" / profile.data.sets[0]).glob(
            f"*/*/{kept_name(VALIDATION_PREDICTIONS)}"
        )
    ):
        answers = read_table(
            path, ["emotion", "predicted", *(f"p_{emotion}" for emotion in EMOTIONS)]
        )
        shares = np.array(
            read_json(path.parent / KEPT, ["trained_with"])["trained_with"]["class_shares"]
        )
        for strength in STRENGTHS if np.ptp(shares) > 0.01 else (0.0,):
            read = read_for(
                answers, shares, EVEN, strength=strength, smoothing=profile.training.label_smoothing
            )
            rows.append(
                {
                    "level": path.parts[-3],
                    "seed": int(path.parts[-2]),
                    "strength": strength,
                    "n": len(read),
                    "accuracy": 100 * (read["predicted"] == read["emotion"]).mean(),
                    "balanced": 100 * balanced_accuracy_score(read["emotion"], read["predicted"]),
                }
            )
    return in_order(
        pd.DataFrame(rows, columns=["level", "seed", "strength", "n", "accuracy", "balanced"])
    )


def _claimed() -> str:
    printed = (
        read_reference("table_3")
        .query("dataset == 'FER2013' and emotion == 'overall'")
        .set_index("level")["accuracy"]
    )
    return (
        f"**Claimed** (Table III): {printed['original']:.2f} % with Original, {printed['aug4']:.2f}"
        f" % with Augmentation 4, {claimed()['aug4']:+.2f} points."
    )


def _measured(rows: pd.DataFrame) -> str:
    """Original, and each level's difference to it."""
    profile, runs = load_profile(PROTOCOL), trainings(PROTOCOL)
    wanted = sum(len(seeds) for _, seeds in trained_sets(profile))
    first = rows.loc["original"]
    said = [
        f"{set_title(level)} {_difference(rows.loc[level], 'to_original')} (balanced "
        f"{_difference(rows.loc[level], 'to_original_balanced')})"
        for level in LEVELS
        if level in rows.index
    ]
    return (
        f"**Measured** (n = {first['n']:,}, {profile.training.updates:,} updates for every set,"
        f" ResEmoteNet of width {profile.network.width:g}; {len(runs)} of {wanted} trainings"
        f" finished): {first['accuracy']:.1f} % [{first['low']:.1f}, {first['high']:.1f}] with"
        f" Original, seeds: {first['seeds']}; "
        + ("; ".join(said) if said else "no augmentation yet")
        + "."
    )


def _verdict(rows: pd.DataFrame, docs: str) -> str:
    found = counts_for(rows, readings())
    return (
        f"**By the rule set beforehand** ([protocol]({docs}/protocol.md)): {found}."
        if found
        else ""
    )


def _bound(name: str) -> str:
    """What unseen real faces give in place of synthetic ones, where that was measured."""
    table = committed_table(name, "table_a7_oracle")
    if not {"original", "unseen"} <= {*table.get("level", ())}:
        return ""
    table = table.set_index("level")
    first, unseen = table.loc["original"], table.loc["unseen"]
    said = [
        f"**The bound** ({first['faces']:,.0f} real faces): filled with {unseen['added']:,.0f}"
        f" unseen real faces, balanced accuracy goes from {_value(first)} to {_value(unseen)}"
    ]
    said += (
        [f"with repeated ones to {_value(table.loc['oversampling'])}"]
        if "oversampling" in table.index
        else []
    )
    said += [f"with synthetic ones to {_value(table.loc['aug1'])}"] if "aug1" in table.index else []
    rate = table.loc["exchange rate"] if "exchange rate" in table.index else None
    worth = (
        ""
        if rate is None
        else (
            f"; a synthetic face is worth {rate['balanced']:.2f} [{rate['low']:.2f},"
            f" {rate['high']:.2f}] real ones"
        )
    )
    return f"{', '.join(said)}{worth}."


def _without_new_faces(rows: pd.DataFrame) -> list[str]:
    """What repeated faces give, and what Original's own answers give when they are read for equal
    class shares."""
    said = []
    if "oversampling" in rows.index:
        row = rows.loc["oversampling"]
        said.append(
            "**Without a new face**: classes made equal by repeated faces give"
            f" {_difference(row, 'to_original_balanced')} in balanced accuracy and"
            f" {_difference(row, 'to_original')} in accuracy, seeds: {row['seeds']}."
        )
    if "logit_adjustment" in rows.index:
        row = rows.loc["logit_adjustment"]
        said.append(
            "**For nothing**: dividing Original's answers by the class shares gives"
            f" {_difference(row, 'to_original_balanced')} in balanced accuracy and"
            f" {_difference(row, 'to_original')} in accuracy."
        )
    return said


def _difference(row: pd.Series, name: str) -> str:
    reading = row[f"{name}_reading"]
    return f"{row[name]:+.1f} [{row[f'{name}_low']:+.1f}, {row[f'{name}_high']:+.1f}] points" + (
        f" ({reading})" if reading else ""
    )


def _value(row: pd.Series) -> str:
    return f"{row['balanced']:.1f} % [{row['low']:.1f}, {row['high']:.1f}]"
