"""Tables about the quality of the synthetic faces: a row per sample and emotion, a column per
question."""

from collections.abc import Mapping

import pandas as pd

from fer_utils.core.emotions import EMOTIONS

_SAMPLES = {"both": "both together", "real half": "real: other half", "real unseen": "real: unseen"}
_COLUMNS = {
    ("kid",): "KID",
    ("fid",): "FID",
    ("precision",): "Precision",
    ("recall",): "Recall",
    ("density",): "Density",
    ("coverage",): "Coverage",
    ("diversity",): "Mean distance",
    ("agreement",): "Emotion read as asked (%)",
    ("confidence",): "Confidence",
    ("close", "reader"): "Close, features (%)",
    ("close", "pixels"): "Close, pixels (%)",
}
_SCALES = {
    "kid": (1, 3),
    "fid": (1, 2),
    "diversity": (1, 2),
    "agreement": (100, 1),
    "close": (100, 1),
}


def table_a4_quality(
    table: pd.DataFrame, *, titles: Mapping[str, str], generator_titles: Mapping[str, str]
) -> pd.DataFrame:
    """The quality of the pool for readers: all emotions first, then each emotion, without both
    generators together.

    A cell reads 'value [low, high]'; '' stands where there are too few faces or the question makes
    no sense.

    Args:
        table: long, as ``quality.Assessment.table``, of one data set or several.
        titles: the data sets in order, and what to print for each.
        generator_titles: the same for the generators.
    """
    samples = {**generator_titles, **_SAMPLES}
    rows = []
    for dataset, title in titles.items():
        for features in [name for name in table["features"].unique() if name != "pixels"]:
            part = table[
                (table["dataset"] == dataset) & table["features"].isin([features, "pixels"])
            ]
            for emotion in ("all", *EMOTIONS):
                shown = [name for name in samples if emotion == "all" or name != "both"]
                rows += [
                    _row(
                        part,
                        {
                            "Data set": title,
                            "Features": features,
                            "Emotion": emotion.capitalize(),
                            "Faces": samples[name],
                        },
                        features,
                        name,
                        emotion,
                    )
                    for name in shown
                    if (part["generator"] == name).any()
                ]
    frame = pd.DataFrame(rows)
    empty = [column for column in frame if (frame[column] == "").all()]
    return frame.drop(columns=[*empty, *(["Features"] if frame["Features"].nunique() < 2 else [])])


def table_a4_filter(table: pd.DataFrame, *, titles: Mapping[str, str]) -> pd.DataFrame:
    """What each filter would keep, for readers: a row per data set and filter, a column per
    emotion, 'kept of n'.

    ``table``: ``quality.kept_table`` with the column dataset.
    """
    totals = table.groupby(["dataset", "filter", "used", "emotion"], sort=False)[
        ["kept", "n"]
    ].sum()
    rows = []
    for dataset, title in titles.items():
        for (name, used), part in totals.loc[dataset].groupby(["filter", "used"], sort=False):
            counts = part.droplevel(["filter", "used"])
            rows.append(
                {
                    "Data set": title,
                    "Filter": f"{name} (used)" if used else name,
                    **{
                        emotion.capitalize(): (
                            f"{counts.loc[emotion, 'kept']:,} of {counts.loc[emotion, 'n']:,}"
                        )
                        for emotion in EMOTIONS
                        if emotion in counts.index
                    },
                    "All": f"{counts['kept'].sum():,} of {counts['n'].sum():,}",
                }
            )
    return pd.DataFrame(rows)


def table_a4_attributes(
    deviations: pd.DataFrame, *, generator_titles: Mapping[str, str]
) -> pd.DataFrame:
    """The largest deviation from even for readers: a row per generator and emotion, a column per
    attribute.

    ``deviations``: ``quality.largest_deviations``; a cell reads 'value: count of n (even would be
    ...)'.
    """
    cells = {
        (row["generator"], row["emotion"], row["attribute"]): _deviation(row)
        for row in deviations.to_dict("records")
    }
    attributes = deviations["attribute"].unique()
    return pd.DataFrame(
        [
            {
                "Generator": title,
                "Emotion": emotion.capitalize(),
                **{
                    name.capitalize(): cells.get((generator, emotion, name), "")
                    for name in attributes
                },
            }
            for generator, title in generator_titles.items()
            for emotion in EMOTIONS
        ]
    )


def _row(part: pd.DataFrame, head: dict, features: str, name: str, emotion: str) -> dict:
    rows = part[(part["generator"] == name) & (part["emotion"] == emotion)].to_dict("records")
    found = {(row["metric"], row["features"]): row for row in rows}
    compared, read = found.get(("kid", features)), found.get(("agreement", features))
    cells = {
        title: _cell(found.get((metric, *(where or (features,)))))
        for (metric, *where), title in _COLUMNS.items()
    }
    return {
        **head,
        "n compared": f"{compared['n']:,}" if compared else "",
        **cells,
        "n read": f"{read['n']:,}" if read else "",
    }


def _cell(row: dict | None) -> str:
    if row is None or pd.isna(row["value"]):
        return ""
    scale, digits = _SCALES.get(row["metric"], (1, 2))
    value, low, high = (f"{scale * row[name]:.{digits}f}" for name in ("value", "low", "high"))
    return value if pd.isna(row["low"]) else f"{value} [{low}, {high}]"


def _deviation(row: dict) -> str:
    return f"{row['value'] or 'none'}: {row['count']:,} of {row['n']:,} (even: {row['even']:.1f})"
