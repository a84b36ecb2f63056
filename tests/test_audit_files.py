"""Tables as people have them in files: honest ones are never called impossible, broken ones are
named with the line."""

import random
import time

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fer_utils.audit import FITS, NOT_POSSIBLE, as_text, audit_file, read_noted_table, summarise
from fer_utils.audit.table_file import LARGEST_TABLE
from fer_utils.cli import main
from fer_utils.core.errors import CompanionError

HEADER = "dataset,column,class,count,accuracy"
MANY = settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def file_of(folder, text):
    path = folder / "theirs.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def honest_lines(draw, *, shares=False):
    """Lines of a table whose figures a program printed from whole numbers of right answers."""
    lines, decimals = [], draw(st.integers(0, 14))
    for dataset in range(draw(st.integers(1, 2))):
        sizes = draw(st.lists(st.integers(1, 4000), min_size=1, max_size=7))
        for column in range(draw(st.integers(1, 3))):
            right = [draw(st.integers(0, size)) for size in sizes]
            rows = [
                *((f"k{k}", size, count) for k, (size, count) in enumerate(zip(sizes, right))),
                (
                    draw(st.sampled_from(["overall", "accuracy", "weighted avg", "total"])),
                    sum(sizes),
                    sum(right),
                ),
            ]
            for name, size, count in rows:
                sign = (
                    " %" if all(100 * right <= size for _, size, right in rows) else ""
                )  # else they were fractions
                value = (
                    f"{count / size:.{decimals}f}"
                    if shares
                    else f"{100 * count / size:.{decimals}f}{sign}"
                )
                lines.append(f"d{dataset},c{column},{name},{size},{value}")
    return lines


@st.composite
def tables(draw):
    return honest_lines(draw)


@st.composite
def tables_of_shares(draw):
    return honest_lines(draw, shares=True)


def verdicts(path):
    checks = audit_file(path)
    summary = summarise(checks)
    assert NOT_POSSIBLE not in as_text(checks, summary)
    return set(summary["verdict"])


@MANY
@given(lines=tables())
def test_an_honest_table_is_never_called_impossible_whatever_its_decimals(tmp_path, lines):
    assert verdicts(file_of(tmp_path, "\n".join([HEADER, *lines]))) == {FITS}


@MANY
@given(lines=tables_of_shares())
def test_an_honest_table_of_fractions_is_never_called_impossible(tmp_path, lines):
    assert verdicts(
        file_of(tmp_path, "\n".join([HEADER.replace("accuracy", "share"), *lines]))
    ) == {FITS}


DAMAGE = {
    "an extra cell": lambda cells: [*cells, "7"],
    "a decimal comma": lambda cells: [*cells[:4], "74", "3"],
    "no figure": lambda cells: [*cells[:4], ""],
    "a word": lambda cells: [*cells[:4], "high"],
    "more than all": lambda cells: [*cells[:4], "100.1"],
    "less than none": lambda cells: [*cells[:4], "-1"],
    "an exponent": lambda cells: [*cells[:4], "1e1"],
    "nan": lambda cells: [*cells[:4], "nan"],
    "endless decimals": lambda cells: [*cells[:4], f"1.{'3' * 9000}"],
    "a broken count": lambda cells: [*cells[:3], "1.5", cells[4]],
    "no image": lambda cells: [*cells[:3], "0", cells[4]],
    "a count of thousands of digits": lambda cells: [*cells[:3], "9" * 6000, cells[4]],
    "no class": lambda cells: [*cells[:2], "", *cells[3:]],
    "an open quote": lambda cells: [*cells[:2], '"open', *cells[3:]],
    "a null": lambda cells: [*cells[:2], "a\0b", *cells[3:]],
}


@MANY
@given(lines=tables(), where=st.integers(0, 40), what=st.sampled_from(sorted(DAMAGE)))
def test_a_broken_table_is_refused_with_the_line_that_is_broken(tmp_path, lines, where, what):
    place = where % len(lines)
    lines[place] = ",".join(DAMAGE[what](lines[place].split(",")))
    with pytest.raises(CompanionError, match=rf"theirs\.csv, line {place + 2}\b"):
        audit_file(file_of(tmp_path, "\n".join([HEADER, *lines, ""])))


