"""The same answers on fewer test images, or against other labels: what the accuracy rests on.

A test face whose picture is also among the training faces is an answer given away, so the accuracy
without such twins is shown beside the accuracy on all. And a label may be wrong: against a second
opinion a network can be right where it was counted wrong.
"""

import numpy as np
import pandas as pd

from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.faces import FaceSet
from fer_utils.core.intervals import wilson_interval
from fer_utils.core.profiles import Profile
from fer_utils.core.reference import read_reference
from fer_utils.datasets import dataset_info, load_splits, stored_splits
from fer_utils.datasets.gate import copied, read_verdict
from fer_utils.datasets.label_noise import no_opinion, opinion_title, second_opinions
from fer_utils.evaluation.accuracy import OVERALL, PAPER
from fer_utils.evaluation.predictions import level_rows

ALL, WITHOUT_TWINS, SECOND_OPINION = "all", "without twins", "second opinion"


def twins_in_training(name: str, profile: Profile) -> np.ndarray:
    """The ids of the test faces that have a copy among the training faces as they were found,
    before the gate.

    A copy is what the gate takes for one (identical, near, mirrored, cropped;
    ``gate.correlation``). The gate's verdict says which training faces copy something, these are
    compared with every test face again, because it names one face for each. Where the gate was off,
    all training faces are compared.
    """
    splits, verdict = stored_splits(name, profile), read_verdict(profile.paths.gate(name))
    if verdict.checked and verdict.kept_out.empty:
        return splits.test.ids[:0]
    train = load_splits(name, profile).train if verdict.checked else splits.train
    suspects = np.isin(train.ids, verdict.kept_out["id"].to_numpy(str)) | (verdict.checked == 0)
    return splits.test.ids[
        copied(train.select(suspects), splits.test, correlation=profile.gate.correlation)
    ]


def subset_accuracy(predictions: pd.DataFrame, profile: Profile) -> pd.DataFrame:
    """Accuracy on whole test sets, without twins, and against a second opinion on the labels, in %.

    One row per data set, level and subset ('all', 'without twins', 'second opinion'): dataset,
    level, subset, labels (whose), paper, n, dropped, why, seeds, accuracy, sd, low, high (Wilson,
    as in Table III), labels_same, accuracy_seed_<s>.

    dropped, why: test images left out and for what reason, counted.
    labels_same: for how many of these images the data set's own label is the one used here; a
    network that answered
        every label of the data set would be right so often.

    Without a second opinion (RAF-DB, or FER2013 without FER+'s file) those rows are absent. The
    FER+ plurality has no emotion for some faces (tie, contempt, unknown, not a face); they are
    dropped. Twins are the same for all data sets; where there are none, n is the same and why says
    so.
    """
    parts = {name: _subsets(name, profile) for name in predictions["dataset"].unique()}
    rows = [
        _row(level_rows(predictions, dataset, level), subset, labels, profile)
        | {
            "dataset": dataset,
            "level": level,
            "subset": subset,
            "labels": whose,
            "why": why,
        }
        for dataset, level in (
            predictions[["dataset", "level"]].drop_duplicates().itertuples(index=False)
        )
        for subset, labels, whose, why in parts[dataset]
    ]
    frame = pd.DataFrame(rows)
    printed = read_reference("table_3")
    printed = printed[printed["emotion"] == OVERALL].set_index(["dataset", "level"])["accuracy"]
    frame[PAPER] = [
        (
            printed.get((dataset_info(row.dataset).paper_name, row.level), np.nan)
            if row.subset == ALL
            else np.nan
        )
        for row in frame.itertuples()
    ]
    first = [
        "dataset",
        "level",
        "subset",
        "labels",
        PAPER,
        "n",
        "dropped",
        "why",
        "seeds",
        "accuracy",
        "sd",
        "low",
        "high",
        "labels_same",
    ]
    return frame[first + [column for column in frame if column not in first]]


def _subsets(name: str, profile: Profile) -> list[tuple[str, pd.Series, str, str]]:
    """(subset, labels by image id, whose labels, why images are missing) in the order of the
    table."""
    test, twins = stored_splits(name, profile).test, twins_in_training(name, profile)
    labels = pd.Series(test.labels, index=test.ids)
    own = "the data set's"
    found = [
        (ALL, labels, own, ""),
        (
            WITHOUT_TWINS,
            labels[~np.isin(test.ids, twins)],
            own,
            (
                f"{len(twins):,} with a copy among the training faces"
                if len(twins)
                else "no test face has a twin"
            ),
        ),
    ]
    opinions = second_opinions(name, "test", test, profile)
    if opinions is not None:
        decided = pd.Series(opinions, index=test.ids)[opinions >= 0]
        found.append((SECOND_OPINION, decided, opinion_title([name]), _reasons(name, test)))
    return found


def _reasons(name: str, test: FaceSet) -> str:
    return (
        ", ".join(f"{count:,} {reason}" for reason, count in no_opinion(name, test).items())
        or "it names one for each"
    )


def _row(rows: pd.DataFrame, subset: str, labels: pd.Series, profile: Profile) -> dict:
    total = rows["id"].nunique()
    rows = rows[rows["id"].isin(labels.index)]
    truth = np.array(EMOTIONS)[labels.loc[rows["id"]].to_numpy()]
    accuracy = (rows["predicted"] == truth).groupby(rows["seed"]).mean()
    n = rows["id"].nunique()
    low, high = wilson_interval(accuracy.mean() * n, n, profile.evaluation.confidence)
    return {
        "n": n,
        "dropped": total - n,
        "seeds": len(accuracy),
        "accuracy": 100 * accuracy.mean(),
        "sd": 100 * accuracy.std(ddof=1),
        "low": 100 * low,
        "high": 100 * high,
        "labels_same": 100 * (rows["emotion"] == truth).mean(),
        **{f"accuracy_seed_{seed}": 100 * value for seed, value in accuracy.items()},
    }
