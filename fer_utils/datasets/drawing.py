"""Draws face portraits from traits: who it is, which action units are at work, pose and light.

The parts come from `drawing_parts`; this file lays out the head, its hair and the light on it. Skin
is a height map under Lambert shading, so that cheeks, nose and lids catch the light as the face
moves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from fer_utils.datasets import drawing_parts as parts
from fer_utils.datasets.drawing_parts import (
    ACTION_UNITS,
    Grid,
    Landmarks,
    Units,
    bump,
    cover,
    stroke,
    window,
)

if TYPE_CHECKING:
    from fer_utils.datasets.population import Identities, Traits

CHUNK = 64
"""Faces drawn at once: large enough for vectorised arithmetic, small enough to stay in the
caches."""

AMBIENT = (0.62, 0.34, 0.6, 0.55)
GAIN = (1.03, 1.04, 1.12, 0.66)
"""Share of light without direction, and exposure, in the order of `population.LIGHTS`."""

CAVITY, TEETH, TONGUE, SCLERA = (
    (0.22, 0.05, 0.06),
    (0.96, 0.94, 0.9),
    (0.72, 0.32, 0.33),
    (0.95, 0.94, 0.93),
)


def draw_faces(traits: Traits, *, size: int = 64) -> Tensor:
    """Portraits as uint8 [N, size, size, 3], a pure function of the traits."""
    starts = range(0, len(traits), CHUNK)
    chunks = [draw_chunk(traits.select(slice(start, start + CHUNK)), size) for start in starts]
    return torch.cat(chunks) if chunks else torch.empty(0, size, size, 3, dtype=torch.uint8)


def draw_chunk(traits: Traits, size: int) -> Tensor:
    """One batch of portraits, back to front: background, hair behind, neck, head, features,
    hair."""
    who = traits.identities
    units = {unit: column(traits.action_units[:, i]) for i, unit in enumerate(ACTION_UNITS)}
    marks = landmarks(who)
    grid = lay_grid(traits, size)
    head = head_distance(grid, marks, units)
    skin = cover(head, grid.edge * 1.3)
    hair_back, hair_front = hair(grid, marks, who, head)
    image = backdrop(traits.background, size)
    image = paint(image, hair_colour(grid, who) * 0.8, hair_back)
    image = neck(image, grid, marks, who)
    image, relief = face(image, grid, marks, units, who, skin, traits.gaze)
    light = shading(relief + head_relief(grid, marks, head), traits, size)
    hair_light = 1 + (light - 1) * 0.6
    image = image * torch.lerp(hair_light, light, skin).unsqueeze(1)
    image = paint(image, hair_colour(grid, who) * hair_light.unsqueeze(1), hair_front)
    frame = parts.glasses(grid, marks, column(who.glasses_square)) * column(who.glasses) * 0.92
    image = paint(image, rgb((0.12, 0.1, 0.1)), frame * skin)
    return (image.clamp(0, 1).permute(0, 2, 3, 1) * 255).round().to(torch.uint8).contiguous()


def column(values: Tensor) -> Tensor:
    """Per-face numbers [N] as [N, 1, 1]."""
    return values.float().view(-1, 1, 1)


def rgb(colour: tuple[float, float, float] | Tensor) -> Tensor:
    """A colour, or one colour a face [N, 3], in the shape that meets images [N, 3, S, S]."""
    return torch.as_tensor(colour, dtype=torch.float32).view(-1, 3, 1, 1)


def paint(image: Tensor, colour: Tensor, coverage: Tensor) -> Tensor:
    """The image with a colour laid over it where `coverage` [N, S, S] says so."""
    return torch.lerp(image, colour.expand_as(image), coverage.unsqueeze(1).expand_as(image))


def landmarks(who: Identities) -> Landmarks:
    """Proportions after age and sex: children have low, large eyes and short noses; old faces
    sag."""
    width, jaw, chin, eye_size, spacing, nose, mouth, _ = (
        column(who.shape[:, i]) for i in range(8)
    )
    age = column(who.age)
    child, old = ((17 - age) / 12).clamp(0, 1), ((age - 30) / 46).clamp(0, 1)
    female = column((who.person == 1) | (who.person == 3))
    tiny = ((9 - age) / 5).clamp(0, 1)
    return Landmarks(
        child=child,
        old=old,
        female=female,
        face_width=0.775 + 0.03 * width + 0.03 * child - 0.015 * female,
        jaw=0.37 + 0.05 * jaw + 0.09 * female - 0.22 * child - 0.06 * old,
        chin=0.95 + 0.03 * chin - 0.07 * child - 0.015 * female,
        eye_x=0.345 + 0.015 * spacing + 0.01 * child,
        eye_y=-0.13 + 0.085 * child + 0.03 * tiny,
        eye_width=0.172 + 0.01 * eye_size + 0.038 * child + 0.008 * female - 0.006 * old,
        brow_y=-0.335 + 0.05 * child + 0.03 * tiny - 0.015 * female + 0.012 * old,
        nose_y=0.235 + 0.005 * child + 0.025 * old,
        nose_width=0.164 + 0.016 * nose - 0.042 * child - 0.02 * female + 0.012 * old,
        mouth_y=0.535 - 0.02 * child,
        mouth_width=0.285 + 0.02 * mouth - 0.045 * child - 0.01 * female + 0.012 * old,
    )


def lay_grid(traits: Traits, size: int) -> Grid:
    """Pixel places on the posed head; the face's surface is a turned ellipsoid, so its middle moves
    most."""
    yaw, roll, pitch, scale, shift_x, shift_y = (column(traits.pose[:, i]) for i in range(6))
    ticks = (torch.arange(size, dtype=torch.float32) + 0.5) * (2 / size) - 1
    x, y = ticks.view(1, 1, -1) - shift_x, ticks.view(1, -1, 1) - shift_y
    u = (x * torch.cos(roll) + y * torch.sin(roll)) / scale
    v = (y * torch.cos(roll) - x * torch.sin(roll)) / scale
    depth = (1 - (u / 0.8).square() - (v / 1.05).square()).clamp(min=0).sqrt()
    across = u * (1 + 0.12 * yaw.square()) - 0.62 * depth * torch.sin(yaw)
    down = v - 0.55 * depth * torch.sin(pitch)
    return Grid(u=u, v=v, across=across, side=across.abs(), down=down, edge=2.0 / size)


def head_distance(grid: Grid, marks: Landmarks, units: Units) -> Tensor:
    """Signed distance to the face's outline; dropping the jaw (unit 26) lengthens it, age sags
    it."""
    lower = marks.chin + 0.05 * units[26]
    t = (grid.v / lower).clamp(min=0)
    taper = 1 - marks.jaw * t.square() * (0.35 + 0.65 * t)
    width = marks.face_width * (taper + 0.05 * units[12] * window(grid.v, 0.1, 0.6, 0.3))
    across = (grid.u / width.clamp(min=0.2)).abs()
    height = torch.where(grid.v > 0, grid.v / lower, grid.v / 1.02)
    squareness = torch.where(
        grid.v > 0, 2.6 - 0.4 * marks.female - 0.2 * marks.child, torch.full_like(marks.jaw, 2.15)
    )
    radius = (
        (across.pow(squareness) + height.abs().pow(squareness)).clamp(min=1e-6).pow(1 / squareness)
    )
    return (radius - 1) * 0.8


def head_relief(grid: Grid, marks: Landmarks, head: Tensor) -> Tensor:
    """Height of the bare head above the frame: a flattened ellipsoid with a ridge of brow and
    sockets."""
    depth = -head / 0.8
    inside = depth.clamp(0, 1)
    # Beyond the outline the slope goes on, or the edge's own pixels would shine as if they lay
    # flat.
    dome = (1 - (1 - inside).square() + 0.01).sqrt() * 0.5 + 3 * depth.clamp(max=0)
    socket = bump((grid.side - marks.eye_x + 0.04) / 0.2, (grid.down - marks.eye_y + 0.03) / 0.12)
    cheek = bump((grid.side - 0.46) / 0.17, (grid.down - 0.2) / 0.16)
    chin = bump(grid.side / 0.16, (grid.down - marks.chin + 0.15) / 0.11)
    hollow = bump((grid.side - 0.52) / 0.13, (grid.down - 0.5) / 0.2) * marks.old
    return (
        dome
        - 0.045 * socket * (1 - 0.5 * marks.child)
        + 0.03 * cheek
        + 0.04 * chin
        - 0.035 * hollow
    )


def expression_relief(grid: Grid, marks: Landmarks, units: Units) -> Tensor:
    """Height that action units push up: cheeks (6, 12), the knit brow (4), the chin's boss (15)."""
    cheek = bump((grid.side - 0.44) / 0.15, (grid.down - 0.16) / 0.12) * (
        0.05 * units[6] + 0.03 * units[12]
    )
    knit = (
        bump((grid.side - 0.12) / 0.09, (grid.down - marks.brow_y - 0.03) / 0.08) * 0.035 * units[4]
    )
    boss = (
        bump(grid.side / 0.14, (grid.down - marks.chin + 0.17) / 0.08)
        * 0.035
        * (units[15] + 0.5 * units[23])
    )
    return cheek + knit + boss


