"""The numbers, from the tables and the kept histories."""

import pandas as pd

from fer_utils.balancing import LEVEL_TITLES
from fer_utils.balancing.controls import CONTROLS
from fer_utils.core.paths import committed_tables
from fer_utils.core.profiles import load_profile
from fer_utils.core.reference import read_reference
from fer_utils.core.stored import read_table
from fer_utils.evaluation import (
    ACCURACY,
    BALANCED,
    PREFIXES,
    after_the_drop,
    around_the_drop,
    decisive_p,
    verdict,
)
from fer_utils.runner.provenance import read_provenance

FULL, NARROW, WITH_TWINS = "fer2013_full_paper_recipe", "fer2013_paper_recipe", "fer2013_twins"
REFERENCES = ("original", "oversampling")
MEASURES = ("accuracy", "balanced accuracy")
SUMMARY, COMPARISON = "table_a6_summary", "table_a6_comparison"


def measured(name: str = FULL) -> pd.DataFrame:
    """A row for Original, each level and each control that the profile has trained, in the order of
    the paper and of ``CONTROLS``; none where it has trained nothing.

    Columns level, paper, n, seeds; accuracy, sd, low, high; balanced (accuracy, each emotion
    alike), balanced_sd, balanced_low, balanced_high; for each of ``REFERENCES`` to_<reference>:
    difference in points on the same test faces with _seeds, _family, _low, _high, _p
    (``evaluation.decisive_p``) and _reading, and in balanced accuracy with _balanced,
    _balanced_low, _balanced_high, _balanced_p and _balanced_reading; empty for the reference
    itself. after_drop: ``evaluation.after_the_drop``, from the kept histories.
    """
    summary = committed_table(name, SUMMARY)
    if summary.empty:
        return pd.DataFrame(columns=["level", "paper", "n", "seeds"])
    rows = summary[summary["score"] == ACCURACY][
        ["level", "paper", "n", "seeds", "value", "sd", "low", "high"]
    ]
    balanced = summary[summary["score"] == BALANCED][["level", "value", "sd", "low", "high"]]
    rows = rows.rename(columns={"value": "accuracy"}).merge(
        balanced.set_axis(
            ["level", "balanced", *(f"balanced_{end}" for end in ("sd", "low", "high"))], axis=1
        ),
        on="level",
    )
    for reference in REFERENCES:
        rows = rows.merge(_against(reference, name), how="left", on="level")
    rows["after_drop"] = rows["level"].map(after_the_drop(histories(name)))
    return in_order(rows)


def differences() -> pd.DataFrame:
    """Every difference from Original of both widths, in points and in the order of ``measured``:
    columns level, width, measure (of ``MEASURES``), value, low, high."""
    found = []
    for name in (FULL, NARROW):
        rows, width = measured(name), load_profile(name).network.width
        for measure, part in zip(MEASURES, ("", "_balanced")):
            columns = [f"to_original{part}{end}" for end in ("", "_low", "_high")]
            if columns[0] in rows:
                found.append(
                    rows[["level", *columns]]
                    .set_axis(["level", "value", "low", "high"], axis=1)
                    .dropna()
                    .assign(width=width, measure=measure)
                )
    return in_order(
        pd.concat(found, ignore_index=True)[["level", "width", "measure", "value", "low", "high"]]
    )


def claimed() -> dict[str, float]:
    """What Table III claims for each level: its accuracy on FER2013 less that of Original, in
    points."""
    printed = (
        read_reference("table_3")
        .query("dataset == 'FER2013' and emotion == 'overall'")
        .set_index("level")["accuracy"]
    )
    return {
        level: printed[level] - printed["original"] for level in LEVEL_TITLES if level != "original"
    }


def trainings(name: str) -> dict[str, dict]:
    """The profile's finished trainings, '<data set>/<level>/<seed>' -> hours, hardware and device,
    from its provenance."""
    return read_provenance(committed_tables(name)).get("trainings", {})


def by_seed(name: str) -> pd.DataFrame:
    """Accuracy in % of each level (rows) and seed (columns, as texts); empty without tables."""
    summary = committed_table(name, SUMMARY)
    if summary.empty:
        return summary
    table = summary[summary["score"] == ACCURACY].set_index("level").filter(regex="^value_seed_")
    return table.rename(columns=lambda column: column.removeprefix("value_seed_"))


def histories(name: str) -> pd.DataFrame:
    """``evaluation.around_the_drop`` of the runs kept beside the profile's tables."""
    return around_the_drop(committed_tables(name) / "runs", load_profile(name))


def committed_table(name: str, table: str) -> pd.DataFrame:
    """A published table of the profile as it was computed; empty where there is none."""
    path = committed_tables(name) / f"{table}.csv"
    return read_table(path) if path.is_file() else pd.DataFrame()


def _against(reference: str, name: str) -> pd.DataFrame:
    names = [
        "seeds",
        "family",
        *PREFIXES,
        *(
            f"{prefix}{name}"
            for prefix in PREFIXES.values()
            for name in ("low", "high", "p", "reading")
        ),
    ]
    titles = {name: f"to_{reference}_{name}" for name in names} | {"difference": f"to_{reference}"}
    compared = committed_table(name, COMPARISON)
    if compared.empty:
        return pd.DataFrame(columns=["level", *titles.values()])
    found = compared.query("reference == @reference").copy()
    rows = found.to_dict("records")
    for measure, prefix in PREFIXES.items():
        found[f"{prefix}p"] = [decisive_p(row, measure) for row in rows]
        found[f"{prefix}reading"] = [verdict(row, measure) for row in rows]
    return found[["level", *names]].rename(columns=titles)


def in_order(rows: pd.DataFrame) -> pd.DataFrame:
    """``rows`` by their level or control, in the order of the paper and of ``CONTROLS``."""
    return rows.sort_values("level", key=_place, kind="stable", ignore_index=True)


def _place(levels: pd.Series) -> pd.Series:
    """Where each level or control stands in the order of the paper and of ``CONTROLS``."""
    return levels.map({name: place for place, name in enumerate([*LEVEL_TITLES, *CONTROLS])})
