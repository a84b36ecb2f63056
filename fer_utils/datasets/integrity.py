"""What a reviewer asks of a data set first: how many pictures there really are, and which of them
come twice.

Found figures stand beside those counted in the official files (``reference/data_integrity.csv``),
where there are official files to count in.
"""

import numpy as np
import pandas as pd

from fer_utils.core.faces import concatenate
from fer_utils.core.profiles import Profile
from fer_utils.core.reference import read_reference
from fer_utils.datasets.label_noise import second_opinions, surely_wrong
from fer_utils.datasets.splits import SPLITS, Splits, dataset_info
from fer_utils.datasets.twins import NEAR, constant, near_pairs, picture_numbers, portraits

EVERYWHERE = "all splits"
FACES, CONSTANT, DISTINCT = "faces", "constant images", "distinct pictures"
REPEATED, CONFLICTING = "rows that repeat an earlier one", "pictures under more than one label"
IDENTICAL, OTHER_LABEL = "identical to a face in", "identical to a face in, under another label"
NEAR_TWINS, MIRRORED = "correlates with a face in", "correlates with a mirrored face in"
DISAGREE, SURELY_WRONG = (
    "label is not the second opinion's",
    "six of ten votes agree on another label",
)
_BETWEEN = (("validation", "train"), ("test", "train"), ("test", "validation"))


def integrity_table(name: str, splits: Splits, profile: Profile) -> pd.DataFrame:
    """One row per check of a data set, before the gate: columns dataset, check, split, of, found,
    n, expected.

    ``of`` names the split compared with, where two are. ``found`` counts faces of ``split`` (or
    pictures), ``n`` is how many there are, ``expected`` what the official files hold (missing where
    nothing is known). Near twins correlate at ``twins.NEAR`` or more.
    """
    rows = [*_within(splits), *_between(splits), *_disagreement(name, splits, profile)]
    table = pd.DataFrame(rows, columns=["check", "split", "of", "found", "n"])
    table.insert(0, "dataset", dataset_info(name).title)
    return _beside_official(table, name, splits)


def disagreements(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of an ``integrity_table`` in which the official files hold something else."""
    return table[table["expected"].notna() & (table["expected"] != table["found"])]


def _within(splits: Splits) -> list[tuple]:
    numbers = _numbers(splits)
    everything = np.concatenate(list(numbers.values()))
    labels = np.concatenate([faces.labels for _, faces in splits.items()])
    groups = (
        pd.DataFrame({"number": everything, "label": labels}).groupby("number")["label"].nunique()
    )
    rows = []
    for split, faces in splits.items():
        rows += [
            (FACES, split, "", len(faces), len(faces)),
            (CONSTANT, split, "", int(constant(faces).sum()), len(faces)),
            (REPEATED, split, "", len(faces) - len(np.unique(numbers[split])), len(faces)),
        ]
    return [
        *rows,
        (DISTINCT, EVERYWHERE, "", len(groups), len(everything)),
        (CONFLICTING, EVERYWHERE, "", int((groups > 1).sum()), len(groups)),
    ]


def _between(splits: Splits) -> list[tuple]:
    numbers, compared = (
        _numbers(splits),
        {split: portraits(faces) for split, faces in splits.items()},
    )
    rows = []
    for split, other in _BETWEEN:
        faces, others = getattr(splits, split), getattr(splits, other)
        same = (
            pd.DataFrame({"number": numbers[split], "label": faces.labels})
            .reset_index()
            .merge(pd.DataFrame({"number": numbers[other], "other": others.labels}), on="number")
        )
        # One of several twins under another label is enough to count.
        differs = same[same["label"] != same["other"]]
        near = near_pairs(compared[split], compared[other])
        flipped = near_pairs(compared[split].mirrored(), compared[other])
        rows += [
            (IDENTICAL, split, other, same["index"].nunique(), len(faces)),
            (OTHER_LABEL, split, other, differs["index"].nunique(), len(faces)),
            (NEAR_TWINS, split, other, near["first"].nunique(), len(faces)),
            (MIRRORED, split, other, flipped["first"].nunique(), len(faces)),
        ]
    return rows


def _disagreement(name: str, splits: Splits, profile: Profile) -> list[tuple]:
    rows = []
    for split, faces in splits.items():
        opinions = second_opinions(name, split, faces, profile)
        if opinions is not None:
            judged = opinions >= 0
            rows.append(
                (
                    DISAGREE,
                    split,
                    "",
                    int((opinions != faces.labels)[judged].sum()),
                    int(judged.sum()),
                )
            )
        wrong = surely_wrong(name, faces)
        if wrong is not None:
            rows.append((SURELY_WRONG, split, "", int(wrong.sum()), len(faces)))
    return rows


def _numbers(splits: Splits) -> dict[str, np.ndarray]:
    whole = picture_numbers(concatenate(*(faces for _, faces in splits.items())))
    ends = np.cumsum([len(faces) for _, faces in splits.items()])[:-1]
    return dict(zip(SPLITS, np.split(whole, ends)))


def _beside_official(table: pd.DataFrame, name: str, splits: Splits) -> pd.DataFrame:
    """Official figures are those of the whole of FER2013: for fewer faces or drawn ones there are
    none."""
    official = read_reference("data_integrity")
    official = official[official["dataset"] == dataset_info(name).title]
    total = official.loc[official["check"] == FACES, "count"].sum()
    if total != sum(len(faces) for _, faces in splits.items()):
        official = official[:0]
    keys = ["check", "split", "of"]
    expected = table[keys].merge(official[[*keys, "count"]], on=keys, how="left")["count"]
    return table.assign(expected=expected.astype("Int64").to_numpy())


def near_twins_note() -> str:
    """What 'correlates' means in the table, for captions."""
    return f"Correlation of at least {NEAR} between faces as 48x48 gray images."
