"""The finished trainings of a profile, to choose from."""

from dataclasses import dataclass
from pathlib import Path

from fer_utils.controls import set_title, trained_sets
from fer_utils.datasets import dataset_info
from fer_utils.errors import CompanionError
from fer_utils.profiles import Profile
from fer_utils.training import HISTORY


@dataclass(frozen=True)
class Run:
    """One training: data set, level or control, seed."""

    dataset: str
    level: str
    seed: int

    @property
    def title(self) -> str:
        """What readers see."""
        return f"{dataset_info(self.dataset).title}, {set_title(self.level)}, seed {self.seed}"

    def folder(self, profile: Profile) -> Path:
        """Where its files lie."""
        return profile.paths.model(self.dataset, self.level, self.seed)


def finished_runs(profile: Profile) -> list[Run]:
    """Every run of the profile that has a history, which is written last, in the order in which stage 5 trains them.

    Raises CompanionError where there is none.
    """
    runs = [Run(dataset, level, seed) for dataset in profile.data.sets for level, seeds in trained_sets(profile)
            for seed in seeds]
    found = [run for run in runs if (run.folder(profile) / HISTORY).is_file()]
    if not found:
        raise CompanionError(f"The profile {profile.name} has no finished training under {profile.paths.run / 'models'}. "
                             f"Run stage 05, or `python -m fer_utils reproduce --profile {profile.name}`.")
    return found
