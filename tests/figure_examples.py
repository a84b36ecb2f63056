"""A small example of every public figure function, with titles as long as those of the
notebooks."""

from types import SimpleNamespace

import numpy as np
import pandas as pd

from fer_utils import figures
from fer_utils.balancing import LEVEL_TITLES
from fer_utils.balancing.controls import CONTROLS, RATIO_SWEEP
from fer_utils.core.emotions import EMOTIONS
from fer_utils.core.faces import FaceSet
from fer_utils.core.profiles import load_profile
from fer_utils.figures.audit import MEAN_TITLES
from fer_utils.figures.curves import Curves
from fer_utils.figures.quality import METRICS, SAMPLE_STYLES
from fer_utils.runner.stages import STAGES
from fer_utils.training.resemotenet import ResEmoteNet, layer_shapes

TITLES = {"demo_fer2013": "Demo faces after FER2013", "demo_rafdb": "Demo faces after RAF-DB"}
GENERATORS = {"sd2": "SD2 class: tiny-sd2", "sd3": "SD3 class: tiny-sd3"}
COUNTS = dict(zip(EMOTIONS, (100, 11, 102, 180, 124, 121, 79)))
LARGE = dict(zip(EMOTIONS, (3995, 436, 4097, 7215, 4965, 4830, 3171)))


def some_faces(per_class: int = 2, channels: int = 3) -> FaceSet:
    labels = np.repeat(np.arange(len(EMOTIONS)), per_class)
    images = np.random.default_rng(0).integers(0, 256, (len(labels), 16, 16, channels), np.uint8)
    ids = np.array([f"face-{place}" for place in range(len(labels))])
    return FaceSet(images, labels, ids, np.array(["sd2", "sd3"] * (len(labels) // 2)))


def some_history(epochs: int = 3) -> pd.DataFrame:
    epoch = np.arange(1, epochs + 1)
    return pd.DataFrame(
        {
            "epoch": epoch,
            "learning_rate": np.where(epoch < 3, 0.01, 0.001),
            "train_loss": 2.0 / epoch,
            "validation_loss": 2.5 / epoch,
            "train_accuracy": 20.0 * epoch,
            "validation_accuracy": 15.0 * epoch,
        }
    )


def some_matrices(count: int = 4) -> dict[str, np.ndarray]:
    return {f"set {place}": np.diag([8] * 7) + 1 for place in range(count)}


def manifest_of(pool: FaceSet) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "id": pool.ids,
            "generator": pool.origin,
            "emotion": np.array(EMOTIONS)[pool.labels],
            "prompt": [f"Prompt number {place}" for place in range(len(pool))],
        }
    )


def some_accuracies() -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "dataset": dataset,
                "level": level,
                "emotion": emotion,
                "n": 1185,
                "seeds": 2,
                "accuracy": 60.0,
                "low": 50.0,
                "high": 70.0,
                "paper": 80.0,
                "accuracy_seed_0": 55.0,
                "accuracy_seed_1": 65.0,
            }
            for dataset in TITLES
            for level in LEVEL_TITLES
            for emotion in (*EMOTIONS, "overall")
        ]
    )


def _network():
    network = ResEmoteNet(1.0, head_dropout=0.1)
    return figures.figure_1_resemotenet(
        layer_shapes(network),
        dropout=(network.dropout1.p, network.dropout2.p),
        face=some_faces().images[0],
    )


def _pipeline():
    return figures.figure_2_pipeline(
        STAGES,
        examples={
            "dataset": some_faces(channels=1).images[:4],
            "synthesis": some_faces().images[:4],
            "prompts": "A face of a woman in her 30's expressing disgust emotion",
            "balancing": (COUNTS, LARGE),
        },
    )


def _synthetic():
    pool = some_faces(4)
    prompt = "Portrait of a disgusted woman in her 70's with glasses, dim light, studio photo"
    return figures.figure_3_synthetic_examples(
        pool, manifest_of(pool).assign(prompt=prompt), titles=GENERATORS
    )


def _matrices():
    counts = np.random.default_rng(0).integers(0, 300, (7, 7))
    counts[3, 3], counts[1] = 7215, 0
    names = [f"{title}, {level}" for title in TITLES.values() for level in ("Original", "Aug. 4")]
    return figures.figure_4_confusion_matrices(
        dict.fromkeys(names, counts), printed=dict.fromkeys(names, [99, 98, 97, 100, 96, 95, 94])
    )


