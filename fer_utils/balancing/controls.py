"""Controls: what else could explain a gain from balancing with synthetic faces?

A level of Table II changes three things at once: every class is equally large, an epoch has more
updates, and the new faces are synthetic. Each control changes one of them and leaves the rest (the
paper has none). Its set, like a level's, is an index of ids written by stage 4; how it is trained,
where that differs from a level, lies beside it.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from fer_utils.balancing import (
    ALTERED,
    FROM_POOL,
    LEVEL_TITLES,
    REPEATED,
    SOURCES,
    SYNTHETIC,
    copy_rows,
    level_targets,
    real_rows,
    shuffled_rows,
    synthetic_rows,
    unseen_rows,
    write_index,
)
from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.errors import CompanionError
from fer_utils.core.faces import FaceSet
from fer_utils.core.paths import atomic_write
from fer_utils.core.profiles import Profile, with_values
from fer_utils.core.recipes import RECIPE_SWITCHES
from fer_utils.core.stored import read_json
from fer_utils.datasets import unseen_faces
from fer_utils.datasets.splits import dataset_info

GROUPS = ("balance", "updates", "synthesis", "oracle", "recipe")
"""What a control controls for, in the order in which tables and figures show them."""


@dataclass(frozen=True)
class Control:
    """One training set, or one way to train, beside the levels.

    answers:   the question it answers.
    balanced:  whether its classes are as large as those of ``controls.level``; else the set is
    Original.
    real:      whether the real faces are in it.
    synthetic: share of the missing faces that come from the pool; the rest are copies of real
    faces.
    copies:    what the copies are: 'repeated' or 'altered'.
    pool:      which synthetic faces may enter: 'all', those of one generator ('sd2', 'sd3'), or
    those in which a reader
               trained on real faces sees the emotion of the prompt ('agreed').
    shuffled:  whether the synthetic faces get labels drawn by lot.
    unseen:    whether unseen real faces take the place of synthetic ones; where a class runs out of
    them it stays smaller.
    natural:   whether what is added comes in the proportions of the training set instead of
    balancing it.
    part:      share of what the level adds that is added at all; under 1 no copies make up for the
    rest.
    weighted:  whether the loss weighs each class by its inverse frequency.
    adjusted:  whether it is no training at all, but Original's answers read for equal class shares
    (``evaluation.priors``).
    synthetic_weight: what a synthetic face counts in the loss beside a real one.
    synthetic_first: whether a first half of the updates sees the synthetic faces alone, and the
    second the real ones.
    updates_of_level: whether an epoch has as many images as ``controls.level``, the set being
    repeated.
    recipe:    the switch of ``recipes.RECIPE_SWITCHES`` that is on.
    """

    name: str
    title: str
    group: str
    answers: str
    balanced: bool = True
    real: bool = True
    synthetic: float = 0.0
    copies: str = REPEATED
    pool: str = "all"
    shuffled: bool = False
    unseen: bool = False
    natural: bool = False
    part: float = 1.0
    weighted: bool = False
    adjusted: bool = False
    synthetic_weight: float = 1.0
    synthetic_first: bool = False
    updates_of_level: bool = False
    recipe: str = ""


CONTROLS = {
    control.name: control
    for control in (
        Control(
            "oversampling",
            "Oversampling",
            "balance",
            "Are repeated real faces as good as synthetic ones?",
        ),
        Control(
            "geometric",
            "Geometric copies",
            "balance",
            "Are rotated, mirrored and cropped copies of real faces as good as synthetic ones?",
            copies=ALTERED,
        ),
        Control(
            "class_weights",
            "Class weights",
            "balance",
            "Is it enough that rare classes count more in the loss?",
            balanced=False,
            weighted=True,
        ),
        Control(
            "logit_adjustment",
            "Logit adjustment",
            "balance",
            "Is it enough to divide Original's answers by the class shares, without any training?",
            balanced=False,
            adjusted=True,
        ),
        Control(
            "equal_updates",
            "Equal updates",
            "updates",
            "Is it enough to train for as many updates, without any balance?",
            balanced=False,
            updates_of_level=True,
        ),
        Control(
            "sd2_only",
            "SD2 only",
            "synthesis",
            "Do the faces of Stable Diffusion 2 alone do it?",
            synthetic=1.0,
            pool="sd2",
        ),
        Control(
            "sd3_only",
            "SD3 only",
            "synthesis",
            "Do the faces of Stable Diffusion 3 alone do it?",
            synthetic=1.0,
            pool="sd3",
        ),
        Control(
            "filtered",
            "Filtered",
            "synthesis",
            "Is it better to keep only synthetic faces in which a reader of real faces sees the"
            " prompted emotion?",
            synthetic=1.0,
            pool="agreed",
        ),
        Control(
            "synthetic_only",
            "Synthetic only",
            "synthesis",
            "What do synthetic faces teach without any real one?",
            synthetic=1.0,
            real=False,
        ),
        *(
            Control(
                f"ratio_{percent}",
                f"{percent} % synthetic",
                "synthesis",
                f"Does it matter if {percent} % of the added faces are synthetic and the rest"
                " repeated real ones?",
                synthetic=percent / 100,
            )
            for percent in (25, 50, 75)
        ),
        Control(
            "shuffled",
            "Shuffled labels",
            "synthesis",
            "Do the synthetic faces themselves matter, or only how many each class has?",
            synthetic=1.0,
            shuffled=True,
        ),
        Control(
            "half_weight",
            "Half weight",
            "synthesis",
            "Is it better if a synthetic face counts half as much as a real one?",
            synthetic=1.0,
            synthetic_weight=0.5,
        ),
        Control(
            "synthetic_first",
            "Synthetic first",
            "synthesis",
            "Is it better to learn from the synthetic faces first and from the real ones"
            " afterwards?",
            synthetic=1.0,
            synthetic_first=True,
        ),
        *(
            Control(
                f"synthetic_{percent}",
                f"{percent} % of the synthetic faces",
                "oracle",
                f"What do {percent} % of the synthetic faces give?",
                synthetic=1.0,
                part=percent / 100,
            )
            for percent in (25, 50)
        ),
        *(
            Control(
                name,
                f"{title} real faces",
                "oracle",
                f"What do {words} unseen real faces give in place of synthetic ones?",
                unseen=True,
                part=part,
            )
            for name, title, words, part in (
                ("unseen_25", "25 % of the unseen", "a quarter as many", 0.25),
                ("unseen_50", "50 % of the unseen", "half as many", 0.5),
                ("unseen", "Unseen", "as many", 1.0),
            )
        ),
        Control(
            "unseen_natural",
            "Unseen real faces, not balanced",
            "oracle",
            "What do as many unseen real faces give in the proportions of the training set?",
            unseen=True,
            natural=True,
        ),
        Control(
            "recipe_no_scheduler",
            "No scheduler",
            "recipe",
            "What does a constant learning rate change?",
            balanced=False,
            recipe="scheduler",
        ),
        Control(
            "recipe_select_on_accuracy",
            "Kept by accuracy",
            "recipe",
            "What does it change to keep the epoch of the best validation accuracy?",
            balanced=False,
            recipe="select_on",
        ),
        Control(
            "recipe_patience",
            "Longer patience",
            "recipe",
            "What does the longer patience of the authors' code change?",
            balanced=False,
            recipe="patience",
        ),
    )
}
"""Every control by name. Of the recipe's switches those are left out that change which test faces
there are or how they look (``first_row_lost``, ``test_flip``, ``grayscale``): such a run can't be
compared face by face."""

NO_POOL = pd.DataFrame(columns=["id", "generator", "emotion"])

NO_CONTROLS = (
    "No controls in this profile: its `controls.names` is empty. The profile `demo_controls` has"
    " some."
)

RATIO_SWEEP = ("oversampling", "ratio_25", "ratio_50", "ratio_75")
"""The controls that, with ``controls.level`` at their end, go from no synthetic face among the
added ones to only such."""


def chosen_controls(profile: Profile) -> list[Control]:
    """The controls of the profile in its order; CompanionError for one that does not go with its
    recipe."""
    names = profile.controls.names
    idle = [name for name in names if CONTROLS[name].updates_of_level or CONTROLS[name].recipe]
    if idle and profile.training.updates:
        raise CompanionError(
            f"controls.names holds '{idle[0]}', but training.recipe is budget: every set has the"
            " same updates and no run stops by itself, so it would change nothing. Leave it out,"
            " or take another recipe."
        )
    phased = [name for name in names if CONTROLS[name].synthetic_first]
    if phased and not profile.training.updates:
        raise CompanionError(
            f"controls.names holds '{phased[0]}', but training.recipe is {profile.training.recipe}:"
            " only the updates of a budget can be divided into halves. Leave it out, or set"
            " training.recipe=budget."
        )
    return [CONTROLS[name] for name in names]


def trained_sets(profile: Profile) -> list[tuple[str, list[int]]]:
    """(level or control, seeds) of everything stage 5 trains for each data set, in that order:
    those of ``training.seeds`` or ``controls.seeds``, or only the first ``repetition.seeds`` of
    them for what ``repetition.fewer`` names."""
    fewer, few = profile.repetition.fewer, profile.repetition.seeds
    every = [
        *((level, profile.training.seeds) for level in profile.balancing.levels),
        *(
            (control.name, profile.controls.seeds)
            for control in chosen_controls(profile)
            if not control.adjusted
        ),
    ]
    return [(name, seeds[:few] if name in fewer else seeds) for name, seeds in every]


def answering_sets(profile: Profile) -> list[tuple[str, list[int]]]:
    """``trained_sets``, and the controls that only read the answers of Original's runs, with the
    seeds of these."""
    trained = trained_sets(profile)
    return trained + [
        (control.name, dict(trained)["original"])
        for control in chosen_controls(profile)
        if control.adjusted
    ]


class Run(NamedTuple):
    """One training: data set, level or control, seed."""

    dataset: str
    level: str
    seed: int

    @property
    def title(self) -> str:
        """What readers see."""
        return f"{dataset_info(self.dataset).title}, {set_title(self.level)}, seed {self.seed}"

    @property
    def answering(self) -> "Run":
        """The run whose network answers: itself, but of a control that only reads Original's
        answers that of Original."""
        adjusted = self.level in CONTROLS and CONTROLS[self.level].adjusted
        return self._replace(level="original") if adjusted else self

    def folder(self, profile: Profile) -> Path:
        """Where its files lie."""
        return profile.paths.model(*self)


def runs_of(profile: Profile) -> list[Run]:
    """Every training of the profile, in the order in which stage 5 runs them."""
    sets = [(dataset, *found) for dataset in profile.data.sets for found in trained_sets(profile)]
    return [Run(dataset, level, seed) for dataset, level, seeds in sets for seed in seeds]


def set_title(name: str) -> str:
    """What readers see for a level or a control."""
    return LEVEL_TITLES[name] if name in LEVEL_TITLES else CONTROLS[name].title


def control_index(
    control: Control, dataset: str, profile: Profile, *, train: FaceSet, manifest: pd.DataFrame
) -> pd.DataFrame:
    """Which faces the set of a control holds: columns id, source, emotion, as
    ``balancing.balanced_index``.

    Where the pool has fewer faces than wanted, more copies of real ones take their place, so that
    the class counts stay those of the level; without real faces the class is left smaller. Raises
    CompanionError if the pool has none.
    """
    usable = _usable(manifest, control, dataset, profile)
    unseen = unseen_faces(dataset, profile) if control.unseen else None
    parts = []
    for emotion, (missing, wanted) in _wanted(control, train.counts(), profile).items():
        if unseen is not None:
            parts.append(unseen_rows(unseen, emotion, missing, profile))
            continue
        synthetic = synthetic_rows(usable, emotion, wanted, profile)
        copies = missing - len(synthetic) if control.real and control.part == 1 else 0
        parts += [synthetic, copy_rows(train, emotion, copies, control.copies, profile)]
    index = pd.concat(
        ([real_rows(train)] if control.real else []) + [part for part in parts if len(part)],
        ignore_index=True,
    )
    synthetic = index["source"] == SYNTHETIC
    if control.synthetic and not synthetic.any():
        raise CompanionError(
            f"The control '{control.name}' finds no synthetic face for {dataset} in the pool"
            f" ({len(manifest):,} faces, {len(usable):,} of them of the kind '{control.pool}')."
            " Take it out of controls.names, or see stage 03 for what the pool holds."
        )
    if not control.shuffled:
        return index
    return pd.concat(
        [index[~synthetic], shuffled_rows(index[synthetic], profile)], ignore_index=True
    )


def _wanted(
    control: Control, counts: dict[str, int], profile: Profile
) -> dict[str, tuple[int, int]]:
    """Emotion -> faces that are added to the real ones (if they are in the set), and how many of
    them from the pool."""
    targets = level_targets(
        counts, profile.controls.level if control.balanced else "original", profile
    )
    added = {
        emotion: targets[emotion] - (counts[emotion] if control.real else 0) for emotion in counts
    }
    if control.natural:
        added = {
            emotion: sum(added.values()) * count / sum(counts.values())
            for emotion, count in counts.items()
        }
    added = {emotion: round(count * control.part) for emotion, count in added.items()}
    return {emotion: (count, round(count * control.synthetic)) for emotion, count in added.items()}


def _usable(
    manifest: pd.DataFrame, control: Control, dataset: str, profile: Profile
) -> pd.DataFrame:
    if control.pool == "all":
        return manifest
    if control.pool != "agreed":
        return manifest[manifest["generator"] == control.pool]
    from fer_utils.synthesis.quality import (
        read_scores,  # only here: its reader needs PyTorch, a look at the status does not
    )

    scores = read_scores(dataset, profile)
    return manifest[manifest["id"].isin(scores.loc[scores["agrees"], "id"])]


def write_control_sets(
    dataset: str, profile: Profile, *, train: FaceSet, manifest: pd.DataFrame
) -> dict[str, pd.DataFrame]:
    """Write index and training options of every control of the profile beside those of the levels;
    the indices."""
    return {
        control.name: _write_control_set(control, dataset, profile, train=train, manifest=manifest)
        for control in chosen_controls(profile)
        if not control.adjusted
    }


def ensure_real_set(name: str, dataset: str, profile: Profile, *, train: FaceSet) -> None:
    """Write the set of a control that holds no synthetic face, unless it is there: it can be
    trained on before there is a pool. Other controls and the levels are left to stage 4."""
    control = CONTROLS.get(name)
    if (
        control
        and not control.synthetic
        and not profile.paths.training_options(dataset, name).is_file()
    ):
        _write_control_set(control, dataset, profile, train=train, manifest=NO_POOL)


def _write_control_set(
    control: Control, dataset: str, profile: Profile, *, train: FaceSet, manifest: pd.DataFrame
) -> pd.DataFrame:
    index = control_index(control, dataset, profile, train=train, manifest=manifest)
    write_index(index, profile.paths.balanced_set(dataset, control.name))
    with atomic_write(
        profile.paths.training_options(dataset, control.name), "w", encoding="utf-8"
    ) as file:
        json.dump(_options(control, profile, train.counts()), file, indent=1, sort_keys=True)
    return index


def _options(control: Control, profile: Profile, counts: dict[str, int]) -> dict:
    """What differs from training a level: for ``training_arguments``, and settings of
    ``training``."""
    arguments = {}
    if control.weighted:
        arguments["class_weights"] = dict(zip(EMOTIONS, inverse_frequency(counts), strict=True))
    if control.synthetic_weight != 1:
        arguments["source_weights"] = {SYNTHETIC: control.synthetic_weight}
    if control.synthetic_first:
        arguments["first"] = SYNTHETIC
    if control.updates_of_level:
        arguments["images_per_epoch"] = sum(
            level_targets(counts, profile.controls.level, profile).values()
        )
    return {
        "arguments": arguments,
        "settings": RECIPE_SWITCHES[control.recipe] if control.recipe else {},
    }


def inverse_frequency(counts: dict[str, int]) -> list[float]:
    """What an image of each emotion counts in the loss, in the order of ``EMOTIONS``: all images /
    (7 x those of its class), so that the classes count alike and the images 1 on average; 0 for a
    class without images."""
    total = sum(counts.values())
    return [
        total / (len(EMOTIONS) * counts[emotion]) if counts[emotion] else 0.0
        for emotion in EMOTIONS
    ]


def training_options(dataset: str, name: str, profile: Profile) -> tuple[Profile, dict]:
    """The profile with the recipe of a level or control, and what ``training_arguments`` makes
    arguments of.

    Its paths are not those of ``profile``, which it must not replace.
    """
    if name in LEVEL_TITLES:
        return profile, {}
    path = profile.paths.training_options(dataset, name)
    if not path.is_file():
        raise CompanionError(
            f"{path} is not there. Run stage 04 (notebooks/04_balancing.ipynb) with the profile "
            f"'{profile.name}' and '{name}' in controls.names first."
        )
    options = read_json(path, ["settings", "arguments"])
    return with_values(profile, "training", options["settings"]), options["arguments"]


def training_arguments(options: dict, index: pd.DataFrame) -> dict:
    """The keyword arguments of ``training.train_model`` for the faces of ``index`` (weights,
    phases, images_per_epoch), from the second of ``training_options``: weights by class or by
    source, and the source that is trained on first."""
    given = (
        {"images_per_epoch": options["images_per_epoch"]} if "images_per_epoch" in options else {}
    )
    for key, column in (("class_weights", "emotion"), ("source_weights", "source")):
        if key in options:
            given["weights"] = (
                index[column]
                .map(lambda name, weights=options[key]: weights.get(name, 1.0))
                .to_numpy(float)
            )
    if "first" in options:
        given["phases"] = (index["source"] != options["first"]).to_numpy(int)
    return given


def control_sets_table(
    indices: dict[str, dict[str, pd.DataFrame]], counts: dict[str, dict[str, int]], profile: Profile
) -> pd.DataFrame:
    """What ``write_control_sets`` wrote: a row per data set and control.

    Columns dataset, control, faces, one for each of ``balancing.SOURCES``, lacking (how many
    synthetic faces the pool was short of). ``counts`` are the training counts of each data set.
    """
    rows = []
    for dataset, sets in indices.items():
        for name, index in sets.items():
            found = {source: int((index["source"] == source).sum()) for source in SOURCES}
            wanted = sum(
                synthetic
                for _, synthetic in _wanted(CONTROLS[name], counts[dataset], profile).values()
            )
            rows.append(
                {
                    "dataset": dataset,
                    "control": name,
                    "faces": len(index),
                    **found,
                    "lacking": wanted - sum(found[source] for source in FROM_POOL),
                }
            )
    return pd.DataFrame(rows)
