"""Tensors from weights files as people save them, whatever their names end in; no code in them is
run.

A file of ``torch.save`` is a pickle, and a pickle may name any function to be called. torch's
unpickler for weights calls none but its own for tensors; here every other name stands for
``Inert``, which does nothing but keep what was saved. So a whole pickled model gives its tensors,
though its class is not known, and a NumPy number beside the weights is no obstacle.
"""

import contextlib
import io
import pickletools
import tarfile
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

from fer_utils.core.errors import CompanionError
from fer_utils.core.file_kinds import START, described, kind_of

LIKELY = ("state_dict", "model_state_dict", "model", "net", "network", "module", "weights")
"""Under which a checkpoint keeps its network, the usual names first; any other name is looked into
after these."""
_WRAPPERS = {"module", "model", "_orig_mod", "net", "network", "backbone"}
"""What DataParallel, Lightning, torch.compile and others put before or into the names of a state
dict."""
_DEEPEST = 4
_LARGEST_HEADER = 1 << 20  # bytes; ResEmoteNet's has ten thousand
_SHOWN = 8  # keys named in a message
# before torch 1.6: a number, a version, the machine, then what was saved
_LEGACY_PICKLES = 4
_ZIP = b"PK\x03\x04"
_BEFORE_1_6 = (  # a number, by which torch knew its own files
    b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
)
_PICKLE = b"\x80"
# pickles speak of Python 2's modules
_RENAMED = {"__builtin__": "builtins", "copy_reg": "copyreg"}


class Inert:
    """What stands for any object but a tensor: it keeps its state, if it was saved with one, and
    does nothing."""

    def __new__(cls, *_, **__):
        return super().__new__(cls)

    def __init__(self, *_, **__):
        """Whatever it was made from is forgotten."""

    def __setstate__(self, state):
        if isinstance(state, dict):
            self.__dict__.update(state)


def is_safetensors(path: Path) -> bool:
    """Whether a file begins like one of safetensors: the length of a header, and its opening
    brace."""
    start = _start(path)
    return start[8:9] == b"{" and int.from_bytes(start[:8], "little") <= path.stat().st_size


def read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Names with tensors, and the metadata. Raises CompanionError for what can't be read."""
    length = int.from_bytes(_start(path)[:8], "little")
    if length > _LARGEST_HEADER:
        raise CompanionError(
            f"{path} has a header of {length:,} bytes; that of ResEmoteNet has some "
            "thousand. It holds another network, or none."
        )
    try:
        with safe_open(path, framework="pt") as file:
            names = file.keys()  # the file itself can't be iterated
            return {name: file.get_tensor(name) for name in names}, dict(file.metadata() or {})
    except Exception as problem:
        # the library has an error of its own for every fault of a hostile file
        raise CompanionError(
            f"{path} is not a safetensors file that can be read ({plain(problem)}). "
            "Copy it again, or train it again."
        ) from problem


def read_pickled(path: Path, wanted: set[str]) -> tuple[dict[str, Tensor], list[str]]:
    """The network with the wanted names in a file of ``torch.save``: names with tensors; and the
    places in the file where such a network lies, the first of which was read.

    Names are freed from what wraps them (``module.``, ``_orig_mod.``). Where no network has all the
    wanted names, the likeliest is given. Raises CompanionError where there are no tensors under
    names, with the keys that were found.
    """
    loaded = _loaded(path)
    found = list(_states(loaded))
    if not found:
        raise CompanionError(
            f"{path} holds no state dict (names with tensors): {_contents(loaded)}. Save "
            "model.state_dict()."
        )
    fitting = [
        (place, state) for place, state in found if wanted <= set(map(_without_wrappers, state))
    ]
    return unwrapped((fitting or found)[0][1], path), [place for place, _ in fitting]