@pytest.mark.parametrize(
    "name, text, message",
    [
        (
            "twice one heading",
            "class,Count,count,accuracy\na,1,1,100\n",
            "line 1: the columns 'Count' and 'count'",
        ),
        (
            "a heading without a name",
            ",class,count,accuracy\n0,a,1,100\n",
            "line 1: column 1 has no name",
        ),
        (
            "two kinds of figures",
            "class,count,accuracy,share\na,1,100,1\n",
            "line 1: the columns accuracy and share",
        ),
        (
            "a classification report",
            ",precision,recall,f1-score,support\n",
            "line 1: column 1 has no name",
        ),
        (
            "recall and support",
            "class,recall,support\n",
            "'recall' is the column share, 'support' count",
        ),
        (
            "nothing but a total",
            "class,count,accuracy\ntotal,10,90\n",
            "line 2: .*needs the rows of the classes",
        ),
        (
            "a wrong sum",
            "class,count,accuracy\na,10,90\n\naccuracy,11,90\n",
            "line 4: the count of 'accuracy'.*sum to 10",
        ),
        (
            "Latin-1",
            "class,count,accuracy\na,1,100\nm\xfcde,1,100\n".encode("latin-1"),
            "line 3: the byte 0xfc.*UTF-8",
        ),
        (
            "UTF-16",
            "class,count,accuracy\na,1,100\n".encode("utf-16"),
            "line 1: the byte 0xff.*UTF-8",
        ),
        (
            "a spreadsheet",
            b"PK\x03\x04" + bytes(40),
            "line 1: it is a zip archive.*as spreadsheets are",
        ),
        (
            "an endless cell",
            f"class,count,accuracy\n{'a' * 200_000},1,100\n",
            "line 2 can't be read.*field larger",
        ),
        (
            "a fraction over 1",
            "class,count,share\na,10,0.9\nb,10,94\n",
            "line 3: share '94' is not a fraction",
        ),
        (
            "an overall in fractions",
            "class,count,accuracy\na,10,90\nb,10,80\noverall,20,0.85\n",
            "line 4: accuracies of at most 1: percent is expected",
        ),
        (
            "too many rows",
            "class,count,accuracy\n" + "".join(f"k{k},5,20\n" for k in range(100_000)),
            f"line {LARGEST_TABLE + 2}: more than",
        ),
    ],
)
def test_a_file_that_is_no_table_is_refused_in_one_message_with_its_line(
    tmp_path, capsys, name, text, message
):
    assert main(["audit", "--table", str(file_of(tmp_path, text))]) == 2
    printed = capsys.readouterr()
    assert pd.Series([printed.err]).str.contains(message, regex=True)[0], printed.err
    assert len(printed.err) < 600 and not printed.out


def test_a_folder_or_a_locked_file_is_said_to_be_one(tmp_path, monkeypatch):
    with pytest.raises(CompanionError, match="is a folder. Expected a CSV file"):
        audit_file(tmp_path)
    path = file_of(tmp_path, "class,count,accuracy\na,1,100\n")

    def refuse(*_):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(CompanionError, match="can't be read: permission denied"):
        read_noted_table(path)


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_commas_at_the_end_of_rows_and_any_line_ends_change_nothing(tmp_path, ending):
    lines = [
        "class,count,accuracy,",
        "anger,491,74.3,",
        "disgust,55,60.0,,",
        "overall,,72.9,",
        ",,,",
    ]
    [column], _, notes = read_noted_table(file_of(tmp_path, ending.join(lines)))
    assert (
        list(column.classes) == ["anger", "disgust"]
        and column.overall.text == "72.9"
        and notes == []
    )


FRACTIONS = (
    "class,count,accuracy\nanger,14,1.00\ncontempt,5,0.60\ndisgust,18,0.94\nfear,7,1.00\n"
    "happy,21,0.95\noverall,65,0.95\n"
)


