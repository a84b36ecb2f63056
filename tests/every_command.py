"""A small project in which every command finds what it reads, and a call of each.

A test that walks all commands compares its own cases with ``commands()``, which asks the parser: a
new command without a case fails it.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
from published_run import predictions, record_all, write_finished_run
from written_data import GOOD, csv_text

from fer_utils import cli
from fer_utils.balancing import real_rows, write_index
from fer_utils.balancing.controls import Run
from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.faces import FaceSet
from fer_utils.core.profiles import load_profile
from fer_utils.datasets.gate import COLUMNS, Verdict, write_verdict
from fer_utils.prompts import prompt_table, write_prompts
from fer_utils.synthesis.shards import (
    MANIFEST_COLUMNS,
    pixel_hash,
    plan_shards,
    shard_path,
    write_shard,
)
from fer_utils.training.resemotenet import ResEmoteNet, save_weights

TRAINED = Run("demo_fer2013", "aug4", 0)

CALLS = {
    "reproduce": ["--profile", "demo"],
    "train": ["--profile", "demo", "--level", "aug1"],
    "keep": ["--profile", "demo"],
    "interim": ["--profile", "demo"],
    "compare": ["--profile", "demo"],
    "report": ["--profile", "demo"],
    "status": ["--profile", "demo"],
    "plan": ["--profile", "demo", "--rate", "sd2=1", "--rate", "sd3=1"],
    "remake": ["--profile", "demo", "--some", "1"],
    "export": ["{root}/exported", "--profile", "demo"],
    "differences": ["--profile", "demo"],
    "publish": ["--profile", "demo"],
    "audit": ["--table", "{root}/own.csv"],
    "train-generators": ["--profile", "demo", "--set", "tiny_generators.train=[sd2]"],
    "check-data": [],
    "fetch-data": [],
    "profiles": [],
    "evaluate": ["--weights", "{model}", "--data", "{root}/classes", "--csv", "{root}/answers.csv"],
    "predict": [
        "{root}/classes/happy/0.png",
        "--weights",
        "{model}",
        "--csv",
        "{root}/answers.csv",
        "--explain",
        "{root}/explained",
    ],
}


def commands() -> set[str]:
    """Every command that the parser knows."""
    return set(cli.command_line()[1])


def writing_commands() -> set[str]:
    """Those whose registration says that they write."""
    return {name for name, parser in cli.command_line()[1].items() if parser.get_default("writes")}


def call(name: str, root: Path) -> list[str]:
    """The command with its arguments, for a project in ``root``."""
    model = root / "runs" / "demo" / "models" / Path(*map(str, TRAINED))
    return [name, *(word.format(root=root, model=model) for word in CALLS[name])]


def write_project(root: Path) -> None:
    """The project; ``FER_ROOT`` must be ``root``, and ``FER_DATA`` is to be ``root``/data."""
    profile = load_profile("demo")
    write_finished_run(profile)
    for dataset in profile.data.sets:
        for number, split in enumerate(("train", "validation", "test")):
            _faces(dataset, split, number).save(profile.paths.faces(dataset, split))
        write_verdict(
            Verdict(pd.DataFrame(columns=list(COLUMNS)), 70, 140), profile.paths.gate(dataset)
        )
        write_index(
            real_rows(_faces(dataset, "train", 0)), profile.paths.balanced_set(dataset, "aug1")
        )
    for (dataset, level, seed), rows in predictions(profile).groupby(["dataset", "level", "seed"]):
        folder = Run(dataset, level, seed).folder(profile)
        rows = rows.drop(columns=["dataset", "level", "seed"]).assign(id=_ids(dataset, "test"))
        rows.to_csv(folder / "predictions.csv", index=False)
        pd.DataFrame(
            {
                "epoch": [1, 2],
                "validation_loss": [1.5, 1.75],
                "validation_accuracy": [40.0, 30.0],
                "learning_rate": 0.1,
                "seconds": 2.0,
                "images": 70,
            }
        ).to_csv(folder / "history.csv", index=False)
    _write_pool(profile)
    _write_weights(TRAINED.folder(profile))
    _write_own_files(root)
    record_all(profile)


def _ids(dataset: str, split: str) -> list[str]:
    return [f"{dataset}-{split}-{k:05d}" for k in range(70)]


def _faces(dataset: str, split: str, number: int) -> FaceSet:
    pixels = np.random.default_rng(number).integers(0, 256, (70, 48, 48, 1), np.uint8)
    return FaceSet(pixels, np.arange(70) % 7, np.array(_ids(dataset, split)), np.full(70, "drawn"))


def _write_pool(profile) -> None:
    prompts = prompt_table(dict.fromkeys(EMOTIONS, 2), profile)
    write_prompts(prompts, profile)
    for name, rows in plan_shards(prompts, profile).items():
        images = np.random.default_rng(len(rows)).integers(0, 256, (len(rows), 64, 64, 3), np.uint8)
        rows = rows.assign(sha256=[pixel_hash(image) for image in images])
        write_shard(
            shard_path(name, profile),
            images,
            rows.reindex(columns=list(MANIFEST_COLUMNS)).fillna(""),
            {},
        )


def _write_weights(folder: Path) -> None:
    save_weights(ResEmoteNet(0.0625, image_size=48).eval(), folder / "model.safetensors")
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    about = dict.fromkeys(("device", "precision", "threads", "torch"), "x")
    (folder / "trained_with.json").write_text(json.dumps(about | {"sha256": digest}))


def _write_own_files(root: Path) -> None:
    from PIL import Image

    for number, emotion in enumerate(("happy", "sad")):
        (root / "classes" / emotion).mkdir(parents=True)
        Image.fromarray(_faces("", "", 3).images[number, :, :, 0]).save(
            root / "classes" / emotion / f"{number}.png"
        )
    (root / "own.csv").write_text("class,count,accuracy\nanger,491,74.3\noverall,,72.9\n")
    (root / "data" / "fer2013").mkdir(parents=True)
    (root / "data" / "fer2013" / "fer2013.csv").write_bytes(csv_text(GOOD))
