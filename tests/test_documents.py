"""What the Markdown files say is there: links, headings, commands, settings, numbers made from
files."""

import json
import re
import shlex
from pathlib import Path
from urllib.parse import unquote

import pandas as pd
import pytest
import yaml
from test_project import ROOT, make_targets
from test_project import project as pyproject

from fer_utils.cli import _read_arguments
from fer_utils.core.errors import CompanionError
from fer_utils.core.paths import committed_figures, committed_tables
from fer_utils.core.profiles import flatten, load_profile, profile_names
from fer_utils.core.reference import read_reference
from fer_utils.pages.documents.filling import filled
from fer_utils.pages.documents.gpu import assumed_rates
from fer_utils.pages.documents.index import UNKNOWN, index_text
from fer_utils.pages.documents.sections import Section, headings, made_in, notebook_headings
from fer_utils.runner.summary import overall_accuracy

NOT_COMMITTED = {".venv", ".git", "data", "runs", "build", ".pytest_cache"}
MADE_OR_GIVEN = {
    "fer2013.csv",
    "fer2013new.csv",
    "icml_face_data.csv",
    "metadata.csv",
    "model.safetensors",
    "labels.csv",
}
LINK = re.compile(r"(?<!`)\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^)\s]+)\)")
HTML_LINK = re.compile(r'(?:src|href)="([^"]+)"')


def committed(pattern: str) -> list[Path]:
    """Files of the checkout, without those that git ignores."""
    found = [path.relative_to(ROOT) for path in sorted(ROOT.rglob(pattern)) if path.is_file()]
    return [
        path
        for path in found
        if path.parts[0] not in NOT_COMMITTED
        and not any(part.startswith(".ipynb") for part in path.parts)
    ]


MARKDOWN, NOTEBOOKS = committed("*.md"), committed("*.ipynb")
every_document = pytest.mark.parametrize("path", MARKDOWN + NOTEBOOKS, ids=str)


def prose(path: Path) -> str:
    """A Markdown file without its code blocks, or the Markdown cells of a notebook."""
    text = (ROOT / path).read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        text = "\n\n".join(
            "".join(cell["source"])
            for cell in json.loads(text)["cells"]
            if cell["cell_type"] == "markdown"
        )
    return re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)


def relative_links(path: Path) -> list[str]:
    found = LINK.findall(prose(path)) + HTML_LINK.findall(prose(path))
    return [
        unquote(re.sub(r"\\(.)", r"\1", link))
        for link in found
        if not re.match(r"[a-z]+:|attachment:", link)
    ]


def github_fragments(path: Path) -> set[str]:
    """How GitHub names the headings of a Markdown file: lower case, hyphens for spaces, punctuation
    dropped."""
    names: list[str] = []
    for title in headings(path.read_text(encoding="utf-8")):
        name = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        names.append(f"{name}-{names.count(name)}" if name in names else name)
    return set(names)


def fragments(path: Path) -> set[str]:
    if path.suffix == ".ipynb":
        return {unquote(Section("", title).fragment) for title in notebook_headings(path)}
    return github_fragments(path) if path.suffix == ".md" else set()


def commands() -> list[tuple[Path, str]]:
    """Every command line of a document that begins with python -m fer_utils, without its
    comment."""
    return [
        (path, found.strip())
        for path in MARKDOWN
        for found in re.findall(
            r"python -m fer_utils ([a-z][^`\n#,;]*)", (ROOT / path).read_text(encoding="utf-8")
        )
    ]


@every_document
def test_every_relative_link_leads_to_a_file_and_every_fragment_to_a_heading(path):
    for link in relative_links(path):
        place, _, fragment = link.partition("#")
        target = (ROOT / path.parent / place).resolve() if place else ROOT / path
        assert target.exists(), f"{path} links to {place}"
        assert not fragment or fragment in fragments(target), (
            f"{path} links to {link}: no such heading"
        )


@pytest.mark.parametrize("path", MARKDOWN, ids=str)
def test_files_named_in_code_marks_exist(path):
    """By their place in the checkout or in the package, or by their bare name."""
    named = re.findall(
        r"`([\w./-]+\.(?:py|ya?ml|md|csv|json|toml|lock|ipynb|png|safetensors))`", prose(path)
    )
    for name in (
        name
        for name in named
        if not name.startswith(("data/", "runs/")) and name not in MADE_OR_GIVEN
    ):
        assert (
            (ROOT / name).exists()
            or (ROOT / "fer_utils" / name).exists()
            or ("/" not in name and committed(name))
        ), f"{path} names {name}"


