"""What a long run has come to: what is finished of it is kept, and tables are made of that, while
the rest goes on."""

from fer_utils import tables
from fer_utils.balancing import LEVEL_TITLES
from fer_utils.balancing.controls import set_title
from fer_utils.core.errors import CompanionError
from fer_utils.core.paths import project_root
from fer_utils.core.profiles import Profile
from fer_utils.datasets import dataset_info, prepare_splits
from fer_utils.evaluation import (
    FACES,
    finished_predictions,
    prior_table,
    scores,
    subset_accuracy,
    table_3,
)
from fer_utils.evaluation.control_results import comparisons
from fer_utils.evaluation.oracle import oracle_table
from fer_utils.runner.kept_runs import keep_runs, take_kept_runs
from fer_utils.runner.provenance import write_provenance
from fer_utils.runner.stages import STAGES, units_of

COMMAND = "python -m fer_utils interim"


def interim_tables(profile: Profile) -> list[str]:
    """Keep what is finished beside the committed tables (``kept_runs``), take what was kept
    earlier, and write Table III, the scores, the accuracies on parts of the test set and the
    comparisons of that to the run's folder; lines that say so.

    Stage 6 writes the same tables of the whole run in their place. Raises CompanionError where
    nothing is finished.
    """
    for name in profile.data.sets:
        prepare_splits(name, profile)
    kept = keep_runs(profile)
    _, refused = take_kept_runs(profile)
    predictions, done, wanted = finished_predictions(profile)
    if predictions.empty:
        raise CompanionError(
            f"None of the {wanted} trainings of the profile {profile.name} is finished. Run python"
            f" -m fer_utils reproduce --profile {profile.name}, or train one: python -m fer_utils"
            f" train --profile {profile.name}."
        )
    so_far = f"{done} of {wanted} trainings finished"
    written = [
        path
        for name, (frame, make, caption) in _tables(predictions, profile).items()
        if len(frame)
        for path in tables.save(
            frame, name, profile, shown=make(frame), caption=f"{caption}: {so_far}."
        )
    ]
    write_provenance(
        profile, units_of(STAGES, profile), renew=True, by_command=dict.fromkeys(written, COMMAND)
    )
    return [
        so_far,
        *refused,
        *(f"kept {folder.relative_to(project_root())}" for folder in kept),
        *(f"wrote {path.relative_to(project_root())}" for path in written),
    ]


def _tables(predictions, profile: Profile) -> dict[str, tuple]:
    """Name of a table -> its exact frame, the function that makes the readers' one, and its
    caption."""
    of_levels = predictions[predictions["level"].isin(LEVEL_TITLES)]
    titles = {name: dataset_info(name).title for name in profile.data.sets}
    ours = f"paper | ours [{100 * profile.evaluation.confidence:g} % interval: {FACES}]"
    every = {
        "titles": titles,
        "level_titles": {level: set_title(level) for level in predictions["level"].unique()},
    }
    levels = {"titles": titles, "level_titles": LEVEL_TITLES}
    found = {
        "table_3_class_accuracy": (
            table_3,
            tables.table_3_class_accuracy,
            of_levels,
            levels,
            f"Class-wise test accuracy (%): {ours}",
        ),
        "table_a6_summary": (
            scores,
            tables.table_a6_summary,
            predictions,
            every,
            f"Scores of the whole test set: {ours}",
        ),
        "table_a6_subsets": (
            subset_accuracy,
            tables.table_a6_subsets,
            of_levels,
            levels,
            f"Test accuracy (%) on parts of the test set and against other labels: {ours}",
        ),
        "table_a6_comparison": (
            comparisons,
            tables.table_a6_comparison,
            predictions,
            every,
            tables.comparison_caption(profile.evaluation.confidence),
        ),
    }
    if "original" in predictions["level"].values:
        found["table_a6_priors"] = (
            prior_table,
            tables.table_a6_priors,
            predictions,
            every,
            tables.PRIORS_CAPTION,
        )
    if "unseen" in predictions["level"].values:
        found["table_a7_oracle"] = (
            oracle_table,
            tables.table_a7_oracle,
            predictions,
            every,
            tables.ORACLE_CAPTION,
        )
    return {
        name: (
            compute(rows, profile),
            lambda frame, shape=shape, named=named: shape(frame, **named),
            caption,
        )
        for name, (compute, shape, rows, named, caption) in found.items()
        if len(rows)
    }
