"""Writing and showing figures: always with the profile's stamp, always the same bytes for the same
content."""

import html
import re
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import PIL.Image
from IPython.display import Image
from matplotlib.figure import Figure

from fer_utils.core.paths import atomic_write
from fer_utils.core.profiles import Profile
from fer_utils.figures.describing import alt_text
from fer_utils.figures.style import STAMP_COLOUR, styled

FORMATS = ("pdf", "svg", "png")
PRINT_DPI, SCREEN_DPI = 300, 120
_STAMP_STRIP = 0.2  # inches added at the lower edge for the stamp


def save(
    figure: Figure, name: str, profile: Profile, *, caption: str = "", stamp: str | None = None
) -> list[Path]:
    """Write ``name``.pdf, .svg and .png (300 dpi) to the profile's figures; the paths, in that
    order.

    The profile's stamp, or ``stamp`` where the profile's faces are not what is shown, is drawn in
    the lower right corner; the caption and the figure's description go into the files' metadata,
    for readers of the file alone (the SVG's ``desc`` is what a screen reader says). No file holds a
    date, so equal content gives equal bytes. Raises CompanionError for a figure without a
    description.
    """
    paths = [profile.paths.figures / f"{name}.{kind}" for kind in FORMATS]
    stamp = profile.stamp if stamp is None else stamp
    about = " ".join(filter(None, (caption, alt_text(figure, stamp))))
    with _stamped(figure, stamp):
        for path, kind in zip(paths, FORMATS):
            content = _render(figure, kind, PRINT_DPI, _metadata(kind, name, about))
            with atomic_write(path) as file:
                file.write(content)
    return paths


def show(figure: Figure, profile: Profile, *, stamp: str | None = None) -> Image:
    """The stamped figure for a notebook: a static PNG at screen resolution, whatever backend is
    set, with the figure's description as its alternative text; ``stamp`` as in ``save``. Raises
    CompanionError for a figure without one."""
    stamp = profile.stamp if stamp is None else stamp
    return Image(data=_shown(figure, stamp), format="png", alt=alt_text(figure, stamp))


def render(figure: Figure, profile: Profile) -> bytes:
    """The PNG that ``show`` shows, for a widget."""
    return _shown(figure, profile.stamp)


def _shown(figure: Figure, stamp: str) -> bytes:
    with _stamped(figure, stamp):
        return in_few_colours(_render(figure, "png", SCREEN_DPI, {"Software": None}))


def in_few_colours(png: bytes) -> bytes:
    """The same picture in 256 colours of its own: a third of the bytes, so that a notebook of many
    faces stays small."""
    buffer = BytesIO()
    with PIL.Image.open(BytesIO(png)) as picture:
        few = picture.convert("RGB").quantize(256, dither=PIL.Image.Dither.NONE)
    few.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


@styled
def _render(figure: Figure, kind: str, dpi: int, metadata: dict) -> bytes:
    buffer = BytesIO()
    figure.savefig(buffer, format=kind, dpi=dpi, metadata=metadata)
    if kind == "svg":
        return _with_description(_with_numbered_clips(buffer.getvalue()), metadata["Description"])
    return buffer.getvalue()


def _with_description(svg: bytes, text: str) -> bytes:
    """The drawing as one image for screen readers, named by its title and described by ``text``;
    matplotlib writes the title alone where they look, and the description only into the RDF."""
    desc = f'</title>\n <desc id="desc">{html.escape(text, quote=False)}</desc>'.encode()
    svg = svg.replace(b"<title>", b'<title id="title">', 1).replace(b"</title>", desc, 1)
    return svg.replace(
        b"<svg ", b'<svg role="img" aria-labelledby="title" aria-describedby="desc" ', 1
    )


def _with_numbered_clips(svg: bytes) -> bytes:
    """Clip paths numbered in their order: matplotlib names them by a hash of their corners, and the
    last bits of those differ from run to run where the layout of many panels is solved."""
    names: dict[bytes, bytes] = {}
    return re.sub(
        rb'(?<=url\(#)p[0-9a-f]{10}(?=\))|(?<=id=")p[0-9a-f]{10}(?=")',
        lambda found: names.setdefault(found[0], b"clip%d" % len(names)),
        svg,
    )


def _metadata(kind: str, name: str, about: str) -> dict:
    """Title and description under the names each format knows; dates and program versions left
    out."""
    if kind == "pdf":
        return {
            "Title": name,
            "Subject": about,
            "CreationDate": None,
            "Creator": None,
            "Producer": None,
        }
    if kind == "svg":
        return {"Title": name, "Description": about, "Date": None, "Creator": None}
    return {"Title": name, "Description": about, "Software": None}


@contextmanager
def _stamped(figure: Figure, stamp: str):
    """Draw the stamp in a strip added under the figure, and leave the figure as it was found."""
    if not stamp:
        yield
        return
    before = figure.get_figheight()
    height = before + _STAMP_STRIP
    strip = _STAMP_STRIP / height
    figure.set_figheight(height)
    figure.get_layout_engine().set(rect=(0, strip, 1, 1 - strip))
    text = figure.text(
        1 - 0.06 / figure.get_figwidth(),
        0.05 / height,
        stamp,
        ha="right",
        va="bottom",
        size=7,
        weight="bold",
        color="white",
        parse_math=False,
        bbox={"facecolor": STAMP_COLOUR, "edgecolor": "none", "pad": 1.8},
    )
    try:
        yield
    finally:
        text.remove()
        figure.set_figheight(before)
        figure.get_layout_engine().set(rect=(0, 0, 1, 1))
