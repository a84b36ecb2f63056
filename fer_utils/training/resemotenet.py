"""ResEmoteNet, the network whose training the paper studies (section II, Fig. 1).

Roy, Kathania, Sharma, Dey, Ansari: "ResEmoteNet: Bridging Accuracy and Loss Reduction in Facial
Emotion Recognition", IEEE Signal Processing Letters 2024, doi 10.1109/LSP.2024.3521321, arXiv
2409.10545. Layers and state-dict names are those of https://github.com/ArnabKumarRoy02/ResEmoteNet
(MIT, commit fabbe68), so weights trained there can be read here and the other way round; only their
order of the classes differs (``emotions.AUTHORS_ORDER``). 80,238,599 parameters at width 1.0.
"""

import json
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torch.nn import functional

from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.errors import CompanionError
from fer_utils.core.paths import atomic_write

STEM = (64, 128, 256)  # channels of the three convolutions before the SE block
RESIDUAL = (512, 1024, 2048)  # channels of the three residual blocks
CLASSIFIER = (1024, 512, 256)  # widths of the fully connected layers before the last
SE_REDUCTION = 16
METADATA = "resemotenet"  # the key of our block in a safetensors file's metadata


def scaled(channels: int, width: float) -> int:
    """``channels * width`` rounded to a multiple of 8, at least 8 (vector units work in eights)."""
    return max(8, 8 * round(channels * width / 8))


