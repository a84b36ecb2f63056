"""Where a generator's weights lie: shipped with the package, trained by this run, in a folder, or
on the Hugging Face hub."""

import hashlib
import json
import re
from pathlib import Path

from fer_utils.core.errors import CompanionError
from fer_utils.core.paths import SHIPPED_GENERATORS
from fer_utils.core.profiles import Profile, load_profile, settings_of

SHIPPED = ("tiny-sd2", "tiny-sd3")
TRAINED_BY = "trained-by:"
"""Before the name of a profile: the generator that this profile trains on its own training
faces."""
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


def model_address(generator: str, profile: Profile) -> str | Path:
    """The folder or hub id behind ``profile.generators.<generator>.model``.

    Raises CompanionError for a name that is neither shipped, nor a folder, nor of the form of a hub
    id.
    """
    model = getattr(profile.generators, generator).model
    if model in SHIPPED:
        return SHIPPED_GENERATORS / model
    if model == "trained-here":
        return _trained_here(generator, profile)
    if model.startswith(TRAINED_BY):
        return _trained_here(generator, load_profile(model.removeprefix(TRAINED_BY)))
    if Path(model).expanduser().is_dir():
        return Path(model).expanduser()
    if HUB_ID.fullmatch(model):
        return model
    raise CompanionError(
        f"generators.{generator}.model is '{model}': there is no such folder, and it is not a hub"
        f" id (owner/name) nor one of the shipped models {', '.join(SHIPPED)}."
    )


def lora_address(generator: str, profile: Profile) -> str | Path | None:
    """The folder, file or hub id behind ``profile.generators.<generator>.lora``; None where it is
    empty."""
    lora = getattr(profile.generators, generator).lora
    if not lora:
        return None
    if Path(lora).expanduser().exists():
        return Path(lora).expanduser()
    if HUB_ID.fullmatch(lora):
        return lora
    raise CompanionError(
        f"generators.{generator}.lora is '{lora}': there is no such folder or file, and it is not a"
        ' hub id (owner/name). Give what save_lora_weights wrote, or "" for the model alone.'
    )


def made_here(name: str, profile: Profile) -> Path:
    """Where this run keeps what it trained for itself; the name changes with whatever the training
    depends on.

    What took hours is kept among the shipped weights under the name of a profile: that is taken
    where this run has none, whichever profile it was, as long as all that its training depends on
    is the same.
    """
    decided_by = settings_of(profile, ("data", "gate", "tiny_generators", "-tiny_generators.train"))
    name = (
        f"{name}-{hashlib.sha256(json.dumps(decided_by, sort_keys=True).encode()).hexdigest()[:16]}"
    )
    own = profile.paths.generators / name
    return own if own.exists() else next(SHIPPED_GENERATORS.glob(f"*/{name}"), own)


def _trained_here(generator: str, profile: Profile) -> Path:
    folder = made_here(f"tiny-{generator}", profile)
    if not (folder / "model_index.json").is_file():
        raise CompanionError(
            f"generators.{generator}.model is 'trained-here', but {folder} holds no model yet. Put"
            f" {generator} into tiny_generators.train of the profile, or run: python -m fer_utils"
            f" train-generators --profile {profile.name}"
        )
    return folder
