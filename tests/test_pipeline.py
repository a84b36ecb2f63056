"""The runner, driven with tiny notebooks made here instead of the real ones."""

import json
import os
import threading
import time

import nbformat
import pytest

from fer_utils.core.errors import CompanionError
from fer_utils.core.profiles import load_profile, profile_names
from fer_utils.runner import pipeline
from fer_utils.runner.freshness import read_record
from fer_utils.runner.provenance import read_provenance
from fer_utils.runner.stages import Stage, Unit, units_of

PARAMETERS = 'profile_name = "demo"  # which settings\noverrides = []  # none\n'
WRITE = """from pathlib import Path
folder = Path({folder!r})
folder.mkdir(parents=True, exist_ok=True)
(folder / {name!r}).write_text({text!r})"""


@pytest.fixture
def profile(tmp_path, monkeypatch):
    """The demo profile in an empty project, with room for notebooks of our own."""
    monkeypatch.setenv("FER_ROOT", str(tmp_path))
    notebooks = tmp_path / "notebooks"
    notebooks.mkdir()
    monkeypatch.setattr(pipeline, "notebooks_folder", lambda: notebooks)
    return load_profile("demo")


def write_notebook(tmp_path, name, *cells, parameters=PARAMETERS):
    notebook = nbformat.v4.new_notebook(
        metadata={
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}
        }
    )
    first = nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]})
    notebook.cells = [first, *map(nbformat.v4.new_code_cell, cells)]
    nbformat.write(notebook, tmp_path / "notebooks" / f"{name}.ipynb")


def two_stages(tmp_path, monkeypatch, *, first_cells=(), second_cells=()):
    """Stage 1 writes made/one.txt, stage 2 reads nothing and writes made/two.txt."""
    made = tmp_path / "made"
    for name, file, cells in (
        ("01_one", "one.txt", first_cells),
        ("02_two", "two.txt", second_cells),
    ):
        write_notebook(tmp_path, name, WRITE.format(folder=str(made), name=file, text=file), *cells)
    stages = (
        Stage(1, "one", "01_one", ("data",), (), lambda profile: [made / "one.txt"]),
        Stage(2, "two", "02_two", ("network",), (1,), lambda profile: [made / "two.txt"]),
    )
    monkeypatch.setattr(pipeline, "STAGES", stages)
    return made


def reproduce(profile, **options):
    lines = []
    pipeline.reproduce(profile, say=lines.append, **options)
    return lines


def reasons(profile):
    return [found.reason for found in pipeline.status(profile)]


def test_a_profile_with_nothing_to_balance_is_told_how_to_be_trained(
    profile, tmp_path, monkeypatch
):
    made = two_stages(tmp_path, monkeypatch)
    with pytest.raises(
        CompanionError,
        match=r"nothing is to be synthesized.*train --profile fer2013_twins .*--seed 0.*interim",
    ):
        reproduce(load_profile("fer2013_twins"))
    assert not made.exists()


def test_a_second_run_finds_everything_fresh_and_a_touched_setting_or_output_runs_its_stage(
    profile, tmp_path, monkeypatch
):
    made = two_stages(tmp_path, monkeypatch)
    assert reasons(profile) == ["never run", "never run"]
    assert len(reproduce(profile)) == 4
    assert reproduce(profile) == ["[1/2] 01_one: fresh", "[2/2] 02_two: fresh"]

    profile.values["network"]["width"] = 0.5
    assert reasons(profile) == ["", "setting changed (network.width: 0.125 -> 0.5)"]
    lines = reproduce(profile)
    assert lines[0] == "[1/2] 01_one: fresh" and "network.width" in lines[1]

    (made / "two.txt").write_text("changed by hand")
    assert reasons(profile) == ["", "output changed (made/two.txt)"]
    (made / "two.txt").unlink()
    assert reasons(profile) == ["", "output missing (made/two.txt)"]
    reproduce(profile)
    assert (made / "two.txt").read_text() == "two.txt"


