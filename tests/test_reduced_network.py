"""The network without dead weights is the same function: equal outputs, equal live gradients, the
full file."""

import copy

import pytest
import torch
from torch.nn.functional import cross_entropy

from fer_utils.training.reduced_network import ReducedResEmoteNet, live_taps, map_sizes
from fer_utils.training.resemotenet import ResEmoteNet, count_parameters, load_weights, save_weights

SIZES = (64, 48, 40, 16)  # the last block sees 2x2 pixels, 2x2, 2x2 and 1x1


def network_and_images(size, *, width=0.0625, count=6):
    torch.manual_seed(size)
    model = ResEmoteNet(width, image_size=size, head_dropout=0.0)
    # dropout draws other numbers for another memory layout; all else can be compared
    model.dropout1.p = 0.0
    return model, torch.randn(count, 3, size, size)


def relative(one, other):
    return ((one - other).abs().max() / other.abs().max().clamp_min(1e-30)).item()


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("size", SIZES)
def test_outputs_equal_those_of_the_full_network(size, training):
    model, images = network_and_images(size)
    reduced = ReducedResEmoteNet(copy.deepcopy(model)).train(training)
    assert relative(reduced(images), model.train(training)(images)) < 1e-5


@pytest.mark.parametrize("size", SIZES)
def test_live_weights_get_the_gradients_of_the_full_network_and_dead_ones_none(size):
    model, images = network_and_images(size)
    model, images = model.double(), images.double()  # so that rounding cannot hide a wrong tap
    source = copy.deepcopy(model)
    reduced = ReducedResEmoteNet(source)
    target = torch.arange(len(images)) % 7
    for network in (model, reduced):
        cross_entropy(network(images), target).backward()
    gradients = copy.deepcopy(model)
    # weights replaced by their gradients, zero where dead
    for name, parameter in gradients.named_parameters():
        parameter.data = (
            torch.zeros_like(parameter)
            if source.get_parameter(name).grad is None
            else source.get_parameter(name).grad
        )
    for parameter in reduced.parameters():
        parameter.data = parameter.grad
    reduced.write_back(gradients)
    for name, parameter in model.named_parameters():
        expected = parameter.grad
        assert (
            relative(gradients.get_parameter(name).data, expected) < 1e-10
            or expected.abs().max() < 1e-15
        ), name


def test_the_full_network_has_44_million_dead_weights_at_64_pixels():
    with torch.device("meta"):
        model = ResEmoteNet(1.0)
        reduced = ReducedResEmoteNet(model)
    assert count_parameters(model) - count_parameters(reduced) == 44_040_192


@pytest.mark.parametrize("size", SIZES)
def test_weights_go_into_the_full_file_and_back_unchanged(tmp_path, size):
    trained, images = network_and_images(size)
    reduced = ReducedResEmoteNet(trained)
    for parameter in reduced.parameters():
        parameter.data += 1
    save_weights(reduced.write_back(trained), tmp_path / "model.safetensors")
    again = load_weights(ResEmoteNet(0.0625, image_size=size), tmp_path / "model.safetensors")
    assert set(again.state_dict()) == set(trained.state_dict())
    for one, other in zip(
        ReducedResEmoteNet(again).parameters(), reduced.parameters(), strict=True
    ):
        assert torch.equal(one, other)
    assert relative(again.eval()(images), reduced.eval()(images)) < 1e-5


def test_dead_weights_stay_as_they_were_initialised():
    model, _ = network_and_images(64)
    before = copy.deepcopy(model)
    reduced = ReducedResEmoteNet(model)
    for parameter in reduced.parameters():
        parameter.data += 1
    after = reduced.write_back(model)
    one, two = before.res_block3, after.res_block3
    assert torch.equal(one.conv1.weight[:, :, 0], two.conv1.weight[:, :, 0])
    assert torch.equal(one.conv1.weight[:, :, 1:, 1:] + 1, two.conv1.weight[:, :, 1:, 1:])
    others = torch.ones(3, 3, dtype=torch.bool)
    others[1, 1] = False
    assert torch.equal(one.conv2.weight[:, :, others], two.conv2.weight[:, :, others])


@pytest.mark.parametrize("size", SIZES)
def test_weights_of_matrix_products_are_whole_in_memory_and_not_copied_where_all_taps_are_live(
    size,
):
    model, _ = network_and_images(size)
    reduced = ReducedResEmoteNet(model)
    assert all(parameter.is_contiguous() for parameter in reduced.parameters()), (
        "a strided weight is copied at every use"
    )
    full = {parameter.data_ptr(): parameter.numel() for parameter in model.parameters()}
    assert all(
        full.get(parameter.data_ptr(), parameter.numel()) == parameter.numel()
        for parameter in reduced.parameters()
    )


@pytest.mark.parametrize(
    ("size", "stride", "taps"),
    [
        (1, 1, slice(1, 2)),
        (1, 2, slice(1, 2)),
        (2, 2, slice(1, 3)),
        (2, 1, slice(0, 3)),
        (4, 2, slice(0, 3)),
        (3, 2, slice(0, 3)),
    ],
)
def test_taps_that_meet_a_pixel_are_found(size, stride, taps):
    assert live_taps(size, kernel=3, stride=stride, padding=1) == taps


def test_maps_shrink_as_the_network_says():
    assert map_sizes(64) == [8, 4, 2] and map_sizes(48) == [6, 3, 2] and map_sizes(16) == [2, 1, 1]
