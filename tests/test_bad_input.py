"""Every kind of bad table, file and disk is refused with what was found, where and what to do; and
nothing half-written is left.

Archives are in test_bad_archives.py, images and folders in test_bad_images.py, labels that disagree
with images in test_rafdb_files.py, mixed splits in test_fer2013_trees.py.
"""

import builtins
import errno
import gzip
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from written_data import GOOD, PIXELS, csv_text, fer2013_files, write_files

from fer_utils.core.errors import CompanionError
from fer_utils.datasets import fer2013

FACE = "train/happy/Training_30.png"


def refused(folder, message):
    with pytest.raises(CompanionError, match=message):
        fer2013.read_fer2013(folder)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            [*GOOD, f"0,{PIXELS},Training"],
            r"row 22 \(line 23\) has 2,303 pixel values; expected 2,304",
        ),
        ([*GOOD, "3,12 14 15"], r"row 22 \(line 23\) has 3 pixel values"),
        (
            [*GOOD[:3], f"0,256 {PIXELS},Training"],
            r"row 4 \(line 5\) has a pixel that is not a whole number of 0 to 255",
        ),
        (
            [*GOOD[:3], f"0,-1 {PIXELS},Training"],
            r"row 4 \(line 5\) has a pixel that is not a whole number of 0 to 255",
        ),
        (
            [*GOOD[:3], f"0,65541 {PIXELS},Training"],
            r"row 4 \(line 5\) has a pixel that is not a whole number of 0 to 255",
        ),
        (
            [*GOOD[:3], f"0,1.5 {PIXELS},Training"],
            r"row 4 \(line 5\) has a pixel that is not a whole number of 0 to 255",
        ),
        (
            [*GOOD[:3], f"0,x {PIXELS},Training"],
            r"row 4 \(line 5\) has a pixel that is not a whole number",
        ),
        ([f"7,1 {PIXELS},Training"], r"row 1 \(line 2\) has label '7'; expected 0 to 6"),
        ([f",1 {PIXELS},Training"], r"row 1 \(line 2\) has label ''; expected 0 to 6"),
        (
            [*GOOD, f"1,1 {PIXELS},PrivateTe"],
            r"row 22 \(line 23\) has Usage 'PrivateTe'; expected one of Training",
        ),
        (
            [*GOOD, f"1,1 {PIXELS},Training,more"],
            r"can't be read to its end.*Expected 3 fields in line 23, saw 4",
        ),
        (
            [f"1,1 {PIXELS},Training,more"],
            r"has rows of more fields than its header names.*emotion, pixels, Usage",
        ),
        ([], "has a header but no rows"),
    ],
)
def test_an_unusable_row_is_named_with_what_was_expected(rows, message, project, nothing_left):
    (project / "fer2013.csv").write_bytes(csv_text(rows))
    refused(project, r"fer2013\.csv.* " + message)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            csv_text(["0,Training"], "emotion,Usage"),
            r"fer2013\.csv: no column 'pixels'; found emotion, Usage",
        ),
        (
            csv_text(["0;1 2;Training"], "emotion;pixels;Usage"),
            r"no column 'emotion'; found emotion;pixels;Usage",
        ),
        (
            csv_text(["0,1,2,Training"], "emotion,pixels,pixels,Usage"),
            r"the column 'pixels' is there twice",
        ),
        (
            csv_text(["0,1,2,Training"], "emotion,pixels, pixels,Usage"),
            r"the column 'pixels' is there twice",
        ),
        (b"", r"fer2013\.csv is empty; expected the columns emotion, pixels, Usage"),
        (b"\n\n", r"fer2013\.csv is empty"),
        (
            np.random.default_rng(0).bytes(100_000),
            r"fer2013\.csv is not FER2013's table: it is not UTF-8 text.*zero bytes",
        ),
        (
            csv_text().decode().encode("utf-16"),
            r"is not FER2013's table: it is not UTF-8 text.*UTF-16.*Save it as UTF-8",
        ),
        (
            csv_text([*GOOD, "0,\xe9,Training"]).decode().encode("latin-1"),
            r"is not UTF-8 text.*another encoding",
        ),
        (b"emotion,pixels,Usage\n0," + b"1 " * 600_000, r"it has a line of more than 1 MB"),
    ],
)
def test_a_file_that_is_not_the_table_says_what_it_is(data, message, project, nothing_left):
    (project / "fer2013.csv").write_bytes(data)
    refused(project, message)


