"""Every number of the primary comparisons once more, from the kept answers alone and by other code
than the package's."""

import csv
import gzip
import json
import math
from collections import defaultdict
from pathlib import Path

import pytest
from scipy.stats import t as student
from statsmodels.stats.multitest import multipletests

ROOT = Path(__file__).resolve().parents[1]
PROFILES = sorted(path.parents[1].name for path in (ROOT / "tables").glob("fer2013*/runs/fer2013"))
LEVELS = ("aug1", "aug2", "aug3", "aug4")
CLASSES = ("anger", "disgust", "fear", "happy", "neutral", "sad", "surprise")


def rows(path):
    with (gzip.open if path.suffix == ".gz" else open)(
        path, "rt", encoding="utf-8", newline=""
    ) as file:
        return list(csv.DictReader(file))


def right(profile, level):
    """{seed: {image: (label, 1 or 0)}} of a level's kept runs."""
    found = {}
    for folder in sorted((ROOT / "tables" / profile / "runs" / "fer2013" / level).glob("*")):
        found[int(folder.name)] = {
            row["id"]: (row["emotion"], int(row["emotion"] == row["predicted"]))
            for row in rows(folder / "predictions.csv.gz")
        }
    return found


def mean(values):
    values = list(values)
    return math.fsum(values) / len(values)


def variance(values):
    values = list(values)
    middle = mean(values)
    return math.fsum((value - middle) ** 2 for value in values) / (len(values) - 1)


def run_means(runs, *, by_class):
    """Accuracy, or balanced accuracy, of each run, in percent."""
    groups = CLASSES if by_class else [None]
    return [
        100
        * mean(mean(one for label, one in run.values() if name in (None, label)) for name in groups)
        for run in runs.values()
    ]


def of_a_run(profile, *, by_class):
    """The variance of a run around the mean of its own set, over Original and the augmentations,
    and its freedom."""
    sets = [run_means(right(profile, level), by_class=by_class) for level in ("original", *LEVELS)]
    freedom = sum(len(values) - 1 for values in sets if values)
    return (
        math.fsum((value - mean(values)) ** 2 for values in sets for value in values) / freedom,
        freedom,
    )


def estimate(ours, theirs, known, *, by_class):
    """Mean gain in points, its ends and p: the run's and the faces' variances added, t of
    Satterthwaite's freedom."""
    seeds = sorted(set(ours) & set(theirs))
    gains = {
        image: [100 * (ours[seed][image][1] - theirs[seed][image][1]) for seed in seeds]
        for image in ours[seeds[0]]
    }
    groups = defaultdict(list)
    for image, (label, _) in ours[seeds[0]].items():
        groups[label if by_class else "all"].append(image)
    of_run = [
        mean(mean(gains[image][k] for image in images) for images in groups.values())
        for k in range(len(seeds))
    ]
    parts = [
        (
            variance(mean(gains[image]) for image in images) / len(images) / len(groups) ** 2,
            len(images) - 1,
        )
        for images in groups.values()
    ]
    if len(seeds) > 1:
        parts.append((2 * known[0] / len(seeds), known[1]))
    total = math.fsum(part for part, _ in parts)
    freedom = total**2 / math.fsum(part**2 / count for part, count in parts)
    middle, half = mean(of_run), student.ppf(0.975, freedom) * math.sqrt(total)
    p = 2 * student.sf(abs(middle) / math.sqrt(total), freedom) if len(seeds) > 1 else math.nan
    return middle, middle - half, middle + half, p


def wilson(share, n):
    z = 1.959963984540054
    centre, spread = (
        share + z * z / (2 * n),
        z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)),
    )
    return (centre - spread) / (1 + z * z / n), (centre + spread) / (1 + z * z / n)


@pytest.mark.parametrize("profile", PROFILES)
def test_accuracy_and_balanced_accuracy_of_every_level_come_out_again(profile):
    summary = {
        (row["level"], row["score"]): row
        for row in rows(ROOT / "tables" / profile / "table_a6_summary.csv")
    }
    checked = 0
    for level in ("original", *LEVELS):
        runs = right(profile, level)
        if not runs:
            continue
        accuracy = [100 * mean(one for _, one in run.values()) for run in runs.values()]
        balanced = [
            100
            * mean(mean(one for label, one in run.values() if label == name) for name in CLASSES)
            for run in runs.values()
        ]
        for score, values in (("accuracy", accuracy), ("balanced accuracy", balanced)):
            row = summary[level, score]
            assert int(row["seeds"]) == len(runs) and int(row["n"]) == len(
                next(iter(runs.values()))
            )
            assert float(row["value"]) == pytest.approx(mean(values), abs=1e-8)
            if len(values) > 1:
                assert float(row["sd"]) == pytest.approx(math.sqrt(variance(values)), abs=1e-8)
            checked += 1
        ends = wilson(mean(accuracy) / 100, int(summary[level, "accuracy"]["n"]))
        assert [float(summary[level, "accuracy"][end]) for end in ("low", "high")] == pytest.approx(
            [100 * end for end in ends]
        )
    assert checked >= 2


@pytest.mark.parametrize(
    "profile", [name for name in PROFILES if any((ROOT / "tables" / name / "runs").glob("*/aug*"))]
)
def test_the_primary_family_comes_out_again_with_intervals_p_and_holm(profile):
    found = {
        row["level"]: row
        for row in rows(ROOT / "tables" / profile / "table_a6_comparison.csv")
        if row["family"] == "primary"
    }
    original, p_values = right(profile, "original"), []
    assert list(found) == [level for level in LEVELS if right(profile, level)] and found
    for level, row in found.items():
        for measure, prefix, by_class in (
            ("difference", "", False),
            ("balanced", "balanced_", True),
        ):
            middle, low, high, p = estimate(
                right(profile, level),
                original,
                of_a_run(profile, by_class=by_class),
                by_class=by_class,
            )
            assert [
                float(row[name]) for name in (measure, f"{prefix}low", f"{prefix}high")
            ] == pytest.approx([middle, low, high], abs=1e-7), (level, measure)
            assert math.isnan(p) == (row[f"{prefix}p"] == "") and (
                math.isnan(p) or float(row[f"{prefix}p"]) == pytest.approx(p)
            )
            p_values.append((level, prefix, p))
    family = [1.0 if math.isnan(p) else p for *_, p in p_values] + [1.0] * (
        2 * len(LEVELS) - len(p_values)
    )
    for (level, prefix, p), corrected in zip(p_values, multipletests(family, method="holm")[1]):
        assert math.isnan(p) or float(found[level][f"{prefix}p_holm"]) == pytest.approx(corrected)


def test_there_is_something_to_compute_again():
    assert (
        PROFILES
        and json.loads((ROOT / "tables" / PROFILES[0] / "provenance.json").read_text())["trainings"]
    )
