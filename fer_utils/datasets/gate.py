"""The gate: no picture of a validation or test set, nor an altered copy of one, enters a training
set.

Users of the authors' code found training archives with augmented copies of test images, which is
worth some thirty points of accuracy. So whatever is to be trained on, real or synthetic, is
compared with every validation and test face first: as it is, mirrored, and as crops of up to four
pixels resized again. Correlation does not see brightness and contrast, and hardly compression.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.errors import CompanionError
from fer_utils.core.faces import FaceSet, concatenate
from fer_utils.core.paths import atomic_write
from fer_utils.core.profiles import Profile
from fer_utils.datasets.twins import (
    SIZE,
    Portraits,
    low_frequencies,
    near_pairs,
    normalised,
    picture_numbers,
    portraits,
)

KINDS = ("identical", "mirrored", "near", "near and mirrored", "cropped", "cropped and mirrored")
COLUMNS = ("id", "origin", "emotion", "kind", "correlation", "twin", "twin_origin", "twin_emotion")

# Pixels cut off (left, top, right, bottom) before resizing. Any crop of up to two pixels an edge
# lies within one pixel an edge of one of these, near enough for the coarse search; the fine search
# then finds the crop itself.
_CROPS = (
    (0, 0, 0, 0),
    (1, 1, 1, 1),
    (2, 2, 2, 2),
    (2, 0, 0, 0),
    (0, 2, 0, 0),
    (0, 0, 2, 0),
    (0, 0, 0, 2),
    (2, 2, 0, 0),
    (0, 2, 2, 0),
    (0, 0, 2, 2),
    (2, 0, 0, 2),
)
_EDGES = tuple((near, far) for near in range(5) for far in range(5) if near + far <= 4)
_FREQUENCIES, _COARSE, _WORTH_A_LOOK = 8, 0.92, 0.7
_FACES_AT_ONCE, _ROWS_AT_ONCE, _PAIRS_AT_ONCE = 1024, 1024, 2048


@dataclass(frozen=True)
class Verdict:
    """What the gate found: ``kept_out`` has a row for each face that may not enter, with the face
    it copies (``COLUMNS``); ``checked`` and ``against`` are how many faces were compared with how
    many."""

    kept_out: pd.DataFrame
    checked: int
    against: int

    def counts(self) -> dict[str, int]:
        """Faces kept out by kind of copy, in the order of ``KINDS``."""
        return {kind: int((self.kept_out["kind"] == kind).sum()) for kind in KINDS}


def admit(
    candidates: FaceSet, held_out: list[FaceSet], profile: Profile
) -> tuple[FaceSet, Verdict]:
    """The candidates that are no copy of a face in ``held_out`` (the validation and test sets), and
    the verdict.

    With ``gate.enabled`` off all are admitted and the verdict says that none was checked. Raises
    CompanionError when there is nothing to compare with: an unchecked face never passes.
    """
    if not profile.gate.enabled:
        return candidates, Verdict(pd.DataFrame(columns=list(COLUMNS)), 0, 0)
    if not sum(map(len, held_out)):
        raise CompanionError(
            "The gate has no validation or test faces to compare with, so no face can be admitted "
            "to a training set. Run stage 01 again, or set gate.enabled=false knowingly."
        )
    verdict = copies(candidates, held_out, correlation=profile.gate.correlation)
    return (
        candidates.select(~np.isin(candidates.ids, verdict.kept_out["id"].to_numpy(str))),
        verdict,
    )


def write_verdict(verdict: Verdict, path: Path) -> None:
    """Keep a verdict as JSON."""
    content = {
        "checked": verdict.checked,
        "against": verdict.against,
        "kept_out": verdict.kept_out.to_dict("records"),
    }
    with atomic_write(path, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=1)


def read_verdict(path: Path) -> Verdict:
    """The verdict kept at ``path``; CompanionError tells which stage makes it where there is
    none."""
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        return Verdict(
            pd.DataFrame(content["kept_out"], columns=list(COLUMNS)),
            content["checked"],
            content["against"],
        )
    except (OSError, ValueError, KeyError) as problem:
        raise CompanionError(
            f"The gate's verdict {path} can't be read ({problem}). Run stage 01 (training faces) or"
            " 04 (pool) again: no face enters a training set without one."
        ) from problem


def copies(candidates: FaceSet, held_out: list[FaceSet], *, correlation: float) -> Verdict:
    """Each candidate that copies a held-out face, with the most certain of the faces it copies."""
    references = HeldOut(held_out)
    kept_out = copies_among(candidates, references, correlation=correlation)
    return Verdict(kept_out, len(candidates), len(references.faces))


def copies_among(candidates: FaceSet, references: "HeldOut", *, correlation: float) -> pd.DataFrame:
    """``Verdict.kept_out`` of these candidates, for who asks many times about the same held-out
    faces."""
    pairs = _copy_pairs(candidates, references, correlation)
    order = pairs["kind"].map(KINDS.index)
    best = (
        pairs.assign(order=order)
        .sort_values(
            ["first", "order", "correlation", "second"], ascending=[True, True, False, True]
        )
        .drop_duplicates("first")
    )
    return _named(best, candidates, references.faces)


def copied(candidates: FaceSet, held_out: FaceSet, *, correlation: float) -> np.ndarray:
    """Whether each held-out face has a copy among the candidates, bool [N]: all of them, where a
    ``Verdict`` names only the most certain face for each candidate."""
    pairs = _copy_pairs(candidates, HeldOut([held_out]), correlation)
    return np.isin(np.arange(len(held_out)), pairs["second"].to_numpy())


class HeldOut:
    """The validation and test faces, made comparable once for all candidates."""

    def __init__(self, held_out: list[FaceSet]):
        self.faces = concatenate(*(faces.resize(SIZE, channels=1) for faces in held_out))
        whole = portraits(self.faces)
        self.sides = [("", _Side(whole)), (" and mirrored", _Side(whole.mirrored()))]


class _Side:
    """Portraits as they are or mirrored, and the low frequencies of each crop of them: [N, 64] for
    each of ``_CROPS``."""

    def __init__(self, whole: Portraits):
        self.whole = whole
        self.views = [
            _unit(
                torch.cat(
                    [
                        low_frequencies(cropped(part, crop), _FREQUENCIES)
                        for part in whole.pixels.split(_ROWS_AT_ONCE)
                    ]
                )
            )
            for crop in _CROPS
        ]


def _copy_pairs(candidates: FaceSet, references: HeldOut, correlation: float) -> pd.DataFrame:
    """Every pair of a candidate (first) and a held-out face (second) that it copies.

    A thousand candidates at a time: what is alike in part of them must fit into memory.
    """
    if not 0.8 <= correlation <= 1:
        raise CompanionError(
            f"gate.correlation is {correlation}; it must lie between 0.8 and 1. Lower, different "
            "people are taken for one; the default is 0.95."
        )
    found = [pd.DataFrame({"first": [], "second": [], "correlation": [], "kind": []})]
    for start in range(0, len(candidates), _FACES_AT_ONCE):
        faces = candidates.select(slice(start, start + _FACES_AT_ONCE)).resize(SIZE, channels=1)
        pairs = pd.concat(
            [
                _equal_pairs(faces, references.faces),
                _alike_pairs(portraits(faces), references, correlation),
            ]
        )
        found.append(pairs.assign(first=pairs["first"] + start))
    return pd.concat([pairs for pairs in found if len(pairs)] or found, ignore_index=True)


def refuse_copies(training: FaceSet, held_out: list[FaceSet], profile: Profile) -> None:
    """The last look before training: CompanionError if a training face equals a held-out one pixel
    for pixel."""
    if not profile.gate.enabled:
        return
    size, channels = training.images.shape[2:]
    references = concatenate(*(faces.resize(size, channels=channels) for faces in held_out))
    found = _equal_pairs(training, references)
    if len(found):
        first = found.iloc[0]
        raise CompanionError(
            f"{found['first'].nunique():,} faces of this training set are pictures of the"
            f" validation or test set, the first is {training.ids[first['first']]} (the same as"
            f" {references.ids[first['second']]}). The gate should have kept them out: run stages"
            " 01 and 04 again."
        )


def _equal_pairs(faces: FaceSet, references: FaceSet) -> pd.DataFrame:
    """Pairs that are equal pixel for pixel, as they are or mirrored; constant pictures too."""
    found = []
    for kind, images in (
        ("identical", references.images),
        ("mirrored", references.images[:, :, ::-1]),
    ):
        both = FaceSet(
            np.concatenate([faces.images, images]),
            *(
                np.concatenate([getattr(faces, name), getattr(references, name)])
                for name in ("labels", "ids", "origin")
            ),
        )
        numbers = picture_numbers(both)
        left = pd.DataFrame({"first": np.arange(len(faces)), "number": numbers[: len(faces)]})
        right = pd.DataFrame(
            {"second": np.arange(len(references)), "number": numbers[len(faces) :]}
        )
        found.append(
            left.merge(right, on="number").drop(columns="number").assign(correlation=1.0, kind=kind)
        )
    return pd.concat(found, ignore_index=True)


def _alike_pairs(faces: Portraits, references: HeldOut, correlation: float) -> pd.DataFrame:
    """Pairs that correlate at least so much as they are, mirrored, cropped, or cropped and
    mirrored."""
    coarse = _unit(low_frequencies(faces.pixels, _FREQUENCIES))
    found = []
    for ending, side in references.sides:
        found += [
            near_pairs(faces, side.whole, correlation=correlation).assign(kind=f"near{ending}"),
            _cropped_pairs(faces, coarse, side, correlation).assign(kind=f"cropped{ending}"),
        ]
    return pd.concat(found, ignore_index=True)


def _cropped_pairs(
    faces: Portraits, coarse: Tensor, references: _Side, correlation: float
) -> pd.DataFrame:
    """Pairs in which the face is a crop of the reference, resized: a coarse search, then a fine
    one."""
    likely = _likely_crops(coarse, references)
    pairs = torch.tensor(likely[["first", "second"]].to_numpy())
    starts = torch.tensor(_CROPS)[torch.tensor(likely["crop"].to_numpy())]
    likeness = torch.cat(
        [
            torch.empty(0),
            *(
                best_crop(faces.pixels[part[:, 0]], references.whole.pixels[part[:, 1]], begin)
                for part, begin in zip(pairs.split(_PAIRS_AT_ONCE), starts.split(_PAIRS_AT_ONCE))
            ),
        ]
    )
    keep = (likeness >= correlation).numpy()
    return likely.loc[keep, ["first", "second"]].assign(
        correlation=likeness.double().numpy()[keep].clip(max=1)
    )


def _likely_crops(coarse: Tensor, references: _Side) -> pd.DataFrame:
    """Pairs that are alike in their low frequencies, with the number of the crop in which they are
    most alike."""
    found = []
    for number, views in enumerate(references.views):
        likeness = (coarse @ views.T).numpy()
        rows, columns = np.nonzero(likeness >= _COARSE)
        found.append(
            pd.DataFrame(
                {
                    "first": rows,
                    "second": columns,
                    "crop": number,
                    "likeness": likeness[rows, columns],
                }
            )
        )
    table = pd.concat(found, ignore_index=True).sort_values(
        "likeness", ascending=False, kind="stable"
    )
    return (
        table.drop_duplicates(["first", "second"])
        .sort_values(["first", "second"])
        .reset_index(drop=True)
    )


def best_crop(faces: Tensor, references: Tensor, crops: Tensor) -> Tensor:
    """Highest correlation of each face with a crop of its reference, searched edge by edge from
    ``crops`` [N, 4]."""
    left, top, right, bottom = crops.T
    across, down = _edge_number(left, right), _edge_number(top, bottom)
    best = _correlations(faces, references, across, down)
    worth = best >= _WORTH_A_LOOK
    for axis in (0, 1, 0):
        for number in range(len(_EDGES)):
            trial = [across[worth], down[worth]]
            trial[axis] = torch.full_like(trial[axis], number)
            found = _correlations(faces[worth], references[worth], *trial)
            better = torch.zeros_like(worth)
            better[worth] = found > best[worth]
            best[better] = found[better[worth]]
            (across, down)[axis][better] = number
    return best


def cropped(images: Tensor, crop: tuple[int, int, int, int]) -> Tensor:
    """Images [N, 48, 48] without (left, top, right, bottom) pixels, resized to 48x48 again
    (bilinear)."""
    left, top, right, bottom = crop
    return _resizing(top, bottom) @ images @ _resizing(left, right).T


def _correlations(faces: Tensor, references: Tensor, across: Tensor, down: Tensor) -> Tensor:
    matrices = torch.stack([_resizing(*edges) for edges in _EDGES])
    views = normalised(matrices[down] @ references @ matrices[across].mT)
    return (faces * views).sum((1, 2))


def _edge_number(near: Tensor, far: Tensor) -> Tensor:
    return torch.tensor(
        [_EDGES.index(edges) for edges in zip(near.tolist(), far.tolist())], dtype=torch.long
    )


def _resizing(near: int, far: int) -> Tensor:
    """The matrix [48, 48] that resizes a row of pixels less ``near`` and ``far`` ones to its old
    length."""
    places = near - 0.5 + (torch.arange(SIZE) + 0.5) * (SIZE - near - far) / SIZE
    inside = places.clamp(near, SIZE - 1 - far)
    return (1 - (torch.arange(SIZE) - inside[:, None]).abs()).clamp(min=0)


def _unit(vectors: Tensor) -> Tensor:
    return vectors / vectors.square().sum(1, keepdim=True).sqrt().clamp(min=1e-6)


def _named(pairs: pd.DataFrame, faces: FaceSet, references: FaceSet) -> pd.DataFrame:
    first, second, names = (
        pairs["first"].to_numpy(int),
        pairs["second"].to_numpy(int),
        np.array(EMOTIONS),
    )
    return pd.DataFrame(
        {
            "id": faces.ids[first],
            "origin": faces.origin[first],
            "emotion": names[faces.labels[first]],
            "kind": pairs["kind"].to_numpy(str),
            "correlation": pairs["correlation"].to_numpy(float),
            "twin": references.ids[second],
            "twin_origin": references.origin[second],
            "twin_emotion": names[references.labels[second]],
        }
    )
