"""Training and evaluating the paper's network at full width against the authors' way: ``python -m fer_utils bench training``.

Theirs, as in train_files/ResEmoteNet_train.py and script_csv.py of https://github.com/ArnabKumarRoy02/ResEmoteNet: every
image opened by PIL and transformed each time it is used, in a DataLoader; the full network in float32; plain SGD. Ours is
what ``training`` does. Every case runs in a process of its own and the cases take turns, so that none profits from
another's memory and a slow moment of the machine meets all of them.
"""

import json
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch.nn.functional import cross_entropy
from torch.optim import SGD

from fer_utils.bench.measuring import peak_mb
from fer_utils.devices import choose_device
from fer_utils.errors import CompanionError
from fer_utils.faces import FaceSet, concatenate
from fer_utils.paths import atomic_write, project_root
from fer_utils.profiles import load_profile
from fer_utils.provenance import hardware
from fer_utils.reduced_network import ReducedResEmoteNet
from fer_utils.resemotenet import ResEmoteNet
from fer_utils.tables.text import markdown_table
from fer_utils.training import as_tensors, has_bfloat16, predict, train_epoch
from fer_utils.training.batches import MEAN, STANDARD_DEVIATION

WIDTH, BATCH, BATCHES, ROUNDS = 1.0, 16, 2, 5
FACES = BATCH * BATCHES
EVALUATED = 3   # passes over them that make one evaluation, so that what is done once a set weighs no more than it should

TRAIN_THEIRS, EVALUATE_THEIRS = "training, authors' way", "evaluation, authors' way, batches of 16"
EVALUATE_THEIRS_ONE = "evaluation, authors' way, image by image"
TRAIN_OURS, EVALUATE_OURS = "training, ours", "evaluation, ours, batches of 16"


def bench_training(device: str = "auto") -> Iterator[str]:
    """Yields lines, and writes ``tables/benchmarks/training``; minutes on a CPU. Drawn faces, written as JPEG files of
    48x48 as FER2013's usual copy has them, and an untrained network: neither changes what is computed."""
    place = choose_device(device)
    yield "On the GPU." if place.type == "cuda" else "No GPU here or none wanted: the same command measures one where " \
        "PyTorch finds it."
    with tempfile.TemporaryDirectory() as folder:
        _write_faces(Path(folder))
        rows = []
        for names in _groups(place):
            rows += _take_turns(names, Path(folder), place)
            yield from (f"{row['case']}: {row['images_per_second']:.1f} images/s, {row['peak_mb']:,.0f} MB"
                        for row in rows[-len(names):])
    table = pd.DataFrame(rows)
    ratios = speed_ratios(table)
    _write(table, ratios, place)
    yield from (f"{name}: {value:.2f}" for name, value in ratios.items())


def speed_ratios(table: pd.DataFrame) -> dict[str, float]:
    """Each of our cases against the authors' way of the same work: how many times as fast, and the share of memory."""
    found, cases = {}, table.set_index("case")
    for theirs in (TRAIN_THEIRS, EVALUATE_THEIRS, EVALUATE_THEIRS_ONE):
        for ours in (name for name in cases.index if name.split(",")[0] == theirs.split(",")[0] and "ours" in name):
            one, other = cases.loc[ours], cases.loc[theirs]
            found[f"{ours}: times as fast as {theirs}"] = one["images_per_second"] / other["images_per_second"]
            found[f"{ours}: times less processor time than {theirs}"] = \
                other["processor_ms_per_image"] / one["processor_ms_per_image"]
            found[f"{ours}: share of the memory of {theirs}"] = one["peak_mb"] / other["peak_mb"]
    return found


def _groups(place: torch.device) -> list[list[str]]:
    """The cases that take turns with each other."""
    kinds = ["float32", *(["bfloat16"] if has_bfloat16(place) else [])]
    compiled = [f"{TRAIN_OURS}, {kind}, compiled" for kind in kinds if place.type == "cuda"]
    return [[TRAIN_THEIRS, *(f"{TRAIN_OURS}, {kind}" for kind in kinds), *compiled],
            [EVALUATE_THEIRS, EVALUATE_THEIRS_ONE, *(f"{EVALUATE_OURS}, {kind}" for kind in kinds)]]


