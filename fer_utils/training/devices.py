"""Where a network is trained: device, precision, threads, deterministic kernels, and what a
processor must not be asked to do."""

import os
from contextlib import contextmanager

import torch

from fer_utils.core.errors import CompanionError, nearest
from fer_utils.core.profiles import Profile

PRECISIONS = ("float32", "bfloat16", "auto")


def choose_precision(name: str, device: torch.device) -> str:
    """'float32', 'bfloat16', or for 'auto' bfloat16 where ``device`` computes in it, else
    float32."""
    if name not in PRECISIONS:
        raise CompanionError(f"training.precision '{name}' is unknown: {nearest(name, PRECISIONS)}")
    return name if name != "auto" else "bfloat16" if has_bfloat16(device) else "float32"


def has_bfloat16(device: torch.device) -> bool:
    """Whether ``device`` multiplies in bfloat16 itself (AVX-512 BF16 or AMX; CUDA from Ampere on)
    rather than by going through float32, which is slower than float32 alone."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    found = torch.cpu.get_capabilities()
    return bool(found.get("avx512_bf16") or found.get("amx_bf16") or found.get("bf16"))


def evaluation_batch(device: torch.device) -> int:
    """Images at once where nothing is learned: on a CPU as many as its cache holds (16 were a third
    faster than 256)."""
    return 16 if device.type == "cpu" else 256


def autocast(device: torch.device, precision: str):
    """The context in which forward passes run: plain float32, or bfloat16 where PyTorch holds it
    safe."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bfloat16")


@contextmanager
def reproducible(seed: int, *, threads: int = 0):
    """Inside, torch's generators start from ``seed`` and only deterministic kernels run; outside,
    all is as before. ``threads`` > 0 sets torch's CPU threads (their number changes the low bits).
    """
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    filling = torch.utils.deterministic.fill_uninitialized_memory
    # cuBLAS is deterministic only with this
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    with torch.random.fork_rng(devices=range(min(torch.cuda.device_count(), 1))):
        torch.manual_seed(seed)
        torch.use_deterministic_algorithms(True)
        # a help in finding faults; costs an eighth of the time
        torch.utils.deterministic.fill_uninitialized_memory = False
        torch.set_num_threads(min(threads, before[0]) if threads else before[0])
        try:
            yield
        finally:
            torch.set_num_threads(before[0])
            torch.use_deterministic_algorithms(before[1])
            torch.utils.deterministic.fill_uninitialized_memory = filling


def check_cpu_kernels(profile: Profile, device: torch.device, precision: str) -> None:
    """Keep away from two silent faults of oneDNN, PyTorch's CPU convolutions. Reported: gradient of
    a strided 1x1 convolution of under 16 channels, channels last, is written past its buffer
    (uxlfoundation/oneDNN issue 6035). Seen with PyTorch 2.14: in bfloat16 the weight gradient of a
    strided 3x3 convolution over a single pixel keeps what lay in that memory, up to 1e21."""
    if device.type == "cpu" and profile.network.width < 1 / 16:
        raise CompanionError(
            f"network.width {profile.network.width:g} is not safe to train on a CPU; use 0.0625."
        )
    if device.type == "cpu" and precision == "bfloat16" and profile.network.image_size < 40:
        raise CompanionError(
            "training.precision bfloat16 on a CPU needs network.image_size 40 or more, found "
            f"{profile.network.image_size}; use float32."
        )


def describe(device: torch.device) -> str:
    """The processor or graphics card as PyTorch knows it, and what oneDNN is told to do without."""
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA")
    processor = torch.backends.cpu.get_cpu_capability() + (
        f", oneDNN up to {limit}" if limit else ""
    )
    return torch.cuda.get_device_name() if device.type == "cuda" else processor