def test_status_names_changed_code_changed_notebooks_and_stale_inputs(
    profile, tmp_path, monkeypatch
):
    two_stages(tmp_path, monkeypatch)
    reproduce(profile)
    unit = units_of(pipeline.STAGES, profile)[1]
    path = profile.paths.stages / f"{unit.name}.json"
    record = json.loads(path.read_text())
    record["ingredients"]["code"]["core/errors.py"] = "another hash"
    path.write_text(json.dumps(record))
    assert reasons(profile) == ["", "code changed (core/errors.py)"]

    reproduce(profile)
    write_notebook(tmp_path, "01_one", "made_otherwise = True")
    assert reasons(profile) == ["notebook changed (01_one.ipynb)", "upstream stale (01_one)"]


def test_a_stage_whose_results_come_out_equal_leaves_later_stages_fresh(
    profile, tmp_path, monkeypatch
):
    two_stages(tmp_path, monkeypatch)
    reproduce(profile)
    lines = reproduce(profile, start="one")
    assert lines[0] == "[1/2] 01_one: runs (forced)"
    profile.values["data"]["seed"] += 1
    lines = reproduce(profile)
    assert "data.seed" in lines[0] and lines[-1] == "[2/2] 02_two: fresh"


def test_changed_results_make_the_stages_that_read_them_run(profile, tmp_path, monkeypatch):
    made = two_stages(tmp_path, monkeypatch)
    reproduce(profile)
    write_notebook(
        tmp_path, "01_one", WRITE.format(folder=str(made), name="one.txt", text="something else")
    )
    assert "02_two: runs (input changed (01_one))" in "\n".join(reproduce(profile))


def test_a_failing_cell_is_named_with_its_stage_and_what_was_made_is_kept(
    profile, tmp_path, monkeypatch
):
    made = two_stages(
        tmp_path, monkeypatch, second_cells=("# why\nvalue = {}['absent']\nprint('never')",)
    )
    with pytest.raises(CompanionError) as problem:
        reproduce(profile)
    message = str(problem.value)
    assert (
        "02_two" in message
        and "[4]" in message
        and "# why" in message
        and "KeyError: 'absent'" in message
    )
    assert (
        str(profile.paths.executed("02_two")) in message
        and profile.paths.executed("02_two").is_file()
    )
    assert (made / "one.txt").is_file() and (made / "two.txt").is_file()
    assert reasons(profile) == ["", "interrupted"]


def test_an_error_meant_for_the_user_reaches_him_whole_and_without_a_traceback(
    profile, tmp_path, monkeypatch
):
    raising = (
        "from fer_utils.core.errors import CompanionError\nraise CompanionError('No faces.\\nPut"
        " them into data/.')"
    )
    two_stages(tmp_path, monkeypatch, first_cells=(raising,))
    with pytest.raises(CompanionError, match="No faces.\nPut them into data/.") as problem:
        reproduce(profile)
    assert "Traceback" not in str(problem.value)


@pytest.mark.parametrize(
    "cell, expected",
    [
        ("import sys; sys.exit(0)", "SystemExit"),
        ("import os; os._exit(0)", "process died"),
    ],
)
def test_leaving_a_notebook_early_is_a_failure(profile, tmp_path, monkeypatch, cell, expected):
    two_stages(tmp_path, monkeypatch, first_cells=(cell, "after = 1"))
    with pytest.raises(CompanionError, match=expected) as problem:
        reproduce(profile)
    assert cell in str(problem.value)


def test_a_cell_that_takes_too_long_is_stopped_and_named(profile, tmp_path, monkeypatch):
    profile.values["run"]["cell_timeout"] = 1
    two_stages(tmp_path, monkeypatch, first_cells=("import time; time.sleep(60)",))
    with pytest.raises(CompanionError, match="longer than 1 seconds") as problem:
        reproduce(profile)
    assert "time.sleep(60)" in str(problem.value)


@pytest.mark.parametrize(
    "cell, from_outside",
    [("import os; os.kill(os.getpid(), 9)", False), ("import time; time.sleep(600)", True)],
)
def test_a_kernel_that_is_killed_is_noticed_within_seconds_though_no_cell_has_a_time_limit(
    profile, tmp_path, monkeypatch, cell, from_outside
):
    assert profile.run.cell_timeout == 0
    says = (
        f"import os, time; open({str(tmp_path / 'kernel')!r}, 'w').write(f'{{os.getpid()}}"
        " {time.time()}')"
    )
    two_stages(tmp_path, monkeypatch, first_cells=(says, cell))
    if from_outside:
        threading.Thread(target=kill_what_is_named_in, args=(tmp_path / "kernel",)).start()
    with pytest.raises(CompanionError, match="(?s)01_one failed in cell .*process died") as problem:
        reproduce(profile)
    seconds = time.time() - float((tmp_path / "kernel").read_text().split()[1])
    assert cell in str(problem.value) and seconds < 10


