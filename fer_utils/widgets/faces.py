"""Notebook 01: leafing through the faces of a data set, and through its pairs of twins."""

import functools
import html
import os
from collections.abc import Mapping

import numpy as np

from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.errors import CompanionError
from fer_utils.core.faces import FaceSet
from fer_utils.core.profiles import Profile
from fer_utils.datasets import SPLITS, Splits, dataset_info
from fer_utils.datasets.gate import Verdict
from fer_utils.datasets.label_noise import NO_OPINION, opinion_title, second_opinions
from fer_utils.datasets.pairs import Pair, closest_admitted, kept_out_pairs
from fer_utils.figures.sheets import Cell, contact_sheet
from fer_utils.widgets.explorer import Choice, Slider, Toggle, View, explore

FACE_COLUMNS, PAIR_COLUMNS = 8, 4
FACES_A_PAGE, PAIRS_A_PAGE = 24, 12
CLOSEST = 4 * PAIRS_A_PAGE
EVERY = "every emotion"
KEPT_OUT, ADMITTED = "kept out by the gate", "most alike of those admitted"


def face_explorer(whole: Mapping[str, Splits], profile: Profile):
    """Controls for data set, split, emotion and page above a sheet of faces. ``whole``: what
    ``load_splits`` gave."""
    opinions = {
        name: {
            split: second_opinions(name, split, faces, profile) for split, faces in splits.items()
        }
        for name, splits in whole.items()
    }
    most = max(len(faces) for splits in whole.values() for _, faces in splits.items())
    controls = {
        "dataset": _datasets(whole),
        "split": Choice("split", SPLITS),
        "emotion": Choice("label", [EVERY, *EMOTIONS], buttons=True),
        "page": Slider("page", 1, _pages(most, FACES_A_PAGE), 1),
        "doubted": Toggle("only labels that the second opinion contradicts"),
    }

    def draw(dataset, split, emotion, page, doubted):
        return face_page(
            getattr(whole[dataset], split),
            opinions[dataset][split],
            dataset=dataset,
            emotion=emotion,
            page=page,
            doubted=doubted,
            stamp=profile.stamp,
        )

    return explore(draw, controls)


def face_page(
    faces: FaceSet,
    opinions: np.ndarray | None,
    *,
    dataset: str,
    emotion: str,
    page: int,
    doubted: bool = False,
    stamp: str = "",
) -> View:
    """One page of the faces under a label, with their ids and what the second opinion says of each.

    opinions: as ``label_noise.second_opinions`` gives them. doubted: only faces of whose label it
    says something else; CompanionError where there is no opinion. A page beyond the last shows the
    last, and says so.
    """
    chosen = (
        np.ones(len(faces), bool) if emotion == EVERY else faces.labels == EMOTIONS.index(emotion)
    )
    if doubted:
        chosen &= _contradicted(faces, opinions, dataset)
    rows, place = _page(np.flatnonzero(chosen), page, FACES_A_PAGE)
    title = (
        f"{dataset_info(dataset).title}: {chosen.sum():,} {'doubtful ' if doubted else ''}faces"
        f"{'' if emotion == EVERY else f' labelled {emotion}'}"
    )
    if not len(rows):
        return View(words=f"{title}. Choose another label, split or data set.")
    shown, heard = faces.select(rows), None if opinions is None else opinions[rows]
    first = _common_start(shown.ids.tolist())
    picture = contact_sheet(
        _face_cells(shown, heard, dataset, first), columns=FACE_COLUMNS, stamp=stamp
    )
    return View(
        picture,
        alt=f"{title}, {place}",
        words=f"{title}, {place}.{_id_words(first)} {_opinion_words(shown, heard, dataset)}",
    )


def twin_explorer(whole: Mapping[str, Splits], verdicts: Mapping[str, Verdict], profile: Profile):
    """Controls for data set, kind of pair and page above a sheet of pairs, those that were kept out
    first."""

    @functools.cache  # the pairs of a whole data set take seconds, a page of them does not
    def pairs(dataset: str, kind: str) -> list[Pair]:
        if kind == KEPT_OUT:
            return kept_out_pairs(whole[dataset], verdicts[dataset])
        return closest_admitted(whole[dataset], verdicts[dataset], CLOSEST)

    kept_out = {name: len(verdict.kept_out) for name, verdict in verdicts.items()}
    controls = {
        "dataset": _datasets(whole),
        "kind": Choice(
            "pairs",
            [KEPT_OUT, ADMITTED],
            KEPT_OUT if any(kept_out.values()) else ADMITTED,
            buttons=True,
        ),
        "page": Slider("page", 1, _pages(max(CLOSEST, *kept_out.values()), PAIRS_A_PAGE), 1),
    }

    def draw(dataset, kind, page):
        return twin_page(
            pairs(dataset, kind), dataset=dataset, kind=kind, page=page, stamp=profile.stamp
        )

    return explore(draw, controls, busy="comparing every training face with every test face …")


