"""Figures: fixed colours, the stamp on everything, the same bytes from the same content, and what
must be on them."""

import hashlib
import itertools
import re
import time
import xml.etree.ElementTree as ElementTree
from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from figure_examples import (
    COUNTS,
    GENERATORS,
    TITLES,
    manifest_of,
    some_accuracies,
    some_faces,
    some_history,
    some_matrices,
    some_quality,
    some_stages,
)
from matplotlib.colors import to_rgb

from fer_utils import figures
from fer_utils.balancing import LEVEL_TITLES
from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.profiles import load_profile
from fer_utils.training.resemotenet import ResEmoteNet, layer_shapes

TRAINING = load_profile("demo_recipes").training


@pytest.fixture
def demo(project):
    return load_profile("demo")


def all_texts(figure) -> str:
    return "\n".join(text.get_text() for text in figure.findobj(mpl.text.Text))


def test_every_emotion_has_its_own_colour():
    assert list(figures.EMOTION_COLOURS) == list(EMOTIONS)
    assert len(set(figures.EMOTION_COLOURS.values())) == len(EMOTIONS)


def test_the_emotions_can_be_told_apart_in_gray_print():
    brightness = [
        np.dot(to_rgb(colour), (0.299, 0.587, 0.114)) for colour in figures.EMOTION_COLOURS.values()
    ]
    assert min(abs(a - b) for a, b in itertools.combinations(brightness, 2)) > 0.09


def test_the_emotions_can_be_told_apart_without_red_or_green_cones():
    """Linear RGB of Viénot, Brettel and Mollon (1999): protanopes and deuteranopes see only these
    two mixtures."""
    linear = np.array([to_rgb(colour) for colour in figures.EMOTION_COLOURS.values()]) ** 2.2
    for mixture in ((0.11, 0.89), (0.29, 0.71)):
        seen = np.column_stack([linear[:, :2] @ mixture, linear[:, 2]]) ** (1 / 2.2)
        assert min(np.abs(a - b).max() for a, b in itertools.combinations(seen, 2)) > 0.09


@pytest.mark.parametrize("kind", figures.FORMATS)
def test_saving_the_same_content_twice_gives_the_same_bytes(demo, kind):
    def written():
        levels = {"Original": COUNTS, "Aug. 1": dict.fromkeys(COUNTS, 180)}
        drawn = figures.class_distribution({"a": COUNTS}, {"a": levels})
        paths = figures.save(drawn, "twice", demo, caption="Counts")
        return {path.suffix[1:]: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}

    first = written()
    time.sleep(1.1)  # dates in files count seconds
    assert written()[kind] == first[kind]


def test_the_settings_of_the_caller_do_not_change_a_figure(demo):
    before = figures.save(figures.class_distribution({"a": COUNTS}), "same", demo)[2].read_bytes()
    with mpl.rc_context({"font.size": 20, "svg.fonttype": "path", "axes.facecolor": "red"}):
        after = figures.save(figures.class_distribution({"a": COUNTS}), "same", demo)[
            2
        ].read_bytes()
    assert before == after


def test_the_stamp_stands_as_text_in_the_svg_and_can_be_read_without_drawing_it(demo):
    _, svg, _ = figures.save(figures.class_distribution({"a": COUNTS}), "stamped", demo)
    texts = [text.strip() for text in ElementTree.parse(svg).getroot().itertext()]
    assert "demo faces" in texts


def test_a_profile_without_a_stamp_leaves_none(project):
    _, svg, _ = figures.save(
        figures.class_distribution({"a": COUNTS}), "plain", load_profile("paper")
    )
    assert "demo" not in svg.read_text()


def test_saving_leaves_the_figure_as_it_was(demo):
    drawn = figures.class_distribution({"a": COUNTS})
    height = drawn.get_figheight()
    figures.save(drawn, "unchanged", demo)
    assert drawn.get_figheight() == height and not drawn.texts


def test_no_file_tells_when_it_was_written(demo):
    for path in figures.save(figures.class_distribution({"a": COUNTS}), "dateless", demo):
        assert not re.search(rb"CreationDate|dc:date|tIME|ModDate", path.read_bytes())


def test_a_notebook_gets_a_stamped_png_of_modest_size(demo):
    shown = figures.show(figures.sample_grid(some_faces(10, 1)), demo)
    assert shown.data.startswith(b"\x89PNG") and len(shown.data) < 300_000


