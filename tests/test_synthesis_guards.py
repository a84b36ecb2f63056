"""The guards of synthesis: what they object to, which seed comes next, what the manifest keeps of
it."""

import numpy as np
import pandas as pd
import pytest

from fer_utils.core.errors import CompanionError
from fer_utils.core.faces import FaceSet
from fer_utils.datasets.gate import HeldOut
from fer_utils.synthesis.guards import NEXT_SEED, draw_sound, pixel_hash

ROWS = pd.DataFrame(
    {
        "id": [f"fear-{k:06d}" for k in range(4)],
        "generator": "sd2",
        "emotion": "fear",
        "prompt": [f"face {k}" for k in range(4)],
        "seed": [10, 11, 12, 13],
    }
)
CLEAN = {"known": set(), "attempts": 3}


def picture(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (64, 64, 3), dtype=np.uint8)


def drawing(**special):
    """A generator that draws noise from each seed; ``special`` maps 's<seed>' to another image, or
    None for NaN."""
    calls = []

    def draw(prompts, seeds):
        calls.append(list(seeds))
        found = [special.get(f"s{seed}", picture(seed)) for seed in seeds]
        return (
            np.stack([picture(0) if image is None else image for image in found]),
            np.array([image is not None for image in found]),
        )

    draw.calls = calls
    return draw


def test_sound_images_keep_their_seeds_and_hashes():
    images, rows = draw_sound(drawing(), ROWS, **CLEAN)
    assert (
        rows["seed"].tolist() == [10, 11, 12, 13]
        and (rows["attempt"] == 0).all()
        and (rows["rejected"] == "").all()
    )
    assert rows["sha256"].tolist() == [pixel_hash(image) for image in images]


@pytest.mark.parametrize(
    "fault, image",
    [
        ("black", np.full((64, 64, 3), 3, np.uint8)),
        ("constant", np.full((64, 64, 3), 140, np.uint8)),
        ("not a number", None),
        ("duplicate", picture(10)),
    ],
)
def test_an_unsound_image_is_made_again_with_the_next_seed_and_the_reason_is_kept(fault, image):
    draw = drawing(s12=image)
    images, rows = draw_sound(draw, ROWS, **CLEAN)
    assert rows["seed"].tolist() == [10, 11, 12 + NEXT_SEED, 13]
    assert rows["attempt"].tolist() == [0, 0, 1, 0] and rows["rejected"].tolist() == [
        "",
        "",
        fault,
        "",
    ]
    assert np.array_equal(images[2], picture(12 + NEXT_SEED))
    assert draw.calls == [
        [10, 11, 12, 13],
        [12 + NEXT_SEED],
    ], "only the unsound image is drawn again"


def test_an_image_that_was_there_before_counts_as_a_duplicate():
    _, rows = draw_sound(drawing(), ROWS, known={pixel_hash(picture(11))}, attempts=3)
    assert rows["rejected"].tolist() == ["", "duplicate", "", ""]


def test_a_copy_of_a_test_face_is_made_again():
    test_face = FaceSet(
        picture(13)[None, :, ::-1].copy(), np.array([2]), np.array(["test-0"]), np.array(["test"])
    )
    _, rows = draw_sound(drawing(), ROWS, **CLEAN, held_out=HeldOut([test_face]))
    assert rows["rejected"].tolist() == ["", "", "", "copy of a validation or test face"]


def test_reasons_of_several_attempts_are_kept_in_order():
    black = np.zeros((64, 64, 3), np.uint8)
    _, rows = draw_sound(drawing(s11=black, **{f"s{11 + NEXT_SEED}": picture(10)}), ROWS, **CLEAN)
    assert rows["rejected"][1] == "black; duplicate" and rows["seed"][1] == 11 + 2 * NEXT_SEED


def test_a_model_that_draws_only_black_ends_in_an_error_that_says_what_to_change():
    with pytest.raises(
        CompanionError, match="4 images.*3 seeds.*fear-000000.*black; black; black.*bfloat16"
    ):
        draw_sound(
            lambda prompts, seeds: (
                np.zeros((len(seeds), 64, 64, 3), np.uint8),
                np.ones(len(seeds), bool),
            ),
            ROWS,
            **CLEAN,
        )


def test_whether_images_are_drawn_together_or_alone_changes_no_row():
    special = {"s12": picture(10), "s13": np.zeros((64, 64, 3), np.uint8)}
    together = draw_sound(drawing(**special), ROWS, **CLEAN)[1]
    alone, known = [], set()
    for k in range(len(ROWS)):
        alone.append(draw_sound(drawing(**special), ROWS.iloc[[k]], known=known, attempts=3)[1])
        known |= set(alone[-1]["sha256"])
    pd.testing.assert_frame_equal(together, pd.concat(alone, ignore_index=True))
