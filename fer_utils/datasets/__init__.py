"""Stage 1: the faces of a data set, real or drawn, as three FaceSets (section IV of the paper,
Datasets).

What draws or compares faces needs PyTorch and is imported where it is used: reading faces alone
does without.
"""

import numpy as np

from fer_utils.core.errors import CompanionError
from fer_utils.core.faces import FaceSet, load_faces
from fer_utils.core.paths import data_folder
from fer_utils.core.profiles import Profile, with_values
from fer_utils.datasets.fer2013 import fer2013_counts, find_fer2013, read_fer2013
from fer_utils.datasets.rafdb import find_rafdb, rafdb_counts, read_rafdb
from fer_utils.datasets.splits import (
    DATASETS,
    SPLITS,
    DatasetInfo,
    Found,
    Splits,
    dataset_info,
    derived_seed,
    stratified_sample,
)

__all__ = [
    "DATASETS",
    "SPLITS",
    "DatasetInfo",
    "Found",
    "Splits",
    "dataset_info",
    "find_dataset",
    "load_splits",
    "paper_scale_counts",
    "prepare_splits",
    "stored_splits",
    "unseen_faces",
]

UNSEEN = "unseen"
"""Beside ``SPLITS`` in the names of files: ``unseen_faces``."""


def load_splits(name: str, profile: Profile) -> Splits:
    """The data set at the profile's scales, read from ``data_folder()`` or drawn.

    A real set keeps of each class a seeded share: ``data.scale`` of train,
    ``data.evaluation_scale`` of validation and test, at least two faces of each.
    """
    dataset_info(name)
    readers = {
        "fer2013": _fer2013,
        "rafdb": _rafdb,
        "demo_fer2013": _demo_fer2013,
        "demo_rafdb": _demo_rafdb,
    }
    return readers[name](profile)


def find_dataset(name: str) -> Found:
    """Which copy of a data set lies in ``data_folder()`` and is read; at once where it was read
    before.

    Raises CompanionError, as ``load_splits`` does, when there is none or it can't be used.
    """
    info = dataset_info(name)
    if info.is_demo:
        return Found(info.title, "drawn by code", "fer_utils/datasets", official=False)
    return {"fer2013": find_fer2013, "rafdb": find_rafdb}[name](data_folder())


def prepare_splits(
    name: str, profile: Profile, *, whole: Splits | None = None, force: bool = False
) -> Splits:
    """``load_splits`` with only those training faces that the gate admits, kept in
    ``profile.paths.faces``.

    What is there already is read back unless ``force``. ``whole`` is what ``load_splits`` gave,
    where it is at hand. ``gate.read_verdict`` tells which faces were kept out.
    """
    from fer_utils.datasets.gate import admit, write_verdict

    dataset_info(name)
    verdict_path = profile.paths.gate(name)
    if (
        not force
        and verdict_path.is_file()
        and all(profile.paths.faces(name, split).is_file() for split in SPLITS)
    ):
        return stored_splits(name, profile)
    profile.paths.faces(name, UNSEEN).unlink(missing_ok=True)
    # written last: where it lies, the faces beside it passed the gate
    verdict_path.unlink(missing_ok=True)
    splits = whole or load_splits(name, profile)
    admitted, verdict = admit(splits.train, [splits.validation, splits.test], profile)
    splits = Splits(admitted, splits.validation, splits.test)
    for split, faces in splits.items():
        faces.save(profile.paths.faces(name, split))
    write_verdict(verdict, verdict_path)
    return splits


def unseen_faces(name: str, profile: Profile) -> FaceSet:
    """The training faces of a real data set that ``data.scale`` left out and the gate admits: a
    perfect generator's pool.

    Kept in ``profile.paths.faces`` from the first time on. CompanionError for drawn faces, of which
    nothing is left out, and at scale 1.
    """
    from fer_utils.datasets.gate import admit

    if dataset_info(name).is_demo or profile.data.scale >= 1:
        raise CompanionError(
            f"{dataset_info(name).title} at data.scale {profile.data.scale:g} leaves no real"
            " training face out: a control with unseen faces needs a real data set and a"
            " data.scale under 1."
        )
    path = profile.paths.faces(name, UNSEEN)
    if path.is_file():
        return load_faces(path)
    seen = prepare_splits(name, profile)
    everything = load_splits(name, with_values(profile, "data", {"scale": 1.0})).train
    rest = everything.select(~np.isin(everything.ids, load_splits(name, profile).train.ids))
    admitted, _ = admit(rest, [seen.validation, seen.test], profile)
    admitted.save(path)
    return admitted


def stored_splits(name: str, profile: Profile) -> Splits:
    """The splits that stage 01 kept; CompanionError tells to run it where they, or the gate's
    verdict, are not there."""
    dataset_info(name)
    paths = {split: profile.paths.faces(name, split) for split in SPLITS}
    for path in (*paths.values(), profile.paths.gate(name)):
        if not path.is_file():
            raise CompanionError(
                f"{path} is not there. Run stage 01 (notebooks/01_dataset_analysis.ipynb) with the "
                f"profile '{profile.name}' first."
            )
    return Splits(**{split: load_faces(path) for split, path in paths.items()})


def paper_scale_counts() -> dict[str, dict[str, int]]:
    """Training counts of both real sets for Table II at paper scale: {'fer2013': {...}, 'rafdb':
    {...}}.

    From fer2013.csv and RAF-DB's label list in ``data_folder()``; RAF-DB's images are not needed.
    """
    return {
        "fer2013": fer2013_counts(data_folder())["train"],
        "rafdb": rafdb_counts(data_folder())["train"],
    }


def _demo_fer2013(profile: Profile) -> Splits:
    from fer_utils.datasets.demo_faces import draw_demo_fer2013

    return draw_demo_fer2013(profile)


def _demo_rafdb(profile: Profile) -> Splits:
    from fer_utils.datasets.demo_faces import draw_demo_rafdb

    return draw_demo_rafdb(profile)


def _fer2013(profile: Profile) -> Splits:
    return _at_scale(read_fer2013(data_folder()), profile)


def _rafdb(profile: Profile) -> Splits:
    splits = read_rafdb(
        data_folder(),
        validation_share=profile.data.rafdb_validation_share,
        seed=derived_seed(profile.data.seed, "rafdb", "validation"),
    )
    return _at_scale(splits, profile)


def _at_scale(splits: Splits, profile: Profile) -> Splits:
    scales = {
        "train": profile.data.scale,
        "validation": profile.data.evaluation_scale,
        "test": profile.data.evaluation_scale,
    }
    return Splits(
        **{
            split: _share(faces, scales[split], derived_seed(profile.data.seed, "scale", split))
            for split, faces in splits.items()
        },
        found=splits.found,
    )


def _share(faces: FaceSet, share: float, seed: int) -> FaceSet:
    return faces if share == 1 else faces.select(stratified_sample(faces.labels, share, seed=seed))
