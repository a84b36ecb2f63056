"""Drawing images with one generator by the profile's settings."""

from functools import cached_property

import numpy as np
import torch

from fer_utils.core.faces import resize_images
from fer_utils.core.profiles import Profile
from fer_utils.synthesis.generators.identity import identity
from fer_utils.synthesis.generators.loading import call_options, load_generator, revision
from fer_utils.synthesis.generators.prompt_embeddings import PromptEmbeddings


class Renderer:
    """Draws with 'sd2' or 'sd3'; the model is loaded when the first image is asked for."""

    def __init__(self, generator: str, profile: Profile):
        self.generator, self.profile = generator, profile
        self.settings = getattr(profile.generators, generator)

    @cached_property
    def pipeline(self):
        """The diffusers pipeline."""
        return load_generator(self.generator, self.profile)

    @cached_property
    def embeddings(self) -> PromptEmbeddings:
        """What its text encoders made of the prompts so far."""
        return PromptEmbeddings(self.pipeline, self.profile.synthesis.negative_prompt)

    @cached_property
    def made_with(self) -> dict:
        """The columns of the manifest that are the same for each of its images."""
        settings = self.settings
        return {
            "model": revision(self.pipeline),
            **identity(self.generator, self.profile),
            "steps": settings.steps,
            "guidance_scale": settings.guidance_scale,
            "size": settings.size,
        }

    def draw(self, prompts: list[str], seeds: list[int]) -> tuple[np.ndarray, np.ndarray]:
        """An image for each prompt and seed, brought to ``synthesis.size`` (antialiased): uint8 [N,
        S, S, 3]; and, bool [N], whether all its values were numbers."""
        raw = generate(
            self.pipeline,
            self.embeddings.arguments(prompts),
            seeds=seeds,
            steps=self.settings.steps,
            guidance_scale=self.settings.guidance_scale,
            size=self.settings.size,
        )
        finite = np.isfinite(raw).all(axis=(1, 2, 3))
        images = np.rint(np.nan_to_num(raw) * 255).clip(0, 255).astype(np.uint8)
        if self.profile.synthesis.face_crop:
            images = _face_crop(images)
        return resize_images(images, self.profile.synthesis.size, channels=3), finite


def generate(
    pipeline, text: dict, *, seeds: list[int], steps: int, guidance_scale: float, size: int
) -> np.ndarray:
    """One image for each seed, float32 [N, size, size, 3] in 0..1; ``text`` holds prompts or their
    embeddings.

    Each image has a CPU generator of its own: what is made beside it, and on which device, changes
    no seed.
    """
    return pipeline(
        **text,
        num_inference_steps=steps,
        guidance_scale=guidance_scale,
        height=size,
        width=size,
        output_type="np",
        generator=[torch.Generator("cpu").manual_seed(int(seed)) for seed in seeds],
        **call_options(pipeline),
    ).images


def _face_crop(images: np.ndarray) -> np.ndarray:
    """The face of each image where a detector finds one, else the whole image."""
    from fer_utils.datasets.face_crop import crop_faces  # an optional extra

    return crop_faces(images)[0]
