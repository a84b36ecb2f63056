"""Loading a text-to-image pipeline by name: one path for the tiny models and for Stable Diffusion 2
and 3.

A model is the name of a shipped one ('tiny-sd2', 'tiny-sd3'), 'trained-here' for the one this run
trains on its own training split, 'trained-by:PROFILE' for that of another profile, a folder written
by ``save_pretrained``, or an id on the Hugging Face hub.
"""

from __future__ import annotations

import inspect
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from fer_utils.core.devices import choose_device
from fer_utils.core.errors import CompanionError
from fer_utils.core.profiles import Profile
from fer_utils.synthesis.generators.addresses import lora_address, model_address
from fer_utils.synthesis.generators.batches import LOWER_MEMORY, ran_out_of_memory
from fer_utils.synthesis.generators.schedulers import exchange_scheduler
from fer_utils.synthesis.generators.settings import check_against_model, check_generator

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

CACHED = re.compile(r"models--([\w.-]+?)--([\w.-]+)/snapshots/([0-9a-f]{40})/?$")
"""Where the hub's cache keeps a commit of a model."""

UNREADABLE = (OSError, ValueError, KeyError, TypeError, RuntimeError)


def load_generator(generator: str, profile: Profile) -> DiffusionPipeline:
    """The pipeline for 'sd2' or 'sd3' with all the profile's settings applied, on its device,
    safety checker off.

    A safety checker would replace faces by black images (diffusers #811). Raises CompanionError
    that says what can be done when a setting cannot work or the model cannot be loaded.
    """
    check_generator(generator, profile)
    settings = getattr(profile.generators, generator)
    pipeline = _load_model(generator, profile)
    if getattr(pipeline, "safety_checker", None) is not None:
        pipeline.safety_checker = None
    pipeline.set_progress_bar_config(disable=True)
    if settings.scheduler:
        exchange_scheduler(pipeline, settings.scheduler)
    lora = lora_address(generator, profile)
    if lora is not None:
        _merge_lora(pipeline, lora, f"generators.{generator}.lora")
    _save_memory(pipeline, profile)
    _place(pipeline, profile)
    if profile.synthesis.compile:
        for denoiser in (getattr(pipeline, name, None) for name in ("unet", "transformer")):
            if denoiser is not None:
                denoiser.compile()
    return pipeline


def revision(pipeline: DiffusionPipeline) -> str:
    """What the manifest says about the weights: the folder's name or, from the hub,
    owner/name@commit."""
    place = str(pipeline.config["_name_or_path"])
    cached = CACHED.search(place.replace("\\", "/"))
    return "{}/{}@{}".format(*cached.groups()) if cached else Path(place).name


def call_options(pipeline: DiffusionPipeline) -> dict:
    """Options that some pipelines take and others don't: without T5, SD3 would append 256 empty
    tokens."""
    from diffusers import StableDiffusion3Pipeline

    no_t5 = isinstance(pipeline, StableDiffusion3Pipeline) and pipeline.text_encoder_3 is None
    return {"max_sequence_length": 0} if no_t5 and _takes(pipeline, "max_sequence_length") else {}


def text_arguments(pipeline: DiffusionPipeline, prompts: list[str], negative_prompt: str) -> dict:
    """Prompts and, where the pipeline knows negative prompts (a distilled one may not), one for
    each of them."""
    negative = (
        {"negative_prompt": [negative_prompt] * len(prompts)}
        if _takes(pipeline, "negative_prompt")
        else {}
    )
    return {"prompt": prompts, **negative}


def _takes(pipeline, argument: str) -> bool:
    return argument in inspect.signature(pipeline.__call__).parameters


