"""Weights are read from a run, from a file of this project, and from the authors' checkpoints; others are refused."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from fer_utils.emotions import AUTHORS_ORDER, EMOTIONS
from fer_utils.errors import CompanionError
from fer_utils.profiles import load_profile
from fer_utils.resemotenet import ResEmoteNet, save_weights
from fer_utils.trained import read_trained

DEMO = load_profile("demo")


def network(width=0.0625, **options):
    torch.manual_seed(1)
    return ResEmoteNet(width, **options).eval()


@pytest.mark.parametrize("width", [0.0625, 0.1, 0.125, 0.3])
def test_width_size_and_colour_are_found_in_the_file_whatever_the_profile_says(tmp_path, width):
    model = network(width, image_size=40)
    save_weights(model, tmp_path / "model.safetensors", channels=1)
    for address in (tmp_path, tmp_path / "model.safetensors"):
        found = read_trained(address, DEMO)
        assert (found.model.width, found.model.image_size, found.channels) == (width, 40, 1)
    images = torch.rand(2, 3, 40, 40)
    torch.testing.assert_close(found.model(images), model(images))
    assert "40x40" in found.about and found.assumed == ""


@pytest.mark.parametrize("wrap", [lambda state: state, lambda state: {"model_state_dict": state, "epoch": 3},
                                  lambda state: {f"module.{name}": value for name, value in state.items()}])
def test_the_authors_checkpoints_are_read_in_their_size_in_gray_and_in_our_order_of_classes(tmp_path, wrap):
    model = network()
    torch.save(wrap(model.state_dict()), tmp_path / "best_model.pth")
    found = read_trained(tmp_path / "best_model.pth", DEMO)
    assert (found.model.width, found.model.image_size, found.channels) == (0.0625, 64, 1)
    images = torch.rand(2, 3, 64, 64)
    theirs, ours = model(images), found.model(images)
    for label, emotion in enumerate(EMOTIONS):
        torch.testing.assert_close(ours[:, label], theirs[:, AUTHORS_ORDER.index(emotion)])
    assert "happy, surprise, sad" in found.about


def test_the_names_and_shapes_of_the_full_network_are_the_authors(tmp_path):
    with torch.device("meta"):
        state = ResEmoteNet().state_dict()
    torch.save({name: torch.zeros(()).expand(value.shape) for name, value in state.items()}, tmp_path / "full.pth")
    found = read_trained(tmp_path / "full.pth", DEMO)
    assert found.model.width == 1.0 and sum(p.numel() for p in found.model.parameters()) == 80_238_599


def test_a_file_of_an_earlier_version_takes_its_size_from_the_profile_and_says_so(tmp_path):
    save_file(network().state_dict(), tmp_path / "model.safetensors",
              metadata={"resemotenet": '{"width": 0.0625, "classes": ["' + '", "'.join(EMOTIONS) + '"]}'})
    found = read_trained(tmp_path, DEMO)
    assert found.model.image_size == DEMO.network.image_size and "taken from the profile demo" in found.about


class Evil:
    """Runs code when it is unpickled."""

    def __reduce__(self):
        return (open, ("evil", "w"))


def other_network():
    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Linear(4, 7)).state_dict()


def uneven():
    return network().state_dict() | {"conv1.weight": torch.zeros(24, 3, 3, 3)}


@pytest.mark.parametrize(("content", "message"), [
    (other_network, r"another network than ResEmoteNet: \d+ of \d+ entries are missing.*it has 0.bias"),
    (lambda: {}, "another network than ResEmoteNet.*it has nothing else"),
    (lambda: network(num_classes=8).state_dict(), "tells 8 classes apart; expected 7"),
    (uneven, "do not fit ResEmoteNet of width 0.0625: size mismatch for conv1.weight"),
    (lambda: [1, 2], "holds no state dict"),
    (lambda: {"model": network()}, "not a file of tensors.*may run code"),
    (Evil, "not a file of tensors.*may run code"),
])
def test_other_weights_are_refused_with_what_was_found(tmp_path, monkeypatch, content, message):
    monkeypatch.chdir(tmp_path)
    torch.save(content(), tmp_path / "x.pth")
    with pytest.raises(CompanionError, match=message):
        read_trained(tmp_path / "x.pth", DEMO)
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize("name", ["x.pth", "x.pt", "x.safetensors"])
@pytest.mark.parametrize("content", [b"", b"no weights", b"PK\x03\x04 cut"])
def test_a_damaged_file_is_named(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CompanionError, match=rf"{name} is not a"):
        read_trained(tmp_path / name, DEMO)


def test_what_is_not_there_is_told_with_what_is_accepted(tmp_path):
    with pytest.raises(CompanionError, match="No trained network at .*model.safetensors.*authors' .pth"):
        read_trained(tmp_path, DEMO)


def test_half_precision_weights_are_computed_in_float32(tmp_path):
    save_file({name: value.half() if value.is_floating_point() else value for name, value in network().state_dict().items()},
              tmp_path / "half.safetensors")
    found = read_trained(tmp_path / "half.safetensors", DEMO)
    assert {parameter.dtype for parameter in found.model.parameters()} == {torch.float32}
    assert np.isfinite(found.model(torch.rand(1, 3, 64, 64)).detach().numpy()).all()
