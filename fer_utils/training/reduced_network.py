"""ResEmoteNet without the weights that never meet a pixel: the same function, with less than half
of the weights.

At 64x64 the last residual block sees a map of 2x2 and gives one pixel. Its first 3x3 convolution,
with its stride and padding of zeros, then meets pixels with 4 of its 9 taps and its second with 1
of 9: 44,040,192 of 80,238,599 parameters are multiplied by zeros alone and get a gradient of
exactly zero. ``ReducedResEmoteNet`` holds the other 36,198,407. Convolutions that give at most 2x2
pixels are matrix products here: a convolution kernel is made for large maps, and took about twice
as long for the second block (PyTorch 2.14, batches of 16).

In the full network weight decay would shrink the dead weights a little at every step, which changes
no output. Here they stay as they were initialised: ``write_back`` leaves them alone.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from fer_utils.training.resemotenet import ResEmoteNet, ResidualBlock

BLOCKS = ("res_block1", "res_block2", "res_block3")
SMALL_MAP = 2  # pixels of height and width up to which a block's output counts as small


class MatrixConvolution(nn.Module):
    """``convolution`` over maps of ``size`` x ``size`` as one matrix product, with the taps that
    meet a pixel.

    The bias is that of ``convolution`` itself and so is the weight, as [channels_out, channels_in *
    taps * taps], where all taps are live; else it is a copy of those that are.
    """

    def __init__(self, convolution: nn.Conv2d, size: int):
        super().__init__()
        self.size, self.stride, padding = size, convolution.stride[0], convolution.padding[0]
        self.taps = live_taps(
            size, kernel=convolution.kernel_size[0], stride=self.stride, padding=padding
        )
        # leading taps that only meet padding go together with it
        self.padding = padding - self.taps.start
        self.weight = nn.Parameter(self.live(convolution).detach().flatten(1).contiguous())
        self.bias = convolution.bias

    def live(self, convolution: nn.Conv2d) -> Tensor:
        """A view of the taps of its weight that meet a pixel, [channels_out, channels_in, taps,
        taps]."""
        return convolution.weight[:, :, self.taps, self.taps]

    def forward(self, features: Tensor) -> Tensor:
        """[N, channels_in, size, size] to [N, channels_out, H, W], channels last in memory."""
        taps = self.taps.stop - self.taps.start
        # there unfolding launches a kernel for each image, and cuDNN knows small maps
        if features.is_cuda:
            kernel = self.weight.view(len(self.weight), -1, taps, taps)
            return functional.conv2d(
                features, kernel, self.bias, stride=self.stride, padding=self.padding
            )
        patches = functional.unfold(features, taps, padding=self.padding, stride=self.stride)
        pixels = functional.linear(patches.transpose(1, 2), self.weight, self.bias)
        side = math.isqrt(pixels.shape[1])
        return pixels.unflatten(1, (side, side)).permute(0, 3, 1, 2)


class ReducedBlock(ResidualBlock):
    """``block`` for input maps of ``size`` x ``size``; batch normalisation is shared with it."""

    def __init__(self, block: ResidualBlock, size: int):
        nn.Module.__init__(self)
        self.conv1, self.bn1 = MatrixConvolution(block.conv1, size), block.bn1
        self.conv2, self.bn2 = MatrixConvolution(block.conv2, halved(size)), block.bn2
        self.shortcut = nn.Sequential(MatrixConvolution(block.shortcut[0], size), block.shortcut[1])

    @torch.no_grad()
    def write_back(self, block: ResidualBlock) -> None:
        """Copy the live weights into ``block``."""
        for ours, full in (
            (self.conv1, block.conv1),
            (self.conv2, block.conv2),
            (self.shortcut[0], block.shortcut[0]),
        ):
            live = ours.live(full)
            live.copy_(ours.weight.view(live.shape))


class ReducedResEmoteNet(ResEmoteNet):
    """``model`` for images of ``model.image_size``; every part is shared with it but the blocks
    with small maps.

    Outputs and the gradients of live weights equal those of ``model`` but for rounding (1e-5
    relative in float32).
    """

    def __init__(self, model: ResEmoteNet):
        nn.Module.__init__(self)
        self.width, self.image_size = model.width, model.image_size
        sizes = dict(zip(BLOCKS, map_sizes(model.image_size)))
        for name, part in model.named_children():
            small = name in sizes and halved(sizes[name]) <= SMALL_MAP
            self.add_module(name, ReducedBlock(part, sizes[name]) if small else part)

    def write_back(self, model: ResEmoteNet) -> ResEmoteNet:
        """``model``, which this network was made from, with the live weights as they are now."""
        for name in BLOCKS:
            if isinstance(getattr(self, name), ReducedBlock):
                getattr(self, name).write_back(getattr(model, name))
        return model


def map_sizes(image_size: int) -> list[int]:
    """Height (and width) of the map that enters each residual block: [8, 4, 2] at 64x64."""
    sizes = [image_size // 2 // 2 // 2]  # three max-poolings
    for _ in BLOCKS[1:]:
        sizes.append(halved(sizes[-1]))
    return sizes


def halved(size: int) -> int:
    """Height of the map a residual block gives for one of ``size``: a stride of 2 rounds up."""
    return (size + 1) // 2


def live_taps(size: int, *, kernel: int, stride: int, padding: int) -> slice:
    """Taps, along one side, of a convolution over ``size`` pixels that meet a pixel at any of its
    positions."""
    positions = range(0, size + 2 * padding - kernel + 1, stride)
    live = {
        tap for start in positions for tap in range(kernel) if 0 <= start + tap - padding < size
    }
    return slice(min(live), max(live) + 1)
