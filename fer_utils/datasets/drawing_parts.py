"""The parts of a drawn face, each moved by facial action units.

Everything here works on a batch: a *map* is a float tensor [N, S, S], a *column* is a per-face
number shaped [N, 1, 1] so that it meets maps. Coordinates run from -1 to 1 over the frame, `v`
downwards. Both halves of a face share one computation because parts are drawn against `side`, the
distance from the face's own midline.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

ACTION_UNITS = (1, 2, 4, 5, 6, 7, 9, 12, 15, 16, 20, 23, 25, 26)
"""The facial action units (Ekman and Friesen's numbers) that the drawing knows, in column order."""

Units = Mapping[int, Tensor]


@dataclass(frozen=True)
class Grid:
    """Where each pixel lies: on the head (`u`, `v`) and on the face's turned surface (`side`,
    `down`)."""

    u: Tensor
    v: Tensor
    across: Tensor
    side: Tensor
    down: Tensor
    edge: float


@dataclass(frozen=True)
class Landmarks:
    """Columns with the places and proportions that several parts share, for one batch of people."""

    child: Tensor
    old: Tensor
    female: Tensor
    face_width: Tensor
    jaw: Tensor
    chin: Tensor
    eye_x: Tensor
    eye_y: Tensor
    eye_width: Tensor
    brow_y: Tensor
    nose_y: Tensor
    nose_width: Tensor
    mouth_y: Tensor
    mouth_width: Tensor


@dataclass(frozen=True)
class Eyes:
    """Maps of the two eyes: coverage of the opening, iris, pupil and glint, and darkness of the
    lids."""

    opening: Tensor
    iris: Tensor
    pupil: Tensor
    glint: Tensor
    lid_shadow: Tensor
    lash: Tensor
    creases: Tensor


@dataclass(frozen=True)
class Mouth:
    """Maps of the mouth: coverage of lips, cavity, teeth and tongue, and darkness of the closed
    line."""

    lips: Tensor
    cavity: Tensor
    teeth: Tensor
    tongue: Tensor
    line: Tensor
    relief: Tensor


def cover(distance: Tensor, edge: float | Tensor) -> Tensor:
    """Coverage 0..1 of a shape from its signed distance (negative inside), antialiased over
    `edge`."""
    return (0.5 - distance / edge).clamp(0, 1)


def bump(x: Tensor, y: Tensor) -> Tensor:
    """A soft round hill: 1 in the middle, about 0.37 at unit distance."""
    return torch.exp(-(x.square() + y.square()))


def stroke(distance: Tensor, half_width: float | Tensor) -> Tensor:
    """Darkness 1 on a curve, fading smoothly to 0 beside it; wide enough to survive one pixel."""
    return torch.exp(-(distance / half_width).square())


def window(x: Tensor, low: float | Tensor, high: float | Tensor, soft: float) -> Tensor:
    """1 between two limits and 0 outside them, with soft ends."""
    return ((x - low) / soft + 0.5).clamp(0, 1) * ((high - x) / soft + 0.5).clamp(0, 1)


def brows(grid: Grid, marks: Landmarks, units: Units, thickness: Tensor) -> Tensor:
    """Coverage of both eyebrows.

    Inner ends rise with unit 1, outer ends with 2; unit 4 lowers and draws together. Where 1 and 4
    work at once the inner end still rises (sadness), and with 2 as well the brow is raised and
    straight (fear).
    """
    inner_up, outer_up, lower = units[1], units[2], units[4]
    nose = units[9]
    start = marks.eye_x - 0.195 - 0.05 * lower - 0.02 * nose
    end = marks.eye_x + 0.235 + 0.01 * outer_up
    t = (grid.side - start) / (end - start)
    inside = t.clamp(0, 1)
    alone = (1 - inner_up).clamp(0, 1)
    sorrow = inner_up * (1 - outer_up).clamp(0, 1)
    at_inner = (
        -0.15 * inner_up + lower * (0.165 * alone - 0.02 * inner_up) + 0.08 * nose - 0.04 * sorrow
    )
    at_outer = -0.12 * outer_up + lower * alone * -0.01 + 0.075 * sorrow + 0.03 * nose
    arch = 0.05 + 0.02 * marks.female + 0.09 * outer_up * (1 - lower).clamp(0, 1) - 0.03 * lower
    course = marks.brow_y + at_inner * (1 - inside) + at_outer * inside
    course = course - arch * 4 * (inside * (1 - inside)) * (0.6 + 0.55 * inside) + 0.03 * inside
    half = thickness * (1.05 - 0.62 * inside.square()) * (0.75 + 0.25 * (inside * 6).clamp(0, 1))
    overshoot = (t - inside).abs() * (end - start)
    distance = torch.maximum((grid.down - course).abs() - half, overshoot - 0.01)
    return cover(distance, grid.edge * 1.25)


def eyes(grid: Grid, marks: Landmarks, units: Units, gaze: Tensor) -> Eyes:
    """Both eyes. Unit 5 lifts the upper lids, 7 tightens both, 6 pushes the lower lids up from the
    cheeks."""
    raise_, tighten, cheek, nose = units[5], units[7], units[6], units[9]
    sorrow = units[1] * (1 - units[2]).clamp(0, 1)
    glare = units[4] * (1 - units[1]).clamp(0, 1)
    width = marks.eye_width
    p = (grid.side - marks.eye_x) / width
    slant = 0.016 - 0.05 * sorrow + 0.012 * glare - 0.02 * marks.old
    q = grid.down - marks.eye_y + slant * p
    arc = (1 - p.square()).clamp(min=0)
    full = arc * (1.55 - 0.55 * arc)
    tall = width / 0.18
    fear_free = (1 - 0.6 * raise_).clamp(0, 1)
    upper = (
        tall * (0.082 + 0.012 * marks.child - 0.012 * marks.old)
        + 0.062 * raise_
        - fear_free * (0.02 * tighten + 0.012 * cheek)
    )
    upper = (upper - 0.03 * sorrow - 0.036 * nose).clamp(min=0.012)
    lower = tall * 0.058 + 0.015 * raise_ - fear_free * 0.028 * tighten - 0.05 * cheek - 0.03 * nose
    top = (
        upper * full
        - glare * 0.032 * (0.6 - p.clamp(-1, 1)) * arc
        + sorrow * 0.02 * p.clamp(-1, 1) * -arc
    )
    bottom = lower * full
    outside = (p.abs() - 1) * width
    opening = cover(torch.maximum(torch.maximum(-(q + top), q - bottom), outside), grid.edge)
    x = grid.side - marks.eye_x - gaze * torch.sign(grid.across)
    y = grid.down - marks.eye_y + 0.012
    radius = (x.square() + y.square()).sqrt()
    iris = 0.081 + 0.02 * marks.child - 0.008 * raise_
    within = window(p, -1.05, 1.08, 0.25)
    lid_line = (q + top).abs()
    lash = stroke(lid_line, 0.021 + 0.009 * marks.female) * within
    fold = (
        stroke(q + top + 0.045 - 0.02 * raise_, 0.02)
        * within
        * (0.3 + 0.25 * marks.old + 0.2 * raise_)
    )
    rim = stroke(q - bottom - 0.012, 0.017) * within * (0.28 + 0.3 * tighten + 0.3 * cheek)
    pouch = stroke(q - bottom - 0.085 * (0.4 + 0.6 * arc), 0.026) * window(p, -0.9, 1.0, 0.4)
    pouch = pouch * (0.4 * cheek + 0.25 * tighten + 0.32 * marks.old + 0.2 * nose)
    return Eyes(
        opening=opening,
        iris=cover(radius - iris, grid.edge) * opening,
        pupil=cover(radius - 0.45 * iris, grid.edge) * opening,
        glint=cover(
            ((x * torch.sign(grid.across) + 0.03).square() + (y + 0.032).square()).sqrt() - 0.02,
            grid.edge,
        )
        * opening,
        lid_shadow=stroke(q + top, 0.05) * opening,
        lash=lash,
        creases=torch.maximum(fold, torch.maximum(rim, pouch)),
    )


def nose(grid: Grid, marks: Landmarks, units: Units) -> tuple[Tensor, Tensor]:
    """Relief and darkness of the nose; unit 9 widens and lifts the wings and wrinkles the
    bridge."""
    wrinkle = units[9]
    bottom = marks.nose_y - 0.045 * wrinkle
    wide = marks.nose_width * (1 + 0.18 * wrinkle + 0.1 * units[12])
    size = 1 - 0.4 * marks.child
    bridge = stroke(grid.side, 0.085) * window(grid.down, marks.eye_y - 0.12, bottom, 0.25)
    tip = bump(grid.side / (0.1 + 0.3 * (wide - 0.1)), (grid.down - bottom + 0.07) / 0.1)
    wing = bump((grid.side - wide * 0.9) / 0.055, (grid.down - bottom + 0.045) / 0.065)
    relief = size * (0.075 * bridge + 0.12 * tip + 0.055 * wing)
    nostril = bump((grid.side - wide * 0.5) / 0.042, (grid.down - bottom + 0.008) / 0.024)
    curl = stroke(
        (
            ((grid.side - wide * 0.78) / 0.07).square()
            + ((grid.down - bottom + 0.045) / 0.075).square()
        ).sqrt()
        - 1,
        0.32,
    )
    curl = curl * window(grid.side, wide * 0.92, 1.0, 0.06) * (0.3 + 0.4 * wrinkle)
    under = (
        stroke(grid.down - bottom - 0.022, 0.025) * window(grid.side, -1.0, wide * 0.7, 0.1) * 0.22
    )
    dark = torch.maximum(0.62 * nostril, torch.maximum(curl, under))
    rows = torch.cos((grid.down - marks.eye_y + 0.35 * grid.side) * 62).clamp(min=0)
    scrunch = (
        rows
        * window(grid.side, -1.0, 0.16, 0.08)
        * window(grid.down, marks.eye_y - 0.07, marks.eye_y + 0.17, 0.06)
    )
    return relief, torch.maximum(dark, 0.5 * wrinkle * scrunch)


def mouth(grid: Grid, marks: Landmarks, units: Units, fullness: Tensor) -> Mouth:
    """The mouth. 12 lifts and 15 lowers the corners, 20 stretches, 23 presses, 16, 25 and 26 open
    it."""
    smile, frown, stretch, press = units[12], units[15], units[20], units[23]
    nose_up, lower_lip, part, drop = units[9], units[16], units[25], units[26]
    round_ = drop * (1 - stretch).clamp(0, 1)
    width = marks.mouth_width * (
        1 + 0.42 * smile + 0.36 * stretch - 0.27 * round_ - 0.06 * press + 0.1 * frown
    )
    p2 = (grid.side / width).square()
    arc = (1 - p2).clamp(min=0)
    box = (0.8 * lower_lip + 0.9 * stretch + 0.25 * part).clamp(0, 1)
    profile = torch.lerp(arc * (1.55 - 0.55 * arc), 1 - (1 - arc).square().square(), box)
    corner = -0.19 * smile + 0.15 * frown + 0.05 * stretch - 0.02 * press
    centre = marks.mouth_y + 0.045 * smile - 0.035 * frown + 0.015 * round_ - 0.02 * nose_up
    middle = centre + corner * p2.clamp(max=1.15)
    gap_up = 0.06 * nose_up + 0.012 * part + 0.125 * round_ + 0.085 * drop * stretch.clamp(0, 1)
    gap_low = (
        0.14 * part
        + 0.23 * round_
        + 0.085 * lower_lip
        + 0.16 * drop * stretch.clamp(0, 1)
        + 0.02 * stretch
    )
    top, bottom = middle - gap_up * profile, middle + gap_low * profile
    thin = (1 - 0.72 * press - 0.22 * smile - 0.2 * stretch - 0.15 * nose_up).clamp(min=0.15)
    bow = 1 - 0.22 * stroke(grid.side, 0.045)
    upper_lip = 0.056 * fullness * thin * bow
    lower_lip_size = 0.075 * fullness * thin + 0.022 * frown * (1 - lower_lip).clamp(0, 1)
    shape = arc * (1.6 - 0.6 * arc)
    outline = torch.maximum(
        top - upper_lip * shape - grid.down, grid.down - bottom - lower_lip_size * shape
    )
    beyond = (p2.clamp(min=1e-6).sqrt() - 1) * width
    lips = cover(torch.maximum(outline, beyond), grid.edge * 1.3)
    gap = ((gap_up + gap_low) / 0.03).clamp(0, 1)
    cavity = (
        cover(torch.maximum(torch.maximum(top - grid.down, grid.down - bottom), beyond), grid.edge)
        * gap
    )
    upper_teeth = 0.012 + 0.1 * part + 0.035 * drop + 0.05 * nose_up
    lower_teeth = 0.06 * lower_lip + 0.055 * stretch * drop
    teeth = torch.maximum(
        cover(grid.down - top - upper_teeth * profile, grid.edge),
        cover(bottom - lower_teeth - grid.down, grid.edge),
    )
    teeth = teeth * cavity * window(p2, -1.0, 0.88, 0.25) * gap
    tongue = (
        bump(grid.side / (0.6 * width), (grid.down - bottom) / 0.09) * cavity * round_.clamp(0, 1)
    )
    reach = window(p2, -1.0, 1.12, 0.2)
    line = stroke(grid.down - middle, 0.021 + 0.006 * press) * reach * (0.8 * (1 - gap) + 0.12)
    dimple = bump((grid.side - width * 1.03) / 0.045, (grid.down - centre - corner) / 0.045)
    line = torch.maximum(
        line, dimple * (0.28 + 0.35 * (smile + frown + stretch + 0.6 * press)).clamp(max=0.75)
    )
    shadow = stroke(grid.down - bottom - lower_lip_size - 0.045, 0.032) * window(
        grid.side, -1.0, width * 0.6, 0.2
    )
    line = torch.maximum(line, shadow * (0.18 + 0.25 * frown + 0.2 * press))
    return Mouth(
        lips=lips, cavity=cavity, teeth=teeth, tongue=tongue, line=line, relief=0.028 * lips * shape
    )


def wrinkles(grid: Grid, marks: Landmarks, units: Units) -> Tensor:
    """Darkness of the lines that expressions fold into skin and of those that age leaves there."""
    raised = (units[1] * units[2]).clamp(min=0).sqrt()
    sorrow = units[1] * (1 - units[2]).clamp(0, 1)
    lines = forehead_lines(grid, marks, raised, sorrow)
    frown_at = 0.055 + 0.03 * (grid.down - marks.brow_y)
    furrow = stroke(grid.side - frown_at, 0.02) * window(
        grid.down, marks.brow_y - 0.1, marks.brow_y + 0.11, 0.08
    )
    lines = torch.maximum(
        lines, furrow * (0.6 * units[4] + 0.3 * units[9] + 0.15 * marks.old).clamp(max=0.7)
    )
    lines = torch.maximum(lines, nasolabial_folds(grid, marks, units))
    x, y = grid.side - marks.eye_x - marks.eye_width * 1.05, grid.down - marks.eye_y
    rays = torch.cos(torch.atan2(y, x.clamp(min=0.01)) * 7.5).clamp(min=0).square()
    feet = rays * window(x, 0.02, 0.15, 0.05) * window(y, -0.12, 0.13, 0.06)
    return torch.maximum(
        lines, feet * (0.42 * units[6] * (1 - 0.7 * marks.child) + 0.38 * marks.old)
    )


def forehead_lines(grid: Grid, marks: Landmarks, raised: Tensor, sorrow: Tensor) -> Tensor:
    """Darkness of the horizontal lines: across the forehead when brows rise, short ones in
    sadness."""
    height = marks.brow_y - 0.14 - 0.1 * raised - grid.down - 0.12 * grid.side.square()
    rows = torch.cos((height - 0.03) * 63).clamp(min=0).square() * window(height, -0.03, 0.25, 0.05)
    across = window(grid.side, -1.0, 0.44, 0.2) * (
        0.4 * raised * (1 - 0.6 * marks.child) + 0.34 * marks.old
    )
    short = window(grid.side, -1.0, 0.15, 0.12) * 0.4 * sorrow
    return rows * torch.maximum(across, short)


def nasolabial_folds(grid: Grid, marks: Landmarks, units: Units) -> Tensor:
    """Darkness of the folds from the nose's wings to beside the mouth's corners."""
    top, bottom = (
        marks.nose_y - 0.05 - 0.03 * units[9],
        marks.mouth_y - 0.03 + 0.01 * units[12] + 0.17 * units[15],
    )
    t = ((grid.down - top) / (bottom - top)).clamp(0, 1)
    start = marks.nose_width * 1.25 + 0.02
    end = marks.mouth_width * (1.22 + 0.42 * units[12] + 0.34 * units[20]) + 0.035
    course = start + (end - start) * t * (1.35 - 0.35 * t) + 0.05 * units[9] * t * (1 - t)
    depth = 0.42 * units[12] + 0.5 * units[9] + 0.25 * units[20] + 0.15 * units[15]
    depth = (depth * (1 - 0.3 * marks.child) + 0.42 * marks.old + 0.05 * (1 - marks.child)).clamp(
        max=0.75
    )
    return stroke(grid.side - course, 0.027) * window(grid.down, top, bottom, 0.14) * depth


def glasses(grid: Grid, marks: Landmarks, square: Tensor) -> Tensor:
    """Coverage of a spectacle frame: two rims, a bridge and the arms."""
    x, y = (grid.side - marks.eye_x) / 0.265, (grid.down - marks.eye_y - 0.025) / 0.2
    ring = torch.lerp(
        (x.square() + y.square()).sqrt(),
        (x.square().square() + y.square().square()).clamp(min=1e-8).pow(0.25),
        square,
    )
    rim = cover((ring - 1).abs() * 0.22 - 0.012, grid.edge)
    straight = (grid.down - marks.eye_y + 0.06).abs() - 0.012
    gap = (grid.side - marks.eye_x).abs() * -1 + 0.26
    return torch.maximum(rim, cover(torch.maximum(straight, gap), grid.edge))
