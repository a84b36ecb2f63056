"""The trainings of stage 5 without their notebooks: one by name, or many as tasks of a Ray cluster.

Both leave what notebook 05 leaves, in the same place: it finds them finished and only shows them.
"""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from fer_utils.balancing import FROM_POOL, UNSEEN, assemble, read_balanced_set, real_rows
from fer_utils.balancing.controls import (
    ensure_real_set,
    trained_sets,
    training_arguments,
    training_options,
)
from fer_utils.core.cluster import run_on_cluster
from fer_utils.core.errors import CompanionError, nearest
from fer_utils.core.faces import FaceSet, concatenate
from fer_utils.core.profiles import Profile
from fer_utils.datasets import Splits, dataset_info, prepare_splits, unseen_faces
from fer_utils.datasets.gate import refuse_copies
from fer_utils.synthesis import load_pool
from fer_utils.training import (
    PREDICTIONS,
    VALIDATION_PREDICTIONS,
    as_read,
    flips_at_test,
    load_model,
    predict,
    train_model,
    write_predictions,
)


@dataclass(frozen=True)
class TrainingSet:
    """What one training reads. train: the faces of ``index``, at the network's size; splits: the
    data set's own; recipe: the profile with the recipe of the level or control; options: further
    arguments of ``train_model``."""

    train: FaceSet
    splits: Splits
    index: pd.DataFrame
    recipe: Profile
    options: dict


def training_set(dataset: str, level: str, profile: Profile) -> TrainingSet:
    """The faces of a level or control of a data set, and how to train on them.

    The real faces are prepared if stage 1 has not done it. Original and the controls without
    synthetic faces ask nothing of stages 2 to 4; everything else raises CompanionError until they
    have run. A last look makes sure that no validation or test face is among the training faces.
    """
    splits = prepare_splits(dataset, profile)
    ensure_real_set(level, dataset, profile, train=splits.train)
    index = (
        real_rows(splits.train)
        if level == "original"
        else read_balanced_set(dataset, level, profile)
    )
    recipe, options = training_options(dataset, level, profile)
    pool = (
        load_pool(profile)[0] if index["source"].isin(FROM_POOL).any() else splits.train.select([])
    )
    real = (
        concatenate(splits.train, unseen_faces(dataset, profile))
        if (index["source"] == UNSEEN).any()
        else splits.train
    )
    train = assemble(
        index, real, pool, channels=dataset_info(dataset).channels, size=profile.network.image_size
    )
    refuse_copies(train, [splits.validation, splits.test], profile)
    return TrainingSet(train, splits, index, recipe, training_arguments(options, index))


def train_run(
    dataset: str,
    level: str,
    seed: int,
    profile: Profile,
    *,
    on_epoch: Callable[[dict], None] | None = None,
) -> pd.DataFrame:
    """Train one network and write its predictions on the validation and test faces; its history, as
    ``train_model`` returns it.

    A finished run is left as it is, a stopped one goes on where it was. Raises CompanionError for a
    data set, level or seed that the profile does not train.
    """
    _check_run(dataset, level, seed, profile)
    found, folder = training_set(dataset, level, profile), profile.paths.model(dataset, level, seed)
    history = train_model(
        found.train,
        found.splits.validation,
        found.recipe,
        seed=seed,
        folder=folder,
        on_epoch=on_epoch,
        **found.options,
    )
    model = load_model(folder, profile)
    for faces, name in (
        (found.splits.validation, VALIDATION_PREDICTIONS),
        (found.splits.test, PREDICTIONS),
    ):
        faces = as_read(faces, found.recipe.training)
        answers = predict(
            model,
            faces,
            device=profile.run.device,
            flips=flips_at_test(found.recipe, seed),
            where=folder,
        )
        write_predictions(folder, faces, answers, name=name)
    return history


def _check_run(dataset: str, level: str, seed: int, profile: Profile) -> None:
    if dataset not in profile.data.sets:
        raise CompanionError(
            f"The profile {profile.name} has no data set '{dataset}':"
            f" {nearest(dataset, profile.data.sets)}"
        )
    seeds = dict(trained_sets(profile))
    if level not in seeds:
        raise CompanionError(
            f"The profile {profile.name} has no level or control '{level}': {nearest(level, seeds)}"
        )
    if seed not in seeds[level]:
        raise CompanionError(
            f"The profile {profile.name} trains {level} with the seeds {seeds[level]}, not with"
            f" {seed}: add it to training.seeds (or controls.seeds) first, or take the set out of"
            " repetition.fewer."
        )


def train_on_cluster(runs: list[dict], profile: Profile, say: Callable[[str], None]) -> None:
    """Every run (dataset, level, seed) as a task of ``run.cluster``, with its share of
    ``run.threads`` or a GPU."""
    threads = max(1, profile.run.threads // max(1, profile.run.workers))
    tasks = {
        "_".join(map(str, run.values())): (run, profile.name, profile.overrides) for run in runs
    }
    say(f"{len(tasks)} trainings on the cluster")
    run_on_cluster(
        _train_run,
        tasks,
        profile,
        what="training",
        threads=threads,
        on_done=lambda name: say(f"trained {name}"),
        shared=threads,
    )


def _train_run(run: dict, profile_name: str, overrides: tuple[str, ...], threads: int) -> None:
    """One task; a worker that took over a killed one goes on with the epoch after the last finished
    one."""
    import torch

    from fer_utils.core.profiles import load_profile

    torch.set_num_threads(threads)
    train_run(**run, profile=load_profile(profile_name, overrides))
