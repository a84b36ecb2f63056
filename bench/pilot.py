"""What each part of the recipe with a budget gives, on validation faces alone: ``python -m bench
pilot``.

This is how docs/protocol.md chose its recipe. Original of FER2013, narrow network, seeds that no
other run has; the test faces are never looked at.
"""

import os
from collections.abc import Iterator

import numpy as np
import pandas as pd
from sklearn.metrics import balanced_accuracy_score

from bench.measuring import side_by_side, write_benchmark
from fer_utils.core.paths import project_root
from fer_utils.core.profiles import load_profile
from fer_utils.datasets import prepare_splits
from fer_utils.training import (
    VALIDATION_PREDICTIONS,
    load_model,
    predict,
    train_model,
    write_predictions,
)

NAME, DATASET, SEEDS = "pilot", "fer2013", (100,)
BASE = {
    "network.width": 0.25,
    "network.image_size": 48,
    "training.recipe": "budget",
    "training.updates": 3000,
    "training.max_epochs": 6,
    "training.batch_size": 64,
    "training.learning_rate": 0.05,
    "training.weight_decay": 0.0001,
    "training.label_smoothing": 0.0,
    "training.rotation": 0.0,
    "training.zoom": 0.0,
    "training.shift": 0.0,
    "training.erasing": 0.0,
    "training.averaging": 0.0,
    "training.precision": "auto",
}
PARTS = {
    "flips alone": {},
    "+ head of full width": {"network.head_width": 1.0},
    "+ less dropout": {"network.stem_dropout": 0.0, "network.head_dropout": 0.2},
    "+ turned, zoomed, moved": {
        "training.rotation": 10.0,
        "training.zoom": 0.1,
        "training.shift": 0.08,
    },
    "+ label smoothing": {"training.label_smoothing": 0.1},
    "+ weight decay 5e-4": {"training.weight_decay": 0.0005},
    "+ erasing": {"training.erasing": 0.25},
}
"""Each is added to the ones before it."""

OTHERS = {
    "running mean": {"training.averaging": 0.999},
    "learning rate 0.02": {"training.learning_rate": 0.02},
    "learning rate 0.1": {"training.learning_rate": 0.1},
    "no dropout": {"network.head_dropout": 0.0},
    "faces of 64x64": {"network.image_size": 64},
}
"""Each changes the last of ``PARTS`` in one thing."""

LONGER = {"training.updates": 8000, "training.max_epochs": 16}
"""What changes the faces may cost in a short training and pay in a long one: these of ``PARTS``
once more."""
AGAIN = ("+ less dropout", "+ turned, zoomed, moved", "+ erasing")


def variants() -> dict[str, dict]:
    """Name -> settings, in the order of the table."""
    found, settings = {}, dict(BASE)
    for name, part in PARTS.items():
        settings |= part
        found[name] = dict(settings)
    return (
        found
        | {f"then {name}": settings | changes for name, changes in OTHERS.items()}
        | {f"{name}, longer": found[name] | LONGER for name in AGAIN}
    )


def bench_pilot() -> Iterator[str]:
    """Train every variant with every seed, two at a time, below ``runs/pilot``, and write
    ``tables/benchmarks/pilot``; yields lines. What is finished stays, a stopped training goes on
    where it was."""
    prepare_splits(DATASET, _profile({}))
    wanted = [(name, seed) for name in variants() for seed in SEEDS]
    found = []
    for row in side_by_side(_trained, wanted, min(2, os.cpu_count() or 1)):
        found.append(row)
        yield (
            f"{row['variant']}, seed {row['seed']}: {row['accuracy']:.2f}, balanced"
            f" {row['balanced']:.2f}"
        )
    table = pd.DataFrame(found)
    write_benchmark(
        NAME,
        table,
        shown(table),
        {},
        about=(
            "FER2013's Original, ResEmoteNet of width 0.25, accuracy and balanced accuracy on the"
            f" {table['n'].iloc[0]:,} faces of PublicTest in % (each seed:"
            f" {', '.join(map(str, SEEDS))}; no interval). Every line with + adds to the one"
            ' before; "then" changes the last of them in one thing; "longer" is a part once'
            " more with the protocol's budget."
        ),
    )


def shown(table: pd.DataFrame) -> pd.DataFrame:
    """For readers: a row per variant."""
    by_variant = table.groupby("variant", sort=False)
    return pd.DataFrame(
        [
            {
                "variant": name,
                "updates": f"{rows['updates'].iloc[0]:,}",
                **{
                    f"{title} (%)": ", ".join(f"{value:.1f}" for value in rows[column])
                    for column, title in (
                        ("accuracy", "accuracy"),
                        ("balanced", "balanced accuracy"),
                        ("training", "training accuracy"),
                    )
                },
            }
            for name, rows in by_variant
        ]
    )


def _trained(run: tuple[str, int]) -> dict:
    """One training: variant, seed, updates, n, accuracy, balanced, training (accuracy of the last
    part), all in %."""
    name, seed = run
    profile = _profile(variants()[name])
    folder = (
        project_root() / "runs" / NAME / name.replace(" ", "_").replace("+", "with") / str(seed)
    )
    splits = prepare_splits(DATASET, _profile({}))
    history = train_model(splits.train, splits.validation, profile, seed=seed, folder=folder)
    model = load_model(folder, profile)
    answers = predict(model, splits.validation, device=profile.run.device, where=folder)
    write_predictions(folder, splits.validation, answers, name=VALIDATION_PREDICTIONS)
    labels, said = splits.validation.labels, answers.argmax(axis=1)
    return {
        "variant": name,
        "seed": seed,
        "updates": profile.training.updates,
        "n": len(labels),
        "accuracy": 100 * np.mean(said == labels),
        "balanced": 100 * balanced_accuracy_score(labels, said),
        "training": history["train_accuracy"].iloc[-1],
    }


def _profile(settings: dict):
    overrides = [f"{key}={value}" for key, value in settings.items()]
    return load_profile("fer2013", [*overrides, "run.device=cpu", "run.threads=1"])
