"""Both pipelines with random weights, for tests that want a real model which takes no time."""

from pathlib import Path

import torch

from fer_utils.synthesis.generators import tiny_models as tiny
from fer_utils.synthesis.generators.making import save_half


def save_tiny_generators(folder: Path) -> None:
    """Write ``folder/sd2`` and ``folder/sd3`` as ``save_pretrained`` does."""
    torch.manual_seed(0)
    tokenizer = tiny.make_tokenizer()
    encoders = [
        tiny.make_text_encoder(tokenizer, projected=projected) for projected in (False, True, True)
    ]
    save_half(
        tiny.assemble_sd2(tiny.make_autoencoder(), encoders[0], tokenizer, tiny.make_unet()),
        folder / "sd2",
    )
    save_half(
        tiny.assemble_sd3(
            tiny.make_autoencoder(), encoders[1:], tokenizer, tiny.make_transformer()
        ),
        folder / "sd3",
    )
