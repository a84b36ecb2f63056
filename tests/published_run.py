"""A small run of the profile demo, published into a folder of its own: nothing took any work, every
file is there."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
from tiny_run import write_run

from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.paths import notebooks_folder, pictures_folder
from fer_utils.core.profiles import load_profile
from fer_utils.evaluation import class_accuracy, confusion_table, scores, table_3
from fer_utils.pages import publishing
from fer_utils.runner.freshness import describe_files, ingredients, write_record
from fer_utils.runner.stages import STAGES, units_of

PICTURE = """import pathlib
folder = pathlib.Path({folder!r})
folder.mkdir(parents=True, exist_ok=True)
(folder / "report.png").write_bytes(b"a picture")"""
NO_BROWSER = "import sys; sys.exit('Found no Chromium')"


def predictions(profile) -> pd.DataFrame:
    """Each network of the levels is right on the first faces, on more with a higher level and
    seed."""
    names, rows, faces = np.array(EMOTIONS), [], np.arange(70)
    for dataset in profile.data.sets:
        for place, level in enumerate(profile.balancing.levels):
            for seed in profile.training.seeds:
                said = np.where(faces < 20 + 5 * place + seed, faces % 7, (faces + 1) % 7)
                rows.append(
                    pd.DataFrame(
                        {
                            "dataset": dataset,
                            "level": level,
                            "seed": seed,
                            "id": [f"{k:03d}" for k in faces],
                            "emotion": names[faces % 7],
                            "predicted": names[said],
                        }
                        | {
                            f"p_{name}": (said == k).astype(float)
                            for k, name in enumerate(EMOTIONS)
                        }
                    )
                )
    return pd.concat(rows, ignore_index=True)


def write_finished_run(profile) -> None:
    """The run with a record of every step, the committed notebooks as its executed ones, and tables
    of ``predictions``."""
    write_run(profile)
    found, tables = predictions(profile), profile.paths.tables
    quick = load_profile(profile.name, ["evaluation.resamples=50"])
    frames = {
        "table_3_class_accuracy": table_3(found, profile),
        "table_a6_summary": scores(found, quick),
        "table_a6_confusion": confusion_table(found),
        "table_a1_generators": pd.DataFrame(
            {
                "generator": ["sd2", "sd3"],
                "attribute": "emotion",
                "value": "all",
                "n": 100,
                "agreement": 0.9,
                "low": 0.8,
                "high": 0.95,
            }
        ),
    }
    overall = class_accuracy(found, profile).query("emotion == 'overall'").drop(columns="emotion")
    frames["table_a6_subsets"] = overall.assign(subset="all")
    frames["table_a2_demo_difficulty"] = overall[
        ["dataset", "level", "n", "seeds", "accuracy", "low", "high"]
    ]
    for name, frame in frames.items():
        frame.to_csv(tables / f"{name}.csv", index=False, float_format="%.10g")
    for unit in units_of(STAGES, profile):
        shutil.copyfile(
            notebooks_folder() / f"{unit.stage.notebook}.ipynb", profile.paths.executed(unit.name)
        )
    record_all(profile)


def record_all(profile) -> None:
    """Every unit as finished just now."""
    for unit in units_of(STAGES, profile):
        inputs = [
            other for other in units_of(STAGES, profile) if other.stage.number in unit.stage.inputs
        ]
        write_record(
            unit,
            profile,
            {
                "finished": True,
                "seconds": 1.0,
                "handed_on": [],
                "outputs": describe_files(unit.shown(profile)),
                "ingredients": ingredients(
                    unit, profile, notebooks_folder() / f"{unit.stage.notebook}.ipynb", inputs
                ),
            },
        )


def without_work(monkeypatch, tmp_path: Path, root: Path, *, browser: bool = True) -> None:
    """Publishing with the notebooks beside the stages as they are stored, and a script in the place
    of the browser's."""
    stages = {stage.notebook for stage in STAGES}
    others = {
        path.stem: path
        for path in sorted(notebooks_folder().glob("*.ipynb"))
        if path.stem not in stages
    }
    monkeypatch.setattr(publishing, "executed_beside", lambda profile: others)
    script = tmp_path / "pictures.py"
    script.write_text(PICTURE.format(folder=str(pictures_folder(root))) if browser else NO_BROWSER)
    monkeypatch.setattr(publishing, "PICTURES", script)


def publish(name: str) -> list[str]:
    """The lines that publishing says."""
    said: list[str] = []
    publishing.publish(load_profile(name), said.append)
    return said
