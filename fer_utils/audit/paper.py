"""The rest of the paper's numbers: Table II, the text's claims, times, the authors' code, what the
labels bound.

Rows have the same columns as those of ``audit_columns``. Everything printed, counted or read comes
from ``reference/``; nothing is typed here.
"""

import math
from fractions import Fraction

import pandas as pd

from fer_utils.audit.checks import FITS, NOT_POSSIBLE
from fer_utils.audit.rounding import possible_values, read_printed
from fer_utils.audit.verdicts import ARITHMETIC, FACT, LIKELY
from fer_utils.balancing import level_targets, pool_counts, synthetic_needed
from fer_utils.core.profiles import BASE, load_profile
from fer_utils.core.reference import read_as_printed, read_reference
from fer_utils.datasets.checks import official_counts

UNLIKELY, NOT_PRINTED, NOT_STATED, DIFFERS = "unlikely", "not printed", "not stated", "differs"
SETS = {"fer2013": "FER2013", "rafdb": "RAF-DB"}


def table_2_rows() -> list[dict]:
    """Sums and maxima of Table II, the images each level needs, and one pool against two (section
    IV)."""
    profile = load_profile(BASE)
    counts = {name: official_counts(paper_name, "train") for name, paper_name in SETS.items()}
    rows = [
        _table_2_row(name, level, profile) for name in SETS for level in profile.balancing.levels
    ]
    for name in SETS:
        rows += [
            _needed_row(counts[name], name, level, profile)
            for level in profile.balancing.levels[1:]
        ]
    apart = sum(sum(pool_counts({name: counts[name]}, profile).values()) for name in SETS)
    for printed_as, total, how in (
        ("two pools", apart, "each data set has synthetic images of its own, shared by its levels"),
        (
            "one pool",
            sum(pool_counts(counts, profile).values()),
            "an image may serve both data sets; of each class the larger need counts",
        ),
    ):
        rows.append(
            _row(
                "synthetic images",
                row=printed_as,
                column="aug4",
                follows=f"{total:,} images",
                low=total,
                high=total,
                verdict=NOT_PRINTED,
                assumption=how,
            )
        )
    return rows


def _table_2_row(name: str, level: str, profile) -> dict:
    table = read_reference("table_2")
    rows = table[(table["dataset"] == SETS[name]) & (table["level"] == level)]
    printed = dict(zip(rows["emotion"], rows["count"], strict=True))
    counts = official_counts(SETS[name], "train")
    total, same = sum(printed.values()), printed == level_targets(counts, level, profile)
    stated = sum(_claimed_count(SETS[name], "train")) if level == "original" else total
    return _row(
        "Table II",
        dataset=SETS[name],
        column=level,
        row="sum",
        printed=f"{stated:,}",
        low=total,
        high=total,
        follows=f"{total:,} images, {max(printed.values()):,} in the largest class",
        verdict=FITS if same and stated == total else NOT_POSSIBLE,
        assumption=(
            "the sum is the size that section IV states"
            if level == "original"
            else "section IV: all classes equal, none smaller than before"
        ),
    )


def _needed_row(counts: dict[str, int], name: str, level: str, profile) -> dict:
    needed = sum(synthetic_needed(counts, level, profile).values())
    share = 100 * needed / (needed + sum(counts.values()))
    return _row(
        "synthetic images",
        dataset=SETS[name],
        column=level,
        row="needed",
        low=needed,
        high=needed,
        follows=f"{needed:,} images, {share:.1f} % of the set",
        verdict=NOT_PRINTED,
        assumption="all real training images are kept and none is used twice",
    )


def claim_rows() -> list[dict]:
    """The text's gains and accuracies against Table III, its counts against Table II and the
    official lists."""
    table = read_as_printed("table_3").set_index(["dataset", "emotion", "level"])["accuracy"]
    rows = []
    for claim in read_as_printed("claims").to_dict("records"):
        if claim["kind"] not in ("gain", "accuracy", "count"):
            continue
        found = _count_found(claim) if claim["kind"] == "count" else _accuracy_found(claim, table)
        rows.append(
            _row(
                claim["kind"],
                dataset=claim["dataset"],
                row=claim["row"],
                printed=claim["printed"],
                column=" to ".join(filter(None, (claim["first"], claim["last"]))),
                follows=found,
                verdict=FITS if found == claim["printed"] else NOT_POSSIBLE,
                assumption=_CLAIM_ASSUMPTIONS[claim["kind"]].format(claim["place"]),
            )
        )
    return rows + [
        _table_4_row(row, table) for row in read_as_printed("table_4").tail(4).to_dict("records")
    ]


