"""How good the synthetic faces are: metrics with their intervals, and the pairs most like training
faces."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fer_utils.core.emotions import EMOTIONS
from fer_utils.figures.data import pair_of_faces
from fer_utils.figures.describing import described, listed, one_line, shortened
from fer_utils.figures.style import (
    ASIDE,
    EMOTION_TITLES,
    FAINT,
    INK,
    PAGE,
    SMALLEST,
    new_figure,
    show_face,
    styled,
)

# Blue and orange can be told apart by all readers; real faces are gray and white. All four differ
# in gray print.
SAMPLE_STYLES = {
    "sd2": ("o", "#1a5f96"),
    "sd3": ("s", "#f2b84b"),
    "real half": ("D", "#8a8a8a"),
    "real unseen": ("^", "#ffffff"),
}
SAMPLE_TITLES = {
    "sd2": "Stable Diffusion 2",
    "sd3": "Stable Diffusion 3",
    "real half": "real: other half of training faces",
    "real unseen": "real: validation faces",
}
METRICS = {
    "kid": ("KID", 1),
    "precision": ("precision", 1),
    "coverage": ("coverage", 1),
    "agreement": ("emotion read\nas asked (%)", 100),
    "close": ("close to a training\nface, pixels (%)", 100),
}


@styled
def figure_a4_quality(
    table: pd.DataFrame,
    *,
    titles: Mapping[str, str],
    generator_titles: Mapping[str, str],
    features: str = "reader",
) -> Figure:
    """Five questions about the synthetic faces, a row each, a column per data set; a group per
    emotion.

    Args:
        table: long, as ``quality.Assessment.table``.
        titles: the data sets to draw, in order, and what to print for each.
        generator_titles: the generators, and what to call each.
        features: in which network's features KID, precision and coverage are.
    """
    samples = {
        name: title
        for name, title in (SAMPLE_TITLES | dict(generator_titles)).items()
        if (table["generator"] == name).any()
    }
    figure = new_figure(PAGE, 0.4 + 1.25 * len(METRICS))
    panels = figure.subplots(len(METRICS), len(titles), sharex=True, sharey="row", squeeze=False)
    groups = ["all", *EMOTIONS]
    for column, (dataset, title) in enumerate(titles.items()):
        for axes, (metric, (label, scale)) in zip(panels[:, column], METRICS.items()):
            where = _space(metric, features)
            rows = table[
                (table["dataset"] == dataset)
                & (table["metric"] == metric)
                & (table["features"] == where)
            ]
            for place, name in enumerate(samples):
                part = (
                    rows[rows["generator"] == name]
                    .set_index("emotion")
                    .reindex(groups)[["value", "low", "high"]]
                )
                _intervals(
                    axes,
                    scale * part,
                    name,
                    np.arange(len(groups)) + (place - (len(samples) - 1) / 2) * 0.19,
                )
            _mark_missing(axes, rows[rows["generator"].isin(list(samples))], groups)
            axes.set_ylabel(label if column == 0 else "")
        panels[0, column].set_title(
            f"{title}\n{_faces(table[table['dataset'] == dataset], samples)}"
        )
        panels[-1, column].set_xticks(
            range(len(groups)),
            ["All", *EMOTION_TITLES.values()],
            rotation=35,
            ha="right",
            rotation_mode="anchor",
        )
    # only now: a limit that is set stops matplotlib from making room
    for row, metric in zip(panels, METRICS):
        for axes in row:
            _furnish(axes, metric, len(groups))
    figure.legend(
        handles=[_marker(name, title) for name, title in samples.items()],
        loc="outside upper center",
        ncols=4,
    )
    return described(
        figure,
        "Dot plots with intervals, by emotion: KID, precision, coverage, share read as the emotion"
        f" asked for, share close to a training face. Of {listed(samples.values())}, in this order,"
        " all together:",
        *(
            _in_words(
                table[(table["dataset"] == name) & (table["emotion"] == "all")],
                title,
                samples,
                features,
            )
            for name, title in titles.items()
        ),
    )


def _faces(rows: pd.DataFrame, samples: Mapping[str, str]) -> str:
    """How many faces of each sample were read, all emotions together."""
    counts = rows[(rows["metric"] == "agreement") & (rows["emotion"] == "all")].set_index(
        "generator"
    )["n"]
    made = " + ".join(
        f"{counts[name]:,}" for name in samples if name in counts and name != "real unseen"
    )
    return f"{made or 0} synthetic, {counts.get('real unseen', 0):,} unseen real faces"


def _in_words(rows: pd.DataFrame, title: str, samples: Mapping[str, str], features: str) -> str:
    """Each metric of each sample, as it is drawn over 'All', in the order of the samples."""
    parts = []
    for metric, (label, scale) in METRICS.items():
        found = rows[(rows["metric"] == metric) & (rows["features"] == _space(metric, features))]
        values = found.set_index("generator")["value"].reindex(list(samples))
        shown = ", ".join(
            "–" if pd.isna(value) else f"{scale * value:.{1 if scale > 1 else 2}f}"
            for value in values
        )
        parts.append(f"{one_line(label)} {shown}")
    return f"{title}: {'; '.join(parts)}."


@styled
def figure_a4_nearest(rows: Mapping[str, list[tuple[np.ndarray, np.ndarray, str]]]) -> Figure:
    """Rows of pairs, each (synthetic face, nearest training face, text under both), under the rows'
    titles.

    ``rows``: as ``quality.example_rows``; images uint8 [H, W, C] of any size.
    """
    columns = max(map(len, rows.values()))
    figure = new_figure(PAGE, 0.45 + (0.3 + (PAGE - 1) / columns / 2) * len(rows))
    panels = figure.subplots(len(rows), columns, squeeze=False)
    for line, (title, pairs) in zip(panels, rows.items()):
        for axes in line:
            axes.axis("off")
        for axes, (left, right, text) in zip(line, pairs):
            axes.axis("on")
            show_face(axes, pair_of_faces(left, right))
            axes.set_xlabel(text, size=SMALLEST, labelpad=2)
        line[0].set_ylabel(title, rotation=0, ha="right", va="center", size=6.5)
    figure.suptitle(
        "left: synthetic (or unseen) face, right: nearest training face\n"
        "below: their emotions, and the correlation of pixels or the distance of features",
        size=7.5,
    )
    return described(
        figure,
        "Pairs of faces: a synthetic or unseen real face and the training face nearest to it.",
        *(
            f"{title}: {shortened((text for *_, text in pairs), 2) or 'none'}."
            for title, pairs in rows.items()
        ),
    )


def _space(metric: str, features: str) -> str:
    return {"agreement": "reader", "close": "pixels"}.get(metric, features)


def _intervals(axes, rows: pd.DataFrame, name: str, places: np.ndarray) -> None:
    marker, colour = SAMPLE_STYLES.get(name, ("v", FAINT))
    lengths = np.abs(rows[["low", "high"]].sub(rows["value"], axis=0).to_numpy(float).T)
    axes.errorbar(
        places,
        rows["value"],
        yerr=lengths,
        fmt=marker,
        color=INK,
        ecolor=INK,
        elinewidth=0.7,
        capsize=1.3,
        capthick=0.7,
        markersize=3.4,
        markeredgewidth=0.5,
        markerfacecolor=colour,
        markeredgecolor=INK,
    )


def _mark_missing(axes, rows: pd.DataFrame, groups: list[str]) -> None:
    """A word where no sample has enough faces for the metric."""
    known = set(rows.loc[rows["value"].notna(), "emotion"])
    for place, name in enumerate(groups):
        if name not in known:
            axes.text(
                place,
                0.5,
                "too few",
                rotation=90,
                ha="center",
                va="center",
                size=SMALLEST,
                color=ASIDE,
                transform=axes.get_xaxis_transform(),
            )


def _furnish(axes, metric: str, groups: int) -> None:
    axes.grid(axis="y")
    axes.axvline(0.5, color=FAINT, linewidth=0.6)
    axes.set_xlim(-0.5, groups - 0.5)
    if metric == "kid":
        axes.axhline(0, color=FAINT, linewidth=0.8)
        # a control of 0 beside values a hundred times apart
        axes.set_yscale("symlog", linthresh=0.1)
    else:
        axes.set_ylim(bottom=-0.04 * axes.get_ylim()[1])  # so that a marker at 0 is whole


def _marker(name: str, title: str) -> Line2D:
    marker, colour = SAMPLE_STYLES.get(name, ("v", FAINT))
    return Line2D(
        [],
        [],
        marker=marker,
        linestyle="none",
        markersize=4.2,
        markeredgewidth=0.5,
        markerfacecolor=colour,
        markeredgecolor=INK,
        label=title,
    )