def face(
    image: Tensor,
    grid: Grid,
    marks: Landmarks,
    units: Units,
    who: Identities,
    skin: Tensor,
    gaze: Tensor,
) -> tuple[Tensor, Tensor]:
    """The image with skin and features on it, and the relief [N, S, S] of those features."""
    ears = cover(
        ((grid.u.abs() - marks.face_width - 0.01) / 0.075).square()
        + ((grid.v - marks.eye_y - 0.13) / 0.19).square()
        - 1,
        0.35,
    )
    tone = rgb(who.skin)
    image = paint(paint(image, tone * 0.86, ears), tone, skin)
    blush = bump((grid.side - 0.46) / 0.2, (grid.down - 0.22) / 0.16) * (
        0.16 + 0.12 * marks.child + 0.14 * units[12]
    )
    image = paint(image, tone * rgb((1.0, 0.7, 0.66)), blush * skin)
    image = beard(image, grid, marks, who, skin)
    nose_relief, nose_dark = parts.nose(grid, marks, units)
    lips = parts.mouth(
        grid,
        marks,
        units,
        1 + 0.14 * column(who.shape[:, 7]) + 0.12 * marks.female - 0.3 * marks.old,
    )
    seen = parts.eyes(grid, marks, units, column(gaze))
    dark = torch.maximum(torch.maximum(nose_dark, seen.creases), parts.wrinkles(grid, marks, units))
    image = image * (1 - dark.unsqueeze(1) * rgb((0.62, 0.78, 0.8)))
    image = paint_mouth(image, lips, tone, marks)
    image = paint_eyes(image, seen, rgb(who.iris), skin)
    brow = parts.brows(grid, marks, units, column(who.brow_thickness))
    image = paint(image, rgb(who.brow), brow * (0.92 - 0.15 * marks.child) * skin)
    return image, nose_relief + lips.relief + expression_relief(grid, marks, units)


