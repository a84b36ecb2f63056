"""A notebook as HTML: nbconvert with a template of ours (fer_utils_notebook), every cell with an
address of its own."""

import base64
import hashlib
import json
import re
from collections.abc import Mapping

import nbformat
from nbconvert.exporters import HTMLExporter

from fer_utils.core.paths import REPORT_TEMPLATES
from fer_utils.pages.report import pictures
from fer_utils.pages.report.collect import Notebook
from fer_utils.pages.report.prose import as_html, as_text, first_sentence
from fer_utils.pages.report.tidy import tidy

PNG = "image/png"
SHOWN = re.compile(r"figures\.show\((\w+)")
SAVED = re.compile(r"figures\.save\((\w+),\s*\"(figure_\w+)\"")


def exporter(links: Mapping[str, str]) -> HTMLExporter:
    """What turns a notebook into HTML; ``links``: file name of a notebook -> its address in the
    page."""
    made = HTMLExporter(
        template_name="fer_utils_notebook", extra_template_basedirs=[str(REPORT_TEMPLATES)]
    )
    made.register_filter("markdown2html", lambda text: as_html(text, links=links))
    return made


def notebook_html(
    notebook: Notebook, export: HTMLExporter, *, captions: Mapping[str, str], seen: dict[str, str]
) -> str:
    """The cells of ``notebook`` as HTML, its title as a heading of level 2.

    captions: name of a figure -> its caption, for pictures that come without a description.
    seen:     hash of a picture -> address of the cell that holds it; those found here are added, so
    that a picture
              shown again is a link to the first.
    """
    content = with_pictures(notebook, captions=captions, seen=seen)
    body, _ = export.from_notebook_node(
        nbformat.reads(json.dumps(content), as_version=4), {"report": {"anchor": notebook.anchor}}
    )
    return tidy(body, tables=f"{notebook.stem}, table")


def with_pictures(notebook: Notebook, *, captions: Mapping[str, str], seen: dict[str, str]) -> dict:
    """The notebook's content with each picture described, measured and as small as it gets without
    loss; one seen before is replaced by a link to it."""
    saved = {
        variable: name
        for cell in notebook.content["cells"]
        for variable, name in SAVED.findall(_source(cell))
    }
    cells, said = [], notebook.title
    for cell in notebook.content["cells"]:
        if cell["cell_type"] == "markdown":
            said = _said(_source(cell)) or said
        elif cell["cell_type"] == "code":
            shown = SHOWN.search(_source(cell))
            caption = captions.get(saved.get(shown[1], ""), "") if shown else ""
            anchor = f"{notebook.anchor}-{cell['id']}"
            outputs = [
                _with_picture(output, caption or said, anchor, seen) for output in cell["outputs"]
            ]
            cell = cell | {"outputs": outputs}
        cells.append(cell)
    return notebook.content | {"cells": cells}


def _with_picture(output: dict, described: str, anchor: str, seen: dict[str, str]) -> dict:
    if PNG not in output.get("data", {}):
        return output
    png = base64.b64decode("".join(output["data"][PNG]))
    about = output.get("metadata", {}).get(PNG, {})
    alt = " ".join((about.get("alt") or described).split())
    key = hashlib.sha256(png).hexdigest()
    if key in seen:
        first = seen[key]
        again = f"The same picture as in [cell {first.rsplit('-', 1)[-1]}](#{first}): {alt}"
        return output | {"data": {"text/markdown": again}}
    seen[key] = anchor
    width, height = pictures.size(png)
    data = {PNG: base64.b64encode(pictures.smaller(png)).decode()}
    return output | {
        "data": data,
        "metadata": {PNG: about | {"alt": alt, "width": width, "height": height}},
    }


def _said(markdown: str) -> str:
    """The first sentence below the headings, else the last heading: what the prose says of the
    picture that follows."""
    lines = [line for line in markdown.splitlines() if line.strip()]
    prose = " ".join(line for line in lines if not line.startswith(("#", "|", "```", "$$")))
    heading = [line.lstrip("# ") for line in lines if line.startswith("#")]
    text = as_text(prose) if prose else as_text(heading[-1]) if heading else ""
    return first_sentence(text)


def _source(cell: dict) -> str:
    return "".join(cell["source"])
