"""Tables I-IV of the paper, its claims and the official class counts, as tidy CSV files.

Each row of ``table_1.csv`` ... ``table_4.csv`` is one printed cell (one prompt in Table I), each
row of ``claims.csv`` one statement of the text, each row of ``exhibits.csv`` one caption; they say
in ``place`` where it stands in arXiv 2411.10863. The other files say in ``source`` what was counted
or read. A cell under "Both" in Table II is two rows here, one for each data set.
"""

from pathlib import Path

import pandas as pd

from fer_utils.core.errors import CompanionError, nearest
from fer_utils.core.paths import REFERENCE


def read_reference(name: str) -> pd.DataFrame:
    """A reference table by its file name without the ending.

    - ``table_1``: row, prompt, keywords, emotion, note, place
    - ``table_2``: dataset, level, emotion, count, place
    - ``table_3``: dataset, level, emotion (or 'overall'), accuracy (%), place
    - ``table_4``: row, method, citation, dataset, accuracy (%), place; empty cells have no row
    - ``test_counts``: dataset, split ('validation', 'test'), official_name, emotion, count, source
    - ``data_integrity``: dataset, check, split, of, count, source: repeated and doubtful faces of
    the official files,
      as ``datasets.integrity`` counts them
    - ``test_sets``: dataset, test_set, emotion, count, source: what Table III may have been
    measured on
    - ``claims``: kind, dataset, row (an emotion, 'overall' or a split), first, last (levels),
    printed, unit, quote,
      place: gains, accuracies, counts and times that the text states
    - ``costs``: quantity, value, unit, source: what training and inference take at least
    - ``generator_costs``: quantity, value, unit, source: arithmetic of an image of Stable Diffusion
    2 and 3, and what is
      assumed of a card, its use and its price
    - ``code_facts``: topic, text, code, source: where the authors' published code differs from the
    text
    - ``recipes``: setting (of the profile's training section), paper (empty: not stated), place,
    authors_code (empty: no
      such thing in it), source: the text's recipe beside the published code's
    - ``label_agreement``: emotion (or 'overall'), count, majority_elsewhere, voted, told, source:
    FER2013's
      PrivateTest beside the ten votes of FER+ and its twins in Training
    - ``exhibits``: exhibit ('Table I' ... 'Figure 4'), caption, place: what the paper shows, in its
    own words
    - ``example_table``: dataset, column, class, count, accuracy, place: an honest table in the form
    that
      ``python -m fer_utils audit --table`` reads

    ``dataset`` is the paper's name ('FER2013', 'RAF-DB'), ``emotion`` one of ``EMOTIONS``; rows
    keep the paper's order. Raises CompanionError naming the nearest table for an unknown name.
    """
    return pd.read_csv(_path(name), keep_default_na=False)


def read_as_printed(name: str) -> pd.DataFrame:
    """The same with every cell as text, so that '79.50' keeps its zero."""
    return pd.read_csv(_path(name), keep_default_na=False, dtype=str)


def _path(name: str) -> Path:
    path = REFERENCE / f"{name}.csv"
    if not path.is_file():
        valid = sorted(file.stem for file in REFERENCE.glob("*.csv"))
        raise CompanionError(f"No reference table '{name}': {nearest(name, valid)}")
    return path
