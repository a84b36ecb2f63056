"""What holds for every figure: words for those who can't see it, readable text, colours that
survive gray print."""

import itertools
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass

import numpy as np
import PIL.Image
import pytest
from figure_examples import EXAMPLES
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text

from fer_utils import figures
from fer_utils.core.errors import CompanionError
from fer_utils.core.profiles import load_profile
from fer_utils.figures.audit import MEAN_COLOURS
from fer_utils.figures.quality import SAMPLE_STYLES
from fer_utils.figures.style import (
    ASIDE,
    FAINT,
    INK,
    LEVEL_COLOURS,
    LEVEL_MARKERS,
    PAPER_COLOUR,
    PAPER_TEXT,
    SMALLEST,
    STAMP_COLOUR,
    contrast,
    luminance,
    readable_on,
)

NO_FIGURES = {
    "Cell",
    "EMOTION_COLOURS",
    "FORMATS",
    "alt_text",
    "contact_sheet",
    "described",
    "render",
    "save",
    "show",
}
every_figure = pytest.mark.parametrize("name", EXAMPLES)
PLACEHOLDER = re.compile(r"\bnan\b|\bNone\b|\binf\b|[{}<>]|TODO|\.\.|\( |  |: ?[.;]|np\.")


@dataclass
class Drawn:
    """A figure after it was drawn: the texts that really were, each with its box in pixels, and the
    picture without them."""

    figure: Figure
    texts: list[tuple[Text, object]]
    background: np.ndarray


_DRAWN: dict[str, Drawn] = {}


def drawn(name: str, monkeypatch) -> Drawn:
    """Each example is drawn once, whatever number of tests look at it."""
    if name not in _DRAWN:
        figure, seen, draw = EXAMPLES[name](), [], Text.draw
        with monkeypatch.context() as patched:
            patched.setattr(
                Text, "draw", lambda text, *rest: (seen.append(text), draw(text, *rest))
            )
            canvas = FigureCanvasAgg(figure)
            canvas.draw()
            texts = [
                (text, text.get_window_extent())
                for text in dict.fromkeys(seen)
                if text.get_visible() and text.get_text().strip()
            ]
            figure.set_layout_engine("none")
            patched.setattr(Text, "draw", lambda *_: None)
            canvas.draw()
        _DRAWN[name] = Drawn(figure, texts, np.asarray(canvas.buffer_rgba())[..., :3] / 255)
    return _DRAWN[name]


def test_there_is_an_example_of_every_public_figure_function():
    assert set(EXAMPLES) == set(figures.__all__) - NO_FIGURES


@every_figure
def test_its_description_says_what_it_shows_and_holds_no_placeholder(name, monkeypatch):
    text = figures.alt_text(drawn(name, monkeypatch).figure)
    assert 60 < len(text) < 1500 and text.endswith(".") and text[0].isupper() | text[0].isdigit()
    assert not PLACEHOLDER.search(text), PLACEHOLDER.search(text)[0]


@every_figure
def test_no_text_in_it_is_smaller_than_six_points(name, monkeypatch):
    small = {
        text.get_text()
        for text, _ in drawn(name, monkeypatch).texts
        if text.get_fontsize() < SMALLEST
    }
    assert SMALLEST == 6 and not small


@every_figure
def test_all_its_text_lies_inside_the_canvas(name, monkeypatch):
    seen = drawn(name, monkeypatch)
    frame = seen.figure.bbox
    outside = [
        text.get_text()
        for text, box in seen.texts
        if box.x0 < -1 or box.y0 < -1 or box.x1 > frame.x1 + 1 or box.y1 > frame.y1 + 1
    ]
    assert seen.texts and not outside


@every_figure
def test_no_two_texts_in_it_lie_over_each_other(name, monkeypatch):
    upright = [
        (text.get_text(), box)
        for text, box in drawn(name, monkeypatch).texts
        if text.get_rotation() % 90 == 0
    ]
    over = [
        (first, second)
        for (first, a), (second, b) in itertools.combinations(upright, 2)
        if min(a.x1, b.x1) - max(a.x0, b.x0) > 0.5 and min(a.y1, b.y1) - max(a.y0, b.y0) > 1.5
    ]
    assert not over


