"""Batches that are halved where memory runs out."""

import gc
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import torch

from fer_utils.core.errors import CompanionError

Item, Result = TypeVar("Item"), TypeVar("Result")

LOWER_MEMORY = (
    "What lowers memory, the cheapest first:\n"
    "  1. synthesis.dtype=float16 (on a GPU; bfloat16 on a CPU) and synthesis.vae_slicing=true\n"
    "  2. for Stable Diffusion 3, no T5: generators.sd3.without=[text_encoder_3,tokenizer_3]\n"
    "  3. synthesis.offload=model, then sequential (needs a GPU; slower)\n"
    "  4. a smaller generators.<name>.size, or a smaller model"
)


def with_halving(
    make: Callable[[Sequence[Item]], Result], items: Sequence[Item], batch_size: int
) -> Iterator[tuple[Sequence[Item], Result]]:
    """Yield (part, ``make(part)``) for consecutive parts of ``items``, of ``batch_size`` or what
    fits into memory.

    Where memory runs out, the batch is halved, for all later parts too; so ``make`` may be called
    more than once with the same items. Raises CompanionError that names the settings that lower
    memory if not even one item fits.
    """
    done = 0
    while done < len(items):
        part, failure = items[done : done + batch_size], ""
        try:
            result = make(part)
        except (RuntimeError, MemoryError) as problem:
            # torch.OutOfMemoryError is a RuntimeError
            if not ran_out_of_memory(problem):
                raise
            failure = (str(problem).strip().splitlines() or ["out of memory"])[0]
        if not failure:
            yield part, result
            done += len(part)
        elif len(part) > 1:
            # here, not above: while the error is handled its traceback keeps the failed batch alive
            batch_size = len(part) // 2
            free_memory()
        else:
            raise CompanionError(
                f"Not even one image at a time fits into memory ({failure}).\n{LOWER_MEMORY}"
            )


def ran_out_of_memory(problem: BaseException) -> bool:
    """Whether the error says that memory, of the GPU or of the machine, was not enough."""
    said = str(problem).lower()
    return isinstance(problem, (MemoryError, torch.OutOfMemoryError)) or any(
        words in said for words in ("not enough memory", "out of memory", "can't allocate memory")
    )


def free_memory() -> None:
    """Give back what no tensor holds any more."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