def unwrapped(state: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    """The tensors under their names without wrappers; CompanionError where two would have one
    name."""
    first = {}
    for name in state:
        other = first.setdefault(_without_wrappers(name), name)
        if other != name:
            raise CompanionError(
                f"{path} holds two networks: {plain(other)} and {plain(name)} are the same "
                "entry of each. Save the state dict of one."
            )
    return {_without_wrappers(name): value for name, value in state.items()}


def plain(text, most: int = 120) -> str:
    """Text from a file or a library as one line for a message: nothing in it steers a terminal."""
    first = str(text).strip().split("\n")[0]
    shown = "".join(letter if letter.isprintable() else "?" for letter in first)
    return shown if len(shown) <= most else f"{shown[:most]}..."


def _loaded(path: Path):
    """What ``torch.save`` saved, with ``Inert`` for everything that is not a tensor or a plain
    value."""
    try:
        with warnings.catch_warnings(), torch.serialization.safe_globals(_inert_names(path)):
            warnings.simplefilter("ignore")  # of old formats and protocols
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as problem:  # a hostile file can raise nearly anything inside the unpickler
        raise CompanionError(_unreadable(path)) from problem


def _unreadable(path: Path) -> str:
    """Why a file is none of ``torch.save``, by what it begins with; torch's own words are about
    torch's settings."""
    start = _start(path)
    kind = None if start.startswith(_ZIP) else kind_of(start)
    if kind and not _is_torchs_tar(path):
        return f"{path} is not a weights file: it {described('', kind).strip()}"
    if not start:
        return f"{path} is not a weights file: it is empty. Copy it again."
    if kind:
        why = (
            "PyTorch wrote it before 2017, as a tar archive of storages, which only running its "
            "pickles would read"
        )
    elif start.startswith(_BEFORE_1_6):
        why = (
            "torch.save wrote it before PyTorch 1.6 (or in that format), and it was cut short, or "
            "holds code, which is not run, as a whole model does"
        )
    elif start.startswith(_PICKLE):
        why = "Python's pickle wrote it, not torch.save: it may hold code, which is not run"
    else:
        return (
            f"{path} is not a file of tensors that can be read: it was not written by torch.save "
            "or safetensors, was cut short, or holds code, which is not run. Copy it again, or "
            "save its model.state_dict()."
        )
    return (
        f"{path} is not a file of tensors that can be read: {why}. Copy it again, or load it where "
        "it was made and save by torch.save(model.state_dict(), ...)."
    )


def _is_torchs_tar(path: Path) -> bool:
    """Whether a file is what ``torch.save`` wrote in its first months."""
    with contextlib.suppress(OSError, tarfile.TarError), tarfile.open(path, "r:") as archive:
        return {"pickle", "tensors", "storages"} <= {member.name for member in archive}
    return False


def _inert_names(path: Path) -> list[tuple[type, str]]:
    """(``Inert``, 'module.name') for each name in the file's pickles; those of tensors stay torch's
    own."""
    names = set()
    for stream in _pickles(path):
        for opcode, argument, _ in pickletools.genops(stream):
            if opcode.name == "GLOBAL":
                module, name = argument.split(" ", 1)
                names.add(f"{_RENAMED.get(module, module)}.{name}")
    return [(Inert, name) for name in names]


def _pickles(path: Path) -> Iterator[io.BufferedIOBase]:
    """The pickle of a zip file of ``torch.save``, or one after the other those of its older
    format."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if name.endswith("data.pkl"):
                    yield io.BytesIO(archive.read(name))
        return
    with open(path, "rb") as stream:
        for _ in range(_LEGACY_PICKLES):
            yield stream


def _without_wrappers(name: str) -> str:
    return ".".join(part for part in name.split(".") if part not in _WRAPPERS)


def _states(
    loaded, place: str = "", *, depth: int = 0, seen: set[int] | None = None
) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """(place, names with tensors) of what was loaded and of what lies in it, nothing twice."""
    seen = set() if seen is None else seen
    if id(loaded) in seen:
        return
    seen.add(id(loaded))
    kept = (
        (_module_state(loaded, "", set()) or vars(loaded)) if isinstance(loaded, Inert) else loaded
    )
    if not isinstance(kept, dict):
        return
    tensors = {
        name: value
        for name, value in kept.items()
        if isinstance(name, str) and isinstance(value, Tensor)
    }
    if tensors:
        yield place, tensors
    if depth < _DEEPEST:
        inner = [name for name in kept if isinstance(name, str)]
        for name in sorted(
            inner, key=lambda name: LIKELY.index(name) if name in LIKELY else len(LIKELY)
        ):
            yield from _states(
                kept[name], f"{place}.{name}" if place else name, depth=depth + 1, seen=seen
            )


def _module_state(module: Inert, prefix: str, seen: set[int]) -> dict[str, Tensor]:
    """The state dict of a pickled ``torch.nn.Module``, as its own method would give it; empty for
    any other object."""
    if id(module) in seen or prefix.count(".") > 2 * _DEEPEST:  # one that holds itself, or no end
        return {}
    seen.add(id(module))
    kept = vars(module)
    own = {
        f"{prefix}{name}": value
        for kind in ("_parameters", "_buffers")
        for name, value in _items(kept.get(kind))
        if isinstance(value, Tensor)
    }
    for name, part in _items(kept.get("_modules")):
        if isinstance(part, Inert):
            own |= _module_state(part, f"{prefix}{name}.", seen)
    return own


def _items(kept) -> list:
    return list(kept.items()) if isinstance(kept, dict) else []


def _contents(loaded) -> str:
    """What lies at the top of a file, in words."""
    if isinstance(loaded, dict) and loaded:
        return f"its keys are {_named(loaded)}"
    if isinstance(loaded, Inert):
        parts = _named(vars(loaded))
        return (
            f"it holds an object of Python with {parts}"
            if parts
            else "it holds an object of Python without tensors"
        )
    return f"it holds {'nothing' if loaded in ({}, None) else f'a {type(loaded).__name__}'}"


def _named(kept: dict) -> str:
    more = f" and {len(kept) - _SHOWN:,} more" if len(kept) > _SHOWN else ""
    return ", ".join(plain(name, 40) for name in list(kept)[:_SHOWN]) + more


def _start(path: Path) -> bytes:
    with contextlib.suppress(OSError), open(path, "rb") as file:
        return file.read(START)
    return b""
