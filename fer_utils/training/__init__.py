"""Training ResEmoteNet by the paper's recipe (section IV, Training Configuration), in one readable
loop.

Cross-entropy, SGD, learning rate x 0.1 when the validation loss reaches a plateau, early stopping
on the validation loss (or, with ``keep: last``, a fixed number of epochs). What the paper leaves
open is a value of the profile, named there as such; what the authors' published code does otherwise
is a switch (``recipes``). The recipe ``budget`` is ours: every set is trained for
``training.updates`` updates with a learning rate that ends at zero, and the last weights count, so
that no difference between two sets can come from when either stopped. The test set is never seen
here: ``predict`` is for afterwards.
"""

import copy
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.optim import SGD
from torch.optim.lr_scheduler import OneCycleLR, ReduceLROnPlateau
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from fer_utils.core.devices import choose_device
from fer_utils.core.errors import CompanionError, nearest
from fer_utils.core.faces import FaceSet
from fer_utils.core.paths import atomic_write
from fer_utils.core.profiles import Profile
from fer_utils.core.recipes import KEPT, SCHEDULERS, SELECTED_ON, as_read, kept_epoch
from fer_utils.core.stored import file_hash
from fer_utils.training.batches import (
    as_tensors,
    batches,
    budget_orders,
    class_shares,
    epoch_order,
    erased,
    flip_half,
    image_weights,
    jittered,
    normalise,
)
from fer_utils.training.checkpoint import CHECKPOINT, Checkpoint, Progress, fingerprint
from fer_utils.training.devices import (
    autocast,
    check_cpu_kernels,
    choose_precision,
    describe,
    evaluation_batch,
    has_bfloat16,
    reproducible,
)
from fer_utils.training.elsewhere import TRAINED_WITH, take_finished
from fer_utils.training.predictions import (
    HISTORY,
    PREDICTIONS,
    VALIDATION_PREDICTIONS,
    WEIGHTS,
    build_network,
    flips_at_test,
    load_model,
    predict,
    predictions_table,
    write_csv,
    write_predictions,
)
from fer_utils.training.reduced_network import ReducedResEmoteNet
from fer_utils.training.resemotenet import ResEmoteNet, count_parameters, layer_shapes, save_weights


