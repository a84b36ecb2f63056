"""fetch-data with a kagglehub that answers, one that fails, none at all, and the real one without a
network."""

import hashlib
import subprocess
import sys
import time
import types

import pytest
from written_data import csv_text, rafdb_images, rafdb_official, write_files, write_zip

from fer_utils.cli import main
from fer_utils.core.errors import CompanionError
from fer_utils.datasets import fer2013, fetching
from fer_utils.datasets.fetching import fetch_data


@pytest.fixture
def kaggle(project, monkeypatch, tmp_path_factory):
    """A kagglehub whose download holds ``kaggle.data``; the network is said to be there."""
    answer = types.SimpleNamespace(data=csv_text(), zipped=False, asked=[], problem=None)
    folder = tmp_path_factory.mktemp("kaggle")

    def dataset_download(handle, path=None):
        answer.asked.append((handle, path))
        if answer.problem:
            raise answer.problem
        if answer.zipped:
            write_zip(folder / "archive.zip", {"fer2013.csv": answer.data})
            return str(folder)
        (folder / "fer2013.csv").write_bytes(answer.data)
        return str(folder / "fer2013.csv")

    monkeypatch.setitem(
        sys.modules, "kagglehub", types.SimpleNamespace(dataset_download=dataset_download)
    )
    monkeypatch.setattr(fetching, "_problem_reaching", lambda address: None)
    return answer


@pytest.fixture
def known(monkeypatch):
    """Lets the small table pass for the official one."""
    monkeypatch.setattr(
        fetching, "KNOWN_MD5", {hashlib.md5(csv_text()).hexdigest(): "the official file"}
    )


def said(function=fetch_data):
    lines = []
    function(lines.append)
    return lines


def files_in(folder):
    """Every file but the lists of archives' members in the cache."""
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith("members-")
    )


@pytest.mark.parametrize("zipped", [False, True])
def test_fer2013_is_fetched_checked_and_put_into_the_data_folder(zipped, project, kaggle, known):
    kaggle.zipped = zipped
    lines = said()
    assert kaggle.asked == [("deadskull7/fer2013", "fer2013.csv")]
    assert (project / "data" / "fer2013" / "fer2013.csv").read_bytes() == csv_text()
    assert files_in(project) == ["data/fer2013/fer2013.csv"] and lines[-1].endswith(
        "the official file."
    )


def test_a_download_with_another_md5_is_not_copied(project, kaggle):
    with pytest.raises(CompanionError, match=r"has the MD5 [0-9a-f]{32}; the official .*f8428a1e"):
        said()
    assert files_in(project) == []


def test_what_kaggle_refuses_is_said_with_what_to_do(project, kaggle):
    kaggle.problem = RuntimeError("401 Unauthorized")
    with pytest.raises(
        CompanionError,
        match=r"did not give deadskull7/fer2013 \(RuntimeError: 401.*Sign in.*put it",
    ):
        said()
    assert files_in(project) == []


def test_a_full_disk_while_copying_leaves_nothing(project, kaggle, known, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fetching, "atomic_write", full)
    with pytest.raises(
        CompanionError,
        match=r"fer2013\.csv can't be written \(No space left on device\)\. Make room",
    ):
        said()
    assert files_in(project) == []


def test_data_that_is_there_is_left_alone_and_named(project, kaggle, any_counts):
    write_files(project / "data", {"mine/fer2013.csv": csv_text()})
    lines = said()
    assert (
        kaggle.asked == []
        and "FER2013: the CSV file, mine/fer2013.csv" in lines
        and "left as it is" in lines[-1]
    )


def test_data_that_is_there_but_unusable_is_not_overwritten(project, kaggle):
    write_files(project / "data", {"fer2013/fer2013.csv": b"junk"})
    with pytest.raises(
        CompanionError,
        match=r"FER2013 is there, but can't be used: .*no column.*Nothing was changed",
    ):
        said()
    assert (
        kaggle.asked == []
        and (project / "data" / "fer2013" / "fer2013.csv").read_bytes() == b"junk"
    )


def test_rafdb_is_asked_for_in_steps_until_it_is_there(project, kaggle, known, any_counts):
    lines = "\n".join(said())
    assert "whdeng.cn/RAF" in lines and str(project / "data" / "rafdb") in lines
    write_files(project / "data" / "rafdb", rafdb_official(rafdb_images()))
    assert "RAF-DB: the official folders with aligned images, rafdb/Image/aligned" in said()


def test_a_label_list_alone_is_told_what_it_lacks(project, kaggle, known, any_counts):
    write_files(
        project / "data" / "rafdb",
        {
            name: data
            for name, data in rafdb_official(rafdb_images()).items()
            if name.startswith("EmoLabel")
        },
    )
    assert any("28 of 28 images are missing" in line for line in said())


def test_without_kagglehub_the_error_names_the_extra(project, monkeypatch):
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    with pytest.raises(
        CompanionError, match=r"needs kagglehub, which is not installed.*'fer_utils\[data\]'"
    ):
        said()


def test_no_answer_within_seconds_is_an_answer(project, kaggle, monkeypatch):
    monkeypatch.setattr(fetching, "SECONDS", 0.1)
    monkeypatch.setattr(fetching, "_problem_reaching", lambda address: time.sleep(30))
    started = time.monotonic()
    with pytest.raises(
        CompanionError, match=r"kaggle\.com can't be reached \(no answer within 0\.1 seconds\)"
    ):
        said()
    assert time.monotonic() - started < 5 and kaggle.asked == []


def test_the_real_kagglehub_without_a_network_says_so_at_once(project, monkeypatch, capsys):
    pytest.importorskip("kagglehub")
    monkeypatch.setattr(fetching, "KAGGLE", "http://127.0.0.1:9")  # nobody listens there
    started = time.monotonic()
    assert main(["fetch-data"]) == 2
    assert time.monotonic() - started < 10
    printed = capsys.readouterr()
    assert "can't be reached (" in printed.err and "Connect to the internet" in printed.err
    assert "RAF-DB is given out" in printed.out
    assert files_in(project) == []


@pytest.mark.parametrize("status", [200, 403])
def test_a_server_that_answers_at_all_is_reachable(status):
    server = subprocess.Popen(
        [sys.executable, "-c", _SERVER.format(status=status)], stdout=subprocess.PIPE, text=True
    )
    try:
        port = int(server.stdout.readline())
        assert fetching._problem_reaching(f"http://127.0.0.1:{port}") is None
    finally:
        server.kill()
        server.communicate()


_SERVER = """
from http.server import BaseHTTPRequestHandler, HTTPServer

class Answer(BaseHTTPRequestHandler):
    def do_HEAD(self):
        self.send_response({status})
        self.end_headers()

server = HTTPServer(("127.0.0.1", 0), Answer)
print(server.server_port, flush=True)
server.serve_forever()
"""


@pytest.mark.realdata
def test_the_real_fer2013_is_recognised_and_left_alone(real_project, data, capsys):
    assert main(["fetch-data"]) == 0
    printed = capsys.readouterr().out
    assert next(iter(fer2013.KNOWN_MD5)) in printed and "It is left as it is." in printed
