"""Milliseconds per image from the paper's network at its full width: ``python -m bench latency``.

The paper states 1.4 ms for FER2013 and 4.7 ms for RAF-DB at a batch size of 16 (section IV) and not
what was timed. Both sets reach the network as 64x64 images, so here three things are timed for
each: the network alone, decoding and resizing alone (of PNG files in memory, 48x48 gray for FER2013
and 100x100 colour for RAF-DB), and from PNG files to probabilities, which is both.
"""

import io
import time
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
import PIL.Image
import torch

from bench.measuring import write_benchmark
from fer_utils.core.devices import choose_device
from fer_utils.core.errors import CompanionError
from fer_utils.core.faces import FaceSet
from fer_utils.core.profiles import load_profile
from fer_utils.core.reference import read_reference
from fer_utils.datasets import dataset_info, load_splits
from fer_utils.training import as_tensors, normalise, predict
from fer_utils.training.resemotenet import ResEmoteNet

WIDTH = 1.0
REPEATS, WARM_UP = 20, 2
BATCH_SIZES = (1, 16)
DATASETS = ("demo_fer2013", "demo_rafdb")
ALONE, DECODING, FROM_PNG = (
    "network alone",
    "decoding and resizing alone",
    "from PNG to probabilities",
)
TIMED = (ALONE, DECODING, FROM_PNG)


def bench_latency(device: str = "auto") -> Iterator[str]:
    """Time every case; yields lines, and writes ``tables/benchmarks/latency``. Minutes on a CPU."""
    table = latency(device)
    _write(table)
    for row in table.itertuples():
        yield f"{row.dataset}, {row.timed}, batch {row.batch_size}: {_quartiles(row)} ms per image"
    yield from (f"{name}: {value:.2f}" for name, value in ratios(table).items())


def latency(device: str = "auto") -> pd.DataFrame:
    """One row per data set, batch size and what is timed: dataset, image (of the PNG), timed,
    batch_size, paper, median, first_quartile, third_quartile (ms per image), repeats, device,
    threads.

    Faces are drawn and the network is untrained: neither changes what is computed. The cases take
    turns, so that a slow moment of the machine meets all of them; a repeat is one batch.
    """
    place = choose_device(device)
    model = ResEmoteNet(WIDTH).to(place, memory_format=torch.channels_last).eval()
    drawn = {name: _drawn(name) for name in DATASETS}
    cases = {
        (name, timed, size): _work(model, faces.select(np.arange(size)), timed, place)
        for name, faces in drawn.items()
        for timed in TIMED
        for size in BATCH_SIZES
    }
    taken = {key: [] for key in cases}
    for turn in range(WARM_UP + REPEATS):
        for key, work in cases.items():
            seconds = _seconds(work, place)
            if turn >= WARM_UP:
                taken[key].append(1000 * seconds / key[-1])
    return pd.DataFrame([_row(*key, times, place) for key, times in taken.items()])


def ratios(table: pd.DataFrame) -> dict[str, float]:
    """How many times as long RAF-DB takes as FER2013 at the paper's batch size, ours of each kind
    and the paper's."""
    rows = table[table["batch_size"] == BATCH_SIZES[-1]].set_index(["timed", "dataset"])
    first, second = (dataset_info(name).paper_name for name in DATASETS)
    found = {
        f"{second} / {first}, {timed}": rows["median"][timed, second] / rows["median"][timed, first]
        for timed in TIMED
    }
    return found | {f"{second} / {first}, as the paper states": _stated(second) / _stated(first)}


def as_png(faces: FaceSet) -> list[bytes]:
    """Each face as the bytes of a PNG file."""
    files = []
    for image in faces.images:
        buffer = io.BytesIO()
        PIL.Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(buffer, "PNG")
        files.append(buffer.getvalue())
    return files


def from_png(files: list[bytes], faces: FaceSet) -> FaceSet:
    """The faces read from PNG files; labels, ids and origin from ``faces``."""
    images = [np.asarray(PIL.Image.open(io.BytesIO(content))) for content in files]
    return FaceSet(
        np.stack(images).reshape(faces.images.shape), faces.labels, faces.ids, faces.origin
    )


def _drawn(name: str) -> FaceSet:
    few = load_profile("demo", ["data.scale=0.0005", "data.evaluation_scale=0.01"])
    faces = load_splits(name, few).test
    if len(faces) < max(BATCH_SIZES):
        raise CompanionError(
            f"{len(faces)} faces of {name} are not enough for a batch of {max(BATCH_SIZES)}."
        )
    return faces


def _work(
    model: ResEmoteNet, faces: FaceSet, timed: str, place: torch.device
) -> Callable[[], object]:
    if timed == ALONE:
        images = normalise(as_tensors(faces, model.image_size, place)[0])
        return lambda: model(images)
    files = as_png(faces)
    if timed == DECODING:
        return lambda: as_tensors(from_png(files, faces), model.image_size, place)
    return lambda: predict(model, from_png(files, faces), batch_size=len(files), device=place.type)


@torch.inference_mode()
def _seconds(work: Callable[[], object], place: torch.device) -> float:
    _wait(place)
    started = time.perf_counter()
    work()
    _wait(place)
    return time.perf_counter() - started


def _wait(place: torch.device) -> None:
    """A GPU works on after a call has returned."""
    if place.type == "cuda":
        torch.cuda.synchronize()


def _row(name: str, timed: str, size: int, times: list[float], place: torch.device) -> dict:
    first, middle, third = np.quantile(times, [0.25, 0.5, 0.75])
    info = dataset_info(name)
    image = "48x48 gray" if info.channels == 1 else "100x100 colour"
    return {
        "dataset": info.paper_name,
        "image": image,
        "timed": timed,
        "batch_size": size,
        "paper": (
            _stated(info.paper_name) if size == BATCH_SIZES[-1] and timed != DECODING else np.nan
        ),
        "median": middle,
        "first_quartile": first,
        "third_quartile": third,
        "repeats": len(times),
        "device": torch.cuda.get_device_name() if place.type == "cuda" else "CPU",
        "threads": torch.get_num_threads(),
    }


def _stated(dataset: str) -> float:
    """The paper's milliseconds per image."""
    claims = (
        read_reference("claims").query("kind == 'inference time'").set_index("dataset")["printed"]
    )
    return float(claims[dataset])


def _quartiles(row) -> str:
    return f"{row.median:.2f} [{row.first_quartile:.2f}, {row.third_quartile:.2f}]"


def _write(table: pd.DataFrame) -> None:
    """Times change from run to run, so no run of the stages makes this table."""
    shown = pd.DataFrame(
        {
            "data set": table["dataset"],
            "image": table["image"],
            "timed": table["timed"],
            "batch size": table["batch_size"],
            "paper": ["" if pd.isna(value) else f"{value:g}" for value in table["paper"]],
            "ours, median [quartiles]": [_quartiles(row) for row in table.itertuples()],
        }
    )
    about = table.iloc[0]
    write_benchmark(
        "latency",
        table,
        shown,
        ratios(table),
        about=(
            f"Milliseconds per image of ResEmoteNet at width {WIDTH:g}, float32. Ours:"
            f" {about['repeats']} repeats on {about['device']}, {about['threads']} threads; the"
            " paper: NVIDIA Tesla P100, what was timed is not stated."
        ),
    )
