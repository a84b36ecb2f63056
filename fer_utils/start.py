"""What the notebook to start with shows of the project: its notebooks with their questions, and where results lie."""

import pandas as pd
from IPython.display import Markdown

from fer_utils.paths import project_root
from fer_utils.profiles import Profile
from fer_utils.readme import QUESTIONS
from fer_utils.tables.text import markdown_table


def contents() -> Markdown:
    """Every notebook with its question, as links from one notebook to the others."""
    rows = [(f"[{name}]({name}.ipynb)", question, output) for name, (question, output) in QUESTIONS.items()]
    return Markdown(markdown_table(pd.DataFrame(rows, columns=["notebook", "question", "what comes of it"])))


def places(profile: Profile) -> Markdown:
    """Where the results of a profile lie, relative to the project's folder."""
    paths = profile.paths
    rows = [("tables (csv, md, tex)", paths.tables), ("figures (pdf, svg, png)", paths.figures),
            ("executed notebooks", paths.notebooks), ("prompts", paths.prompts), ("synthetic faces", paths.pool),
            ("trained networks and their predictions", paths.models)]
    named = [(what, f"`{place.relative_to(project_root()).as_posix()}`") for what, place in rows]
    return Markdown("\n".join(["| what | where |", "| --- | --- |", *(f"| {what} | {place} |" for what, place in named)]))
