"""Stage 4: the levels of Table II, and which synthetic faces fill each of them up.

Section IV of the paper, Data Processing: Augmentation 1 gives every class as many faces as the
largest has, Augmentations 2, 3 and 4 give every class 10,000, 12,500 and 15,000. A balanced set is
an index (ids), never a copy of images; all real faces are in every level, and each level's
synthetic faces are in the next one too.

Sets for comparison (``controls``) may also hold copies of real faces, which are made when the set
is assembled: the copy 2 of face 'train-7' has the id 'train-7+2'.
"""

import hashlib
import math
from pathlib import Path

import numpy as np
import pandas as pd

from fer_utils.balancing.alterations import altered_copies
from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.errors import CompanionError, nearest
from fer_utils.core.faces import FaceSet, resize_images
from fer_utils.core.paths import atomic_write
from fer_utils.core.profiles import Profile
from fer_utils.core.stored import read_table, reading_back
from fer_utils.datasets import UNSEEN, dataset_info

LEVEL_TITLES = {
    "original": "Original",
    "aug1": "Aug. 1",
    "aug2": "Aug. 2",
    "aug3": "Aug. 3",
    "aug4": "Aug. 4",
}
"""Levels by the name profiles use, with the paper's column heads; each holds the ones before it."""

REAL, SYNTHETIC, REPEATED, ALTERED, SHUFFLED = (
    "real",
    "synthetic",
    "repeated",
    "altered",
    "shuffled",
)
SOURCES = (REAL, SYNTHETIC, REPEATED, ALTERED, SHUFFLED, UNSEEN)
"""Where a face of a set comes from. Repeated and altered ones are copies of real faces, as they are
or changed geometrically; shuffled ones are synthetic under a label drawn by lot; unseen ones are
real training faces that ``data.scale`` left out."""

FROM_POOL = (SYNTHETIC, SHUFFLED)

_OWN_TARGETS = ("original", "aug1")  # the levels that depend on the data set's own counts


def level_targets(counts: dict[str, int], level: str, profile: Profile) -> dict[str, int]:
    """Faces of each emotion at a level, for a training set with these counts (Table II).

    Raises CompanionError for an unknown level, and where a class already has more faces than the
    level wants.
    """
    if level not in LEVEL_TITLES:
        raise CompanionError(f"Unknown level '{level}': {nearest(level, LEVEL_TITLES)}")
    if level == "original":
        return dict(counts)
    target = max(counts.values()) if level == "aug1" else _fixed_target(level, profile)
    too_many = [f"{emotion} has {count:,}" for emotion, count in counts.items() if count > target]
    if too_many:
        raise CompanionError(
            f"{LEVEL_TITLES[level]} wants {target:,} faces a class, but {', '.join(too_many)} real "
            f"ones: raise balancing.{level}_per_class or lower data.scale."
        )
    return dict.fromkeys(counts, target)


def _fixed_target(level: str, profile: Profile) -> int:
    return round(getattr(profile.balancing, f"{level}_per_class") * profile.data.scale)


def synthetic_needed(counts: dict[str, int], level: str, profile: Profile) -> dict[str, int]:
    """Synthetic faces of each emotion that a level adds to these counts."""
    targets = level_targets(counts, level, profile)
    return {emotion: targets[emotion] - counts[emotion] for emotion in counts}


def pool_counts(counts_by_set: dict[str, dict[str, int]], profile: Profile) -> dict[str, int]:
    """Faces of each emotion in one pool that serves every data set and level: the largest need of
    each class, and ``quality.surplus`` of it more.

    At paper scale 93,010 faces where two separate pools would take 169,020.
    """
    needs = [
        synthetic_needed(counts, level, profile)
        for counts in counts_by_set.values()
        for level in profile.balancing.levels
    ]
    return {
        emotion: math.ceil(
            max((need[emotion] for need in needs), default=0) * (1 + profile.quality.surplus)
        )
        for emotion in EMOTIONS
    }


