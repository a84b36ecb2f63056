"""How good the pool is, per emotion and generator: against real training faces, as a reader of real
faces sees it, and whether it copies them. The attributes that prompts ask for have a judge of their
own (``generators.judge``).
"""

from fer_utils.synthesis.quality.assessment import Assessment, assess_pool, example_rows
from fer_utils.synthesis.quality.attributes import attribute_counts, largest_deviations
from fer_utils.synthesis.quality.comparison import ALL, HALF, UNSEEN
from fer_utils.synthesis.quality.scores import (
    keep_good,
    kept,
    kept_table,
    read_scores,
    write_scores,
)

__all__ = [
    "ALL",
    "HALF",
    "UNSEEN",
    "Assessment",
    "assess_pool",
    "attribute_counts",
    "example_rows",
    "keep_good",
    "kept",
    "kept_table",
    "largest_deviations",
    "read_scores",
    "write_scores",
]
