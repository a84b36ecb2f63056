"""Who is drawn and how they are photographed: identities, expressions, cameras, and three presets.

An emotion moves the action units of its EMFACS prototype (Friesen and Ekman 1983). All random
numbers are drawn whatever the emotion, so one generator state gives the same person, pose and light
for any emotion.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Generator, Tensor
from torch.nn import functional

from fer_utils.core.devices import one_thread
from fer_utils.core.emotions import EMOTIONS
from fer_utils.datasets.drawing import draw_faces
from fer_utils.datasets.drawing_parts import ACTION_UNITS

PERSONS = ("man", "woman", "boy", "girl")
LIGHTS = ("soft light", "side light", "bright light", "dim light")
HAIR_COLOURS = ("black", "brown", "blond", "red", "gray", "white")
HAIR_STYLES = ("short", "fringe", "long", "bob", "receding", "curly", "tied")
OCCLUSIONS = ("hand", "scarf", "sunglasses", "strand")

PROTOTYPES: dict[str, dict[int, float]] = {
    "anger": {4: 1.0, 5: 0.35, 7: 1.0, 23: 1.0},
    "disgust": {9: 1.0, 15: 0.8, 16: 1.0},
    "fear": {1: 1.0, 2: 0.7, 4: 0.9, 5: 1.0, 7: 0.3, 20: 1.0, 26: 0.9},
    "happy": {6: 1.0, 12: 1.0, 25: 1.0},
    "neutral": {},
    "sad": {1: 1.0, 4: 0.6, 15: 1.0},
    "surprise": {1: 1.0, 2: 1.0, 5: 0.9, 26: 1.0},
}
"""Strength of each action unit at intensity 1. Happiness adds 25 (lips part) in most pictures."""

SKIN = (
    torch.tensor([[246, 218, 198], [236, 196, 166], [216, 164, 124], [164, 112, 78], [112, 74, 54]])
    / 255
)
HAIR = (
    torch.tensor(
        [
            [30, 26, 28],
            [94, 60, 38],
            [214, 172, 104],
            [152, 74, 40],
            [150, 150, 152],
            [228, 226, 222],
        ]
    )
    / 255
)
IRIS = (
    torch.tensor([[70, 42, 24], [100, 66, 34], [72, 110, 70], [76, 128, 178], [112, 126, 136]])
    / 255
)
STYLE_SHARES = torch.tensor(
    [  # a row for each of PERSONS, a column for each of HAIR_STYLES
        [0.5, 0.14, 0.0, 0.0, 0.2, 0.16, 0.0],
        [0.05, 0.0, 0.42, 0.27, 0.0, 0.2, 0.06],
        [0.5, 0.36, 0.0, 0.0, 0.0, 0.14, 0.0],
        [0.0, 0.0, 0.34, 0.28, 0.0, 0.1, 0.28],
    ]
)


class Batch:
    """Rows that are cut together: every field is a tensor with the batch first, or again a
    Batch."""

    def select(self, index):
        """The rows that a slice, a mask or an index tensor picks."""
        rows = {f.name: getattr(self, f.name) for f in fields(self)}
        return type(self)(
            **{k: v.select(index) if isinstance(v, Batch) else v[index] for k, v in rows.items()}
        )

    def __len__(self) -> int:
        first = getattr(self, fields(self)[0].name)
        return len(first)


@dataclass(frozen=True)
class Identities(Batch):
    """People. Tensors [N], or [N, 3] for colours in 0..1."""

    person: Tensor
    """Index in PERSONS."""
    age: Tensor
    """Years, 4..88; below 13 for boys and girls."""
    shape: Tensor
    """[N, 8] in -1..1: face width, jaw, chin, eye size, eye distance, nose, mouth, lip fullness."""
    skin: Tensor
    hair_style: Tensor
    hair_colour: Tensor
    """Index in HAIR_COLOURS, after greying."""
    hair: Tensor
    parting: Tensor
    """-1..1, negative on the left of the picture."""
    brow: Tensor
    brow_thickness: Tensor
    iris: Tensor
    glasses: Tensor
    glasses_square: Tensor
    beard: Tensor
    """Density, 0 for none to about 0.85."""
    clothes: Tensor


@dataclass(frozen=True)
class Traits(Batch):
    """Pictures to be drawn: people, what their faces do, and how they stand to camera and light."""

    identities: Identities
    emotion: Tensor
    """Index in EMOTIONS."""
    intensity: Tensor
    """0..1."""
    action_units: Tensor
    """[N, K] in 0..1.15, columns as ACTION_UNITS. The drawing looks at these alone, not at
    `emotion`."""
    pose: Tensor
    """[N, 6]: yaw, roll, pitch in radians, scale, shift right, shift down in half frames."""
    gaze: Tensor
    light: Tensor
    """Index in LIGHTS."""
    light_direction: Tensor
    """[N, 3], unit length: right, down, towards the camera."""
    background: Tensor
    """[N, 6]: RGB at the top, RGB at the bottom."""


@dataclass(frozen=True)
class Camera:
    """What stands between a face and its file. Ranges are (low, high) at 64 pixels a frame."""

    size: int = 64
    gray: bool = False
    blur: tuple[float, float] = (0.0, 0.0)
    """Standard deviation in 64ths of the frame."""
    noise: tuple[float, float] = (0.0, 0.0)
    exposure: float = 0.0
    """Spread of the logarithm of brightness; a third darker than brighter, because skin burns out
    first."""
    contrast: float = 0.0
    occlusion_share: float = 0.0


@dataclass(frozen=True)
class Population:
    """Ranges that people and pictures are drawn from; shares need not sum to one."""

    camera: Camera
    intensity: tuple[float, float] = (0.65, 1.0)
    unit_jitter: float = 0.12
    persons: tuple[float, ...] = (1, 1, 1, 1)
    adult_age: tuple[float, float] = (18, 86)
    child_age: tuple[float, float] = (5, 12.9)
    glasses_share: float = 0.12
    beard_share: float = 0.4
    pose_spread: float = 0.07
    """Standard deviation of yaw in radians; roll and pitch are somewhat steadier."""
    lights: tuple[float, ...] = (1, 1, 1, 1)
    background: tuple[float, float] = (0.2, 0.85)
    skin_tones: tuple[float, ...] = (1, 1, 1, 1, 1)
    """Shares from light to dark."""
    hair_colours: tuple[float, ...] = (1, 1, 1, 1)
    """Shares of black, brown, blond, red before age greys them."""


WEB = Population(Camera())
GRAYSCALE_CROWD = Population(
    Camera(
        size=48,
        gray=True,
        blur=(0.3, 1.1),
        noise=(0.005, 0.032),
        exposure=0.25,
        contrast=0.25,
        occlusion_share=0.1,
    ),
    intensity=(0.2, 0.9),
    unit_jitter=0.22,
    persons=(5, 5, 1, 1),
    adult_age=(16, 70),
    glasses_share=0.16,
    pose_spread=0.2,
    lights=(4, 2, 2, 1),
    background=(0.02, 0.75),
    skin_tones=(3, 3, 2, 1, 1),
    hair_colours=(5, 4, 2, 0.5),
)
COLOUR_CROWD = Population(
    Camera(
        size=100,
        blur=(0.1, 0.6),
        noise=(0.005, 0.025),
        exposure=0.2,
        contrast=0.15,
        occlusion_share=0.07,
    ),
    intensity=(0.25, 1.0),
    unit_jitter=0.2,
    persons=(4, 5, 1.5, 1.5),
    adult_age=(16, 75),
    glasses_share=0.12,
    pose_spread=0.16,
    lights=(4, 2, 2, 1),
    background=(0.1, 0.95),
    skin_tones=(4, 3, 2, 1, 1),
    hair_colours=(4, 4, 2, 1),
)


def sample_identities(count: int, population: Population, *, generator: Generator) -> Identities:
    """New people from a population."""
    person = pick(population.persons, count, generator)
    grown, male = person < 2, person % 2 == 0
    age = torch.where(
        grown,
        between(population.adult_age, count, generator),
        between(population.child_age, count, generator),
    )
    tone = pick(population.skin_tones, count, generator)
    skin = mix(SKIN[tone], SKIN[(tone + 1).clamp(max=4)], 0.7 * uniform(count, generator))
    hair_colour, hair = sample_hair(age, tone, population, generator)
    style = torch.multinomial(STYLE_SHARES[person], 1, generator=generator).squeeze(1)
    beard = (uniform(count, generator) < population.beard_share) * torch.rand(
        count, generator=generator
    )
    bearded = grown & male & (age > 20)
    iris = torch.where(
        tone < 2,
        torch.randint(0, 5, (count,), generator=generator),
        torch.randint(0, 2, (count,), generator=generator),
    )
    thickness = (
        0.035
        + 0.013 * (male & grown)
        - 0.006 * ~grown
        + 0.005 * (2 * uniform(count, generator) - 1)
    )
    return Identities(
        person=person,
        age=age,
        shape=2 * torch.rand(count, 8, generator=generator) - 1,
        skin=skin,
        hair_style=style,
        hair_colour=hair_colour,
        hair=hair,
        parting=2 * uniform(count, generator) - 1,
        brow=hair * 0.6 + skin * torch.where(hair_colour < 2, 0.0, 0.12).unsqueeze(1),
        brow_thickness=thickness,
        iris=IRIS[iris],
        glasses=(uniform(count, generator) < population.glasses_share).float(),
        glasses_square=uniform(count, generator).round(),
        beard=torch.where(bearded & (beard > 0), 0.3 + 0.55 * beard, 0.0),
        clothes=0.15 + 0.6 * torch.rand(count, 3, generator=generator),
    )


def sample_hair(
    age: Tensor, tone: Tensor, population: Population, generator: Generator
) -> tuple[Tensor, Tensor]:
    """Index in HAIR_COLOURS [N] and colour [N, 3]: natural, then greying from about 45 and white
    from 70."""
    count = len(age)
    natural = pick(population.hair_colours, count, generator)
    # Blond and red hair on dark skin would be dyed: rare enough to leave out.
    natural = torch.where(tone >= 3, natural % 2, natural)
    felt = age + 16 * (uniform(count, generator) - 0.5)
    grey, white = ((felt - 42) / 16).clamp(0, 1), ((felt - 62) / 14).clamp(0, 1)
    colour = mix(mix(HAIR[natural], HAIR[4], grey), HAIR[5], white)
    index = torch.where(white > 0.5, 5, torch.where(grey > 0.5, 4, natural))
    return index, colour * (0.85 + 0.3 * uniform(count, generator)).unsqueeze(1)


def sample_traits(
    identities: Identities,
    emotions: Sequence[int] | Tensor,
    population: Population,
    *,
    generator: Generator,
) -> Traits:
    """One picture for each person and emotion (index in EMOTIONS), before any camera."""
    emotion = torch.as_tensor(emotions, dtype=torch.long)
    count = len(emotion)
    intensity = between(population.intensity, count, generator)
    units = express(emotion, intensity, population.unit_jitter, generator=generator)
    light = pick(population.lights, count, generator)
    spread = population.pose_spread * torch.tensor([1.0, 0.5, 0.5, 0.3, 0.25, 0.2])
    pose = (torch.randn(count, 6, generator=generator).clamp(-2, 2) * spread) + torch.tensor(
        [0.0, 0, 0, 1, 0, 0]
    )
    tint = (torch.rand(count, 2, 3, generator=generator) - 0.5) * 0.3
    level = between(population.background, count * 2, generator).view(count, 2, 1)
    return Traits(
        identities=identities,
        emotion=emotion,
        intensity=intensity,
        action_units=units,
        pose=pose,
        gaze=0.02 * torch.randn(count, generator=generator).clamp(-2, 2),
        light=light,
        light_direction=light_direction(light, generator),
        background=(level + tint).clamp(0, 1).flatten(1),
    )


def express(emotion: Tensor, intensity: Tensor, jitter: float, *, generator: Generator) -> Tensor:
    """Action units [N, K] of the prototypes at an intensity, each a little stronger or weaker by
    chance."""
    table = torch.tensor(
        [[PROTOTYPES[name].get(unit, 0.0) for unit in ACTION_UNITS] for name in EMOTIONS]
    )
    noise = 1 + jitter * torch.randn(len(emotion), len(ACTION_UNITS), generator=generator).clamp(
        -2.5, 2.5
    )
    units = table[emotion] * intensity.unsqueeze(1) * noise.clamp(min=0)
    # Weak smiles keep the lips closed, and so do some broad ones.
    parted = ((intensity - 0.25) / 0.45).clamp(0, 1) * (uniform(len(emotion), generator) < 0.8)
    units[:, ACTION_UNITS.index(25)] *= parted
    return units.clamp(0, 1.15)


def light_direction(light: Tensor, generator: Generator) -> Tensor:
    """Unit vectors [N, 3]: from above and a little to one side; side light comes from far to one
    side."""
    side = torch.where(uniform(len(light), generator) < 0.5, -1.0, 1.0)
    aside = side * (0.15 + 0.3 * uniform(len(light), generator) + 0.75 * (light == 1))
    above = -0.3 - 0.25 * uniform(len(light), generator) + 0.2 * (light == 1)
    return functional.normalize(
        torch.stack([aside, above, torch.full_like(aside, 0.85)], dim=1), dim=1
    )


@one_thread()
def take_pictures(traits: Traits, camera: Camera, *, generator: Generator) -> Tensor:
    """Photographs as uint8 [N, size, size, C], C = 1 for a gray camera and 3 otherwise."""
    # as floats, thousands of pictures at once would fill the memory
    starts = range(0, len(traits), 256)
    return torch.cat(
        [
            photograph(traits.select(slice(start, start + 256)), camera, generator)
            for start in starts
        ]
    )


def photograph(traits: Traits, camera: Camera, generator: Generator) -> Tensor:
    """What `take_pictures` returns, for one batch."""
    picture = draw_faces(traits, size=max(64, camera.size)).permute(0, 3, 1, 2).float() / 255
    picture = occlude(picture, traits.identities, camera.occlusion_share, generator=generator)
    if camera.gray:
        picture = (picture * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(
            1, keepdim=True
        )
    picture = soften(picture, between(camera.blur, len(picture), generator))
    if picture.shape[-1] != camera.size:
        picture = functional.interpolate(
            picture, size=(camera.size,) * 2, mode="bilinear", antialias=True
        )
    swing = 2 * torch.rand(2, len(picture), 1, 1, 1, generator=generator) - 1
    picture = ((picture - 0.45) * (1 + camera.contrast * swing[0]) + 0.45) * (
        camera.exposure * (swing[1] - 0.35)
    ).exp()
    grain = torch.randn(picture.shape, generator=generator) * between(
        camera.noise, len(picture), generator
    ).view(-1, 1, 1, 1)
    return (
        ((picture + grain).clamp(0, 1) * 255)
        .round()
        .to(torch.uint8)
        .permute(0, 2, 3, 1)
        .contiguous()
    )


def soften(picture: Tensor, sigma: Tensor) -> Tensor:
    """Gaussian blur of [N, C, S, S], a standard deviation in 64ths of the frame for each
    picture."""
    count, channels, size, _ = picture.shape
    reach = max(1, math.ceil(size / 64 * 2.5))
    ticks = torch.arange(-reach, reach + 1).float()
    kernel = torch.exp(-0.5 * (ticks / (sigma.view(-1, 1) * size / 64).clamp(min=0.05)).square())
    kernel = (kernel / kernel.sum(1, keepdim=True)).repeat_interleave(channels, 0)
    flat = functional.pad(picture.reshape(1, -1, size, size), (reach,) * 4, mode="replicate")
    flat = functional.conv2d(flat, kernel.view(-1, 1, 1, 2 * reach + 1), groups=count * channels)
    return functional.conv2d(
        flat, kernel.view(-1, 1, 2 * reach + 1, 1), groups=count * channels
    ).view_as(picture)


def occlude(picture: Tensor, who: Identities, share: float, *, generator: Generator) -> Tensor:
    """Pictures [N, 3, S, S], a share of them with one of OCCLUSIONS over part of the face."""
    count, _, size, _ = picture.shape
    kind = torch.randint(0, len(OCCLUSIONS), (count,), generator=generator).view(-1, 1, 1)
    hidden = (uniform(count, generator) < share).view(-1, 1, 1)
    place = 2 * torch.rand(2, count, 1, 1, generator=generator) - 1
    ticks = (torch.arange(size) + 0.5) * (2 / size) - 1
    x, y = ticks.view(1, 1, -1) * torch.where(place[0] < 0, -1.0, 1.0), ticks.view(1, -1, 1)
    finger = 0.05 * torch.sin((x * 0.8 + y) * 26).abs()
    hand = (
        ((x - 0.62) / 0.42).square()
        + ((y - 0.62 - 0.15 * place[1]) / 0.62).square()
        - 1
        + finger * 3
    )
    scarf = 0.5 + 0.2 * place[1] - y + 0.05 * x
    shades = ((x.abs() - 0.36) / 0.3).abs().pow(3) + ((y + 0.1) / 0.2).abs().pow(3) - 1
    strand = (x - 0.3 - 0.25 * y.square() + 0.2 * y - 0.1 * place[1]).abs() - 0.07 * (
        0.5 - y
    ).clamp(0, 1)
    shape = torch.where(
        kind == 0, hand, torch.where(kind == 1, scarf, torch.where(kind == 2, shades, strand * 4))
    )
    coverage = (0.5 - shape * size / 12).clamp(0, 1) * hidden
    cloth = torch.rand(count, 3, generator=generator) * 0.7
    choices = torch.stack([who.skin * 0.85, cloth, cloth * 0.2, who.hair])
    colour = choices[kind.flatten(), torch.arange(count)]
    return torch.lerp(
        picture,
        colour.view(-1, 3, 1, 1).expand_as(picture),
        coverage.unsqueeze(1).expand_as(picture),
    )


def uniform(count: int, generator: Generator) -> Tensor:
    """Numbers [count] in 0..1."""
    return torch.rand(count, generator=generator)


def between(limits: tuple[float, float], count: int, generator: Generator) -> Tensor:
    """Numbers [count] spread evenly between two limits."""
    return limits[0] + (limits[1] - limits[0]) * uniform(count, generator)


def pick(shares: Sequence[float], count: int, generator: Generator) -> Tensor:
    """Indices [count] in proportion to shares."""
    return torch.multinomial(
        torch.tensor(shares, dtype=torch.float32), count, replacement=True, generator=generator
    )


def mix(first: Tensor, second: Tensor, amount: Tensor) -> Tensor:
    """Colours [N, 3] between two, `amount` [N] of the second."""
    return torch.lerp(first, second.expand_as(first), amount.unsqueeze(1).expand_as(first))