def train_model(
    train: FaceSet,
    validation: FaceSet,
    profile: Profile,
    *,
    seed: int,
    folder: Path,
    on_epoch: Callable[[dict], None] | None = None,
    weights: Tensor | None = None,
    images_per_epoch: int | None = None,
    phases: Tensor | None = None,
) -> pd.DataFrame:
    """One row per epoch: epoch, learning_rate (at its start), train_loss, train_accuracy,
    validation_loss, validation_accuracy (accuracies in %), images (trained on in that epoch),
    seconds. With a budget of updates an epoch is the ``max_epochs``-th part of it, whatever the
    size of the set.

    ``folder`` receives model.safetensors, the weights of one epoch (``recipes.kept_epoch``),
    trained_with.json (on what they were trained), and then history.csv, so that a folder with a
    history is a finished run. ``on_epoch`` is called with each row as a dict. The same seed on the
    same machine gives the same weights, also when the run was stopped after any epoch and this is
    called again (``checkpoint``); a finished run of the same settings, data and code is not trained
    again, wherever it was trained: its history comes back as it is; one that another run has
    finished on an equal machine is taken from there (``elsewhere``). Training figures are averages
    over the epoch, with dropout; validation figures are taken after it, without. A diverged run
    raises CompanionError.

    Args:
        weights: [len(train)], what each face counts in the training loss (``image_weights``); the
        validation loss is
            never weighted, so that runs with and without weights are selected alike.
        images_per_epoch: train on that many images an epoch, the set being repeated
        (``epoch_order``); its length
            if not given.
        phases: [len(train)], of a budget alone: in which of its equal phases 0, 1, ... each face is
        trained on
            (``budget_orders``); all at once if not given.
    """
    settings, device, folder = profile.training, choose_device(profile.run.device), Path(folder)
    precision = choose_precision(settings.precision, device)
    train, validation = as_read(train, settings), as_read(validation, settings)
    _check_sizes(train, validation, settings)
    check_cpu_kernels(profile, device, precision)
    with reproducible(seed, threads=profile.run.threads):
        model = build_network(profile)
        network = ReducedResEmoteNet(model).to(device, memory_format=torch.channels_last)
        optimizer, scheduler = _optimizer_and_scheduler(network, settings)
        averaged = _averaged(network, settings)
        parts = {"network": network, "optimizer": optimizer, "scheduler": scheduler}
        # order and flips; dropout draws from the global one
        generator = torch.Generator().manual_seed(seed)
        train_tensors = as_tensors(train, model.image_size, device)
        validation_tensors = as_tensors(validation, model.image_size, device)
        weights = None if weights is None else image_weights(weights, len(train), device)
        phases = None if phases is None else torch.as_tensor(phases)
        how = _trained_with(network, model, settings, device, precision) | {
            "faces": len(train),
            "class_shares": class_shares(train_tensors[1], weights, phases),
        }
        chosen = {
            "seed": seed,
            "weights": None if weights is None else weights.tolist(),
            "images_per_epoch": images_per_epoch,
            "phases": None if phases is None else phases.tolist(),
            "network": profile.values["network"],
            "training": profile.values["training"] | {"seeds": None},
        }
        # a finished run counts wherever it was trained ...
        made_from = fingerprint(chosen, train, validation)
        finished = _finished_history(folder, made_from)
        if finished is not None:
            return finished
        # a killed run must not look finished by an earlier one's
        for earlier in (HISTORY, PREDICTIONS, VALIDATION_PREDICTIONS, TRAINED_WITH):
            (folder / earlier).unlink(missing_ok=True)
        if (
            take_finished(folder, made_from, how)
            and (finished := _finished_history(folder, made_from)) is not None
        ):
            return finished
        # ... but no run goes on with other threads or on another device, where its low bits would
        # be others.
        checkpoint = Checkpoint(
            folder / CHECKPOINT,
            f"{made_from} {json.dumps(how, sort_keys=True)}",
            generator=generator,
            parts=parts if averaged is None else parts | {"averaged": averaged},
        )
        progress = checkpoint.restore()
        trained = torch.compile(network, mode="reduce-overhead") if how["compiled"] else network
        # whose weights are validated and kept
        weighed = network if averaged is None else averaged.module
        orders = budget_orders(len(train), settings, seed=seed, phases=phases)

        def after_update():
            if settings.scheduler == "cosine":
                scheduler.step()
            if averaged is not None:
                averaged.update_parameters(network)

        while not _finished(progress, settings):
            started, learning_rate = time.perf_counter(), optimizer.param_groups[0]["lr"]
            order = (
                orders[len(progress.history)]
                if orders
                else epoch_order(len(train), images_per_epoch, generator)
            )
            train_loss, train_accuracy = train_epoch(
                trained,
                optimizer,
                train_tensors,
                settings,
                generator,
                order=order,
                precision=precision,
                weights=weights,
                after_update=after_update,
            )
            loss, accuracy = validate(weighed, validation_tensors, settings, generator, precision)
            row = {
                "epoch": len(progress.history) + 1,
                "learning_rate": learning_rate,
                "train_loss": train_loss,
                "train_accuracy": train_accuracy,
                "validation_loss": loss,
                "validation_accuracy": accuracy,
                "images": len(order),
                "seconds": time.perf_counter() - started,
            }
            _check_finite(row, settings.learning_rate)
            if on_epoch is not None:
                on_epoch(row)
            _note(progress, row, weighed, settings)
            if settings.scheduler == "plateau":
                scheduler.step(loss)
            checkpoint.save(progress)
    network.load_state_dict(progress.kept_weights)
    save_weights(network.write_back(model), folder / WEIGHTS, channels=train.images.shape[3])
    with atomic_write(folder / TRAINED_WITH, "w", encoding="utf-8") as file:
        json.dump(
            how | {"made_from": made_from, "sha256": file_hash(folder / WEIGHTS)}, file, indent=1
        )
    history = write_csv(pd.DataFrame(progress.history), folder / HISTORY)
    checkpoint.remove()  # last: until the history stands, the run can be taken up again
    return history


