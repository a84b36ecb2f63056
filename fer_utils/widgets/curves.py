"""Notebook 05: the learning curves of finished runs side by side."""

import html
from collections.abc import Mapping, Sequence

from fer_utils import figures
from fer_utils.balancing.controls import Run, set_title, training_options
from fer_utils.core.errors import CompanionError
from fer_utils.core.profiles import Profile
from fer_utils.core.recipes import kept_epoch, lowered_epochs
from fer_utils.core.stored import read_table
from fer_utils.datasets import dataset_info
from fer_utils.figures.curves import Curves
from fer_utils.training import HISTORY
from fer_utils.widgets.explorer import Choice, Several, View, explore
from fer_utils.widgets.runs import finished_runs

MEASURES = {"loss": ("loss",), "accuracy": ("accuracy",), "both": ("loss", "accuracy")}
PARTS = {"both": ("train", "validation"), "training": ("train",), "validation": ("validation",)}


def run_curves(run: Run, profile: Profile) -> Curves:
    """The history of a finished run with the epochs that decided it, by the recipe it was trained
    with."""
    history = read_table(
        run.folder(profile) / HISTORY, ["epoch", "validation_loss", "validation_accuracy"]
    )
    settings = training_options(run.dataset, run.level, profile)[0].training
    return Curves(
        set_title(run.level),
        run.seed,
        history,
        kept=int(history["epoch"][kept_epoch(history, settings)]),
        lowered=lowered_epochs(history, settings),
        stopped=len(history) < settings.max_epochs,
    )


def chosen_curves(
    finished: Mapping[Run, Curves], *, dataset: str, levels: Sequence[str], seeds: Sequence[int]
) -> list[Curves]:
    """Of the finished runs those of a data set, of these levels or controls and seeds;
    CompanionError if there is none."""
    chosen = [
        curves
        for run, curves in finished.items()
        if run.dataset == dataset and run.level in levels and run.seed in seeds
    ]
    if not chosen:
        there = "; ".join(run.title for run in finished)
        raise CompanionError(
            "No finished run is chosen. Choose at least one training set and one seed that go"
            f" together. Finished are: {there}."
        )
    return chosen


def curves_view(
    curves: Sequence[Curves],
    profile: Profile,
    *,
    title: str,
    measures: Sequence[str],
    parts: Sequence[str],
) -> View:
    """The runs in one figure, and under it for each what happened in how many epochs."""
    figure = figures.compared_curves(curves, measures=measures, parts=parts)
    names = ", ".join(f"{run.title} with seed {run.seed}" for run in curves)
    return View(
        figures.render(figure, profile),
        alt=(
            f"{title}: {' and '.join(measures)} over epochs of {names}. What "
            "became of each stands below."
        ),
        words="<br>".join(html.escape(line) for line in [title, *map(_sentence, curves)]),
    )


def curve_explorer(profile: Profile, *, dataset: str, level: str, seed: int):
    """Lists of what stage 5 has finished so far above the curves chosen; first this run beside
    Original's."""
    finished = {run: run_curves(run, profile) for run in finished_runs(profile)}

    def draw(
        dataset: str, levels: tuple[str, ...], seeds: tuple[int, ...], measure: str, part: str
    ) -> View:
        curves = chosen_curves(finished, dataset=dataset, levels=levels, seeds=seeds)
        return curves_view(
            curves,
            profile,
            title=dataset_info(dataset).title,
            measures=MEASURES[measure],
            parts=PARTS[part],
        )

    levels = [(set_title(name), name) for name in dict.fromkeys(run.level for run in finished)]
    first = [name for _, name in levels if name in ("original", level)]
    sets = [
        (dataset_info(name).title, name) for name in dict.fromkeys(run.dataset for run in finished)
    ]
    return explore(
        draw,
        {
            "dataset": Choice("data set", sets, dataset),
            "levels": Several("training sets", levels, first, rows=7),
            "seeds": Several("seeds", sorted({run.seed for run in finished}), [seed], rows=4),
            "measure": Choice("curve", list(MEASURES), buttons=True),
            "part": Choice("faces", list(PARTS), buttons=True),
        },
    )


def _sentence(run: Curves) -> str:
    """What became of a run, in one line."""
    best, epochs = run.history.loc[run.history["epoch"] == run.kept].iloc[0], len(run.history)
    rates = (
        f", a lower learning rate from epoch {', '.join(map(str, run.lowered))}"
        if run.lowered
        else ""
    )
    end = (
        f"stopped early after epoch {epochs}" if run.stopped else f"ran all {epochs} epochs allowed"
    )
    return (
        f"{run.title}, seed {run.seed}: {end}{rates}; kept are the weights of epoch {run.kept}"
        f" (validation loss {best['validation_loss']:.3f}, accuracy"
        f" {best['validation_accuracy']:.1f} %)."
    )