def _controls():
    random, rows = np.random.default_rng(0), []
    for dataset in TITLES:
        for name, group in [
            ("original", "level"),
            ("aug1", "level"),
            *((c.name, c.group) for c in CONTROLS.values()),
        ]:
            found = np.nan if name == "original" else random.normal(4, 5)
            rows.append(
                {
                    "dataset": dataset,
                    "control": name,
                    "group": group,
                    "n": 1185,
                    "seeds": 2,
                    "accuracy": 50.0,
                    "low": 46.0,
                    "high": 54.0,
                    "to_original": found,
                    "to_original_low": found - 4,
                    "to_original_high": found + 5,
                }
            )
    results = pd.DataFrame(rows)
    sweep = results[results["control"].isin(RATIO_SWEEP)]
    return figures.figure_a2_controls(
        results, sweep.assign(percent=sweep.groupby("dataset").cumcount() * 25), titles=TITLES
    )


def _implied():
    rows = [
        {
            "dataset": dataset,
            "column": column,
            "mean": mean,
            "low": 90.0 + place,
            "high": 91.0 + place,
            "printed": 91.5 + place,
            "verdict": "fits" if mean == "macro" else "not possible",
        }
        for dataset in ("FER2013", "RAF-DB")
        for place, column in enumerate(LEVEL_TITLES)
        for mean in MEAN_TITLES
    ]
    return figures.figure_a3_implied_accuracy(pd.DataFrame(rows), level_titles=LEVEL_TITLES)


def some_quality() -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "dataset": dataset,
                "generator": name,
                "emotion": emotion,
                "metric": metric,
                "value": value,
                "low": 0.9 * value,
                "high": 1.1 * value,
                "n": 1009,
                "features": {"agreement": "reader", "close": "pixels"}.get(metric, "reader"),
            }
            for dataset in TITLES
            for name in SAMPLE_STYLES
            for emotion in ("all", *EMOTIONS)
            for metric in METRICS
            for value in [np.nan if emotion == "fear" and metric == "coverage" else 0.5]
            if name != "real half" or metric not in ("agreement", "close")
        ]
    )


def _quality():
    return figures.figure_a4_quality(some_quality(), titles=TITLES, generator_titles=GENERATORS)


def _calibration():
    edges = np.arange(10, 100, 10.0)
    diagram = pd.DataFrame(
        {
            "low_edge": edges,
            "high_edge": edges + 10,
            "answers": 1000,
            "confidence": edges + 5,
            "accuracy": edges - 4,
            "low": edges - 9,
            "high": edges + 2,
        }
    )
    names = [f"{title}, {level}" for title in TITLES.values() for level in ("Original", "Aug. 4")]
    return figures.figure_a6_calibration(
        dict.fromkeys(names, diagram),
        dict.fromkeys(names, "error 11.8 [10.4, 13.2] %, by chance 14.1 %"),
    )


def _real_faces():
    order = [*list(LEVEL_TITLES)[1:], *list(CONTROLS)[:10]]
    rows = [
        {
            "level": level,
            "width": width,
            "measure": measure,
            "value": place - 5.0,
            "low": place - 7.5,
            "high": place - 2.0,
        }
        for measure in ("accuracy", "balanced accuracy")
        for width in (1.0, 0.25)
        for place, level in enumerate(order)
    ]
    return figures.figure_a6_real_faces(pd.DataFrame(rows), {"aug1": 5.02, "aug4": 16.68})


def _oracle():
    added = {
        "original": 0,
        "unseen_25": 2_700,
        "unseen_50": 5_400,
        "unseen": 10_800,
        "synthetic_25": 2_700,
        "synthetic_50": 5_400,
        "aug1": 10_800,
        "oversampling": 10_800,
    }
    rows = [
        {"level": name, "added": count, "balanced": 40 + gain, "low": 38 + gain, "high": 43 + gain}
        for name, count in added.items()
        for gain in [count / (900 if "unseen" in name else 2_000)]
    ]
    return figures.figure_a7_oracle(
        dict.fromkeys(
            ("a quarter: 7,177 faces", "a tenth: 2,871 faces", "a twentieth: 1,435 faces"),
            pd.DataFrame(rows),
        )
    )


def _trade_off():
    rows = [
        {
            "level": level,
            "seed": seed,
            "strength": strength,
            "n": 3_589,
            "accuracy": 62 + seed / 3 - place - 4 * strength**2,
            "balanced": 52 + seed / 3 + 2 * place + 3 * strength,
        }
        for place, level in enumerate(("original", "aug1", "aug4", "oversampling", "class_weights"))
        for seed in (0, 1, 2)
        for strength in ((0.0, 0.25, 0.5, 0.75, 1.0) if level == "original" else (0.0,))
    ]
    return figures.figure_a8_trade_off(pd.DataFrame(rows))


def _twins():
    face = some_faces().images[0]
    return figures.twin_pairs(
        [(face, face, "surprise | surprise\nnear, cropped, mirrored, 0.999")] * 7
    )


def _noise():
    columns = [*EMOTIONS, "none"]
    counts = pd.DataFrame(np.eye(7, 8, dtype=int) * 700 + 3, EMOTIONS, columns)
    return figures.label_noise(dict.fromkeys(TITLES.values(), counts), "emotion that was drawn")


