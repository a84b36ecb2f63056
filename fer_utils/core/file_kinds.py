"""What a file is by its first bytes, whatever its name says: an intact file of another kind is not
a damaged one."""

from dataclasses import dataclass
from pathlib import Path

START = 512
"""First bytes that are enough to tell any kind: a tar archive says so at byte 257."""
_HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")
_PAGES = (b"<!doctype html", b"<html", b"<head")


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    name:    with its article, for sentences.
    advice:  what to do where another kind was expected.
    endings: of file names that promise this kind.
    """

    name: str
    advice: str
    endings: tuple[str, ...] = ()


LFS_POINTER = Kind(
    "a git-lfs pointer, a few lines that stand for the file",
    "Run git lfs pull where it was cloned, or download the file itself.",
)
WEB_PAGE = Kind(
    "a web page",
    "The server answered with a page instead of the file: open its address in a browser, sign in "
    "if it asks for that, and download the file itself.",
    (".html", ".htm"),
)
_SAVE = "That kind is not read here: save it as JPEG or PNG."
HEIC = Kind("a HEIC photo", _SAVE, (".heic", ".heif"))
_UNPACK = "Unpack it, and put what it holds in its place."
_OTHER = "Put the file there that belongs there."
_BY_START = (
    (b"version https://git-lfs.github.com/spec", LFS_POINTER),
    (b"PK\x03\x04", Kind("a zip archive", _UNPACK, (".zip",))),
    (b"Rar!\x1a\x07", Kind("a RAR archive", _UNPACK, (".rar",))),
    (b"7z\xbc\xaf\x27\x1c", Kind("a 7-Zip archive", _UNPACK, (".7z",))),
    (b"\x1f\x8b", Kind("a gzip file", _UNPACK, (".gz", ".tgz"))),
    (b"BZh", Kind("a bzip2 file", _UNPACK, (".bz2",))),
    (b"\xfd7zXZ\x00", Kind("an xz file", _UNPACK, (".xz",))),
    (b"%PDF-", Kind("a PDF document", _OTHER, (".pdf",))),
    (b"\x89HDF\r\n\x1a\n", Kind("an HDF5 file, such as Keras writes", _OTHER, (".h5", ".hdf5"))),
    (b"\x89PNG\r\n\x1a\n", Kind("a PNG image", _OTHER, (".png",))),
    (b"\xff\xd8\xff", Kind("a JPEG image", _OTHER, (".jpg", ".jpeg", ".jpe", ".jfif"))),
    (b"GIF8", Kind("a GIF image", _OTHER, (".gif",))),
    (b"8BPS", Kind("a Photoshop document", _SAVE, (".psd",))),
    (b"<?xml", Kind("an XML document, such as an SVG drawing", _SAVE, (".svg", ".xml"))),
    (b"<svg", Kind("an SVG drawing", _SAVE, (".svg",))),
    (b"\xff\x0a", Kind("a JPEG XL image", _SAVE, (".jxl",))),
    (b"\x00\x00\x00\x0cJXL ", Kind("a JPEG XL image", _SAVE, (".jxl",))),
)
_TAR = Kind("a tar archive", _UNPACK, (".tar",))


def kind_of(start: bytes) -> Kind | None:
    """The kind that a file's first ``START`` bytes tell; None where they tell none that is known
    here."""
    start = start[:START]
    page = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if page.startswith(_PAGES):
        return WEB_PAGE
    if start[4:8] == b"ftyp" and start[8:12] in _HEIC_BRANDS:
        return HEIC
    if start[257:262] == b"ustar":
        return _TAR
    return next((kind for magic, kind in _BY_START if start.startswith(magic)), None)


def stand_in(start: bytes) -> Kind | None:
    """The kind of a text that came in the place of a file, whatever file that was to be: never any
    data."""
    kind = kind_of(start)
    return kind if kind in (LFS_POINTER, WEB_PAGE) else None


def unexpected_kind(path: Path) -> Kind | None:
    """The kind of a file that is not what its name promises; None for one that is, and where
    nothing is known."""
    try:
        with open(path, "rb") as file:
            kind = kind_of(file.read(START))
    except OSError:
        return None
    return None if kind is None or path.name.lower().endswith(kind.endings) else kind


def described(where, kind: Kind) -> str:
    """The sentences of an error on a file of that kind."""
    return f"{where} is {kind.name} by its first bytes. {kind.advice}"
