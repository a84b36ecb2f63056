"""The predictions on the test sets that stage 5 left, one row per test image and run."""

import shlex
from pathlib import Path

import numpy as np
import pandas as pd

from fer_utils.balancing.controls import Run, answering_sets, runs_of
from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.errors import CompanionError, nearest
from fer_utils.core.faces import load_faces
from fer_utils.core.profiles import Profile
from fer_utils.datasets import dataset_info
from fer_utils.evaluation.priors import EVEN, read_for, trained_shares
from fer_utils.training import PREDICTIONS, as_read

_ROUNDING = 2e-6  # twice the last digit of a probability in a file


def expected_runs(dataset: str, profile: Profile, *, levels=None) -> list[Run]:
    """Every run of a level of the profile, or of the given ``levels``, which may be controls."""
    known = dict(answering_sets(profile))
    for level in levels or ():
        if level not in known:
            raise CompanionError(
                f"Level '{level}' is not in balancing.levels or controls.names:"
                f" {nearest(level, known)}"
            )
    dataset_info(dataset)
    return [
        Run(dataset, level, seed)
        for level in levels or profile.balancing.levels
        for seed in known[level]
    ]


def missing_runs(dataset: str, profile: Profile, *, levels=None) -> list[Run]:
    """The expected runs whose predictions are not there yet."""
    return [
        run for run in expected_runs(dataset, profile, levels=levels) if not _is_there(run, profile)
    ]


def read_predictions(dataset: str, profile: Profile, *, levels=None) -> pd.DataFrame:
    """One row per test image and run: dataset, level, seed, id, emotion, predicted, p_anger ...
    p_surprise.

    Covers every level and seed of the profile, or only the given ``levels`` or controls. Raises
    CompanionError listing every run that is missing, and the command that makes them.
    """
    missing = missing_runs(dataset, profile, levels=levels)
    if missing:
        listed = ", ".join(f"{run.level} seed {run.seed}" for run in missing)
        overrides = "".join(f" --set {shlex.quote(override)}" for override in profile.overrides)
        raise CompanionError(
            f"{len(missing)} training runs of {dataset} have no predictions under "
            f"{profile.paths.models / dataset}: {listed}. Make them with "
            f"`python -m fer_utils reproduce --profile {profile.name}{overrides}`."
        )
    return _together(
        [_read_run(run, profile) for run in expected_runs(dataset, profile, levels=levels)], profile
    )


def all_predictions(profile: Profile, *, levels=None) -> pd.DataFrame:
    """``read_predictions`` of every data set of the profile, one under the other."""
    return pd.concat(
        [read_predictions(dataset, profile, levels=levels) for dataset in profile.data.sets],
        ignore_index=True,
    )


def finished_predictions(profile: Profile) -> tuple[pd.DataFrame, int, int]:
    """Those rows of ``all_predictions``, of levels and controls, that are there already, without a
    row where no run is finished; and how many trainings are finished, and how many the profile has
    in all."""
    runs = [
        run
        for dataset in profile.data.sets
        for run in expected_runs(dataset, profile, levels=list(dict(answering_sets(profile))))
    ]
    there = [run for run in runs if _is_there(run, profile)]
    found = [_read_run(run, profile) for run in there]
    trainings = runs_of(profile)
    return (
        _together(found, profile) if found else pd.DataFrame(),
        len(set(there) & set(trainings)),
        len(trainings),
    )


def level_rows(predictions: pd.DataFrame, dataset: str, level: str) -> pd.DataFrame:
    """The rows of one level, sorted by seed and then by image, so that a column reshapes to [seeds,
    images].

    Raises CompanionError where there are none, and unless every run was tested on the same images,
    once each.
    """
    rows = predictions[(predictions["dataset"] == dataset) & (predictions["level"] == level)]
    if rows.empty:
        found = predictions[["dataset", "level"]].drop_duplicates().agg(" ".join, axis=1)
        raise CompanionError(
            f"No predictions for {dataset} {level}; there are: {', '.join(found)}."
        )
    check_same_test_set(rows, dataset, level)
    return rows.sort_values(["seed", "id"], kind="stable")


def check_same_test_set(rows: pd.DataFrame, dataset: str, level: str) -> None:
    """CompanionError unless every run of a level was tested on the same images, once each."""
    sets = rows.groupby("seed")["id"].agg(frozenset)
    if sets.nunique() > 1 or rows.duplicated(["seed", "id"]).any():
        raise CompanionError(
            f"The runs of {dataset} {level} were not tested on the same images once each "
            f"(seeds {', '.join(map(str, sets.index))}). Run stage 05 again for all of them."
        )


