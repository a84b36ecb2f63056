"""The committed notebooks keep the rules their readers rely on (anatomy, size, order, nothing
personal in them)."""

import ast
import importlib
import json
import re
import warnings

import pytest
from matplotlib.mathtext import MathTextParser
from papermill import inspect_notebook

from fer_utils.core.errors import CompanionError
from fer_utils.core.paths import notebooks_folder
from fer_utils.core.profiles import load_profile
from fer_utils.pages import committed_notebooks
from fer_utils.pages.committed_notebooks import clean_notebook, store_notebooks
from fer_utils.runner.stages import STAGES, Stage

PATHS = sorted(notebooks_folder().glob("*.ipynb"))
every_notebook = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
SECTIONS = [
    "Words",
    "Parameters",
    "Imports",
    "Load",
    "Save",
    "What we see",
    "What the paper says",
    "Exercises",
    "Versions",
]
# it computes nothing of the paper
OF_THE_START = ["Parameters", "Imports", "Exercises", "Versions"]
SOLUTION = re.compile(
    r"<details>\n<summary>What we found</summary>\n\n(.+?)\n\n</details>", re.DOTALL
)
ABSOLUTE_PATH = re.compile(
    r"(?<![\w.~/:])/(?:home|root|Users|tmp|work|opt|mnt|var|usr)/|\b[A-Z]:\\\\"
)


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def source(cell):
    return "".join(cell["source"])


def code_cells(path):
    return [cell for cell in read(path)["cells"] if cell["cell_type"] == "code"]


def prose(path):
    return [source(cell) for cell in read(path)["cells"] if cell["cell_type"] == "markdown"]


def headings(path):
    """(level, text) of every heading, in order."""
    found = re.findall(r"^(#+) (.+)$", "\n".join(prose(path)), re.MULTILINE)
    return [(len(marks), text) for marks, text in found]


def links(text):
    return re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", text)


def neighbours(path):
    place = PATHS.index(path)
    return [other.name for other in PATHS[max(0, place - 1) : place + 2] if other != path]


def texts(cell):
    for output in cell["outputs"]:
        for kind, data in (
            {"stream": output["text"]} if "text" in output else output["data"]
        ).items():
            if kind != "image/png":
                yield "".join(data)


def test_every_stage_has_its_notebook():
    missing = [
        stage.notebook
        for stage in STAGES
        if not (notebooks_folder() / f"{stage.notebook}.ipynb").is_file()
    ]
    assert not missing


@every_notebook
def test_it_opens_with_a_title_and_a_question(path):
    first = read(path)["cells"][0]
    assert (
        first["cell_type"] == "markdown" and source(first).startswith("# ") and "?" in source(first)
    )


@every_notebook
def test_its_headings_make_a_table_of_contents(path):
    levels = [level for level, _ in headings(path)]
    assert levels[0] == 1 and levels.count(1) == 1 and max(levels) <= 3
    assert all(after <= before + 1 for before, after in zip(levels, levels[1:]))
    names = [text for _, text in headings(path)]
    assert len(set(names)) == len(names), "a link to a heading needs one of that name"
    assert not re.search(r"<h\d", "\n".join(prose(path)))


@every_notebook
def test_it_has_every_section_in_the_same_order(path):
    found = [text for level, text in headings(path) if level == 2 and text in SECTIONS]
    assert found == (OF_THE_START if path.stem == "00_start_here" else SECTIONS)


@every_notebook
def test_it_leads_to_its_neighbours_at_the_top_and_at_the_end(path):
    table, end = prose(path)[1], prose(path)[-1]
    row = next(line for line in table.splitlines() if line.startswith("| previous, next |"))
    assert links(row) == neighbours(path)
    assert [link for link in links(end) if link.endswith(".ipynb")] == neighbours(path)
    assert read(path)["cells"][-1]["cell_type"] == "markdown" and len(end.splitlines()) == 1


@every_notebook
def test_its_links_lead_to_files_and_headings_that_are_there(path):
    for link in links("\n".join(prose(path))):
        name, _, heading = link.partition("#")
        if "://" in link:
            continue
        target = path.parent / name
        assert target.is_file(), link
        if heading and target.suffix == ".ipynb":
            assert heading in [text.replace(" ", "-") for _, text in headings(target)], link
        elif heading:
            titles = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert heading in [title.lower().replace(" ", "-") for title in titles], link


