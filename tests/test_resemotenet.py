"""ResEmoteNet has the published size, the published names and the published shapes."""

import pytest
import torch
from safetensors import safe_open

from fer_utils.core.errors import CompanionError
from fer_utils.training.resemotenet import (
    ResEmoteNet,
    ResidualBlock,
    SqueezeExcitation,
    count_parameters,
    layer_shapes,
    load_weights,
    save_weights,
)

STEM = [f"{kind}{number}" for number in (1, 2, 3) for kind in ("conv", "bn")]
BLOCKS = [
    f"res_block{number}.{part}"
    for number in (1, 2, 3)
    for part in ("conv1", "bn1", "conv2", "bn2", "shortcut.0", "shortcut.1")
]
WITHOUT_BIAS = ["se.fc.0", "se.fc.2"]


@pytest.fixture(scope="module")
def full_network():
    with torch.device("meta"):  # shapes only: 80 million numbers need not be drawn
        return ResEmoteNet(width=1.0)


def test_the_full_network_has_the_published_number_of_parameters(full_network):
    assert count_parameters(full_network) == 80_238_599


def test_the_parameters_carry_the_names_of_the_authors_code(full_network):
    modules = [*STEM, *BLOCKS, "fc1", "fc2", "fc3", "fc4"]
    expected = {f"{module}.{part}" for module in modules for part in ("weight", "bias")}
    expected |= {f"{module}.weight" for module in WITHOUT_BIAS}
    assert {name for name, _ in full_network.named_parameters()} == expected


def test_the_shapes_of_a_forward_pass_are_those_of_figure_1():
    shapes = {layer.name: layer.shape for layer in layer_shapes(ResEmoteNet(width=0.125), 64)}
    assert shapes["input"] == (3, 64, 64)
    assert shapes["se"] == (32, 8, 8)
    assert [shapes[f"res_block{number}"] for number in (1, 2, 3)] == [
        (64, 4, 4),
        (128, 2, 2),
        (256, 1, 1),
    ]
    assert [shapes[f"fc{number}"] for number in (1, 2, 3, 4)] == [(128,), (64,), (32,), (7,)]


def test_layer_shapes_accounts_for_every_parameter_and_leaves_the_model_as_it_was():
    model = ResEmoteNet(width=0.0625).train()
    assert sum(layer.parameters for layer in layer_shapes(model, 64)) == count_parameters(model)
    assert model.training and not any(part._forward_hooks for part in model.modules())
    assert model.bn1.num_batches_tracked == 0


def test_narrow_networks_keep_channel_counts_in_eights_and_at_least_one_squeezed_channel():
    model = ResEmoteNet(width=0.01)
    widths = {part.out_channels for part in model.modules() if isinstance(part, torch.nn.Conv2d)}
    assert all(width % 8 == 0 and width >= 8 for width in widths)
    assert model.se.fc[0].out_features == 1


def test_squeeze_and_excitation_multiplies_each_channel_by_one_weight_between_0_and_1():
    features = torch.rand(2, 32, 4, 4) + 0.5
    ratio = SqueezeExcitation(32)(features) / features
    assert torch.allclose(ratio, ratio[:, :, :1, :1].expand_as(ratio))
    assert ratio.min() > 0 and ratio.max() < 1


def test_a_residual_block_whose_learned_part_is_silent_passes_its_shortcut():
    block = ResidualBlock(8, 16).eval()
    torch.nn.init.zeros_(block.bn2.weight)
    features = torch.rand(2, 8, 4, 4)
    assert torch.equal(block(features), block.shortcut(features).relu())


def test_relu_after_pooling_is_relu_before_it_in_values_and_gradients():
    torch.manual_seed(0)
    model, images = (
        ResEmoteNet(width=0.0625).double().train(),
        torch.randn(4, 3, 64, 64, dtype=torch.double),
    )
    model.dropout1.p = 0.0

    def as_the_authors_write_it(features):
        for convolution, norm in (
            (model.conv1, model.bn1),
            (model.conv2, model.bn2),
            (model.conv3, model.bn3),
        ):
            features = torch.max_pool2d(torch.relu(norm(convolution(features))), 2)
        return features

    gradients = []
    for stem in (model.stem, as_the_authors_write_it):
        model.zero_grad()
        result = stem(images)
        (result**2).sum().backward()
        gradients.append(
            [result.detach(), *(p.grad.clone() for p in model.parameters() if p.grad is not None)]
        )
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


def test_weights_come_back_unchanged_under_the_same_names(tmp_path):
    torch.manual_seed(0)
    model = ResEmoteNet(width=0.0625).to(memory_format=torch.channels_last)
    save_weights(model, tmp_path / "model.safetensors")
    with safe_open(tmp_path / "model.safetensors", "pt") as file:
        assert set(file.keys()) == set(model.state_dict())
    copy = load_weights(ResEmoteNet(width=0.0625), tmp_path / "model.safetensors")
    assert all(
        torch.equal(value, copy.state_dict()[name]) for name, value in model.state_dict().items()
    )


def test_equal_weights_are_written_as_equal_bytes(tmp_path):
    model = ResEmoteNet(width=0.0625)
    save_weights(model, tmp_path / "one")
    save_weights(model, tmp_path / "two")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_weights_of_another_width_are_refused_in_words(tmp_path):
    save_weights(ResEmoteNet(width=0.0625), tmp_path / "model.safetensors")
    with pytest.raises(
        CompanionError, match="do not fit ResEmoteNet of width 0.125.*network.width"
    ):
        load_weights(ResEmoteNet(width=0.125), tmp_path / "model.safetensors")


def test_a_truncated_weights_file_is_refused_in_words(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"half a file")
    with pytest.raises(CompanionError, match="stage 05"):
        load_weights(ResEmoteNet(width=0.0625), tmp_path / "model.safetensors")
