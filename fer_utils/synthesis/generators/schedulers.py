"""Which of diffusers' schedulers may take the place of a model's own."""

from fer_utils.core.errors import CompanionError, nearest
from fer_utils.core.profiles.ranges import DIFFUSION, FLOW


def check_scheduler(name: str, where: str, *, own: str) -> None:
    """Raise CompanionError unless the scheduler ``name`` can drive a model whose own scheduler is
    ``own``."""
    valid = FLOW if own.startswith("FlowMatch") else DIFFUSION
    if name not in valid:
        raise CompanionError(
            f"{where} is '{name}', no scheduler for a model made for {own}: "
            f'{nearest(name, valid)} Leave it "" for the model\'s own.'
        )


def exchange_scheduler(pipeline, name: str) -> None:
    """Give the pipeline the scheduler ``name``, built from the settings of its own."""
    import diffusers

    own, more = pipeline.scheduler.config, {}
    if type(pipeline.scheduler).__name__.startswith("FlowMatch") and not name.startswith(
        "FlowMatch"
    ):
        more = {
            "use_flow_sigmas": True,
            "prediction_type": "flow_prediction",
            "flow_shift": own.get("shift", 1.0),
        }
    if name == "PNDMScheduler":
        # as Stable Diffusion uses it; otherwise under four steps are an error
        more = {"skip_prk_steps": True}
    pipeline.scheduler = getattr(diffusers, name).from_config(own, **more)
