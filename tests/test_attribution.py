"""Maps of evidence point at the place where a network really looks."""

import numpy as np
import pytest
import torch
from torch import nn

from fer_utils.core.faces import FaceSet
from fer_utils.evaluation.mistakes import mistaken, most_confused, surest_hits, worst_mistakes
from fer_utils.training.attribution import agreement, grad_cam, hires_cam, occlusion, overlay
from fer_utils.training.resemotenet import ResEmoteNet

SIZE = 32
DARKEST = 2.118  # a black pixel's red after normalising, with the other sign


class OneQuadrant(nn.Module):
    """Class 0 is the brightness of the upper left quadrant, class 1 that of the lower right one."""

    image_size = SIZE

    def __init__(self):
        super().__init__()
        self.se = nn.AvgPool2d(4)
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, images):
        features = self.se(images + DARKEST).mean(1)
        return (
            torch.stack([features[:, :4, :4].mean((1, 2)), features[:, 4:, 4:].mean((1, 2))], dim=1)
            + 0 * self.unused
        )


class OneColourAnywhere(OneQuadrant):
    """Class 0 is the amount of red in the whole image: Grad-CAM's own case, a mean over places."""

    def forward(self, images):
        features = self.se(images + DARKEST)
        return (
            torch.stack([features[:, 0].mean((1, 2)), features[:, 2].mean((1, 2))], dim=1)
            + 0 * self.unused
        )


def some_faces(count=3):
    random = np.random.default_rng(0)
    images = random.integers(90, 160, (count, SIZE, SIZE, 3), dtype=np.uint8)
    return FaceSet(
        images, np.zeros(count, np.int64), np.arange(count).astype(str), np.full(count, "x")
    )


def share(maps, rows, columns):
    """How much of each map lies in a part of it."""
    return maps[:, rows, columns].sum((1, 2)) / maps.sum((1, 2))


@pytest.mark.parametrize("find", [hires_cam, occlusion])
def test_a_network_that_looks_at_one_quadrant_is_caught_looking_there(find):
    upper_left, lower_right = slice(0, SIZE // 2), slice(SIZE // 2, SIZE)
    for target, part in ((0, upper_left), (1, lower_right)):
        faces = some_faces()
        # evidence, which an occlusion by the mean colour takes away
        faces.images[:, part, part] += 90
        maps = find(OneQuadrant(), faces, [target] * 3)
        assert maps.shape == (3, SIZE, SIZE) and maps.dtype == np.float32
        assert (share(maps, part, part) > 0.75).all()


@pytest.mark.parametrize("find", [grad_cam, hires_cam, occlusion])
def test_a_network_that_looks_for_red_is_caught_at_the_red_spot(find):
    faces = some_faces()
    faces.images[..., 0], faces.images[:, 18:28, 4:14, 0] = 0, 255
    maps = find(OneColourAnywhere(), faces, [0, 0, 0])
    assert (share(maps, slice(16, 30), slice(2, 16)) > 0.6).all()


def test_maps_are_shares_of_their_maximum_at_the_size_asked_for():
    maps = hires_cam(OneQuadrant(), some_faces(), [0, 1, 0], size=(50, 70))
    assert maps.shape == (3, 50, 70) and maps.min() >= 0
    np.testing.assert_allclose(maps.max((1, 2)), 1)


def test_without_any_evidence_the_map_is_zero_and_has_no_agreement():
    class Blind(OneQuadrant):
        def forward(self, images):
            return super().forward(images) * -1

    maps = hires_cam(Blind(), some_faces(), [0, 0, 0])
    assert (maps == 0).all()
    assert np.isnan(agreement(maps, np.random.default_rng(0).random(maps.shape))).all()


@pytest.mark.parametrize("find", [grad_cam, hires_cam, occlusion])
def test_resemotenet_itself_can_be_asked_and_stays_as_it_was(find):
    model = ResEmoteNet(0.0625, image_size=SIZE)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert find(model, some_faces(), [0, 3, 6]).shape == (3, SIZE, SIZE)
    assert find(model, some_faces(0), []).shape == (0, SIZE, SIZE)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not model.se._forward_hooks


def test_agreement_is_pearsons_correlation():
    random = np.random.default_rng(0)
    first, second = random.random((4, 5, 6)), random.random((4, 5, 6))
    expected = [np.corrcoef(a.flatten(), b.flatten())[0, 1] for a, b in zip(first, second)]
    np.testing.assert_allclose(agreement(first, second), expected)


@pytest.mark.parametrize("channels", [1, 3])
def test_an_overlay_keeps_the_face_where_there_is_no_heat_and_hides_it_where_there_is(channels):
    face, heat = np.full((4, 6, channels), 77, np.uint8), np.zeros((4, 6), np.float32)
    heat[2, 3] = 1
    shown = overlay(face, heat)
    assert shown.shape == (4, 6, 3) and shown.dtype == np.uint8
    assert (np.delete(shown.reshape(-1, 3), 2 * 6 + 3, axis=0) == 77).all() and np.ptp(
        shown[2, 3].astype(int)
    ) > 30


ANSWERS = np.array(
    [
        [0.7, 0.3, 0, 0, 0, 0, 0],
        [0.1, 0.9, 0, 0, 0, 0, 0],
        [0, 0.6, 0.4, 0, 0, 0, 0],
        [0.2, 0.8, 0, 0, 0, 0, 0],
        [0, 0, 1, 0, 0, 0, 0],
        [0.4, 0.6, 0, 0, 0, 0, 0],
        [0, 0.55, 0.45, 0, 0, 0, 0],
    ]
)
LABELS = np.array([0, 0, 1, 0, 0, 1, 1])


def test_the_worst_mistakes_are_those_of_most_confidence():
    assert worst_mistakes(ANSWERS, LABELS, 2).tolist() == [4, 1]
    assert worst_mistakes(ANSWERS, LABELS, 9).tolist() == [4, 1, 3]
    assert worst_mistakes(ANSWERS[:1], LABELS[:1], 3).tolist() == []


def test_the_surest_hits_are_one_for_each_emotion_that_has_one():
    assert surest_hits(ANSWERS, LABELS).tolist() == [0, 2]
    assert surest_hits(ANSWERS[1:2], LABELS[1:2]).tolist() == []


def test_the_most_confused_pair_is_named_in_the_direction_of_the_more_common_error():
    assert most_confused(ANSWERS, LABELS) == (0, 1)
    swapped = ANSWERS[:, [1, 0, 2, 3, 4, 5, 6]]
    assert most_confused(swapped, 1 - LABELS) == (1, 0)
    assert mistaken(ANSWERS, LABELS, 0, 1).tolist() == [1, 3]
