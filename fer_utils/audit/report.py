"""The verdicts put together for readers: one row per printed figure, and what is proven apart from
what is likely."""

import json

import pandas as pd

from fer_utils.audit.checks import FITS, NOT_POSSIBLE
from fer_utils.audit.printed import ONE_ROW_LOST
from fer_utils.audit.verdicts import (
    ANY,
    ARITHMETIC,
    CLASS_SHARE,
    CLASS_SIZE,
    FIELDS,
    IMPLIED,
    LIKELY,
    OVERALL_SHARE,
    WHOLE,
)

METHODS = {
    "implied overall": (
        "interval arithmetic on rounded percentages (Moore, Interval Analysis, 1966)"
    ),
    "attainability": (
        "GRIM: of n images only k/n can be right (Brown and Heathers 2017, doi"
        " 10.1177/1948550616673876)"
    ),
}
FREE = "any class mix"
SUMMARY = tuple(name for name in FIELDS if name not in ("test_set", "mean", "rounding"))


def summarise(checks: pd.DataFrame) -> pd.DataFrame:
    """One row per printed figure and check, with the columns ``SUMMARY``.

    The verdict is that of the first reading: the official test set, every image counting once, ties
    rounded up. Where it is 'not possible', ``explanation`` lists the other readings (mean, test
    set, rounding) that allow it.
    """
    keys = ["check", "dataset", "column", "row"]
    first = checks.drop_duplicates(keys)
    questioned = {key: [] for key in _tuples(first[first["verdict"] == NOT_POSSIBLE][keys])}
    for key, reading in zip(
        _tuples(checks[keys]), _tuples(checks[["mean", "test_set", "rounding", "verdict"]])
    ):
        if key in questioned:
            questioned[key].append(reading)
    explained = {
        key: _readings(readings) or "none of the readings tried"
        for key, readings in questioned.items()
        if len(readings) > 1
    }
    explanations = [
        explained.get(key, given) for key, given in zip(_tuples(first[keys]), first["explanation"])
    ]
    return first.assign(explanation=explanations)[list(SUMMARY)].reset_index(drop=True)


def _tuples(frame: pd.DataFrame):
    return frame.itertuples(index=False, name=None)


def _readings(readings: list[tuple[str, str, str, str]]) -> str:
    """The (mean, test set, rounding, verdict) that fit: 'macro (half-up, half-even); per batch,
    test (truncation)'."""
    roundings: dict[tuple[str, str], list[str]] = {}
    for mean, test_set, rounding, verdict in readings:
        if verdict == FITS:
            roundings.setdefault((mean, test_set), []).append(rounding)
    by_reading: dict[tuple[str, str], list[str]] = {}
    for (mean, test_set), names in roundings.items():
        by_reading.setdefault((mean, _rules(names)), []).append(test_set)
    tried = len({test_set for _, test_set, _, _ in readings})
    return "; ".join(
        " ".join(filter(None, (mean, _places(names, tried), f"({rules})")))
        for (mean, rules), names in by_reading.items()
    )


def _places(names: list[str], tried: int) -> str:
    """Test sets in few words; nothing where the mean does not depend on them."""
    if names == [ANY]:
        return ""
    if len(names) > 2 and len(names) == tried - (ANY in names):
        return "on every test set"
    both = {name for name in names if f"{name}{ONE_ROW_LOST}" in names}
    shown = [
        f"{name} with or without one row" if name in both else name
        for name in names
        if name.removesuffix(ONE_ROW_LOST) not in both or name in both
    ]
    return "on " + " / ".join(shown)


def _rules(names: list[str]) -> str:
    """The roundings without 'mixed', which holds them all, unless nothing else fits."""
    alone = [name for name in names if name != "mixed"]
    return ", ".join(alone or names)


def conclusions(checks: pd.DataFrame, summary: pd.DataFrame) -> dict[str, list[str]]:
    """Sentences under 'proven' (what arithmetic alone says of printed numbers) and 'likely' (the
    rest).

    checks: of ``audit_columns`` or ``audit_paper``; summary: what ``summarise`` made of them.
    """
    proven = [
        *_implied(summary),
        *_one_mean(checks),
        *_overall_shares(summary),
        *_class_sizes(summary),
        *_others(summary),
    ]
    likely = [
        f"{_name(row)}, printed {row.printed}: {row.verdict}. {_capital(row.follows)}. "
        f"Assumed: {row.assumption}."
        f"{f' Would explain it: {row.explanation}.' if row.explanation else ''}"
        for row in summary[summary["certainty"] == LIKELY].itertuples()
    ]
    return {"proven": proven, "likely": likely}


def _implied(summary: pd.DataFrame) -> list[str]:
    rows = summary[summary["check"] == IMPLIED]
    fitting = [
        f"{row.dataset} {row.column} ({row.printed} in {row.follows})"
        for row in rows[rows["verdict"] == FITS].itertuples()
    ]
    sentences = (
        [f"The overall accuracy fits the class rows in {', '.join(fitting)}."] if fitting else []
    )
    return sentences + [
        f"{row.dataset} {row.column}: the class rows imply {row.follows}, {row.printed} is printed."
        f" {_allowed(row.explanation)}"
        for row in rows[rows["verdict"] != FITS].itertuples()
    ]


