"""The tables of the README and of other documents, filled between markers from files, so that no
number is typed."""

from pathlib import Path

import pandas as pd

from fer_utils.balancing import LEVEL_TITLES
from fer_utils.core.errors import CompanionError
from fer_utils.core.paths import PACKAGE, atomic_write, committed_tables, notebooks_folder
from fer_utils.core.profiles import differences, load_profile
from fer_utils.core.stored import read_table, read_text
from fer_utils.datasets import dataset_info
from fer_utils.evaluation import OVERALL
from fer_utils.pages import measured
from fer_utils.pages.documents.cards import data_card_blocks, model_card_blocks
from fer_utils.pages.documents.filling import filled
from fer_utils.pages.documents.gpu import gpu_page_blocks
from fer_utils.pages.documents.index import section_links
from fer_utils.runner.provenance import read_provenance
from fer_utils.runner.stages import STAGES
from fer_utils.runner.summary import overall_accuracy
from fer_utils.tables import table_a0_differences
from fer_utils.tables.benchmarks import read_processors
from fer_utils.tables.text import escape_markdown, markdown_table

SHOWN = "demo"
"""The profile whose run the README, the stored notebooks and the pictures show."""
TABLE_3, TABLE_A0 = "table_3_class_accuracy", "table_a0_differences"
QUESTIONS = {
    "01_dataset_analysis": ("How unequal are the classes?", "face sets, counts"),
    "02_prompt_generation": ("Which sentences ask for the missing faces?", "prompt table, Table I"),
    "03_synthesis": ("What do the two diffusion models draw?", "pool of images, Figure 3"),
    "04_balancing": ("Which image enters which training set?", "balanced sets, Table II, Figure 2"),
    "05_training": (
        "How does ResEmoteNet learn from one of them?",
        "network, predictions, Figure 1",
    ),
    "06_evaluation": ("What did balancing win?", "Tables III and IV, Figure 4"),
    "07_paper_audit": ("Can the printed numbers belong together?", "verdicts, implied accuracies"),
    "08_real_faces": ("And on photographs?", "the answer, with its bounds"),
    "90_train_tiny_generators": ("How were the two small generators made?", "the shipped weights"),
    "91_demo_difficulty": (
        "Is the demo task neither trivial nor hopeless?",
        "accuracies of more drawn faces",
    ),
}


def fill_documents(root: Path) -> list[str]:
    """Write the documents to ``root`` with their blocks made from what is published there; their
    names, none where the profile ``SHOWN`` is not published. Raises CompanionError if a marker is
    missing."""
    if not read_provenance(committed_tables(SHOWN, root)):
        return []
    for name, blocks in (found := documents(root)).items():
        text = filled(read_text(PACKAGE.parent / name), blocks, name)
        with atomic_write(root / name, "w", encoding="utf-8") as file:
            file.write(text)
    return list(found)


def documents(root: Path = PACKAGE.parent) -> dict[str, dict[str, str]]:
    """{document: {block: its content}}, with the tables that are published below ``root``."""
    return {
        "README.md": readme_blocks(root),
        "DATA_CARD.md": data_card_blocks(),
        "MODEL_CARD.md": model_card_blocks(root),
        "docs/table_3_on_your_gpu.md": gpu_page_blocks(),
    }


def readme_blocks(root: Path) -> dict[str, str]:
    """The blocks of README.md."""
    profile, tables = load_profile(SHOWN), committed_tables(SHOWN, root)
    provenance = read_provenance(tables)
    if not provenance:
        raise CompanionError(
            f"{tables} holds no provenance.json; restore it from the repository, or run python -m"
            f" fer_utils publish --profile {SHOWN}."
        )
    return {
        "time": _time(provenance),
        "results": _results(profile, tables),
        "answer": _answer(),
        "differences": _differences(profile),
        "notebooks": _notebooks(provenance),
    }


def _time(provenance: dict) -> str:
    minutes = sum(provenance["notebook_seconds"].values()) / 60
    return (
        f"The notebooks that `make reproduce` runs took {minutes:.0f} minutes together, trainings"
        f" that ran side by side counted each, on: {provenance['hardware']}"
        f" ([provenance.json](tables/{provenance['profile']}/provenance.json))."
    )


def _results(profile, tables: Path) -> str:
    stamp, folder = profile.values["stamp"], f"tables/{profile.name}"
    link = section_links([TABLE_3], PACKAGE.parent)[TABLE_3]
    faces = f", **{escape_markdown(stamp)}**" if stamp else ""
    note = (
        f"Overall test accuracy in %{faces}. Made in {link}; every class and seed:"
        f" [{TABLE_3}]({folder}/{TABLE_3}.md); all tables and figures:"
        f" [{folder}]({folder}/README.md)."
    )
    table = _between_processors(
        overall_accuracy(profile, tables), read_table(tables / f"{TABLE_3}.csv")
    )
    table["data set"] = table["data set"].map(lambda name: dataset_info(name).title)
    table["level"] = table["level"].map(LEVEL_TITLES)
    return f"{note}\n\n{markdown_table(table)}"


def _between_processors(table: pd.DataFrame, shown: pd.DataFrame) -> pd.DataFrame:
    """The table with the lowest and the highest accuracy that a processor gives, where several are
    known: those of ``bench processors``, and the one that made ``shown`` (table_3_class_accuracy).
    """
    others = read_processors()
    if others.empty:
        return table
    whole = shown[shown["emotion"] == OVERALL]
    ends = pd.concat([others, whole]).groupby(["dataset", "level"])["accuracy"].agg(["min", "max"])
    ends = ends.reindex(pd.MultiIndex.from_frame(table[["data set", "level"]]))
    return table.assign(
        **{"between processors": [f"{low:.1f} to {high:.1f}" for low, high in ends.to_numpy()]}
    )


def _answer() -> str:
    return "\n".join(f"- {line}" for line in measured.answer())


def _differences(profile) -> str:
    link = section_links([TABLE_A0], PACKAGE.parent)[TABLE_A0]
    return f"Made in {link}.\n\n{markdown_table(table_a0_differences(differences(profile)))}"


def _notebooks(provenance: dict) -> str:
    rows = []
    for stage in STAGES:
        question, output = QUESTIONS[stage.notebook]
        path = f"{notebooks_folder().name}/{stage.notebook}.ipynb"
        rows.append(
            (
                f"[{stage.notebook}]({path})",
                question,
                output,
                f"{provenance['notebook_seconds'].get(stage.notebook, 0):.0f} s",
            )
        )
    return markdown_table(
        pd.DataFrame(rows, columns=["notebook", "question", "output", "time on demo"])
    )
