"""The counts behind the estimate of what FER2013's labels allow, counted again from the files
themselves."""

import numpy as np
import pandas as pd
import pytest

from fer_utils.core.emotions import EMOTIONS, emotion_name
from fer_utils.core.paths import data_folder
from fer_utils.core.reference import read_reference
from fer_utils.datasets.fer2013 import read_fer2013

pytestmark = pytest.mark.realdata
VOTED = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear")
OTHER = ("contempt", "unknown", "NF")
MAJORITY = 6


@pytest.fixture
def splits(real_project):
    if not (data_folder() / "ferplus" / "fer2013new.csv").is_file():
        pytest.skip(f"no FER+ file in {data_folder()}")
    return read_fer2013(data_folder())


def private_test_votes(test) -> pd.DataFrame:
    """One row per PrivateTest image: votes for the seven emotions by our names, then for anything
    else."""
    table = pd.read_csv(data_folder() / "ferplus" / "fer2013new.csv")
    rows = table.iloc[[int(name.split("-")[1]) for name in test.ids]]
    assert (rows["Usage"] == "PrivateTest").all() and (
        rows[[*VOTED, *OTHER]].sum(axis=1) == 10
    ).all()
    return rows[[*VOTED, *OTHER]].rename(columns={name: emotion_name(name) for name in VOTED})


def told_by_a_twin(train, test) -> np.ndarray:
    """Whether a training image with the same pixels carries the same label."""
    labels: dict[bytes, set] = {}
    for image, label in zip(train.images, train.labels, strict=True):
        labels.setdefault(image.tobytes(), set()).add(int(label))
    return np.array(
        [
            int(label) in labels.get(image.tobytes(), ())
            for image, label in zip(test.images, test.labels, strict=True)
        ]
    )


def test_the_label_counts_are_those_of_fer_plus_and_of_the_twins_in_training(splits):
    train, test = splits.train, splits.test
    votes, told = private_test_votes(test), told_by_a_twin(train, test)
    own = votes[list(EMOTIONS)].to_numpy()[np.arange(len(test)), test.labels]
    most = votes.to_numpy().max(axis=1)
    elsewhere, voted = (most >= MAJORITY) & (own < most), own > 0
    found = {}
    for emotion in (*EMOTIONS, "overall"):
        chosen = (
            np.full(len(test), True)
            if emotion == "overall"
            else test.labels == EMOTIONS.index(emotion)
        )
        found[emotion] = [int(chosen.sum())] + [
            int((chosen & which).sum())
            for which in (elsewhere, elsewhere & ~told, voted, voted | told)
        ]
    stored = read_reference("label_agreement").drop(columns="source").set_index("emotion")
    assert {emotion: row.tolist() for emotion, row in stored.iterrows()} == found
    assert round(100 * found["overall"][1] / len(test), 1) == 21.8