def _allowed(explanation: str) -> str:
    """Which other readings would give an overall that is not implied."""
    readings = [reading for reading in explanation.split("; ") if not reading.startswith(FREE)]
    free = "; another number of images in each class could" if FREE in explanation else ""
    if not readings or FREE not in explanation:
        return f"No mean, rounding or test set tried here gives it{free}."
    return f"Allowed by: {'; '.join(readings)}."


def _one_mean(checks: pd.DataFrame) -> list[str]:
    """Of data sets with several columns: which mean could have made all their overalls, under any
    reading."""
    rows = checks[(checks["check"] == IMPLIED) & (checks["mean"] != FREE)]
    fits: dict[str, dict[str, set[str]]] = {}
    for dataset, column, mean, verdict in _tuples(rows[["dataset", "column", "mean", "verdict"]]):
        fits.setdefault(dataset, {}).setdefault(column, set()).update(
            [mean] if verdict == FITS else []
        )
    tried = ", ".join(sorted(rows["mean"].unique()))
    sentences = []
    for dataset, columns in fits.items():
        means = [
            mean
            for mean in rows["mean"].unique()
            if all(mean in fitting for fitting in columns.values())
        ]
        if len(columns) > 1:
            sentences.append(
                f"{dataset}: {' or '.join(means) if means else 'none'} of {tried} fits all"
                f" {len(columns)} columns under some rounding and test set."
            )
    return sentences


def _overall_shares(summary: pd.DataFrame) -> list[str]:
    return _not_shares(summary, OVERALL_SHARE, lambda row: f"{row.dataset} {row.column} overall")


def _class_sizes(summary: pd.DataFrame) -> list[str]:
    sentences = _not_shares(
        summary, CLASS_SHARE, lambda row: f"{row.dataset} {row.column} {row.row}"
    )
    rows = summary[(summary["check"] == CLASS_SIZE) & (summary["verdict"] != FITS)]
    return sentences + [
        f"{row.dataset} {row.row}: {row.printed} together need {row.follows}."
        for row in rows.itertuples()
    ]


def _not_shares(summary: pd.DataFrame, check: str, name) -> list[str]:
    rows = summary[(summary["check"] == check) & (summary["verdict"] != FITS)]
    return [
        f"{name(row)}: no number of right answers rounds to {row.printed}; beside it lie"
        f" {row.follows}. Allowed by: {row.explanation}."
        for row in rows.itertuples()
    ]


def _others(summary: pd.DataFrame) -> list[str]:
    """The checks of one figure against another, counted; those that do not agree are named."""
    known = (IMPLIED, OVERALL_SHARE, CLASS_SHARE, CLASS_SIZE, WHOLE)
    rows = summary[(summary["certainty"] == ARITHMETIC) & ~summary["check"].isin(known)]
    sentences = []
    for check, group in rows.groupby("check", sort=False):
        judged = group[group["verdict"].isin([FITS, NOT_POSSIBLE])]
        wrong = [
            f"{_name(row)}: {row.printed}, but {row.follows}"
            for row in judged[judged["verdict"] != FITS].itertuples()
        ]
        if len(judged):
            sentences.append(
                "; ".join([f"{check}: {len(judged) - len(wrong)} of {len(judged)} agree", *wrong])
                + "."
            )
        else:
            listed = "; ".join(f"{_name(row)} {row.follows}" for row in group.itertuples())
            sentences.append(f"{check}: {listed}.")
    return sentences


def as_text(checks: pd.DataFrame, summary: pd.DataFrame) -> str:
    """The report that the command line prints."""
    found = conclusions(checks, summary)
    headline = summary[summary["check"] == IMPLIED]
    shown = headline[["dataset", "column", "printed", "follows", "verdict"]].rename(
        columns={"follows": "implied"}
    )
    table = shown.to_string(index=False) if len(shown) else "no overall row to compare with"
    notes = checks.attrs.get("notes")
    parts = (
        ["\n".join(["How rows of the file were read", *(f"- {note}" for note in notes)])]
        if notes
        else []
    )
    parts += [
        (
            "Overall accuracy implied by the class rows, in %\n"
            "(official test set, every image counts once, rounded to nearest)"
        ),
        table,
    ]
    for kind, title in (
        ("proven", "Proven by arithmetic on the printed numbers"),
        ("likely", "Only likely"),
    ):
        parts.append(
            "\n".join([title, *(f"- {sentence}" for sentence in found[kind] or ["nothing"])])
        )
    parts.append(
        "Arithmetic says which figures cannot belong together, not why.\n"
        f"Methods: {'; '.join(METHODS.values())}"
        "\nEvery check with its assumption: --json"
    )
    return "\n\n".join(parts)


def as_json(checks: pd.DataFrame, summary: pd.DataFrame) -> str:
    """Methods, conclusions, the summary and every single check, each with its assumption."""
    report = {
        "methods": METHODS,
        "conclusions": conclusions(checks, summary),
        "summary": _records(summary),
        "checks": _records(checks),
    }
    if checks.attrs.get("notes"):
        report["notes"] = checks.attrs["notes"]
    return json.dumps(report, indent=1, ensure_ascii=False)


def _records(frame: pd.DataFrame) -> list[dict]:
    return [
        {name: None if pd.isna(value) else value for name, value in row.items()}
        for row in frame.to_dict("records")
    ]


def _name(row) -> str:
    return " ".join(
        filter(
            None, (row.dataset, row.column, row.row, row.check if row.certainty == LIKELY else "")
        )
    )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