def test_figure_1_names_every_block_with_its_shape_and_adds_its_parameters_up():
    layers = layer_shapes(ResEmoteNet(0.0625), 64)
    texts = all_texts(figures.figure_1_resemotenet(layers, dropout=(0.2, 0.5)))
    for name in (
        "conv1",
        "conv3",
        "se",
        "res_block1",
        "res_block2",
        "res_block3",
        "pool",
        "fc1",
        "fc4",
    ):
        assert name in texts
    assert "3×64×64" in texts
    assert f"{sum(layer.parameters for layer in layers):,} parameters" in texts


def test_figure_1_says_the_dropout_of_the_network_it_is_given():
    network = ResEmoteNet(0.0625, head_dropout=0.125)
    figure = figures.figure_1_resemotenet(
        layer_shapes(network), dropout=(network.dropout1.p, network.dropout2.p)
    )
    texts = all_texts(figure)
    assert "dropout 0.2 *" in texts and "dropout 0.125 (×3)" in texts and "dropout 0.5" not in texts
    assert "dropout 0.2 in the backbone, 0.125 in the classifier" in figures.alt_text(figure)


def test_figure_2_draws_the_stages_it_is_given_and_an_arrow_past_the_next_one():
    few = all_texts(figures.figure_2_pipeline(some_stages()[:2]))
    more = all_texts(
        figures.figure_2_pipeline(
            some_stages(),
            examples={
                "dataset": some_faces(channels=1).images,
                "prompts": "A face",
                "synthesis": (COUNTS, COUNTS),
            },
        )
    )
    assert "2 Prompts" in few and "3 Synthesis" not in few
    assert {"1 Dataset", "3 Synthesis", "Table 1", "Fig. 3", "faces in three splits"} <= set(
        more.splitlines()
    )


def test_figure_2_leaves_out_a_stage_that_reads_from_none_and_is_read_by_none():
    audit = SimpleNamespace(
        number=4, name="audit", notebook="04", inputs=(), shown=("table_a3_audit",)
    )
    texts = all_texts(figures.figure_2_pipeline([*some_stages(), audit]))
    assert "3 Synthesis" in texts and "4 Audit" not in texts


def test_figure_3_prints_the_prompt_under_each_face():
    pool = some_faces()
    texts = all_texts(figures.figure_3_synthetic_examples(pool, manifest_of(pool), per_generator=1))
    assert all(f"“Prompt number {place}”" in texts for place in range(len(pool)))
    assert "Stable Diffusion 2" in texts and "Stable Diffusion 3" in texts


def test_figure_3_leaves_out_a_generator_that_made_nothing():
    pool = some_faces()
    manifest = manifest_of(pool)
    texts = all_texts(
        figures.figure_3_synthetic_examples(pool, manifest[manifest["generator"] == "sd3"])
    )
    assert "Stable Diffusion 2" not in texts


def test_figure_4_shows_rate_and_count_in_each_cell_and_letters_its_matrices():
    texts = all_texts(figures.figure_4_confusion_matrices(some_matrices())).splitlines()
    assert texts.count("60") >= 28 and texts.count("9") >= 28
    assert {"(a) set 0", "(d) set 3"} <= set(texts)


def test_figure_4_says_how_many_answers_are_right_and_hides_no_rare_mistake_behind_a_zero():
    counts = np.diag([996] * 7)
    counts[0, 2] = 4
    figure = figures.figure_4_confusion_matrices({"one": counts})
    assert "(a) one\n99.9 % of 6,976 answers right" in all_texts(
        figure
    ) and "\n<1\n4\n" in all_texts(figure)
    assert "from 100 % (anger)" in figures.alt_text(
        figure
    ) and "anger as fear, 0.4 %" in figures.alt_text(figure)


def test_figure_4_prints_the_papers_diagonal_beside_ours_only_where_it_is_given():
    printed = [71, 75, 70, 89, 82, 73, 81]
    figure = figures.figure_4_confusion_matrices(some_matrices(2), printed={"set 1": printed})
    texts = all_texts(figure).splitlines()
    assert texts.count("paper") == 1 and all(texts.count(str(share)) == 1 for share in printed)
    assert "set 1: 60.0 % of 105 answers right" in figures.alt_text(figure)
    assert figures.alt_text(figure).count("The paper prints from 70 % (fear) to 89 % (happy)") == 1


