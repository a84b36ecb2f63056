"""Notebook 06: the faces behind each cell of a confusion matrix."""

import html
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from fer_utils.balancing.controls import Run, set_title, training_options
from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.errors import CompanionError
from fer_utils.core.faces import FaceSet
from fer_utils.core.profiles import Profile
from fer_utils.datasets import dataset_info, stored_splits
from fer_utils.datasets.label_noise import opinion_title, second_opinions
from fer_utils.evaluation.mistakes import mistaken, most_confused
from fer_utils.evaluation.priors import EVEN, trained_shares, weighted
from fer_utils.figures.sheets import Cell, contact_sheet
from fer_utils.training import load_model
from fer_utils.training.attribution import grad_cam, hires_cam, overlay
from fer_utils.training.resemotenet import ResEmoteNet
from fer_utils.training.trained import refuse_changed
from fer_utils.widgets.explorer import Choice, Slider, View, explore
from fer_utils.widgets.kept import Kept
from fer_utils.widgets.matrix import Matrix, cell_title

SHOWN, COLUMNS = 14, 7
NO_MAP = "none"
STRENGTH = "logit adjustment (τ)"
"""0: the answers as they are; 1: read for equal class shares (``evaluation.priors``)."""
MAPS = {"HiResCAM": hires_cam, "Grad-CAM": grad_cam}


@dataclass(frozen=True)
class Answers:
    """What one run said about its test faces.

    faces: the test set; probabilities: float [N, 7] in its order; opinions: int64 [N] of whoever
    else looked at the faces, -1 where they name none of the seven emotions, or None where nobody
    did.
    """

    run: Run
    faces: FaceSet
    probabilities: np.ndarray
    opinions: np.ndarray | None = None

    @property
    def counts(self) -> np.ndarray:
        """int [7, 7], rows the labels, columns the answers."""
        counts = np.zeros((len(EMOTIONS), len(EMOTIONS)), np.int64)
        np.add.at(counts, (self.faces.labels, self.probabilities.argmax(1)), 1)
        return counts

    def read_for_equal_shares(
        self, trained: np.ndarray, strength: float, smoothing: float = 0.0
    ) -> "Answers":
        """The same, its probabilities divided by the class shares ``trained`` [7] to the power of
        ``strength``, without what label ``smoothing`` gives every class."""
        return replace(
            self,
            probabilities=weighted(
                self.probabilities, trained, EVEN, strength=strength, smoothing=smoothing
            ),
        )

    def behind(self, label: int, answer: int) -> np.ndarray:
        """Positions of the faces of a cell, those answered most surely first."""
        return mistaken(self.probabilities, self.faces.labels, label, answer)


def answers_of(
    run: Run, predictions: pd.DataFrame, faces: FaceSet, opinions: np.ndarray | None = None
) -> Answers:
    """Of the table of ``evaluation.all_predictions`` the rows of one run, in the order of the test
    faces.

    Raises CompanionError where there are none, or faces without a row.
    """
    rows = predictions[
        (predictions["dataset"] == run.dataset)
        & (predictions["level"] == run.level)
        & (predictions["seed"] == run.seed)
    ].set_index("id")
    if rows.empty:
        raise CompanionError(
            f"There are no predictions of {run.title}. Choose another seed, or train it in"
            " stage 05."
        )
    known = np.isin(faces.ids, rows.index.to_numpy(str))  # a recipe may leave a test face out
    if known.sum() != len(rows):
        raise CompanionError(
            f"The predictions of {run.title} are about {len(rows):,} faces, of which"
            f" {known.sum():,} are test faces of stage 01. Run stage 05 again."
        )
    faces, opinions = faces.select(known), None if opinions is None else opinions[known]
    return Answers(
        run,
        faces,
        rows.loc[faces.ids, [f"p_{name}" for name in EMOTIONS]].to_numpy(float),
        opinions,
    )


def cell_view(
    answers: Answers,
    cell: tuple[int, int],
    profile: Profile,
    *,
    heats: np.ndarray | None = None,
    title: str = "",
) -> View:
    """The faces behind a cell with ids, the share of the answer, and the second opinion where there
    is one.

    heats: float [n, H, W] in 0..1, laid over the first ``SHOWN`` of them; title: what they are.
    """
    found = answers.behind(*cell)
    first, said = found[:SHOWN], cell_title(answers.counts, *cell)
    heads = f"{html.escape(answers.run.title)}: <b>{said}</b>"
    if not len(found):
        return View(
            words=f"{heads}. There is no face to show: choose a cell with a number above 0."
        )
    images = answers.faces.images[first]
    if heats is not None:
        images = [overlay(image, heat) for image, heat in zip(images, heats)]
    cells = [
        Cell(image, *_lines(answers, position, cell)) for image, position in zip(images, first)
    ]
    words = [
        heads,
        (
            f"Shown are the {len(first)} answered most surely of {len(found):,}."
            if len(first) < len(found)
            else "All of them are shown, the surest answers first."
        ),
        _opinion_sentence(answers, found, cell),
        (
            f"Over them {title}: the brighter, the more speaks for {EMOTIONS[cell[1]]}."
            if heats is not None
            else ""
        ),
    ]
    picture = contact_sheet(cells, columns=COLUMNS, stamp=profile.stamp)
    return View(
        picture,
        words="<br>".join(filter(None, words)),
        alt=(
            f"{answers.run.title}: {said}. {len(first)} of these"
            f" faces{f' with {title} over them' if title else ''}."
        ),
    )


