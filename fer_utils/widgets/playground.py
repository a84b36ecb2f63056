"""Notebook 03: a prompt of the reader's own, and how its face comes out of noise."""

import html
import re
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import NamedTuple

import numpy as np
from PIL import Image

from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.faces import resize_images
from fer_utils.core.profiles import Profile
from fer_utils.figures.sheets import COMPRESSION, Cell, contact_sheet
from fer_utils.prompts import GLASSES, LIGHTS, PEOPLE, REALISM, TEMPLATES, Attributes, compose
from fer_utils.synthesis.generators.addresses import SHIPPED, TRAINED_BY
from fer_utils.widgets.explorer import Choice, Slider, Toggle, View, explore
from fer_utils.widgets.kept import Kept

SMALL_MODELS = (*SHIPPED, "trained-here", TRAINED_BY)
"""Those that draw a face in about a second, so that it may begin by itself."""

# pixels of the chosen picture and of the others, these in a row, at most
LARGE, SMALL, COLUMNS, SHOWN = 256, 64, 6, 18
KEPT, JUDGE_SIZE = 24, 64


class Setting(NamedTuple):
    """All that decides what is drawn."""

    generator: str
    prompt: str
    seed: int
    steps: int
    guidance_scale: float


@dataclass(frozen=True)
class Drawing:
    """images: pure noise and the picture after each step, uint8 [steps + 1, S, S, 3], S at most
    ``LARGE``; answers: how probable a judge finds each emotion in each, float [steps + 1, 7], or
    None."""

    images: np.ndarray
    answers: np.ndarray | None = None


class Studio:
    """Draws what is asked for and keeps it: the same setting again, or another step of it, costs
    nothing.

    Of the large models one at a time is held in memory. judge: a network of ``generators.judge``,
    or None.
    """

    def __init__(self, profile: Profile, judge=None):
        self.profile, self.judge, self.drawn = profile, judge, Kept(KEPT)
        self.pipelines = Kept(2 if all(map(self.draws_at_once, ("sd2", "sd3"))) else 1)

    def draws_at_once(self, generator: str) -> bool:
        """Whether the generator is one of the small ones."""
        return getattr(self.profile.generators, generator).model.startswith(SMALL_MODELS)

    def draw(self, setting: Setting, say: Callable[[str], None]) -> Drawing:
        """All pictures of a setting; ``say`` is told how far it is."""
        return self.drawn.get(setting, lambda: self._draw(setting, say))

    def _draw(self, setting: Setting, say: Callable[[str], None]) -> Drawing:
        from fer_utils.synthesis.generators.judge import (
            emotion_shares,  # diffusers, behind both, takes seconds to import
        )
        from fer_utils.synthesis.generators.trajectory import trajectory

        model = getattr(self.profile.generators, setting.generator)
        if setting.generator not in self.pipelines:
            say(f"loading {model.model} …")
        pipeline = self.pipelines.get(
            setting.generator, lambda: _load(setting.generator, self.profile)
        )
        say("drawing: reading the prompt …")
        images = trajectory(
            pipeline,
            setting.prompt,
            setting.seed,
            steps=setting.steps,
            size=model.size,
            guidance_scale=setting.guidance_scale,
            negative_prompt=self.profile.synthesis.negative_prompt,
            on_step=lambda done: say(f"drawing: step {done} of {setting.steps}"),
        )
        answers = (
            None
            if self.judge is None
            else emotion_shares(self.judge, resize_images(images, JUDGE_SIZE, channels=3))
        )
        return Drawing(resize_images(images, min(model.size, LARGE), channels=3), answers)


def playground_view(
    drawing: Drawing, setting: Setting, profile: Profile, *, part: float, model: str = ""
) -> View:
    """The picture at ``part`` (0 the noise, 1 the face) of the way, large, and all others small
    beside it.

    model: what to call the generator.
    """
    images, last = drawing.images, len(drawing.images) - 1
    step = round(part * last)
    shown = sorted(
        {*np.linspace(0, last, min(len(images), SHOWN)).round().astype(int).tolist(), step}
    )
    lines = {k: (_step_title(k), *_read(drawing.answers, k)) for k in shown}
    large = contact_sheet([Cell(images[step], (", ".join(lines[step]),))], columns=1, side=LARGE)
    small = resize_images(images[shown], min(SMALL, images.shape[1]), channels=3)
    others = contact_sheet(
        [Cell(image, lines[k], warned=(0,) if k == step else ()) for k, image in zip(shown, small)],
        columns=COLUMNS,
        side=SMALL,
        stamp=profile.stamp,
    )
    model = model or setting.generator
    words = [
        f"“{setting.prompt}”",
        (
            f"{model}, seed {setting.seed}, {setting.steps} steps, guidance "
            f"{setting.guidance_scale:g}; large is {_step_title(step)} of {last}."
        ),
        *_judged(drawing.answers),
    ]
    alt = (
        f"Pictures from noise to a face, drawn by {model} for “{setting.prompt}”; large is"
        f" {_step_title(step)} of {last}."
    )
    return View(_beside(large, others), alt=alt, words="<br>".join(map(html.escape, words)))


