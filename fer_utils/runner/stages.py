"""The stages: six of the paper and the audit; the notebook of each, what it depends on, what it
must leave behind."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

from fer_utils.balancing.controls import chosen_controls, runs_of
from fer_utils.core.errors import CompanionError, nearest
from fer_utils.core.paths import committed_tables

SPLITS = ("train", "validation", "test")
WITH_FACES = (
    "figure_1_resemotenet",
    "figure_2_pipeline",
    "figure_a1_samples",
    "figure_a1_twins",
    "figure_a4_nearest",
    "figure_a4_beside_real",
)
"""Figures that show single faces of a data set; means of many are not among them."""
ORACLES = ("fer2013_quarter", "fer2013_tenth", "fer2013_twentieth")
MEASURED = (
    "fer2013",
    "fer2013_full_paper_recipe",
    "fer2013_paper_recipe",
    "fer2013_twins",
    *ORACLES,
)
"""The profiles that ``measured`` reads of."""
EVERYTHING = (
    "data",
    "gate",
    "prompts",
    "generators",
    "synthesis",
    "tiny_generators",
    "quality",
    "balancing",
    "controls",
    "repetition",
    "network",
    "training",
    "evaluation",
    "stamp",
)


@dataclass(frozen=True)
class Stage:
    """One notebook and everything that decides whether its results still stand, but for the code:
    that is what the notebook's cells reach through imports (``imports.reached_files``).

    sections: settings it reads, as sections or ``section.name``; ``-section.name`` leaves one out
    again.
    inputs:   numbers of the stages whose ``outputs`` it reads.
    outputs:  profile, parameters -> files or folders it hands on to later stages.
    shown:    tables (``table_…``) and figures (``figure_…``) it must write for readers.
    shown_at_times: profile -> those that only some profiles have.
    committed: profile -> published files that it shows besides what it computes.
    reads:    profile, parameters -> those of its inputs' files and folders that count; all of them
    where it is None.
    varies:   profile -> one dict of notebook parameters per unit; a stage runs once per unit.
    unfinished: profile, parameters -> what the next run goes on from, or uses again where it still
    stands, and no later
              stage reads; only a forced run goes without it.
    resumes:  whether its modules check and reuse what an earlier run left, so that it must not be
    deleted.
    spread:   whether its units are trainings, which a cluster can do before their notebooks find
    them done.
    """

    number: int
    name: str
    notebook: str
    sections: tuple[str, ...]
    inputs: tuple[int, ...]
    outputs: Callable[..., list[Path]]
    shown: tuple[str, ...] = ()
    shown_at_times: Callable[..., tuple[str, ...]] = lambda profile: ()
    committed: Callable[..., list[Path]] = lambda profile: []
    reads: Callable[..., list[Path]] | None = None
    varies: Callable[..., list[dict]] = lambda profile: [{}]
    resumes: bool = False
    unfinished: Callable[..., list[Path]] = lambda profile, **_: []
    spread: bool = False


@dataclass(frozen=True)
class Unit:
    """One execution of a stage's notebook."""

    stage: Stage
    parameters: dict = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name of its executed notebook and of its record:
        ``05_training_demo_rafdb_aug1_0``."""
        return "_".join([self.stage.notebook, *map(str, self.parameters.values())])

    def outputs(self, profile) -> list[Path]:
        """What it hands on to later stages."""
        return self.stage.outputs(profile, **self.parameters)

    def unfinished(self, profile) -> list[Path]:
        """What a stopped run of it leaves for the next one."""
        return self.stage.unfinished(profile, **self.parameters)

    def shown(self, profile) -> list[Path]:
        """What it writes for readers."""
        names = (*self.stage.shown, *self.stage.shown_at_times(profile))
        return [path for name in names for path in shown_files(name, profile)]

    def reads(self, profile) -> list[Path] | None:
        """Those of its inputs' files and folders that decide its results; None for all of them."""
        return None if self.stage.reads is None else self.stage.reads(profile, **self.parameters)


