"""Markdown files with blocks between markers that are made from files, so that no number in them is
typed."""

import re
from collections.abc import Mapping

from fer_utils.core.errors import CompanionError

_MARKER = re.compile(r"<!-- ([a-z_]+):start -->")


def filled(text: str, blocks: Mapping[str, str], name: str) -> str:
    """``text`` with the blocks in place. Raises CompanionError if a block has no pair of markers in
    it, or a marker no block; ``name`` is the file's, for the message."""
    for unknown in set(_MARKER.findall(text)) - set(blocks):
        raise CompanionError(
            f"{name} has the markers of a block '{unknown}', which nothing makes; "
            f"known: {', '.join(blocks)}."
        )
    for block, content in blocks.items():
        text = _replaced(text, block, content, name)
    return text


def _replaced(text: str, block: str, content: str, name: str) -> str:
    pattern = re.compile(rf"(<!-- {block}:start -->\n).*?(<!-- {block}:end -->)", re.DOTALL)
    if not pattern.search(text):
        raise CompanionError(
            f"{name} has no pair of markers <!-- {block}:start --> and <!-- {block}:end -->."
        )
    return pattern.sub(lambda found: f"{found[1]}{content}\n{found[2]}", text)
