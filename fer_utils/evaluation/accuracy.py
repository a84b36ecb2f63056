"""What the predictions on the test sets amount to: Tables III and IV, Figure 4 (section V of the
paper).

The paper prints one number a cell. Here each cell also says on how many test images it rests, how
far the seeds lie apart, and the Wilson interval, because 74 fear images of RAF-DB or 55 disgust
images of FER2013 cannot decide a point or two. All accuracies are in percent, as printed in the
paper.
"""

import numpy as np
import pandas as pd

from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.intervals import wilson_interval
from fer_utils.core.profiles import Profile
from fer_utils.core.reference import read_reference
from fer_utils.datasets import dataset_info
from fer_utils.evaluation.predictions import check_same_test_set

OVERALL = "overall"
PAPER = "paper"
# The two rows of Table IV that are the authors' own, and the level that stands behind each.
TABLE_4_ROWS = {
    "ResEmoteNet (Without Augmentation)": "original",
    "ResEmoteNet (With augmentation)": "aug4",
}


def printed_precision(confidence: float = 0.95) -> pd.DataFrame:
    """How many test images stand behind each percentage that Table III prints, and how far such a
    share can be trusted.

    Columns dataset, emotion, n (official test images), one_image (what one of them is worth, in
    points), and for the levels Original and Aug. 4 the printed accuracy with its Wilson interval:
    original, original_low, original_high, aug4, ... (all in %).
    """
    counts = (
        read_reference("test_counts")
        .query("split == 'test'")
        .set_index(["dataset", "emotion"])["count"]
    )
    printed = read_reference("table_3").pivot(
        index=["dataset", "emotion"], columns="level", values="accuracy"
    )
    rows = []
    for (dataset, emotion), n in _with_totals(counts).items():
        row = {"dataset": dataset, "emotion": emotion, "n": n, "one_image": 100 / n}
        for level in ("original", "aug4"):
            share = printed.loc[(dataset, emotion), level]
            low, high = wilson_interval(share / 100 * n, n, confidence)
            row |= {level: share, f"{level}_low": 100 * low, f"{level}_high": 100 * high}
        rows.append(row)
    return pd.DataFrame(rows)


def _with_totals(counts: pd.Series) -> dict[tuple[str, str], int]:
    """(data set, emotion or 'overall') -> test images, in the order of Table III."""
    return {
        (dataset, emotion): int(
            counts[dataset].sum() if emotion == OVERALL else counts[dataset, emotion]
        )
        for dataset in counts.index.unique("dataset")
        for emotion in (*EMOTIONS, OVERALL)
    }


def class_accuracy(predictions: pd.DataFrame, profile: Profile) -> pd.DataFrame:
    """Accuracy per data set, level and emotion, and one row 'overall', in %, in the order of Table
    III.

    Columns dataset, level, emotion, n (test images), seeds (how many), accuracy (mean over seeds),
    sd (over seeds, nan for one), low, high (Wilson interval at the mean accuracy with n images, so
    it does not shrink with more seeds: they share the test set), accuracy_seed_<s> for each seed.
    Levels that are not in ``predictions`` are not in the answer; an emotion without test images has
    n = 0 and nan.
    """
    keys = predictions[["dataset", "level"]].drop_duplicates().itertuples(index=False)
    frames = [
        _accuracy_of_level(predictions, dataset, level, profile.evaluation.confidence)
        for dataset, level in keys
    ]
    seeds = sorted(predictions["seed"].unique())
    frame = pd.concat(frames, ignore_index=True)
    return frame[
        [c for c in frame if not c.startswith("accuracy_seed_")]
        + [f"accuracy_seed_{seed}" for seed in seeds]
    ]


def table_3(predictions: pd.DataFrame, profile: Profile) -> pd.DataFrame:
    """``class_accuracy`` with the column 'paper': what Table III prints for the same set, level and
    class.

    For demo faces the paper's column is that of the set they are drawn after; it is no measure for
    them.
    """
    ours = class_accuracy(predictions, profile)
    printed = read_reference("table_3").set_index(["dataset", "level", "emotion"])["accuracy"]
    keys = zip(_paper_names(ours["dataset"]), ours["level"], ours["emotion"], strict=True)
    ours.insert(ours.columns.get_loc("n"), PAPER, [printed.get(key, np.nan) for key in keys])
    return ours


def table_4(predictions: pd.DataFrame, profile: Profile) -> pd.DataFrame:
    """Table IV with two rows of ours under the paper's: method, source, and for FER2013 and RAF-DB
    the accuracy and, in ours only, <set>_low, <set>_high (Wilson), <set>_n and <set>_seeds.

    ``source`` is 'paper' or the profile's stamp, which the method repeats, so that no row of ours
    can be taken for a published one. A level that was not run leaves its cells empty.
    """
    printed = read_reference("table_4")
    published = printed.pivot(
        index=["row", "method"], columns="dataset", values="accuracy"
    ).reset_index("method")
    published.insert(1, "source", PAPER)
    accuracies = class_accuracy(predictions, profile)
    overall = accuracies[accuracies["emotion"] == OVERALL]
    overall = overall.assign(dataset=_paper_names(overall["dataset"]))
    label = profile.stamp or f"profile {profile.name}"
    ours = pd.DataFrame(
        [
            {
                "method": f"{method}, ours: {label}",
                "source": label,
                **_table_4_cells(overall, level),
            }
            for method, level in TABLE_4_ROWS.items()
        ]
    )
    table = pd.concat([published, ours], ignore_index=True)
    columns = [
        f"{name}{end}"
        for name in ("FER2013", "RAF-DB")
        for end in ("", "_low", "_high", "_n", "_seeds")
    ]
    return table.reindex(columns=["method", "source", *columns]).rename_axis(columns=None)


def _accuracy_of_level(predictions, dataset: str, level: str, confidence: float) -> pd.DataFrame:
    rows = predictions[(predictions["dataset"] == dataset) & (predictions["level"] == level)]
    check_same_test_set(rows, dataset, level)
    return pd.DataFrame(
        [
            _accuracy_row(rows, dataset, level, emotion, confidence)
            for emotion in (*EMOTIONS, OVERALL)
        ]
    )


def _accuracy_row(rows, dataset: str, level: str, emotion: str, confidence: float) -> dict:
    chosen = rows if emotion == OVERALL else rows[rows["emotion"] == emotion]
    right = (chosen["emotion"] == chosen["predicted"]).groupby(chosen["seed"])
    accuracy = right.mean().reindex(sorted(rows["seed"].unique()))
    n = int(right.size().max()) if len(chosen) else 0
    low, high = wilson_interval(accuracy.mean() * n, n, confidence)
    return {
        "dataset": dataset,
        "level": level,
        "emotion": emotion,
        "n": n,
        "seeds": len(accuracy),
        "accuracy": 100 * accuracy.mean(),
        "sd": 100 * accuracy.std(ddof=1),
        "low": 100 * low,
        "high": 100 * high,
        **{f"accuracy_seed_{seed}": 100 * value for seed, value in accuracy.items()},
    }


def _table_4_cells(overall: pd.DataFrame, level: str) -> dict:
    cells = {}
    for row in overall[overall["level"] == level].itertuples():
        cells |= {
            row.dataset: row.accuracy,
            f"{row.dataset}_low": row.low,
            f"{row.dataset}_high": row.high,
            f"{row.dataset}_n": row.n,
            f"{row.dataset}_seeds": row.seeds,
        }
    return cells


def _paper_names(datasets: pd.Series) -> list[str]:
    return [dataset_info(name).paper_name for name in datasets]