def train_epoch(
    model,
    optimizer,
    tensors: tuple[Tensor, Tensor],
    settings,
    generator,
    *,
    order: Tensor,
    precision: str = "float32",
    weights: Tensor | None = None,
    after_update: Callable[[], None] = lambda: None,
) -> tuple[float, float]:
    """One pass over the images at ``order``: mean (weighted) loss and accuracy in %."""
    images, labels = tensors
    total = torch.zeros(2, device=labels.device)
    model.train()
    for index in batches(order, settings.batch_size):
        batch, target = images[index.to(images.device)], labels[index.to(labels.device)]
        if settings.horizontal_flip:
            batch = flip_half(batch, generator)
        if settings.rotation or settings.zoom or settings.shift:
            batch = jittered(batch, settings, generator)
        if settings.erasing:
            batch = erased(batch, settings, generator)
        with autocast(batch.device, precision):
            logits = model(normalise(batch))
            losses = cross_entropy(
                logits, target, label_smoothing=settings.label_smoothing, reduction="none"
            )
            # Over the images, not over their weights: what an image counts must not depend on the
            # batch it falls in.
            loss = (losses if weights is None else losses * weights[index.to(losses.device)]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        after_update()
        total += torch.stack([loss.detach() * len(target), (logits.argmax(1) == target).sum()])
    return total[0].item() / len(order), 100 * total[1].item() / len(order)


@torch.no_grad()
def validate(
    model, tensors: tuple[Tensor, Tensor], settings, generator, precision: str
) -> tuple[float, float]:
    """Mean cross-entropy and accuracy in % over a set, without dropout, and without flips unless
    ``test_flip``."""
    images, labels = tensors
    if settings.test_flip:
        images = flip_half(images, generator)
    model.eval()
    with autocast(images.device, precision):
        logits = torch.cat(
            [model(normalise(chunk)) for chunk in images.split(evaluation_batch(images.device))]
        ).float()
    return (
        cross_entropy(logits, labels).item(),
        100 * (logits.argmax(1) == labels).double().mean().item(),
    )


def _finished_history(folder: Path, made_from: str) -> pd.DataFrame | None:
    """The history of a run that ended with these ingredients and whose weights are whole; else
    None."""
    try:
        with open(folder / TRAINED_WITH, encoding="utf-8") as file:
            recorded = json.load(file)
        same = recorded["made_from"] == made_from and recorded["sha256"] == file_hash(
            folder / WEIGHTS
        )
        return pd.read_csv(folder / HISTORY) if same else None
    except (OSError, ValueError, KeyError, TypeError):
        # TypeError: valid JSON, but no table of values
        return None


def _optimizer_and_scheduler(network, settings) -> tuple[SGD, ReduceLROnPlateau | OneCycleLR]:
    """Section IV's. The scheduler's threshold is 0, so that it and early stopping agree on what an
    improvement is; with ``scheduler: none`` it is never asked. With ``cosine`` the rate rises to
    ``learning_rate`` in the ``warmup`` share of the updates and falls to (a ten-thousandth of its
    start, next to) zero at the last one (Loshchilov & Hutter 2017)."""
    optimizer = SGD(
        network.parameters(),
        lr=settings.learning_rate,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
        fused=True,
    )
    if settings.scheduler == "cosine":
        return optimizer, OneCycleLR(
            optimizer,
            settings.learning_rate,
            total_steps=settings.updates + 1,
            pct_start=settings.warmup,
            cycle_momentum=False,
        )
    return optimizer, ReduceLROnPlateau(
        optimizer,
        factor=settings.scheduler_factor,
        patience=settings.scheduler_patience,
        threshold=0.0,
    )


def _averaged(network, settings) -> AveragedModel | None:
    """A copy of the network whose weights and batch statistics are the running mean of its own,
    with the decay ``averaging``; None where that is 0."""
    if not settings.averaging:
        return None
    return AveragedModel(
        network, multi_avg_fn=get_ema_multi_avg_fn(settings.averaging), use_buffers=True
    )


def _finished(progress: Progress, settings) -> bool:
    epochs = len(progress.history)
    out_of_patience = settings.keep == "best" and epochs - progress.kept >= settings.patience
    return epochs >= settings.max_epochs or out_of_patience


def _note(progress: Progress, row: dict, network, settings) -> None:
    """Add an epoch, and keep its weights if they are the ones to keep so far."""
    progress.history.append(row)
    if kept_epoch(pd.DataFrame(progress.history), settings) == len(progress.history) - 1:
        progress.kept, progress.kept_weights = (
            len(progress.history),
            copy.deepcopy(network.state_dict()),
        )


def _trained_with(network, model, settings, device: torch.device, precision: str) -> dict:
    """What was chosen for this machine; none of it changes the function that is trained, all of it
    the low bits."""
    return {
        "device": describe(device),
        "precision": precision,
        "threads": torch.get_num_threads(),
        "memory_format": "channels_last",
        "optimizer": "fused SGD",
        "torch": torch.__version__,
        "compiled": settings.compile and device.type == "cuda",
        "weights_trained": count_parameters(network),
        "weights_in_file": count_parameters(model),
    }


def _check_sizes(train, validation, settings) -> None:
    if settings.batch_size < 2 or len(train) < 2 or len(validation) < 1:
        raise CompanionError(
            "Batch normalisation needs at least 2 faces a batch, and 1 to validate on; found"
            f" training.batch_size {settings.batch_size}, {len(train)} training and"
            f" {len(validation)} validation faces. Raise training.batch_size or data.scale."
        )
    for name, valid in (("keep", KEPT), ("select_on", SELECTED_ON), ("scheduler", SCHEDULERS)):
        value = getattr(settings, name)
        if value not in valid:
            raise CompanionError(f"training.{name} '{value}' is unknown: {nearest(value, valid)}")
    if (settings.recipe == "budget") != (settings.updates > 0) or (
        settings.scheduler == "cosine"
    ) != (settings.updates > 0):
        raise CompanionError(
            f"training.recipe is {settings.recipe}, training.scheduler {settings.scheduler} and"
            f" training.updates {settings.updates}: a budget has updates and a cosine, no other"
            " recipe has either."
        )
    if 0 < settings.updates < settings.max_epochs:
        raise CompanionError(
            f"training.updates {settings.updates} cannot be divided into training.max_epochs "
            f"{settings.max_epochs} parts; lower the latter."
        )


def _check_finite(row: dict, learning_rate: float) -> None:
    if not np.isfinite(row["validation_loss"]):
        raise CompanionError(
            f"Training diverged: validation loss {row['validation_loss']} in epoch {row['epoch']}. "
            f"Lower training.learning_rate (now {learning_rate:g})."
        )
