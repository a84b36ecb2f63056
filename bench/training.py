"""Training and evaluating the paper's network at full width: ``python -m bench training``.

Against the authors' way, as in train_files/ResEmoteNet_train.py and script_csv.py of
https://github.com/ArnabKumarRoy02/ResEmoteNet: every image opened by PIL and transformed each time
it is used, in a DataLoader; the full network in float32; plain SGD. Ours is what ``training`` does.
Every case runs in a process of its own and the cases take turns, so that none profits from
another's memory and a slow moment of the machine meets all.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from bench.measuring import write_benchmark
from bench.training_cases import (
    BATCH,
    EVALUATE_OURS,
    EVALUATE_THEIRS,
    EVALUATE_THEIRS_ONE,
    ROUNDS,
    TRAIN_OURS,
    TRAIN_THEIRS,
    WIDTH,
    images_in,
    write_faces,
)
from fer_utils.core.devices import choose_device
from fer_utils.core.errors import CompanionError
from fer_utils.training import has_bfloat16


def bench_training(device: str = "auto") -> Iterator[str]:
    """Yields lines, and writes ``tables/benchmarks/training``; minutes on a CPU. Drawn faces,
    written as JPEG files of 48x48 as FER2013's usual copy has them, and an untrained network:
    neither changes what is computed."""
    place = choose_device(device)
    if place.type != "cuda":
        yield "No GPU here or none wanted: the same command measures one where PyTorch finds it."
    with tempfile.TemporaryDirectory() as folder:
        write_faces(Path(folder))
        rows = []
        for names in _groups(place):
            rows += _take_turns(names, Path(folder), place)
            yield from (
                f"{row['case']}: {row['images_per_second']:.1f} images/s, {row['peak_mb']:,.0f} MB"
                for row in rows[-len(names) :]
            )
    table = pd.DataFrame(rows)
    ratios = speed_ratios(table)
    _write(table, ratios)
    yield from (f"{name}: {value:.2f}" for name, value in ratios.items())


def speed_ratios(table: pd.DataFrame) -> dict[str, float]:
    """Each of our cases against the authors' way of the same work: how many times as fast, and the
    share of memory."""
    found, cases = {}, table.set_index("case")
    for theirs in (TRAIN_THEIRS, EVALUATE_THEIRS, EVALUATE_THEIRS_ONE):
        for ours in (
            name
            for name in cases.index
            if name.split(",")[0] == theirs.split(",")[0] and "ours" in name
        ):
            one, other = cases.loc[ours], cases.loc[theirs]
            found[f"{ours}: times as fast as {theirs}"] = (
                one["images_per_second"] / other["images_per_second"]
            )
            found[f"{ours}: times less processor time than {theirs}"] = (
                other["processor_ms_per_image"] / one["processor_ms_per_image"]
            )
            found[f"{ours}: share of the memory of {theirs}"] = one["peak_mb"] / other["peak_mb"]
    return found


def _groups(place: torch.device) -> list[list[str]]:
    """The cases that take turns with each other."""
    kinds = ["float32", *(["bfloat16"] if has_bfloat16(place) else [])]
    compiled = [f"{TRAIN_OURS}, {kind}, compiled" for kind in kinds if place.type == "cuda"]
    return [
        [TRAIN_THEIRS, *(f"{TRAIN_OURS}, {kind}" for kind in kinds), *compiled],
        [EVALUATE_THEIRS, EVALUATE_THEIRS_ONE, *(f"{EVALUATE_OURS}, {kind}" for kind in kinds)],
    ]


def _take_turns(names: list[str], folder: Path, place: torch.device) -> list[dict]:
    """One row per case: case, images_per_second and ms_per_image (medians), its quartiles,
    processor_ms_per_image (of all threads together; on a GPU seconds), share_of_limit
    (``least_cost``), peak_mb, rounds, images_a_round."""
    command = [sys.executable, "-m", "bench.training_cases"]
    running = {
        name: subprocess.Popen(
            [*command, name, str(folder), place.type],
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for name in names
    }
    try:
        # the first round only warms up
        answers = {name: [_ask(process, name)] for name, process in running.items()}
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
    images = images_in(name)
    seconds, cost = (
        np.array([answer[key] for answer in answers[1:]]) / images for key in ("seconds", "cost")
    )
    low, median, high = 1e3 * np.quantile(seconds, [0.25, 0.5, 0.75])
    return {
        "case": name,
        "images_per_second": 1e3 / median,
        "ms_per_image": median,
        "first_quartile": low,
        "third_quartile": high,
        "processor_ms_per_image": 1e3 * np.median(cost),
        "share_of_limit": answers[-1]["least"] / BATCH / np.median(cost),
        "peak_mb": answers[-1]["peak_mb"],
        "rounds": len(seconds),
        "images_a_round": images,
    }


def _write(table: pd.DataFrame, ratios: dict[str, float]) -> None:
    shown = pd.DataFrame(
        {
            "case": table["case"],
            "images/s": table["images_per_second"].map("{:.1f}".format),
            "ms per image, median [quartiles]": [_quartiles(row) for row in table.itertuples()],
            "rounds of images": [
                f"{row.rounds} of {row.images_a_round}" for row in table.itertuples()
            ],
            "processor ms per image": table["processor_ms_per_image"].map("{:.1f}".format),
            "share of the machine's limit": table["share_of_limit"].map("{:.0%}".format),
            "peak MB": table["peak_mb"].map("{:,.0f}".format),
        }
    )
    threads = torch.get_num_threads()
    write_benchmark(
        "training",
        table,
        shown,
        ratios,
        about=(
            f"ResEmoteNet of width {WIDTH:g} on 64x64 images, batches of {BATCH} (the authors'"
            f" scores: image by image), {threads} thread{'s' if threads != 1 else ''}. Median of"
            f" {ROUNDS} rounds, the cases taking turns. Processor time is that of all threads"
            " together and, unlike seconds, hardly depends on what else the machine does. The"
            " machine's limit is the larger of two times: the batch's arithmetic at the speed of a"
            " large matrix product, and its weights' way through memory at the speed of a large"
            " copy."
        ),
    )


def _quartiles(row) -> str:
    return f"{row.ms_per_image:.1f} [{row.first_quartile:.1f}, {row.third_quartile:.1f}]"