def paint_eyes(image: Tensor, seen: parts.Eyes, iris: Tensor, skin: Tensor) -> Tensor:
    """Sclera, iris, pupil and glint under the lid's shadow, then the lash line."""
    image = paint(image, rgb(SCLERA), seen.opening)
    image = paint(image, iris, seen.iris)
    image = paint(image, rgb((0.03, 0.03, 0.04)), seen.pupil)
    image = image * (1 - 0.35 * seen.lid_shadow.unsqueeze(1))
    image = paint(image, rgb((1.0, 1.0, 1.0)), seen.glint * 0.9)
    return paint(image, rgb((0.1, 0.07, 0.06)), seen.lash * 0.85 * skin)


def paint_mouth(image: Tensor, lips: parts.Mouth, tone: Tensor, marks: Landmarks) -> Tensor:
    """Lips in a redder skin tone (most so in women), the open mouth in them, and its dark line."""
    red = tone * torch.lerp(
        rgb((0.84, 0.62, 0.6)),
        rgb((0.86, 0.42, 0.46)),
        (marks.female * (1 - marks.child)).unsqueeze(1),
    )
    image = paint(image, red, lips.lips * 0.88)
    image = paint(image, rgb(CAVITY), lips.cavity)
    image = paint(image, rgb(TONGUE), lips.tongue * 0.7)
    image = paint(image, rgb(TEETH), lips.teeth)
    return image * (1 - lips.line.unsqueeze(1) * rgb((0.7, 0.86, 0.86)))


def beard(image: Tensor, grid: Grid, marks: Landmarks, who: Identities, skin: Tensor) -> Tensor:
    """Stubble to full beard over jaw and upper lip; `who.beard` is its density, 0 for none."""
    jaw = window(grid.down - 0.55 * (grid.side - 0.62).clamp(max=0).abs() + 0.02, 0.16, 2.0, 0.16)
    moustache = window(grid.side, -1.0, 0.36, 0.08) * window(
        grid.down, marks.nose_y + 0.075, marks.mouth_y + 0.03, 0.06
    )
    chin = window(grid.side, -1.0, 0.3, 0.1) * window(grid.down, marks.mouth_y + 0.1, 2.0, 0.08)
    grain = 0.94 + 0.06 * torch.sin(grid.u * 41 + 3 * torch.sin(grid.v * 17))
    return paint(
        image,
        rgb(who.brow),
        torch.maximum(jaw, torch.maximum(moustache, chin)) * column(who.beard) * grain * skin,
    )


def neck(image: Tensor, grid: Grid, marks: Landmarks, who: Identities) -> Tensor:
    """Neck in the chin's shadow and a strip of clothing."""
    wide = 0.5 - 0.08 * marks.female - 0.12 * marks.child
    image = paint(
        image,
        rgb(who.skin) * 0.6,
        cover(torch.maximum(grid.u.abs() - wide, 0.3 - grid.v), grid.edge * 2),
    )
    collar = 1.12 - 0.3 * grid.u.square()
    return paint(image, rgb(who.clothes), cover(collar - grid.v, grid.edge * 2))


