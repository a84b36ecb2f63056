"""The reader, its view of synthetic faces, nearest training faces, the filter: on drawn faces of
three emotions."""

import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torchvision.models import inception_v3

from fer_utils import figures, tables
from fer_utils.balancing import pool_counts
from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.errors import CompanionError
from fer_utils.core.faces import FaceSet, concatenate
from fer_utils.core.paths import hub_checkpoint
from fer_utils.core.profiles import load_profile
from fer_utils.datasets import Splits
from fer_utils.datasets.demo_faces import draw_more
from fer_utils.datasets.twins import portraits
from fer_utils.prompts import prompt_table
from fer_utils.runner import pipeline
from fer_utils.runner.freshness import write_record
from fer_utils.runner.stages import STAGES, Unit, find_stage
from fer_utils.synthesis.quality import (
    assess_pool,
    attribute_counts,
    example_rows,
    inception,
    keep_good,
    kept,
    kept_table,
    largest_deviations,
    read_scores,
    write_scores,
)
from fer_utils.synthesis.quality.comparison import ALL, HALF, UNSEEN, together
from fer_utils.synthesis.quality.nearest import most_correlated, nearest_among_training_faces
from fer_utils.synthesis.quality.reader import read_faces, reader_of
from fer_utils.training import checkpoint

SET = "demo_fer2013"
READ = ("happy", "sad", "surprise")
COPIES = 12
SETTINGS = [
    "run.threads=1",
    "data.label_noise=0",
    "network.width=0.0625",
    "network.head_width=0.0",
    "network.image_size=32",
    "network.stem_dropout=0.2",
    "training.learning_rate=0.02",
    "quality.reader.max_epochs=20",
    "quality.reader.patience=30",
    "quality.reader.scheduler_patience=30",
    "quality.draws=5",
]


def demo(*overrides):
    """A reader small enough to train in seconds: 20 passes over few faces, where the demo's budget
    is hundreds."""
    return load_profile("demo_recipes", [*SETTINGS, *overrides])


def faces(seed, per_class, prefix=""):
    drawn = draw_more(SET, per_class, demo(f"data.seed={seed}"))
    drawn = drawn.select(np.isin(drawn.labels, [EMOTIONS.index(name) for name in READ]))
    return FaceSet(drawn.images, drawn.labels, np.char.add(prefix, drawn.ids), drawn.origin)


def from_generator(found, name, prefix):
    return FaceSet(
        found.images, found.labels, np.char.add(prefix, found.ids), np.full(len(found), name)
    )