def _is_there(run: Run, profile: Profile) -> bool:
    return (run.answering.folder(profile) / PREDICTIONS).is_file()


def _read_run(run: Run, profile: Profile) -> pd.DataFrame:
    frame = _read_file(run.answering.folder(profile) / PREDICTIONS)
    if run.answering != run:
        frame = read_for(
            frame,
            trained_shares(run.answering, profile),
            EVEN,
            smoothing=profile.training.label_smoothing,
        )
    for position, (column, value) in enumerate(run._asdict().items()):
        frame.insert(position, column, value)
    return frame


def _together(runs: list[pd.DataFrame], profile: Profile) -> pd.DataFrame:
    """All runs, one under the other; CompanionError unless each answers for the faces and labels of
    the test set that stage 1 left, or where there is none, for those that the fullest run of the
    data set answers for."""
    expected: dict[str, tuple[str, frozenset]] = {}
    for rows in sorted(runs, key=len, reverse=True):
        dataset, level, seed = rows.loc[0, ["dataset", "level", "seed"]]
        name, faces = f"{dataset} {level} seed {seed}", frozenset(zip(rows["id"], rows["emotion"]))
        if dataset not in expected:
            expected[dataset] = _test_set(dataset, profile) or (name, faces)
        other, wanted = expected[dataset]
        if faces != wanted:
            raise CompanionError(
                f"{name} has answers for {len(faces):,} test faces, {other} for "
                f"{len(wanted):,}; {len(faces & wanted):,} of them are the same with "
                "the same label. Rows are missing, or the two were made for different "
                "faces: run stages 01 and 05 again."
            )
    return pd.concat(runs, ignore_index=True)


def _test_set(dataset: str, profile: Profile) -> tuple[str, frozenset] | None:
    """The test set that stage 1 left: in words, and as (id, emotion) of each face that the recipe
    reads."""
    path = profile.paths.faces(dataset, "test")
    if not path.is_file():
        return None
    faces = as_read(load_faces(path), profile.training)
    return f"{path.name} stands", frozenset(
        zip(faces.ids.tolist(), np.array(EMOTIONS)[faces.labels].tolist())
    )


def _read_file(path: Path) -> pd.DataFrame:
    try:
        frame = pd.read_csv(path, dtype={"id": str})
        fault = _fault(frame)
    except ValueError as problem:
        # pandas' own for an empty table, a broken row or another encoding
        frame, fault = None, str(problem).split("\n")[0]
    if fault:
        raise CompanionError(
            f"{path} is not a table of predictions: {fault}. Delete it and run stage 05 again."
        )
    return frame


def _fault(frame: pd.DataFrame) -> str:
    """What is wrong with a table of predictions, in words; '' for nothing."""
    names = [f"p_{emotion}" for emotion in EMOTIONS]
    expected = ["id", "emotion", "predicted", *names]
    if list(frame.columns) == expected and frame[names].isna().any(axis=None):
        broken = frame.loc[frame[names].isna().any(axis=1), "id"].iloc[0]
        return f"the probabilities of the face {broken} are no numbers: the training diverged"
    if list(frame.columns) != expected or frame.empty or frame.isna().any(axis=None):
        return (
            f"expected the columns {', '.join(expected)} and no empty cell, found {len(frame)} rows"
            f" of {', '.join(frame.columns)}"
        )
    unknown = set(frame["emotion"]) | set(frame["predicted"])
    if unknown - set(EMOTIONS):
        first = min(map(str, unknown - set(EMOTIONS)))
        return f"it names the emotion '{first}'; expected {', '.join(EMOTIONS)}"
    if frame["id"].duplicated().any():
        return (
            f"it has two answers for the face {frame.loc[frame['id'].duplicated(), 'id'].iloc[0]}"
        )
    values = frame[names].to_numpy(float)
    outside = ((values < 0) | (values > 1)).any(axis=1)
    if outside.any():
        return f"the face {frame.loc[outside, 'id'].iloc[0]} has a probability outside of 0 to 1"
    said = values[range(len(frame)), frame["predicted"].map(EMOTIONS.index)]
    wrong = said < values.max(axis=1) - _ROUNDING
    if wrong.any():
        row = frame[wrong].iloc[0]
        return (
            f"the face {row['id']} is called {row['predicted']}, which is not its most probable"
            " emotion"
        )
    return ""
