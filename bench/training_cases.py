"""What ``bench training`` measures: one case in this process, a round for each line of the input.

The authors' way is that of train_files/ResEmoteNet_train.py, get_dataset.py and script_csv.py in
https://github.com/ArnabKumarRoy02/ResEmoteNet at commit fabbe68; ours is what the package
``training`` does.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.nn.functional import cross_entropy
from torch.optim import SGD

from bench.measuring import peak_mb
from fer_utils.core.devices import choose_device
from fer_utils.core.faces import FaceSet, concatenate
from fer_utils.core.profiles import load_profile
from fer_utils.datasets import load_splits
from fer_utils.training import as_tensors, predict, train_epoch
from fer_utils.training.batches import MEAN, STANDARD_DEVIATION
from fer_utils.training.reduced_network import ReducedResEmoteNet
from fer_utils.training.resemotenet import ResEmoteNet

WIDTH, BATCH, BATCHES, ROUNDS = 1.0, 16, 2, 5
FACES = BATCH * BATCHES
# passes over them in one evaluation: theirs does nothing once for a whole set
EVALUATED_THEIRS, EVALUATED_OURS = 2, 12

TRAIN_THEIRS, EVALUATE_THEIRS = "training, authors' way", "evaluation, authors' way, batches of 16"
EVALUATE_THEIRS_ONE = "evaluation, authors' way, image by image"
TRAIN_OURS, EVALUATE_OURS = "training, ours", "evaluation, ours, batches of 16"


def write_faces(folder: Path) -> None:
    """``FACES`` drawn faces as JPEG files whose names end in their labels."""
    faces = load_splits(
        "demo_fer2013", load_profile("demo", ["data.scale=0.004", "data.evaluation_scale=0.01"])
    ).train
    for number, image in enumerate(faces.images[:FACES]):
        Image.fromarray(image[:, :, 0]).save(
            folder / f"{number:04}_{faces.labels[number]}.jpg", quality=95
        )


class _OpenedEachTime(torch.utils.data.Dataset):
    """As get_dataset.py: the file is opened and transformed whenever an image is asked for."""

    def __init__(self, folder: Path, *, flip: bool = True, passes: int = 1):
        from torchvision import transforms

        self.paths = sorted(folder.glob("*.jpg")) * passes
        self.transform = transforms.Compose(
            [
                transforms.Resize((64, 64)),
                transforms.Grayscale(num_output_channels=3),
                *([transforms.RandomHorizontalFlip()] if flip else []),
                transforms.ToTensor(),
                transforms.Normalize(MEAN, STANDARD_DEVIATION),
            ]
        )

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, number: int):
        path = self.paths[number]
        return self.transform(Image.open(path)), int(path.stem.split("_")[1])


def _their_training(folder: Path, place: torch.device) -> Callable[[], object]:
    loader = torch.utils.data.DataLoader(_OpenedEachTime(folder), batch_size=BATCH, shuffle=True)
    model = ResEmoteNet(WIDTH).to(place).train()
    optimizer = SGD(model.parameters(), lr=0.001, momentum=0.9, weight_decay=1e-4)

    def epoch():
        for inputs, labels in loader:
            inputs, labels = inputs.to(place), labels.to(place)
            optimizer.zero_grad()
            outputs = model(inputs)
            loss = cross_entropy(outputs, labels)
            loss.backward()
            optimizer.step()
            loss.item(), (outputs.argmax(1) == labels).sum().item()

    return epoch


def _our_training(
    folder: Path, place: torch.device, precision: str, *, compiled: bool = False
) -> Callable[[], object]:
    settings = load_profile("paper").training
    network = ReducedResEmoteNet(ResEmoteNet(WIDTH)).to(place, memory_format=torch.channels_last)
    optimizer = SGD(network.parameters(), lr=0.001, momentum=0.9, weight_decay=1e-4, fused=True)
    trained = torch.compile(network, mode="reduce-overhead") if compiled else network
    tensors, generator = (
        as_tensors(_read_once(folder), network.image_size, place),
        torch.Generator().manual_seed(0),
    )
    return lambda: train_epoch(
        trained,
        optimizer,
        tensors,
        settings,
        generator,
        order=torch.randperm(FACES),
        precision=precision,
    )


def _their_evaluation(folder: Path, place: torch.device, batch_size: int) -> Callable[[], object]:
    # Image by image is script_csv.py, which writes the scores of the confusion matrices, and does
    # not flip.
    loader = torch.utils.data.DataLoader(
        _OpenedEachTime(folder, flip=batch_size > 1, passes=EVALUATED_THEIRS), batch_size=batch_size
    )
    model = ResEmoteNet(WIDTH).to(place).eval()

    def evaluate():
        with torch.no_grad():
            return [model(inputs.to(place)).softmax(1).cpu() for inputs, _ in loader]

    return evaluate


def _our_evaluation(folder: Path, place: torch.device, precision: str) -> Callable[[], object]:
    faces, model = concatenate(*[_read_once(folder)] * EVALUATED_OURS), ResEmoteNet(WIDTH).eval()
    return lambda: predict(model, faces, batch_size=BATCH, device=place.type, precision=precision)


def _read_once(folder: Path) -> FaceSet:
    paths = sorted(folder.glob("*.jpg"))
    images = np.stack([np.asarray(Image.open(path)) for path in paths])[..., None]
    names = np.array([path.stem for path in paths])
    return FaceSet(images, np.array([int(name.split("_")[1]) for name in names]), names, names)


def images_in(name: str) -> int:
    """Images in a round of a case."""
    return FACES * (
        1 if name.startswith("training") else EVALUATED_OURS if "ours" in name else EVALUATED_THEIRS
    )


def work_of(name: str, folder: Path, place: torch.device) -> Callable[[], object]:
    """A round of a case, ready to run: everything that is done once for a whole training or
    evaluation is done."""
    if name in (EVALUATE_THEIRS, EVALUATE_THEIRS_ONE):
        return _their_evaluation(folder, place, BATCH if name == EVALUATE_THEIRS else 1)
    if name == TRAIN_THEIRS:
        return _their_training(folder, place)
    precision = "bfloat16" if "bfloat16" in name else "float32"
    if name.startswith(EVALUATE_OURS):
        return _our_evaluation(folder, place, precision)
    return _our_training(folder, place, precision, compiled="compiled" in name)


def least_cost(
    network: torch.nn.Module, place: torch.device, precision: str, *, training: bool
) -> float:
    """Seconds (``cost`` of ``_timed``) that a batch takes at least here: its arithmetic at the
    speed of a large matrix product, or its weights' way through memory at the speed of a large
    copy, whichever is longer (the roofline of Williams, Waterman, Patterson 2009)."""
    from torch.utils.flop_counter import FlopCounterMode

    network.train(training)
    with FlopCounterMode(display=False) as counter, torch.set_grad_enabled(training):
        output = network(torch.zeros(BATCH, 3, 64, 64, device=place))
        if training:
            output.sum().backward()
    weights = sum(parameter.numel() for parameter in network.parameters())
    # read twice, gradient out and in, weight and momentum in and out
    moved = 4 * weights * (8 if training else 1)
    flops, bandwidth = _fastest(place, precision)
    return max(counter.get_total_flops() / flops, moved / bandwidth)


def _fastest(place: torch.device, precision: str) -> tuple[float, float]:
    """Operations and bytes a second of a large matrix product and of a large copy."""
    size = 8192 if place.type == "cuda" else 1536
    matrix = torch.ones(size, size, device=place, dtype=getattr(torch, precision))
    block = torch.ones(64 * 1024 * 1024, device=place)
    product = min(_timed(lambda: matrix @ matrix, place)["cost"] for _ in range(5))
    copy = min(_timed(lambda: block.clone(), place)["cost"] for _ in range(5))
    return 2 * size**3 / product, 2 * 4 * block.numel() / copy


def _timed(work: Callable[[], object], place: torch.device) -> dict[str, float]:
    """seconds, and cost: on a CPU the processor seconds of all threads, which others' work on it
    does not lengthen."""
    _wait(place)
    started, processor = time.perf_counter(), time.process_time()
    work()
    _wait(place)
    seconds, processor = time.perf_counter() - started, time.process_time() - processor
    return {"seconds": seconds, "cost": seconds if place.type == "cuda" else processor}


def _wait(place: torch.device) -> None:
    if place.type == "cuda":
        torch.cuda.synchronize()


def _held_mb(place: torch.device) -> float:
    """The most memory held: of the GPU where there is one, else of the process."""
    return torch.cuda.max_memory_allocated() / 1e6 if place.type == "cuda" else peak_mb()


def _answer(name: str, folder: Path, place: torch.device) -> None:
    """A line of JSON for each line of the input: one round, and with the last what a batch takes at
    least here."""
    torch.manual_seed(0)
    work = work_of(name, folder, place)
    for number, _ in enumerate(sys.stdin):
        answer = _timed(work, place) | {"peak_mb": _held_mb(place)}
        if number == ROUNDS:  # after the peak was read
            network = ReducedResEmoteNet(ResEmoteNet(WIDTH)).to(place)
            answer["least"] = least_cost(
                network,
                place,
                "bfloat16" if "bfloat16" in name else "float32",
                training=name.startswith("training"),
            )
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    _answer(sys.argv[1], Path(sys.argv[2]), choose_device(sys.argv[3]))
