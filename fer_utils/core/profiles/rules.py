"""What settings must be to each other. Each rule takes the flat settings of a profile, all inside
their ranges, and says what is wrong with them; '' where nothing is.
"""

TINY_SIDE = 64
"""Pixels of the images that the tiny generators were trained on."""

FEW_STEPS, MOST_FEW = ("LCMScheduler", "TCDScheduler"), 50
"""Schedulers for distilled models, and the steps that these were distilled from: they know no
more."""


def _shares_add_up(settings: dict) -> str:
    two, three = settings["generators.sd2.share"], settings["generators.sd3.share"]
    if abs(two + three - 1) <= 1e-9:
        return ""
    return (
        f"generators.sd2.share ({two}) and generators.sd3.share ({three}) must add up to 1: set"
        " both."
    )


def _images_fit_the_model(settings: dict) -> str:
    """tiny-sd3 knows no places beyond its own 8x8 latents; Stable Diffusion 3 takes its latents in
    pairs."""
    size, model = settings["generators.sd3.size"], settings["generators.sd3.model"]
    tiny = model in ("tiny-sd2", "tiny-sd3", "trained-here") or model.startswith("trained-by:")
    if tiny and size > TINY_SIDE:
        return (
            f"generators.sd3.size is {size}, but its model {model} draws images of {TINY_SIDE}"
            f" pixels: set generators.sd3.size={TINY_SIDE}."
        )
    if not tiny and size % 16:
        return (
            f"generators.sd3.size is {size}, but 16 must divide it for Stable Diffusion 3: set "
            f"generators.sd3.size={size + 8}."
        )
    return ""


def _steps_fit_the_scheduler(settings: dict) -> str:
    for name in ("generators.sd2", "generators.sd3"):
        scheduler, steps = settings[f"{name}.scheduler"], settings[f"{name}.steps"]
        if scheduler in FEW_STEPS and steps > MOST_FEW:
            return (
                f"{name}.steps is {steps}, but {scheduler} takes {MOST_FEW} at most: set"
                f" {name}.steps to fewer, or another {name}.scheduler."
            )
    return ""


def _level_of_controls_is_made(settings: dict) -> str:
    level, levels = settings["controls.level"], settings["balancing.levels"]
    if not settings["controls.names"] or level in levels and level != "original":
        return ""
    return (
        f"controls.level is '{level}', but must be a level of balancing.levels other than original;"
        f" found {', '.join(levels)}. Name one of these, add it there, or set controls.names=[]."
    )


def _budget_is_whole(settings: dict) -> str:
    recipe, scheduler, updates = (
        settings[f"training.{name}"] for name in ("recipe", "scheduler", "updates")
    )
    if (recipe == "budget") == (updates > 0) == (scheduler == "cosine"):
        return ""
    return (
        f"training.recipe is {recipe}, training.scheduler {scheduler} and training.updates"
        f" {updates}: a budget has updates and a cosine, no other recipe has either. Set"
        " training.recipe=budget and training.updates, or another recipe, its scheduler and"
        " training.updates=0."
    )


def _budget_has_its_parts(settings: dict) -> str:
    updates = settings["training.updates"]
    for name in ("training.max_epochs", "quality.reader.max_epochs"):
        if 0 < updates < settings[name]:
            return (
                f"training.updates {updates} cannot be divided into {name} {settings[name]} parts;"
                " lower the latter."
            )
    return ""


def _warm_up_has_a_length(settings: dict) -> str:
    """A rise that ends with the update it begins with is a division by zero in PyTorch's
    schedule."""
    warmup, updates = settings["training.warmup"], settings["training.updates"]
    if not updates or warmup * (updates + 1) != 1:
        return ""
    return (
        f"training.warmup {warmup:g} of training.updates {updates} ends with the first update, too"
        " early for a rise: set training.warmup=0 or a larger one."
    )


def _patience_waits(settings: dict) -> str:
    for name in ("training.patience", "quality.reader.patience"):
        if settings["training.keep"] == "best" and settings[name] < 1:
            return (
                f"{name} is 0, which ends a training before its first epoch where training.keep is"
                f" best: set {name}=1 or more."
            )
    return ""


RULES = (
    _shares_add_up,
    _images_fit_the_model,
    _steps_fit_the_scheduler,
    _level_of_controls_is_made,
    _budget_is_whole,
    _budget_has_its_parts,
    _warm_up_has_a_length,
    _patience_waits,
)
