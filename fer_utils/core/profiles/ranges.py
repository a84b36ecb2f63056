"""What each setting may be: the range of every setting of ``paper.yaml``.

A profile is checked when it is loaded, so that no stage begins that a value must end. Names to
which other modules give a meaning are repeated here where a profile must load without those
modules; the tests hold both equal. What only the machine or the data can tell (a folder, a GPU,
faces enough) is left to who asks for it.
"""

import re

from fer_utils.core.errors import CompanionError
from fer_utils.core.profiles.kinds import Choice, Range, Several, number, whole
from fer_utils.core.profiles.rules import RULES
from fer_utils.core.recipes import KEPT, RECIPES, SCHEDULERS, SELECTED_ON

DATA_SETS = ("fer2013", "rafdb", "demo_fer2013", "demo_rafdb")
LEVELS = ("original", "aug1", "aug2", "aug3", "aug4")
CONTROLS = (
    "oversampling",
    "geometric",
    "class_weights",
    "logit_adjustment",
    "equal_updates",
    "sd2_only",
    "sd3_only",
    "filtered",
    "synthetic_only",
    "ratio_25",
    "ratio_50",
    "ratio_75",
    "shuffled",
    "half_weight",
    "synthetic_first",
    "synthetic_25",
    "synthetic_50",
    "unseen_25",
    "unseen_50",
    "unseen",
    "unseen_natural",
    "recipe_no_scheduler",
    "recipe_select_on_accuracy",
    "recipe_patience",
)
FILTERS = ("none", "agreement", "confidence")
PRECISIONS = ("float32", "bfloat16", "auto")
DEVICES = ("auto", "cpu", "cuda")
GENERATORS = ("sd2", "sd3")
DTYPES = ("float32", "float16", "bfloat16")
OFFLOADS = ("none", "model", "sequential")

DIFFUSION = (
    "DDIMScheduler",
    "DDPMScheduler",
    "DEISMultistepScheduler",
    "DPMSolverMultistepScheduler",
    "DPMSolverSinglestepScheduler",
    "EulerAncestralDiscreteScheduler",
    "EulerDiscreteScheduler",
    "HeunDiscreteScheduler",
    "KDPM2AncestralDiscreteScheduler",
    "KDPM2DiscreteScheduler",
    "LCMScheduler",
    "LMSDiscreteScheduler",
    "PNDMScheduler",
    "TCDScheduler",
    "UniPCMultistepScheduler",
)
"""Schedulers for models that predict noise or velocity (Stable Diffusion 2). Those that draw noise
at each step take it from the generator of each image."""

FLOW = (
    "DEISMultistepScheduler",
    "DPMSolverMultistepScheduler",
    "DPMSolverSinglestepScheduler",
    "FlowMatchEulerDiscreteScheduler",
    "FlowMatchHeunDiscreteScheduler",
    "UniPCMultistepScheduler",
)
"""Schedulers for models that learnt a rectified flow (Stable Diffusion 3). All are deterministic:
its pipeline gives the scheduler no generator, so with one that draws noise no image could be made
again."""


def _is_shown(value) -> bool:
    return isinstance(value, str) and "".join(value.split()).isprintable()


def _text(valid: str, pattern: str) -> Range:
    return Range(
        valid, lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None
    )


_SWITCH = Range("true or false", lambda value: isinstance(value, bool))
_TEXT = Range("text of characters that can be shown", _is_shown)
_NAME = Range(
    "a name of characters that can be shown", lambda value: _is_shown(value) and value.strip() != ""
)
_COMMIT = _text(
    'the 40 hexadecimal digits of a commit, since a branch or tag may move, or "" for the newest',
    r"([0-9a-f]{40})?",
)
_CLUSTER = _text(
    '"" for this process, local:N for N processes on this machine (at least one process), auto, '
    "or host:port of a running cluster (ray start)",
    r"|auto|local:[1-9]\d{0,3}|(ray://)?(?!local:)[^\s/]+:\d{1,5}",
)
_SEED = whole(0, 2**32 - 1)  # what numpy, scikit-learn and PyTorch all take
_SHARE = number(0, 1)
_UNDER_ONE = number(0, 1, below=True)
_OVER_ZERO = number(0, 1, above=True)
_INSIDE = number(0, 1, above=True, below=True)
_EPOCHS, _PATIENCE = whole(1, 100_000), whole(0, 100_000)
_STEPS = whole(1, 10_000_000)
_BATCH = whole(2, 65_536)  # batch normalisation has nothing to normalise by in a batch of one
# with the largest surplus a million, where the seeds of two emotions meet
_PER_CLASS = whole(1, 100_000)

_GENERATOR = {
    "model": _NAME,
    "revision": _COMMIT,
    "without": Several(_NAME),
    "lora": _TEXT,
    "scheduler": Choice(("", *sorted({*DIFFUSION, *FLOW}))),
    "share": _SHARE,
    "steps": whole(1, 1000),  # the noise levels that the models have learnt
    "guidance_scale": number(0, 100),
    "size": whole(64, 4096, step=8),  # the autoencoders make one latent of 8 pixels a side
    "batch_size": whole(1, 4096),
}

