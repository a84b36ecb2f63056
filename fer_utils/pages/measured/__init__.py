"""What was measured on real FER2013, read from the committed tables of the profiles that did: the
project's own answer to the paper's question. Nothing is computed from faces here, so every reader
sees it, with or without the data set.

``fer2013_full_paper_recipe`` trains the network of the paper's Fig. 1, ``fer2013_paper_recipe`` one
of a quarter of its width on the same training sets; ``fer2013_twins`` lets the copies of test faces
into the training set.
"""

from fer_utils.pages.measured.numbers import (
    FULL,
    MEASURES,
    NARROW,
    WITH_TWINS,
    claimed,
    differences,
    measured,
)
from fer_utils.pages.measured.protocol import (
    ORACLES,
    PROTOCOL,
    answer,
    counts_for,
    oracles,
    readings,
    trade_off,
)
from fer_utils.pages.measured.words import caption, finishing, in_words, limits, shown

STAMP = "generator trained on FER2013, not Stable Diffusion"
"""For what shows more than one profile."""

__all__ = [
    "FULL",
    "MEASURES",
    "NARROW",
    "ORACLES",
    "PROTOCOL",
    "STAMP",
    "WITH_TWINS",
    "answer",
    "caption",
    "claimed",
    "counts_for",
    "differences",
    "finishing",
    "in_words",
    "limits",
    "measured",
    "oracles",
    "readings",
    "shown",
    "trade_off",
]
