"""One optimisation loop for every part of the tiny generators: averaged weights, checkpoints,
resume."""

import copy
import logging
import math
from collections.abc import Callable
from pathlib import Path

import torch

from fer_utils.core.errors import CompanionError
from fer_utils.core.paths import atomic_write

log = logging.getLogger(__name__)


def fit(
    model: torch.nn.Module,
    loss: Callable[[int, torch.Generator], torch.Tensor],
    *,
    steps: int,
    learning_rate: float,
    folder: Path,
    name: str,
    seed: int,
    checkpoint_every: int = 500,
) -> None:
    """Minimise ``loss(step, generator)`` and leave the exponential average of the weights in
    ``model``.

    AdamW, warm-up then cosine to zero, bfloat16 arithmetic on the device the model is on.
    ``generator`` is a CPU generator seeded by the step. ``folder/name.pt`` holds the last
    checkpoint; a finished one is taken as it is, an unfinished one is continued.
    """
    device = next(model.parameters()).device.type
    averaged = copy.deepcopy(model).requires_grad_(False)
    optimizer = torch.optim.AdamW(
        model.parameters(), learning_rate, betas=(0.9, 0.99), weight_decay=0.01
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, steps))
    first = _resume(folder / f"{name}.pt", model, averaged, optimizer, schedule)
    model.train()
    smooth = None
    for step in range(first, steps):
        with torch.autocast(device, torch.bfloat16):
            value = loss(step, torch.Generator().manual_seed(seed * 1_000_003 + step))
        optimizer.zero_grad(set_to_none=True)
        value.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        _average(averaged, model, decay=min(0.998, (1 + step) / (10 + step)))
        smooth = value.item() if smooth is None else 0.98 * smooth + 0.02 * value.item()
        if (step + 1) % 100 == 0:
            log.info("%s step %d of %d, loss %.4f", name, step + 1, steps, smooth)
        if (step + 1) % checkpoint_every == 0 or step + 1 == steps:
            _save(folder / f"{name}.pt", step + 1, model, averaged, optimizer, schedule)
    model.load_state_dict(averaged.state_dict())


def _rate(step: int, steps: int, *, warmup: int = 100) -> float:
    return min(1.0, (step + 1) / warmup) * 0.5 * (1 + math.cos(math.pi * min(1.0, step / steps)))


@torch.no_grad()
def _average(averaged: torch.nn.Module, model: torch.nn.Module, *, decay: float) -> None:
    ours, theirs = list(averaged.parameters()), list(model.parameters())
    torch._foreach_lerp_(ours, theirs, 1 - decay)
    for ours, theirs in zip(averaged.buffers(), model.buffers()):
        ours.copy_(theirs)


def _save(path: Path, step: int, *parts) -> None:
    with atomic_write(path) as file:
        torch.save([step, *(part.state_dict() for part in parts)], file)


def _resume(path: Path, *parts) -> int:
    if not path.exists():
        return 0
    try:
        step, *states = torch.load(path, weights_only=True, map_location="cpu")
        for part, state in zip(parts, states, strict=True):
            part.load_state_dict(state)
    except (
        Exception
    ) as problem:  # torch raises nearly anything for a damaged file or another network
        raise CompanionError(
            f"{path} is not a checkpoint of this training ({type(problem).__name__}): it "
            "is damaged, or was left by other settings. Delete it, and give the same command "
            "again: this part of the training begins anew."
        ) from problem
    return step
