"""A profile's file that can't be read and a name that is none are sentences; no file elsewhere is
read."""

import errno
import shutil
from pathlib import Path

import pytest

from fer_utils.core import profiles
from fer_utils.core.errors import CompanionError
from fer_utils.core.paths import PROFILES
from fer_utils.core.profiles import load_profile, profile_names

BOMB = "a: &a [x, x]\n" + "".join(
    f"{name}: &{name} [*{before}, *{before}]\n" for before, name in zip("abcdefghij", "bcdefghijk")
)


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Puts a file beside copies of the shipped profiles and loads it under its name."""
    folder = tmp_path / "profiles"
    shutil.copytree(PROFILES, folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    monkeypatch.setattr(profiles, "PROFILES", folder)

    def written(text: str | bytes, name="mine"):
        (folder / f"{name}.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_profile(name)

    return written


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"mine\.yaml must hold settings by section.*found nothing"),
        ("# a comment alone\n", "found nothing"),
        ("- extends: paper\n", r"must hold settings by section.*found \[{'extends': 'paper'}\]"),
        (
            "extends: paper\ntraining: {seeds: [0}\n",
            r"mine\.yaml, line 2, column 21: this can't be read as YAML: expected ',' or ']'",
        ),
        (
            "extends: paper\ndata: {scale: 1}\ndata: {seed: 2}\n",
            r"line 3, column 1: .*'data' is given twice",
        ),
        (
            "extends: paper\ntraining:\n  patience: 3\n  patience: 4\n",
            r"line 4, column 3: .*'patience' is given",
        ),
        (BOMB, r"mine\.yaml, line 2, column 8: .*aliases \(\*\) and tags \(!\) are not read here"),
        (
            "extends: paper\nstamp: !!python/name:os.system\n",
            r"line 2, column 8: .*tags \(!\) are not read here",
        ),
        (
            "extends: paper\nstamp: Prüfung\n".encode("latin-1"),
            r"mine\.yaml, line 2: this is not UTF-8; save it",
        ),
        ("extends: paper\n".encode("utf-16"), r"mine\.yaml, line 1: this is not UTF-8"),
        (
            "extends: paper\nstamp: a\0b\n",
            r"mine\.yaml: this can't be read as YAML: unacceptable character",
        ),
        ("extends: papre\n", "Unknown profile 'papre': did you mean 'paper'"),
        ("extends: ../paper\n", "named by letters, digits"),
        ("extends: mine\n", r"mine\.yaml extends itself by way of mine: let it extend paper"),
        (
            "extends: [paper]\n",
            r"mine\.yaml must name the profile that it extends.*found \['paper'\]",
        ),
        ("data: {scale: 0.5}\n", r"as in 'extends: paper'; found None"),
        (
            "extends: paper\ntraining: 5\n",
            r"'training' must be a section, with recipe, .*found 5, a whole",
        ),
        (
            "extends: paper\ntraining:\n",
            r"mine\.yaml: 'training' must be a section.*found None, nothing",
        ),
        (
            "extends: paper\ntraining: {max_epochs: 0}\n",
            r"max_epochs is 0.*Change it in the profile mine",
        ),
        ("extends: paper\n3: 4\n", "unknown setting '3'"),
    ],
)
def test_a_file_that_is_no_profile_is_refused_with_place_and_cause(write, text, message):
    with pytest.raises(CompanionError, match=message):
        write(text)


def test_a_file_in_another_order_of_bytes_and_with_windows_line_ends_is_read(write):
    assert (
        write(b"\xef\xbb\xbfextends: paper\r\ntraining: {max_epochs: 9}\r\n").training.max_epochs
        == 9
    )


def test_profiles_that_extend_each_other_are_refused(write):
    with pytest.raises(CompanionError, match="Unknown profile 'other'"):
        write("extends: other\n")
    with pytest.raises(CompanionError, match=r"other\.yaml extends itself by way of other, mine"):
        write("extends: mine\n", name="other")


def test_a_file_that_may_not_be_read_says_so(write, monkeypatch):
    def closed(path, **_):  # the tests may run as root, who may read everything
        raise PermissionError(errno.EACCES, "Permission denied")

    write("extends: paper\n")
    monkeypatch.setattr(Path, "read_text", closed)
    with pytest.raises(CompanionError, match=r"mine\.yaml can't be read \(Permission denied\)"):
        load_profile("mine")


@pytest.mark.parametrize(
    "name",
    [
        "../mine",
        "/etc/mine",
        "sub/mine",
        "mine.yaml",
        "a b",
        "",
        ".",
        "..",
        "-x",
        "mine\n",
        "mïne",
        "C:mine",
    ],
)
def test_only_a_plain_name_is_a_profile(write, name, tmp_path):
    for folder in (tmp_path, tmp_path / "profiles" / "sub"):
        folder.mkdir(exist_ok=True)
        (folder / "mine.yaml").write_text("extends: paper\n")
    (tmp_path / "profiles" / "a b.yaml").write_text("extends: paper\n")
    with pytest.raises(CompanionError, match="A profile is named by letters, digits, - and _"):
        load_profile(name)
    assert "a b" not in profile_names()
