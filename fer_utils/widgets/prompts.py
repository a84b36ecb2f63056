"""Notebook 02 and the start: a prompt put together by hand, and the face that a generator draws
from it."""

import functools
import html
from collections.abc import Callable, Mapping

from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.profiles import Profile
from fer_utils.datasets.population import LIGHTS, PERSONS
from fer_utils.figures.sheets import Cell, contact_sheet
from fer_utils.figures.style import EMOTION_TITLES
from fer_utils.prompts import (
    DECADES,
    GLASSES,
    REALISM,
    TEMPLATES,
    Attributes,
    compose,
    keyword_places,
    stated,
)
from fer_utils.synthesis import Renderer
from fer_utils.synthesis.generators.addresses import SHIPPED
from fer_utils.widgets.explorer import Choice, Slider, Toggle, View, Words, explore

SEEDS, SIDE = 999, 256
CHILDREN = ("boy", "girl")
GENERATORS = ("sd2", "sd3")
_PROMPT = '<p style="font-size:1.25em;margin:.3em 0">“{}”</p>'


def prompt_explorer(profile: Profile, *, emotion: str = "happy"):
    """Controls for the parts of a prompt above its words and its face.

    A shipped tiny model draws at once. Any other one draws when its box is ticked: it may take
    minutes, and be downloaded first.
    """
    renderers = {
        name: Renderer(name, profile)
        for name in GENERATORS
        if getattr(profile.generators, name).share > 0
    }
    controls = {
        "emotion": Choice(
            "emotion", [(EMOTION_TITLES[name], name) for name in EMOTIONS], emotion, buttons=True
        ),
        "person": Choice("person", PERSONS),
        "decade": Choice("age", [(f"{decade}'s", decade) for decade in DECADES], 30),
        "template": Choice(
            "template", [(name.replace("_", " "), name) for name in TEMPLATES], "portrait"
        ),
        "light": Choice("light", LIGHTS),
        "realism": Choice("realism", REALISM),
        "glasses": Choice("glasses", [(text or "not mentioned", text) for text in GLASSES]),
        "own_words": Words("or your own words"),
        "generator": Choice(
            "generator",
            [(f"{name}: {renderer.settings.model}", name) for name, renderer in renderers.items()],
        ),
        "seed": Slider("seed", 0, SEEDS, 7),
    }
    if not all(map(at_once, renderers.values())):
        controls["draw"] = Toggle("draw with a large model too (may take minutes)")
    return explore(functools.partial(prompt_view, renderers), controls, busy="drawing …")


def at_once(renderer: Renderer) -> bool:
    """Whether it draws a face in well under a second: the shipped models do."""
    return renderer.settings.model in SHIPPED


def prompt_view(
    renderers: Mapping[str, Renderer],
    *,
    emotion: str,
    person: str,
    decade: int,
    template: str,
    light: str,
    realism: str,
    glasses: str,
    generator: str,
    seed: int,
    own_words: str = "",
    draw: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> View:
    """The prompt with its keywords marked, what was left out of it, and the face that the generator
    makes of it.

    own_words: taken as the prompt instead, where there are any. draw: let a model that is not
    shipped draw, too.
    """
    attributes = Attributes(
        emotion, person, 0 if person in CHILDREN else decade, light, realism, glasses
    )
    prompt, renderer = own_words.strip() or compose(template, attributes), renderers[generator]
    words = _PROMPT.format(marked(prompt)) + (
        "" if own_words.strip() else _left_out(template, attributes)
    )
    if not (draw or at_once(renderer)):
        return View(
            words=(
                f"{words} <p>{html.escape(renderer.settings.model)} is no shipped model: tick the"
                " box to let it draw. It is loaded first, and downloaded where it is not here"
                " yet.</p>"
            )
        )
    if "pipeline" not in vars(renderer):
        say(f"loading {renderer.settings.model} …")
    face = renderer.draw([prompt], [seed])[0][0]
    picture = contact_sheet([Cell(face)], columns=1, side=SIDE, stamp=renderer.profile.stamp)
    return View(
        picture,
        alt=f"The face that {renderer.settings.model} draws of the prompt: {prompt}",
        words=(
            f"{words} <p>{token_words(prompt, renderer.pipeline.tokenizer)} Drawn by"
            f" {html.escape(renderer.settings.model)} in {renderer.settings.steps} steps at a"
            f" guidance scale of {renderer.settings.guidance_scale:g}, from seed {seed}.</p>"
        ),
    )


def marked(prompt: str) -> str:
    """The prompt as HTML with its keywords in ``<mark>``."""
    parts, done = [], 0
    for place in keyword_places(prompt):
        parts += [
            html.escape(prompt[done : place.start]),
            f"<mark>{html.escape(prompt[place])}</mark>",
        ]
        done = place.stop
    return "".join(parts) + html.escape(prompt[done:])


def token_words(prompt: str, tokenizer) -> str:
    """How many tokens the text encoder gets, and which words it knows only in pieces."""
    used, most = len(tokenizer(prompt).input_ids), tokenizer.model_max_length
    pieces = [
        word
        for word in dict.fromkeys(prompt.split())
        if len(tokenizer.tokenize(word.strip(",."))) > 1
    ]
    known = (
        f"in pieces, as it did not learn them: {html.escape(', '.join(pieces))}"
        if pieces
        else "every word is one it knows"
    )
    cut = " What is beyond is cut off." if used > most else ""
    return f"The text encoder reads {used} of at most {most} tokens; {known}.{cut}"


def _left_out(template: str, attributes: Attributes) -> str:
    """Which controls have no say in this template."""
    chosen = {
        "age": attributes.decade,
        "light": attributes.light,
        "realism": attributes.realism,
        "glasses": attributes.glasses,
    }
    missing = [
        name for name, value in chosen.items() if value and not stated(template, attributes)[name]
    ]
    sentences = [f"This template has no place for {' and '.join(missing)}."] if missing else []
    sentences += [] if attributes.decade else ["A child's age is in no template."]
    return f"<p>{' '.join(sentences)}</p>" if sentences else ""
