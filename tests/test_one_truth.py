"""What is committed belongs together: each hash, each block, each value wherever it is printed;
what does not is named."""

import json
import shutil
from collections import defaultdict
from pathlib import Path

import pandas as pd
import pytest
from published_run import publish, without_work

from fer_utils.core.paths import (
    PACKAGE,
    committed_figures,
    committed_tables,
    notebooks_folder,
    pictures_folder,
)
from fer_utils.core.profiles import load_profile
from fer_utils.core.stored import file_hash
from fer_utils.pages.documents.filling import filled
from fer_utils.pages.publishing import tables_hash
from fer_utils.pages.readme import SHOWN, documents
from fer_utils.runner.kept_runs import _settings, damaged_kept
from fer_utils.runner.provenance import ABOUT_THE_FILES, read_provenance

WHOLE = {"score": "accuracy", "subset": "all"}
EQUAL = 1e-6  # points; the CSV files hold ten digits


def stale(root: Path) -> list[str]:
    """A line for each committed thing below ``root`` that does not belong to the others."""
    names = sorted(path.parent.name for path in root.glob("tables/*/provenance.json"))
    return [
        line for name in names for line in (*wrong_hashes(name, root), *wrong_kept(name, root))
    ] + [*wrong_notebooks_and_pictures(root), *wrong_documents(root), *unequal_values(names, root)]


def wrong_hashes(name: str, root: Path) -> list[str]:
    """Tables and figures that are not the ones their provenance.json lists."""
    found = []
    for kind in (committed_tables, committed_figures):
        folder = kind(name, root)
        about, lying = (
            read_provenance(folder),
            {path.name: path for path in folder.glob("*") if path.is_file()},
        )
        listed, shown = about.get("files", {}), folder.relative_to(root)
        found += [
            f"{shown}/{file} is not listed in provenance.json"
            for file in sorted({*lying} - {*listed, *ABOUT_THE_FILES})
        ]
        found += [
            f"{shown}/{file} is not the file that was published"
            for file, of in sorted(listed.items())
            if file not in lying or file_hash(lying[file]) != of["sha256"]
        ]
        found += [
            f"{shown}/{file} was left out as equal to {other}'s, which is not there"
            for file, other in about.get("same_as", {}).items()
            if not (kind(other, root) / file).is_file()
        ]
    return found


def wrong_kept(name: str, root: Path) -> list[str]:
    """Kept trainings whose files are not those that were kept."""
    return [
        f"{about.parent.relative_to(root)}/{file} is not the file that was kept"
        for about in sorted(committed_tables(name, root).glob("runs/*/*/*/kept.json"))
        for file in damaged_kept(
            about.parent, json.loads(about.read_text(encoding="utf-8"))["sha256"]
        )
    ]


def wrong_notebooks_and_pictures(root: Path) -> list[str]:
    """Notebooks (outputs included) and pictures that are not of the run whose tables are
    committed."""
    about = read_provenance(committed_tables(SHOWN, root))
    found = []
    folders = {
        "notebooks": (root / notebooks_folder().name, "*.ipynb"),
        "images": (pictures_folder(root), "*.png"),
    }
    for kind, (folder, pattern) in folders.items():
        for path in sorted(folder.glob(pattern)):
            recorded = about.get(kind, {}).get(path.name, "")
            sha256 = recorded.get("sha256", "") if isinstance(recorded, dict) else recorded
            if sha256 != file_hash(path):
                found.append(f"{path.relative_to(root)} is not the file that was published")
            elif kind == "images" and recorded["tables"] != tables_hash(about):
                found.append(
                    f"{path.relative_to(root)} shows another run than the one in tables/{SHOWN}"
                )
    return found


def wrong_documents(root: Path) -> list[str]:
    """Documents with a block that is not what the tables give."""
    texts = {
        name: ((root / name).read_text(encoding="utf-8"), blocks)
        for name, blocks in documents(root).items()
    }
    return [
        f"{name} has a block that is not what the tables give"
        for name, (text, blocks) in texts.items()
        if filled(text, blocks, name) != text
    ]


def unequal_values(names: list[str], root: Path) -> list[str]:
    """Accuracies of one training set, faces and seeds that are printed twice with two values."""
    printed: dict[tuple, list[tuple[float, str]]] = defaultdict(list)
    for name in names:
        for key, value, where in values_of(name, root):
            printed[key].append((value, where))
    return [
        f"{' '.join(key[1:])}: {first[0]:.10g} in {first[1]}, {value:.10g} in {where}"
        for key, (first, *others) in printed.items()
        for value, where in others
        if abs(value - first[0]) > EQUAL
    ]