def shown_files(name: str, profile) -> list[Path]:
    """The three files of a table (csv, md, tex) or of a figure (pdf, svg, png)."""
    if name.startswith("table_"):
        return [profile.paths.tables / f"{name}.{kind}" for kind in ("csv", "md", "tex")]
    return [profile.paths.figures / f"{name}.{kind}" for kind in ("pdf", "svg", "png")]


def units_of(stages, profile) -> list[Unit]:
    """Every unit of every stage, in the order in which they run."""
    return [Unit(stage, parameters) for stage in stages for parameters in stage.varies(profile)]


def find_stage(wanted: str, stages) -> Stage:
    """The stage called by its number (3, 03), its name (synthesis) or its notebook
    (03_synthesis)."""
    for stage in stages:
        if wanted.lstrip("0") == str(stage.number) or wanted in (stage.name, stage.notebook):
            return stage
    raise CompanionError(
        f"Unknown stage '{wanted}': {nearest(wanted, [stage.name for stage in stages])}"
    )


def _faces(profile) -> list[Path]:
    return [path for dataset in profile.data.sets for path in _faces_of(dataset, profile)]


def _faces_of(dataset: str, profile) -> list[Path]:
    return [*(profile.paths.faces(dataset, split) for split in SPLITS), profile.paths.gate(dataset)]


def _prompts(profile) -> list[Path]:
    return [profile.paths.prompts]


def _pool(profile) -> list[Path]:
    """Scores are handed on whether a filter uses them or not: they change with the faces and the
    reader alone."""
    return [profile.paths.pool, *map(profile.paths.quality_scores, profile.data.sets)]


def _readers(profile) -> list[Path]:
    return [profile.paths.reader(dataset) for dataset in profile.data.sets]


def _balanced_sets(profile) -> list[Path]:
    levels, controls = (
        profile.balancing.levels,
        [control.name for control in chosen_controls(profile) if not control.adjusted],
    )
    return [
        profile.paths.gate("pool"),
        *(
            path
            for dataset in profile.data.sets
            for path in (
                *(profile.paths.balanced_set(dataset, name) for name in (*levels, *controls)),
                *(profile.paths.training_options(dataset, name) for name in controls),
            )
        ),
    ]


def _trained(profile, dataset: str, level: str, seed: int) -> list[Path]:
    folder = profile.paths.model(dataset, level, seed)
    return [folder / name for name in ("model.safetensors", "history.csv", "predictions.csv")]


def _learnt_from(profile, dataset: str, level: str, seed: int) -> list[Path]:
    """A training reads one data set, the pool and one set with its options: another control leaves
    it fresh."""
    return [
        *_faces_of(dataset, profile),
        profile.paths.pool,
        profile.paths.balanced_set(dataset, level),
        profile.paths.training_options(dataset, level),
    ]


def _checkpoint(profile, dataset: str, level: str, seed: int) -> list[Path]:
    return [profile.paths.model(dataset, level, seed) / "checkpoint.pt"]


def _nothing(profile) -> list[Path]:
    return []


def _trainings(profile) -> list[dict]:
    return [run._asdict() for run in runs_of(profile)]


def _of_photographs(profile) -> tuple[str, ...]:
    return () if _all_drawn(profile) else ("figure_a4_beside_real",)


def _all_drawn(profile) -> bool:
    return all(name.startswith("demo_") for name in profile.data.sets)


def unpublished(profile) -> tuple[str, ...]:
    """Figures that never leave the run: those with photographs of people, where the faces are
    photographs, and those that show what is published of several profiles, which are of one piece
    with it in a run of drawn faces alone."""
    return (
        ()
        if _all_drawn(profile)
        else (*WITH_FACES, "figure_a6_real_faces", "figure_a8_trade_off", *_of_oracles(profile))
    )


def _measured(profile) -> list[Path]:
    """What ``measured`` reads. The profiles it reads of are published after their run, which can't
    depend on it."""
    folders = [committed_tables(name) for name in MEASURED] if profile.name not in MEASURED else []
    read = (
        "table_a6_summary.csv",
        "table_a6_comparison.csv",
        "table_a6_priors.csv",
        "table_a7_oracle.csv",
        "provenance.json",
    )
    return [folder / name for folder in folders for name in read]