class SqueezeExcitation(nn.Module):
    """Channel attention, equation (1): Y = w_s * f_0.

    Hu, Shen, Sun: "Squeeze-and-Excitation Networks", arXiv 1709.01507.
    """

    def __init__(self, channels: int):
        super().__init__()
        squeezed = max(1, channels // SE_REDUCTION)
        self.fc = nn.Sequential(
            nn.Linear(channels, squeezed, bias=False),
            nn.ReLU(inplace=True),
            nn.Linear(squeezed, channels, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, features: Tensor) -> Tensor:
        """f_1 of the paper: ``features`` [N, C, H, W] with each channel weighted by w_s [N, C]."""
        weights = self.fc(features.mean(dim=(2, 3)))
        return weights[:, :, None, None] * features


class ResidualBlock(nn.Module):
    """Two convolutions and a shortcut, equation (2): Y_res = H(f_1) + f_1.

    The block halves the map and changes the channels, so f_1 passes a 1x1 convolution on its way
    round.
    """

    def __init__(self, channels_in: int, channels_out: int):
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, stride=2, padding=1)
        self.bn1 = nn.BatchNorm2d(channels_out)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(channels_out)
        self.shortcut = nn.Sequential(
            nn.Conv2d(channels_in, channels_out, 1, stride=2), nn.BatchNorm2d(channels_out)
        )

    def forward(self, features: Tensor) -> Tensor:
        """[N, channels_in, H, W] to [N, channels_out, H / 2, W / 2]."""
        learned = functional.relu(self.bn1(self.conv1(features)))
        learned = self.bn2(self.conv2(learned))
        return functional.relu(learned + self.shortcut(features))


class ResEmoteNet(nn.Module):
    """The network of Fig. 1; ``width`` multiplies every channel count, 1.0 is the paper's;
    ``head_width`` does so for the fully connected layers, where it is given and not 0.

    ``image_size`` is the size of the faces it is trained on (section III: 64x64). The layers would
    take any, but a network should see test faces at the size it learned from.
    """

    def __init__(
        self,
        width: float = 1.0,
        num_classes: int = len(EMOTIONS),
        *,
        image_size: int = 64,
        head_width: float = 0.0,
        stem_dropout: float = 0.2,
        head_dropout: float = 0.5,
    ):
        super().__init__()
        self.width, self.image_size = width, image_size
        stem, residual = ([scaled(c, width) for c in sizes] for sizes in (STEM, RESIDUAL))
        hidden = [scaled(c, head_width or width) for c in CLASSIFIER]
        self.conv1, self.bn1 = _convolution(3, stem[0])
        self.conv2, self.bn2 = _convolution(stem[0], stem[1])
        self.conv3, self.bn3 = _convolution(stem[1], stem[2])
        self.max_pool = nn.MaxPool2d(2)
        self.dropout1 = nn.Dropout(stem_dropout)
        self.se = SqueezeExcitation(stem[2])
        self.res_block1 = ResidualBlock(stem[2], residual[0])
        self.res_block2 = ResidualBlock(residual[0], residual[1])
        self.res_block3 = ResidualBlock(residual[1], residual[2])
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Linear(residual[2], hidden[0])
        self.fc2 = nn.Linear(hidden[0], hidden[1])
        self.fc3 = nn.Linear(hidden[1], hidden[2])
        self.fc4 = nn.Linear(hidden[2], num_classes)
        self.dropout2 = nn.Dropout(head_dropout)

    def forward(self, images: Tensor) -> Tensor:
        """Logits [N, classes] of normalised images [N, 3, H, W]; their softmax is P_out of equation
        (3)."""
        features = self.se(self.stem(images))
        features = self.res_block3(self.res_block2(self.res_block1(features)))
        return self.classify(self.pool(features).flatten(1))

    def stem(self, images: Tensor) -> Tensor:
        """The CNN backbone of section II A: f_0 [N, C, H / 8, W / 8]. ReLU comes after the pooling,
        on a quarter of the pixels: the largest of four, cut off at zero, is the same in either
        order."""
        features = self.dropout1(functional.relu(self.max_pool(self.bn1(self.conv1(images)))))
        features = self.dropout1(functional.relu(self.max_pool(self.bn2(self.conv2(features)))))
        return functional.relu(self.max_pool(self.bn3(self.conv3(features))))

    def classify(self, pooled: Tensor) -> Tensor:
        """f_cls of equation (3), P_out = f_cls(Y_feats), before its softmax (cross-entropy wants
        logits)."""
        hidden = self.dropout2(functional.relu(self.fc1(pooled)))
        hidden = self.dropout2(functional.relu(self.fc2(hidden)))
        hidden = self.dropout2(functional.relu(self.fc3(hidden)))
        return self.fc4(hidden)


def _convolution(channels_in: int, channels_out: int) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    return nn.Conv2d(channels_in, channels_out, 3, padding=1), nn.BatchNorm2d(channels_out)


def count_parameters(module: nn.Module) -> int:
    """Number of trained values (batch statistics are not counted)."""
    return sum(parameter.numel() for parameter in module.parameters())


class Layer(NamedTuple):
    """One step of a forward pass: output ``shape`` without the batch axis; ``parameters`` in this
    step."""

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int


def layer_shapes(model: ResEmoteNet, size: int = 64) -> list[Layer]:
    """What a forward pass of one ``size`` x ``size`` image does, in order of execution, for Fig. 1.

    The first row is the input; then the network's own parts by their names ('conv1', 'max_pool',
    'se', 'res_block1', ...), a part that is used three times appearing three times. The parameters
    sum to the network's.
    """
    steps = [Layer("input", "Image", (3, size, size), 0)]

    def note(name):
        return lambda part, _, output: steps.append(
            Layer(name, type(part).__name__, tuple(output.shape[1:]), count_parameters(part))
        )

    hooks = [part.register_forward_hook(note(name)) for name, part in model.named_children()]
    was_training = model.training
    try:
        with torch.no_grad():
            example = next(model.parameters())
            model.eval()(torch.zeros(1, 3, size, size, device=example.device, dtype=example.dtype))
    finally:
        model.train(was_training)
        for hook in hooks:
            hook.remove()
    return steps


def save_weights(model: ResEmoteNet, path: Path, *, channels: int = 3) -> None:
    """Write the state dict as safetensors under the authors' names, atomically.

    The file's metadata says what the shapes do not: width, image size, order of the classes, and
    whether the faces it learned from were gray (``channels`` 1) or in colour.
    ``trained.read_trained`` reads it.
    """
    state = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    # One metadata key only: safetensors writes several in no fixed order, and equal weights should
    # be equal bytes.
    about = {
        METADATA: json.dumps(
            {
                "width": model.width,
                "image_size": model.image_size,
                "channels": channels,
                "classes": EMOTIONS,
            }
        )
    }
    with atomic_write(path) as file:
        file.write(save(state, metadata=about))


def load_weights(model: ResEmoteNet, path: Path) -> ResEmoteNet:
    """``model`` with the weights of a safetensors file; CompanionError if it is unreadable or does
    not fit."""
    try:
        model.load_state_dict(load_file(path))
    except (OSError, SafetensorError) as problem:
        raise CompanionError(
            f"{path} is not a safetensors file that can be read ({problem}). "
            "Delete it and run stage 05 again."
        ) from problem
    except RuntimeError as problem:
        detail = " ".join(str(problem).split("\n")[1:2]).strip()
        raise CompanionError(
            f"The weights in {path} do not fit ResEmoteNet of width {model.width:g}: {detail} "
            "Load them with the profile (network.width) that trained them."
        ) from problem
    return model
