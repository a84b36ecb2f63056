"""A finished run takes the place of what is committed; an unfinished one never, and photographs of
people never."""

import json
import shutil

import pytest
from published_run import publish, record_all, without_work
from tiny_run import write_run

from fer_utils import cli
from fer_utils.core.errors import CompanionError
from fer_utils.core.paths import PACKAGE, committed_figures, committed_tables
from fer_utils.core.profiles import load_profile
from fer_utils.runner.provenance import read_provenance
from fer_utils.runner.stages import STAGES, units_of, unpublished


@pytest.fixture
def run(finished_run, project, tmp_path_factory, monkeypatch):
    """A finished run of demo in an empty project."""
    without_work(monkeypatch, tmp_path_factory.mktemp("scripts"), project)
    shutil.copytree(finished_run, project, dirs_exist_ok=True)
    return load_profile("demo")


def published(root, name="demo"):
    """provenance.json of the published tables and of the figures."""
    return [read_provenance(folder(name, root)) for folder in (committed_tables, committed_figures)]


def test_tables_figures_notebooks_pictures_and_documents_of_a_run_are_published_with_their_hashes(
    run, project
):
    said = publish("demo")
    tables, figures = published(project)
    for about, source, target in (
        (tables, run.paths.tables, committed_tables("demo", project)),
        (figures, run.paths.figures, committed_figures("demo", project)),
    ):
        names = {path.name for path in source.iterdir()} - {"provenance.json"}
        assert (
            set(about["files"])
            == names
            == {path.name for path in target.iterdir()} - {"provenance.json", "README.md"}
        )
        assert all((target / name).read_bytes() == (source / name).read_bytes() for name in names)
    assert tables["files"]["table_a2_demo_difficulty.csv"]["notebook"] == "91_demo_difficulty"
    assert set(tables["notebooks"]) == {
        path.name for path in (PACKAGE.parent / "notebooks").glob("*.ipynb")
    }
    assert set(tables["images"]) == {"report.png"} and "notebooks" not in figures
    index = (committed_tables("demo", project) / "README.md").read_text()
    assert "](../../notebooks/06_evaluation.ipynb#Table-III)" in index
    assert (
        "| Demo faces after FER2013 | Original | 30.0 ± 1.4 |"
        in (project / "README.md").read_text()
    )
    assert "filled MODEL_CARD.md" in said and "made the pictures in docs/images" in said


def test_the_checkout_is_left_as_it_is_when_another_folder_is_published_to(run, project):
    before = {path: path.stat().st_mtime_ns for path in committed_tables("demo").iterdir()}
    publish("demo")
    assert {path: path.stat().st_mtime_ns for path in committed_tables("demo").iterdir()} == before


def test_what_the_run_no_longer_makes_goes_and_kept_trainings_stay(run, project):
    folder = committed_tables("demo", project)
    kept = folder / "runs" / "demo_fer2013" / "original" / "0" / "kept.json"
    kept.parent.mkdir(parents=True)
    kept.write_text(
        json.dumps(
            {
                "epochs": 1,
                "hours": 2,
                "hardware": "x",
                "trained_with": dict.fromkeys(("device", "precision", "threads", "torch")),
            }
        )
    )
    (folder / "table_9_old.csv").write_text("a\n1\n")
    publish("demo")
    assert not (folder / "table_9_old.csv").exists() and kept.is_file()
    assert published(project)[0]["trainings"]["demo_fer2013/original/0"]["hours"] == 2


def test_a_run_that_is_not_finished_is_refused_and_nothing_is_written(run, project):
    path = run.paths.tables / "table_3_class_accuracy.csv"
    path.write_text(path.read_text() + "\n")
    steps = len(units_of(STAGES, run))
    with pytest.raises(
        CompanionError,
        match=rf"1 of {steps} steps .*06_evaluation: output changed.*reproduce --profile demo",
    ):
        publish("demo")
    assert not (project / "tables").exists() and not (project / "README.md").exists()
    with pytest.raises(CompanionError, match="settings of its own.*data.scale=0.5"):
        cli.commands.publish(cli._read_arguments(["publish", "--set", "data.scale=0.5"]))


def test_of_a_profile_with_kept_trainings_what_stands_is_published_and_the_rest_stays(run, project):
    publish("demo")
    old = (committed_tables("demo", project) / "table_a4_filter.csv").read_bytes()
    kept = run.paths.kept("demo_fer2013", "original", 0) / "kept.json"
    kept.parent.mkdir(parents=True)
    kept.write_text(
        json.dumps(
            {
                "epochs": 1,
                "hours": 2,
                "hardware": "x",
                "trained_with": dict.fromkeys(("device", "precision", "threads", "torch")),
            }
        )
    )
    for name in ("table_a4_filter.csv", "table_1_prompts.md"):
        (run.paths.tables / name).write_text("new")
    record_all(run)
    (run.paths.stages / "03_synthesis.json").unlink()
    said = publish("demo")
    assert any(
        "table_a4_filter was not published (no step of this run made it)" in line for line in said
    )
    assert (committed_tables("demo", project) / "table_a4_filter.csv").read_bytes() == old
    assert (committed_tables("demo", project) / "table_1_prompts.md").read_text() == "new"
    tables, figures = published(project)
    assert "table_a4_filter.csv" in tables["files"] and "figure_a4_quality.svg" in figures["files"]