def values_of(name: str, root: Path):
    """(what was measured, value, table) of every accuracy: of all test faces or one emotion, of one
    seed or a mean."""
    profile = load_profile(name)
    for table, part, value in (
        ("table_3_class_accuracy", "emotion", "accuracy"),
        ("table_a6_summary", "score", "value"),
        ("table_a6_subsets", "subset", "accuracy"),
        ("table_a6_confusion", "emotion", "share"),
        ("table_a2_controls", "group", "accuracy"),
        ("table_a2_demo_difficulty", "n", "accuracy"),
    ):
        path = committed_tables(name, root) / f"{table}.csv"
        for row in pd.read_csv(path).to_dict("records") if path.is_file() else []:
            if (
                part in WHOLE
                and row[part] != WHOLE[part]
                or row.get("predicted", row[part]) != row[part]
            ):
                continue
            level = row.get("level", row.get("control"))
            measured = (
                json.dumps(_settings(level, profile), sort_keys=True),
                row["dataset"],
                level,
                str(row[part]) if part == "emotion" else "overall",
            )
            yield (*measured, f"seeds: {row['seeds']}"), row[value], f"tables/{name}/{path.name}"
            for column in (
                column
                for column in row
                if column.startswith(f"{value}_seed_") and pd.notna(row[column])
            ):
                yield (
                    (*measured, column.removeprefix(f"{value}_")),
                    row[column],
                    f"tables/{name}/{path.name}",
                )


def test_what_is_committed_belongs_together():
    assert stale(PACKAGE.parent) == []


@pytest.fixture(scope="module")
def tree(finished_run, tmp_path_factory) -> Path:
    """The small run of demo, published with everything that goes along, and nothing else."""
    root = tmp_path_factory.mktemp("published")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FER_ROOT", str(root))
        without_work(patch, tmp_path_factory.mktemp("scripts"), root)
        shutil.copytree(finished_run, root, dirs_exist_ok=True)
        publish(SHOWN)
    return root


@pytest.fixture
def copy(tree, tmp_path) -> Path:
    shutil.copytree(tree, tmp_path / "copy", ignore=shutil.ignore_patterns("runs"))
    return tmp_path / "copy"


def test_what_was_published_from_one_run_belongs_together(copy):
    assert stale(copy) == []


@pytest.mark.parametrize(
    "file, old, new",
    [
        ("tables/demo/table_a6_confusion.csv", ",3,anger,", ",4,anger,"),
        ("tables/demo/table_a4_quality.md", "| 1 |", "| 2 |"),
        ("notebooks/06_evaluation.ipynb", "%", "percent"),
        ("README.md", "| Original | 30.0", "| Original | 30.1"),
        ("MODEL_CARD.md", "90.0%", "90.1%"),
        ("figures/demo/figure_4_confusion_matrices.svg", "1", "2"),
        ("docs/images/report.png", "a picture", "a Picture"),
    ],
)
def test_one_changed_number_is_found_and_its_file_named(copy, file, old, new):
    text = (copy / file).read_text(encoding="utf-8")
    assert old in text
    (copy / file).write_text(text.replace(old, new, 1), encoding="utf-8")
    assert any(line.startswith(file) for line in stale(copy)), stale(copy)


def test_a_lost_and_an_added_file_and_a_picture_of_another_run_are_named(copy):
    (copy / "tables/demo/table_a4_filter.tex").unlink()
    (copy / "figures/demo/figure_9.png").write_bytes(b"new")
    path = committed_tables(SHOWN, copy) / "provenance.json"
    about = json.loads(path.read_text())
    about["images"]["report.png"]["tables"] = "of another run"
    path.write_text(json.dumps(about))
    assert stale(copy) == [
        "tables/demo/table_a4_filter.tex is not the file that was published",
        "figures/demo/figure_9.png is not listed in provenance.json",
        "docs/images/report.png shows another run than the one in tables/demo",
    ]


@pytest.mark.parametrize(
    "table, column, rows",
    [
        ("table_3_class_accuracy", "accuracy", "emotion == 'overall'"),
        ("table_3_class_accuracy", "accuracy_seed_0", "emotion == 'fear'"),
        ("table_a6_summary", "value_seed_1", "score == 'accuracy'"),
        ("table_a6_confusion", "share", "emotion == predicted"),
        ("table_a2_demo_difficulty", "accuracy", "level == 'aug4'"),
    ],
)
def test_a_value_that_is_printed_twice_must_be_the_same_in_all_profiles(copy, table, column, rows):
    """The profile demo_controls published a table of the same trainings in which one value is
    another."""
    other = copy / "tables" / "demo_controls"
    other.mkdir()
    frame = pd.read_csv(copy / "tables" / "demo" / f"{table}.csv")
    frame.to_csv(other / f"{table}.csv", index=False)
    assert unequal_values(["demo", "demo_controls"], copy) == []
    frame[column] = frame[column].astype(float)
    frame.loc[frame.query(rows).index[0], column] += 1.5
    frame.to_csv(other / f"{table}.csv", index=False)
    [line, *_] = unequal_values(["demo", "demo_controls"], copy)
    assert f"tables/demo_controls/{table}.csv" in line
