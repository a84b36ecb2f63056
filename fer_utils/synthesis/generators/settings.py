"""Checks of a generator's settings before its model is loaded, which may take minutes and hours of
download.

What a setting may be anywhere is checked when a profile loads (``profiles.ranges``); here is what
depends on the machine, on folders and on the model.
"""

import importlib.util

from fer_utils.core.devices import choose_device
from fer_utils.core.errors import CompanionError, nearest
from fer_utils.core.profiles import Profile
from fer_utils.core.profiles.ranges import GENERATORS
from fer_utils.synthesis.generators.addresses import lora_address, model_address
from fer_utils.synthesis.generators.schedulers import check_scheduler

THIRD_ENCODER = ("text_encoder_3", "tokenizer_3")


def check_generators(profile: Profile) -> None:
    """Raise CompanionError if a setting of any generator with a share of the images cannot work."""
    for generator in GENERATORS:
        if getattr(profile.generators, generator).share:
            check_generator(generator, profile)


def check_generator(generator: str, profile: Profile) -> None:
    """Raise CompanionError if a setting of 'sd2' or 'sd3' cannot work, as far as that shows without
    its model."""
    settings, where = getattr(profile.generators, generator), f"generators.{generator}"
    _check_memory_settings(profile)
    address = model_address(generator, profile)
    if settings.revision and not isinstance(address, str):
        raise CompanionError(
            f"{where}.revision is '{settings.revision}', but {where}.model is a folder; a "
            f'revision is a commit of the hub. Use {where}.revision="".'
        )
    if lora_address(generator, profile) is not None and importlib.util.find_spec("peft") is None:
        raise CompanionError(
            f"{where}.lora needs the package peft, which is not installed: pip install"
            " 'fer_utils[lora]', "
            f'or set {where}.lora="".'
        )


def check_against_model(generator: str, profile: Profile, index: dict) -> list[str]:
    """Names of the components to leave out; CompanionError if ``without`` or ``scheduler`` don't
    fit the model.

    ``index`` is the content of the model's model_index.json.
    """
    settings, where = getattr(profile.generators, generator), f"generators.{generator}"
    if settings.scheduler:
        check_scheduler(settings.scheduler, f"{where}.scheduler", own=index["scheduler"][1])
    optional = _optional_components(index)
    for name in settings.without:
        if name not in optional:
            raise CompanionError(
                f"{where}.without names '{name}', which a {index['_class_name']} cannot do without:"
                f" {nearest(name, optional)}"
            )
    if len(set(THIRD_ENCODER) & set(settings.without)) == 1:
        raise CompanionError(
            f"{where}.without must name text_encoder_3 and tokenizer_3 together; found "
            f"{', '.join(settings.without)}."
        )
    # the folder was saved without them
    missing = [name for name, kind in index.items() if kind == [None, None]]
    return sorted({*settings.without, *missing})


def _optional_components(index: dict) -> list[str]:
    import diffusers

    kind = getattr(diffusers, str(index["_class_name"]), None)
    third = [name for name in THIRD_ENCODER if name in index]
    return sorted({*getattr(kind, "_optional_components", ()), *third})


def _check_memory_settings(profile: Profile) -> None:
    section, device = profile.synthesis, choose_device(profile.run.device).type
    if section.offload != "none" and device == "cpu":
        raise CompanionError(
            f"synthesis.offload is '{section.offload}', which moves models between CPU and GPU, but"
            " this run is on the CPU; use synthesis.offload=none."
        )
    if section.dtype == "float16" and device == "cpu":
        raise CompanionError(
            "synthesis.dtype is 'float16', which CPUs compute slowly or not at all, and this run is"
            " on the CPU; use synthesis.dtype=float32 (or bfloat16 for half the memory)."
        )
