"""Trained weights of ResEmoteNet from any file: this project's, or the authors' published ones.

This project's files say in a metadata block what their shapes do not. The authors' code
(https://github.com/ArnabKumarRoy02/ResEmoteNet, MIT, commit fabbe68) saves a plain state dict with the same names;
it learned from gray faces stretched to 64x64 (its ``Resize((64, 64))`` and ``Grayscale``) with the classes in the
order ``emotions.AUTHORS_ORDER``.
"""

import json
import pickle
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from fer_utils.datasets.splits import dataset_info
from fer_utils.emotions import AUTHORS_ORDER, EMOTIONS
from fer_utils.errors import CompanionError
from fer_utils.resemotenet import CLASSIFIER, METADATA, RESIDUAL, ResEmoteNet
from fer_utils.training import WEIGHTS

PICKLED = (".pth", ".pt")
AUTHORS = {"classes": AUTHORS_ORDER, "image_size": 64, "channels": 1}
"""What the authors' code does; their files do not say it."""
_WHOLE_CHECKPOINTS = ("model_state_dict", "state_dict")


@dataclass(frozen=True)
class Trained:
    """A network ready to predict.

    model:    on the CPU, in eval mode; its seven outputs in the order of ``EMOTIONS``, whatever the file's order.
    channels: 1 if it learned from gray faces, 3 from coloured ones.
    path:     the file it came from.
    assumed:  what the file does not say and was taken from elsewhere, as a sentence; empty if nothing.
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
        return (f"Weights: {self.path} (ResEmoteNet of width {self.model.width:g}, {kind} faces of {size}x{size}). "
                f"{self.assumed}").strip()


def read_trained(address: Path, profile) -> Trained:
    """The network in a run's folder, a .safetensors file or a .pth/.pt file.

    A file that does not say its image size, as those of earlier versions, is taken to have the profile's. Raises
    CompanionError for what is absent, unreadable or another network.
    """
    path = _weights_file(Path(address))
    state, about = _read_pickled(path) if path.suffix.lower() in PICKLED else _read_safetensors(path)
    assumed = ""
    if about is None:
        about = AUTHORS
        assumed = ("It does not say how it was trained: taken as the authors' published code does it (64x64, gray, "
                   f"classes in the order {', '.join(AUTHORS_ORDER)}).")
    elif "image_size" not in about:
        about = {"image_size": profile.network.image_size, "channels": 3} | about
        assumed = f"It does not say its image size: taken from the profile {profile.name}."
    model = _network(state, about, path)
    return Trained(model, about["channels"], path, assumed)


def own_trained(profile) -> Trained:
    """The network that the profile itself trained on its first data set at the highest level with its first seed."""
    dataset, level, seed = profile.data.sets[0], profile.balancing.levels[-1], profile.training.seeds[0]
    folder = profile.paths.model(dataset, level, seed)
    if not (folder / WEIGHTS).is_file():
        raise CompanionError(f"No --weights given, and the profile {profile.name} has trained none yet ({folder / WEIGHTS} "
                             f"is not there). Run `python -m fer_utils reproduce --profile {profile.name}`, or give "
                             "--weights.")
    trained = read_trained(folder, profile)
    title = dataset_info(dataset).title
    learned = f"No --weights given: taken is what the profile {profile.name} trained on {title} and synthetic faces."
    if dataset_info(dataset).is_demo:
        learned += " It learned from drawn faces alone and has seen no photograph: its answers about photos mean little."
    return replace(trained, assumed=f"{trained.assumed} {learned}".strip())


def _weights_file(address: Path) -> Path:
    path = address / WEIGHTS if address.is_dir() else address
    if path.is_file():
        return path
    raise CompanionError(f"No trained network at {path}. --weights takes a run's folder with a {WEIGHTS} in it (such as "
                         "runs/demo/models/demo_fer2013/aug4/0), a .safetensors file, or the authors' .pth file.")


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict | None]:
    """The state dict, and our metadata block if there is one."""
    try:
        with safe_open(path, framework="pt") as file:
            about = (file.metadata() or {}).get(METADATA)
            return {name: file.get_tensor(name) for name in file.keys()}, json.loads(about) if about else None
    except (OSError, SafetensorError, ValueError) as problem:
        raise CompanionError(f"{path} is not a safetensors file that can be read ({problem}). "
                             "Copy it again, or train it again.") from problem


def _read_pickled(path: Path) -> tuple[dict[str, Tensor], None]:
    """The state dict of a file of ``torch.save``, alone or inside a checkpoint; only tensors are read, no code is run."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as problem:
        reason = str(problem).strip().split("\n")[0]
        raise CompanionError(f"{path} is not a file of tensors that can be read ({reason}). Nothing else is loaded "
                             "from it, because such a file may run code: save its model.state_dict().") from problem
    inner = next((state[key] for key in _WHOLE_CHECKPOINTS if isinstance(state, dict) and key in state), state)
    if not isinstance(inner, dict) or not all(isinstance(value, Tensor) for value in inner.values()):
        raise CompanionError(f"{path} holds no state dict (names with tensors). Save model.state_dict().")
    return {name.removeprefix("module."): value for name, value in inner.items()}, None


def _network(state: dict[str, Tensor], about: dict, path: Path) -> ResEmoteNet:
    """The network of that width with these weights, outputs put into the order of ``EMOTIONS``."""
    _check_names(state, path)
    width = about.get("width", state["fc1.weight"].shape[-1] / RESIDUAL[-1])
    order = [list(about["classes"]).index(emotion) for emotion in EMOTIONS]
    state = {name: value.float() if value.is_floating_point() else value for name, value in state.items()}
    state |= {name: state[name][order] for name in ("fc4.weight", "fc4.bias")}
    with torch.device("meta"):   # 80 million first weights that nobody needs take a second to draw
        model = ResEmoteNet(width, image_size=about["image_size"], head_width=state["fc1.weight"].shape[0] / CLASSIFIER[0])
    try:
        model.load_state_dict(state, assign=True)
    except RuntimeError as problem:
        detail = " ".join(str(problem).split("\n")[1:2]).strip()
        raise CompanionError(f"The weights in {path} do not fit ResEmoteNet of width {width:g}: {detail} "
                             "Only networks whose layers all have that width can be read.") from problem
    return model.requires_grad_(True).eval()


def _check_names(state: dict[str, Tensor], path: Path) -> None:
    with torch.device("meta"):
        expected = set(ResEmoteNet(0.0625).state_dict())
    missing, strange = sorted(expected - set(state)), sorted(set(state) - expected)
    if missing or strange:
        found = f"it has {strange[0]}, which ResEmoteNet has not" if strange else "it has nothing else"
        lacking = f"{len(missing)} of {len(expected)} entries are missing, such as {missing[0]}" if missing else \
            "all entries are there"
        raise CompanionError(f"{path} holds another network than ResEmoteNet: {lacking}; {found}. Give weights of "
                             "ResEmoteNet: this project's model.safetensors or the authors' .pth file.")
    classes = state["fc4.weight"].shape[0]
    if classes != len(EMOTIONS):
        raise CompanionError(f"The network in {path} tells {classes} classes apart; expected {len(EMOTIONS)}: "
                             f"{', '.join(EMOTIONS)}.")
