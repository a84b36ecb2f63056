"""A table from another paper: the file, the mistakes people make in it, the command, and what
readers get."""

import io
import json
import os
import subprocess
import sys

import pandas as pd
import pytest

from fer_utils import figures, tables, widgets
from fer_utils.audit import FITS, NOT_POSSIBLE, audit_file, audit_paper, read_table, summarise
from fer_utils.audit.verdicts import FIELDS, IMPLIED
from fer_utils.balancing import LEVEL_TITLES
from fer_utils.cli import main
from fer_utils.core.errors import CompanionError
from fer_utils.core.paths import REFERENCE
from fer_utils.core.profiles import load_profile
from fer_utils.runner.kernels import kernel_environment

EXAMPLE = REFERENCE / "example_table.csv"
GOOD = "class,count,accuracy\ncat,100,90\ndog,50,80\noverall,,86.67\n"


def file_of(tmp_path, text):
    path = tmp_path / "theirs.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def checks():
    return audit_paper()


@pytest.fixture
def demo(project):
    return load_profile("demo")


def test_the_honest_example_is_what_scikit_learn_gives_and_every_check_of_it_fits():
    from sklearn.datasets import load_digits
    from sklearn.neighbors import KNeighborsClassifier

    images, digits = load_digits(return_X_y=True)
    half = len(digits) // 2
    printed = pd.read_csv(EXAMPLE, dtype=str).set_index(["column", "class"])["accuracy"]
    for neighbours, column in ((1, "1 neighbour"), (5, "5 neighbours")):
        model = KNeighborsClassifier(neighbours).fit(images[:half], digits[:half])
        right = (
            pd.Series(model.predict(images[half:]) == digits[half:]).groupby(digits[half:]).mean()
        )
        assert [f"{100 * share:.0f}" for share in right] == [
            printed[column, f"digit {digit}"] for digit in range(10)
        ]
        assert (
            f"{100 * (model.predict(images[half:]) == digits[half:]).mean():.2f}"
            == printed[column, "overall"]
        )
    assert set(summarise(audit_file(EXAMPLE))["verdict"]) == {FITS}


def test_a_file_with_the_three_needed_columns_is_read_as_one_column(tmp_path):
    columns, sets = read_table(file_of(tmp_path, GOOD))
    assert [column.name for column in columns] == ["printed"] and columns[0].dataset == "theirs"
    assert columns[0].overall.text == "86.67" and sets[0].variants == ({"cat": 100, "dog": 50},)
    assert sets[1].name.endswith("one row lost") and sets[1].size == 149


def test_trailing_zeros_spaces_capitals_percent_signs_and_blank_lines_are_read_as_meant(tmp_path):
    text = "\ufeffClass, Count ,Accuracy\n cat ,100, 90.0 %\n\nOverall,100,90.0\n,,\n"
    [column], _ = read_table(file_of(tmp_path, text))
    assert column.classes["cat"].decimals == 1 and column.overall.text == "90.0"


def test_a_table_without_an_overall_row_is_checked_for_its_classes_alone(tmp_path):
    checks = audit_file(file_of(tmp_path, "class,count,accuracy\nfear,74,90\nhappy,1185,99\n"))
    assert IMPLIED not in set(checks["check"])
    plain = checks[(checks["rounding"] == "half-up") & (checks["check"] == "attainable class row")]
    assert plain[plain["test_set"] == "the given counts"].set_index("row")["verdict"].to_dict() == {
        "fear": NOT_POSSIBLE,
        "happy": FITS,
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("class,accuracy\ncat,90\n", "no column 'count'; found class, accuracy"),
        ("class;count;accuracy\ncat;100;90\n", "commas between cells"),
        (
            GOOD.replace("count,accuracy\n", "count,accuracy,colum\n")
            .replace("90\n", "90,a\n")
            .replace("80\n", "80,a\n")
            .replace("67\n", "67,a\n"),
            "unknown column 'colum': did you mean 'column'",
        ),
        (GOOD.replace("100", "1.5"), "line 2: count '1.5' of 'cat'"),
        (GOOD.replace("50", "0"), "line 3: count '0' of 'dog'"),
        (GOOD.replace("cat,100", "cat,"), "line 2: count '' of 'cat'"),
        (GOOD.replace("90", "n/a"), "line 2: accuracy 'n/a' is not a percentage"),
        (GOOD.replace("90", "190"), "line 2: accuracy '190' is not a percentage"),
        (GOOD.replace("90", "-1"), "line 2: accuracy '-1' is not a percentage"),
        (GOOD.replace("80", ""), "line 3: accuracy '' is not a percentage"),
        (GOOD.replace("dog", "cat"), "line 3: 'cat' appears twice"),
        (GOOD.replace("dog", ""), "line 3: the cell 'class' is empty"),
        (GOOD.replace("overall,,", "overall,151,"), "is 151, but the classes sum to 150"),
        ("class,count,accuracy\noverall,100,90\n", "needs the rows of the classes"),
        ("class,count,accuracy\n", "has a header but no rows"),
        ("", "can't be read as a CSV file"),
        ("class,count,accuracy,column\ncat,10,90,a\ncat,11,90,b\n", "different classes or counts"),
    ],
)
def test_a_file_that_cannot_be_used_is_an_error_that_says_where_and_what_to_do(
    tmp_path, text, message
):
    with pytest.raises(CompanionError) as problem:
        audit_file(file_of(tmp_path, text))
    assert message in str(problem.value) and "theirs.csv" in str(problem.value)


