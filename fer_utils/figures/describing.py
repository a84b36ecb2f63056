"""What a figure shows, in words, for readers who can't see it: every figure function computes it
from what it draws.

The words are the figure's own label (``matplotlib.artist.Artist.set_label``), so they travel with
it: ``show`` hands them to the notebook as the picture's alternative text, ``save`` writes them into
the files.
"""

import textwrap
from collections.abc import Iterable, Mapping

from matplotlib.figure import Figure

from fer_utils.core.errors import CompanionError


def described(figure: Figure, *sentences: str) -> Figure:
    """``figure`` with its description: what kind of picture it is first, then its message in
    numbers."""
    figure.set_label(one_line(" ".join(sentences)))
    return figure


def alt_text(figure: Figure, stamp: str = "") -> str:
    """The description of a figure and the stamp on it. Raises CompanionError for a figure without
    one."""
    if not figure.get_label():
        raise CompanionError(
            "This figure has no description for readers who can't see it. Draw it with a function"
            " of fer_utils.figures, or give it one: figures.described(figure, 'What it shows.')."
        )
    return f"{figure.get_label()} Stamped: {stamp}." if stamp else figure.get_label()


def listed(items: Iterable) -> str:
    """'a', 'a and b', 'a, b and c'; 'none' for nothing."""
    *most, last = [str(item) for item in items] or ["none"]
    return f"{', '.join(most)} and {last}" if most else last


def how_many(counts: Iterable[int], unit: str) -> str:
    """'1 seed', '3 seeds', or '1–3 seeds' where they differ."""
    counts = sorted({int(count) for count in counts})
    return f"{'–'.join(map(str, counts[:1] + counts[1:][-1:]))} {unit}{'s' * (counts[-1] != 1)}"


def one_line(text: str) -> str:
    """Text without line breaks and repeated blanks."""
    return " ".join(text.split())


def span(values: Mapping[str, float], unit: str = "", digits: int = 1) -> str:
    """'from 12.0 % (disgust) to 75.3 % (happy)' for the smallest and the largest value of those
    that are numbers."""
    known = {name: value for name, value in values.items() if value == value}
    if not known:
        return "nowhere known"
    low, high = min(known, key=known.get), max(known, key=known.get)
    low, high = (f"{known[name]:,.{digits}f}{unit} ({name})" for name in (low, high))
    return f"from {low} to {high}" if low != high else low


def shortened(texts: Iterable[str], count: int) -> str:
    """The first ``count`` texts on one line each, and how many more there are."""
    texts = [textwrap.shorten(text, 90, placeholder=" …") for text in texts]
    rest = len(texts) - count
    return "; ".join(texts[:count]) + (f"; and {rest} more" if rest > 0 else "")
