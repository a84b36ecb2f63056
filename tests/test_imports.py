"""What a stage depends on is what its notebook reaches through imports: no list is kept by hand,
and none forgets a module."""

import json
import shutil

import pytest

from fer_utils.core.paths import PACKAGE
from fer_utils.core.profiles import load_profile
from fer_utils.core.stored import file_hash
from fer_utils.runner import freshness, imports, pipeline
from fer_utils.runner.freshness import write_record
from fer_utils.runner.imports import DATA, reached_files
from fer_utils.runner.stages import STAGES, Unit, find_stage
from fer_utils.runner.training_runs import train_run
from fer_utils.training.checkpoint import CODE

MISSED_BEFORE = {
    "synthesis": [
        "training/reduced_network.py",
        "core/recipes.py",
        "core/devices.py",
        "datasets/face_crop.py",
        "core/reference/table_2.csv",
    ],
    "evaluation": [
        "training/reduced_network.py",
        "synthesis/quality/scores.py",
        "evaluation/mistakes.py",
        "training/attribution.py",
    ],
}
SMALL = {
    "__init__.py": "'''Ours.'''",
    "one.py": "from . import two\nimport numpy",
    "two.py": "def f():\n    from .shown.a import a",
    "alone.py": "",
    "deep/__init__.py": "x = 1",
    "deep/below.py": "from ..one import y",
    "shown/__init__.py": (
        "'''Names.'''\nfrom fer_utils.shown.a import a\nfrom .b import b, c as d\n__all__ = ['a']"
    ),
    "shown/a.py": "",
    "shown/b.py": "try:\n    import fer_utils.alone\nexcept ImportError:\n    pass",
}
SHOWN_ALL = {"shown/__init__.py", "shown/a.py", "shown/b.py", "alone.py"}


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Files -> the package is these; nothing -> it is a copy of the real one, without weights, to
    be changed."""

    def place(files=None):
        folder = tmp_path / "fer_utils"
        if files is None:
            shutil.copytree(
                PACKAGE, folder, ignore=shutil.ignore_patterns("weights", "__pycache__")
            )
        for name, text in (files or {}).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        monkeypatch.setattr(imports, "PACKAGE", folder)
        monkeypatch.setattr(freshness, "PACKAGE", folder)
        return folder

    return place


@pytest.mark.parametrize(
    ("code", "reached"),
    [
        ("import numpy\nfrom pathlib import Path", set()),
        ("import fer_utils", {"__init__.py"}),
        (
            "import fer_utils.deep.below",
            {
                "__init__.py",
                "deep/__init__.py",
                "deep/below.py",
                "one.py",
                "two.py",
                "shown/__init__.py",
                "shown/a.py",
            },
        ),
        ("from fer_utils.deep import x", {"__init__.py", "deep/__init__.py"}),
        (
            "def later():\n    if True:\n        from fer_utils import alone",
            {"__init__.py", "alone.py"},
        ),
        (
            "from fer_utils import shown\nshown.a()",
            {"__init__.py", "shown/__init__.py", "shown/a.py"},
        ),
        ("from fer_utils import shown as s\ns.d()\ns.a", {"__init__.py"} | SHOWN_ALL),
        (
            "from fer_utils.shown import d",
            {"__init__.py", "shown/__init__.py", "shown/b.py", "alone.py"},
        ),
        ("from fer_utils import shown\nshown.a()\nprint(shown)", {"__init__.py"} | SHOWN_ALL),
        ("from fer_utils import shown", {"__init__.py"} | SHOWN_ALL),
        ("from fer_utils.shown import *", {"__init__.py"} | SHOWN_ALL),
        ("import fer_utils.shown", {"__init__.py"} | SHOWN_ALL),
        (
            "from fer_utils import shown\nshown.b.c",
            {"__init__.py", "shown/__init__.py", "shown/b.py", "alone.py"},
        ),
    ],
)
def test_imports_are_followed_in_every_form_and_only_where_they_lead(package, code, reached):
    folder = package(SMALL)
    assert {file.relative_to(folder).as_posix() for file in reached_files(code)} == reached


def test_a_module_edited_while_the_process_runs_is_read_again(package):
    folder = package(SMALL)
    assert folder / "alone.py" not in reached_files("import fer_utils.one")
    (folder / "two.py").write_text("from fer_utils import alone")
    assert folder / "alone.py" in reached_files("import fer_utils.one")


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_a_stage_is_stale_once_a_module_it_reaches_changes_and_names_it_and_not_for_any_other(
    project, package, stage
):
    folder, profile = package(), load_profile("smoke")
    unit = Unit(stage, stage.varies(profile)[0])
    recorded = pipeline._ingredients(unit, profile)
    write_record(unit, profile, {"finished": True, "ingredients": recorded, "outputs": {}})
    modules = {path.relative_to(folder).as_posix() for path in folder.rglob("*.py")}
    reached = modules & set(recorded["code"])
    assert 70 < len(reached) < 0.7 * len(modules)

    def touch(names):
        for name in names:
            (folder / name).write_text((folder / name).read_text() + "# touched\n")

    touch(modules - reached)
    assert pipeline.why_stale(unit, profile) == ""
    first, *others = sorted(reached)
    touch([others[-1]])
    assert pipeline.why_stale(unit, profile) == f"code changed ({others[-1]})"
    touch([first, *others[:-1]])
    now = pipeline._ingredients(unit, profile)["code"]
    assert {name for name in now if now[name] != recorded["code"][name]} == reached


def test_what_the_list_by_hand_forgot_counts_and_the_audit_needs_no_generator():
    code = {
        stage.name: set(
            freshness._code(
                "\n".join(freshness.notebook_code(pipeline._notebook(Unit(stage)))),
                freshness._package_state(),
            )
        )
        for stage in STAGES
    }
    for stage, names in MISSED_BEFORE.items():
        assert set(names) <= code[stage]
    assert (
        "figures/style.py" in code["training"]
        and "synthesis/generators/weights/judge.safetensors" in code["synthesis"]
    )
    assert not any(
        name.startswith(
            (
                "synthesis/generators/",
                "synthesis/pool",
                "synthesis/rendering",
                "runner/training_runs",
            )
        )
        for name in code["audit"]
    )
    assert "pages/report/page.py" not in set().union(*code.values())


def test_every_module_that_reads_files_of_the_package_says_which():
    """The others only name a folder: profiles count by value, addresses by the shards' own
    identity, the rest writes words."""
    only_name_it = {
        "core/profiles/__init__.py",
        "synthesis/generators/addresses.py",
        "runner/provenance.py",
        "pages/documents/cards.py",
    }
    named = {
        f"fer_utils.core.paths.{name}" for name in ("REFERENCE", "PROFILES", "SHIPPED_GENERATORS")
    }
    naming = {
        file.relative_to(PACKAGE).as_posix()
        for file in PACKAGE.rglob("*.py")
        if named & set(imports._read(file, file.stat().st_mtime_ns)[0])
    }
    assert naming - only_name_it <= set(DATA)
    assert all(
        (PACKAGE / module).is_file() and list(PACKAGE.glob(pattern))
        for module, pattern in DATA.items()
    )


def test_what_decides_a_trainings_numbers_is_in_its_fingerprint_or_left_out_for_a_reason():
    left_out = {
        "__init__.py": "empty",
        "core/__init__.py": "empty",
        "core/errors.py": "words",
        "core/paths.py": "where files lie",
        "core/devices.py": "a run counts wherever it was trained",
        "core/stored.py": "files are written and read back",
        "core/profiles/__init__.py": "settings count by their values",
        "core/emotions.py": "labels count as numbers",
        "core/reference/__init__.py": "tables of recipes, not what is done",
    }
    files = [PACKAGE / name for name in CODE]
    names = {name for file in files for name in imports._read(file, file.stat().st_mtime_ns)[0]}
    direct = {
        found.relative_to(PACKAGE).as_posix() for name in names for found in imports._found(name)[0]
    }
    counted = {file.relative_to(PACKAGE).as_posix() for file in files}
    assert direct - counted == set(left_out), (
        "add it to CODE in training/checkpoint.py, or say here why it decides no number"
    )


@pytest.mark.slow
def test_a_stale_training_runs_its_notebook_again_and_does_not_train(project):
    profile = load_profile(
        "smoke",
        [
            "data.sets=[demo_fer2013]",
            "balancing.levels=[original]",
            "controls.names=[]",
            "training.max_epochs=1",
            "training.seeds=[0]",
            "run.threads=1",
        ],
    )
    train_run("demo_fer2013", "original", 0, profile)
    unit = Unit(
        find_stage("training", STAGES), {"dataset": "demo_fer2013", "level": "original", "seed": 0}
    )
    weights, ingredients = unit.outputs(profile)[0], pipeline._ingredients(unit, profile)
    ingredients["code"]["figures/style.py"] = "another"
    write_record(
        unit,
        profile,
        {"finished": True, "ingredients": ingredients, "handed_on": [], "outputs": {}},
    )
    reason = pipeline.why_stale(unit, profile)
    assert reason == "code changed (figures/style.py)"
    before = weights.stat().st_mtime_ns, file_hash(weights)
    pipeline._run(unit, profile, reason=reason, watched=False, say=lambda _: None)
    assert (weights.stat().st_mtime_ns, file_hash(weights)) == before and pipeline.why_stale(
        unit, profile
    ) == ""
    ran = json.dumps(json.loads(profile.paths.executed(unit.name).read_text(encoding="utf-8")))
    assert "Epochs run: 1" in ran and "epoch 1 of at most" not in ran