def hair_colour(grid: Grid, who: Identities) -> Tensor:
    """Hair colour [N, 3, S, S] with strands and a sheen across the crown."""
    flow = grid.u * 34 + 5 * torch.sin(grid.v * 3.1 + 4 * grid.u) + column(who.parting) * 3
    curls = torch.sin(grid.u * 24 + 2 * torch.sin(grid.v * 11)) * torch.sin(
        grid.v * 26 + 2 * torch.sin(grid.u * 9)
    )
    strands = torch.where(
        column(who.hair_style) == 5, curls, torch.sin(flow) * 0.6 + 0.4 * torch.sin(flow * 2.3)
    )
    sheen = stroke(grid.v + 0.8 - 0.35 * grid.u.square(), 0.13) * 0.28
    return rgb(who.hair) * (1 + 0.16 * strands + sheen).unsqueeze(1) + 0.04 * sheen.unsqueeze(1)


def hair(grid: Grid, marks: Landmarks, who: Identities, head: Tensor) -> tuple[Tensor, Tensor]:
    """Coverage of hair behind the head and in front of it, by `population.HAIR_STYLES`."""
    style, parting = column(who.hair_style), column(who.parting)
    fringe, long, bob, receding, curly, tied = (style == i for i in range(1, 7))
    side = grid.u.abs() / marks.face_width
    wave = 0.014 * torch.sin(grid.u * 23 + parting * 5) * (1 - receding.float())
    line = (
        -0.70
        + 0.03 * marks.child
        + 0.1 * parting * grid.u / 0.5
        + torch.where(fringe | bob, 0.16, 0.0)
    )
    line = torch.where(receding, -0.9 - 0.1 * marks.old + 0.12 * grid.u.square(), line)
    fall = torch.where(long | bob, 1.5, torch.where(tied, 0.28, 0.46 + 0.1 * (curly | fringe)))
    power = torch.where(fringe, side.pow(6), side.square().square() * side.square())
    line = line + fall * torch.where(receding, 1.3 * side.pow(8), power).clamp(max=1.4) + wave
    crown = torch.where(curly, 0.13, torch.where(receding, 0.015, torch.where(tied, 0.035, 0.075)))
    crown = crown + torch.where(curly, 0.035 * torch.sin(torch.atan2(grid.v, grid.u) * 19), 0.0)
    outer = head - crown
    reach = torch.where(
        long, 2.0, torch.where(bob, 0.56, torch.where(curly, 0.1 + 0.5 * marks.female, -0.02))
    )
    reach = reach - 3 * (grid.u.abs() - 0.78).clamp(min=0).square() * bob
    front = cover(
        torch.maximum(torch.maximum(outer, grid.v - line), grid.v - reach), grid.edge * 1.6
    )
    spread = 0.075 + 0.075 * (grid.v + 0.3).clamp(0, 1)
    curtain = torch.maximum(grid.u.abs() - marks.face_width - spread, -0.2 - grid.v)
    back = torch.minimum(
        outer, torch.where(long | bob, torch.maximum(curtain, grid.v - reach), outer)
    )
    back = torch.where(tied | long | bob, back, torch.maximum(back, grid.v - reach))
    back = torch.where(tied & (marks.child > 0), torch.minimum(back, pigtails(grid, marks)), back)
    return cover(back, grid.edge * 1.6), front


def pigtails(grid: Grid, marks: Landmarks) -> Tensor:
    """Signed distance to the two bunches that tied hair makes on a girl."""
    x, y = (grid.u.abs() - marks.face_width - 0.1) / 0.13, (grid.v - 0.25) / 0.42
    return ((x.square() + y.square()).sqrt() - 1) * 0.13


def backdrop(colours: Tensor, size: int) -> Tensor:
    """Background [N, 3, S, S] running from a top colour to a bottom colour, [N, 6] together."""
    t = torch.linspace(0, 1, size).view(1, 1, -1, 1)
    return torch.lerp(rgb(colours[:, :3]), rgb(colours[:, 3:]), t).expand(-1, -1, -1, size)


def shading(relief: Tensor, traits: Traits, size: int) -> Tensor:
    """Light [N, S, S] on a height map: ambient and Lambert terms, times the light's exposure."""
    slope_x = torch.gradient(relief, spacing=2 / size, dim=2)[0]
    slope_y = torch.gradient(relief, spacing=2 / size, dim=1)[0]
    x, y, z = (column(traits.light_direction[:, i]) for i in range(3))
    facing = (z - slope_x * x - slope_y * y) / (1 + slope_x.square() + slope_y.square()).sqrt()
    ambient = column(torch.tensor(AMBIENT)[traits.light])
    diffuse = facing.clamp(min=0) * 1.12 + 0.1 * facing.clamp(min=0).pow(8)
    return column(torch.tensor(GAIN)[traits.light]) * (ambient + (1 - ambient) * diffuse)
