"""How a diffusion model arrives at a face: its steps from noise, and what guidance and the number
of steps do."""

import textwrap

import numpy as np
from matplotlib.figure import Figure

from fer_utils.figures.describing import described, listed, one_line
from fer_utils.figures.style import EMOTION_TITLES, PAGE, bare, new_figure, show_face, styled


@styled
def figure_a4_trajectory(
    trajectories: dict[str, dict[str, np.ndarray]], *, columns: int = 9
) -> Figure:
    """From pure noise (left) to the face (right), a row for each emotion, a block for each
    generator (by title).

    Args:
        trajectories: title -> emotion -> what ``trajectory`` gives: uint8 [steps + 1, H, W, 3].
        columns: pictures a row at most, evenly spaced over the steps, first and last always shown.
    """
    rows = [len(emotions) for emotions in trajectories.values()]
    longest = max(len(images) for emotions in trajectories.values() for images in emotions.values())
    columns = min(columns, longest)
    side = min(1.2, (PAGE - 0.7) / columns)
    figure = new_figure(0.7 + side * columns, sum(rows) * side + 0.45 * len(rows) + 0.1)
    blocks = figure.subfigures(
        len(rows), 1, squeeze=False, height_ratios=[0.45 + side * count for count in rows]
    )
    for block, (title, emotions) in zip(blocks[:, 0], trajectories.items()):
        panels = block.subplots(len(emotions), columns, squeeze=False)
        block.suptitle(title, size=8)
        for place, (row, (emotion, images)) in enumerate(zip(panels, emotions.items())):
            _draw_steps(row, images, named=place == 0)
            row[0].set_ylabel(EMOTION_TITLES[emotion], rotation=0, ha="right", va="center")
    return described(
        figure,
        "Rows of pictures: from noise on the left to a face on the right.",
        *(
            f"{title}: {listed(emotions)}, {_steps(emotions)} steps."
            for title, emotions in trajectories.items()
        ),
    )


def _steps(emotions: dict[str, np.ndarray]) -> str:
    return listed(sorted({len(images) - 1 for images in emotions.values()}))


@styled
def figure_a4_guidance(
    grids: dict[str, np.ndarray], *, guidance_scales: list[float], steps: list[int], prompt: str
) -> Figure:
    """One prompt and seed drawn with each guidance scale (down) and number of steps (across), by
    generator title.

    Args:
        grids: title -> what ``guidance_grid`` gives: uint8 [guidance scales, steps, H, W, 3].
        prompt: the words under which all were made, the title of the figure.
    """
    width = PAGE / max(len(grids), 2)  # one alone fills half a page
    side = (width - 0.55) / len(steps)
    figure = new_figure(width * len(grids), side * len(guidance_scales) + 0.8)
    figure.suptitle("\n".join(textwrap.wrap(f"“{prompt}”", int(17 * width))), size=8)
    for block, (title, grid) in zip(np.ravel(figure.subfigures(1, len(grids))), grids.items()):
        panels = block.subplots(len(guidance_scales), len(steps), squeeze=False)
        for row, scale, images in zip(panels, guidance_scales, grid):
            for axes, image in zip(row, images):
                show_face(axes, image)
            row[0].set_ylabel(f"{scale:g}", rotation=0, ha="right", va="center")
        for axes, count in zip(panels[-1], steps):
            axes.set_xlabel(f"{count}", labelpad=2)
        block.suptitle(title, size=7.5)
        block.supxlabel("steps", size=7.5)
        block.supylabel("guidance scale", size=7.5)
    return described(
        figure,
        f"Grids of faces for one prompt, “{one_line(prompt)}”, and one seed: guidance scales"
        f" {listed(f'{scale:g}' for scale in guidance_scales)} downwards, {listed(steps)} steps"
        " across.",
        *(f"{title}: {_change(grid)}." for title, grid in grids.items()),
    )


def _change(grid: np.ndarray) -> str:
    """How much the pictures change from the first to the last guidance scale, and from the first to
    the last count of steps, in gray values."""
    values = grid.astype(float)
    return (
        f"mean change of a pixel {np.abs(values[-1] - values[0]).mean():.0f} of 255 over the"
        f" guidance scales, {np.abs(values[:, -1] - values[:, 0]).mean():.0f} over the steps"
    )


def _draw_steps(row, images: np.ndarray, *, named: bool) -> None:
    last = len(images) - 1
    shown = dict.fromkeys(np.linspace(0, last, len(row)).round().astype(int).tolist())
    for axes in row:
        bare(axes)
    for axes, step in zip(row, shown):
        show_face(axes, images[step])
        if named:
            axes.set_title("noise" if step == 0 else f"step {step}", size=6.5)