def kill_what_is_named_in(path):
    while not path.is_file() or len(path.read_text().split()) < 2:
        time.sleep(0.1)
    time.sleep(1)
    os.kill(int(path.read_text().split()[0]), 9)


def test_only_the_profile_of_the_tests_limits_the_time_of_a_cell():
    assert [name for name in profile_names() if load_profile(name).run.cell_timeout] == ["smoke"]


def test_a_parameter_that_the_notebook_does_not_have_is_an_error(profile, tmp_path, monkeypatch):
    two_stages(tmp_path, monkeypatch)
    write_notebook(tmp_path, "01_one", parameters='profile_nam = "demo"\noverrides = []\n')
    with pytest.raises(
        CompanionError, match="no parameter 'profile_name'.*did you mean 'profile_nam'"
    ):
        reproduce(profile)


def test_a_promised_file_that_was_not_written_is_an_error(profile, tmp_path, monkeypatch):
    made = two_stages(tmp_path, monkeypatch)
    write_notebook(tmp_path, "02_two", "1 + 1")
    with pytest.raises(CompanionError, match="did not write .*two.txt"):
        reproduce(profile)
    assert not (made / "two.txt").exists()


def test_kernels_run_this_interpreter_even_if_another_is_called_python3(
    profile, tmp_path, monkeypatch
):
    elsewhere = tmp_path / "jupyter" / "kernels" / "python3"
    elsewhere.mkdir(parents=True)
    (elsewhere / "kernel.json").write_text(
        json.dumps({"argv": ["/nonexistent/python"], "display_name": "other", "language": "python"})
    )
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    import sys

    two_stages(
        tmp_path,
        monkeypatch,
        first_cells=(f"import sys; assert sys.executable == {sys.executable!r}",),
    )
    assert "01_one: done" in reproduce(profile)[1]


def test_unfinished_work_is_kept_for_the_next_run_but_not_after_a_setting_changed(
    profile, tmp_path, monkeypatch
):
    made, permission = two_stages(tmp_path, monkeypatch), tmp_path / "permission"
    half_done = WRITE.format(folder=str(made), name="one.txt", text="half")
    stops = (
        f"from pathlib import Path\nif not Path({str(permission)!r}).exists():\n    "
        + half_done.replace("\n", "\n    ")
        + "\n    raise ValueError('stopped here')"
    )
    write_notebook(tmp_path, "01_one", stops, f"assert Path({str(made / 'one.txt')!r}).exists()")
    with pytest.raises(CompanionError, match="stopped here"):
        reproduce(profile)
    assert read_record(Unit(pipeline.STAGES[0]), profile)["finished"] is False

    permission.touch()
    assert "runs (interrupted)" in reproduce(profile)[0]
    profile.values["data"]["seed"] += 1
    with pytest.raises(CompanionError, match="AssertionError"):
        reproduce(profile)


def test_two_runs_of_one_profile_do_not_write_at_the_same_time(profile, tmp_path, monkeypatch):
    two_stages(tmp_path, monkeypatch)
    with pipeline._only_run(profile), pytest.raises(CompanionError, match="Another run"):
        reproduce(profile)


def test_provenance_names_the_notebook_of_every_table(profile, tmp_path, monkeypatch):
    tables = profile.paths.tables
    two_stages(
        tmp_path,
        monkeypatch,
        second_cells=(WRITE.format(folder=str(tables), name="table_1_prompts.csv", text="a,b"),),
    )
    reproduce(profile)
    found = read_provenance(tables)
    assert found["files"]["table_1_prompts.csv"]["notebook"] == "02_two"
    assert found["seeds"]["data.seed"] == profile.data.seed and found["packages"]["torch"]
    (tables / "table_1_prompts.csv").unlink()
    assert reasons(profile)[1] == "output missing (runs/demo/tables/table_1_prompts.csv)"
