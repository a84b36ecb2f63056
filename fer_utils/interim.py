"""What a long run has come to: tables from those of its trainings that are finished, while others go on."""

from fer_utils import tables
from fer_utils.balancing import LEVEL_TITLES
from fer_utils.datasets import dataset_info
from fer_utils.documents.index import write_index
from fer_utils.errors import CompanionError
from fer_utils.evaluation import finished_predictions, subset_accuracy, table_3
from fer_utils.profiles import Profile
from fer_utils.provenance import write_provenance
from fer_utils.stages import STAGES, units_of

COMMAND = "python -m fer_utils interim"


def interim_tables(profile: Profile) -> list[str]:
    """Write table_3_class_accuracy and table_a6_subsets of the levels of which a training is finished; lines that say
    so. Stage 6 writes the same tables of all levels in their place. Raises CompanionError where none is finished.
    """
    predictions, wanted = finished_predictions(profile)
    if predictions.empty:
        raise CompanionError(f"None of the {wanted} trainings of the profile {profile.name} is finished. Run "
                             f"python -m fer_utils reproduce --profile {profile.name}, or train one: python -m fer_utils "
                             f"train --profile {profile.name}.")
    done = predictions.groupby(["dataset", "level", "seed"]).ngroups
    so_far = f"{done} of {wanted} trainings finished"
    titles = {name: dataset_info(name).title for name in profile.data.sets}
    accuracies, subsets = table_3(predictions, profile), subset_accuracy(predictions, profile)
    written = [
        *tables.save(accuracies, "table_3_class_accuracy", profile, shown=tables.table_3_class_accuracy(
            accuracies, titles=titles, level_titles=LEVEL_TITLES), caption=f"Test accuracy (%) of each class: {so_far}."),
        *tables.save(subsets, "table_a6_subsets", profile, shown=tables.table_a6_subsets(
            subsets, titles=titles, level_titles=LEVEL_TITLES),
            caption=f"Test accuracy (%) on parts of the test set and against other labels: {so_far}.")]
    write_provenance(profile, units_of(STAGES, profile), renew=True, by_command={path: COMMAND for path in written})
    write_index(profile)
    return [so_far, *(f"wrote {path.name}" for path in written)]