_SECTIONS = {
    "data": {
        "sets": Several(Choice(DATA_SETS), least=1),
        "scale": _OVER_ZERO,
        "evaluation_scale": _OVER_ZERO,
        "rafdb_validation_share": number(0, 0.5, above=True),
        "label_noise": _UNDER_ONE,
        "seed": _SEED,
    },
    "gate": {"enabled": _SWITCH, "correlation": number(0.8, 1)},
    "prompts": {"seed": _SEED},
    **{f"generators.{name}": _GENERATOR for name in GENERATORS},
    "synthesis": {
        "size": whole(8, 4096),
        "negative_prompt": _TEXT,
        "dtype": Choice(DTYPES),
        "offload": Choice(OFFLOADS),
        "attention_slicing": _SWITCH,
        "vae_slicing": _SWITCH,
        "compile": _SWITCH,
        "face_crop": _SWITCH,
        "attempts": whole(1, 100),
        "shard_size": whole(1, 100_000),
        "seed": _SEED,
    },
    "tiny_generators": {
        "train": Several(Choice(GENERATORS)),
        "autoencoder_steps": _STEPS,
        "diffusion_steps": _STEPS,
        "teacher_epochs": _EPOCHS,
        "batch_size": _BATCH,
        "sd2_latent_channels": whole(1, 64),
        "learning_rate": _OVER_ZERO,
        "seed": _SEED,
    },
    "quality": {
        "seed": _SEED,
        "draws": whole(1, 100_000),
        "faces_per_emotion": whole(1, 1_000_000),
        "neighbours": whole(1, 1000),
        "filter": Choice(FILTERS),
        "confidence": _SHARE,
        "surplus": number(0, 9),
    },
    "quality.reader": {
        "max_epochs": _EPOCHS,
        "patience": _PATIENCE,
        "scheduler_patience": _PATIENCE,
    },
    "balancing": {
        "levels": Several(Choice(LEVELS), least=1, needed="original"),
        "aug2_per_class": _PER_CLASS,
        "aug3_per_class": _PER_CLASS,
        "aug4_per_class": _PER_CLASS,
        "seed": _SEED,
    },
    "controls": {
        "names": Several(Choice(CONTROLS)),
        "level": Choice(LEVELS),
        "seeds": Several(_SEED, least=1),
    },
    "repetition": {"fewer": Several(Choice((*LEVELS, *CONTROLS))), "seeds": whole(1, 100_000)},
    "network": {
        "width": number(0, 4, above=True),
        "head_width": number(0, 4),
        "image_size": whole(8, 1024),  # three poolings leave one pixel of 8
        "stem_dropout": _UNDER_ONE,
        "head_dropout": _UNDER_ONE,
    },
    "training": {
        "recipe": Choice(RECIPES),
        "seeds": Several(_SEED, least=1),
        "learning_rate": number(0, 10, above=True),
        "batch_size": _BATCH,
        "max_epochs": _EPOCHS,
        "updates": whole(0, 10_000_000),
        "select_on": Choice(SELECTED_ON),
        "patience": _PATIENCE,
        "keep": Choice(KEPT),
        "scheduler": Choice(SCHEDULERS),
        "scheduler_factor": _INSIDE,
        "scheduler_patience": _PATIENCE,
        "warmup": _UNDER_ONE,
        "averaging": _UNDER_ONE,
        "momentum": _UNDER_ONE,
        "weight_decay": _SHARE,
        "label_smoothing": _UNDER_ONE,
        "horizontal_flip": _SWITCH,
        "rotation": number(0, 180),
        "zoom": _UNDER_ONE,
        "shift": _SHARE,
        "erasing": _SHARE,
        "test_flip": _SWITCH,
        "first_row_lost": _SWITCH,
        "grayscale": _SWITCH,
        "precision": Choice(PRECISIONS),
        "compile": _SWITCH,
    },
    "evaluation": {"confidence": _INSIDE, "resamples": whole(1, 1_000_000), "seed": _SEED},
    "run": {
        "device": Choice(DEVICES),
        "threads": whole(0, 1024),
        "workers": whole(1, 1024),
        "cluster": _CLUSTER,
        "cell_timeout": whole(0, 10_000_000),
    },
}

RANGES: dict[str, Range | Choice | Several] = {"description": _TEXT, "stamp": _TEXT} | {
    f"{section}.{name}": found
    for section, settings in _SECTIONS.items()
    for name, found in settings.items()
}
"""``section.name`` -> what the setting may be."""


def check_values(settings: dict, profile_name: str) -> None:
    """Raise CompanionError for the first of a profile's flat ``settings`` that lies outside its
    range or does not go with others (``rules``)."""
    for setting, value in settings.items():
        if objection := RANGES[setting].objection(value):
            raise CompanionError(
                f"{setting} {objection} Change it in the profile {profile_name} or by --set "
                f"{setting}=VALUE."
            )
    for rule in RULES:
        if objection := rule(settings):
            raise CompanionError(objection)
