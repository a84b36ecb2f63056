"""Images of a pipeline for tests, without a profile."""

import numpy as np

from fer_utils.synthesis import generate as sample
from fer_utils.synthesis.generators.loading import text_arguments


def generate(pipeline, texts: list[str], *, negative_prompt: str, **settings) -> np.ndarray:
    """uint8 [N, size, size, 3], prompts given as text."""
    return np.rint(
        sample(pipeline, text_arguments(pipeline, texts, negative_prompt), **settings) * 255
    ).astype(np.uint8)