@every_notebook
def test_what_is_shown_is_introduced_by_what_to_look_for(path):
    cells = read(path)["cells"]
    for before, cell in zip(cells, cells[1:]):
        if cell["cell_type"] == "code" and re.search(r"(figures|tables)\.show\(", source(cell)):
            assert "*What to look for:" in source(before), source(before)


@every_notebook
def test_every_exercise_names_what_to_change_and_hides_its_solution(path):
    texts = [text for text in prose(path) if text.startswith("### Exercise")]
    assert [int(re.match(r"### Exercise (\d+): ", text)[1]) for text in texts] == list(
        range(1, len(texts) + 1)
    )
    assert len(texts) >= 3
    for text in texts:
        asked, _, hidden = text.partition("<details>")
        assert "`" in asked, text
        assert SOLUTION.search(f"<details>{hidden}"), text
        assert hidden.endswith("</details>") and "#" not in re.sub(r"\([^)]*\)", "", hidden), text


@every_notebook
def test_its_formulas_are_plain_enough_for_any_reader(path):
    parser = MathTextParser("path")
    for text in prose(path):
        formulas = re.findall(r"\$\$?(.+?)\$\$?", re.sub(r"`[^`]*`", "", text), re.DOTALL)
        assert text.count("$") == sum(
            4 if f"$${formula}$$" in text else 2 for formula in formulas
        ), text
        for formula in formulas:
            parser.parse(f"${formula}$")


@every_notebook
def test_what_it_imports_is_there(path):
    for node in ast.walk(ast.parse("\n".join(map(source, code_cells(path))))):
        if isinstance(node, ast.ImportFrom):
            module = importlib.import_module(node.module)
            for name in node.names:
                assert hasattr(module, name.name) or importlib.import_module(
                    f"{node.module}.{name.name}"
                )


@every_notebook
def test_it_has_one_parameters_cell_of_commented_literals(path):
    tagged = [
        cell for cell in read(path)["cells"] if "parameters" in cell["metadata"].get("tags", [])
    ]
    assert len(tagged) == 1
    for statement in ast.parse(source(tagged[0])).body:
        assert isinstance(statement, ast.Assign)
        ast.literal_eval(statement.value)
    lines = [line for line in source(tagged[0]).splitlines() if re.match(r"\w+ =", line)]
    assert all("#" in line for line in lines)


@every_notebook
def test_papermill_lists_every_parameter_with_what_it_means(path):
    cell = next(
        cell for cell in read(path)["cells"] if "parameters" in cell["metadata"].get("tags", [])
    )
    written = {statement.targets[0].id for statement in ast.parse(source(cell)).body}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        listed = inspect_notebook(path)
    assert set(listed) == written
    assert all(about["help"] for about in listed.values())


@every_notebook
def test_cells_are_short_and_each_code_cell_follows_prose(path):
    cells = read(path)["cells"]
    for before, cell in zip(cells, cells[1:]):
        if cell["cell_type"] == "code":
            assert len(source(cell).splitlines()) <= 15, source(cell)
            assert before["cell_type"] == "markdown", source(cell)


@every_notebook
def test_it_holds_no_classes_long_functions_shell_commands_or_saved_figures(path):
    for cell in code_cells(path):
        assert not re.search(r"^\s*[!%]|savefig|sys\.exit", source(cell), re.MULTILINE), source(
            cell
        )
        for node in ast.walk(ast.parse(source(cell))):
            assert not isinstance(node, (ast.ClassDef, ast.Try)), source(cell)
            if isinstance(node, ast.FunctionDef):
                assert node.end_lineno - node.lineno < 5, source(cell)


@every_notebook
def test_it_was_executed_from_top_to_bottom_without_errors(path):
    cells = code_cells(path)
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert not [
        output for cell in cells for output in cell["outputs"] if output["output_type"] == "error"
    ]


@every_notebook
def test_it_is_clean_and_small(path):
    notebook = read(path)
    assert notebook == clean_notebook(notebook)
    assert path.stat().st_size < 1_000_000


@every_notebook
def test_every_picture_in_it_is_described_for_readers_who_cannot_see_it(path):
    pictures = [
        output
        for cell in code_cells(path)
        for output in cell["outputs"]
        if "image/png" in output.get("data", {})
    ]
    assert all(output["metadata"].get("image/png", {}).get("alt") for output in pictures)