def test_the_links_in_documents_are_found_at_all():
    found = {link for path in MARKDOWN for link in relative_links(path)}
    assert {
        "LICENSE",
        "DATA_CARD.md",
        "../README.md#real-data",
        "notebooks/06_evaluation.ipynb",
    } <= {*found, *(link.partition("#")[0] for link in found)}


def test_a_lost_marker_and_a_block_that_nothing_makes_are_errors():
    text = "before\n<!-- results:start -->\nold\n<!-- results:end -->\nafter\n"
    assert filled(text, {"results": "new"}, "README.md") == text.replace("old", "new")
    with pytest.raises(
        CompanionError, match="README.md has no pair of markers <!-- notebooks:start"
    ):
        filled(text, {"results": "", "notebooks": "new"}, "README.md")
    with pytest.raises(CompanionError, match="block 'results'"):
        filled(text, {}, "README.md")


@pytest.mark.parametrize(
    "name",
    sorted(path.parent.name for path in committed("provenance.json") if path.parts[0] == "tables"),
)
def test_the_index_lists_every_table_and_figure_with_a_section_of_its_own(name):
    profile = load_profile(name)
    text = (committed_tables(name) / "README.md").read_text(encoding="utf-8")
    assert text == index_text(profile), (
        f"tables/{name}/README.md is out of date: run python -m fer_utils publish"
    )
    assert UNKNOWN not in text
    listed = [
        path.stem
        for folder, kind in ((committed_tables(name), "csv"), (committed_figures(name), "png"))
        for path in folder.glob(f"*.{kind}")
    ]
    for stem, section in made_in(listed, ROOT / "notebooks").items():
        assert f"| [{stem}](" in text
        titles = notebook_headings(ROOT / "notebooks" / f"{section.notebook}.ipynb")
        assert titles.count(section.title) == 1, (
            f"{section} is there twice, and a link leads to the first"
        )


def test_a_table_is_traced_to_the_heading_under_which_its_variable_gets_its_value(tmp_path):
    cells = [
        "## Compute",
        ("frame = 1", "made = 2"),
        "## Show\n```\n## no heading\n```",
        ("shown = made",),
        "## Save",
        (
            "tables.save(frame, 'table_1', p, shown=shown)",
            "late = 3",
            "tables.save(frame, 'table_2', p, shown=late)",
            "figures.save(late, 'figure_1', p)",
            (
                "for name, (figure, _) in {'two': (made, 0)}.items():\n    figures.save(figure,"
                " f'figure_{name}', p)"
            ),
        ),
    ]
    write_notebook(tmp_path / "01_a.ipynb", cells)
    found = made_in(["table_1", "table_2", "figure_1", "figure_two", "table_9"], tmp_path)
    assert {name: section.title for name, section in found.items()} == {
        "table_1": "Show",
        "table_2": "Compute",
        "figure_1": "Save",
        "figure_two": "Compute",
    }


def write_notebook(path: Path, cells) -> None:
    content = [
        (
            {"cell_type": "markdown", "source": cell}
            if isinstance(cell, str)
            else {"cell_type": "code", "source": "\n".join(cell)}
        )
        for cell in cells
    ]
    path.write_text(json.dumps({"cells": content}))


def test_fragments_keep_case_and_punctuation_as_jupyter_does():
    assert (
        Section("06", "Is a level better, or was it lucky?").fragment
        == "Is-a-level-better,-or-was-it-lucky?"
    )
    assert headings("# The `x` of **y** and [z](w)\n```\n# code\n```\n## Two ##") == [
        "The x of y and z",
        "Two",
    ]
    assert Section("06", "A (b)").fragment == "A-%28b%29"


@pytest.mark.parametrize(("path", "command"), commands(), ids=lambda value: str(value)[:60])
def test_every_command_in_a_document_is_one_the_program_takes(path, command):
    words = shlex.split(command)
    if len(words) == 1:  # named in a sentence, perhaps without what it needs
        listed = subcommands()
        assert words[0] in listed, f"{path}: {command}"
    else:
        options = _read_arguments(words)
        if hasattr(options, "profile"):
            load_profile(options.profile, options.overrides)


def subcommands() -> list[str]:
    with pytest.raises(CompanionError) as problem:
        _read_arguments(["no-such-command"])
    return re.sub(r".*Valid names: |\.$", "", str(problem.value)).split(", ")


