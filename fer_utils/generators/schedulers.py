"""Which of diffusers' schedulers may take the place of a model's own."""

from fer_utils.errors import CompanionError, nearest

DIFFUSION = ("DDIMScheduler", "DDPMScheduler", "DEISMultistepScheduler", "DPMSolverMultistepScheduler",
             "DPMSolverSinglestepScheduler", "EulerAncestralDiscreteScheduler", "EulerDiscreteScheduler",
             "HeunDiscreteScheduler", "KDPM2AncestralDiscreteScheduler", "KDPM2DiscreteScheduler", "LCMScheduler",
             "LMSDiscreteScheduler", "PNDMScheduler", "TCDScheduler", "UniPCMultistepScheduler")
"""For models that predict noise or velocity (Stable Diffusion 2). Those that draw noise at each step take it from the
generator of each image."""

FLOW = ("DEISMultistepScheduler", "DPMSolverMultistepScheduler", "DPMSolverSinglestepScheduler",
        "FlowMatchEulerDiscreteScheduler", "FlowMatchHeunDiscreteScheduler", "UniPCMultistepScheduler")
"""For models that learnt a rectified flow (Stable Diffusion 3). All are deterministic: its pipeline gives the scheduler
no generator, so with one that draws noise at each step no image could be made again from its seed."""


def check_scheduler(name: str, where: str, *, own: str = "") -> None:
    """Raise CompanionError unless the scheduler ``name`` can drive a model whose own scheduler is ``own``.

    While the model is not known yet, ``own`` is empty and the name alone is checked.
    """
    valid = (FLOW if own.startswith("FlowMatch") else DIFFUSION) if own else sorted({*DIFFUSION, *FLOW})
    if name in valid:
        return
    kind = f" for a model made for {own}" if own else " known here"
    raise CompanionError(f"{where} is '{name}', no scheduler{kind}: {nearest(name, valid)} "
                         'Leave it "" for the model\'s own.')


def exchange_scheduler(pipeline, name: str) -> None:
    """Give the pipeline the scheduler ``name``, built from the settings of its own."""
    import diffusers

    own, more = pipeline.scheduler.config, {}
    if type(pipeline.scheduler).__name__.startswith("FlowMatch") and not name.startswith("FlowMatch"):
        more = {"use_flow_sigmas": True, "prediction_type": "flow_prediction", "flow_shift": own.get("shift", 1.0)}
    if name == "PNDMScheduler":
        more = {"skip_prk_steps": True}     # as Stable Diffusion uses it; otherwise under four steps are an error
    pipeline.scheduler = getattr(diffusers, name).from_config(own, **more)