def shuffled(pool):
    """The same faces, said to show other emotions than they do."""
    order = np.argsort(pool.labels, kind="stable")
    return FaceSet(
        pool.images,
        np.roll(pool.labels[order], len(pool) // 3)[np.argsort(order)],
        pool.ids,
        pool.origin,
    )


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A project folder for the whole module, so that the reader is trained once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FER_ROOT", str(tmp_path_factory.mktemp("quality")))
        patch.setenv("TORCH_HOME", str(tmp_path_factory.mktemp("hub")))
        yield


@pytest.fixture(scope="module")
def splits(root):
    validation = faces(2, 40, "v-")
    return Splits(faces(1, 120), validation, validation)


@pytest.fixture(scope="module")
def pool(splits):
    """sd2 draws new people; sd3 copies its first training faces, every second one mirrored, and is
    else the same."""
    copied = splits.train.select(slice(0, COPIES))
    images = copied.images.copy()
    images[::2] = images[::2, :, ::-1]
    copied = FaceSet(images, copied.labels, np.char.add("copy-", copied.ids), copied.origin)
    return concatenate(
        from_generator(faces(3, 40), "sd2", "2-"),
        from_generator(concatenate(faces(4, 40), copied), "sd3", "3-"),
    )


@pytest.fixture(scope="module")
def found(splits, pool):
    return assess_pool(SET, demo(), splits=splits, pool=pool)


def value(found, generator, metric, emotion=ALL, features="reader", column="value"):
    rows = found.table.set_index(["generator", "metric", "emotion", "features"])
    return rows.loc[(generator, metric, emotion, features), column]


@pytest.fixture
def epochs_of(splits, tmp_path, monkeypatch):
    """(overrides, splits) -> how many epochs ``reader_of`` trains for them now, in a project of its
    own."""
    monkeypatch.setenv("FER_ROOT", str(tmp_path))

    def count(*overrides, splits=splits):
        epochs = []
        reader_of(
            SET,
            replace(demo("quality.reader.max_epochs=1", *overrides), name="reader", overrides=()),
            splits,
            on_epoch=epochs.append,
        )
        return len(epochs)

    return count


def test_the_reader_is_trained_once_and_again_only_for_other_faces_or_settings(splits, epochs_of):
    assert [epochs_of(), epochs_of(), epochs_of("training.seeds=[7]", "quality.neighbours=2")] == [
        1,
        0,
        0,
    ]
    fewer = Splits(splits.train.select(slice(1, None)), splits.validation, splits.test)
    assert [
        epochs_of(splits=fewer),
        epochs_of("quality.seed=5"),
        epochs_of("network.width=0.125"),
        epochs_of(),
    ] == [1] * 4


def test_a_changed_training_loop_trains_the_reader_again_and_an_unchanged_one_does_not(
    epochs_of, tmp_path, monkeypatch
):
    package = tmp_path / "package"
    shutil.copytree(
        checkpoint.PACKAGE, package, ignore=shutil.ignore_patterns("weights", "__pycache__")
    )
    monkeypatch.setattr(checkpoint, "PACKAGE", package)
    assert [epochs_of(), epochs_of()] == [1, 0]
    (package / "figures" / "style.py").write_text("# trains nothing")
    assert epochs_of() == 0
    with open(package / "training" / "__init__.py", "a") as file:
        file.write("# another loop")
    assert [epochs_of(), epochs_of()] == [1, 0]


def test_a_forced_run_of_the_stage_trains_the_reader_again_and_a_stale_one_keeps_it(
    splits, project
):
    settings, unit = demo(), Unit(find_stage("synthesis", STAGES))
    reader = settings.paths.reader(SET) / "model.safetensors"
    for forced in (False, True):
        reader.parent.mkdir(parents=True, exist_ok=True)
        reader.touch()
        write_record(
            unit, settings, {"finished": True, "ingredients": {"setting": {"network.width": 1}}}
        )
        pipeline._clear(unit, settings, {"setting": {"network.width": 2}}, forced=forced)
        assert reader.exists() != forced


def test_an_interrupted_reader_is_trained_again(splits, tmp_path, monkeypatch):
    monkeypatch.setenv("FER_ROOT", str(tmp_path))
    settings, epochs = demo("quality.reader.max_epochs=1"), []

    def killed(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        reader_of(SET, settings, splits, on_epoch=killed)
    reader_of(SET, settings, splits, on_epoch=epochs.append)
    assert len(epochs) == 1
    (settings.paths.reader(SET) / "history.csv").unlink()  # written last
    reader_of(SET, settings, splits, on_epoch=epochs.append)
    assert len(epochs) == 2


def test_features_are_the_pooled_layer_and_probabilities_those_of_the_network(splits, found):
    reader = reader_of(SET, demo(), splits)
    some = splits.validation.select(slice(0, 9))
    read = read_faces(reader, some, device="cpu")
    assert read.features.shape == (9, reader.fc1.in_features) and read.features.dtype == np.float32
    with torch.no_grad():
        again = reader.classify(torch.from_numpy(read.features)).softmax(1).numpy()
    np.testing.assert_allclose(read.probabilities, again, atol=1e-5)
    assert len(read_faces(reader, some.select(slice(0, 0)), device="cpu")) == 0


def test_agreement_stands_beside_the_readers_accuracy_on_faces_it_never_saw(found, splits, pool):
    accuracy, n = (value(found, UNSEEN, "agreement", column=name) for name in ("value", "n"))
    assert n == len(splits.validation) and 0.45 < accuracy < 0.99
    assert value(found, UNSEEN, "agreement", column="low") < value(found, "sd2", "agreement") < 1
    for emotion in READ:
        rows = found.scores.query("generator == 'sd2' and emotion == @emotion")
        assert value(found, "sd2", "agreement", emotion) == pytest.approx(rows["agrees"].mean())
        assert value(found, "sd2", "confidence", emotion) == pytest.approx(
            rows["confidence"].mean()
        )


def test_agreement_and_coverage_fall_when_labels_are_shuffled(splits, pool, found):
    wrong = assess_pool(SET, demo(), splits=splits, pool=shuffled(pool))
    assert value(wrong, "sd2", "agreement", column="high") < value(
        found, "sd2", "agreement", column="low"
    )
    for metric, sign in (("coverage", 1), ("kid", -1)):
        right, mixed = (
            np.mean([value(each, "sd2", metric, name) for name in READ]) for each in (found, wrong)
        )
        assert sign * (right - mixed) > 0.02, metric


def test_copies_of_training_faces_are_found_mirrored_ones_too(found, splits):
    scores = found.scores.set_index("id")
    copied = scores[scores.index.str.startswith("3-copy-")]
    originals = copied.index.str.removeprefix("3-copy-")
    assert (copied["likest_real"] == originals).all() and (copied["correlation"] > 0.999).all()
    assert (copied["nearest_real"] == originals)[1::2].all() and (
        copied["nearest_distance"] < 1e-3
    )[1::2].all()
    honest = scores.drop(copied.index)
    assert honest["correlation"].max() < 0.99 and honest["nearest_distance"].min() > 0.01
    share = COPIES / (scores["generator"] == "sd3").sum()
    assert (
        value(found, "sd3", "close", features="pixels")
        >= share
        > value(found, "sd2", "close", features="pixels")
    )


def test_faces_are_close_to_training_faces_about_as_often_by_chance_as_real_ones(found):
    for features in ("reader", "pixels"):
        low, high = (
            value(found, UNSEEN, "close", features=features, column=name)
            for name in ("low", "high")
        )
        assert low < 0.12 and high > 0.02


def test_no_face_is_its_own_nearest_one(splits):
    some = portraits(splits.train.select(slice(0, 30)))
    index, correlation = most_correlated(some, some, itself=False)
    assert (index != np.arange(30)).all() and (correlation < 0.999).all()
    brute = (
        (some.flat @ torch.cat([some.flat, some.mirrored().flat]).T)
        .reshape(30, 2, 30)
        .amax(1)
        .fill_diagonal_(-1)
    )
    assert (brute.argmax(1).numpy() == index).all()


def test_a_picture_that_the_training_set_repeats_does_not_count_as_its_own_neighbour(splits, found):
    some = splits.train.select(slice(0, 30))
    read = read_faces(reader_of(SET, demo(), splits), some, device="cpu")
    twice = concatenate(
        some, FaceSet(some.images, some.labels, np.char.add("again-", some.ids), some.origin)
    )
    once, repeated = (
        nearest_among_training_faces(faces, readings)
        for faces, readings in ((some, read), (twice, together({"first": read, "again": read})))
    )
    np.testing.assert_allclose(repeated.distance, once.distance)
    assert (repeated.by_features == once.by_features).all() and (
        repeated.by_pixels == once.by_pixels
    ).all()


def test_the_closest_pairs_show_the_copies_first(found):
    rows = example_rows(found, 4, titles={"sd2": "SD 2", "sd3": "SD 3"})
    assert list(rows)[:3] == ["SD 2\nby pixels", "SD 3\nby pixels", "real, unseen\nby pixels"]
    assert all(text.endswith("1.000") for _, _, text in rows["SD 3\nby pixels"])
    texts = [
        text.get_text()
        for text in figures.figure_a4_nearest(rows).findobj(lambda a: hasattr(a, "get_text"))
    ]
    assert "SD 3\nby features" in texts and sum(text.endswith("\n1.000") for text in texts) == 4


def test_tables_and_figure_show_every_generator_beside_real_faces(found):
    generators = {"sd2": "SD 2", "sd3": "SD 3"}
    shown = tables.table_a4_quality(found.table, titles={SET: "Demo"}, generator_titles=generators)
    assert shown.query("Emotion == 'All'")["Faces"].tolist() == [
        "SD 2",
        "SD 3",
        "both together",
        "real: other half",
        "real: unseen",
    ]
    assert shown["KID"][0].count("[") == 1 and "Features" not in shown and "FID" not in shown
    drawn = figures.figure_a4_quality(
        found.table, titles={SET: "Demo"}, generator_titles=generators
    )
    texts = [text.get_text() for text in drawn.findobj(lambda a: hasattr(a, "get_text"))]
    assert {"SD 2", "SD 3", "All", "Surprise"} <= set(texts) and any(
        text.startswith("Demo\n") for text in texts
    )


def test_scores_read_back_as_they_were_written_to_six_decimals(found, project):
    write_scores(found.scores, SET, demo())
    pd.testing.assert_frame_equal(
        read_scores(SET, demo()), found.scores, check_dtype=False, atol=1e-6
    )


def test_missing_and_damaged_scores_name_the_stage(found, project):
    with pytest.raises(CompanionError, match="stage 03"):
        read_scores(SET, demo())
    write_scores(found.scores.drop(columns="agrees"), SET, demo())
    with pytest.raises(CompanionError, match="not a table of scores.*stage 03"):
        read_scores(SET, demo())


def test_the_filter_keeps_all_or_what_the_reader_agrees_with_or_is_sure_of(found, pool):
    scores = found.scores
    assert kept(scores, demo()) == pool.ids.tolist()
    agreeing = kept(scores, demo("quality.filter=agreement"))
    assert agreeing == scores.loc[scores["emotion"] == scores["predicted"], "id"].tolist()
    low = scores["confidence"].quantile(0.4)
    sure = kept(scores, demo("quality.filter=confidence", f"quality.confidence={low}"))
    assert sure == scores.loc[scores["agrees"] & (scores["confidence"] >= low), "id"].tolist()
    assert (
        0 < len(sure) < len(agreeing) < len(scores)
        and len(sure) < (scores["confidence"] >= low).sum()
    )
    with pytest.raises(CompanionError, match="did you mean 'agreement'"):
        kept(scores, demo("quality.filter=agrement"))


def test_the_filters_report_counts_what_it_keeps_of_each_emotion(found):
    report = kept_table(found.scores, demo("quality.filter=agreement"))
    assert report.groupby("filter")["n"].sum().eq(len(found.scores)).all() and set(
        report.query("used")["filter"]
    ) == {"agreement"}
    assert (
        (report["kept_low"] - 1e-9 <= report["kept"])
        & (report["kept"] <= report["kept_high"] + 1e-9)
    ).all()
    assert (report["kept_low"] < report["kept_high"]).all() and (
        report["kept_high"] <= report["n"] + 1e-9
    ).all()
    shown = tables.table_a4_filter(report.assign(dataset=SET), titles={SET: "Demo"}).set_index(
        "Filter"
    )
    n = len(found.scores)
    assert shown.loc["none", "All"] == f"{n} of {n}" and shown.loc[
        "agreement (used)", "All"
    ].split()[0] < str(n)


def test_balancing_sees_all_faces_unless_the_filter_is_on(found, project):
    manifest = found.scores[["id", "generator", "emotion"]]
    assert keep_good(manifest, SET, demo()) is manifest
    on = demo("quality.filter=agreement")
    write_scores(found.scores, SET, on)
    assert keep_good(manifest, SET, on)["id"].tolist() == kept(found.scores, on)


def test_a_surplus_is_asked_for_where_a_filter_will_leave_faces_out():
    counts = {SET: dict.fromkeys(EMOTIONS, 5)}
    plain, more = (pool_counts(counts, demo(f"quality.surplus={share}")) for share in (0.0, 0.5))
    assert all(more[name] == -(-3 * plain[name] // 2) for name in EMOTIONS)


def test_prompts_are_counted_by_attribute_and_the_furthest_from_even_is_named():
    profile = load_profile("demo")
    prompts = prompt_table(dict.fromkeys(EMOTIONS, 96), profile)
    counts = attribute_counts(prompts)
    whole = counts.groupby(["generator", "emotion", "attribute"])[["count", "even"]].sum()
    assert (whole["count"] == whole["even"].round()).all()
    worst = largest_deviations(counts).set_index(["generator", "emotion", "attribute"])
    assert len(worst) == 2 * 7 * 5
    only_men = prompts.assign(person="man")
    skewed = largest_deviations(attribute_counts(only_men)).set_index(
        ["generator", "emotion", "attribute"]
    )
    row = skewed.loc[("sd2", "fear", "person")]
    assert row["value"] == "man" and row["deviation"] == pytest.approx(1 - 7 / 16)
    shown = tables.table_a4_attributes(skewed.reset_index(), generator_titles={"sd2": "SD 2"})
    assert shown.loc[2, "Person"] == "man: 48 of 48 (even: 21.0)"


def test_inception_is_never_fetched_and_read_where_its_weights_are_at_hand(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(
        torch.hub, "load_state_dict_from_url", lambda *_, **__: pytest.fail("downloads")
    )
    assert inception.load_inception() is None
    path = hub_checkpoint(inception.WEIGHTS.url)
    path.parent.mkdir(parents=True)
    torch.manual_seed(0)
    torch.save(inception_v3(weights=None, init_weights=False).state_dict(), path)
    read = inception.read_with_inception(inception.load_inception(), faces(9, 1), device="cpu")
    assert (
        read.features.shape == (3, 2048)
        and np.isfinite(read.features).all()
        and read.features.std() > 0
    )
    path.write_bytes(b"half a file")
    with pytest.raises(CompanionError, match="does not hold the weights of Inception"):
        inception.load_inception()


def test_features_of_inception_are_a_row_of_their_own(splits, pool, found, monkeypatch):
    monkeypatch.setattr(inception, "load_inception", lambda: "network")
    monkeypatch.setattr(
        inception,
        "read_with_inception",
        lambda network, faces, device: inception.Readings(
            faces.ids,
            faces.labels,
            faces.resize(6, channels=1).images.reshape(len(faces), -1).astype(np.float32) / 255,
        ),
    )
    both = assess_pool(SET, demo(), splits=splits, pool=pool)
    assert set(both.table["features"]) == {"reader", "inception", "pixels"}
    reader = both.table.query("features != 'inception'").reset_index(drop=True)
    pd.testing.assert_frame_equal(reader, found.table)
    assert np.isfinite(value(both, HALF, "fid", features="inception")) and np.isnan(
        value(both, HALF, "fid")
    )
    shown = tables.table_a4_quality(
        both.table, titles={SET: "Demo"}, generator_titles={"sd2": "SD 2"}
    )
    assert list(shown["Features"].unique()) == ["reader", "inception"]
