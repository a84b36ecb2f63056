"""The finished trainings of a profile, to choose from."""

from fer_utils.balancing.controls import Run, runs_of
from fer_utils.core.errors import CompanionError
from fer_utils.core.profiles import Profile
from fer_utils.training import HISTORY


def finished_runs(profile: Profile) -> list[Run]:
    """Every run of the profile that has a history, which is written last, in the order in which
    stage 5 trains them.

    Raises CompanionError where there is none.
    """
    found = [run for run in runs_of(profile) if (run.folder(profile) / HISTORY).is_file()]
    if not found:
        raise CompanionError(
            f"The profile {profile.name} has no finished training under"
            f" {profile.paths.run / 'models'}. Run stage 05, or `python -m fer_utils reproduce"
            f" --profile {profile.name}`."
        )
    return found
