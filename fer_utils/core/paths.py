"""Every folder and file the project reads or writes is named here and nowhere else.

What a run makes and what is committed are two things. A run writes below ``runs/`` alone
(``RunPaths``). The committed tables, figures, notebooks, pictures and documents are read beside the
package, and changed by ``publish`` (and ``keep``) only. ``FER_ROOT`` moves what is written,
published files too: a test or a trial publishes into a folder of its own, while the committed
values it is held against stay those of the checkout.
"""

import errno
import os
import secrets
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from fer_utils.core.errors import CompanionError

KEPT = "kept.json"
"""The record of a training whose answers are kept beside the committed tables (``kept_runs``)."""

PACKAGE = Path(__file__).resolve().parent.parent
REFERENCE = PACKAGE / "core" / "reference"
PROFILES = PACKAGE / "core" / "profiles"
SHIPPED_GENERATORS = PACKAGE / "synthesis" / "generators" / "weights"
REPORT_TEMPLATES = PACKAGE / "pages" / "report" / "templates"


def project_root() -> Path:
    """The folder that is written to, in runs/ and on publishing: ``FER_ROOT`` or the checkout of
    this package; of a package installed without its checkout the folder one stands in."""
    return _folder("FER_ROOT", PACKAGE.parent if _in_checkout() else Path.cwd())


def notebooks_folder() -> Path:
    """The committed notebooks; they always come from the checkout, even when ``FER_ROOT`` moves the
    outputs.

    CompanionError where the package was installed without one.
    """
    if not _in_checkout():
        raise CompanionError(
            f"fer_utils is installed in {PACKAGE.parent}, without its notebooks and published"
            " tables. This needs them: clone the repository, go into its folder and run pip"
            " install -e . there."
        )
    return PACKAGE.parent / "notebooks"


def data_folder() -> Path:
    """Where the real data sets lie: ``FER_DATA`` or ``data/`` in the project root."""
    return _folder("FER_DATA", project_root() / "data")


def absolute_folders() -> dict[str, str]:
    """The environment variables that move folders, as a process with another working folder must
    see them."""
    return {"FER_ROOT": str(project_root()), "FER_DATA": str(data_folder())}


def _folder(variable: str, default: Path) -> Path:
    """An empty variable is none (a compose file without a value gives one), and ~ is nobody's
    shell's to expand (%env)."""
    return Path(os.environ.get(variable) or default).expanduser().resolve()


def _in_checkout() -> bool:
    return (PACKAGE.parent / "notebooks" / "00_start_here.ipynb").is_file()


def cache_folder() -> Path:
    """Where arrays decoded from the data folder are kept (the data folder itself may be
    read-only)."""
    return project_root() / "runs" / "cache"


def shipped_work_folder() -> Path:
    """Checkpoints of the training of the shipped generators."""
    return project_root() / "runs" / "shipped_generators"


def committed_tables(profile_name: str, root: Path = PACKAGE.parent) -> Path:
    """The tables of a profile as the repository holds them, even when ``FER_ROOT`` moves the
    outputs; with ``root`` (``project_root()``) where they are published."""
    return root / "tables" / profile_name


def committed_figures(profile_name: str, root: Path = PACKAGE.parent) -> Path:
    """The same for figures."""
    return root / "figures" / profile_name


def pictures_folder(root: Path = PACKAGE.parent) -> Path:
    """The README's pictures of explorers and of the report."""
    return root / "docs" / "images"


def benchmarks_folder() -> Path:
    """What ``python -m bench`` measured: one table for each kind of work."""
    return project_root() / "tables" / "benchmarks"


def hub_checkpoint(address: str) -> Path:
    """Where torch's hub keeps the weights of an address (``TORCH_HOME`` moves it); they may not be
    there."""
    import torch  # only here: reading faces alone does without it

    return Path(torch.hub.get_dir()) / "checkpoints" / address.rsplit("/", 1)[-1]