def twin_page(pairs: list[Pair], *, dataset: str, kind: str, page: int, stamp: str = "") -> View:
    """One page of pairs, a training face left and the held-out face it resembles right, with both
    ids and labels."""
    title = (
        f"{dataset_info(dataset).title}, {kind}: {len(pairs):,}"
        f" {'pair' if len(pairs) == 1 else 'pairs'}"
    )
    if not pairs:
        return View(words=f"{title}. Choose the other kind, or another data set.")
    shown, place = _page(pairs, page, PAIRS_A_PAGE)
    first = _common_start([name for pair in shown for name in pair.ids])
    cells = [
        Cell(
            _side_by_side(pair),
            (" | ".join(name[len(first) :] for name in pair.ids), *pair.lines),
            warned=(1,) if len(set(pair.emotions)) == 2 else (),
            quiet=(0,),
        )
        for pair in shown
    ]
    differ = sum(len(set(pair.emotions)) == 2 for pair in shown)
    return View(
        contact_sheet(cells, columns=PAIR_COLUMNS, stamp=stamp),
        alt=f"{title}, {place}",
        words=(
            f"{title}, {place}.{_id_words(first)} Left a training face, right the held-out one;"
            " under them both labels and the correlation of their pixels. The labels differ in"
            f" {differ} of these {len(shown)} pairs."
        ),
    )


def _datasets(whole: Mapping[str, Splits]) -> Choice:
    return Choice("data set", [(dataset_info(name).title, name) for name in whole])


def _pages(count: int, a_page: int) -> int:
    return max(1, -(-count // a_page))


def _page(items, page: int, a_page: int) -> tuple:
    """The items of that page, and where it is in words."""
    last = _pages(len(items), a_page)
    number = min(page, last)
    beyond = ", the last" if page > last else ""
    return items[(number - 1) * a_page : number * a_page], f"page {number} of {last}{beyond}"


def _contradicted(faces: FaceSet, opinions: np.ndarray | None, dataset: str) -> np.ndarray:
    if opinions is None:
        raise CompanionError(
            f"There is no second opinion on the labels of {dataset_info(dataset).title}. "
            "Untick the box, or choose another data set."
        )
    return (opinions != faces.labels) & (opinions != NO_OPINION)


def _face_cells(
    faces: FaceSet, opinions: np.ndarray | None, dataset: str, first: str
) -> list[Cell]:
    source = "drawn" if dataset_info(dataset).is_demo else "FER+"
    cells = []
    for row, (image, label, name) in enumerate(zip(faces.images, faces.labels, faces.ids.tolist())):
        lines = (name[len(first) :], EMOTIONS[label])
        if opinions is None:
            cells.append(Cell(image, lines, quiet=(0,)))
            continue
        said = "none" if opinions[row] == NO_OPINION else EMOTIONS[opinions[row]]
        differs = said not in ("none", EMOTIONS[label])
        cells.append(
            Cell(
                image,
                (*lines, f"{source}{' ≠ ' if differs else ': '}{said}"),
                warned=(2,) if differs else (),
                quiet=(0,) if differs else (0, 2),
            )
        )
    return cells


def _opinion_words(faces: FaceSet, opinions: np.ndarray | None, dataset: str) -> str:
    if opinions is None:
        return "There is no second opinion on these labels."
    return (
        f"The second opinion ({opinion_title([dataset])}) contradicts"
        f" {_contradicted(faces, opinions, dataset).sum()} of these {len(faces)} labels (≠)."
    )


def _side_by_side(pair: Pair) -> np.ndarray:
    left, right = pair.images
    return np.concatenate(
        [left, np.full((len(left), 2, left.shape[2]), 255, np.uint8), right], axis=1
    )


def _common_start(ids: list[str]) -> str:
    """What all ids begin with, up to its last '-' or '_', so that the rest fits under a picture."""
    start = os.path.commonprefix(ids)
    return start[: 1 + max(start.rfind("-"), start.rfind("_"))]


def _id_words(first: str) -> str:
    return f" Every id begins with <code>{html.escape(first)}</code>." if first else ""
