"""Copies are found whatever was done to them, and none of them enters a training set."""

import io
import json

import numpy as np
import pytest
import torch
from PIL import Image

from fer_utils.core.errors import CompanionError
from fer_utils.core.faces import FaceSet, concatenate
from fer_utils.core.profiles import load_profile
from fer_utils.datasets import load_splits, prepare_splits, stored_splits
from fer_utils.datasets.gate import KINDS, admit, copies, read_verdict, refuse_copies
from fer_utils.datasets.integrity import disagreements, integrity_table
from fer_utils.datasets.pairs import example_pairs
from fer_utils.datasets.splits import Splits
from fer_utils.datasets.twins import closest_pairs, constant, near_pairs, picture_numbers, portraits

PROFILE = load_profile("paper")
TINY = ["data.scale=0.004", "data.evaluation_scale=0.02"]


def face_set(images, name="x") -> FaceSet:
    images = np.asarray(images, np.uint8)
    images = images[..., None] if images.ndim == 3 else images
    count = len(images)
    return FaceSet(
        images,
        np.arange(count) % 7,
        np.array([f"{name}-{i}" for i in range(count)], dtype=str),
        np.full(count, name),
    )


def noise(count, size=48, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, size, size), dtype=np.uint8)


@pytest.fixture(scope="module")
def drawn():
    return load_splits("demo_fer2013", load_profile("demo", TINY))


def resaved(image):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=75)
    return np.asarray(Image.open(buffer))


def brightened(factor):
    return lambda image: np.clip(np.rint(image * factor), 0, 255).astype(np.uint8)


def without_edges(left, top, right, bottom):
    return lambda image: np.asarray(
        Image.fromarray(image)
        .crop((left, top, 48 - right, 48 - bottom))
        .resize((48, 48), Image.Resampling.BILINEAR)
    )


ALTERED = {
    "identical": lambda image: image,
    "mirrored": lambda image: image[:, ::-1],
    "jpeg 75": resaved,
    "brighter by a tenth": brightened(1.1),
    "darker by a tenth": brightened(0.9),
    "two pixels off every edge": without_edges(2, 2, 2, 2),
    "two pixels off one corner": without_edges(2, 2, 0, 0),
    "a pixel off every edge": without_edges(1, 1, 1, 1),
    "two pixels off the left": without_edges(2, 0, 0, 0),
}


def test_two_faces_have_one_number_exactly_if_their_pixels_are_equal():
    images = noise(6)
    images[4] = images[1]
    images[5] = images[1]
    images[5, 0, 0] ^= 1
    numbers = picture_numbers(face_set(images))
    assert numbers[4] == numbers[1] and len(set(numbers)) == 5


def test_near_pairs_are_those_of_a_plain_search(drawn):
    first, second = portraits(drawn.train), portraits(drawn.test)
    likeness = first.flat @ second.flat.T
    for threshold in (0.5, 0.8):
        rows, columns = torch.nonzero(likeness >= threshold, as_tuple=True)
        found = near_pairs(first, second, correlation=threshold)
        assert len(rows) and set(zip(found["first"], found["second"])) == set(
            zip(rows.tolist(), columns.tolist())
        )


