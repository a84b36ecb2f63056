"""Loading a text-to-image pipeline by name: one path for the tiny models and for Stable Diffusion 2 and 3.

A model is the name of a shipped one ('tiny-sd2', 'tiny-sd3'), 'trained-here' for the one this run trains on
its own training split, a folder written by ``save_pretrained``, or an id on the Hugging Face hub.
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from fer_utils.errors import CompanionError
from fer_utils.paths import SHIPPED_GENERATORS
from fer_utils.profiles import Profile

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

SHIPPED = ("tiny-sd2", "tiny-sd3")
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


def model_address(generator: str, profile: Profile) -> str | Path:
    """The folder or hub id behind ``profile.generators.<generator>.model``.

    Raises CompanionError for a name that is neither shipped, nor a folder, nor of the form of a hub id.
    """
    model = getattr(profile.generators, generator).model
    if model in SHIPPED:
        return SHIPPED_GENERATORS / model
    if model == "trained-here":
        return _trained_here(generator, profile)
    if Path(model).expanduser().is_dir():
        return Path(model).expanduser()
    if HUB_ID.fullmatch(model):
        return model
    raise CompanionError(
        f"generators.{generator}.model is '{model}': there is no such folder, and it is not a hub id (owner/name) "
        f"nor one of the shipped models {', '.join(SHIPPED)}.")


def load_generator(generator: str, profile: Profile) -> DiffusionPipeline:
    """The pipeline for 'sd2' or 'sd3', on the profile's device and in its dtype, safety checker off.

    A safety checker would replace faces by black images (diffusers #811). Raises CompanionError that says
    what can be done when the model cannot be loaded.
    """
    from diffusers import DiffusionPipeline   # here, because it takes seconds and most readers of the pool load no model

    address = model_address(generator, profile)
    options = {"torch_dtype": getattr(torch, profile.synthesis.dtype)}
    if _is_sd3_without_t5(address):
        options |= {"text_encoder_3": None, "tokenizer_3": None}
    try:
        pipeline = DiffusionPipeline.from_pretrained(address, **options)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as problem:
        raise CompanionError(_cannot_load(generator, address, problem)) from problem
    if getattr(pipeline, "safety_checker", None) is not None:
        pipeline.safety_checker = None
    pipeline.set_progress_bar_config(disable=True)
    return pipeline.to(device_name(profile))


def device_name(profile: Profile) -> str:
    """'cuda' or 'cpu', as ``run.device`` says ('auto': cuda if there is one)."""
    if profile.run.device != "auto":
        return profile.run.device
    return "cuda" if torch.cuda.is_available() else "cpu"


def revision(pipeline: DiffusionPipeline) -> str:
    """What the manifest says about the weights: their address and, from the hub, the commit."""
    commit = getattr(pipeline, "_commit_hash", None) or pipeline.config.get("_commit_hash")
    name = Path(str(pipeline.config["_name_or_path"])).name
    return f"{name}@{commit}" if commit else name


def call_options(pipeline: DiffusionPipeline) -> dict:
    """Options that some pipelines take and others don't: without T5, SD3 would append 256 empty tokens."""
    from diffusers import StableDiffusion3Pipeline

    takes = inspect.signature(pipeline.__call__).parameters
    no_t5 = isinstance(pipeline, StableDiffusion3Pipeline) and pipeline.text_encoder_3 is None
    return {"max_sequence_length": 0} if no_t5 and "max_sequence_length" in takes else {}


def made_here(name: str, profile: Profile) -> Path:
    """Where this run keeps what it trained for itself; the name changes with whatever the training depends on."""
    return profile.paths.generators / f"{name}-{profile.fingerprint('data', 'gate', 'tiny_generators')}"


def _trained_here(generator: str, profile: Profile) -> Path:
    folder = made_here(f"tiny-{generator}", profile)
    if not (folder / "model_index.json").is_file():
        raise CompanionError(
            f"generators.{generator}.model is 'trained-here', but {folder} holds no model yet. Put {generator} into "
            f"tiny_generators.train of the profile, or run: python -m fer_utils train-generators --profile {profile.name}")
    return folder


def _is_sd3_without_t5(address: str | Path) -> bool:
    """Whether a local folder was saved from an SD3 pipeline without its third text encoder."""
    if not isinstance(address, Path):
        return False
    is_sd3 = '"StableDiffusion3Pipeline"' in _text(address / "model_index.json")
    return is_sd3 and not (address / "text_encoder_3").is_dir()


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _cannot_load(generator: str, address: str | Path, problem: Exception) -> str:
    cause = str(problem).strip().splitlines()[0] if str(problem).strip() else type(problem).__name__
    return (
        f"The generator '{generator}' could not be loaded from '{address}': {cause}\n"
        "Models get withdrawn (Stable Diffusion 2 was, in November 2025), are gated (Stable Diffusion 3 Medium asks "
        "you to accept its licence), or the hub cannot be reached from here. You can\n"
        f"  1. give a folder saved earlier: --set generators.{generator}.model=/path/to/folder\n"
        f"  2. name another copy on the hub, after `hf auth login` if it is gated: "
        f"--set generators.{generator}.model=owner/name\n"
        f"  3. use the embedded model: --set generators.{generator}.model=tiny-{generator} "
        f"--set generators.{generator}.size=64")
