"""The stated times against arithmetic, memory traffic and steps: what the hardware takes at least
(section IV)."""

import math

from fer_utils.audit.checks import FITS, NOT_POSSIBLE
from fer_utils.audit.paper import UNLIKELY
from fer_utils.audit.verdicts import LIKELY
from fer_utils.core.reference import read_reference


def time_rows() -> list[dict]:
    """Training hours and inference milliseconds, each against its least, and the two of each
    against each other."""
    training, inference = _stated("training time"), _stated("inference time")
    return [
        *(_training_row(dataset, hours) for dataset, hours in training.items()),
        _hours_row(training),
        *(_inference_row(dataset, taken) for dataset, taken in inference.items()),
        _ratio_row(inference),
    ]


def least_step_seconds() -> tuple[float, float]:
    """A training step on one batch at least: seconds for its arithmetic, seconds for moving the
    weights."""
    cost = _costs()
    arithmetic = (
        cost["batch_size"] * cost["training_passes"] * cost["forward_flop"] / cost["peak_flop"]
    )
    return arithmetic, cost["weight_transfers"] * _weight_bytes(cost) / cost["peak_bandwidth"]


def least_inference_seconds() -> tuple[float, float]:
    """The same for one image of a batch without training: weights are read once a batch."""
    cost = _costs()
    return (
        cost["forward_flop"] / cost["peak_flop"],
        _weight_bytes(cost) / cost["peak_bandwidth"] / cost["batch_size"],
    )


def steps_per_epoch(images: int) -> int:
    """Steps over so many images at the paper's batch size, the last batch smaller."""
    return math.ceil(images / _costs()["batch_size"])


def _training_row(dataset: str, hours: float) -> dict:
    table = read_reference("table_2")
    images = int(table[(table["dataset"] == dataset) & (table["level"] == "aug4")]["count"].sum())
    steps, epochs, (arithmetic, traffic) = (
        steps_per_epoch(images),
        int(_costs()["max_epochs"]),
        least_step_seconds(),
    )
    least = steps * epochs * max(arithmetic, traffic) / 3600
    took = 3600 * hours / (steps * epochs)
    return _row(
        "training time",
        dataset,
        f"{hours:g} hours",
        low=least,
        column="aug4",
        verdict=FITS if hours >= least else NOT_POSSIBLE,
        follows=(
            f"{least:.2f} hours at least for {epochs} epochs of {steps:,} steps"
            f" ({1000 * arithmetic:.1f} ms a step for arithmetic, {1000 * traffic:.1f} ms for the"
            f" weights); as stated, {1000 * took:.0f} ms a step, more with fewer epochs"
        ),
        assumption=(
            "a P100 at the peak rates of its data sheet, nothing but the network, 32-bit floats,"
            f" all {images:,} images once an epoch"
        ),
    )


def _hours_row(hours: dict[str, float]) -> dict:
    (first, longer), (second, shorter) = hours.items()
    return _row(
        "training time",
        f"{first} and {second}",
        f"{longer:g} and {shorter:g} hours",
        column="aug4",
        low=longer / shorter,
        high=longer / shorter,
        verdict=FITS,
        follows=(
            f"as many steps an epoch, so {longer / shorter:.2f} times as many epochs for {first}"
        ),
        assumption="every step takes the same time on both sets",
    )


def _inference_row(dataset: str, milliseconds: float) -> dict:
    arithmetic, traffic = (1000 * seconds for seconds in least_inference_seconds())
    least = max(arithmetic, traffic)
    return _row(
        "inference time",
        dataset,
        f"{milliseconds:g} ms",
        low=least,
        column="aug4",
        verdict=FITS if milliseconds >= least else NOT_POSSIBLE,
        follows=(
            f"{least:.2f} ms at least ({arithmetic:.2f} ms for arithmetic, "
            f"{traffic:.2f} ms for the weights)"
        ),
        assumption=(
            "a P100 at the peak rates of its data sheet, nothing but the network, 32-bit floats"
        ),
    )


def _ratio_row(times: dict[str, float]) -> dict:
    (first, less), (second, more) = times.items()
    return _row(
        "inference time",
        f"{first} and {second}",
        f"{less:g} and {more:g} ms",
        column="aug4",
        low=1.0,
        high=1.0,
        verdict=UNLIKELY,
        follows=f"equal times for the network itself; the printed ones are 1 to {more / less:.2f}",
        assumption=(
            "both are the time of the network: the same weights in number, 64x64 input, batches of"
            " 16, one kind of card"
        ),
        explanation=(
            "reading and resizing the files counted in; the first call counted in; other work on"
            " the machine"
        ),
    )


def _stated(kind: str) -> dict[str, float]:
    claims = read_reference("claims")
    rows = claims[claims["kind"] == kind]
    return {
        dataset: float(text) for dataset, text in zip(rows["dataset"], rows["printed"], strict=True)
    }


def _costs() -> dict[str, float]:
    table = read_reference("costs")
    return dict(zip(table["quantity"], table["value"], strict=True))


def _weight_bytes(cost: dict[str, float]) -> float:
    return cost["parameters"] * cost["bytes_per_parameter"]


def _row(check: str, dataset: str, printed: str, **others) -> dict:
    return {
        "check": check,
        "dataset": dataset,
        "row": "overall",
        "printed": printed,
        "certainty": LIKELY,
        **others,
    }