def distribution_table(counts_by_set: dict[str, dict[str, int]], profile: Profile) -> pd.DataFrame:
    """Table II for these training counts: rows are emotions, columns (level title, data set title).

    As in the paper, a level whose size doesn't depend on the data set is one column, 'Both', for
    two sets.
    """
    columns = {}
    for level in profile.balancing.levels:
        targets = {
            dataset_info(name).title: level_targets(counts, level, profile)
            for name, counts in counts_by_set.items()
        }
        if level not in _OWN_TARGETS and len(targets) > 1:
            targets = {"Both" if len(targets) == 2 else "All": next(iter(targets.values()))}
        columns |= {(LEVEL_TITLES[level], title): target for title, target in targets.items()}
    table = pd.DataFrame(columns, index=pd.Index(EMOTIONS, name="emotion"))
    table.columns.names = ["level", "dataset"]
    return table


def balanced_index(
    train: FaceSet, manifest: pd.DataFrame, level: str, profile: Profile
) -> pd.DataFrame:
    """Which faces a level holds: columns id, source (of ``SOURCES``), emotion.

    ``manifest`` has a row for each synthetic face, with at least id, generator and emotion. Of
    every class the first ones of a seeded order are taken, in which the generators take turns by
    their share. Raises CompanionError when the pool has too few faces of a class.
    """
    needed = synthetic_needed(train.counts(), level, profile)
    chosen = [
        _enough_of_class(manifest, emotion, count, profile)
        for emotion, count in needed.items()
        if count
    ]
    return pd.concat([real_rows(train), *chosen], ignore_index=True)


def real_rows(train: FaceSet) -> pd.DataFrame:
    """The rows of all real training faces in an index, in their order."""
    return pd.DataFrame(
        {
            "id": train.ids.astype(object),
            "source": REAL,
            "emotion": np.array(EMOTIONS, object)[train.labels],
        }
    )


def synthetic_rows(
    manifest: pd.DataFrame, emotion: str, count: int, profile: Profile
) -> pd.DataFrame:
    """The rows of the first ``count`` synthetic faces of an emotion, or of all where the manifest
    has fewer."""
    ids = _fixed_order(manifest[manifest["emotion"] == emotion], profile)[:count]
    return pd.DataFrame({"id": ids, "source": SYNTHETIC, "emotion": emotion})


def copy_rows(
    train: FaceSet, emotion: str, count: int, source: str, profile: Profile
) -> pd.DataFrame:
    """The rows of ``count`` copies of real faces of an emotion: all of them once in a seeded order,
    then all again.

    ``source`` is 'repeated' or 'altered'; fewer copies are the first of more.
    """
    names = _ids_in_order(train, emotion, profile)
    if count and not names:
        raise CompanionError(f"No real face of {emotion} to copy. Raise data.scale.")
    ids = [f"{names[place % len(names)]}+{1 + place // len(names)}" for place in range(count)]
    return pd.DataFrame({"id": ids, "source": source, "emotion": emotion})


def unseen_rows(unseen: FaceSet, emotion: str, count: int, profile: Profile) -> pd.DataFrame:
    """The rows of the first ``count`` faces of an emotion that the training set left out, or of all
    where there are fewer."""
    return pd.DataFrame(
        {
            "id": _ids_in_order(unseen, emotion, profile)[:count],
            "source": UNSEEN,
            "emotion": emotion,
        }
    )


def _ids_in_order(faces: FaceSet, emotion: str, profile: Profile) -> list[str]:
    """Ids of the faces of an emotion in an order that depends on the seed and the ids alone."""
    return sorted(
        faces.ids[faces.labels == EMOTIONS.index(emotion)],
        key=lambda name: _shuffle_key(name, profile.balancing.seed),
    )


def shuffled_rows(synthetic: pd.DataFrame, profile: Profile) -> pd.DataFrame:
    """``synthetic`` rows with their emotions dealt out anew by lot: each label as often as
    before."""
    dealt = np.random.default_rng([profile.balancing.seed, len(synthetic)]).permutation(
        synthetic["emotion"].to_numpy()
    )
    return synthetic.assign(source=SHUFFLED, emotion=dealt)


def _enough_of_class(
    manifest: pd.DataFrame, emotion: str, count: int, profile: Profile
) -> pd.DataFrame:
    rows = synthetic_rows(manifest, emotion, count, profile)
    if len(rows) < count:
        raise CompanionError(
            f"The pool has {len(rows):,} synthetic faces of {emotion}, this level needs {count:,}."
            " Run stage 03 (notebooks/03_synthesis.ipynb) again to its end; where quality.filter"
            " leaves faces out, raise quality.surplus and start at stage 02."
        )
    return rows


