"""Training ResEmoteNet by the paper's recipe (section IV, Training Configuration), in one readable loop.

Cross-entropy, SGD, learning rate x 0.1 when the validation loss reaches a plateau, early stopping on the
validation loss. What the paper leaves open is a value of the profile, named there as such. The test set is
never seen here: ``predict`` is for afterwards.
"""

import copy
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.optim import SGD
from torch.optim.lr_scheduler import ReduceLROnPlateau

from fer_utils.emotions import EMOTIONS
from fer_utils.errors import CompanionError, nearest
from fer_utils.faces import FaceSet
from fer_utils.paths import atomic_write
from fer_utils.profiles import Profile
from fer_utils.resemotenet import ResEmoteNet, load_weights, save_weights

WEIGHTS, HISTORY, PREDICTIONS = "model.safetensors", "history.csv", "predictions.csv"
PRECISIONS = ("float32", "bfloat16")

# ImageNet's mean and standard deviation of R, G, B, as in the authors' published code; the paper states none.
MEAN = (0.485, 0.456, 0.406)
STANDARD_DEVIATION = (0.229, 0.224, 0.225)


def train_model(train: FaceSet, validation: FaceSet, profile: Profile, *, seed: int, folder: Path,
                on_epoch: Callable[[dict], None] | None = None) -> pd.DataFrame:
    """One row per epoch: epoch, learning_rate, train_loss, train_accuracy, validation_loss,
    validation_accuracy (accuracies in %), images (trained on in that epoch), seconds.

    ``folder`` receives model.safetensors, the weights of the lowest validation loss, and then history.csv, so
    that a folder with a history is a finished run. ``on_epoch`` is called with each row as a dict. The same
    seed on the same machine gives the same weights. Training figures are averages over the epoch, with
    dropout; validation figures are taken after it, without. A diverged run raises CompanionError.
    """
    settings, device = profile.training, choose_device(profile.run.device)
    _check_sizes(train, validation, settings.batch_size)
    _check_cpu_kernels(profile, device)
    for earlier in (HISTORY, PREDICTIONS):   # a run killed half-way must not look finished by an earlier one's
        (Path(folder) / earlier).unlink(missing_ok=True)
    history, best_loss, best_weights, bad_epochs = [], float("inf"), None, 0
    with reproducible(seed, threads=profile.run.threads):
        model = _network(profile).to(device, memory_format=torch.channels_last)   # 1.3 times as fast on CPUs
        optimizer = SGD(model.parameters(), lr=settings.learning_rate, momentum=settings.momentum,
                        weight_decay=settings.weight_decay)
        # threshold 0: the scheduler and early stopping agree on what an improvement is.
        scheduler = ReduceLROnPlateau(optimizer, factor=settings.scheduler_factor,
                                      patience=settings.scheduler_patience, threshold=0.0)
        generator = torch.Generator().manual_seed(seed)   # order and flips; dropout draws from the global one
        train_tensors = as_tensors(train, model.image_size, device)
        validation_tensors = as_tensors(validation, model.image_size, device)
        for epoch in range(1, settings.max_epochs + 1):
            started = time.perf_counter()
            learning_rate = optimizer.param_groups[0]["lr"]
            train_loss, train_accuracy = train_epoch(model, optimizer, train_tensors, settings, generator)
            loss, accuracy = validate(model, validation_tensors, settings)
            history.append({"epoch": epoch, "learning_rate": learning_rate,
                            "train_loss": train_loss, "train_accuracy": train_accuracy,
                            "validation_loss": loss, "validation_accuracy": accuracy,
                            "images": len(train), "seconds": time.perf_counter() - started})
            _check_finite(history[-1], settings.learning_rate)
            if on_epoch is not None:
                on_epoch(history[-1])
            if loss < best_loss:
                best_loss, best_weights, bad_epochs = loss, copy.deepcopy(model.state_dict()), 0
            else:
                bad_epochs += 1
            if bad_epochs >= settings.patience:
                break
            scheduler.step(loss)
    model.load_state_dict(best_weights)
    save_weights(model, Path(folder) / WEIGHTS, channels=train.images.shape[3])
    return write_csv(pd.DataFrame(history), Path(folder) / HISTORY)


