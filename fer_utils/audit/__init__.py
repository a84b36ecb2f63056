"""What printed numbers imply: whether the figures of a table can belong together, by arithmetic
alone.

General for a table of class accuracies: class counts and printed percentages in, verdicts out, each
with its assumption (``checks.py`` names the two methods and their sources). ``audit_paper`` adds
what else this paper prints.
"""

from pathlib import Path

import pandas as pd

from fer_utils.audit.checks import (
    FITS,
    MEANS,
    NOT_POSSIBLE,
    implied_overall,
    overall_fits,
    smallest_size,
)
from fer_utils.audit.printed import (
    Column,
    TestSet,
    paper_test_sets,
    quoted,
    table_3_columns,
    table_4_others,
)
from fer_utils.audit.report import as_json, as_text, conclusions, summarise
from fer_utils.audit.rounding import READINGS, ROUNDINGS, Interval, possible_values, read_printed
from fer_utils.audit.table_file import read_noted_table, read_table
from fer_utils.audit.verdicts import FIELDS, audit_columns, frame_of

__all__ = [
    "FIELDS",
    "FITS",
    "MEANS",
    "NOT_POSSIBLE",
    "ROUNDINGS",
    "Column",
    "Interval",
    "TestSet",
    "as_json",
    "as_text",
    "audit_columns",
    "audit_file",
    "audit_paper",
    "conclusions",
    "implied_overall",
    "overall_fits",
    "paper_test_sets",
    "possible_values",
    "quoted",
    "read_printed",
    "read_table",
    "smallest_size",
    "summarise",
    "table_3_columns",
    "table_4_others",
]


def audit_paper(*, batch_size: int = 16) -> pd.DataFrame:
    """Every check of Tables II, III and IV, the text's claims and times, and the facts beside
    them."""
    # Table II is recomputed by the code that balances, and that loads torch: a table of your own
    # does without.
    from fer_utils.audit.paper import claim_rows, code_rows, label_row, table_2_rows
    from fer_utils.audit.times import time_rows

    others = frame_of([*table_2_rows(), *claim_rows(), *time_rows(), label_row(), *code_rows()])
    return pd.concat(
        [audit_columns(table_3_columns(), paper_test_sets(), batch_size=batch_size), others],
        ignore_index=True,
    )


def audit_file(path: Path, *, batch_size: int = 16) -> pd.DataFrame:
    """The checks of another paper's table, from a CSV file as ``read_noted_table`` describes it;
    its notes are in ``attrs["notes"]``. As it is not known how a program rounded, ties count for
    either side in the first reading."""
    columns, test_sets, notes = read_noted_table(path)
    checks = audit_columns(columns, test_sets, batch_size=batch_size, roundings=READINGS)
    checks.attrs["notes"] = notes
    return checks
