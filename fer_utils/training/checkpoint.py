"""Where a stopped training goes on: one file in the run's folder, written after every epoch and
gone at the end."""

import hashlib
import io
import json
import logging
import pickle
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import torch

from fer_utils.core.faces import FaceSet
from fer_utils.core.paths import PACKAGE, atomic_write

CHECKPOINT = "checkpoint.pt"
CODE = tuple(
    f"training/{name}.py"
    for name in (
        "__init__",
        "batches",
        "checkpoint",
        "devices",
        "elsewhere",
        "predictions",
        "reduced_network",
        "resemotenet",
    )
) + ("core/faces.py", "core/recipes.py")
"""What of the package decides a training's numbers; the rest of this room looks at networks that
are trained."""

UNREADABLE = (
    OSError,
    EOFError,
    RuntimeError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    zipfile.BadZipFile,
    pickle.UnpicklingError,
)

log = logging.getLogger(__name__)


@dataclass
class Progress:
    """What a training has come to: a row per epoch, the number of the epoch kept so far (0: none
    yet) and its weights."""

    history: list[dict] = field(default_factory=list)
    kept: int = 0
    kept_weights: dict | None = None


@dataclass(frozen=True)
class Checkpoint:
    """Everything the next epoch depends on, as one file.

    made_from: hash of settings, data and code (``fingerprint``); a file made from others is not
    used. parts:     name -> object with ``state_dict`` and ``load_state_dict`` (network, optimizer,
    scheduler). generator: that of order and flips; dropout's, torch's global one, is kept too.
    """

    path: Path
    made_from: str
    parts: dict
    generator: torch.Generator

    def save(self, progress: Progress) -> None:
        """Replace the file by the present state; a kill at any moment leaves the one or the other,
        whole."""
        state = {
            "made_from": self.made_from,
            "progress": vars(progress),
            "generators": self._generators(),
            "parts": {name: part.state_dict() for name, part in self.parts.items()},
        }
        with atomic_write(self.path) as file:
            hashed = _Hashed(file)
            torch.save(state, hashed)
            file.write(hashed.sha256.digest())

    def restore(self) -> Progress:
        """Bring all parts to where the file left them; a file that is absent, unreadable or made
        from anything else changes nothing, and training begins with the first epoch."""
        if not self.path.is_file():
            return Progress()
        try:
            state = _read(self.path)
        except UNREADABLE as problem:
            log.warning("%s cannot be read (%s): training starts again.", self.path, problem)
            return Progress()
        if state["made_from"] != self.made_from:
            log.warning(
                "%s was made from other settings, data or code: training starts again.", self.path
            )
            return Progress()
        for name, part in self.parts.items():
            part.load_state_dict(state["parts"][name])
        self._set_generators(state["generators"])
        progress = Progress(**state["progress"])
        log.info("%s: training goes on after epoch %d.", self.path, len(progress.history))
        return progress

    def remove(self) -> None:
        """Once the run's results are written."""
        self.path.unlink(missing_ok=True)

    def _generators(self) -> dict:
        cuda = torch.cuda.get_rng_state() if torch.cuda.is_available() else None
        return {"own": self.generator.get_state(), "torch": torch.get_rng_state(), "cuda": cuda}

    def _set_generators(self, states: dict) -> None:
        self.generator.set_state(states["own"])
        torch.set_rng_state(states["torch"])
        if states["cuda"] is not None and torch.cuda.is_available():
            torch.cuda.set_rng_state(states["cuda"])


class _Hashed:
    """A file open for writing that keeps a hash of all that was written: a damaged file must not
    pass for a whole one, and torch's own format does not tell."""

    def __init__(self, file):
        self.file, self.sha256 = file, hashlib.sha256()

    def write(self, data) -> int:
        self.sha256.update(data)
        return self.file.write(data)

    def flush(self) -> None:
        self.file.flush()


def _read(path: Path) -> dict:
    data = path.read_bytes()
    state, digest = data[: -hashlib.sha256().digest_size], data[-hashlib.sha256().digest_size :]
    if hashlib.sha256(state).digest() != digest:
        raise ValueError("it is damaged")
    return torch.load(io.BytesIO(state), map_location="cpu", weights_only=True)


def fingerprint(settings: dict, *sets: FaceSet) -> str:
    """A hash of ``settings``, of the pixels and labels of the sets, of the code that trains, and of
    torch's version."""
    found = hashlib.sha256(json.dumps([settings, torch.__version__], sort_keys=True).encode())
    for faces in sets:
        for array in (faces.images, faces.labels):
            found.update(str((array.shape, array.dtype)).encode())
            found.update(
                memoryview(array if array.flags.c_contiguous else array.copy(order="C")).cast("B")
            )
    for name in CODE:
        found.update((PACKAGE / name).read_bytes())
    return found.hexdigest()
