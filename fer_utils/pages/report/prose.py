"""Markdown as HTML that needs no network: equations become MathML, links stay in the page or leave
it openly."""

import html
import re
from collections.abc import Mapping

from latex2mathml import exceptions
from latex2mathml.converter import convert
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

BAD_LATEX = tuple(kind for kind in vars(exceptions).values() if isinstance(kind, type))
DEEPEST = 6
_ELSEWHERE = ("http://", "https://", "mailto:")


def as_html(markdown: str, *, links: Mapping[str, str] = {}, below: int = 1) -> str:
    """``markdown`` as HTML.

    links: file name of a notebook -> its address in the page; links to other local files become
    plain text. below: so many levels are added to every heading, for headings of a notebook stand
    below those of the page.
    """
    return MarkdownWithMath(renderer=_Renderer(links, below)).render(markdown)


def as_text(markdown: str) -> str:
    """``markdown`` as one line of plain text."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", "", as_html(markdown))).split())


def first_sentence(text: str) -> str:
    """The first sentence of a plain text."""
    return re.split(r"(?<=[.:?!])\s", text)[0]


def equation(latex: str, *, block: bool) -> str:
    r"""``latex`` as MathML, with the number of ``\tag{1}`` beside a block; as code if it cannot be
    read."""
    number = re.search(r"\\tag\{([^}]*)\}", latex)
    body = re.sub(r"\\tag\{[^}]*\}", "", latex).strip()
    try:
        math = convert(body, display="block" if block else "inline")
    except BAD_LATEX:
        return f"<code>{html.escape(latex)}</code>"
    math = math.replace("<math ", f'<math alttext="{html.escape(body)}" ', 1)
    tag = f'<span class="equation-number">({html.escape(number[1])})</span>' if number else ""
    if not block:
        return math
    # it may scroll
    return (
        f'<span class="equation" role="group" tabindex="0" aria-label="Equation">{math}{tag}</span>'
    )


class _Renderer(IPythonRenderer):
    """nbconvert's renderer, except for headings, equations, links and pictures."""

    def __init__(self, links: Mapping[str, str], below: int):
        super().__init__(escape=False, exclude_anchor_links=True)
        self._links, self._below = links, below

    def heading(self, text: str, level: int, **_) -> str:
        level = min(level + self._below, DEEPEST)
        return f"<h{level}>{text}</h{level}>\n"

    def block_math(self, body: str) -> str:
        return equation(body, block=True)

    def inline_math(self, body: str) -> str:
        return equation(body, block=False)

    def latex_environment(self, name: str, body: str) -> str:
        return equation(rf"\begin{{{name}}}{body}\end{{{name}}}", block=True)

    def link(self, text: str, url: str, title: str | None = None) -> str:
        file = url.split("#")[0].rsplit("/", 1)[-1]
        if url.startswith(("#", *_ELSEWHERE)):
            return f'<a href="{html.escape(url)}">{text}</a>'
        return f'<a href="#{self._links[file]}">{text}</a>' if file in self._links else text

    def image(self, text: str, url: str, title: str | None = None) -> str:
        return (
            f'<img src="{url}" alt="{html.escape(text)}">'
            if url.startswith("data:image/")
            else html.escape(text)
        )