def _nearest():
    face = some_faces().images[0]
    return figures.figure_a4_nearest(
        {
            f"{title}\nby {by}": [(face, face, "surprise | surprise\n0.999")] * 6
            for by in ("pixels", "features")
            for title in GENERATORS.values()
        }
    )


def _captioned():
    face = some_faces().images[0]
    return figures.captioned_faces(
        {
            "labelled as, and read as": [(face, "surprise\nread as surprise, 99%")] * 7,
            "HiResCAM": [(face, "")] * 7,
        }
    )


def _guidance():
    grid = np.arange(6, dtype=np.uint8).reshape(2, 3, 1, 1, 1) * np.ones((1, 1, 8, 8, 3), np.uint8)
    return figures.figure_a4_guidance(
        dict.fromkeys(GENERATORS.values(), grid),
        guidance_scales=[1.0, 7.5],
        steps=[1, 4, 9],
        prompt="An old woman in her 60's expressing surprise emotions on her face, soft light",
    )


def _trajectory():
    images = np.stack([np.full((8, 8, 3), 20 * step, np.uint8) for step in range(11)])
    return figures.figure_a4_trajectory(
        dict.fromkeys(GENERATORS.values(), {"surprise": images, "sad": images})
    )


def _curves():
    runs = [some_history(12), some_history(9)]
    return figures.learning_curves(
        {title: dict.fromkeys(LEVEL_TITLES.values(), runs) for title in TITLES.values()},
        load_profile("demo").training,
        max_epochs=12,
    )


def _distribution():
    levels = {title: dict.fromkeys(LARGE, 15000) for title in list(LEVEL_TITLES.values())[1:]}
    return figures.class_distribution(
        dict.fromkeys(TITLES.values(), LARGE),
        dict.fromkeys(TITLES.values(), {"Original": LARGE, **levels}),
    )


def _compared():
    runs = enumerate((title, seed) for title in TITLES.values() for seed in (0, 1))
    return figures.compared_curves(
        [
            Curves(
                title,
                seed,
                some_history(9) * [1, 1, *[1 + place] * 4],
                kept=9,
                lowered=[3],
                stopped=seed == 1,
            )
            for place, (title, seed) in runs
        ],
        measures=("accuracy",),
        parts=("validation",),
    )


def _read():
    pictures = {
        "photo": some_faces().images[0],
        "as the network saw it": some_faces(channels=1).images[1],
    }
    return figures.read_photo(pictures, np.array([0.01, 0.02, 0.03, 0.9, 0.01, 0.01, 0.02]))


EXAMPLES = {
    "class_target": lambda: figures.class_target(
        LARGE, COUNTS, LARGE, {"Aug. 1": 7215, "Aug. 4": 15000}
    ),
    "compared_curves": _compared,
    "read_photo": _read,
    "captioned_faces": _captioned,
    "class_distribution": _distribution,
    "figure_1_resemotenet": _network,
    "class_accuracy_intervals": lambda: figures.class_accuracy_intervals(
        some_accuracies(), titles=TITLES, level_titles=LEVEL_TITLES
    ),
    "figure_2_pipeline": _pipeline,
    "figure_3_synthetic_examples": _synthetic,
    "figure_4_confusion_matrices": _matrices,
    "figure_a2_controls": _controls,
    "figure_a3_implied_accuracy": _implied,
    "figure_a4_guidance": _guidance,
    "figure_a4_nearest": _nearest,
    "figure_a4_quality": _quality,
    "figure_a4_trajectory": _trajectory,
    "figure_a6_calibration": _calibration,
    "figure_a6_real_faces": _real_faces,
    "figure_a7_oracle": _oracle,
    "figure_a8_trade_off": _trade_off,
    "label_noise": _noise,
    "learning_curves": _curves,
    "mean_faces": lambda: figures.mean_faces(dict.fromkeys(TITLES.values(), some_faces())),
    "pixel_statistics": lambda: figures.pixel_statistics(
        dict.fromkeys(TITLES.values(), some_faces())
    ),
    "sample_grid": lambda: figures.sample_grid(
        some_faces(), 4, "Drawn portraits, the web of the tiny generators"
    ),
    "sample_grids": lambda: figures.sample_grids(dict.fromkeys(TITLES.values(), some_faces()), 2),
    "twin_pairs": _twins,
}
"""Name of a figure function -> a function that draws an example."""


def some_stages() -> list:
    return [
        SimpleNamespace(number=1, name="dataset", notebook="01", inputs=(), shown=()),
        SimpleNamespace(
            number=2, name="prompts", notebook="02", inputs=(1,), shown=("table_1_prompts",)
        ),
        SimpleNamespace(
            number=3, name="synthesis", notebook="03", inputs=(1, 2), shown=("figure_3_x",)
        ),
    ]