def _of_oracles(profile) -> tuple[str, ...]:
    there = any((committed_tables(name) / "table_a7_oracle.csv").is_file() for name in ORACLES)
    return ("figure_a7_oracle",) if there else ()


def _of_controls(profile) -> tuple[str, ...]:
    return ("table_a2_controls", "figure_a2_controls") if chosen_controls(profile) else ()


STAGES = (
    Stage(
        1,
        "dataset",
        "01_dataset_analysis",
        ("data", "gate", "stamp"),
        (),
        _faces,
        (
            "table_a1_data_integrity",
            "table_a1_gate",
            "table_a1_test_sizes",
            "figure_a1_class_counts",
            "figure_a1_samples",
            "figure_a1_mean_faces",
            "figure_a1_pixel_statistics",
            "figure_a1_twins",
            "figure_a1_label_noise",
        ),
    ),
    Stage(
        2,
        "prompts",
        "02_prompt_generation",
        ("data", "prompts", "generators", "balancing", "synthesis", "quality.surplus", "stamp"),
        (1,),
        _prompts,
        ("table_1_prompts",),
    ),
    Stage(
        3,
        "synthesis",
        "03_synthesis",
        (
            "gate",
            "generators",
            "synthesis",
            "tiny_generators",
            "quality",
            "-quality.surplus",
            "network",
            "training",
            "-training.seeds",
            "evaluation",
            "stamp",
        ),
        (1, 2),
        _pool,
        (
            "figure_3_synthetic_examples",
            "figure_a4_trajectory",
            "figure_a4_guidance",
            "table_a1_generators",
            "table_a4_quality",
            "table_a4_filter",
            "table_a4_attributes",
            "figure_a4_quality",
            "figure_a4_nearest",
        ),
        shown_at_times=_of_photographs,
        unfinished=_readers,
        resumes=True,
    ),
    Stage(
        4,
        "balancing",
        "04_balancing",
        (
            "data",
            "gate",
            "balancing",
            "controls",
            "-controls.seeds",
            "quality.filter",
            "quality.confidence",
            "stamp",
        ),
        (1, 3),
        _balanced_sets,
        ("table_2_distribution", "table_2_paper_scale", "figure_2_pipeline"),
    ),
    # Training is expensive. A notebook that runs again, because a figure in it changed, finds its
    # network finished as long as settings, faces and the code that trains are the same
    # (``training.checkpoint.fingerprint``).
    Stage(
        5,
        "training",
        "05_training",
        ("network", "training", "-training.seeds"),
        (1, 3, 4),
        _trained,
        reads=_learnt_from,
        varies=_trainings,
        unfinished=_checkpoint,
        resumes=True,
        spread=True,
    ),
    Stage(
        6,
        "evaluation",
        "06_evaluation",
        EVERYTHING,
        (1, 5),
        _nothing,
        (
            "table_3_class_accuracy",
            "table_4_comparison",
            "table_a0_differences",
            "table_a6_summary",
            "table_a6_comparison",
            "table_a6_priors",
            "table_a6_subsets",
            "table_a6_confusion",
            "table_a5_recipes",
            "figure_1_resemotenet",
            "figure_4_confusion_matrices",
            "figure_a0_learning_curves",
            "figure_a0_class_accuracy",
            "figure_a6_calibration",
        ),
        shown_at_times=_of_controls,
    ),
    # The audit reads printed numbers alone: always the paper's, whatever the profile; of it only
    # the stamp counts.
    Stage(
        7,
        "audit",
        "07_paper_audit",
        ("stamp",),
        (),
        _nothing,
        ("table_a3_audit", "figure_a3_implied_accuracy"),
    ),
    # So does this one: of committed tables alone.
    Stage(
        8,
        "real_faces",
        "08_real_faces",
        ("stamp",),
        (),
        _nothing,
        ("figure_a8_trade_off", "figure_a6_real_faces"),
        shown_at_times=_of_oracles,
        committed=_measured,
    ),
)
