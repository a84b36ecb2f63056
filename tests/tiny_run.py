"""A finished run of the demo profile in miniature: every notebook, table and figure is there, none
took any work."""

import base64
import json
from io import BytesIO

import nbformat
import pandas as pd
import PIL.Image
import PIL.PngImagePlugin

from fer_utils.core.emotions import EMOTIONS
from fer_utils.runner.stages import STAGES, shown_files, units_of

EVIL = (
    '<script src="https://elsewhere.example/a.js"></script><img'
    ' src="https://elsewhere.example/a.png" alt="gone"><style>td {background:'
    ' url(https://elsewhere.example/b.png)}</style><p onmouseover="steal()">hover</p><a'
    ' href="java\tscript:steal()">lead</a><svg onload="steal()"><a'
    ' xlink:href="javascript:steal()"><text>drawn</text></a></svg><!--><img'
    ' src="data:image/png;base64,AA" onerror="steal()"> --><form action="javascript:steal()"><input'
    ' autofocus onfocus="steal()"></form>'
)
FRAME = (
    '<table border="1"><thead><tr><th></th><th>epoch</th></tr></thead>'
    "<tbody><tr><th>0</th><td>1</td></tr></tbody></table>"
)
OVERALL = {
    ("demo_fer2013", "original"): (79.79, 38.02228412, 34.54414192, 41.62791111, 718),
    ("demo_rafdb", "aug4"): (99.23, 64.73941368, 60.87928241, 68.41625893, 614),
}


def write_run(profile):
    """Everything a report of ``profile`` is made from, below the profile's paths."""
    for unit in units_of(STAGES, profile):
        _write_notebook(unit, profile)
    for name in promised(profile):
        for path in shown_files(name, profile):
            path.parent.mkdir(parents=True, exist_ok=True)
            _write_shown(name, path)
    _write_numbers(profile)
    for unit in units_of(STAGES, profile):
        if unit.parameters:
            _write_training(profile.paths.model(**unit.parameters))
    _write_provenance(profile)


def promised(profile):
    """Every table and figure the stages promise, in order."""
    return list(
        dict.fromkeys(
            name for stage in STAGES for name in (*stage.shown, *stage.shown_at_times(profile))
        )
    )


def png(colour, *, size=(40, 20), description=""):
    """A picture of one colour; as matplotlib's, with an alpha channel that hides nothing."""
    about, buffer = PIL.PngImagePlugin.PngInfo(), BytesIO()
    about.add_text("Description", description)
    PIL.Image.new("RGBA", size, (*colour, 255)).save(buffer, "PNG", pnginfo=about)
    return buffer.getvalue()


def _picture(picture, **about):
    data = {"image/png": base64.b64encode(picture).decode(), "text/plain": "<Image>"}
    return nbformat.v4.new_output(
        "execute_result", data, metadata={"image/png": about} if about else {}, execution_count=1
    )


def _saves(stage, profile):
    """The lines that save what a stage promises; the figures of notebook 01 by an f-string, as
    there."""
    names = (*stage.shown, *stage.shown_at_times(profile))
    if stage.number == 1:
        exact = [name for name in names if name.startswith("table_")]
        lines = [f'tables.save(x, "{name}", profile)' for name in exact]
        return [*lines, 'figures.save(x, f"figure_a1_{name}", profile)']
    return [f'{name.split("_")[0]}s.save({name}, "{name}", profile)' for name in names]


def _write_notebook(unit, profile):
    stage, (code, prose) = unit.stage, (nbformat.v4.new_code_cell, nbformat.v4.new_markdown_cell)
    values = {
        "profile_name": "demo",
        "overrides": [],
        "dataset": "demo_fer2013",
        "level": "aug1",
        "seed": 0,
    }
    written = "".join(f"{name} = {value!r}\n" for name, value in values.items())
    shown = next((name for name in stage.shown if name.startswith("figure_")), "picture")
    shade = 10 * stage.number
    cells = [
        prose(f"# {stage.number}. Stage {stage.name}\n\n**A question?**"),
        prose(
            "| | |\n|---|---|\n| previous, next | [04_balancing](04_balancing.ipynb) ·"
            " [README](../README.md) |"
        ),
        code(written, metadata={"tags": ["parameters"]}),
        code("seed = 1", metadata={"tags": ["injected-parameters"]}),
        prose("## Show\n\nWhat $f_0$ the picture shows. And more."),
        code("some.show()", outputs=[_picture(png((shade, 0, 0)))]),
        code(f"figures.show({shown}, profile)", outputs=[_picture(png((0, shade, 0)))]),
        code(
            "figures.show(told, profile)",
            outputs=[_picture(png((0, 0, shade)), alt='Bars "of" 7 emotions')],
        ),
        code(
            "figures.show(everywhere, profile)",
            outputs=[_picture(png((255, 255, 255)), alt="The same everywhere")],
        ),
        prose("#### Deeper\n\n$$Y = w_s \\cdot f_0 \\tag{1}$$"),
        code(
            "history", outputs=[nbformat.v4.new_output("display_data", {"text/html": FRAME + EVIL})]
        ),
        prose("## Save"),
        code("\n".join(_saves(stage, profile))),
    ]
    for number, cell in enumerate(cells):
        if cell.cell_type == "code":
            cell.execution_count = number
    path = profile.paths.executed(unit.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)


