"""What a trained network says about faces, and its files."""

import copy
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from fer_utils.core.devices import choose_device
from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.errors import CompanionError
from fer_utils.core.faces import FaceSet
from fer_utils.core.paths import atomic_write
from fer_utils.core.profiles import Profile
from fer_utils.training.batches import as_tensors, flip_half, normalise
from fer_utils.training.devices import autocast, choose_precision, evaluation_batch
from fer_utils.training.reduced_network import ReducedResEmoteNet
from fer_utils.training.resemotenet import ResEmoteNet, load_weights

WEIGHTS, HISTORY, PREDICTIONS = "model.safetensors", "history.csv", "predictions.csv"
VALIDATION_PREDICTIONS = "validation_predictions.csv"
"""Answers on the validation faces, on which everything is chosen that is chosen after training."""


@torch.no_grad()
def predict(
    model: ResEmoteNet,
    faces: FaceSet,
    *,
    batch_size: int | None = None,
    device: str = "auto",
    precision: str = "float32",
    flips: torch.Generator | None = None,
    where: str | Path = "The network",
) -> np.ndarray:
    """Class probabilities (P_out of equation (3)), float32 [N, 7] in the order of ``EMOTIONS``.

    ``faces`` are first brought to RGB at ``model.image_size``. Not flipped, unless ``flips`` says
    which by chance: the authors' code does so at test time too (``flips_at_test``), which makes a
    result depend on luck. ``batch_size`` is that of ``evaluation_batch`` if not given; it decides
    the low bits alone.

    Raises CompanionError naming the layer where an answer is no number (no emotion is the most
    probable then); ``where`` is what the error calls the network.
    """
    device = choose_device(device)
    precision = choose_precision(precision, device)
    network = ReducedResEmoteNet(model).to(device, memory_format=torch.channels_last).eval()
    images = as_tensors(faces, model.image_size, device)[0]
    images = images if flips is None else flip_half(images, flips)
    with autocast(device, precision):
        logits = [
            network(normalise(chunk))
            for chunk in images.split(batch_size or evaluation_batch(device))
        ]
    probabilities = torch.cat(logits).float().softmax(1).cpu().numpy()
    broken = np.flatnonzero(~np.isfinite(probabilities).all(axis=1))
    if len(broken):
        layer = _first_without_numbers(model, faces.select(broken[:1]))
        raise CompanionError(
            f"{where} gives no numbers for {len(broken):,} of {len(faces):,} faces, the first is"
            f" {faces.ids[broken[0]]}: {layer}. Such weights come from a training that diverged or"
            " from a damaged file: train it again, or copy it again."
        )
    return probabilities


def _first_without_numbers(model: ResEmoteNet, face: FaceSet) -> str:
    """Which layer, in the order of computation, is the first to give something else than numbers,
    in words."""
    model, found = copy.deepcopy(model).cpu().eval(), []

    def look(name):
        return lambda layer, inputs, output: None if output.isfinite().all() else found.append(name)

    hooks = [
        layer.register_forward_hook(look(name))
        for name, layer in model.named_modules()
        if not list(layer.children())
    ]
    try:
        model(normalise(as_tensors(face, model.image_size, torch.device("cpu"))[0]))
    finally:
        for hook in hooks:
            hook.remove()
    return (
        f"the layer {found[0]} gives values too large to be numbers"
        if found
        else "its last layer does"
    )


def flips_at_test(profile: Profile, seed: int) -> torch.Generator | None:
    """For ``predict``: which test images are flipped where the recipe flips them, else None."""
    return torch.Generator().manual_seed(seed) if profile.training.test_flip else None


def load_model(folder: Path, profile: Profile) -> ResEmoteNet:
    """The network that ``train_model`` left in ``folder``, on the CPU, in eval mode."""
    path = Path(folder) / WEIGHTS
    if not path.is_file():
        raise CompanionError(
            f"No trained network at {path}. Train it first: notebook 05_training, or "
            f"`python -m fer_utils reproduce --profile {profile.name}`."
        )
    return load_weights(build_network(profile), path).eval()


def write_predictions(
    folder: Path, faces: FaceSet, probabilities: np.ndarray, *, name: str = PREDICTIONS
) -> Path:
    """Write ``predictions_table`` to the file ``name`` of ``folder``; returns its path."""
    write_csv(predictions_table(faces, probabilities), Path(folder) / name, float_format="%.6f")
    return Path(folder) / name


def predictions_table(faces: FaceSet, probabilities: np.ndarray) -> pd.DataFrame:
    """One row per face: id, emotion (the label), predicted, p_anger ... p_surprise;
    ``probabilities`` [N, 7]."""
    if probabilities.shape != (len(faces), len(EMOTIONS)):
        raise CompanionError(
            f"Probabilities for {len(faces)} faces must have the shape "
            f"{[len(faces), len(EMOTIONS)]}, found {list(probabilities.shape)}."
        )
    names = np.array(EMOTIONS)
    frame = pd.DataFrame(
        {
            "id": faces.ids,
            "emotion": names[faces.labels],
            "predicted": names[probabilities.argmax(axis=1)],
        }
    )
    for label, emotion in enumerate(EMOTIONS):
        frame[f"p_{emotion}"] = probabilities[:, label]
    return frame


def build_network(profile: Profile) -> ResEmoteNet:
    """An untrained network of the profile's widths, image size and dropouts."""
    network = profile.network
    return ResEmoteNet(
        network.width,
        image_size=network.image_size,
        head_width=network.head_width,
        stem_dropout=network.stem_dropout,
        head_dropout=network.head_dropout,
    )


def write_csv(frame: pd.DataFrame, path: Path, **options) -> pd.DataFrame:
    """``frame``, after writing it atomically."""
    with atomic_write(path, "w", encoding="utf-8", newline="") as file:
        frame.to_csv(file, index=False, lineterminator="\n", **options)
    return frame
