"""The two recipes ResEmoteNet may have been trained by: the paper's text and its authors' published
code.

A recipe is values of the profile's ``training`` section. ``paper.yaml`` holds the text's, and our
choice where the text is silent; ``reference/recipes.csv`` says what the authors' code
(https://github.com/ArnabKumarRoy02/ResEmoteNet at commit fabbe68) does and where.
``training.recipe=authors_code`` puts all of it in place; each setting alone is a switch.
"""

import pandas as pd
import yaml

from fer_utils.core.errors import CompanionError, nearest
from fer_utils.core.faces import FaceSet
from fer_utils.core.paths import PROFILES
from fer_utils.core.reference import read_as_printed

RECIPES = ("paper", "authors_code", "budget")
KEPT, SELECTED_ON, SCHEDULERS = (
    ("best", "last"),
    ("loss", "accuracy"),
    ("plateau", "cosine", "none"),
)
BUDGET = {"scheduler": "cosine", "keep": "last"}
"""What makes a training of ``training.updates`` updates a fair one: nothing depends on when it
would have stopped."""


def _switches() -> dict[str, dict]:
    paper = yaml.safe_load((PROFILES / "paper.yaml").read_text(encoding="utf-8"))["training"]
    code = {
        row["setting"]: yaml.safe_load(row["authors_code"])
        for row in read_as_printed("recipes").to_dict("records")
    }
    return {
        setting: {setting: value}
        for setting, value in code.items()
        if value not in (None, paper[setting])
    }


RECIPE_SWITCHES: dict[str, dict] = _switches()
"""Name of a switch -> what it changes in the ``training`` section: each step from the paper's
recipe to the code's."""


def recipe_settings(name: str) -> dict:
    """What a recipe changes in the ``training`` section of any profile: nothing for 'paper'; for
    'authors_code' all switches; for 'budget' ``BUDGET``. Sizes that a profile scales (learning
    rate, batch, epochs) are equal in both and stay."""
    if name not in RECIPES:
        raise CompanionError(f"training.recipe '{name}' is unknown: {nearest(name, RECIPES)}")
    if name == "paper":
        return {}
    if name == "budget":
        return BUDGET
    return {
        setting: value for changes in RECIPE_SWITCHES.values() for setting, value in changes.items()
    }


def as_read(faces: FaceSet, settings) -> FaceSet:
    """``faces`` of a training, validation or test set as the recipe in ``settings``
    (``profile.training``) reads them: the authors' code loses the first row of every list and makes
    all images gray."""
    if settings.first_row_lost:
        faces = faces.select(slice(1, None))
    return faces.resize(faces.images.shape[1], channels=1) if settings.grayscale else faces


def kept_epoch(history: pd.DataFrame, settings) -> int:
    """Position in ``history`` (one row per epoch) of the epoch whose weights are kept: the last
    one, or the one with the lowest validation loss or the highest validation accuracy, as the
    recipe in ``settings`` (``profile.training``) says; of equal ones the first."""
    if settings.keep == "last":
        return len(history) - 1
    if settings.select_on == "accuracy":
        return int(history["validation_accuracy"].to_numpy().argmax())
    return int(history["validation_loss"].to_numpy().argmin())


def lowered_epochs(history: pd.DataFrame, settings) -> list[int]:
    """The first epochs at a lower learning rate, a plateau behind each; none where the rate falls
    all the time."""
    lower = history["learning_rate"].diff() < 0
    return history["epoch"][lower].tolist() if settings.scheduler == "plateau" else []


def in_words(settings) -> str:
    """The recipe in ``settings`` (``profile.training``) in two sentences for readers."""
    common = (
        f"SGD in batches of {settings.batch_size} with momentum {settings.momentum:g} and weight"
        f" decay {settings.weight_decay:g}."
    )
    if not settings.updates:
        return (
            f"{common} Learning rate {settings.learning_rate:g}, times"
            f" {settings.scheduler_factor:g} after more than {settings.scheduler_patience} epochs"
            f" without a better validation loss; at most {settings.max_epochs} epochs, patience"
            f" {settings.patience}."
        )
    mean = (
        f"the running mean of the weights (decay {settings.averaging:g}) at the last"
        if settings.averaging
        else "the weights of the last"
    )
    return (
        f"{common} A budget of {settings.updates:,} updates whatever the size of the set, here in"
        f" {settings.max_epochs} equal parts called epochs; the learning rate rises to"
        f" {settings.learning_rate:g} in the first {settings.warmup:.0%} of them and falls to 0"
        f" along a cosine, and {mean} update are kept. Faces are mirrored, turned by up to"
        f" {settings.rotation:g}°, enlarged or reduced by up to {settings.zoom:.0%} and moved by up"
        f" to {settings.shift:.0%} of their side{_erased(settings)}; a label counts"
        f" {1 - settings.label_smoothing:g}, the rest goes to all classes."
    )


def _erased(settings) -> str:
    return f", and {settings.erasing:.0%} of them lose a rectangle" if settings.erasing else ""


def recipe_table(training: dict) -> pd.DataFrame:
    """The recipes side by side: setting, paper (None: not stated), chosen (the base profile's
    value), authors_code (None: no such thing there), switch (whether the recipes differ in it),
    place, source.

    Args:
        training: the ``training`` section of the ``paper`` profile, whose values are what is
        chosen.
    """
    rows = read_as_printed("recipes").to_dict("records")
    return pd.DataFrame(
        [
            {
                "setting": row["setting"],
                "paper": yaml.safe_load(row["paper"]),
                "chosen": training[row["setting"]],
                "authors_code": yaml.safe_load(row["authors_code"]),
                "switch": row["setting"] in RECIPE_SWITCHES,
                "place": row["place"],
                "source": row["source"],
            }
            for row in rows
        ],
        dtype=object,
    )