@dataclass(frozen=True)
class RunPaths:
    """The folders of one run: a profile by its name, an overridden profile by its name and a
    hash."""

    name: str

    @property
    def run(self) -> Path:
        return project_root() / "runs" / self.name

    @property
    def figures(self) -> Path:
        return self.run / "figures"

    @property
    def tables(self) -> Path:
        return self.run / "tables"

    @property
    def prompts(self) -> Path:
        return self.run / "prompts.csv"

    @property
    def pool(self) -> Path:
        return self.run / "pool"

    @property
    def notebooks(self) -> Path:
        return self.run / "notebooks"

    @property
    def stages(self) -> Path:
        """One small JSON file per finished stage: its fingerprint and what it took."""
        return self.run / "stages"

    @property
    def generators(self) -> Path:
        """Generators trained by this run (the ``fer2013`` profile trains its own)."""
        return self.run / "generators"

    def faces(self, dataset: str, split: str) -> Path:
        return self.run / "faces" / f"{dataset}_{split}.npz"

    def gate(self, checked: str) -> Path:
        """What the gate kept out of a data set's training faces, or out of the 'pool'."""
        return self.run / "gate" / f"{checked}.json"

    def balanced_set(self, dataset: str, level: str) -> Path:
        return self.run / "sets" / f"{dataset}_{level}.csv"

    def training_options(self, dataset: str, control: str) -> Path:
        """How the set of a control is trained, where that differs from a level."""
        return self.run / "sets" / f"{dataset}_{control}.json"

    @property
    def models(self) -> Path:
        return self.run / "models"

    def model(self, dataset: str, level: str, seed: int) -> Path:
        return self.models / dataset / level / str(seed)

    @property
    def all_kept(self) -> Path:
        """What is kept of finished trainings (``kept_runs``), beside the committed tables: it
        outlives runs/."""
        return committed_tables(self.name, project_root()) / "runs"

    def kept(self, dataset: str, level: str, seed: int) -> Path:
        return self.all_kept / dataset / level / str(seed)

    def reader(self, dataset: str) -> Path:
        """The folder of the network that reads synthetic faces, trained on the real training faces
        alone."""
        return self.run / "quality" / "readers" / dataset

    def quality_scores(self, dataset: str) -> Path:
        """What the reader of a data set found in each synthetic face."""
        return self.run / "quality" / f"{dataset}.csv"

    @property
    def report(self) -> Path:
        """The whole run as one page for readers."""
        return self.run / "report.html"

    def executed(self, notebook: str) -> Path:
        return self.notebooks / f"{notebook}.ipynb"


@contextmanager
def atomic_write(path: Path, mode: str = "wb", **options):
    """Open a file that takes the place of ``path`` on success: no half-written one is ever seen
    under that name.

    Where the system has files without a name (Linux, on most file systems), it has none before it
    is whole, so that a killed writer leaves nothing behind; elsewhere a temporary one beside
    ``path``.
    """
    path = Path(path)
    if "b" not in mode:  # a name that is not UTF-8 is written as the bytes it has
        options = {"errors": "surrogateescape"} | options
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    handle, named = _open_temporary(temporary)
    try:
        with os.fdopen(handle, mode, **options) as file:
            yield file
            file.flush()
            # a directory handle, whichever, makes Python follow the link from /proc to the file
            if not named:
                os.link(
                    f"/proc/self/fd/{handle}", temporary, src_dir_fd=handle, follow_symlinks=True
                )
        os.replace(temporary, path)
    except BaseException as problem:
        temporary.unlink(missing_ok=True)
        disk = _of_the_disk(problem)
        if disk is not None:
            raise type(disk)(disk.errno, disk.strerror, str(path)) from problem
        raise


def _of_the_disk(problem: BaseException) -> OSError | None:
    """The error of writing, which names no file, where it ended the writer; also one that the
    writer hid behind its own: on a full disk torch.save speaks of an unexpected position in a
    container."""
    if isinstance(problem, CompanionError) or not isinstance(problem, Exception):
        return None
    while problem is not None and not (isinstance(problem, OSError) and problem.errno):
        problem = problem.__context__
    return problem if problem is not None and problem.filename is None else None


def check_writable(folder: Path) -> None:
    """Raise the OSError that writing a file below ``folder`` would end with; nothing is left
    behind."""
    folder = Path(folder)
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"\0")
    except OSError as problem:
        raise type(problem)(problem.errno, problem.strerror, str(folder)) from None
    finally:
        for path in made:
            # another process works in it by now, or it never came to be
            with suppress(OSError):
                path.rmdir()


def check_target(path: Path) -> None:
    """``check_writable`` for a file that is to be written."""
    if Path(path).is_dir():
        raise IsADirectoryError(errno.EISDIR, "is a folder", str(path))
    check_writable(Path(path).parent)


def _open_temporary(path: Path) -> tuple[int, bool]:
    """The descriptor of a new empty file in the folder of ``path``, and whether it has that name
    already."""
    if hasattr(os, "O_TMPFILE") and os.path.isdir("/proc/self/fd"):
        try:
            return os.open(path.parent, os.O_TMPFILE | os.O_RDWR, 0o666), False
        except OSError:
            pass  # some network and container file systems can't
    return (
        os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, "O_BINARY", 0), 0o666),
        True,
    )
