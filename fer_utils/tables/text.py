"""A frame of texts as Markdown and as LaTeX, every special character escaped; a cell may have
several lines."""

from collections.abc import Callable

import pandas as pd

PAGE_CHARACTERS = 110

_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "|": r"\textbar{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    '"': "''",
    "–": "--",
    "×": r"$\times$",
}
_MARKDOWN = {
    "\\": "\\\\",
    "|": "\\|",
    "*": "\\*",
    "_": "\\_",
    "<": "&lt;",
    ">": "&gt;",
    "`": "\\`",
    "$": "\\$",
    "\n": "<br>",
}


def markdown_table(frame: pd.DataFrame) -> str:
    """A pipe table of the frame's columns (not its index), without a trailing newline."""
    rows = [
        _heads(frame, escape_markdown),
        ["---"] * frame.shape[1],
        *_cells(frame, escape_markdown),
    ]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def latex_table(frame: pd.DataFrame, *, caption: str, label: str) -> str:
    """A floating table of the frame's columns in booktabs style; wants the packages booktabs and
    graphicx.

    A table wider than a page of small print is scaled down to the text width.
    """
    rows = [" & ".join(row) + r" \\" for row in _cells(frame, escape_latex)]
    wide = _characters(frame) > PAGE_CHARACTERS
    return "\n".join(
        [
            r"\begin{table*}",
            r"\centering",
            rf"\caption{{{escape_latex(caption)}}}",
            rf"\label{{{label}}}",
            r"\footnotesize",
            *([r"\resizebox{\textwidth}{!}{%"] if wide else []),
            rf"\begin{{tabular}}{{{'l' * frame.shape[1]}}}",
            r"\toprule",
            " & ".join(_heads(frame, escape_latex)) + r" \\",
            r"\midrule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}" + ("}" if wide else ""),
            r"\end{table*}",
            "",
        ]
    )


def escape_latex(text: str) -> str:
    """``text`` with LaTeX's special characters printed as they are; lines are stacked."""
    lines = [
        "".join(_LATEX.get(character, character) for character in line)
        for line in str(text).split("\n")
    ]
    if len(lines) == 1:
        return _unbracketed(lines[0])
    return r"\shortstack[l]{" + r" \\ ".join(map(_unbracketed, lines)) + "}"


def escape_markdown(text: str) -> str:
    """``text`` with the characters that end a cell or mean emphasis escaped; lines are broken."""
    return "".join(_MARKDOWN.get(character, character) for character in str(text))


def _unbracketed(line: str) -> str:
    r"""LaTeX reads a bracket after ``\\`` as an argument."""
    return "{}" + line if line.startswith("[") else line


def _heads(frame: pd.DataFrame, escape: Callable[[str], str]) -> list[str]:
    """Column names; of several levels those that say something, joined."""
    names = [name if isinstance(name, tuple) else (name,) for name in frame.columns]
    return [escape(", ".join(str(part) for part in name if str(part))) for name in names]


def _cells(frame: pd.DataFrame, escape: Callable[[str], str]) -> list[list[str]]:
    return [
        ["" if _missing(value) else escape(value) for value in row]
        for row in frame.itertuples(index=False)
    ]


def _characters(frame: pd.DataFrame) -> int:
    """The longest line of every column, added up."""
    columns = zip(_heads(frame, str), *_cells(frame, str))
    return sum(max(len(line) for cell in column for line in cell.split("\n")) for column in columns)


def _missing(value) -> bool:
    return pd.api.types.is_scalar(value) and pd.isna(value)
