"""What the predictions on the test sets amount to: Tables III and IV, Figure 4 (section V of the paper).

The paper prints one number a cell. Here each cell also says on how many test images it rests, how far the
seeds lie apart, and the Wilson interval, because 74 fear images of RAF-DB or 55 disgust images of FER2013
cannot decide a point or two. All accuracies are in percent, as printed in the paper.
"""

import shlex

import numpy as np
import pandas as pd
from sklearn.metrics import confusion_matrix
from statsmodels.stats.proportion import proportion_confint

from fer_utils.datasets import dataset_info
from fer_utils.emotions import EMOTIONS
from fer_utils.errors import CompanionError, nearest
from fer_utils.profiles import Profile
from fer_utils.reference import read_reference
from fer_utils.training import PREDICTIONS

OVERALL = "overall"
PAPER = "paper"
# The two rows of Table IV that are the authors' own, and the level that stands behind each.
TABLE_4_ROWS = {"ResEmoteNet (Without Augmentation)": "original", "ResEmoteNet (With augmentation)": "aug4"}


def expected_runs(dataset: str, profile: Profile, *, levels=None) -> list[tuple[str, int]]:
    """(level, seed) of every run the profile asks for, or of the given ``levels`` of it."""
    known = profile.balancing.levels
    for level in levels or ():
        if level not in known:
            raise CompanionError(f"Level '{level}' is not in balancing.levels: {nearest(level, known)}")
    dataset_info(dataset)
    return [(level, seed) for level in (levels or known) for seed in profile.training.seeds]


def missing_runs(dataset: str, profile: Profile, *, levels=None) -> list[tuple[str, int]]:
    """(level, seed) of the expected runs whose predictions are not there yet."""
    return [(level, seed) for level, seed in expected_runs(dataset, profile, levels=levels)
            if not (profile.paths.model(dataset, level, seed) / PREDICTIONS).is_file()]


def read_predictions(dataset: str, profile: Profile, *, levels=None) -> pd.DataFrame:
    """One row per test image and run: dataset, level, seed, id, emotion, predicted, p_anger ... p_surprise.

    Covers every level and seed of the profile, or only the given ``levels``. Raises CompanionError listing
    every run that is missing, and the command that makes them.
    """
    missing = missing_runs(dataset, profile, levels=levels)
    if missing:
        listed = ", ".join(f"{level} seed {seed}" for level, seed in missing)
        overrides = "".join(f" --set {shlex.quote(override)}" for override in profile.overrides)
        raise CompanionError(f"{len(missing)} training runs of {dataset} have no predictions under "
                             f"{profile.paths.run / 'models' / dataset}: {listed}. Make them with "
                             f"`python -m fer_utils reproduce --profile {profile.name}{overrides}`.")
    return pd.concat([_read_run(dataset, level, seed, profile)
                      for level, seed in expected_runs(dataset, profile, levels=levels)], ignore_index=True)


def all_predictions(profile: Profile, *, levels=None) -> pd.DataFrame:
    """``read_predictions`` of every data set of the profile, one under the other."""
    return pd.concat([read_predictions(dataset, profile, levels=levels) for dataset in profile.data.sets],
                     ignore_index=True)