def test_what_comes_out_as_in_the_profile_it_extends_is_published_once(run, project):
    """The small run has the same bytes for both profiles; one table and one figure are made to
    differ."""
    publish("demo")
    controls = load_profile("demo_controls")
    write_run(controls)
    (controls.paths.tables / "table_1_prompts.md").write_text("another caption")
    svg = controls.paths.figures / "figure_4_confusion_matrices.svg"
    svg.write_text(svg.read_text() + "<desc>of demo_controls</desc>")
    with open(committed_figures("demo", project) / svg.name, "a") as file:
        file.write("<desc>of demo</desc>")
    (controls.paths.figures / "figure_a1_twins.svg").write_text("<svg>other</svg>")
    record_all(controls)
    publish("demo_controls")
    tables, figures = published(project, "demo_controls")
    assert {"table_1_prompts.csv", "table_1_prompts.tex", "table_a2_controls.csv"} <= set(
        tables["files"]
    )
    assert (
        "table_a4_filter.csv" not in tables["files"]
        and tables["same_as"]["table_a4_filter.csv"] == "demo"
    )
    assert {"figure_a1_twins.png", "figure_a2_controls.png"} <= set(figures["files"])
    assert figures["same_as"][svg.name] == "demo", "a profile's name in a caption is no difference"
    assert not (committed_figures("demo_controls", project) / svg.name).exists()
    assert (
        "What came out as in the profile demo lies there alone: [tables/demo](../demo/README.md)"
        in (committed_tables("demo_controls", project) / "README.md").read_text()
    )


def test_figures_with_photographs_of_people_never_leave_the_run(project, monkeypatch):
    profile = load_profile("fer2013_paper_recipe")
    write_run(profile)
    monkeypatch.setattr("fer_utils.runner.freshness._source_files", lambda profile: {})
    record_all(profile)
    old = committed_figures("fer2013_paper_recipe", project) / "figure_a4_beside_real.png"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"faces")
    said = publish("fer2013_paper_recipe")
    assert {"figure_a4_beside_real", "figure_a1_samples", "figure_1_resemotenet"} <= set(
        unpublished(profile)
    )
    assert not {
        path.stem for path in committed_figures("fer2013_paper_recipe", project).iterdir()
    } & set(unpublished(profile))
    assert any(line.startswith("figure_a4_beside_real stays in the run") for line in said)
    assert (profile.paths.figures / "figure_a4_beside_real.png").is_file() and unpublished(
        load_profile("demo")
    ) == ()


def test_without_a_browser_the_pictures_stay_and_are_known_to_be_of_another_run(
    run, project, tmp_path_factory, monkeypatch
):
    publish("demo")
    before = published(project)[0]["images"]
    without_work(monkeypatch, tmp_path_factory.mktemp("scripts"), project, browser=False)
    (run.paths.tables / "table_a4_filter.csv").write_text("new")
    record_all(run)
    assert "left the pictures in docs/images as they are: Found no Chromium" in publish("demo")
    assert published(project)[0]["images"] == before


def test_figures_with_single_faces_are_called_as_their_notebooks_call_them():
    profile = load_profile("fer2013_paper_recipe")
    assert set(unpublished(profile)) <= {
        name for stage in STAGES for name in (*stage.shown, *stage.shown_at_times(profile))
    }


def test_a_change_of_what_was_measured_makes_the_answer_on_real_faces_stale_and_nothing_else(
    run, monkeypatch, tmp_path
):
    from fer_utils.runner import stages
    from fer_utils.runner.pipeline import why_stale

    units = {
        unit.stage.name: unit
        for unit in units_of(STAGES, run)
        if unit.stage.name in ("evaluation", "real_faces")
    }
    assert {why_stale(unit, run) for unit in units.values()} == {""}
    copy = tmp_path / "copy" / "tables"
    shutil.copytree(PACKAGE.parent / "tables", copy, ignore=shutil.ignore_patterns("runs"))
    with open(copy / "fer2013_full_paper_recipe" / "table_a6_summary.csv", "a") as file:
        file.write("\n")
    monkeypatch.setattr(stages, "committed_tables", lambda name: copy / name)
    changed = "committed changed (tables/fer2013_full_paper_recipe/table_a6_summary.csv)"
    assert {name: why_stale(unit, run) for name, unit in units.items()} == {
        "evaluation": "",
        "real_faces": changed,
    }


@pytest.mark.parametrize("old", ["notebooks", "readme"])
def test_the_old_commands_name_the_new_one(old, capsys):
    assert cli.main([old]) == 2 and "part of publish now" in capsys.readouterr().err
