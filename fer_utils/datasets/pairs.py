"""Pairs of faces to look at: training faces beside the held-out faces that they copy, or resemble
most."""

from dataclasses import dataclass

import numpy as np

from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.faces import FaceSet, concatenate
from fer_utils.datasets.gate import Verdict
from fer_utils.datasets.splits import Splits
from fer_utils.datasets.twins import closest_pairs, portraits

ADMITTED = "admitted"


@dataclass(frozen=True)
class Pair:
    """A training face (left) and a held-out face (right): images uint8 [H, W, C], ids, the emotions
    of their labels.

    kind: of ``gate.KINDS`` for one that was kept out, else 'admitted'; correlation: of their
    pixels, up to 1.
    """

    images: tuple[np.ndarray, np.ndarray]
    ids: tuple[str, str]
    emotions: tuple[str, str]
    kind: str
    correlation: float

    @property
    def lines(self) -> tuple[str, str]:
        """Both labels, and what was found."""
        return " | ".join(self.emotions), f"{self.kind}, {self.correlation:.3f}"


def kept_out_pairs(splits: Splits, verdict: Verdict) -> list[Pair]:
    """Every training face that the gate kept out, with the validation or test face it copies; the
    kinds take turns.

    ``splits`` are those before the gate.
    """
    out = verdict.kept_out.assign(turn=verdict.kept_out.groupby("kind").cumcount()).sort_values(
        "turn", kind="stable"
    )
    held_out = concatenate(splits.validation, splits.test)
    lefts, rights = _places(splits.train, out["id"]), _places(held_out, out["twin"])
    return [
        _pair(splits.train, left, held_out, right, kind, correlation)
        for left, right, kind, correlation in zip(lefts, rights, out["kind"], out["correlation"])
    ]


def closest_admitted(splits: Splits, verdict: Verdict, count: int) -> list[Pair]:
    """The ``count`` most alike pairs of an admitted training face and a test face, each face at
    most once."""
    admitted = splits.train.select(~np.isin(splits.train.ids, verdict.kept_out["id"].to_numpy(str)))
    closest = closest_pairs(portraits(admitted), portraits(splits.test), count)
    return [
        _pair(admitted, row.first, splits.test, row.second, ADMITTED, row.correlation)
        for row in closest.itertuples()
    ]


def example_pairs(
    splits: Splits, verdict: Verdict, count: int
) -> list[tuple[np.ndarray, np.ndarray, str]]:
    """``figures.twin_pairs``' (left, right, lines of text): at most half are copies that were kept
    out, of every kind in turn; the rest are the most alike pairs of those admitted."""
    copies = kept_out_pairs(splits, verdict)[: count // 2]
    pairs = [*copies, *closest_admitted(splits, verdict, count - len(copies))]
    return [(*pair.images, "\n".join(pair.lines)) for pair in pairs]


def _places(faces: FaceSet, ids) -> np.ndarray:
    place = {name: position for position, name in enumerate(faces.ids.tolist())}
    return np.array([place[name] for name in ids], int)


def _pair(
    faces: FaceSet, left: int, others: FaceSet, right: int, kind: str, correlation: float
) -> Pair:
    return Pair(
        (faces.images[left], others.images[right]),
        (str(faces.ids[left]), str(others.ids[right])),
        (EMOTIONS[faces.labels[left]], EMOTIONS[others.labels[right]]),
        kind,
        float(correlation),
    )