@every_notebook
def test_no_path_of_a_machine_is_in_it(path):
    for cell in code_cells(path):
        for text in [source(cell), *texts(cell)]:
            assert not ABSOLUTE_PATH.search(text), ABSOLUTE_PATH.search(text)[0]


def test_cleaning_drops_what_a_run_and_an_editor_leave_and_keeps_the_rest():
    widget = {
        "output_type": "display_data",
        "metadata": {},
        "data": {"application/vnd.jupyter.widget-view+json": {}, "text/plain": "IntSlider()"},
    }
    picture = {
        "output_type": "display_data",
        "metadata": {"needs": "none", "image/png": {"alt": "A plot.", "width": 9}},
        "data": {"image/png": "AAAA", "image/svg+xml": "<svg/>", "text/plain": ["<Figure>"]},
    }
    warning = {"output_type": "stream", "name": "stderr", "text": ["careful"]}
    cells = [
        {
            "cell_type": "code",
            "id": "x",
            "source": "a = 1  # one",
            "execution_count": 1,
            "outputs": [],
            "metadata": {"tags": ["parameters"], "papermill": {"status": "completed"}},
        },
        {
            "cell_type": "code",
            "id": "y",
            "source": "a = 2",
            "execution_count": 2,
            "outputs": [],
            "metadata": {"tags": ["injected-parameters"]},
        },
        {
            "cell_type": "code",
            "id": "z",
            "source": "show()\nshow()",
            "execution_count": 3,
            "metadata": {"editable": True},
            "outputs": [widget, picture, warning],
        },
    ]
    clean = clean_notebook(
        {
            "cells": cells,
            "nbformat": 4,
            "nbformat_minor": 5,
            "metadata": {"papermill": {}, "widgets": {}, "kernelspec": {"name": "my-kernel"}},
        }
    )
    assert [cell["execution_count"] for cell in clean["cells"]] == [1, 2]
    assert (
        clean["cells"][0]["metadata"] == {"tags": ["parameters"]}
        and clean["cells"][1]["metadata"] == {}
    )
    assert clean["cells"][1]["outputs"] == [
        {
            "output_type": "display_data",
            "metadata": {"image/png": {"alt": "A plot."}},
            "data": {"image/png": "AAAA", "text/plain": ["<Figure>"]},
        }
    ]
    assert clean["metadata"]["kernelspec"]["name"] == "python3" and set(clean["metadata"]) == {
        "kernelspec",
        "language_info",
    }


def test_the_run_that_the_parameters_cell_describes_is_stored_and_no_other(project, monkeypatch):
    seeds = Stage(
        5,
        "training",
        "05_training",
        (),
        (),
        list,
        varies=lambda profile: [{"seed": 0}, {"seed": 1}],
    )
    folder = project / "notebooks"
    folder.mkdir()
    monkeypatch.setattr(committed_notebooks, "STAGES", (seeds,))
    monkeypatch.setattr(committed_notebooks, "notebooks_folder", lambda: folder)
    profile = load_profile("demo")

    def write(path, seed, output):
        text = f'profile_name = "demo"  # settings\noverrides = []  # none\nseed = {seed}  # which'
        printed = {"output_type": "stream", "name": "stdout", "text": f"{project}/runs {output}"}
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            json.dumps(
                {
                    "nbformat": 4,
                    "nbformat_minor": 5,
                    "metadata": {
                        "kernelspec": {"name": "python3", "display_name": "x", "language": "python"}
                    },
                    "cells": [
                        {
                            "cell_type": "code",
                            "id": "a",
                            "source": text,
                            "metadata": {"tags": ["parameters"]},
                            "execution_count": 7,
                            "outputs": [printed],
                        }
                    ],
                }
            )
        )

    for seed in (0, 1):
        write(profile.paths.executed(f"05_training_{seed}"), 1, f"of seed {seed}")
    write(folder / "05_training.ipynb", 1, "old")
    stored = project / "elsewhere"
    assert store_notebooks(profile, {}, stored) == [stored / "05_training.ipynb"]
    [cell] = code_cells(stored / "05_training.ipynb")
    assert cell["execution_count"] == 1 and list(texts(cell)) == ["runs of seed 1"]

    write(folder / "05_training.ipynb", 2, "old")
    with pytest.raises(CompanionError, match="not run with the values"):
        store_notebooks(profile, {}, stored)
