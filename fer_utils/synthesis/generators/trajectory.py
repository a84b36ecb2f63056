"""How noise becomes a face: the latents of every step decoded, and what guidance and the number of
steps do to one seed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch

from fer_utils.synthesis.generators.loading import call_options, text_arguments

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline


def trajectory(
    pipeline: DiffusionPipeline,
    prompt: str,
    seed: int,
    *,
    steps: int,
    guidance_scale: float,
    size: int,
    negative_prompt: str = "",
    on_step: Callable[[int], None] | None = None,
) -> np.ndarray:
    """Pure noise, then the image after each step: uint8 [steps + 1, size, size, 3].

    The last one is the image that synthesis makes of the same prompt and seed. A scheduler that
    takes two evaluations a step gives one image for each. ``on_step`` is called with the number of
    evaluations done.
    """
    return _decode(
        pipeline,
        _latents(
            pipeline,
            prompt,
            seed,
            negative_prompt=negative_prompt,
            steps=steps,
            guidance_scale=guidance_scale,
            size=size,
            on_step=on_step,
        ),
    )


def guidance_grid(
    pipeline: DiffusionPipeline,
    prompt: str,
    seed: int,
    *,
    guidance_scales: list[float],
    steps: list[int],
    size: int,
    negative_prompt: str = "",
) -> np.ndarray:
    """The image of one prompt and seed for each guidance scale and number of steps:
    uint8 [guidance scales, steps, size, size, 3]."""
    made = [
        _latents(
            pipeline,
            prompt,
            seed,
            negative_prompt=negative_prompt,
            steps=count,
            guidance_scale=scale,
            size=size,
        )[-1]
        for scale in guidance_scales
        for count in steps
    ]
    return _decode(pipeline, made).reshape(len(guidance_scales), len(steps), size, size, 3)


def _latents(
    pipeline: DiffusionPipeline,
    prompt: str,
    seed: int,
    *,
    negative_prompt: str,
    size: int,
    steps: int,
    guidance_scale: float,
    on_step: Callable[[int], None] | None = None,
) -> list[torch.Tensor]:
    """[1, channels, height, width] before the first step and after each, on the CPU."""
    seen: list[torch.Tensor] = []

    def note(_pipeline, _step, _time, tensors):
        seen.append(tensors["latents"].cpu())
        if on_step is not None:
            on_step(len(seen))
        return tensors

    generator = torch.Generator("cpu").manual_seed(int(seed))
    noise = _noise(pipeline, size, generator)
    pipeline(
        **text_arguments(pipeline, [prompt], negative_prompt),
        num_inference_steps=steps,
        latents=noise,
        guidance_scale=guidance_scale,
        height=size,
        width=size,
        generator=[generator],
        output_type="latent",
        callback_on_step_end=note,
        **call_options(pipeline),
    )
    return [noise.cpu() * getattr(pipeline.scheduler, "init_noise_sigma", 1.0), *seen]


def _noise(pipeline: DiffusionPipeline, size: int, generator: torch.Generator) -> torch.Tensor:
    """The noise the pipeline itself would draw first from this generator."""
    from diffusers.utils.torch_utils import randn_tensor

    model = getattr(pipeline, "transformer", None) or pipeline.unet
    side = size // pipeline.vae_scale_factor
    return randn_tensor(
        (1, model.config.in_channels, side, side),
        generator=generator,
        device=pipeline._execution_device,
        dtype=model.dtype,
    )


@torch.no_grad()
def _decode(pipeline: DiffusionPipeline, latents: list[torch.Tensor]) -> np.ndarray:
    """uint8 [N, height, width, 3], one at a time: so many large images at once would not fit into
    memory."""
    config, device = pipeline.vae.config, pipeline._execution_device
    shift = getattr(config, "shift_factor", None) or 0.0
    decoded = [
        pipeline.vae.decode(
            latent.to(device, pipeline.vae.dtype) / config.scaling_factor + shift
        ).sample.cpu()
        for latent in latents
    ]
    pixels = pipeline.image_processor.postprocess(torch.cat(decoded), output_type="np")
    return np.rint(pixels * 255).astype(np.uint8)