def train_epoch(model, optimizer, tensors: tuple[Tensor, Tensor], settings, generator) -> tuple[float, float]:
    """One pass over the training set in a new random order: mean loss and accuracy in %."""
    images, labels = tensors
    order = torch.randperm(len(labels), generator=generator)
    total = torch.zeros(2, device=labels.device)
    model.train()
    for index in batches(order, settings.batch_size):
        batch, target = images[index.to(images.device)], labels[index.to(labels.device)]
        if settings.horizontal_flip:
            batch = flip_half(batch, generator)
        with autocast(batch.device, settings.precision):
            logits = model(normalise(batch))
            loss = cross_entropy(logits, target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += torch.stack([loss.detach() * len(target), (logits.argmax(1) == target).sum()])
    return total[0].item() / len(labels), 100 * total[1].item() / len(labels)


@torch.no_grad()
def validate(model, tensors: tuple[Tensor, Tensor], settings) -> tuple[float, float]:
    """Mean cross-entropy and accuracy in % over a set, without flips or dropout."""
    images, labels = tensors
    model.eval()
    with autocast(images.device, settings.precision):
        logits = torch.cat([model(normalise(chunk)) for chunk in images.split(256)]).float()
    return cross_entropy(logits, labels).item(), 100 * (logits.argmax(1) == labels).double().mean().item()


@torch.no_grad()
def predict(model: ResEmoteNet, faces: FaceSet, *, batch_size: int = 256, device: str = "auto") -> np.ndarray:
    """Class probabilities (P_out of equation (3)), float32 [N, 7] in the order of ``EMOTIONS``.

    ``faces`` are first brought to RGB at ``model.image_size``. Never flipped: the authors' code flips at
    random at test time too, which makes a result depend on luck.
    """
    device = choose_device(device)
    model = model.to(device, memory_format=torch.channels_last).eval()
    logits = [model(normalise(chunk)) for chunk in as_tensors(faces, model.image_size, device)[0].split(batch_size)]
    return torch.cat(logits).float().softmax(1).cpu().numpy()


def load_model(folder: Path, profile: Profile) -> ResEmoteNet:
    """The network that ``train_model`` left in ``folder``, on the CPU, in eval mode."""
    path = Path(folder) / WEIGHTS
    if not path.is_file():
        raise CompanionError(f"No trained network at {path}. Train it first: notebook 05_training, or "
                             f"`python -m fer_utils reproduce --profile {profile.name}`.")
    return load_weights(_network(profile), path).eval()


def write_predictions(folder: Path, faces: FaceSet, probabilities: np.ndarray) -> Path:
    """Write predictions.csv, ``predictions_table`` as a file; returns its path."""
    path = Path(folder) / PREDICTIONS
    write_csv(predictions_table(faces, probabilities), path, float_format="%.6f")
    return path


def predictions_table(faces: FaceSet, probabilities: np.ndarray) -> pd.DataFrame:
    """One row per face: id, emotion (the label), predicted, p_anger ... p_surprise; ``probabilities`` [N, 7]."""
    if probabilities.shape != (len(faces), len(EMOTIONS)):
        raise CompanionError(f"Probabilities for {len(faces)} faces must have the shape "
                             f"{[len(faces), len(EMOTIONS)]}, found {list(probabilities.shape)}.")
    names = np.array(EMOTIONS)
    frame = pd.DataFrame({"id": faces.ids, "emotion": names[faces.labels],
                          "predicted": names[probabilities.argmax(axis=1)]})
    for label, emotion in enumerate(EMOTIONS):
        frame[f"p_{emotion}"] = probabilities[:, label]
    return frame


def as_tensors(faces: FaceSet, size: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """uint8 images [N, 3, size, size] (channels last in memory) and int64 labels [N], on ``device``.

    Each batch is normalised when it is used: as uint8, Aug. 4 of 105,000 faces takes 1.3 GB, not 5.2 GB.
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


def batches(order: Tensor, batch_size: int) -> Iterator[Tensor]:
    """``order`` in pieces of ``batch_size``; a single image left over joins the batch before it, because the
    last block leaves one value per channel and image at 64x64: alone it has no variance to normalise by."""
    pieces = list(order.split(batch_size))
    if len(pieces) > 1 and len(pieces[-1]) == 1:
        pieces[-2:] = [torch.cat(pieces[-2:])]
    yield from pieces


def autocast(device: torch.device, precision: str):
    """The context in which forward passes run: plain float32, or bfloat16 where PyTorch holds it safe."""
    if precision not in PRECISIONS:
        raise CompanionError(f"training.precision '{precision}' is unknown: {nearest(precision, PRECISIONS)}")
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bfloat16")


def choose_device(name: str) -> torch.device:
    """'cpu', 'cuda', or for 'auto' cuda where there is one; CompanionError for cuda where there is none."""
    if name not in ("auto", "cpu", "cuda"):
        raise CompanionError(f"run.device '{name}' is unknown: {nearest(name, ('auto', 'cpu', 'cuda'))}")
    if name == "cuda" and not torch.cuda.is_available():
        raise CompanionError("run.device is 'cuda' but PyTorch finds no CUDA device here; "
                             "use run.device=auto or run.device=cpu.")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


@contextmanager
def reproducible(seed: int, *, threads: int = 0):
    """Inside, torch's generators start from ``seed`` and only deterministic kernels run; outside, all is as
    before. ``threads`` > 0 sets torch's CPU threads (their number changes the low bits)."""
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")   # cuBLAS is deterministic only with this
    with torch.random.fork_rng(devices=range(min(torch.cuda.device_count(), 1))):
        torch.manual_seed(seed)
        torch.use_deterministic_algorithms(True)
        torch.set_num_threads(min(threads, before[0]) if threads else before[0])
        try:
            yield
        finally:
            torch.set_num_threads(before[0])
            torch.use_deterministic_algorithms(before[1])


def _network(profile: Profile) -> ResEmoteNet:
    return ResEmoteNet(profile.network.width, image_size=profile.network.image_size,
                       head_dropout=profile.network.head_dropout)


def _check_sizes(train, validation, batch_size: int) -> None:
    if batch_size < 2 or len(train) < 2 or len(validation) < 1:
        raise CompanionError("Batch normalisation needs at least 2 faces a batch, and 1 to validate on; found "
                             f"training.batch_size {batch_size}, {len(train)} training and {len(validation)} "
                             "validation faces. Raise training.batch_size or data.scale.")


def _check_cpu_kernels(profile: Profile, device: torch.device) -> None:
    """Keep away from two silent faults of oneDNN, PyTorch's CPU convolutions. Reported: gradient of a strided
    1x1 convolution of under 16 channels, channels last, is written past its buffer (uxlfoundation/oneDNN issue
    6035). Seen with PyTorch 2.14: in bfloat16 the weight gradient of a strided 3x3 convolution over a single
    pixel keeps what lay in that memory, up to 1e21."""
    if device.type == "cpu" and profile.network.width < 1 / 16:
        raise CompanionError(f"network.width {profile.network.width:g} is not safe to train on a CPU; use 0.0625.")
    if device.type == "cpu" and profile.training.precision == "bfloat16" and profile.network.image_size < 40:
        raise CompanionError("training.precision bfloat16 on a CPU needs network.image_size 40 or more, found "
                             f"{profile.network.image_size}; use float32.")


def _check_finite(row: dict, learning_rate: float) -> None:
    if not np.isfinite(row["validation_loss"]):
        raise CompanionError(f"Training diverged: validation loss {row['validation_loss']} in epoch {row['epoch']}. "
                             f"Lower training.learning_rate (now {learning_rate:g}).")


def write_csv(frame: pd.DataFrame, path: Path, **options) -> pd.DataFrame:
    """Write a table atomically, with the same line ends everywhere; returns it."""
    with atomic_write(path, "w", encoding="utf-8", newline="") as file:
        frame.to_csv(file, index=False, lineterminator="\n", **options)
    return frame
