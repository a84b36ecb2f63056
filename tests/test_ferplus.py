"""FER+ votes: reading, the plurality, and joining them to FER2013's rows."""

import numpy as np
import pandas as pd
import pytest
from written_data import write_files, write_gzip, write_zip

from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.errors import CompanionError
from fer_utils.core.faces import FaceSet
from fer_utils.datasets import fer2013, ferplus
from fer_utils.datasets.ferplus import (
    FILE,
    VOTES,
    plurality,
    read_votes,
    surely_mislabelled,
    votes_for,
)

HEADER = (
    "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
)
USAGES = ["Training", "PublicTest", "PrivateTest"]


def votes_text(
    usages=USAGES, names=("fer0.png", "", "fer1.png"), votes="1,2,3,4,0,0,0,0,0,0"
) -> bytes:
    return "\n".join(
        [HEADER, *(f"{usage},{name},{votes}" for usage, name in zip(usages, names)), ""]
    ).encode()


@pytest.fixture
def three_rows(monkeypatch):
    monkeypatch.setattr(ferplus, "ROWS", 3)


def table(*rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(VOTES))


def faces(ids, origin) -> FaceSet:
    count = len(ids)
    return FaceSet(
        np.zeros((count, 48, 48, 1), np.uint8),
        np.zeros(count, np.int64),
        np.array(ids),
        np.array(origin),
    )


@pytest.mark.parametrize("pack", ["plain", "gz", "zip"])
def test_votes_are_found_in_the_data_folder_under_the_projects_names(pack, project, three_rows):
    if pack == "plain":
        write_files(project / "FERPlus", {FILE: votes_text()})
    elif pack == "gz":
        write_gzip(project / f"{FILE}.gz", votes_text())
    else:
        write_zip(project / "FERPlus-master.zip", {f"FERPlus-master/{FILE}": votes_text()})
    votes = read_votes(project)
    assert list(votes.columns) == ["usage", *VOTES] and votes["usage"].tolist() == USAGES
    assert votes.loc[0, ["neutral", "happy", "surprise", "sad", "anger"]].tolist() == [
        1,
        2,
        3,
        4,
        0,
    ]


def test_the_plurality_is_the_emotion_with_most_votes_and_none_for_ties_and_other_answers():
    votes = table(
        [4, 3, 3, 0, 0, 0, 0, 0, 0, 0],  # anger, without a majority
        [4, 4, 2, 0, 0, 0, 0, 0, 0, 0],  # tied
        [1, 0, 0, 0, 0, 0, 0, 9, 0, 0],  # contempt
        [0, 0, 0, 0, 0, 0, 3, 0, 0, 7],  # not a face
        [0, 0, 0, 0, 0, 0, 5, 0, 5, 0],  # an emotion tied with unknown
        [0, 0, 0, 0, 0, 0, 6, 0, 4, 0],
    )
    assert plurality(votes).tolist() == [0, -1, -1, -1, -1, EMOTIONS.index("surprise")]


def test_a_label_is_surely_wrong_when_six_of_ten_votes_agree_on_something_else():
    votes = table(
        [6, 4, 0, 0, 0, 0, 0, 0, 0, 0],
        [5, 4, 1, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 8],
        [4, 6, 0, 0, 0, 0, 0, 0, 0, 0],
    )
    assert surely_mislabelled(np.array([1, 1, 1, 1]), votes).tolist() == [True, False, True, False]


def test_votes_are_joined_by_the_row_number_in_the_ids(project, three_rows):
    write_files(project, {FILE: votes_text()})
    joined = votes_for(
        faces(["fer2013-00002", "fer2013-00000"], ["FER2013/PrivateTest", "FER2013/Training"]),
        read_votes(project),
    )
    assert joined["usage"].tolist() == ["PrivateTest", "Training"]


@pytest.mark.parametrize(
    ("face", "origin", "message"),
    [
        (
            "fer2013-00000",
            "FER2013/PublicTest",
            "FER\\+ says Training of the face 'fer2013-00000', which comes from ",
        ),
        ("fer2013-train/anger/x", "FER2013/Training", "has no row number of fer2013.csv"),
        ("fer2013-00003", "FER2013/Training", "has no row number of fer2013.csv"),
        ("rafdb-train_00001", "RAF-DB/train", "has no row number"),
    ],
)
def test_votes_that_are_not_of_these_faces_are_refused(face, origin, message, project, three_rows):
    write_files(project, {FILE: votes_text()})
    with pytest.raises(CompanionError, match=message):
        votes_for(faces([face], [origin]), read_votes(project))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "begins with nothing; expected the columns Usage,Image name,neutral"),
        (b"a,b\n", "begins with a,b; expected the columns"),
        (votes_text(USAGES[:2]), "has 2 rows, FER\\+ has 3"),
        (
            votes_text(votes="1,2,3,4,0,0,0,0,0"),
            "line 2 is .*expected a Usage, a file name and ten numbers",
        ),
        (votes_text(votes="1,2,3,x,0,0,0,0,0,0"), "line 2 is .*ten numbers of votes"),
        (votes_text(votes="11,2,3,0,0,0,0,0,0,0"), "line 2 is .*from 0 to 10"),
        (votes_text(usages=["Training", "Test", "Test"]), "line 3 is 'Test"),
        (b"\xff\xfe\x00", "is not a table in UTF-8 text"),
    ],
)
def test_a_table_that_is_not_ferpluss_says_what_was_expected(
    data, message, project, three_rows, nothing_left
):
    write_files(project, {FILE: data})
    with pytest.raises(CompanionError, match=rf"fer2013new\.csv.*{message}"):
        read_votes(project)


def test_missing_votes_say_where_they_belong(project):
    with pytest.raises(
        CompanionError, match=r"FER\+ was not found.*Put fer2013new\.csv from github\.com/micro"
    ):
        read_votes(project)


@pytest.mark.realdata
def test_at_least_21_8_percent_of_privatetest_labels_differ_from_a_majority_of_ferplus(
    real_project, data
):
    votes, test = read_votes(data), fer2013.read_fer2013(data).test
    wrong = surely_mislabelled(test.labels, votes_for(test, votes))
    assert (wrong.sum(), len(wrong)) == (784, 3589) and round(100 * wrong.mean(), 1) == 21.8


@pytest.mark.realdata
def test_every_row_of_the_real_fer2013_has_its_votes(real_project, data):
    votes = read_votes(data)
    for _, part in fer2013.read_fer2013(data).items():
        assert len(votes_for(part, votes)) == len(part)
    assert (votes[list(VOTES)].sum(axis=1) == 10).sum() == 35_886  # one row has nine votes
