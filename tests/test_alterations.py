"""Geometric copies of faces: turned, mirrored or cropped, each in its own way."""

import numpy as np

from fer_utils.balancing.alterations import WAYS, altered, altered_copies, way_of


def test_two_copies_of_a_face_differ_and_all_three_ways_occur():
    face = np.random.default_rng(0).integers(0, 256, (1, 24, 24, 1), np.uint8)
    names = [f"train-0+{number}" for number in range(1, 60)]
    ways = [way_of(name, 48) for name in names]
    assert {way for way, _ in ways} == set(WAYS) and len(set(ways)) > 20
    copies = altered_copies(np.repeat(face, len(names), 0), names, 24, channels=3)
    assert copies.shape == (59, 24, 24, 3) and len({copy.tobytes() for copy in copies}) > 15


def test_the_amounts_stay_within_the_authors_bounds_and_are_never_nothing():
    for width in (24, 48, 100):
        found = [way_of(f"face+{number}", width) for number in range(600)]
        degrees = [amount for way, amount in found if way == "rotated"]
        pixels = [amount for way, amount in found if way == "cropped"]
        assert (
            0 not in degrees
            and min(degrees) >= -30
            and max(degrees) <= 30
            and min(degrees) < 0 < max(degrees)
        )
        assert min(pixels) == 1 and max(pixels) == min(10, width // 4)


def test_mirroring_and_cropping_do_what_they_say():
    image = np.arange(8 * 8 * 3, dtype=np.uint8).reshape(8, 8, 3)
    assert np.array_equal(altered(image, "mirrored", 0)[:, 0], image[:, -1])
    assert np.array_equal(altered(image, "cropped", 2), image[2:6, 2:6])
    turned = altered(image[..., :1], "rotated", 30)
    assert turned.shape == (8, 8, 1) and turned[0, 0, 0] == 0
