"""Fig. 2: the whole pipeline, drawn from the code's own list of stages."""

import textwrap
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from fer_utils.figures.describing import described, listed
from fer_utils.figures.diagram import arrow
from fer_utils.figures.pipeline_examples import draw_example
from fer_utils.figures.style import ASIDE, INK, PAGE, SMALLEST, drawing_board, new_figure, styled

GAP, BOX_HEIGHT, BUS_STEP, PICTURE = 0.2, 2.4, 0.27, 0.8
COLOURS = ("#8db9dc", "#f2d58a", "#eda63a", "#5cba8c", "#c38fc3", "#bdbdbd")

# For each stage by its name: what it does, and what it hands on. Order, notebooks, arrows and
# results are the code's.
DOES = {
    "dataset": "reads FER2013 and RAF-DB, or draws faces after them",
    "prompts": "one text for each image a class lacks; person, age, light spread evenly",
    "synthesis": "Stable Diffusion 2 and 3 make a face for each prompt, resized to 64×64",
    "balancing": "fills every class up: Original, Aug.\u00a01 to Aug.\u00a04",
    "training": "one ResEmoteNet per data set, level and seed",
    "evaluation": "accuracy of each emotion on untouched test faces, with intervals",
}
HANDS_ON = {
    "dataset": "faces in three splits",
    "prompts": "prompt table",
    "synthesis": "synthetic pool",
    "balancing": "balanced training sets",
    "training": "test predictions",
}


@styled
def figure_2_pipeline(stages: Sequence, *, examples: dict[str, object] | None = None) -> Figure:
    """Fig. 2: stages from left to right; arrows say whose output each stage reads.

    Args:
        stages: ``stages.STAGES``; each has number, name, notebook, inputs (numbers of the stages it
        reads
            from) and shown (names of the tables and figures it writes). One that neither reads from
            another nor is read by one (the audit) is left out.
        examples: by a stage's name, what to draw in its box: up to four faces uint8 [N, H, W, 1 or
        3], a
            text, or a pair (real, all) of images per emotion.
    """
    stages = _on_the_road(stages)
    examples = {"training": "", "evaluation": ""} | (examples or {})
    width = (PAGE - 0.06 - GAP * (len(stages) - 1)) / len(stages)
    lefts = {stage.number: 0.03 + place * (width + GAP) for place, stage in enumerate(stages)}
    buses = _buses(stages)
    bottom = 0.12 + BUS_STEP * len(buses)
    height = bottom + BOX_HEIGHT + 0.04
    figure = new_figure(PAGE, height)
    board = drawing_board(figure, PAGE, height)
    for stage, colour in zip(stages, COLOURS * len(stages)):
        corner = (lefts[stage.number], bottom)
        _box(board, corner, width, stage, colour)
        spot = (corner[0] + 0.07, bottom + BOX_HEIGHT - 0.37 - PICTURE)
        draw_example(board, spot, (width - 0.14, PICTURE), stage.name, examples.get(stage.name))
    for before, after in zip(stages[:-1], stages[1:]):
        if before.number in after.inputs:
            end = lefts[after.number]
            arrow(
                board,
                (end - GAP, bottom + BOX_HEIGHT / 2),
                (end, bottom + BOX_HEIGHT / 2),
                width=1.4,
            )
    for level, (source, targets) in enumerate(reversed(buses)):
        _bus(
            board,
            source,
            [lefts[number] for number in targets],
            lefts[source.number] + width,
            bottom,
            level,
        )
    return described(
        figure,
        "Flow chart of the pipeline from left to right.",
        *map(_in_words, stages),
        *(f"{source.number} also hands on to {listed(targets)}." for source, targets in buses),
    )


def _in_words(stage) -> str:
    """What a stage does and hands on, as its box says."""
    hands_on = f", hands on {HANDS_ON[stage.name]}" if stage.name in HANDS_ON else ""
    return (
        f"{stage.number} {stage.name.capitalize()}:"
        f" {DOES.get(stage.name, stage.notebook)}{hands_on}."
    )


def _on_the_road(stages: Sequence) -> list:
    """The stages that hand something on or take something over."""
    read = {number for stage in stages for number in stage.inputs}
    return [stage for stage in stages if stage.inputs or stage.number in read]


def _buses(stages: Sequence) -> list[tuple]:
    """Each stage that others than the next one read from, with the numbers of those others."""
    buses = []
    for before, following in zip(stages[:-1], stages[1:]):
        targets = [
            stage.number
            for stage in stages
            if before.number in stage.inputs and stage is not following
        ]
        if targets:
            buses.append((before, targets))
    return buses


def _box(board: Axes, corner: tuple[float, float], width: float, stage, colour: str) -> None:
    left, bottom = corner
    top, middle = bottom + BOX_HEIGHT, left + width / 2
    for height, face in ((BOX_HEIGHT, "white"), (0.3, colour)):
        board.add_patch(
            FancyBboxPatch(
                (left, top - height),
                width,
                height,
                facecolor=face,
                edgecolor=INK,
                boxstyle="round,pad=0,rounding_size=0.03",
                linewidth=0.7,
            )
        )
    board.text(
        middle,
        top - 0.15,
        f"{stage.number} {stage.name.capitalize()}",
        ha="center",
        va="center",
        size=7.5,
        weight="bold",
    )
    lines = textwrap.wrap(DOES.get(stage.name, stage.notebook), 19)
    board.text(
        middle, top - 1.26, "\n".join(lines), ha="center", va="top", size=SMALLEST, linespacing=1.2
    )
    if stage.name in HANDS_ON:
        hands_on = "\n".join(textwrap.wrap(f"→ {HANDS_ON[stage.name]}", 18))
        board.text(
            middle, bottom + 0.45, hands_on, ha="center", va="center", size=SMALLEST, weight="bold"
        )
    board.text(
        middle, bottom + 0.05, _results(stage), ha="center", va="bottom", size=SMALLEST, color=ASIDE
    )


def _results(stage) -> str:
    """What a stage writes for readers, each number once: 'Tables 3, 4' over 'Figs. 1, 4'."""
    lines = []
    for kind, one, several in (("table", "Table", "Tables"), ("figure", "Fig.", "Figs.")):
        numbers = sorted(
            {name.split("_")[1].upper() for name in stage.shown if name.startswith(kind)}
        )
        if numbers:
            lines += textwrap.wrap(
                f"{several if len(numbers) > 1 else one} {', '.join(numbers)}", 17
            )
    return "\n".join(lines)


def _bus(
    board: Axes, source, targets: list[float], right: float, bottom: float, level: int
) -> None:
    """A line under the boxes that leaves ``source`` and rises into every stage that reads from
    it."""
    height = bottom - 0.15 - BUS_STEP * level
    start, shift = right - 0.14, 0.14 + 0.16 * level
    arrow(board, (start, bottom), (start, height), head=False, width=1.1)
    arrow(board, (start, height), (targets[-1] + shift, height), head=False, width=1.1)
    for target in targets:
        arrow(board, (target + shift, height), (target + shift, bottom), width=1.1)
    board.text(
        targets[-1] + shift,
        height - 0.02,
        HANDS_ON.get(source.name, source.name),
        ha="right",
        va="top",
        size=SMALLEST,
        weight="bold",
    )
