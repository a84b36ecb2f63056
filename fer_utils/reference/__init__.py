"""Tables I-IV of the paper and the official class counts, as tidy CSV files.

Each row of ``table_1.csv`` ... ``table_4.csv`` is one printed cell (one prompt in Table I) and says in
``place`` where it stands in arXiv 2411.10863; ``test_counts.csv`` says in ``source`` what was counted.
A cell under "Both" in Table II is two rows here, one for each data set.
"""

import pandas as pd

from fer_utils.errors import CompanionError, nearest
from fer_utils.paths import REFERENCE


def read_reference(name: str) -> pd.DataFrame:
    """A reference table by its file name without the ending.

    - ``table_1``: row, prompt, keywords, emotion, note, place
    - ``table_2``: dataset, level, emotion, count, place
    - ``table_3``: dataset, level, emotion (or 'overall'), accuracy (%), place
    - ``table_4``: row, method, citation, dataset, accuracy (%), place; empty cells have no row
    - ``test_counts``: dataset, split ('validation', 'test'), official_name, emotion, count, source

    ``dataset`` is the paper's name ('FER2013', 'RAF-DB'), ``emotion`` one of ``EMOTIONS``; rows keep the
    paper's order. Raises CompanionError naming the nearest table for an unknown name.
    """
    path = REFERENCE / f"{name}.csv"
    if not path.is_file():
        valid = sorted(file.stem for file in REFERENCE.glob("*.csv"))
        raise CompanionError(f"No reference table '{name}': {nearest(name, valid)}")
    return pd.read_csv(path, keep_default_na=False)