def test_figure_4_stands_an_emotion_without_test_images():
    counts = np.zeros((7, 7), int)
    assert "Anger (0)" in all_texts(figures.figure_4_confusion_matrices({"empty": counts}))


def test_learning_curves_mark_the_epoch_whose_weights_were_kept(demo):
    runs = {"Original": [some_history()], "Aug. 1": [some_history(), some_history(2)]}
    drawn = figures.learning_curves({"one": runs}, demo.training)
    rings = [
        line
        for line in drawn.findobj(mpl.lines.Line2D)
        if line.get_marker() == "o" and line.axes is not None
    ]
    assert sorted(float(ring.get_xdata()[0]) for ring in rings) == [2.0, 2.0, 3.0, 3.0, 3.0, 3.0]


def test_learning_curves_mark_a_lowered_learning_rate_and_runs_that_stopped_early():
    def marked(marker, **options):
        drawn = figures.learning_curves(
            {"one": {"Original": [some_history(5)]}}, TRAINING, **options
        )
        return [
            float(line.get_xdata()[0])
            for line in drawn.findobj(mpl.lines.Line2D)
            if line.get_marker() == marker and line.axes is not None
        ]

    assert marked("^", max_epochs=5) == [3.0, 3.0]
    assert marked("|", max_epochs=8) == [5.0, 5.0]
    assert marked("|", max_epochs=5) == marked("|") == []


def test_the_legend_of_learning_curves_names_no_mark_that_no_run_has():
    def named(epochs, **options):
        return all_texts(
            figures.learning_curves(
                {"one": {"Original": [some_history(epochs)]}}, TRAINING, **options
            )
        )

    assert "stopped early" in named(3, max_epochs=8) and "stopped early" not in named(3) + named(
        8, max_epochs=8
    )
    assert "learning rate lowered" in named(3) and "learning rate lowered" not in named(2)


def test_a_learning_rate_that_falls_all_the_time_is_not_marked_as_lowered():
    drawn = figures.learning_curves(
        {"one": {"Original": [some_history(5)]}}, load_profile("demo").training
    )
    assert "learning rate lowered" not in all_texts(drawn)


def test_captioned_faces_show_every_face_with_its_line_and_rows_may_differ_in_length(demo):
    face, gray = np.zeros((9, 9, 3), np.uint8), np.zeros((5, 7, 1), np.uint8)
    drawn = figures.captioned_faces(
        {"first": [(face, "sad\nread as happy")] * 7, "second": [(gray, "")], "third": []}
    )
    assert len(drawn.findobj(mpl.image.AxesImage)) == 8
    assert all_texts(drawn).splitlines().count("read as happy") == 7 and "third" in all_texts(drawn)
    figures.save(drawn, "faces", demo)
    figures.save(figures.captioned_faces({}), "none", demo)


def test_learning_curves_of_a_single_run_of_one_epoch_can_be_drawn(demo):
    figures.save(
        figures.learning_curves({"one": {"Original": [some_history(1)]}}, demo.training),
        "one",
        demo,
    )


def test_the_interval_figure_has_a_group_for_every_emotion_and_the_overall_with_its_test_images():
    figure = figures.class_accuracy_intervals(
        some_accuracies(), titles=TITLES, level_titles=LEVEL_TITLES
    )
    texts = all_texts(figure).splitlines()
    assert {"Overall", "Disgust", *LEVEL_TITLES.values()} <= set(texts) and "n = 1,185" in texts
    assert all(f"{title} (mean of 2 seeds)" in texts for title in TITLES.values())
    assert figures.alt_text(figure).count("Aug. 4 60.0 [50.0, 70.0] (paper 80)") == 2


def test_titles_say_how_many_seeds_where_sets_differ_in_them():
    table = some_accuracies()
    table.loc[table["level"] == "aug2", "accuracy_seed_1"] = np.nan
    texts = all_texts(
        figures.class_accuracy_intervals(table, titles=TITLES, level_titles=LEVEL_TITLES)
    )
    assert all(f"{title} (mean of 1–2 seeds)" in texts for title in TITLES.values())
    results = pd.DataFrame(
        [
            {
                "dataset": "a",
                "control": name,
                "group": "balance",
                "n": 9,
                "seeds": seeds,
                "to_original": 1.0,
                "to_original_low": 0.0,
                "to_original_high": 2.0,
            }
            for name, seeds in (("oversampling", 3), ("geometric", 1))
        ]
    )
    sweep = pd.DataFrame(columns=["dataset", "percent", "accuracy", "low", "high"])
    assert "A (n = 9, 1–3 seeds)" in all_texts(
        figures.figure_a2_controls(results, sweep, titles={"a": "A"})
    )