def playground_explorer(profile: Profile, judge=None, *, emotion: str = "happy"):
    """Controls for a prompt and for how it is drawn, above the pictures from noise to face.

    judge: what ``generators.making.judge_for`` gives, so that its answer to each picture is said.
    A model that is not one of ``SMALL_MODELS`` draws only while the box 'draw' is ticked.
    """
    studio = Studio(profile, judge)
    models = {name: getattr(profile.generators, name) for name in ("sd2", "sd3")}
    models = {name: model for name, model in models.items() if model.share}
    titles = {
        name: f"{name.upper()} class: {model.model.split('/')[-1]}"
        for name, model in models.items()
    }

    def draw(
        generator,
        emotion,
        template,
        person,
        light,
        realism,
        glasses,
        seed,
        guidance_scale,
        steps,
        part,
        say,
        allowed=True,
    ) -> View:
        prompt = compose(template, Attributes(emotion, *person, light, realism, glasses))
        setting = Setting(generator, prompt, seed, steps, guidance_scale)
        if not (allowed or studio.draws_at_once(generator) or setting in studio.drawn):
            return View(
                words=(
                    f"“{html.escape(prompt)}”<br>Not drawn yet: {html.escape(titles[generator])} is"
                    " a large model, which takes minutes and gigabytes without a GPU. Tick"
                    " <i>draw</i> to let it draw; while it is ticked, every change draws anew."
                )
            )
        return playground_view(
            studio.draw(setting, say), setting, profile, part=part / 100, model=titles[generator]
        )

    controls = {**_prompt_controls(titles, emotion), **_drawing_controls(list(models.values()))}
    if not all(map(studio.draws_at_once, models)):
        controls["allowed"] = Toggle("draw")
    return explore(draw, controls)


def _prompt_controls(titles: dict[str, str], emotion: str) -> dict:
    people = [
        (f"{person}, {decade}'s" if decade else person, (person, decade))
        for person, decade in PEOPLE
    ]
    return {
        "generator": Choice("model", [(title, name) for name, title in titles.items()]),
        "emotion": Choice("emotion", list(EMOTIONS), emotion, buttons=True),
        "template": Choice(
            "wording", [(text, name) for name, text in _wordings().items()], "portrait"
        ),
        "person": Choice("person", people),
        "light": Choice("light", list(LIGHTS)),
        "realism": Choice("realism", list(REALISM)),
        "glasses": Choice("glasses", [(name or "without glasses", name) for name in GLASSES]),
    }


def _drawing_controls(models: list) -> dict:
    first = models[0]
    return {
        "seed": Slider("seed", 0, 99, 0),
        "guidance_scale": Slider(
            "guidance",
            1.0,
            max(10.0, *(2 * m.guidance_scale for m in models)),
            first.guidance_scale,
            0.5,
        ),
        "steps": Slider("steps", 1, max(20, *(2 * m.steps for m in models)), first.steps),
        "part": Slider("noise → face (%)", 0, 100, 100, live=True),
    }


def _wordings() -> dict[str, str]:
    """What to call each template: its own words, with dots where attributes come in."""
    return {
        name: re.sub(r"…(?:,? …)+", "…", re.sub(r"\{\w+\}", "…", text))
        for name, text in TEMPLATES.items()
    }


def _load(generator: str, profile: Profile):
    from fer_utils.synthesis.generators.loading import load_generator

    return load_generator(generator, profile)


def _beside(*pictures: bytes) -> bytes:
    """PNG files side by side on white, upper edges aligned."""
    opened = [Image.open(BytesIO(picture)) for picture in pictures]
    whole = Image.new(
        "RGB", (sum(one.width for one in opened), max(one.height for one in opened)), "white"
    )
    left = 0
    for one in opened:
        whole.paste(one, (left, 0))
        left += one.width
    buffer = BytesIO()
    whole.save(buffer, "PNG", compress_level=COMPRESSION)
    return buffer.getvalue()


def _step_title(step: int) -> str:
    return f"step {step}" if step else "noise"


def _read(answers: np.ndarray | None, step: int) -> list[str]:
    """What the judge reads in a picture, and how sure it is."""
    return (
        [] if answers is None else [EMOTIONS[answers[step].argmax()], f"{answers[step].max():.0%}"]
    )


def _judged(answers: np.ndarray | None) -> list[str]:
    """What the judge reads in the finished face, and since when."""
    if answers is None:
        return []
    read = answers.argmax(1)
    since = len(read) - int((read[::-1] == read[-1]).cumprod().sum())
    return [
        "Below each picture stands what the judge reads in it. In the face it reads"
        f" {EMOTIONS[read[-1]]}, and it does so"
        f" {f'from step {since} on' if since else 'already in the noise'}."
    ]