@pytest.mark.parametrize("path", MARKDOWN, ids=str)
def test_documents_name_only_make_targets_profiles_and_settings_that_exist(path):
    text = (ROOT / path).read_text(encoding="utf-8")
    code = "\n".join(re.findall(r"```.*?```|`[^`\n]+`", text, re.DOTALL))
    assert set(re.findall(r"\bmake ([a-z]+)", code)) <= make_targets(), path
    assert set(re.findall(r"(?:PROFILE=|--profile )([a-z_0-9]+)", code)) <= set(profile_names())
    known = flatten(load_profile("paper").values)
    assert set(re.findall(r"--set '?([a-z_0-9.]+)=", code)) <= set(known)


def test_the_readme_names_the_commands_readers_need():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert {"reproduce", "test", "lab", "publish"} <= set(re.findall(r"\bmake ([a-z]+)", text))
    first = [
        text.index(command) for command in ("make reproduce", "make test", "make lab", "## Look")
    ]
    assert first == sorted(first), "the first screen says how to run, to test and to play"
    assert [line for line in text.splitlines() if line.startswith("## ")][:3] == [
        "## Look",
        "## Play",
        "## Install and run",
    ]


def test_messages_in_the_troubleshooting_page_are_messages_of_the_program():
    """The fixed words of each message stand in the code, so that a search for them finds the
    page."""
    code = re.sub(
        r"\s+",
        " ",
        re.sub(
            r'"\s*\n\s*f?"',
            "",
            "\n".join(
                path.read_text(encoding="utf-8") for path in (ROOT / "fer_utils").rglob("*.py")
            ),
        ),
    )
    known = re.sub(r"\{[^{}]*\}", "…", code)
    for message in (
        "more images need … GB, but the disk of … has … GB free",
        "can't be written: the disk is full",
        "is not a shard of the pool that can be read",
        "The model does not fit into the memory of the GPU",
        "Not even one image at a time fits into memory",
        "run.cluster needs Ray",
        "No Ray cluster at '…'",
        "too little memory is the usual reason",
        "Another run is working in …",
        "Training diverged",
        "is not safe to train on a CPU",
        ", but must be …",
        "this can't be read as YAML",
        "is none of the seven emotions",
        "Not the official data",
        "A notebook's code has changed since it was run",
        "The cluster lost a ",
    ):
        page = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
        assert message in page and message in known, message


def test_no_committed_text_names_the_host_of_a_package_registry():
    hosts = [
        ".".join(parts)
        for parts in (
            ("pypi", "org"),
            ("pythonhosted", "org"),
            ("download", "pytorch", "org"),
            ("anaconda", "org"),
            ("anaconda", "com"),
            ("npmjs", "org"),
            ("mcr", "microsoft", "com"),
            ("docker", "io"),
            ("ghcr", "io"),
            ("quay", "io"),
        )
    ]
    texts = [
        path
        for kind in (
            "*.md",
            "*.yml",
            "*.yaml",
            "*.toml",
            "*.lock",
            "*.json",
            "*.py",
            "postBuild",
            "Makefile",
            "run",
        )
        for path in committed(kind)
    ]
    assert Path(".binder/postBuild") in texts and Path(".devcontainer/devcontainer.json") in texts
    for path in texts:
        text = (ROOT / path).read_text(encoding="utf-8")
        assert not [host for host in hosts if host in text], path


def test_binder_adds_the_one_list_of_packages_to_a_python_the_project_takes():
    listed = yaml.safe_load((ROOT / ".binder" / "environment.yml").read_text())["dependencies"]
    assert listed == ["python=3.12", "pytorch-cpu"] and pyproject()["requires-python"] == ">=3.11"
    script = (ROOT / ".binder" / "postBuild").read_text()
    assert "--file environment.yml" in script and "--no-deps -e ." in script


def test_the_dev_container_makes_the_environment_that_make_uses():
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
    assert "make .venv/.ready" in container["postCreateCommand"] and container["forwardPorts"] == [
        8888
    ]
    assert "READY := $(VENV)/.ready" in (ROOT / "Makefile").read_text()


def test_the_assumed_rates_follow_from_arithmetic_and_the_assumed_share():
    cost = read_reference("generator_costs").set_index("quantity")["value"]
    profile = load_profile("paper")
    for name, rate in assumed_rates(profile).items():
        steps = getattr(profile.generators, name).steps
        least = cost["peak_flop"] / (steps * cost["passes_per_step"] * cost[f"{name}_pass_flop"])
        assert 0.9 * cost["share_of_peak"] * least < rate < cost["share_of_peak"] * least * 1.05


