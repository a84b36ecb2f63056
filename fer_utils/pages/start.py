"""What the notebook to start with shows of the project: its notebooks with their questions, and
where results lie."""

import pandas as pd
from IPython.display import Markdown

from fer_utils.core.paths import PACKAGE, committed_figures, committed_tables, project_root
from fer_utils.core.profiles import Profile
from fer_utils.pages.readme import QUESTIONS
from fer_utils.tables.text import markdown_table


def contents() -> Markdown:
    """Every notebook with its question, as links from one notebook to the others."""
    rows = [
        (f"[{name}]({name}.ipynb)", question, output)
        for name, (question, output) in QUESTIONS.items()
    ]
    return Markdown(
        markdown_table(pd.DataFrame(rows, columns=["notebook", "question", "what comes of it"]))
    )


def places(profile: Profile) -> Markdown:
    """Where a run of a profile leaves its results, and where those lie that come with the project,
    relative to its folder."""
    paths = profile.paths
    rows = [
        ("tables (csv, md, tex)", paths.tables),
        ("figures (pdf, svg, png)", paths.figures),
        ("executed notebooks", paths.notebooks),
        ("prompts", paths.prompts),
        ("synthetic faces", paths.pool),
        ("trained networks and their predictions", paths.models),
    ]
    stored = [
        ("stored tables", committed_tables(profile.run_name)),
        ("stored figures", committed_figures(profile.run_name)),
    ]
    named = [
        (what, f"`{place.relative_to(root).as_posix()}`")
        for root, found in (
            (project_root(), rows),
            (PACKAGE.parent, [row for row in stored if row[1].is_dir()]),
        )
        for what, place in found
    ]
    return Markdown(
        "\n".join(
            [
                "| what | where |",
                "| --- | --- |",
                *(f"| {what} | {place} |" for what, place in named),
            ]
        )
    )
