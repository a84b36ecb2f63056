"""One network for equal settings: a training that another run has finished is taken from there, not
repeated."""

import json
import shutil
from pathlib import Path

from fer_utils.core.paths import project_root
from fer_utils.training.checkpoint import CHECKPOINT
from fer_utils.training.predictions import HISTORY, WEIGHTS

TRAINED_WITH = "trained_with.json"


def take_finished(folder: Path, made_from: str, how: dict) -> bool:
    """Copy to ``folder`` the training that lies at the same place of another run, if one was made
    of the same settings, faces and code (``made_from``) on the same kind of machine (``how``);
    whether there was one.

    Predictions are not copied, they are computed again. The history comes last, so that a folder
    with one is whole.
    """
    for other in _places(folder):
        try:
            recorded = {
                **json.loads((other / TRAINED_WITH).read_text(encoding="utf-8")),
                "sha256": None,
            }
        except (OSError, ValueError, TypeError):  # TypeError: valid JSON, but no table of values
            continue
        if (
            recorded == {**how, "made_from": made_from, "sha256": None}
            and (other / HISTORY).is_file()
        ):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / CHECKPOINT).unlink(missing_ok=True)
            for name in (WEIGHTS, TRAINED_WITH, HISTORY):
                shutil.copyfile(other / name, folder / name)
            return True
    return False


def _places(folder: Path) -> list[Path]:
    """The same folder in every other run; none for a folder that is no run's."""
    runs = project_root() / "runs"
    if not (runs.is_dir() and folder.resolve().is_relative_to(runs)):
        return []
    run, *place = folder.resolve().relative_to(runs).parts
    return [other.joinpath(*place) for other in sorted(runs.iterdir()) if other.name != run]