def test_the_interval_figure_shows_every_seed():
    figure = figures.class_accuracy_intervals(
        some_accuracies(), titles=TITLES, level_titles=LEVEL_TITLES
    )
    seeds = [
        set(line.get_ydata())
        for line in figure.findobj(mpl.lines.Line2D)
        if line.get_marker() == "." and line.axes
    ]
    assert len(seeds) == 2 * 5 * 2 and all(found in ({55.0}, {65.0}) for found in seeds)
    without = some_accuracies().drop(columns=["accuracy_seed_0", "accuracy_seed_1"])
    assert "each seed" not in all_texts(
        figures.class_accuracy_intervals(without, titles=TITLES, level_titles=LEVEL_TITLES)
    )


def test_the_samples_leave_a_gap_where_a_class_has_fewer_faces():
    drawn = figures.sample_grid(some_faces(2), 4)
    assert len(drawn.axes) == 28 and sum(bool(axes.images) for axes in drawn.axes) == 14


def test_clip_paths_of_an_svg_are_numbered_so_that_the_last_bits_of_a_layout_change_no_byte(demo):
    paths = figures.save(figures.sample_grid(some_faces()), "figure_x", demo)
    svg = next(path for path in paths if path.suffix == ".svg").read_text(encoding="utf-8")
    named = re.findall(r'<clipPath id="([^"]+)"', svg)
    assert len(named) >= 7 and set(re.findall(r"url\(#(clip\d+)\)", svg)) == set(named)
    assert sorted(named) == sorted(f"clip{number}" for number in range(len(named)))


def test_the_steps_from_noise_to_a_face_are_named_and_the_first_and_last_always_shown():
    images = np.stack([np.full((8, 8, 3), 20 * step, np.uint8) for step in range(11)])
    figure = figures.figure_a4_trajectory(
        {"First model": {"fear": images, "sad": images}, "Second": {"fear": images[:4]}}, columns=5
    )
    texts = all_texts(figure)
    assert all(
        text in texts
        for text in ("First model", "Second", "Fear", "Sad", "noise", "step 10", "step 3")
    )
    shown = [int(axes.images[0].get_array()[0, 0, 0]) for axes in figure.axes if axes.images]
    assert shown == [0, 40, 100, 160, 200] * 2 + [0, 20, 40, 60]


def test_no_interval_of_the_quality_figure_leaves_its_panel_whichever_data_set_it_is_of():
    table = some_quality()
    table.loc[table["dataset"] == list(TITLES)[1], ["value", "low", "high"]] *= 1.8
    figure = figures.figure_a4_quality(table, titles=TITLES, generator_titles=GENERATORS)
    for axes in figure.axes:
        ends = [
            end
            for bars in axes.collections
            for segment in bars.get_segments()
            for _, end in segment
        ]
        assert axes.get_ylim()[0] < min(ends) and max(ends) < axes.get_ylim()[1]


def test_a_metric_with_too_few_faces_says_so():
    figure = figures.figure_a4_quality(some_quality(), titles=TITLES, generator_titles=GENERATORS)
    assert all_texts(figure).splitlines().count("too few") == len(TITLES)


def test_the_guidance_figure_names_both_axes_the_prompt_and_each_generator():
    grid = np.arange(6, dtype=np.uint8).reshape(2, 3, 1, 1, 1) * np.ones((1, 1, 8, 8, 3), np.uint8)
    figure = figures.figure_a4_guidance(
        {"First model": grid, "Second": grid},
        guidance_scales=[1.0, 7.5],
        steps=[1, 4, 9],
        prompt="A man's face",
    )
    texts = all_texts(figure)
    assert all(
        text in texts
        for text in ("guidance scale", "steps", "7.5", "A man's face", "First model", "Second")
    )
    shown = [int(axes.images[0].get_array()[0, 0, 0]) for axes in figure.axes if axes.images]
    assert shown == [0, 1, 2, 3, 4, 5] * 2