def test_a_file_that_is_not_there_is_named_with_the_columns_it_should_have(tmp_path):
    with pytest.raises(CompanionError, match=r"no file .*absent\.csv.*class, count, accuracy"):
        audit_file(tmp_path / "absent.csv")


def test_a_file_of_another_encoding_is_an_error_and_no_traceback(tmp_path):
    path = tmp_path / "latin.csv"
    path.write_bytes("class,count,accuracy\nUnmut\xfc,100,90\n".encode("latin-1"))
    with pytest.raises(CompanionError, match="UTF-8"):
        audit_file(path)


def test_the_command_prints_the_verdicts_and_both_kinds_of_conclusion(capsys):
    assert main(["audit"]) == 0
    printed = capsys.readouterr().out
    assert "RAF-DB     aug4   99.23 99.35 to 99.91 not possible" in printed
    assert (
        printed.index("Proven by arithmetic")
        < printed.index("Only likely")
        < printed.index("Methods: ")
    )


def test_the_command_gives_every_check_as_json(capsys):
    assert main(["audit", "--json", "--table", str(EXAMPLE)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"methods", "conclusions", "summary", "checks"}
    assert set(found["checks"][0]) == set(FIELDS) and all(
        check["assumption"] for check in found["checks"]
    )
    assert "Brown and Heathers" in found["methods"]["attainability"]


def test_the_command_ends_with_2_and_one_message_for_a_file_it_cannot_use(tmp_path):
    path = file_of(tmp_path, GOOD.replace("100", "many"))
    found = subprocess.run(
        [sys.executable, "-m", "fer_utils", "audit", "--table", str(path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=os.environ | {"FER_ROOT": str(tmp_path)},
    )
    assert found.returncode == 2 and "count 'many'" in found.stderr
    assert "Traceback" not in found.stderr and found.stdout == ""


def test_auditing_a_table_of_ones_own_does_not_load_torch(tmp_path):
    script = (
        f"import sys; from fer_utils.cli import main; main(['audit', '--table', {str(EXAMPLE)!r}]);"
        " sys.exit('torch' in sys.modules)"
    )
    found = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=120
    )
    assert found.returncode == 0, found.stderr


def test_the_table_for_readers_has_an_assumption_in_every_row_and_none_of_the_quiet_ones(checks):
    shown = tables.table_a3_audit(summarise(checks))
    assert shown["Assumption"].ne("").all() and shown["Verdict"].ne("").all()
    assert (shown["Check"] == IMPLIED).sum() == 10
    assert set(shown.loc[shown["Check"] == "attainable class row", "Verdict"]) == {NOT_POSSIBLE}


def test_the_figure_names_both_data_sets_all_levels_and_marks_what_lies_outside(checks):
    implied = widgets.implied_accuracies(
        checks, rounding="half-up", test_sets={"FER2013": "PrivateTest", "RAF-DB": "test"}
    )
    assert len(implied) == 2 * 5 * 3
    drawn = figures.figure_a3_implied_accuracy(implied, level_titles=LEVEL_TITLES)
    assert [axes.get_title(loc="left") for axes in drawn.axes] == ["FER2013", "RAF-DB"]
    labels = [label.get_text() for axes in drawn.axes for label in axes.get_yticklabels()]
    assert labels == 2 * list(LEVEL_TITLES.values())
    marks = [line.get_marker() for axes in drawn.axes for line in axes.lines]
    assert marks.count("X") == (implied["verdict"] == NOT_POSSIBLE).sum() and marks.count("o") == 11
    assert drawn.get_figwidth() == 3.5


def test_the_committed_table_is_what_the_audit_says_today(checks):
    committed = pd.read_csv(
        REFERENCE.parents[2] / "tables" / "demo" / "table_a3_audit.csv",
        keep_default_na=False,
        dtype=str,
    )
    again = pd.read_csv(
        io.StringIO(summarise(checks).to_csv(index=False, float_format="%.10g")),
        keep_default_na=False,
        dtype=str,
    )
    pd.testing.assert_frame_equal(committed, again)


def test_without_a_reader_the_explorer_is_a_picture(checks, demo):
    with kernel_environment():
        assert widgets.headless()
        shown = widgets.implied_accuracy_explorer(checks, demo, level_titles=LEVEL_TITLES)
    assert (
        shown.picture.startswith(b"\x89PNG")
        and "macro mean fits" in shown.alt
        and not hasattr(shown, "comm")
    )


def test_with_a_reader_a_choice_changes_picture_and_words(checks, demo, monkeypatch):
    monkeypatch.delenv("FER_HEADLESS", raising=False)
    box = widgets.implied_accuracy_explorer(checks, demo, level_titles=LEVEL_TITLES)
    controls, _, shown = box.children
    rule, fer2013, raf_db = controls.children
    before = shown.value
    assert "RAF-DB: micro mean fits none; macro mean fits Aug. 2, Aug. 3, Aug. 4" in before
    rule.value = "truncation"
    after = shown.value
    assert "data:image/png;base64," in after and after != before
    assert len(fer2013.options) == 6 and len(raf_db.options) == 2
    rule.value, fer2013.value = "half-up", "PublicTest"
    assert shown.value not in (before, after)
