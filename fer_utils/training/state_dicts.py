"""A state dict, and what its file says of it, made into a network; each is checked before anything
is computed with it."""

import json
from pathlib import Path

import torch
from torch import Tensor

from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.errors import CompanionError
from fer_utils.training.resemotenet import CLASSIFIER, RESIDUAL, ResEmoteNet
from fer_utils.training.weights_files import plain

_WIDEST = 4.0  # times the paper's network
_SIZES = range(8, 1025)


def check_about(about: dict, path: Path) -> None:
    """Raise CompanionError for metadata that no training of this project writes."""
    classes, size, channels = (about.get(name) for name in ("classes", "image_size", "channels"))
    width = about.get("width", 1.0)  # the shapes tell it too
    known = isinstance(classes, list | tuple) and sorted(map(str, classes)) == sorted(EMOTIONS)
    sizes = f"a whole number of {_SIZES.start} to {_SIZES.stop - 1}"
    widths = f"a number over 0, at most {_WIDEST:g}"
    expected = {
        "classes": (known, f"these in any order: {', '.join(EMOTIONS)}"),
        "image_size": (type(size) is int and size in _SIZES, sizes),
        "channels": (type(channels) is int and channels in (1, 3), "1 or 3"),
        "width": (type(width) in (int, float) and 0 < width <= _WIDEST, widths),
    }
    for name, (fits, wanted) in expected.items():
        if not fits:
            found = plain(json.dumps(about[name]), 60) if name in about else "missing"
            raise CompanionError(
                f"{path}: its metadata does not fit: {name} is {found}; expected {wanted}. "
                "Copy the file again, or train it again."
            )


def network_of(state: dict[str, Tensor], about: dict, path: Path) -> ResEmoteNet:
    """The network of that width with these weights, outputs put into the order of ``EMOTIONS``."""
    _check_names(state, path)
    (first, inputs), (classes, _) = (
        _size(state, name, path) for name in ("fc1.weight", "fc4.weight")
    )
    if classes != len(EMOTIONS):
        raise CompanionError(
            f"The network in {path} tells {classes} classes apart; expected "
            f"{len(EMOTIONS)}: {', '.join(EMOTIONS)}."
        )
    width, head_width = about.get("width", inputs / RESIDUAL[-1]), first / CLASSIFIER[0]
    if not (0 < width <= _WIDEST and 0 < head_width <= _WIDEST):
        raise CompanionError(
            f"{path}: its layer fc1 has {inputs:,} inputs and {first:,} outputs; "
            f"ResEmoteNet has {RESIDUAL[-1]:,} and {CLASSIFIER[0]:,}, times a width of at "
            f"most {_WIDEST:g}."
        )
    with torch.device("meta"):  # 80 million first weights that nobody needs take a second to draw
        model = ResEmoteNet(width, image_size=about["image_size"], head_width=head_width)
    _check_shapes(state, model, path)
    state = {
        name: _unused_counter() if _is_counter(name) else state[name].detach().float()
        for name in model.state_dict()
    }
    _check_numbers(state, path)
    order = [list(about["classes"]).index(emotion) for emotion in EMOTIONS]
    state |= {name: state[name][order] for name in ("fc4.weight", "fc4.bias")}
    model.load_state_dict(state, assign=True)
    return model.requires_grad_(True).eval()


def names_of_the_network() -> set[str]:
    """What must be in a state dict; files from before PyTorch 0.4.1 lack the counters of batches,
    which predict nothing."""
    with torch.device("meta"):
        return {name for name in ResEmoteNet(0.0625).state_dict() if not _is_counter(name)}


def _is_counter(name: str) -> bool:
    return name.endswith("num_batches_tracked")


def _unused_counter() -> Tensor:
    """In the place of a counter, which counts in training alone."""
    return torch.zeros((), dtype=torch.long)


def _check_names(state: dict[str, Tensor], path: Path) -> None:
    expected, found = names_of_the_network(), {name for name in state if not _is_counter(name)}
    missing, strange = sorted(expected - found), sorted(found - expected)
    if missing or strange:
        added = (
            f"it has {plain(strange[0])}, which ResEmoteNet has not"
            if strange
            else "it has nothing else"
        )
        lacking = "all entries are there"
        if missing:
            lacking = f"{len(missing)} of {len(expected)} entries are missing, such as {missing[0]}"
        raise CompanionError(
            f"{path} holds another network than ResEmoteNet: {lacking}; {added}. Give "
            "weights of ResEmoteNet: this project's model.safetensors or the authors' .pth "
            "file."
        )


def _size(state: dict[str, Tensor], name: str, path: Path) -> tuple[int, int]:
    """(outputs, inputs) of a fully connected layer, by its weight."""
    shape = tuple(state[name].shape)
    if len(shape) != 2:
        raise CompanionError(
            f"{path}: {name} has the shape {list(shape)}; expected [outputs, inputs]. It is "
            "damaged, or another network's."
        )
    return shape


def _check_shapes(state: dict[str, Tensor], model: ResEmoteNet, path: Path) -> None:
    """Raise CompanionError for a tensor of another shape than the model's, or in a form that
    nothing is computed in."""
    for name, expected in model.state_dict().items():
        if _is_counter(name):
            continue
        found = state[name]
        if found.shape != expected.shape:
            raise CompanionError(
                f"The weights in {path} do not fit ResEmoteNet of width {model.width:g}: "
                f"{name} has the shape {list(found.shape)}; expected "
                f"{list(expected.shape)}. Only networks whose layers all have that width "
                "can be read."
            )
        if not found.is_floating_point() or found.layout != torch.strided or found.is_meta:
            raise CompanionError(
                f"{path}: {name} holds {str(found.dtype).removeprefix('torch.')} in another "
                "form than plain floating-point numbers. Save the weights as float32 "
                "(model.float())."
            )


def _check_numbers(state: dict[str, Tensor], path: Path) -> None:
    """Raise CompanionError naming the layer with a value that is nan or infinite, or with a
    negative variance."""
    for name, value in state.items():
        fit = torch.isfinite(value)
        if name.endswith("running_var"):
            fit &= value >= 0
        wrong = value.numel() - int(fit.sum())
        if wrong:
            finite = torch.isfinite(value).all()
            what = "are negative variances" if finite else "are not numbers (nan or infinite)"
            raise CompanionError(
                f"{path}: {wrong:,} of {value.numel():,} values of the layer "
                f"{name.rsplit('.', 1)[0]} ({name}) {what}, so no answer would be a number. "
                "The training diverged, or the file is damaged: take weights of an earlier "
                "epoch, train again, or copy the file again."
            )