def test_fractions_where_percent_belongs_are_refused_and_in_a_column_called_share_audited(tmp_path):
    with pytest.raises(
        CompanionError, match="lines 2 to 7: accuracies of at most 1: percent is expected"
    ):
        audit_file(file_of(tmp_path, FRACTIONS))
    for heading in ("share", "Fraction"):
        checks = audit_file(
            file_of(tmp_path, FRACTIONS.replace("accuracy", heading).replace("65,0.95", "65,0.94"))
        )
        assert set(summarise(checks)["verdict"]) == {FITS} and "0.94 (94 %)" in as_text(
            checks, summarise(checks)
        )
    wrong = FRACTIONS.replace("accuracy", "share").replace("18,0.94", "18,0.91")
    summary = summarise(audit_file(file_of(tmp_path, wrong)))
    assert "disgust" in set(summary.loc[summary["verdict"] == NOT_POSSIBLE, "row"])


@pytest.mark.parametrize(
    "text",
    ["class,count,accuracy\na,5,0.0\nb,150,0.7\n", "class,count,accuracy\na,5,0 %\nb,9,0.5 %\n"],
)
def test_percentages_below_1_that_the_counts_allow_or_that_have_their_sign_are_percentages(
    tmp_path, text
):
    columns, _ = read_noted_table(file_of(tmp_path, text))[:2]
    assert columns[0].classes["b"].value < 1


def test_rows_of_a_classification_report_are_no_classes(tmp_path):
    text = (
        "class,count,accuracy\nanger,14,100.00\ncontempt,5,60.00\ndisgust,18,94.44\nmacro_avg,37,84.81\nWeighted"
        " Avg,37,91.89\naccuracy,,91.9\n"
    )
    [column], [test_set, *_], notes = read_noted_table(file_of(tmp_path, text))
    assert list(column.classes) == ["anger", "contempt", "disgust"] == list(test_set.variants[0])
    assert column.overall.text == "91.9" and [note.split(":")[0] for note in notes] == [
        "line 5",
        "line 6",
        "line 7",
    ]
    checks = audit_file(tmp_path / "theirs.csv")
    assert "line 5: 'macro_avg' is not read as a class" in as_text(checks, summarise(checks))
    assert set(summarise(checks)["verdict"]) == {FITS}


def test_a_class_with_as_many_images_as_all_others_is_pointed_at(tmp_path):
    text = "class,count,accuracy\nanger,14,100.00\nfear,5,60.00\nGesamt,19,89.47\n"
    *_, notes = read_noted_table(file_of(tmp_path, text))
    assert notes == [
        "line 4: 'Gesamt' has as many images as all other classes together. It is read as a class;"
        " if it stands for all of them, call it 'overall'."
    ]


def large_table(datasets, columns, classes, decimals, *, honest):
    random_, lines = random.Random(1), [HEADER]
    for dataset in range(datasets):
        sizes = [random_.randint(1, 900) for _ in range(classes)]
        for column in range(columns):
            right = [random_.randint(0, size) for size in sizes]
            shares = [
                100 * k / n if honest else random_.uniform(20, 100) for k, n in zip(right, sizes)
            ]
            lines += [
                f"d{dataset},c{column},k{k},{n},{share:.{decimals}f} %"
                for k, (n, share) in enumerate(zip(sizes, shares))
            ]
            lines.append(
                f"d{dataset},c{column},overall,,{100 * sum(right) / sum(sizes):.{decimals}f} %"
            )
    return "\n".join(lines)


@pytest.mark.parametrize(
    "small, large",
    [
        ((1, 10, 29, 2), (1, 10, 299, 2)),
        ((1, 60, 4, 1), (1, 600, 4, 1)),
        ((30, 1, 9, 2), (300, 1, 9, 2)),
        ((1, 1, 299, 7), (1, 1, 2999, 7)),
        ((2, 5, 29, 12), (2, 5, 299, 12)),
    ],
)
@pytest.mark.parametrize("honest", [True, False])
def test_ten_times_the_rows_take_some_ten_times_as_long_whatever_the_tables_shape(
    tmp_path, small, large, honest
):
    """A ratio, so that it holds on every machine; a cost that grows with the square would be
    100."""
    seconds = []
    for shape in (small, large):
        path = file_of(tmp_path, large_table(*shape, honest=honest))
        begun = time.process_time()
        checks = audit_file(path)
        summary = summarise(checks)
        as_text(checks, summary)
        seconds.append(time.process_time() - begun)
    assert seconds[1] < 30 * seconds[0]
    assert (set(summary["verdict"]) == {FITS}) == honest