_CLAIM_ASSUMPTIONS = {
    "gain": "a difference in points between two cells of Table III ({})",
    "accuracy": "the sentence means the cell of Table III ({})",
    "count": "the sentence means the official lists and Table II ({})",
}


def _accuracy_found(claim: dict, table: pd.Series) -> str:
    """What Table III gives for the claim, written as the claim is: a cell, a difference, or 'from
    to to'."""
    last = table[claim["dataset"], claim["row"], claim["last"]]
    if claim["kind"] == "accuracy":
        return last
    first = table[claim["dataset"], claim["row"], claim["first"]]
    if " to " in claim["printed"]:
        return f"{first} to {last}"
    decimals = read_printed(claim["printed"]).decimals
    return f"{float(Fraction(last) - Fraction(first)):.{decimals}f}"


def _count_found(claim: dict) -> str:
    splits = {"FER2013": ("train", "validation", "test"), "RAF-DB": ("train", "test")}[
        claim["dataset"]
    ]
    sizes = {split: sum(official_counts(claim["dataset"], split).values()) for split in splits}
    sizes |= {"all": sum(sizes.values())} | official_counts(claim["dataset"], "train")
    return f"{sizes[claim['row']]:,}"


def _claimed_count(dataset: str, row: str) -> list[int]:
    claims = read_reference("claims")
    chosen = (claims["kind"] == "count") & (claims["dataset"] == dataset) & (claims["row"] == row)
    return [int(text.replace(",", "")) for text in claims.loc[chosen, "printed"]]


def _table_4_row(row: dict, table: pd.Series) -> dict:
    level = "original" if "Without" in row["method"] else "aug4"
    found = table[row["dataset"], "overall", level]
    return _row(
        "Table IV",
        dataset=row["dataset"],
        column=level,
        row="overall",
        printed=row["accuracy"],
        follows=found,
        verdict=FITS if found == row["accuracy"] else NOT_POSSIBLE,
        assumption=f"the row '{row['method']}' means the overall row of Table III",
    )


def label_row() -> dict:
    """What FER2013's labels allow on PrivateTest, beside the printed 96.47: an upper estimate, not
    a bound."""
    labels = read_reference("label_agreement").set_index("emotion").loc["overall"]
    printed = read_as_printed("table_3").set_index(["dataset", "emotion", "level"])["accuracy"][
        "FER2013", "overall", "aug4"
    ]
    size, told = int(labels["count"]), int(labels["voted_or_told"])
    clear = size - int(labels["majority_elsewhere_untold"])
    least = math.ceil(possible_values(read_printed(printed), "half-up").low * size / 100)
    return _row(
        "labels",
        dataset="FER2013",
        column="aug4",
        row="overall",
        printed=printed,
        low=100 * clear / size,
        high=100 * told / size,
        certainty=LIKELY,
        verdict=UNLIKELY if least > told else FITS,
        follows=(
            f"an upper estimate of {100 * clear / size:.1f} to {100 * told / size:.1f}; {printed}"
            f" takes {least:,} right, so {least - told:,} of the {size - told:,} images whose label"
            " nothing tells"
        ),
        assumption=(
            "no access to test labels; a label can be told if one of ten FER+ votes or a "
            "pixel-identical training image gives it (lower figure: unless six votes or more name "
            "another class); what a network learns about the habits of the labelling is left out"
        ),
        explanation="test images or their copies in training; another test set; cleaned labels",
    )


def code_rows() -> list[dict]:
    """Where the authors' published code differs from the text: facts, each with its file."""
    return [
        _row(
            "published code",
            row=fact["topic"],
            printed=fact["text"],
            follows=fact["code"],
            certainty=FACT,
            verdict=NOT_STATED if fact["text"] in ("not stated", "not mentioned") else DIFFERS,
            assumption=f"the published code is what was run: {fact['source']}",
        )
        for fact in read_reference("code_facts").to_dict("records")
    ]


def _row(
    check: str, *, verdict: str, assumption: str, certainty: str = ARITHMETIC, **others
) -> dict:
    return {
        "check": check,
        "verdict": verdict,
        "certainty": certainty,
        "assumption": assumption,
        **others,
    }