def _take_turns(names: list[str], folder: Path, place: torch.device) -> list[dict]:
    """One row per case: case, images_per_second (median), processor_ms_per_image (of all threads together; median),
    ms_per_image with its quartiles, share_of_limit (``least_seconds``), peak_mb, rounds, images_a_round."""
    running = {name: subprocess.Popen([sys.executable, "-m", "fer_utils.bench.training", name, str(folder), place.type],
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for name in names}
    try:
        answers = {name: [_ask(process, name)] for name, process in running.items()}   # the first round only warms up
        for _ in range(ROUNDS):
            for name, process in running.items():
                answers[name].append(_ask(process, name))
    finally:
        for process in running.values():
            process.communicate()
    return [_row(name, answers[name]) for name in names]


def _ask(process: subprocess.Popen, name: str) -> dict:
    process.stdin.write("\n")
    process.stdin.flush()
    line = process.stdout.readline()
    if not line:
        raise CompanionError(f"The case '{name}' of the benchmark stopped; its error stands above.")
    return json.loads(line)


def _row(name: str, answers: list[dict]) -> dict:
    images = FACES if name.startswith("training") else FACES * EVALUATED
    seconds = np.array([answer["seconds"] for answer in answers[1:]]) / images
    low, median, high = np.quantile(seconds, [0.25, 0.5, 0.75])
    processor = float(np.median([answer["processor"] for answer in answers[1:]])) / images
    return {"case": name, "images_per_second": 1 / median, "processor_ms_per_image": 1e3 * processor, "ms_per_image": 1e3 * median, "first_quartile": 1e3 * low,
            "third_quartile": 1e3 * high, "share_of_limit": answers[-1]["limit"] / BATCH / median,
            "peak_mb": answers[-1]["peak_mb"], "rounds": len(seconds), "images_a_round": images}


def _write_faces(folder: Path) -> None:
    from fer_utils.datasets import load_splits

    faces = load_splits("demo_fer2013", load_profile("demo", ["data.scale=0.004", "data.evaluation_scale=0.01"])).train
    for number, image in enumerate(faces.images[:FACES]):
        Image.fromarray(image[:, :, 0]).save(folder / f"{number:04}_{faces.labels[number]}.jpg", quality=95)


class _OpenedEachTime(torch.utils.data.Dataset):
    """As get_dataset.py: the file is opened and transformed whenever an image is asked for."""

    def __init__(self, folder: Path, *, flip: bool = True, passes: int = 1):
        from torchvision import transforms

        self.paths = sorted(folder.glob("*.jpg")) * passes
        self.transform = transforms.Compose([
            transforms.Resize((64, 64)), transforms.Grayscale(num_output_channels=3),
            *([transforms.RandomHorizontalFlip()] if flip else []),
            transforms.ToTensor(), transforms.Normalize(MEAN, STANDARD_DEVIATION)])

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


def _our_training(folder: Path, place: torch.device, precision: str, *, compiled: bool = False) -> Callable[[], object]:
    settings = load_profile("paper").training
    network = ReducedResEmoteNet(ResEmoteNet(WIDTH)).to(place, memory_format=torch.channels_last)
    optimizer = SGD(network.parameters(), lr=0.001, momentum=0.9, weight_decay=1e-4, fused=True)
    trained = torch.compile(network, mode="reduce-overhead") if compiled else network
    tensors, generator = as_tensors(_read_once(folder), network.image_size, place), torch.Generator().manual_seed(0)
    return lambda: train_epoch(trained, optimizer, tensors, settings, generator, order=torch.randperm(FACES),
                               precision=precision)


def _their_evaluation(folder: Path, place: torch.device, batch_size: int) -> Callable[[], object]:
    # Image by image is script_csv.py, which writes the scores of the confusion matrices, and does not flip.
    loader = torch.utils.data.DataLoader(_OpenedEachTime(folder, flip=batch_size > 1, passes=EVALUATED),
                                         batch_size=batch_size)
    model = ResEmoteNet(WIDTH).to(place).eval()

    def evaluate():
        with torch.no_grad():
            return [model(inputs.to(place)).softmax(1).cpu() for inputs, _ in loader]
    return evaluate


def _our_evaluation(folder: Path, place: torch.device, precision: str) -> Callable[[], object]:
    faces, model = concatenate(*[_read_once(folder)] * EVALUATED), ResEmoteNet(WIDTH).eval()
    return lambda: predict(model, faces, batch_size=BATCH, device=place.type, precision=precision)


def _read_once(folder: Path) -> FaceSet:
    paths = sorted(folder.glob("*.jpg"))
    images = np.stack([np.asarray(Image.open(path)) for path in paths])[..., None]
    names = np.array([path.stem for path in paths])
    return FaceSet(images, np.array([int(name.split("_")[1]) for name in names]), names, names)


def _work(name: str, folder: Path, place: torch.device) -> Callable[[], object]:
    if name in (EVALUATE_THEIRS, EVALUATE_THEIRS_ONE):
        return _their_evaluation(folder, place, BATCH if name == EVALUATE_THEIRS else 1)
    if name == TRAIN_THEIRS:
        return _their_training(folder, place)
    precision = "bfloat16" if "bfloat16" in name else "float32"
    if name.startswith(EVALUATE_OURS):
        return _our_evaluation(folder, place, precision)
    return _our_training(folder, place, precision, compiled="compiled" in name)


def least_seconds(network: torch.nn.Module, place: torch.device, precision: str, *, training: bool) -> float:
    """What a batch of ``BATCH`` takes at least here (roofline: Williams, Waterman, Patterson 2009): its arithmetic at the
    speed of a large matrix product, or its weights' way through memory at the speed of a large copy, whichever is longer.
    """
    from torch.utils.flop_counter import FlopCounterMode

    network.train(training)
    with FlopCounterMode(display=False) as counter, torch.set_grad_enabled(training):
        output = network(torch.zeros(BATCH, 3, 64, 64, device=place))
        if training:
            output.sum().backward()
    weights = sum(parameter.numel() for parameter in network.parameters())
    moved = 4 * weights * (8 if training else 1)   # read twice, gradient out and in, weight and momentum in and out
    flops, bandwidth = _fastest(place, precision)
    return max(counter.get_total_flops() / flops, moved / bandwidth)


def _fastest(place: torch.device, precision: str) -> tuple[float, float]:
    """Operations and bytes a second of a large matrix product and of a large copy."""
    size = 8192 if place.type == "cuda" else 1536
    matrix = torch.ones(size, size, device=place, dtype=getattr(torch, precision))
    block = torch.ones(64 * 1024 * 1024, device=place)
    product = min(_seconds(lambda: matrix @ matrix, place) for _ in range(5))
    copy = min(_seconds(lambda: block.clone(), place) for _ in range(5))
    return 2 * size ** 3 / product, 2 * 4 * block.numel() / copy


def _seconds(work: Callable[[], object], place: torch.device) -> float:
    _wait(place)
    started = time.perf_counter()
    work()
    _wait(place)
    return time.perf_counter() - started


def _wait(place: torch.device) -> None:
    if place.type == "cuda":
        torch.cuda.synchronize()


def _held_mb(place: torch.device) -> float:
    """The most memory held: of the GPU where there is one, else of the process."""
    return torch.cuda.max_memory_allocated() / 1e6 if place.type == "cuda" else peak_mb()


def _answer(name: str, folder: Path, place: torch.device) -> None:
    """One round for each line of the input; a line of JSON with its seconds, and with the first the machine's limit."""
    torch.manual_seed(0)
    work = _work(name, folder, place)
    for number, _ in enumerate(sys.stdin):
        before = time.process_time()   # a machine that others use too lengthens seconds, not these
        answer = {"seconds": _seconds(work, place), "processor": time.process_time() - before,
                  "peak_mb": _held_mb(place)}
        if number == ROUNDS:   # after the peak was read
            network = ReducedResEmoteNet(ResEmoteNet(WIDTH)).to(place)
            answer["limit"] = least_seconds(network, place, "bfloat16" if "bfloat16" in name else "float32",
                                                      training=name.startswith("training"))
        print(json.dumps(answer), flush=True)


def _write(table: pd.DataFrame, ratios: dict[str, float], place: torch.device) -> None:
    machine = f"{hardware()}, {torch.get_num_threads()} threads, PyTorch {torch.__version__}, Python {platform.python_version()}"
    folder = project_root() / "tables" / "benchmarks"
    with atomic_write(folder / "training.csv", "w", encoding="utf-8") as file:
        table.assign(machine=machine).to_csv(file, index=False, lineterminator="\n", float_format="%.4g")
    shown = pd.DataFrame({
        "case": table["case"], "images/s": table["images_per_second"].map("{:.1f}".format),
        "ms per image, median [quartiles]": [f"{row.ms_per_image:.1f} [{row.first_quartile:.1f}, {row.third_quartile:.1f}]"
                                             for row in table.itertuples()],
        "processor ms per image": table["processor_ms_per_image"].map("{:.1f}".format),
        "share of the machine's limit": table["share_of_limit"].map("{:.0%}".format),
        "peak MB": table["peak_mb"].map("{:,.0f}".format)})
    compared = pd.DataFrame({"ratio": list(ratios), "value": [f"{value:.2f}" for value in ratios.values()]})
    with atomic_write(folder / "training.md", "w", encoding="utf-8") as file:
        file.write(f"ResEmoteNet of width {WIDTH:g} on 64x64 images, batches of {BATCH}. Median of {ROUNDS} rounds of {FACES} "
                   f"images trained on, {FACES * EVALUATED} evaluated, the cases taking turns, on: {machine}.\n\n{markdown_table(shown)}\n\n{markdown_table(compared)}\n")


if __name__ == "__main__":
    _answer(sys.argv[1], Path(sys.argv[2]), choose_device(sys.argv[3]))
