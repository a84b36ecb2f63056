"""One run as one HTML page: what the paper has, what we have, and every notebook with its outputs.

The page is one file that asks for nothing else: pictures, equations (MathML), styles and the few
lines of script are in it, and its content security policy forbids every request.

- ``collect``:    the executed notebooks of a run, its provenance, and which steps are not fresh.
- ``exhibits``:   every table and figure, the paper's counterpart, and the cell that saved it.
- ``comparison``: the paper's numbers beside ours, from the CSV files.
- ``trainings``:  the many runs of stage 5 in one table.
- ``cells``:      a notebook as HTML, by nbconvert with a template of ours.
- ``prose``:      Markdown with equations and links that lead somewhere.
- ``tidy``:       tables, headings and code blocks that a phone and a screen reader can use.
- ``pictures``:   small pictures, each embedded once.
- ``page``:       all of it put together.
"""

from fer_utils.pages.report.page import write_report

__all__ = ["write_report"]
