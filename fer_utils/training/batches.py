"""Faces as batches: once as uint8 on the device, then ordered, mirrored and normalised there batch
by batch."""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.errors import CompanionError
from fer_utils.core.faces import FaceSet

# ImageNet's mean and standard deviation of R, G, B, as in the authors' published code; the paper
# states none.
MEAN = (0.485, 0.456, 0.406)
STANDARD_DEVIATION = (0.229, 0.224, 0.225)


def as_tensors(faces: FaceSet, size: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """uint8 images [N, 3, size, size] (channels last in memory) and int64 labels [N], on
    ``device``.

    Each batch is normalised when it is used: as uint8, Aug. 4 of 105,000 faces takes 1.3 GB, not
    5.2 GB.
    """
    images = torch.tensor(faces.resize(size, channels=3).images).permute(0, 3, 1, 2)
    return images.to(device), torch.tensor(faces.labels).long().to(device)


def normalise(images: Tensor) -> Tensor:
    """uint8 [N, 3, H, W] to float32 of about zero mean and unit variance per channel."""
    mean = torch.tensor(MEAN, device=images.device)[:, None, None]
    deviation = torch.tensor(STANDARD_DEVIATION, device=images.device)[:, None, None]
    return (images.float() / 255 - mean) / deviation


def flip_half(images: Tensor, generator: torch.Generator) -> Tensor:
    """Each image mirrored left to right with probability one half."""
    mirrored = torch.rand(len(images), generator=generator) < 0.5
    return torch.where(mirrored.to(images.device)[:, None, None, None], images.flip(3), images)


def jittered(images: Tensor, settings, generator: torch.Generator) -> Tensor:
    """Each image turned, enlarged or reduced, and moved by chance, each within what ``settings``
    allow (``rotation`` in degrees, ``zoom`` and ``shift`` as shares of the side): float32 in
    0..255. What comes in from outside repeats the border.

    One linear map a face, so that all are sampled at once on the device (Jaderberg et al., "Spatial
    Transformer Networks", 2015, equation 1); torchvision's transforms draw one map for a whole
    batch.
    """
    angle, zoom, right, down = (torch.rand(4, len(images), generator=generator) * 2 - 1).to(
        images.device
    )
    angle, zoom = torch.deg2rad(settings.rotation * angle), 1 + settings.zoom * zoom
    side = 2 * settings.shift  # grid coordinates run from -1 to 1
    rows = [
        torch.stack([zoom * angle.cos(), -zoom * angle.sin(), side * right], dim=1),
        torch.stack([zoom * angle.sin(), zoom * angle.cos(), side * down], dim=1),
    ]
    grid = affine_grid(torch.stack(rows, dim=1), list(images.shape), align_corners=False)
    return grid_sample(images.float(), grid, padding_mode="border", align_corners=False)


def erased(images: Tensor, settings, generator: torch.Generator) -> Tensor:
    """Each image, with probability ``erasing``, without what one rectangle of it shows: float32 in
    0..255, the rectangle in the colour that ``normalise`` makes zero.

    A rectangle takes 2 to 33 % of the image and is up to 3.3 times as long as wide (Zhong et al.,
    "Random Erasing Data Augmentation", AAAI 2020, section 3); torchvision's transform draws one for
    a whole batch.
    """
    n, _, height, width = images.shape
    chosen, area, ratio, top, left = torch.rand(5, n, generator=generator).to(images.device)
    area, ratio = 0.02 + 0.31 * area, 3.3 ** (2 * ratio - 1)
    tall, wide = ((area * share).sqrt().clamp(max=1) for share in (ratio, 1 / ratio))
    rows = _inside(height, top * (1 - tall), tall)
    columns = _inside(width, left * (1 - wide), wide)
    gone = (chosen < settings.erasing)[:, None, None] & rows[:, :, None] & columns[:, None, :]
    colour = 255 * torch.tensor(MEAN, device=images.device)[:, None, None]
    return torch.where(gone[:, None], colour, images.float())


def _inside(pixels: int, start: Tensor, length: Tensor) -> Tensor:
    """bool [N, pixels]: the pixels whose middle lies from ``start`` on over ``length``, both shares
    of the side, [N]."""
    middles = (torch.arange(pixels, device=start.device) + 0.5) / pixels
    return (middles >= start[:, None]) & (middles < (start + length)[:, None])


def budget_orders(count: int, settings, *, seed: int, phases: Tensor | None = None) -> list[Tensor]:
    """Positions of the images of a whole budget of ``settings.updates`` batches, in
    ``settings.max_epochs`` parts; empty without a budget.

    The set is gone through again and again, each time in a new order, and no pass is cut short
    before the last: a set of any size is seen evenly. With ``phases`` [count] the budget is shared
    equally among the phases 0, 1, ..., and each draws from its own images alone. It depends on
    ``seed`` alone, so that a stopped run goes on with the same.
    """
    if not settings.updates:
        return []
    generator = torch.Generator().manual_seed(seed)
    groups = (
        [torch.arange(count)]
        if phases is None
        else [torch.where(phases == phase)[0] for phase in phases.unique()]
    )
    shares = [
        len(part) * settings.batch_size
        for part in torch.arange(settings.updates).tensor_split(len(groups))
    ]
    order = torch.cat(
        [
            group[epoch_order(len(group), wanted, generator)]
            for group, wanted in zip(groups, shares, strict=True)
        ]
    )
    parts = torch.arange(settings.updates).tensor_split(settings.max_epochs)
    return list(order.split([len(part) * settings.batch_size for part in parts]))


def batches(order: Tensor, batch_size: int) -> Iterator[Tensor]:
    """``order`` in pieces of ``batch_size``; a single image left over joins the batch before it,
    because the last block leaves one value per channel and image at 64x64: alone it has no variance
    to normalise by."""
    pieces = list(order.split(batch_size))
    if len(pieces) > 1 and len(pieces[-1]) == 1:
        pieces[-2:] = [torch.cat(pieces[-2:])]
    yield from pieces


def epoch_order(count: int, wanted: int | None, generator: torch.Generator) -> Tensor:
    """Positions of one epoch's images: the whole set in random order, or, with ``wanted``, the set
    again and again, each time in a new order, cut after that many (a set trained for as many
    updates as a larger one)."""
    if wanted is not None and wanted < 2:
        raise CompanionError(f"images_per_epoch must be at least 2 (a batch), found {wanted}.")
    passes = 1 if wanted is None else -(-wanted // count)
    return torch.cat([torch.randperm(count, generator=generator) for _ in range(passes)])[:wanted]


def class_shares(labels: Tensor, weights: Tensor | None, phases: Tensor | None) -> list[float]:
    """What share of the loss each class of ``EMOTIONS`` has in the last phase: the prior that the
    network learns to answer for. They sum to 1."""
    mass = torch.ones(len(labels)) if weights is None else weights.cpu()
    if phases is not None:
        mass = mass * (phases == phases.max()).cpu()
    shares = labels.cpu().bincount(mass.double(), minlength=len(EMOTIONS))
    return (shares / shares.sum()).numpy().round(6).tolist()


def image_weights(weights: Tensor, count: int, device: torch.device) -> Tensor:
    """``weights`` [count], what each image counts in the loss, scaled to 1 on average: only the
    balance between images changes, neither the size of the loss nor what a learning rate means.
    CompanionError if they are not ``count`` finite numbers, none negative, at least one more than
    0."""
    weights = torch.as_tensor(weights, dtype=torch.float32, device=device)
    valid = weights.shape == (count,) and bool(
        torch.isfinite(weights).all() and (weights >= 0).all()
    )
    if not valid or weights.sum() == 0:
        raise CompanionError(
            f"weights must be {count:,} finite numbers of 0 or more, one for each training face,"
            f" not all 0; found {list(weights.shape)} numbers, the first"
            f" {weights.flatten()[:7].tolist()}."
        )
    return weights / weights.mean()