def confusion_explorer(predictions: pd.DataFrame, profile: Profile, *, level: str):
    """The matrix of one run as buttons, and the faces behind the cell that is pressed; first the
    two emotions that the first run of ``level`` takes for each other most.

    predictions: as ``evaluation.all_predictions`` gives them.
    """
    tests, models, maps = {}, Kept(3), Kept(64)

    def look(run: Run) -> Answers:
        if run.dataset not in tests:
            faces = stored_splits(run.dataset, profile).test
            tests[run.dataset] = faces, second_opinions(run.dataset, "test", faces, profile)
        return answers_of(run, predictions, *tests[run.dataset])

    def network(run: Run) -> ResEmoteNet:
        refuse_changed(run.folder(profile))
        return load_model(run.folder(profile), profile)

    def heats(
        answers: Answers, cell: tuple[int, int], kind: str, say: Callable[[str], None]
    ) -> np.ndarray:
        run = answers.run
        if run not in models:
            say(f"reading the weights of {run.title} …")
        model = models.get(run, lambda: network(run))
        faces = answers.faces.select(answers.behind(*cell)[:SHOWN])
        say(f"{kind} of {len(faces)} faces …")
        settings = training_options(run.dataset, run.level, profile)[0].training
        return maps.get(
            (run, cell, kind),
            lambda: cell_maps(model, faces, cell[1], kind, grayscale=settings.grayscale),
        )

    def draw(
        dataset: str,
        level: str,
        seed: int,
        strength: float,
        numbers: str,
        overlaid: str,
        cell: tuple[int, int],
        say: Callable[[str], None],
    ) -> View:
        answers = look(Run(dataset, level, seed))
        if strength:
            answers = answers.read_for_equal_shares(
                trained_shares(answers.run, profile), strength, profile.training.label_smoothing
            )
        matrix.paint(answers.counts, shares=numbers == "shares")
        if overlaid == NO_MAP or not len(answers.behind(*cell)):
            view = cell_view(answers, cell, profile)
        else:
            view = cell_view(
                answers, cell, profile, heats=heats(answers, cell, overlaid, say), title=overlaid
            )
        return (
            replace(view, words=f"{in_all(answers, strength)}<br>{view.words}")
            if strength
            else view
        )

    first = look(Run(predictions["dataset"].iloc[0], level, int(predictions["seed"].iloc[0])))
    matrix = Matrix(
        "Down the label, across the answer. Press a cell to see its faces.",
        most_confused(first.probabilities, first.faces.labels),
    )
    return explore(
        draw,
        {
            **_run_controls(predictions, level),
            "strength": Slider(STRENGTH, 0.0, 2.0, 0.0, step=0.1),
            "numbers": Choice("numbers", ["counts", "shares"], buttons=True),
            "overlaid": Choice("evidence", [NO_MAP, *MAPS], buttons=True),
            "cell": matrix,
        },
    )


def in_all(answers: Answers, strength: float) -> str:
    """Accuracy and balanced accuracy of all answers, read for equal class shares with a
    strength."""
    right = np.diagonal(answers.counts)
    totals = answers.counts.sum(axis=1)
    balanced = (right[totals > 0] / totals[totals > 0]).mean()
    return (
        f"Answers divided by the class shares of training to the power of {strength:.1f}: accuracy "
        f"<b>{right.sum() / totals.sum():.1%}</b>, balanced accuracy <b>{balanced:.1%}</b>."
    )


def cell_maps(
    model, faces: FaceSet, answer: int, kind: str, *, grayscale: bool = False
) -> np.ndarray:
    """What speaks for the answer in each face: float32 [N, H, W] in 0..1 at the faces' own size.

    kind: one of ``MAPS``; grayscale: whether the network reads all faces in gray (``recipes``).
    """
    side = faces.images.shape[1]
    faces = faces.resize(side, channels=1) if grayscale else faces
    return MAPS[kind](model, faces, [answer] * len(faces), size=(side, side))


def _run_controls(predictions: pd.DataFrame, level: str) -> dict:
    sets = [(dataset_info(name).title, name) for name in predictions["dataset"].unique()]
    levels = [(set_title(name), name) for name in predictions["level"].unique()]
    return {
        "dataset": Choice("data set", sets),
        "level": Choice("training set", levels, level),
        "seed": Choice("seed", predictions["seed"].unique().tolist()),
    }


def _lines(
    answers: Answers, position: int, cell: tuple[int, int]
) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """What stands under a face, and which of the lines is a warning: a second opinion that sides
    with the network."""
    label, answer = cell
    p = answers.probabilities[position]
    lines = [answers.faces.ids[position].split("-", 1)[-1], f"{EMOTIONS[answer]} {p[answer]:.0%}"]
    if label != answer:
        lines.append(f"{EMOTIONS[label]} {p[label]:.0%}")
    if answers.opinions is None:
        return tuple(lines), ()
    opinion = answers.opinions[position]
    lines.append(
        f"{'FER+' if answers.run.dataset == 'fer2013' else 'drawn'}:"
        f" {EMOTIONS[opinion] if opinion >= 0 else 'none'}"
    )
    return tuple(lines), (len(lines) - 1,) if opinion != label else ()


def _opinion_sentence(answers: Answers, found: np.ndarray, cell: tuple[int, int]) -> str:
    """How often the second opinion sides with the network."""
    if answers.opinions is None:
        return ""
    opinions, (label, answer) = answers.opinions[found], cell
    with_label, with_answer = (opinions == label).sum(), (opinions == answer).sum()
    whose = opinion_title([answers.run.dataset])
    if label == answer:
        return f"The {whose} says {EMOTIONS[label]} as well for {with_label:,} of {len(found):,}."
    doubt = ": there the label may be what is wrong" if with_answer else ""
    return (
        f"The {whose} sides with the label for {with_label:,} of {len(found):,}, with the network"
        f" for {with_answer:,}{doubt}."
    )