def test_the_arithmetic_of_the_large_models_is_counted_on_their_shapes():
    """The published config.json files, on PyTorch's meta device: shapes without weights."""
    import torch
    from diffusers import SD3Transformer2DModel, UNet2DConditionModel
    from torch.utils.flop_counter import FlopCounterMode

    with torch.device("meta"), torch.no_grad():
        unet = UNet2DConditionModel(
            sample_size=96,
            cross_attention_dim=1024,
            attention_head_dim=(5, 10, 20, 20),
            use_linear_projection=True,
        )
        transformer = SD3Transformer2DModel(
            sample_size=128,
            patch_size=2,
            in_channels=16,
            out_channels=16,
            num_layers=24,
            attention_head_dim=64,
            num_attention_heads=24,
            joint_attention_dim=4096,
            caption_projection_dim=1536,
            pooled_projection_dim=2048,
            pos_embed_max_size=192,
        )
        counted = {}
        for name, run in {
            "sd2_pass_flop": lambda: unet(
                torch.empty(1, 4, 96, 96), torch.empty(1), torch.empty(1, 77, 1024)
            ),
            "sd3_pass_flop": lambda: transformer(
                torch.empty(1, 16, 128, 128),
                torch.empty(1, 77 + 256, 4096),
                torch.empty(1, 2048),
                torch.empty(1),
            ),
        }.items():
            with FlopCounterMode(display=False) as counter:
                run()
            counted[name] = counter.get_total_flops()
    cost = read_reference("generator_costs").set_index("quantity")["value"]
    assert {name: int(cost[name]) for name in counted} == counted


def section(text: str, title: str) -> str:
    """The part under a heading, up to the next one that is no smaller."""
    level = re.search(rf"^(#+) {re.escape(title)}$", text, re.MULTILINE)
    below = text[level.end() :]
    end = re.search(rf"^#{{1,{len(level[1])}}} ", below, re.MULTILINE)
    return below[: end.start()] if end else below


def test_the_results_begin_with_real_faces_and_the_demo_has_no_number_of_the_papers_beside_it():
    results = section((ROOT / "README.md").read_text(encoding="utf-8"), "Results")
    assert (
        0
        < results.index("<!-- answer:start")
        < results.index("#### The demo")
        < results.index("<!-- results:start")
    )
    heads = [
        line for line in section(results, "The demo").splitlines() if line.startswith("| data set")
    ]
    assert len(heads) == 1 and "ours" in heads[0] and "paper" not in heads[0]


def test_the_overall_accuracies_of_real_faces_keep_the_papers_column(project):
    row = {
        "level": "original",
        "emotion": "overall",
        "paper": 79.79,
        "accuracy": 58.7,
        "sd": 0.6,
        "low": 57.0,
        "high": 60.3,
        "n": 3589,
        "seeds": 3,
    }
    for name, dataset, there in (("fer2013", "fer2013", True), ("demo", "demo_fer2013", False)):
        profile = load_profile(name)
        profile.paths.tables.mkdir(parents=True)
        pd.DataFrame([{"dataset": dataset} | row]).to_csv(
            profile.paths.tables / "table_3_class_accuracy.csv", index=False
        )
        table = overall_accuracy(profile, profile.paths.tables)
        assert ("paper" in table) is there and table["ours"].tolist() == ["58.7 ± 0.6"]


def test_no_accuracy_of_the_demo_lies_outside_what_is_said_of_processors():
    [table] = re.findall(
        r"^\| Demo.*\|$(?:\n^\| Demo.*\|$)*",
        section((ROOT / "README.md").read_text(encoding="utf-8"), "The demo"),
        re.MULTILINE,
    )
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    assert len(rows) == 10
    for row in rows:
        low, high = map(float, row[-1].split(" to "))
        assert low <= float(row[2].split(" ")[0]) <= high, row


def test_what_needs_nothing_installed_promises_no_file_that_a_run_must_make_first():
    look = section((ROOT / "README.md").read_text(encoding="utf-8"), "Look")
    assert "runs/" not in look.replace("tables/fer2013/runs", "")


def test_the_pages_for_browsers_say_that_nothing_was_built_with_their_files_yet():
    for path, said in (
        ("README.md", "nothing was built or opened there yet"),
        ("docs/in_the_browser.md", "nothing was built\nor opened"),
    ):
        text = (ROOT / path).read_text(encoding="utf-8")
        assert said in text and "are set up" not in text, path
