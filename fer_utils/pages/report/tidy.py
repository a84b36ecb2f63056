"""HTML of notebooks made fit for a phone, a keyboard and a screen reader; what would ask the
network or run is taken out."""

import re

from bs4 import BeautifulSoup, Tag
from bs4.element import PreformattedString

ASKING = (
    "script",
    "style",
    "link",
    "iframe",
    "object",
    "embed",
    "video",
    "audio",
    "base",
    "meta",
    "form",
    "template",
    "animate",
    "set",
)
LEADS_TO = re.compile(r"#|(https?|mailto):", re.IGNORECASE)
RUNS = re.compile(r"(java|vb)script:|data:text", re.IGNORECASE)


def tidy(html: str, *, below: int = 1, tables: str = "Table") -> str:
    """``html`` with headings in order, headers of tables marked, and wide tables and code scrolling
    by themselves.

    below:  the level of the heading that comes before. tables: what a table is called for those who
    cannot see it; several are numbered.
    """
    soup = BeautifulSoup(html, "html.parser")
    for tag in soup(ASKING):
        tag.decompose()
    _nothing_that_runs(soup)
    _only_own_pictures(soup)
    _order_headings(soup, below)
    found = soup("table")
    for number, table in enumerate(found, 1):
        _mark_headers(table)
        _in_container(soup, table, f"{tables} {number}" if len(found) > 1 else tables)
    # plain text is wrapped; code scrolls, so a keyboard must reach it
    for code in soup.select("pre:not(.text)"):
        code["tabindex"] = "0"
    return str(soup)


def _nothing_that_runs(soup: BeautifulSoup) -> None:
    """No handler of an event and no address but of the page or the web; nor comments and the like,
    for browsers and parsers disagree on where they end."""
    for text in soup.find_all(string=lambda text: isinstance(text, PreformattedString)):
        text.extract()
    for tag in soup.find_all(True):
        for name in list(tag.attrs):
            # browsers read java\tscript: too
            value = re.sub(r"[\x00-\x20\x7f]", "", "".join(tag.attrs[name]))
            is_address = name.lower().rpartition(":")[2] == "href"
            leads = LEADS_TO.match(value) if tag.name == "a" else value.startswith("#")
            if (
                name.lower().startswith("on")
                or name.lower() == "srcdoc"
                or RUNS.search(value)
                or (is_address and not leads)
            ):
                del tag.attrs[name]


def _only_own_pictures(soup: BeautifulSoup) -> None:
    for picture in soup("img"):
        if not picture.get("src", "").startswith("data:image/"):
            picture.replace_with(picture.get("alt", ""))


def _order_headings(soup: BeautifulSoup, below: int) -> None:
    """No heading more than one level below the one before it."""
    for heading in soup(["h1", "h2", "h3", "h4", "h5", "h6"]):
        below = min(int(heading.name[1]), below + 1)
        heading.name = f"h{below}"


def _mark_headers(table: Tag) -> None:
    """``scope`` on every header; a head without a word is dropped, and the first cells become
    headers of their rows."""
    for tag in (table, *table.find_all(True)):
        for name in ("border", "style", "align", "valign", "class"):
            tag.attrs.pop(name, None)
    head = table.find("thead")
    if head and not head.get_text(strip=True):
        head.decompose()
        for row in table("tr"):
            row.find(["td", "th"]).name = "th"
    for cell in table("th"):
        in_head = cell.find_parent("thead") is not None
        if not cell.get_text(strip=True):
            cell.name = "td"
            continue
        several = "group" if int(cell.get("colspan" if in_head else "rowspan", 1)) > 1 else ""
        cell["scope"] = ("col" if in_head else "row") + several


def _in_container(soup: BeautifulSoup, table: Tag, name: str) -> None:
    table.wrap(
        soup.new_tag(
            "div", attrs={"class": "table", "role": "group", "tabindex": "0", "aria-label": name}
        )
    )
