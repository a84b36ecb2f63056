"""Every stage once, at smoke size: by the command line in order, then cell by cell with nbval."""

import os
import subprocess
import sys

import pandas as pd
import pytest
from smoke_run import PRINTED, run

from fer_utils.core.paths import notebooks_folder
from fer_utils.runner.kernels import kernel_environment
from fer_utils.runner.stages import STAGES

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("smoke")]


def test_all_stages_run_in_order_and_the_summary_shows_table_3(smoke_root):
    root, printed = smoke_root
    done = [line for line in printed.splitlines() if ": done in" in line]
    assert [line.split("] ")[1][:2] for line in done] == sorted(
        line.split("] ")[1][:2] for line in done
    )
    assert {line.split("] ")[1][:2] for line in done} == {f"{stage.number:02d}" for stage in STAGES}
    assert "smoke: not a result" in printed and "aug4" in printed


def test_the_run_ends_with_its_report_in_which_everything_is_fresh(smoke_root):
    root, printed = smoke_root
    assert printed.splitlines()[-1].startswith("report     runs/smoke/report.html (")
    page = (root / "runs" / "smoke" / "report.html").read_text(encoding="utf-8")
    assert (
        "smoke: not a result" in page
        and 'id="exhibit-figure_a2_controls"' in page
        and 'id="freshness"' not in page
    )


def test_a_run_writes_below_runs_alone(smoke_root):
    root, _ = smoke_root
    assert {path.name for path in root.iterdir()} == {"runs", PRINTED}
    assert (root / "runs" / "smoke" / "tables" / "provenance.json").is_file()


def test_the_controls_are_trained_and_stand_beside_their_level(smoke_root):
    root, _ = smoke_root
    run_folder = root / "runs" / "smoke"
    table = pd.read_csv(run_folder / "tables" / "table_a2_controls.csv")
    assert table["control"].tolist() == 2 * ["original", "aug1", "geometric", "class_weights"]
    assert table["to_original"].notna().sum() == 6 and table["to_oversampling"].isna().all()
    faces = table.pivot(index="dataset", columns="control", values="faces")
    assert (faces["geometric"] == faces["aug1"]).all() and (
        faces["class_weights"] == faces["original"]
    ).all()
    assert (run_folder / "figures" / "figure_a2_controls.pdf").is_file()
    assert "05_training_demo_rafdb_geometric_0: fresh" in run("status", root=root)


def test_a_second_run_has_nothing_to_do(smoke_root):
    root, _ = smoke_root
    printed = run("reproduce", root=root)
    assert "Everything is fresh." in printed and ": runs (" not in printed
    assert "stale" not in run("status", root=root)


def test_every_cell_of_every_notebook_runs_under_nbval(smoke_root, tmp_path):
    import papermill

    root, _ = smoke_root
    for stage in STAGES:
        parameters = {"profile_name": "smoke"}
        papermill.execute_notebook(
            notebooks_folder() / f"{stage.notebook}.ipynb",
            tmp_path / f"{stage.notebook}.ipynb",
            parameters,
            prepare_only=True,
        )
    with kernel_environment(threads=1):
        found = subprocess.run(
            [
                sys.executable,
                "-m",
                "pytest",
                "-p",
                "no:python",
                "-p",
                "no:cacheprovider",
                "-c",
                os.devnull,
                f"--rootdir={tmp_path}",
                "--nbval-lax",
                "--nbval-current-env",
                "--nbval-cell-timeout=120",
                "-q",
                str(tmp_path),
            ],
            capture_output=True,
            text=True,
            env=os.environ | {"FER_ROOT": str(root)},
            check=False,
            timeout=900,
        )
    assert found.returncode == 0, found.stdout[-4000:] + found.stderr[-2000:]