def _fixed_order(rows: pd.DataFrame, profile: Profile) -> list[str]:
    """Ids in an order that depends on the seed and the ids alone, so that a longer pool only adds
    to it.

    The k-th face of a generator with share s stands at (k + 1/2) / s: any first part keeps the
    shares.
    """
    places = {}
    for generator, ids in rows.groupby("generator")["id"]:
        share = getattr(profile.generators, generator).share
        shuffled = sorted(ids, key=lambda name: _shuffle_key(name, profile.balancing.seed))
        places |= {name: (k + 0.5) / share if share else np.inf for k, name in enumerate(shuffled)}
    return sorted(places, key=lambda name: (places[name], name))


def _shuffle_key(name: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}/{name}".encode()).digest()


def write_balanced_sets(
    dataset: str, profile: Profile, *, train: FaceSet, manifest: pd.DataFrame
) -> dict[str, pd.DataFrame]:
    """Write the index of every level of the profile to ``profile.paths.balanced_set``, and return
    them."""
    indices = {
        level: balanced_index(train, manifest, level, profile) for level in profile.balancing.levels
    }
    for level, index in indices.items():
        write_index(index, profile.paths.balanced_set(dataset, level))
    return indices


def write_index(index: pd.DataFrame, path: Path) -> None:
    """Keep the index of a set as CSV."""
    with atomic_write(path, "w", encoding="utf-8", newline="") as file:
        index.to_csv(file, index=False, lineterminator="\n")


def read_balanced_set(dataset: str, level: str, profile: Profile) -> pd.DataFrame:
    """The index that ``write_balanced_sets`` wrote; CompanionError tells to run stage 04 if there
    is none."""
    path = profile.paths.balanced_set(dataset, level)
    if not path.is_file():
        raise CompanionError(
            f"{path} is not there. Run stage 04 (notebooks/04_balancing.ipynb) with the profile "
            f"'{profile.name}' first."
        )
    index = read_table(path, ["id", "source", "emotion"], dtype=str)
    with reading_back(path):
        if unknown := set(index["emotion"]) - set(EMOTIONS):
            raise ValueError(f"it names the emotion {min(map(str, unknown))}")
    return index


def assemble(
    index: pd.DataFrame, train: FaceSet, pool: FaceSet, *, channels: int, size: int
) -> FaceSet:
    """The faces of an index, in its order, as uint8 [N, size, size, channels]. ``train`` holds all
    its real faces, unseen ones too.

    Raises CompanionError when an id is in neither set or carries another emotion there: the index
    is stale.
    """
    labels = index["emotion"].map(EMOTIONS.index).to_numpy(np.int64)
    images = np.empty((len(index), size, size, channels), np.uint8)
    origin = np.empty(len(index), object)
    for source in SOURCES:
        rows = np.flatnonzero(index["source"] == source)
        ids, faces = index["id"].to_numpy(object)[rows], pool if source in FROM_POOL else train
        found = _positions(
            _copied(ids) if source in (REPEATED, ALTERED) else ids, labels[rows], faces, source
        )
        chosen = faces.images[found]
        images[rows] = (
            altered_copies(chosen, ids, size, channels=channels)
            if source == ALTERED
            else resize_images(chosen, size, channels=channels)
        )
        origin[rows] = faces.origin[found]
    return FaceSet(images, labels, index["id"].to_numpy(str), origin.astype(str))


def _copied(ids: np.ndarray) -> np.ndarray:
    """Ids of the faces that these ids are copies of."""
    return np.array([name.rpartition("+")[0] for name in ids], object)


def _positions(ids: np.ndarray, labels: np.ndarray, faces: FaceSet, source: str) -> np.ndarray:
    found = pd.Index(faces.ids.astype(object)).get_indexer(ids)
    stale = found < 0
    if source != SHUFFLED:
        stale[~stale] = faces.labels[found[~stale]] != labels[~stale]
    if stale.any():
        raise CompanionError(
            f"{stale.sum():,} {source} faces of the balanced set are not what the faces at hand"
            f" hold, the first is {ids[stale][0]}. Run stage 04 (notebooks/04_balancing.ipynb)"
            " again."
        )
    return found
