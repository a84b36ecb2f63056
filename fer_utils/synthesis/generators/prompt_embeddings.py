"""Text encoded once for each distinct prompt: at paper scale a prompt is drawn from many times."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

import torch

from fer_utils.synthesis.generators.loading import call_options, text_arguments

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

Encoded = tuple[torch.Tensor, ...]
"""[tokens, width] of one text and, for Stable Diffusion 3, its pooled [width]; on the CPU."""


class PromptEmbeddings:
    """What a pipeline's text encoders make of each prompt, kept on the CPU; the images are those of
    the plain prompts.

    Only pipelines of exactly the classes of Stable Diffusion 2 and 3 are known well enough; any
    other gets its prompts as text.
    """

    def __init__(
        self,
        pipeline: DiffusionPipeline,
        negative_prompt: str,
        *,
        batch_size: int = 32,
        limit_bytes: int = 2_000_000_000,
    ):
        """batch_size: texts encoded at once; limit_bytes: of what is kept, beyond which the prompts
        used longest ago are forgotten. With T5 a prompt of Stable Diffusion 3 takes 2.7 MB in
        float16, so the default holds 730 of them."""
        from diffusers import StableDiffusion3Pipeline, StableDiffusionPipeline

        self._pipeline, self._negative_prompt = pipeline, negative_prompt
        self._batch_size, self._limit = batch_size, limit_bytes
        self._encode = {
            StableDiffusionPipeline: self._encode_sd2,
            StableDiffusion3Pipeline: self._encode_sd3,
        }.get(type(pipeline))
        self._kept: OrderedDict[str, Encoded] = OrderedDict()
        self._bytes = 0
        self._negative: Encoded = ()

    def prepare(self, prompts: list[str]) -> None:
        """Encode all of them now, and forget all others: with offloaded text encoders, one way to
        the GPU instead of one for each batch; and what is kept does not grow with the number of
        images."""
        if self._encode:
            for prompt in self._kept.keys() - set(prompts):
                self._bytes -= _size(self._kept.pop(prompt))
            self._encoded(prompts)

    def arguments(self, prompts: list[str]) -> dict:
        """Keyword arguments for the call of the pipeline: one row of each for each prompt, on the
        pipeline's device."""
        if not self._encode:
            return text_arguments(self._pipeline, prompts, self._negative_prompt)
        known = self._encoded(prompts)
        if not self._negative:
            self._negative = self._encode_batch([self._negative_prompt])[0]
        device, found = self._pipeline._execution_device, {}
        for k, (name, negative) in enumerate(
            zip(("prompt_embeds", "pooled_prompt_embeds"), self._negative)
        ):
            found[name] = torch.stack([known[prompt][k] for prompt in prompts]).to(device)
            found[f"negative_{name}"] = torch.stack([negative] * len(prompts)).to(device)
        return found

    def _encoded(self, prompts: list[str]) -> dict[str, Encoded]:
        known = {prompt: self._kept[prompt] for prompt in prompts if prompt in self._kept}
        fresh = [prompt for prompt in dict.fromkeys(prompts) if prompt not in known]
        for start in range(0, len(fresh), self._batch_size):
            batch = fresh[start : start + self._batch_size]
            known |= zip(batch, self._encode_batch(batch))
        self._keep(known)
        return known

    def _keep(self, known: dict[str, Encoded]) -> None:
        """Put them last, as used last, and forget from the front what exceeds the limit."""
        for prompt, encoded in known.items():
            self._bytes += 0 if prompt in self._kept else _size(encoded)
            self._kept[prompt] = encoded
            self._kept.move_to_end(prompt)
        while self._bytes > self._limit and self._kept:
            self._bytes -= _size(self._kept.popitem(last=False)[1])

    @torch.no_grad()
    def _encode_batch(self, texts: list[str]) -> list[Encoded]:
        # Cloned: a row of a batch would keep the whole batch alive.
        return [
            tuple(part.clone() for part in parts)
            for parts in zip(*(part.cpu() for part in self._encode(texts)))
        ]

    def _encode_sd2(self, texts: list[str]) -> Encoded:
        return self._pipeline.encode_prompt(texts, self._pipeline._execution_device, 1, False)[:1]

    def _encode_sd3(self, texts: list[str]) -> Encoded:
        embeds, _, pooled, _ = self._pipeline.encode_prompt(
            texts, None, None, do_classifier_free_guidance=False, **call_options(self._pipeline)
        )
        return embeds, pooled


def _size(encoded: Encoded) -> int:
    return sum(part.nbytes for part in encoded)