@pytest.mark.parametrize("columns", ["emotion,pixels,Usage,note", ",emotion,pixels,Usage"])
def test_further_columns_are_no_obstacle(columns, project, any_counts):
    rows = [f"{row},x" if columns.endswith("note") else f"5,{row}" for row in GOOD]
    (project / "fer2013.csv").write_bytes(b"\xef\xbb\xbf" + csv_text(rows, columns))
    assert len(fer2013.read_fer2013(project).train) == 7


def test_a_csv_cut_between_two_rows_is_caught_by_its_class_counts(project):
    (project / "fer2013.csv").write_bytes(csv_text())
    refused(
        project,
        r"fer2013\.csv: the train split has 7 faces, FER2013 has 28,709.*anger 1 instead of 3,995",
    )


@pytest.mark.parametrize("cut", [1, 40, 4000])
def test_a_csv_cut_within_a_row_is_caught(cut, project, nothing_left):
    text = csv_text().rstrip()
    (project / "fer2013.csv").write_bytes(text[:-cut])
    refused(project, r"fer2013\.csv: row 21 \(line 22\) has")


@pytest.mark.parametrize("kept", [0.6, 0.95])
def test_a_truncated_gzip_file_says_to_download_it_again(kept, project, nothing_left):
    noise = np.random.default_rng(0).integers(0, 256, (300, 2304))
    whole = gzip.compress(csv_text([f"0,{' '.join(map(str, row))},Training" for row in noise]))
    (project / "fer2013.csv.gz").write_bytes(whole[: int(len(whole) * kept)])
    refused(project, r"fer2013\.csv\.gz can't be read to its end.*download it again")


@pytest.mark.parametrize(
    ("name", "files"), [("fer2013.csv", {"fer2013.csv": csv_text()}), (FACE, fer2013_files())]
)
def test_a_file_without_permission_to_read_says_so(
    name, files, project, any_counts, nothing_left, monkeypatch
):
    write_files(project, files)
    really_open = builtins.open

    def closed(path, *arguments, **options):  # the tests may run as root, who may read everything
        if str(path) == str(project / name):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return really_open(path, *arguments, **options)

    monkeypatch.setattr(builtins, "open", closed)
    refused(project, rf"{name} can't be opened: no permission to read it\. Change its permissions")


def test_a_folder_without_permission_is_named(project, any_counts, nothing_left, monkeypatch):
    write_files(project, fer2013_files())
    really_scan = os.scandir

    def closed(path):
        if str(path).endswith("train/sad"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return really_scan(path)

    monkeypatch.setattr(os, "scandir", closed)
    refused(project, r"train/sad can't be looked into \(Permission denied\)")


@pytest.mark.parametrize("files", [{"fer2013.csv": csv_text()}, fer2013_files()])
def test_a_full_disk_while_caching_leaves_nothing_and_says_how_much_is_needed(
    files, project, any_counts, nothing_left, monkeypatch
):
    write_files(project, files)

    def full(file, **arrays):
        file.write(b"half of it")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    refused(
        project,
        r"runs/cache/fer2013-.*\.npz can't be written: the disk is full\. The decoded images need"
        r" [\d,]+ "
        r".*are free; no part of the file was left\. Make room there, or set FER_ROOT",
    )


def test_a_cache_that_may_not_be_written_says_so(project, any_counts, monkeypatch):
    write_files(project / "data", {"fer2013.csv": csv_text()})
    (project / "runs").write_text("a file where a folder belongs")
    refused(
        project / "data",
        r"\.npz can't be written \(.*\).*Make the folder writable, or set FER_ROOT",
    )


@pytest.mark.skipif(sys.platform != "linux", reason="limits the size of files as Linux does")
def test_a_disk_that_really_takes_no_more_leaves_nothing(project):
    write_files(project / "data", {"fer2013.csv": csv_text(GOOD * 100)})
    program = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000)); "
        "from fer_utils.datasets.fer2013 import find_fer2013; "
        "from fer_utils.core.errors import CompanionError\n"
        "try: find_fer2013('data')\nexcept CompanionError as problem: print(problem)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=project,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(fer2013.__file__).parents[2])},
    )
    assert "can't be written (File too large)" in done.stdout
    assert list((project / "runs" / "cache").iterdir()) == []