@every_figure
def test_its_text_stands_out_from_what_is_behind_it(name, monkeypatch):
    seen, faint = drawn(name, monkeypatch), {}
    height = len(seen.background)
    for text, box in seen.texts:
        x0, x1, y0, y1 = (
            max(0, round(edge)) for edge in (box.x0, box.x1, height - box.y1, height - box.y0)
        )
        behind = np.median(seen.background[y0:y1, x0:x1].reshape(-1, 3), axis=0)
        if contrast(text.get_color(), behind) < 4.5:
            faint[text.get_text()] = behind
    assert not faint


def test_a_figure_without_a_description_is_neither_shown_nor_saved(project):
    profile = load_profile("demo")
    with pytest.raises(CompanionError, match="no description"):
        figures.show(Figure(layout="constrained"), profile)
    with pytest.raises(CompanionError, match="no description"):
        figures.save(Figure(layout="constrained"), "x", profile)
    assert not list(project.rglob("x.*"))


def test_a_notebook_gets_the_description_with_the_stamp_as_the_pictures_alternative_text(project):
    figure = figures.described(Figure(layout="constrained"), "A plot\nof two", "lines, 5 % apart.")
    _, metadata = figures.show(figure, load_profile("demo"))._repr_mimebundle_()
    assert metadata == {
        "image/png": {"alt": "A plot of two lines, 5 % apart. Stamped: demo faces."}
    }
    _, metadata = figures.show(figure, load_profile("paper"))._repr_mimebundle_()
    assert metadata == {"image/png": {"alt": "A plot of two lines, 5 % apart."}}


def test_every_file_holds_caption_description_and_stamp_where_its_format_keeps_them(project):
    figure = figures.described(Figure(layout="constrained"), "Bars, a < b & “c”.")
    pdf, svg, png = figures.save(figure, "words", load_profile("demo"), caption="Two bars.")
    said = "Two bars. Bars, a < b & “c”. Stamped: demo faces."
    assert PIL.Image.open(png).text["Description"] == said
    assert "Two bars. Bars, a < b & “c”".encode("utf-16-be") in pdf.read_bytes()
    root, space = ElementTree.parse(svg).getroot(), "{http://www.w3.org/2000/svg}"
    named = {kind: root.find(f"{space}{kind}") for kind in ("title", "desc")}
    assert (
        root.get("role") == "img" and named["desc"].text == said and named["title"].text == "words"
    )
    assert root.get("aria-labelledby") == named["title"].get("id") and root.get(
        "aria-describedby"
    ) == named["desc"].get("id")


def test_the_best_of_black_and_white_is_readable_on_every_colour():
    grays = [(value, value, value) for value in np.linspace(0, 1, 256)]
    assert min(contrast(readable_on(gray), gray) for gray in grays) > 4.5
    assert (luminance("white"), luminance("black")) == pytest.approx((1, 0))
    assert contrast("#777777", "white") == pytest.approx(4.48, abs=0.01)


def test_text_colours_reach_the_contrast_for_text_and_line_colours_that_for_graphics_on_white():
    assert min(contrast(colour, "white") for colour in (INK, ASIDE, PAPER_TEXT, STAMP_COLOUR)) > 4.5
    assert min(contrast(colour, "white") for colour in (FAINT, PAPER_COLOUR)) > 3


@pytest.mark.parametrize(
    "colours",
    [
        list(LEVEL_COLOURS.values()),
        list(MEAN_COLOURS.values()),
        [colour for _, colour in SAMPLE_STYLES.values()],
    ],
    ids=["levels", "means", "samples"],
)
def test_what_stands_side_by_side_can_be_told_apart_in_gray_print(colours):
    grays = sorted(np.dot(to_rgb(colour), (0.299, 0.587, 0.114)) for colour in colours)
    assert min(np.diff(grays)) > 0.1


def test_levels_and_samples_differ_in_their_markers_too():
    assert len(set(LEVEL_MARKERS.values())) == len(LEVEL_MARKERS)
    assert len({marker for marker, _ in SAMPLE_STYLES.values()}) == len(SAMPLE_STYLES)