def wilson_interval(correct: float, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Lower and upper end of the Wilson score interval of a share, both in 0..1; (nan, nan) for n = 0.

    Wilson: "Probable inference, the law of succession, and statistical inference", JASA 22 (1927), 209-212.
    ``correct`` may be fractional: the mean over seeds that saw the same ``n`` images.
    """
    if n == 0:
        return np.nan, np.nan
    low, high = proportion_confint(correct, n, alpha=1 - confidence, method="wilson")
    return float(low), float(high)


def printed_precision(confidence: float = 0.95) -> pd.DataFrame:
    """How many test images stand behind each percentage that Table III prints, and how far such a share can be trusted.

    Columns dataset, emotion, n (official test images), one_image (what one of them is worth, in points), and for
    the levels Original and Aug. 4 the printed accuracy with its Wilson interval: original, original_low,
    original_high, aug4, ... (all in %).
    """
    counts = read_reference("test_counts").query("split == 'test'").set_index(["dataset", "emotion"])["count"]
    printed = read_reference("table_3").pivot(index=["dataset", "emotion"], columns="level", values="accuracy")
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
    return {(dataset, emotion): int(counts[dataset].sum() if emotion == OVERALL else counts[dataset, emotion])
            for dataset in counts.index.unique("dataset") for emotion in (*EMOTIONS, OVERALL)}


def class_accuracy(predictions: pd.DataFrame, profile: Profile) -> pd.DataFrame:
    """Accuracy per data set, level and emotion, and one row 'overall', in %, in the order of Table III.

    Columns dataset, level, emotion, n (test images), seeds (how many), accuracy (mean over seeds), sd (over
    seeds, nan for one), low, high (Wilson interval at the mean accuracy with n images, so it does not shrink
    with more seeds: they share the test set), accuracy_seed_<s> for each seed. Levels that are not in
    ``predictions`` are not in the answer; an emotion without test images has n = 0 and nan.
    """
    keys = predictions[["dataset", "level"]].drop_duplicates().itertuples(index=False)
    frames = [_accuracy_of_level(predictions, dataset, level, profile.evaluation.confidence)
              for dataset, level in keys]
    seeds = sorted(predictions["seed"].unique())
    frame = pd.concat(frames, ignore_index=True)
    return frame[[c for c in frame if not c.startswith("accuracy_seed_")]
                 + [f"accuracy_seed_{seed}" for seed in seeds]]


def table_3(predictions: pd.DataFrame, profile: Profile) -> pd.DataFrame:
    """``class_accuracy`` with the column 'paper': what Table III prints for the same set, level and class.

    For demo faces the paper's column is that of the set they are drawn after; it is no measure for them.
    """
    ours = class_accuracy(predictions, profile)
    printed = read_reference("table_3").set_index(["dataset", "level", "emotion"])["accuracy"]
    keys = zip(_paper_names(ours["dataset"]), ours["level"], ours["emotion"], strict=True)
    ours.insert(ours.columns.get_loc("n"), PAPER, [printed.get(key, np.nan) for key in keys])
    return ours


def table_4(predictions: pd.DataFrame, profile: Profile) -> pd.DataFrame:
    """Table IV with two rows of ours under the paper's: method, source, and for FER2013 and RAF-DB the accuracy
    and, in ours only, <set>_low, <set>_high (Wilson), <set>_n and <set>_seeds.

    ``source`` is 'paper' or the profile's stamp, which the method repeats, so that no row of ours can be
    taken for a published one. A level that was not run leaves its cells empty.
    """
    printed = read_reference("table_4")
    published = printed.pivot(index=["row", "method"], columns="dataset", values="accuracy").reset_index("method")
    published.insert(1, "source", PAPER)
    overall = class_accuracy(predictions, profile).query("emotion == @OVERALL")
    overall = overall.assign(dataset=_paper_names(overall["dataset"]))
    label = profile.stamp or f"profile {profile.name}"
    ours = pd.DataFrame([{"method": f"{method}, ours: {label}", "source": label, **_table_4_cells(overall, level)}
                         for method, level in TABLE_4_ROWS.items()])
    table = pd.concat([published, ours], ignore_index=True)
    columns = [f"{name}{end}" for name in ("FER2013", "RAF-DB") for end in ("", "_low", "_high", "_n", "_seeds")]
    return table.reindex(columns=["method", "source", *columns]).rename_axis(columns=None)


def confusion_counts(predictions: pd.DataFrame, dataset: str, level: str) -> np.ndarray:
    """int [7, 7], rows the labels and columns the predictions in the order of ``EMOTIONS``, summed over seeds."""
    rows = predictions[(predictions["dataset"] == dataset) & (predictions["level"] == level)]
    if rows.empty:
        found = predictions[["dataset", "level"]].drop_duplicates().agg(" ".join, axis=1)
        raise CompanionError(f"No predictions for {dataset} {level}; there are: {', '.join(found)}.")
    return confusion_matrix(rows["emotion"], rows["predicted"], labels=list(EMOTIONS))


def confusion_rates(counts: np.ndarray) -> np.ndarray:
    """float [7, 7]: each row of counts as shares of that emotion's test images; nan where there are none."""
    totals = counts.sum(axis=1, keepdims=True)
    return np.divide(counts, totals, out=np.full(counts.shape, np.nan), where=totals > 0)


def _read_run(dataset: str, level: str, seed: int, profile: Profile) -> pd.DataFrame:
    path = profile.paths.model(dataset, level, seed) / PREDICTIONS
    frame = pd.read_csv(path, dtype={"id": str})
    expected = ["id", "emotion", "predicted", *(f"p_{emotion}" for emotion in EMOTIONS)]
    if list(frame.columns) != expected or frame.empty or frame.isna().any(axis=None):
        raise CompanionError(f"{path} is not a table of predictions: expected the columns {', '.join(expected)} "
                             f"and no empty cell, found {len(frame)} rows of {', '.join(frame.columns)}. "
                             "Delete it and run stage 05 again.")
    for position, (column, value) in enumerate([("dataset", dataset), ("level", level), ("seed", seed)]):
        frame.insert(position, column, value)
    return frame


def _accuracy_of_level(predictions, dataset: str, level: str, confidence: float) -> pd.DataFrame:
    rows = predictions[(predictions["dataset"] == dataset) & (predictions["level"] == level)]
    _check_same_test_set(rows, dataset, level)
    return pd.DataFrame([_accuracy_row(rows, dataset, level, emotion, confidence)
                         for emotion in (*EMOTIONS, OVERALL)])


def _accuracy_row(rows, dataset: str, level: str, emotion: str, confidence: float) -> dict:
    chosen = rows if emotion == OVERALL else rows[rows["emotion"] == emotion]
    right = (chosen["emotion"] == chosen["predicted"]).groupby(chosen["seed"])
    accuracy = right.mean().reindex(sorted(rows["seed"].unique()))
    n = int(right.size().max()) if len(chosen) else 0
    low, high = wilson_interval(accuracy.mean() * n, n, confidence)
    return {"dataset": dataset, "level": level, "emotion": emotion, "n": n, "seeds": len(accuracy),
            "accuracy": 100 * accuracy.mean(), "sd": 100 * accuracy.std(ddof=1),
            "low": 100 * low, "high": 100 * high,
            **{f"accuracy_seed_{seed}": 100 * value for seed, value in accuracy.items()}}


def _check_same_test_set(rows: pd.DataFrame, dataset: str, level: str) -> None:
    sets = rows.groupby("seed")["id"].agg(frozenset)
    if sets.nunique() > 1 or rows.duplicated(["seed", "id"]).any():
        raise CompanionError(f"The runs of {dataset} {level} were not tested on the same images once each "
                             f"(seeds {', '.join(map(str, sets.index))}). Run stage 05 again for all of them.")


def _table_4_cells(overall: pd.DataFrame, level: str) -> dict:
    cells = {}
    for row in overall[overall["level"] == level].itertuples():
        cells |= {row.dataset: row.accuracy, f"{row.dataset}_low": row.low, f"{row.dataset}_high": row.high,
                  f"{row.dataset}_n": row.n, f"{row.dataset}_seeds": row.seeds}
    return cells


def _paper_names(datasets: pd.Series) -> list[str]:
    return [dataset_info(name).paper_name for name in datasets]