def _write_shown(name, path):
    if path.suffix == ".png":
        path.write_bytes(
            png((99, 99, 99), size=(1000, 700), description=f"Caption of {name}. It goes on.")
        )
    elif path.suffix == ".md":
        path.write_text(
            f"Caption of {name}. **[demo faces]**\n\n| A | B |\n| --- | --- |\n| 1 | x\\_y |\n"
        )
    else:
        path.write_text("A,B\n1,x_y\n")


def _write_numbers(profile):
    """The CSV files that are compared with the paper."""
    tables = profile.paths.tables
    pd.DataFrame(
        [
            {"source": "paper", "prompt": "A man's face with surprise emotion", "keywords": "man"},
            {"source": "ours", "prompt": "a face", "keywords": "face"},
        ]
    ).to_csv(tables / "table_1_prompts.csv", index=False)
    for name, title, share in (
        ("table_2_distribution", "Demo faces after FER2013", 0),
        ("table_2_paper_scale", "FER2013", 1),
    ):
        pd.DataFrame(
            {
                "dataset": title,
                "level": "original",
                "emotion": EMOTIONS,
                "count": 436 * share,
                "real": 0,
                "synthetic": 0,
            }
        ).to_csv(tables / f"{name}.csv", index=False)
    pd.DataFrame(
        [
            {
                "dataset": dataset,
                "level": level,
                "emotion": emotion,
                "paper": paper,
                "n": n,
                "seeds": 2,
                "accuracy": ours,
                "sd": 1.0,
                "low": low,
                "high": high,
            }
            for (dataset, level), (paper, ours, low, high, n) in OVERALL.items()
            for emotion in ("anger", "overall")
        ]
    ).to_csv(tables / "table_3_class_accuracy.csv", index=False)
    method, empty = (
        "ResEmoteNet (With augmentation)",
        {
            "RAF-DB": None,
            "RAF-DB_low": None,
            "RAF-DB_high": None,
        },
    )
    pd.DataFrame(
        [
            {"method": method, "source": "paper", "FER2013": 96.47, "RAF-DB": 99.23},
            {
                "method": f"{method}, ours: demo faces",
                "source": "demo faces",
                "FER2013": 55.1532,
                "FER2013_low": 51.4976,
                "FER2013_high": 58.754,
                "FER2013_n": 718,
                "FER2013_seeds": 2,
                **empty,
            },
        ]
    ).to_csv(tables / "table_4_comparison.csv", index=False)


def _write_training(folder):
    folder.mkdir(parents=True)
    pd.DataFrame(
        {"epoch": [1, 2], "validation_loss": [1.5, 1.75], "validation_accuracy": [40.0, 30.0]}
    ).to_csv(folder / "history.csv", index=False)
    pd.DataFrame(
        {"emotion": ["anger"] * 4, "predicted": ["anger", "sad", "anger", "anger"]}
    ).to_csv(folder / "predictions.csv", index=False)


def _write_provenance(profile):
    about = {
        "profile": profile.name,
        "overrides": list(profile.overrides),
        "profile_hash": "abc123",
        "seeds": {"data.seed": 7, "training.seeds": [0, 1]},
        "git_commit": "0123abcd",
        "hardware": "Linux, 2 CPU cores",
        "python": "3.11.7",
        "packages": {"torch": "2.11.0"},
        "written": "2026-11-25T02:57:17+00:00",
        "notebook_seconds": {stage.notebook: 30.0 for stage in STAGES},
    }
    for folder in (profile.paths.tables, profile.paths.figures):
        files = {
            path.name: {"sha256": "f" * 64, "notebook": None} for path in sorted(folder.iterdir())
        }
        (folder / "provenance.json").write_text(json.dumps(about | {"files": files}))