def _load_model(generator: str, profile: Profile) -> DiffusionPipeline:
    from diffusers import (
        # here, because it takes seconds and most readers of the pool load no model
        DiffusionPipeline,
    )
    from diffusers.utils.logging import disable_progress_bar
    from transformers.utils import logging as transformers_logging

    # a bar for each component of a model is no news to a reader
    disable_progress_bar()
    transformers_logging.disable_progress_bar()

    address = model_address(generator, profile)
    commit = {"revision": getattr(profile.generators, generator).revision or None}
    try:
        index = DiffusionPipeline.load_config(address, **commit)
        without = dict.fromkeys(check_against_model(generator, profile, index))
        # its folder in the hub's cache names the commit; what is left out stays there
        if not isinstance(address, Path):
            address = DiffusionPipeline.download(address, **commit, **without)
        # newer versions of diffusers call it dtype, the oldest allowed don't know that
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            return DiffusionPipeline.from_pretrained(
                address, torch_dtype=getattr(torch, profile.synthesis.dtype), **without
            )
    except UNREADABLE as problem:
        raise CompanionError(
            _cannot_load(generator, model_address(generator, profile), problem)
        ) from problem


def _merge_lora(pipeline: DiffusionPipeline, address: str | Path, where: str) -> None:
    """Add the LoRA's matrices to the model's own weights, so that its images cost no more than
    before."""
    if not hasattr(pipeline, "load_lora_weights"):
        raise CompanionError(
            f"{where} is '{address}', but a {type(pipeline).__name__} takes no LoRA; use"
            f' {where}="".'
        )
    one_file = isinstance(address, Path) and address.is_file()
    options = {"weight_name": address.name} if one_file else {}
    try:
        pipeline.load_lora_weights(str(address.parent if one_file else address), **options)
    except (*UNREADABLE, ImportError) as problem:
        raise CompanionError(
            f"{where} '{address}' could not be loaded: {_first_line(problem)}\nExpected what "
            f"save_lora_weights wrote for a {type(pipeline).__name__} of the same size."
        ) from problem
    if not pipeline.get_active_adapters():
        raise CompanionError(
            f"{where} '{address}' holds no weights for a {type(pipeline).__name__}: it was made for"
            " another class of model."
        )
    pipeline.fuse_lora()
    pipeline.unload_lora_weights()


def _save_memory(pipeline: DiffusionPipeline, profile: Profile) -> None:
    if profile.synthesis.attention_slicing:
        pipeline.enable_attention_slicing()
    if profile.synthesis.vae_slicing and hasattr(getattr(pipeline, "vae", None), "enable_slicing"):
        pipeline.vae.enable_slicing()


def _place(pipeline: DiffusionPipeline, profile: Profile) -> None:
    device = choose_device(profile.run.device)
    place = {
        "none": pipeline.to,
        "model": pipeline.enable_model_cpu_offload,
        "sequential": pipeline.enable_sequential_cpu_offload,
    }[profile.synthesis.offload]
    try:
        place(device=device)
    except RuntimeError as problem:
        if not ran_out_of_memory(problem):
            raise
        raise CompanionError(
            f"The model does not fit into the memory of the GPU.\n{LOWER_MEMORY}"
        ) from problem


def _cannot_load(generator: str, address: str | Path, problem: Exception) -> str:
    return (
        f"The generator '{generator}' could not be loaded from '{address}':"
        f" {_first_line(problem)}\nModels get withdrawn (Stable Diffusion 2 was, in November 2025),"
        " are gated (Stable Diffusion 3 Medium asks you to accept its licence), or the hub cannot"
        " be reached from here. You can\n  1. give a folder saved earlier: --set"
        f" generators.{generator}.model=/path/to/folder\n  2. name another copy on the hub, after"
        f" `hf auth login` if it is gated: --set generators.{generator}.model=owner/name\n  3. use"
        f" the embedded model: --set generators.{generator}.model=tiny-{generator} --set"
        f" generators.{generator}.size=64"
    )


def _first_line(problem: Exception) -> str:
    return (str(problem).strip().splitlines() or [type(problem).__name__])[0]
