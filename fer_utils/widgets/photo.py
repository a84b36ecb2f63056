"""Notebook 06: what a trained network says about a photo of the reader's own."""

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from fer_utils import figures
from fer_utils.balancing.controls import Run
from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.profiles import Profile
from fer_utils.datasets import dataset_info, stored_splits
from fer_utils.datasets.decoding import IMAGE_ENDINGS
from fer_utils.training import WEIGHTS
from fer_utils.training.attribution import hires_cam, overlay
from fer_utils.training.photos import Reading, as_face, decoded, read_face, squared
from fer_utils.training.trained import Trained, read_trained
from fer_utils.widgets.explorer import Choice, Toggle, View, explore
from fer_utils.widgets.kept import Kept
from fer_utils.widgets.runs import finished_runs

ACCEPTED = ",".join(IMAGE_ENDINGS)
SHOWN_SIDE = 480
"""Pixels: a photo larger than that is shrunk before it is drawn into the figure."""


@dataclass(frozen=True)
class Photo:
    """A button that lets the reader pick a file; its value is the name and the bytes of that file,
    None before."""

    label: str

    @property
    def first(self) -> None:
        """The value before anybody touches it."""

    def widget(self):
        """The control itself."""
        from ipywidgets import FileUpload

        return FileUpload(
            accept=ACCEPTED, multiple=False, description=self.label, layout={"width": "max-content"}
        )


def uploaded(value: Sequence) -> tuple[str, bytes] | None:
    """Name and bytes of what a ``FileUpload`` holds; None where it, or a run without a reader,
    holds nothing."""
    return (value[0]["name"], bytes(value[0]["content"])) if value else None


def example(dataset: str, profile: Profile) -> tuple[str, np.ndarray, list[str]]:
    """The first test face of a data set, which is read before any upload: its name, and image and
    notes as ``photos.read_photo`` gives them."""
    test = stored_splits(dataset, profile).test
    name = f"test face {test.ids[0]}"
    return (
        name,
        test.images[0],
        [
            f"An example, the {name}, labelled {EMOTIONS[test.labels[0]]}: choose a photo of your"
            " own above."
        ],
    )


def photo_view(
    reading: Reading,
    trained: Trained,
    profile: Profile,
    *,
    learnt: str = "",
    evidence: bool = False,
) -> View:
    """The photo, what the network saw of it, on demand where it found its evidence, and the seven
    probabilities.

    learnt: what the network learnt from, for readers.
    """
    seen = squared(reading.image, trained.model.image_size)
    pictures = {"photo": _shrunk(reading.image), f"what it saw: {len(seen)}x{len(seen)}": seen}
    emotion, share = reading.ranked()[0]
    if evidence:
        heat = hires_cam(trained.model, as_face(reading.image, trained), [EMOTIONS.index(emotion)])[
            0
        ]
        pictures[f"evidence for {emotion}"] = overlay(seen, heat)
    others = ", ".join(f"{name} ({p:.1%})" for name, p in reading.ranked()[1:3])
    words = [
        f"<b>{emotion}</b> ({share:.1%}), then {others}.",
        *map(html.escape, reading.notes),
        html.escape(learnt),
    ]
    said = ", ".join(f"{name} {p:.1%}" for name, p in reading.ranked())
    picture = figures.render(figures.read_photo(pictures, reading.probabilities), profile)
    return View(
        picture,
        alt=f"{reading.path.name}, read as: {said}.",
        words="<br>".join(filter(None, words)),
    )


def photo_explorer(profile: Profile):
    """A button for a photo and the finished networks to choose from, above what the chosen one says
    about it; first the network that the command ``predict`` takes by default, where it is finished.
    Without any weights (``kept_runs``) only words that say so."""
    runs = [run for run in finished_runs(profile) if (run.folder(profile) / WEIGHTS).is_file()]
    if not runs:
        return View(
            words=(
                "The trainings of this run were taken from their kept answers, without weights, so"
                " no network is here to read a photo. Train one: <code>python -m fer_utils train"
                f" --profile {html.escape(profile.name)}</code>."
            )
        )
    usual = Run(profile.data.sets[0], profile.balancing.levels[-1], profile.training.seeds[0])
    networks, examples = Kept(3), Kept(len(profile.data.sets))

    def draw(photo, run: Run, evidence: bool, crop: bool, say: Callable[[str], None]) -> View:
        if run not in networks:
            say(f"reading the weights of {run.title} …")
        trained = networks.get(run, lambda: read_trained(run.folder(profile), profile))
        chosen = uploaded(photo)
        if chosen is None:
            name, image, notes = examples.get(run.dataset, lambda: example(run.dataset, profile))
        else:
            name, (image, notes) = (
                chosen[0],
                decoded(chosen[1], chosen[0], channels=trained.channels),
            )
        say("reading the face …")
        reading = read_face(
            image,
            notes,
            trained,
            name=name,
            crop=crop and chosen is not None,
            device=profile.run.device,
        )
        return photo_view(reading, trained, profile, learnt=learnt_from(run), evidence=evidence)

    choice = Choice(
        "network", [(run.title, run) for run in runs], usual if usual in runs else runs[0]
    )
    return explore(
        draw,
        {
            "photo": Photo("Choose a photo"),
            "run": choice,
            "crop": Toggle("cut to the face first"),
            "evidence": Toggle("show the evidence (HiResCAM)"),
        },
    )


def learnt_from(run: Run) -> str:
    """What a network's answers about photos may be taken for, in words."""
    if dataset_info(run.dataset).is_demo:
        return (
            "This network learnt from drawn faces alone and has never seen a photograph: what it"
            " says about one shows how it works, and nothing about the person."
        )
    return (
        "The network says which of seven labels of its training set a face looks most like, not"
        " what a person feels; the labels themselves are often in doubt."
    )


def _shrunk(image: np.ndarray) -> np.ndarray:
    """Every so many-th pixel of a large photo."""
    step = max(1, -(-max(image.shape[:2]) // SHOWN_SIDE))
    return image[::step, ::step]
