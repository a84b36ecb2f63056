"""Trained weights of ResEmoteNet from any file: this project's, or the authors' published ones.

This project's files say in a metadata block what their shapes do not. The authors' code
(https://github.com/ArnabKumarRoy02/ResEmoteNet, MIT, commit fabbe68) saves a plain state dict with
the same names; it learned from gray faces stretched to 64x64 (its ``Resize((64, 64))`` and
``Grayscale``) with the classes in the order ``emotions.AUTHORS_ORDER``.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from torch import Tensor

from fer_utils.core.emotions import AUTHORS_ORDER
from fer_utils.core.errors import CompanionError
from fer_utils.core.faces import FaceSet
from fer_utils.core.stored import file_hash
from fer_utils.datasets.splits import dataset_info
from fer_utils.training import TRAINED_WITH, WEIGHTS, predict
from fer_utils.training.resemotenet import METADATA, ResEmoteNet
from fer_utils.training.state_dicts import check_about, names_of_the_network, network_of
from fer_utils.training.weights_files import (
    is_safetensors,
    plain,
    read_pickled,
    read_safetensors,
    unwrapped,
)

AUTHORS = {"classes": AUTHORS_ORDER, "image_size": 64, "channels": 1}
"""What the authors' code does; their files do not say it."""


@dataclass(frozen=True)
class Trained:
    """A network ready to predict.

    model:    on the CPU, in eval mode; its seven outputs in the order of ``EMOTIONS``, whatever the
    file's order. channels: 1 if it learned from gray faces, 3 from coloured ones. path:     the
    file it came from. assumed:  what the file does not say and was taken from elsewhere, as a
    sentence; empty if nothing.
    """

    model: ResEmoteNet
    channels: int
    path: Path
    assumed: str = ""

    @property
    def about(self) -> str:
        """One line for readers: which file, which network, which faces it expects."""
        kind = "gray" if self.channels == 1 else "coloured"
        size = self.model.image_size
        return (
            f"Weights: {self.path} (ResEmoteNet of width {self.model.width:g}, {kind} faces of"
            f" {size}x{size}). {self.assumed}"
        ).strip()


def read_trained(address: Path, profile) -> Trained:
    """The network in a run's folder, a safetensors file or one of ``torch.save``, whatever its name
    ends in.

    A file that does not say its image size, as those of earlier versions, is taken to have the
    profile's. Raises CompanionError for what is absent, unreadable, another network, or holds
    values that are no numbers.
    """
    path = _weights_file(Path(address))
    if path.name == WEIGHTS:
        refuse_changed(path.parent)
    state, about, assumed = _read_safetensors(path) if is_safetensors(path) else _read_pickled(path)
    if about is None:
        about = AUTHORS
        assumed += (
            "It does not say how it was trained: taken as the authors' published code does it "
            f"(64x64, gray, classes in the order {', '.join(AUTHORS_ORDER)})."
        )
    elif "image_size" not in about:
        about = {"image_size": profile.network.image_size, "channels": 3} | about
        assumed += f"It does not say its image size: taken from the profile {profile.name}."
    check_about(about, path)
    return Trained(network_of(state, about, path), about["channels"], path, assumed)


def refuse_changed(folder: Path) -> None:
    """Raise CompanionError where a run's folder holds other weights than its training left
    there."""
    weights, record = folder / WEIGHTS, folder / TRAINED_WITH
    if not (weights.is_file() and record.is_file()):
        return
    try:
        recorded = json.loads(record.read_text(encoding="utf-8")).get("sha256")
    except (OSError, ValueError, AttributeError) as problem:
        raise CompanionError(
            f"{record} can't be read, so nothing tells whether {WEIGHTS} beside it is "
            f"whole. Copy the folder again, or delete {TRAINED_WITH} to take the weights "
            "unchecked."
        ) from problem
    if recorded and recorded != file_hash(weights):
        raise CompanionError(
            f"{weights} is not the file that training left: {TRAINED_WITH} beside it "
            "records another SHA-256. It was damaged or replaced: copy it again, or delete "
            f"{TRAINED_WITH} if you put other weights there."
        )


def class_probabilities(trained: Trained, faces: FaceSet, *, device: str = "auto") -> np.ndarray:
    """Class probabilities, float32 [N, 7] in the order of ``EMOTIONS``; errors as of
    ``predict``."""
    return predict(trained.model, faces, device=device, where=trained.path)


def own_trained(profile) -> Trained:
    """The network that the profile itself trained on its first data set at the highest level with
    its first seed."""
    dataset, level, seed = (
        profile.data.sets[0],
        profile.balancing.levels[-1],
        profile.training.seeds[0],
    )
    folder = profile.paths.model(dataset, level, seed)
    if not (folder / WEIGHTS).is_file():
        raise CompanionError(
            f"No --weights given, and the profile {profile.name} has trained none yet"
            f" ({folder / WEIGHTS} is not there). Run `python -m fer_utils reproduce --profile"
            f" {profile.name}`, or give --weights."
        )
    trained = read_trained(folder, profile)
    title = dataset_info(dataset).title
    learned = (
        f"No --weights given: taken is what the profile {profile.name} trained on {title} and"
        " synthetic faces."
    )
    if dataset_info(dataset).is_demo:
        learned += (
            " It learned from drawn faces alone and has seen no photograph: its answers about"
            " photos mean little."
        )
    return replace(trained, assumed=f"{trained.assumed} {learned}".strip())


def _weights_file(address: Path) -> Path:
    path = address / WEIGHTS if address.is_dir() else address
    if path.is_file():
        return path
    raise CompanionError(
        f"No trained network at {path}. --weights takes a run's folder with a {WEIGHTS} in "
        "it (such as runs/demo/models/demo_fer2013/aug4/0), a safetensors file, or one of "
        "torch.save such as the authors' .pth file."
    )


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict | None, str]:
    """The state dict, our metadata block if there is one, and nothing that was assumed."""
    state, metadata = read_safetensors(path)
    if METADATA not in metadata:
        return unwrapped(state, path), None, ""
    try:
        about = json.loads(metadata[METADATA])
    except ValueError:
        about = None
    if not isinstance(about, dict):
        raise CompanionError(
            f"{path}: its metadata ({METADATA}) is {plain(metadata[METADATA], 60)!r}; "
            "expected width, image_size, channels and classes. Copy the file again, or "
            "train it again."
        )
    return unwrapped(state, path), about, ""


def _read_pickled(path: Path) -> tuple[dict[str, Tensor], None, str]:
    """The state dict of a file of ``torch.save``, and the sentence on which was taken where it
    holds several."""
    state, places = read_pickled(path, names_of_the_network())
    several = (
        f"It holds {len(places)} networks ({', '.join(map(plain, places))}): the first was taken. "
    )
    return state, None, several if len(places) > 1 else ""
