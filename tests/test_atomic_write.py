"""Files that are whole or not there, whatever happens to the process that writes them."""

import errno
import os
import signal
import stat
import subprocess
import sys
import tempfile

import pytest
from test_resuming import epochs_run

from fer_utils.core.errors import CompanionError
from fer_utils.core.paths import PACKAGE, atomic_write

KILLED = """
import os, signal, sys
sys.path.insert(0, {tests!r})
from pathlib import Path
{imports}
folder = Path(sys.argv[1])

def kill():
    os.kill(os.getpid(), signal.SIGKILL)

{body}
"""
WRITING = """
with atomic_write(folder / "file.txt", "w") as file:
    file.write("half of it")
    file.flush()
    kill()
"""
TRAINING = """
def half(state, file, save=torch.save):
    if state["progress"]["history"][-1]["epoch"] == 2:
        file.write(b"half of it")
        kill()
    save(state, file)

torch.save = half
start(folder)
"""


def nameless_here():
    """Whether the system, and the file system of temporary folders, has files without a name."""
    try:
        os.close(os.open(tempfile.gettempdir(), os.O_TMPFILE | os.O_RDWR))
    except (AttributeError, OSError):
        return False
    return True


nameless = pytest.mark.skipif(not nameless_here(), reason="no files without a name on this system")


def killed(folder, imports, body):
    code = KILLED.format(tests=str(PACKAGE.parent / "tests"), imports=imports, body=body)
    found = subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert found.returncode == -signal.SIGKILL, found.stderr


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@nameless
@pytest.mark.parametrize("before", [None, "the old text"])
def test_a_writer_killed_in_the_middle_leaves_no_file_behind_and_an_old_one_as_it_was(
    tmp_path, before
):
    if before:
        (tmp_path / "file.txt").write_text(before)
    killed(tmp_path, "from fer_utils.core.paths import atomic_write", WRITING)
    assert names(tmp_path) == (["file.txt"] if before else [])
    assert not before or (tmp_path / "file.txt").read_text() == before


@nameless
def test_a_training_killed_while_it_writes_its_checkpoint_leaves_the_last_whole_one_alone(tmp_path):
    killed(tmp_path, "import torch\nfrom test_resuming import start", TRAINING)
    assert names(tmp_path) == ["checkpoint.pt"]
    assert epochs_run(tmp_path) == [2, 3]


@pytest.fixture(params=["nameless", "named", "refused"])
def system(request, monkeypatch):
    """Three systems: one with nameless files, one without, and one whose file system refuses
    them."""
    opened = os.open

    def refuse(path, flags, *arguments, **options):
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(errno.EOPNOTSUPP, "Operation not supported")
        return opened(path, flags, *arguments, **options)

    if request.param == "named":
        monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    if request.param == "refused" and hasattr(os, "O_TMPFILE"):
        monkeypatch.setattr(os, "open", refuse)


def test_what_was_written_replaces_the_old_file_with_the_permissions_of_a_new_one(tmp_path, system):
    path = tmp_path / "new" / "file.txt"
    for text in ("one line\n", "another\n"):
        with atomic_write(path, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            assert not path.exists() or path.read_text() != text
        assert path.read_text() == text and names(path.parent) == ["file.txt"]
    (tmp_path / "plain").touch()
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


@pytest.mark.parametrize("hides", [False, True])
def test_a_full_disk_is_named_with_the_file_also_where_the_writer_hides_it(tmp_path, hides):
    with pytest.raises(OSError) as problem, atomic_write(tmp_path / "weights.pt"):
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError:
            if hides:
                raise RuntimeError("unexpected pos 64 vs 0") from None  # torch.save
            raise
    named = problem.value.errno, problem.value.filename
    assert named == (errno.ENOSPC, str(tmp_path / "weights.pt"))
    with pytest.raises(CompanionError), atomic_write(tmp_path / "copy"):
        try:
            raise OSError(errno.EIO, "of another file")
        except OSError as problem:
            raise CompanionError("its own sentence") from problem


def test_an_error_while_writing_leaves_the_old_file_and_nothing_else(tmp_path, system):
    path = tmp_path / "file.bin"
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), atomic_write(path) as file:
        file.write(b"new")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"old" and names(tmp_path) == ["file.bin"]
