"""The README's tables, filled between markers from the files of a run, so that no number in it is typed."""

import re
from pathlib import Path

import pandas as pd

from fer_utils.balancing import LEVEL_TITLES
from fer_utils.datasets import dataset_info
from fer_utils.errors import CompanionError
from fer_utils.paths import PACKAGE, atomic_write, notebooks_folder
from fer_utils.profiles import differences
from fer_utils.provenance import read_provenance
from fer_utils.stages import STAGES
from fer_utils.summary import overall_accuracy
from fer_utils.tables import table_a0_differences
from fer_utils.tables.text import markdown_table

QUESTIONS = {
    "01_dataset_analysis": ("How unequal are the classes?", "face sets, counts"),
    "02_prompt_generation": ("Which sentences ask for the missing faces?", "prompt table, Table I"),
    "03_synthesis": ("What do the two diffusion models draw?", "pool of images, Figure 3"),
    "04_balancing": ("Which image enters which training set?", "balanced sets, Table II, Figure 2"),
    "05_training": ("How does ResEmoteNet learn from one of them?", "network, predictions, Figure 1"),
    "06_evaluation": ("What did balancing win?", "Tables III and IV, Figure 4"),
    "07_paper_audit": ("Can the printed numbers belong together?", "verdicts, implied accuracies"),
    "90_train_tiny_generators": ("How were the two small generators made?", "the shipped weights"),
    "91_demo_difficulty": ("Is the demo task neither trivial nor hopeless?", "accuracies of more drawn faces"),
}


def fill_readme(profile, path: Path = PACKAGE.parent / "README.md") -> str:
    """Replace what stands between each pair of markers; returns the file's name.

    Raises CompanionError if a marker or a file of the run is missing.
    """
    text = path.read_text(encoding="utf-8")
    for name, content in _blocks(profile).items():
        text = _filled(text, name, content)
    with atomic_write(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path.name


def _blocks(profile) -> dict[str, str]:
    provenance = read_provenance(profile.paths.tables)
    if not provenance:
        raise CompanionError(f"{profile.paths.tables} holds no provenance.json; "
                             f"run python -m fer_utils reproduce --profile {profile.name} first.")
    return {"time": _time(provenance), "results": _results(profile), "differences": _differences(profile),
            "notebooks": _notebooks(provenance)}


def _filled(text: str, name: str, content: str) -> str:
    pattern = re.compile(rf"(<!-- {name}:start -->\n).*?(<!-- {name}:end -->)", re.DOTALL)
    if not pattern.search(text):
        raise CompanionError(f"README.md has no pair of markers <!-- {name}:start --> and <!-- {name}:end -->.")
    return pattern.sub(lambda found: f"{found[1]}{content}\n{found[2]}", text)


def _time(provenance: dict) -> str:
    minutes = sum(provenance["notebook_seconds"].values()) / 60
    return (f"The notebooks that `make reproduce` runs took {minutes:.0f} minutes together, trainings that ran side by "
            f"side counted each, on: {provenance['hardware']}.")


def _results(profile) -> str:
    stamp = profile.values["stamp"]
    note = f"Overall test accuracy in %, **{stamp}** beside the paper's real data." if stamp else \
        "Overall test accuracy in %."
    table = overall_accuracy(profile)
    table["data set"] = table["data set"].map(lambda name: dataset_info(name).title)
    table["level"] = table["level"].map(LEVEL_TITLES)
    return f"{note}\n\n{markdown_table(table)}"


def _differences(profile) -> str:
    return markdown_table(table_a0_differences(differences(profile)))


def _notebooks(provenance: dict) -> str:
    rows = []
    for stage in STAGES:
        question, output = QUESTIONS[stage.notebook]
        path = f"{notebooks_folder().name}/{stage.notebook}.ipynb"
        rows.append((f"[{stage.notebook}]({path})", question, output,
                     f"{provenance['notebook_seconds'].get(stage.notebook, 0):.0f} s"))
    return markdown_table(pd.DataFrame(rows, columns=["notebook", "question", "output", "time on demo"]))
