"""The drawn faces: deterministic, moved by action units alone, and shaped as each camera
promises."""

from dataclasses import replace

import pytest
import torch

from fer_utils.core.emotions import EMOTIONS
from fer_utils.datasets.drawing import draw_faces
from fer_utils.datasets.drawing_parts import ACTION_UNITS
from fer_utils.datasets.population import (
    COLOUR_CROWD,
    GRAYSCALE_CROWD,
    PERSONS,
    PROTOTYPES,
    WEB,
    Population,
    Traits,
    express,
    sample_identities,
    sample_traits,
    take_pictures,
)

NEUTRAL = EMOTIONS.index("neutral")


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def one_face_per_emotion(population: Population, *, seed: int = 1) -> Traits:
    generator = seeded(seed)
    people = sample_identities(len(EMOTIONS), population, generator=generator)
    return sample_traits(people, range(len(EMOTIONS)), population, generator=generator)


@pytest.mark.parametrize(
    "population", [WEB, GRAYSCALE_CROWD, COLOUR_CROWD], ids=["web", "gray", "colour"]
)
def test_the_same_seed_gives_identical_pictures(population):
    first, second = (
        take_pictures(one_face_per_emotion(population), population.camera, generator=seeded(2))
        for _ in range(2)
    )
    assert torch.equal(first, second)


@pytest.mark.parametrize(
    ("population", "shape"),
    [(WEB, (7, 64, 64, 3)), (GRAYSCALE_CROWD, (7, 48, 48, 1)), (COLOUR_CROWD, (7, 100, 100, 3))],
    ids=["web", "gray", "colour"],
)
def test_each_camera_gives_the_size_and_channels_of_its_data_set(population, shape):
    pictures = take_pictures(
        one_face_per_emotion(population), population.camera, generator=seeded(2)
    )
    assert pictures.dtype == torch.uint8
    assert tuple(pictures.shape) == shape


@pytest.mark.parametrize("emotion", range(len(EMOTIONS)), ids=EMOTIONS)
def test_an_expression_at_intensity_zero_equals_the_neutral_face_pixel_for_pixel(emotion):
    still = replace(WEB, intensity=(0.0, 0.0))
    people = sample_identities(4, WEB, generator=seeded(3))
    shown = sample_traits(people, [emotion] * 4, still, generator=seeded(4))
    neutral = sample_traits(people, [NEUTRAL] * 4, WEB, generator=seeded(4))
    assert torch.equal(draw_faces(shown), draw_faces(neutral))


@pytest.mark.parametrize("emotion", range(len(EMOTIONS)), ids=EMOTIONS)
def test_an_emotion_moves_the_action_units_of_its_prototype_and_no_others(emotion):
    units = express(torch.full((200,), emotion), torch.ones(200), 0.2, generator=seeded(5))
    moved = {unit for i, unit in enumerate(ACTION_UNITS) if (units[:, i] > 0).any()}
    assert moved == set(PROTOTYPES[EMOTIONS[emotion]])
    assert units.min() >= 0
    assert units.max() <= 1.15


def test_an_emotion_changes_the_face_and_nothing_else_that_is_drawn_at_random():
    people = sample_identities(4, WEB, generator=seeded(6))
    happy, sad = (
        sample_traits(people, [EMOTIONS.index(name)] * 4, WEB, generator=seeded(7))
        for name in ("happy", "sad")
    )
    assert torch.equal(happy.pose, sad.pose)
    assert torch.equal(happy.light_direction, sad.light_direction)
    assert torch.equal(happy.background, sad.background)


def test_a_mirrored_pose_under_mirrored_light_draws_the_mirrored_face():
    turned = one_face_per_emotion(replace(WEB, pose_spread=0.2))
    flip = torch.tensor([-1.0, -1, 1, 1, -1, 1])
    mirrored = replace(
        turned,
        identities=replace(turned.identities, parting=-turned.identities.parting),
        pose=turned.pose * flip,
        gaze=-turned.gaze,
        light_direction=turned.light_direction * torch.tensor([-1.0, 1, 1]),
    )
    # Strands of hair and the glint in the eyes keep their side; the middle of the face has only the
    # glint.
    middle = (slice(None), slice(24, 56), slice(12, 52))
    face, reflection = draw_faces(turned).float(), draw_faces(mirrored).float()
    assert (face - reflection.flip(2))[middle].abs().mean() < 2
    assert (face - reflection)[middle].abs().mean() > 8


def test_drawing_in_several_chunks_gives_the_faces_of_one_face_at_a_time():
    people = sample_identities(70, WEB, generator=seeded(8))
    traits = sample_traits(people, [0] * 70, WEB, generator=seeded(9))
    together, alone = draw_faces(traits), draw_faces(traits.select(torch.tensor([66])))
    assert (together[66:67].int() - alone.int()).abs().max() <= 1


def test_children_are_younger_than_thirteen_and_have_no_beard():
    people = sample_identities(500, WEB, generator=seeded(10))
    children = people.select(people.person >= PERSONS.index("boy"))
    assert children.age.max() < 13
    assert not children.beard.any()
    assert (people.age[people.person < PERSONS.index("boy")] >= 13).all()


def test_no_faces_are_drawn_from_no_traits():
    assert draw_faces(one_face_per_emotion(WEB).select(slice(0, 0))).shape == (0, 64, 64, 3)