def test_correlation_does_not_see_brightness_and_contrast_and_is_that_of_numpy():
    image = noise(1)[0] // 2
    found = near_pairs(
        portraits(face_set([image])), portraits(face_set([image // 2 * 2 + 20])), correlation=0.9
    )
    expected = np.corrcoef(image.ravel(), (image // 2 * 2 + 20).ravel())[0, 1]
    assert found["correlation"][0] == pytest.approx(expected, abs=1e-5)


def test_a_constant_face_correlates_with_nothing_but_is_found_as_constant():
    faces = face_set([np.full((48, 48), 7), *noise(2)])
    assert constant(faces).tolist() == [True, False, False]
    assert set(near_pairs(portraits(faces), portraits(faces))["first"]) == {1, 2}


def test_no_pair_at_all_is_an_empty_table():
    found = near_pairs(portraits(face_set(noise(3))), portraits(face_set(noise(3, seed=1))))
    assert found.empty and list(found) == ["first", "second", "correlation"]


def test_the_closest_pairs_use_each_face_once(drawn):
    found = closest_pairs(portraits(drawn.train), portraits(drawn.test), 10)
    assert (
        found["first"].is_unique
        and found["second"].is_unique
        and found["correlation"].is_monotonic_decreasing
    )


@pytest.mark.parametrize("alteration", ALTERED)
def test_an_altered_copy_of_a_drawn_test_face_is_kept_out_with_the_face_it_copies(
    alteration, drawn
):
    faces = drawn.test.images[..., 0]
    altered = face_set([ALTERED[alteration](image) for image in faces], "copy")
    admitted, verdict = admit(altered, [drawn.validation, drawn.test], PROFILE)
    # grain that a crop smooths away
    assert len(admitted) <= 0.1 * len(faces) and verdict.checked == len(faces)
    copied, twins = (
        verdict.kept_out[column].str.extract(r"(\d+)$")[0].astype(int) for column in ("id", "twin")
    )
    assert (copied == twins).mean() > 0.95
    if alteration in ("identical", "mirrored"):
        assert set(verdict.kept_out["kind"]) == {alteration}


def test_a_mirrored_and_cropped_copy_in_colour_and_another_size_is_found(drawn):
    crop = without_edges(2, 2, 0, 0)
    images = [
        np.asarray(
            Image.fromarray(crop(image)[:, ::-1])
            .convert("RGB")
            .resize((64, 64), Image.Resampling.BICUBIC)
        )
        for image in drawn.test.images[..., 0]
    ]
    verdict = copies(face_set(images), [drawn.test], correlation=0.95)
    assert len(verdict.kept_out) >= 0.95 * len(images)


def test_pictures_that_have_nothing_in_common_pass(drawn):
    admitted, verdict = admit(face_set(noise(50)), [drawn.test], PROFILE)
    assert (
        len(admitted) == 50
        and verdict.kept_out.empty
        and verdict.counts() == dict.fromkeys(KINDS, 0)
    )


def test_a_constant_picture_of_a_test_set_is_kept_out():
    held_out, training = (
        face_set([np.full((48, 48), 3)]),
        face_set([*noise(1), np.full((48, 48), 3)]),
    )
    assert admit(training, [held_out], PROFILE)[0].ids.tolist() == ["x-0"]


def test_without_faces_to_compare_with_nothing_is_admitted():
    nothing = face_set(np.empty((0, 48, 48)))
    with pytest.raises(
        CompanionError, match="no validation or test faces.*no face can be admitted"
    ):
        admit(face_set(noise(2)), [nothing], PROFILE)


def test_a_gate_that_is_switched_off_admits_all_and_says_that_it_checked_none(drawn):
    profile = load_profile("paper", ["gate.enabled=false"])
    admitted, verdict = admit(drawn.test, [drawn.test], profile)
    assert len(admitted) == len(drawn.test) and verdict.checked == 0
    refuse_copies(drawn.test, [drawn.test], profile)


@pytest.mark.parametrize("wrong", [0.5, 1.1])
def test_a_correlation_that_would_take_different_people_for_one_is_refused(wrong, drawn):
    with pytest.raises(CompanionError, match="gate.correlation is .* between 0.8 and 1"):
        copies(drawn.train, [drawn.test], correlation=wrong)


def test_the_last_look_before_training_refuses_a_test_face_at_the_networks_size(drawn):
    training = concatenate(drawn.train, drawn.test.select([3])).resize(64, channels=1)
    with pytest.raises(
        CompanionError, match=r"1 faces of this training set.*Run|run stages 01 and 04 again"
    ):
        refuse_copies(training, [drawn.validation, drawn.test], PROFILE)
    refuse_copies(drawn.train.resize(64, channels=1), [drawn.validation, drawn.test], PROFILE)


def leaking(drawn) -> Splits:
    """Drawn splits with two test faces among the training faces, one of them mirrored."""
    leaked = drawn.test.select([0, 1])
    images = leaked.images.copy()
    images[1] = images[1, :, ::-1]
    return Splits(
        concatenate(
            drawn.train,
            FaceSet(images, leaked.labels, np.array(["leak-0", "leak-1"]), leaked.origin),
        ),
        drawn.validation,
        drawn.test,
    )


def test_stage_1_keeps_only_admitted_faces_and_says_which_it_kept_out(project, drawn):
    profile = load_profile("demo", TINY)
    kept = prepare_splits("demo_fer2013", profile, whole=leaking(drawn))
    assert kept.train.ids.tolist() == drawn.train.ids.tolist()
    verdict = read_verdict(profile.paths.gate("demo_fer2013"))
    assert dict(zip(verdict.kept_out["id"], verdict.kept_out["kind"])) == {
        "leak-0": "identical",
        "leak-1": "mirrored",
    }
    assert (verdict.checked, verdict.against) == (
        len(drawn.train) + 2,
        len(drawn.validation) + len(drawn.test),
    )


def test_stored_faces_without_a_verdict_are_not_used(project, drawn):
    profile = load_profile("demo", TINY)
    prepare_splits("demo_fer2013", profile, whole=drawn)
    profile.paths.gate("demo_fer2013").unlink()
    with pytest.raises(CompanionError, match="gate.*Run stage 01"):
        stored_splits("demo_fer2013", profile)


def test_a_verdict_that_is_cut_short_is_an_error_that_names_the_stage(project):
    path = project / "verdict.json"
    path.write_text(json.dumps({"checked": 3}))
    with pytest.raises(
        CompanionError, match="verdict.json can't be read.*no face enters a training set"
    ):
        read_verdict(path)


def test_example_pairs_show_copies_first_and_then_the_closest_admitted(drawn):
    splits = leaking(drawn)
    verdict = copies(splits.train, [splits.validation, splits.test], correlation=0.95)
    found = example_pairs(splits, verdict, 8)
    assert len(found) == 8 and [text.split("\n")[1].split(",")[0] for _, _, text in found[:2]] == [
        "identical",
        "mirrored",
    ]
    assert all("admitted" in text for _, _, text in found[2:])


def test_the_integrity_table_counts_what_was_planted(drawn):
    splits = leaking(drawn)
    # a set on whose labels there is no second opinion
    table = integrity_table("rafdb", splits, PROFILE)
    found = table.set_index(["check", "split", "of"])["found"]
    assert found["identical to a face in", "test", "train"] == 1
    assert found["correlates with a mirrored face in", "test", "train"] >= 1
    assert (
        found["distinct pictures", "all splits", ""]
        == sum(len(faces) for _, faces in splits.items()) - 1
    )
    assert table["expected"].isna().all() and disagreements(table).empty


@pytest.fixture(scope="module")
def real(data_for_module):
    return load_splits("fer2013", load_profile("fer2013"))


@pytest.fixture(scope="module")
def data_for_module(tmp_path_factory):
    """The real data folder with a project root of this module; skips where there is none."""
    import os
    from pathlib import Path

    from fer_utils.core.paths import PACKAGE

    folder = Path(os.environ.get("FER_DATA", PACKAGE.parent.parent / "shared" / "data")).resolve()
    if not (folder / "fer2013").is_dir():
        pytest.skip(f"no FER2013 in {folder}; set FER_DATA")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FER_DATA", str(folder))
        patch.setenv("FER_ROOT", str(tmp_path_factory.getbasetemp() / "real"))
        yield folder


@pytest.mark.realdata
def test_real_fer2013_holds_the_known_twins_constants_and_doubtful_labels(real):
    table = integrity_table("fer2013", real, load_profile("fer2013"))
    assert disagreements(table).empty and table["expected"].notna().all()
    found = table.set_index(["check", "split", "of"])["found"]
    assert found["distinct pictures", "all splits", ""] == 34_034
    same, other = "identical to a face in", "identical to a face in, under another label"
    assert (found[same, "test", "train"], found[other, "test", "train"]) == (288, 15)
    assert (found[same, "validation", "train"], found[other, "validation", "train"]) == (280, 13)
    assert (
        found[same, "test", "validation"] == 44
        and found["rows that repeat an earlier one", "train", ""] == 1_236
    )
    assert found["pictures under more than one label", "all splits", ""] == 57
    assert [found["constant images", split, ""] for split in ("train", "validation", "test")] == [
        11,
        1,
        0,
    ]
    near = "correlates with a face in"
    assert (found[near, "test", "train"], found[near, "validation", "train"]) == (394, 375)
    assert found["six of ten votes agree on another label", "test", ""] == 784


@pytest.mark.realdata
@pytest.mark.parametrize("alteration", ALTERED)
def test_of_200_real_test_faces_at_least_99_in_100_are_caught_after(alteration, real):
    chosen = np.random.default_rng(7).choice(len(real.test), 200, replace=False)
    altered = face_set(
        [ALTERED[alteration](image) for image in real.test.images[chosen, ..., 0]], "copy"
    )
    verdict = copies(altered, [real.validation, real.test], correlation=PROFILE.gate.correlation)
    assert len(verdict.kept_out) >= 198


@pytest.mark.realdata
def test_drawn_faces_are_no_copies_of_real_ones(real, drawn):
    verdict = copies(
        drawn.train, [real.validation, real.test], correlation=PROFILE.gate.correlation
    )
    assert verdict.kept_out.empty


@pytest.mark.realdata
@pytest.mark.slow
def test_of_the_untouched_training_faces_those_with_a_twin_and_the_crops_are_kept_out(real):
    verdict = copies(real.train, [real.validation, real.test], correlation=PROFILE.gate.correlation)
    counts, held_out = verdict.counts(), portraits(concatenate(real.validation, real.test))
    assert counts["identical"] == 703 and len(verdict.kept_out) == 1_789
    plain, mirrored = (
        near_pairs(portraits(real.train), side)["first"].nunique()
        for side in (held_out, held_out.mirrored())
    )
    uncropped = len(verdict.kept_out) - counts["cropped"] - counts["cropped and mirrored"]
    assert plain <= uncropped <= plain + mirrored + constant(real.train).sum()
