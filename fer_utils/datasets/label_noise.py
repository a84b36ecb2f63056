"""A second opinion on the labels: who else looked at the same faces, and how often they say the
same.

FER2013: the plurality of the ten votes of FER+ (Barsoum et al. 2016, arXiv 1608.01041). Drawn
faces: the emotion that was drawn. RAF-DB publishes no votes with its basic set.
"""

import numpy as np
import pandas as pd

from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.errors import CompanionError
from fer_utils.core.faces import FaceSet
from fer_utils.core.paths import data_folder
from fer_utils.core.profiles import Profile
from fer_utils.datasets.demo_faces import demo_plan
from fer_utils.datasets.ferplus import (
    plurality,
    read_votes_file,
    surely_mislabelled,
    undecided,
    votes_for,
    votes_source,
)
from fer_utils.datasets.splits import dataset_info
from fer_utils.datasets.tree import look_into

NO_OPINION = -1
FER_PLUS, DRAWN = "plurality of ten FER+ votes", "emotion that was drawn"


def second_opinions(name: str, split: str, faces: FaceSet, profile: Profile) -> np.ndarray | None:
    """Labels int64 [N] by the second opinion, -1 where it names no emotion of the seven; None if
    there is none at all.

    There is none for RAF-DB, and for FER2013 where FER+'s file is not in the data folder.
    """
    if dataset_info(name).is_demo:
        plan = demo_plan(name, split, profile).set_index("id")["drawn"]
        strange = [face for face in faces.ids.tolist() if face not in plan.index]
        if strange:
            raise CompanionError(
                f"{len(strange):,} of the {len(faces):,} {split} faces of {name} are none that are "
                f"drawn, the first is {strange[0]}. Other settings left them: run stage 01 again."
            )
        return np.array(
            [EMOTIONS.index(emotion) for emotion in plan.loc[faces.ids.astype(object)]], np.int64
        )
    votes = _votes(name, faces)
    return None if votes is None else plurality(votes)


def no_opinion(name: str, faces: FaceSet) -> dict[str, int]:
    """How many faces the second opinion names no emotion for, by reason ('tie', 'contempt',
    'unknown', 'not a face'); empty where it always names one, as for drawn faces, and where there
    is none at all."""
    votes = _votes(name, faces)
    if votes is None:
        return {}
    reasons = pd.Series(undecided(votes))
    return {
        reason: int(count)
        for reason, count in reasons[reasons != ""].value_counts(sort=False).sort_index().items()
    }


def surely_wrong(name: str, faces: FaceSet) -> np.ndarray | None:
    """Whether at least six of a face's ten FER+ votes agree on something else than its label; None
    where there are none.

    A lower bound of FER2013's label noise.
    """
    votes = _votes(name, faces)
    return None if votes is None else surely_mislabelled(faces.labels, votes)


def _votes(name: str, faces: FaceSet) -> pd.DataFrame | None:
    source = votes_source(look_into(data_folder())) if name == "fer2013" else None
    return None if source is None else votes_for(faces, read_votes_file(source))


def opinion_title(names: list[str]) -> str:
    """Whose the second opinions on these data sets are, for an axis."""
    return " or ".join(
        dict.fromkeys(DRAWN if dataset_info(name).is_demo else FER_PLUS for name in names)
    )


def agreement_matrix(faces: FaceSet, opinions: np.ndarray) -> pd.DataFrame:
    """Of the faces under each label, how many the second opinion gives each emotion.

    Rows are labels, columns the emotions and 'none' (it names none of the seven); values are
    counts.
    """
    columns = [*EMOTIONS, "none"]
    counts = np.zeros((len(EMOTIONS), len(columns)), np.int64)
    np.add.at(counts, (faces.labels, np.where(opinions < 0, len(EMOTIONS), opinions)), 1)
    return pd.DataFrame(counts, index=pd.Index(EMOTIONS, name="label"), columns=columns)
