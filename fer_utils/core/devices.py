"""Where tensors live and with how many threads: the CPU, or a GPU where there is one."""

import os
import platform
from contextlib import contextmanager

import torch

from fer_utils.core.errors import CompanionError, nearest


def choose_device(name: str) -> torch.device:
    """'cpu', 'cuda', or for 'auto' cuda where there is one; CompanionError for cuda where there is
    none."""
    if name not in ("auto", "cpu", "cuda"):
        raise CompanionError(
            f"run.device '{name}' is unknown: {nearest(name, ('auto', 'cpu', 'cuda'))}"
        )
    if name == "cuda" and not torch.cuda.is_available():
        raise CompanionError(
            "run.device is 'cuda' but PyTorch finds no CUDA device here; "
            "use run.device=auto or run.device=cpu."
        )
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def device_words(name: str = "auto") -> str:
    """The device of ``choose_device`` in words: the name of the GPU, or the processor's kind and
    cores."""
    if choose_device(name).type == "cuda":
        return torch.cuda.get_device_name()
    return f"CPU {platform.machine()}, {os.cpu_count()} cores"


@contextmanager
def one_thread():
    """Inside, torch computes on one thread; also a decorator. For work in many small operations:
    threads would meet thousands of times a second, and on a busy machine each meeting waits for the
    thread that was not given a core."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
