"""What was measured on real FER2013, read from the committed tables of the profiles that did: the project's own answer to
the paper's question. Nothing is computed from faces here, so every reader sees it, with or without the data set.

``fer2013_full`` trains the network of the paper's Fig. 1, ``fer2013`` one of a quarter of its width on the same training
sets; ``fer2013_twins`` lets the copies of test faces into the training set.
"""

import pandas as pd

from fer_utils.balancing import LEVEL_TITLES
from fer_utils.controls import CONTROLS, set_title, trained_sets
from fer_utils.documents.gpu import gpu_page_blocks
from fer_utils.evaluation import ACCURACY, BALANCED
from fer_utils.paths import committed_tables
from fer_utils.profiles import Profile, load_profile
from fer_utils.provenance import read_provenance
from fer_utils.reference import read_reference
from fer_utils.tables import p_value, verdict

FULL, NARROW, WITH_TWINS = "fer2013_full", "fer2013", "fer2013_twins"
REFERENCES = ("original", "oversampling")
MEASURES = ("accuracy", "balanced accuracy")
SUMMARY = "table_a6_summary.csv"
STAMP = "generator trained on FER2013, not Stable Diffusion"
"""For what shows more than one profile."""


def measured(name: str = FULL) -> pd.DataFrame:
    """A row for Original, each level and each control that the profile has trained, in the order of the paper and of
    ``CONTROLS``; none where it has trained nothing.

    Columns level, paper, n, seeds; accuracy, sd, low, high; balanced (accuracy, each emotion alike), balanced_sd,
    balanced_low, balanced_high; for each of ``REFERENCES`` to_<reference>: difference in points on the same test faces
    with _low, _high, _p (Holm's) and _reading, and in balanced accuracy with _balanced, _balanced_low, _balanced_high;
    empty for the reference itself.
    """
    folder = committed_tables(name)
    if not (folder / SUMMARY).is_file():
        return pd.DataFrame(columns=["level", "paper", "n", "seeds"])
    summary = pd.read_csv(folder / SUMMARY)
    rows = summary.query("score == @ACCURACY")[["level", "paper", "n", "seeds", "value", "sd", "low", "high"]]
    balanced = summary.query("score == @BALANCED")[["level", "value", "sd", "low", "high"]]
    rows = rows.rename(columns={"value": "accuracy"}).merge(balanced.set_axis(
        ["level", "balanced", *(f"balanced_{end}" for end in ("sd", "low", "high"))], axis=1), on="level")
    for reference in REFERENCES:
        rows = rows.merge(_against(reference, folder), how="left", on="level")
    return rows.sort_values("level", key=_place, kind="stable", ignore_index=True)


def shown(rows: pd.DataFrame) -> pd.DataFrame:
    """``measured`` as short texts for readers."""
    return pd.DataFrame([{
        "Training set": set_title(row.level), "Paper": "" if pd.isna(row.paper) else f"{row.paper:.2f}",
        "Ours (%)": _mean(row.accuracy, row.sd, row.low, row.high),
        "Balanced (%)": _mean(row.balanced, row.balanced_sd, row.balanced_low, row.balanced_high),
        "Test images, seeds": f"{row.n:,}, {row.seeds}",
        **{f"Against {set_title(name)} (points)": _difference(row, name) for name in REFERENCES}}
        for row in rows.itertuples()])


def caption(name: str = FULL) -> str:
    """What the table is: faces, network, generator, and what the intervals are."""
    profile = load_profile(name)
    return (f"Test accuracy on real FER2013 of networks trained on it, mean ± standard deviation over seeds [Wilson interval, "
            f"{profile.evaluation.confidence:.0%}], and balanced, each emotion alike [bootstrap]; differences on the same faces "
            "with bootstrap intervals and Holm's p of McNemar's test. "
            f"ResEmoteNet of width {profile.network.width:g}; synthetic faces from {_generator(profile)}, not from Stable "
            f"Diffusion. {_trainings(name)}")


def differences() -> pd.DataFrame:
    """Every difference from Original of both widths, in points and in the order of ``measured``: columns level, width,
    measure (of ``MEASURES``), value, low, high."""
    found = []
    for name in (FULL, NARROW):
        rows, width = measured(name), load_profile(name).network.width
        for measure, part in zip(MEASURES, ("", "_balanced")):
            columns = [f"to_original{part}{end}" for end in ("", "_low", "_high")]
            if columns[0] in rows:
                found.append(rows[["level", *columns]].set_axis(["level", "value", "low", "high"], axis=1).dropna()
                             .assign(width=width, measure=measure))
    table = pd.concat(found, ignore_index=True)[["level", "width", "measure", "value", "low", "high"]]
    return table.sort_values("level", key=_place, kind="stable", ignore_index=True)


def claimed() -> dict[str, float]:
    """What Table III claims for each level: its accuracy on FER2013 less that of Original, in points."""
    printed = read_reference("table_3").query("dataset == 'FER2013' and emotion == 'overall'").set_index("level")["accuracy"]
    return {level: printed[level] - printed["original"] for level in LEVEL_TITLES if level != "original"}


def in_words() -> str:
    """The answer in sentences, as Markdown: what the paper claims, how the levels read, and every set one by one."""
    rows = {name: measured(name).set_index("level") for name in (FULL, NARROW)}
    lines = [f"The paper's Table III claims {claimed()['aug4']:+.2f} points from Original to Augmentation 4.",
             *(_levels_in_words(load_profile(name).network.width, found) for name, found in rows.items() if len(found)),
             "One by one, \"balanced\" being the difference in balanced accuracy, where rare emotions count as much as frequent ones:"]
    order = [name for name in (*LEVEL_TITLES, *CONTROLS) if name != "original" and any(name in found.index for found in rows.values())]
    return "\n".join([*(f"- {line}" for line in lines), *(f"    - {_in_words(name, rows)}" for name in order)])


def limits() -> str:
    """What the measurement does not show, as Markdown."""
    profile, paper = load_profile(FULL), load_profile("paper").training
    seeds = sorted(set(measured()["seeds"]))
    some = f"{seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else f"{seeds[0]}"
    return "\n".join(f"- {line}" for line in (
        f"**The generator.** The synthetic faces come from {_generator(profile)}. Stable Diffusion has seen millions of faces "
        "and draws far better ones; what it would give is left open.",
        f"**The recipe.** Batches of {profile.training.batch_size} and a learning rate of {profile.training.learning_rate:g} "
        f"instead of {paper.batch_size} and {paper.learning_rate:g}, the same for every training set.",
        "**The gate.** Copies of test faces are kept out of the training set; the paper's numbers are from a set that holds "
        f"them.{_with_twins()}",
        f"**The seeds.** {some} for each training set at full width; a standard deviation over so few is a hint. All seeds of a "
        "set share one pool of synthetic faces.",
        *(f"**The cost at width {load_profile(name).network.width:g}.** {_trainings(name)} One by one in "
          f"[provenance.json](../tables/{name}/provenance.json)." for name in (FULL, NARROW))))


def finishing() -> str:
    """What finishes it: the command and its cost, as docs/table_3_on_your_gpu.md computes them, as Markdown."""
    blocks = gpu_page_blocks()
    cost = [line for line in blocks["plan"].splitlines() if line.startswith(("sd2:", "sd3:", "money:"))]
    return (f"`python -m fer_utils reproduce --profile paper`. The pool: {'; '.join(cost)}. Then {blocks['training']}")


def _place(levels: pd.Series) -> pd.Series:
    """Where each level or control stands in the order of the paper and of ``CONTROLS``."""
    return levels.map({name: place for place, name in enumerate([*LEVEL_TITLES, *CONTROLS])})


def _trainings(name: str) -> str:
    """How many trainings of the profile's are finished, how long they took and on what."""
    runs = read_provenance(committed_tables(name)).get("trainings", {})
    wanted = sum(len(seeds) for _, seeds in trained_sets(load_profile(name)))
    return (f"{len(runs)} of {wanted} trainings, {sum(run['hours'] for run in runs.values()):.1f} hours on: "
            f"{'; '.join(sorted({run['hardware'] for run in runs.values()}))}.")


def _with_twins() -> str:
    """The accuracies of what was trained with the copies, beside those of the same sets without; empty where nothing was."""
    found, without = measured(WITH_TWINS), measured(NARROW).set_index("level")
    said = [f"{set_title(row.level)} {_mean(row.accuracy, row.sd, row.low, row.high)} % (seeds: {row.seeds}), "
            f"{without.loc[row.level, 'accuracy']:.1f} % without them" for row in found.itertuples()]
    return f" With them in it, at width {load_profile(WITH_TWINS).network.width:g}: {'; '.join(said)}." if said else ""


def _against(reference: str, folder) -> pd.DataFrame:
    ends = ("", "_low", "_high", "_p", "_balanced", "_balanced_low", "_balanced_high", "_reading")
    columns = ["level", *(f"to_{reference}{end}" for end in ends)]
    path = folder / "table_a6_comparison.csv"
    if not path.is_file():
        return pd.DataFrame(columns=columns)
    found = pd.read_csv(path).query("reference == @reference")
    readings = [verdict(row) for row in found.to_dict("records")]
    found = found[["level", "difference", "low", "high", "p_holm", "balanced", "balanced_low", "balanced_high"]]
    return found.assign(reading=readings).set_axis(columns, axis=1)


def _mean(value: float, sd: float, low: float, high: float) -> str:
    return f"{value:.1f}" + ("" if pd.isna(sd) else f" ± {sd:.1f}") + f" [{low:.1f}, {high:.1f}]"


def _difference(row, reference: str) -> str:
    value = getattr(row, f"to_{reference}")
    if pd.isna(value):
        return ""
    low, high, p, reading = (getattr(row, f"to_{reference}_{name}") for name in ("low", "high", "p", "reading"))
    return f"{value:+.1f} [{low:+.1f}, {high:+.1f}], p {p_value(p)}: {reading}"


def _levels_in_words(width: float, rows: pd.DataFrame) -> str:
    """Which levels read better, worse or open against each reference, which change balanced accuracy, and which were not
    measured."""
    of_paper = [level for level in LEVEL_TITLES if level != "original"]
    levels, parts = [level for level in of_paper if level in rows.index], []
    for reference in REFERENCES:
        found = rows.loc[levels, f"to_{reference}_reading"]
        readings = "; ".join(f"**{reading}**: {_listed(found.index[found == reading])}" for reading in ("better", "worse", "open"))
        low, high = (rows.loc[levels, f"to_{reference}_balanced_{end}"] for end in ("low", "high"))
        parts.append(f"Against {set_title(reference)}, {readings}; balanced, interval above 0: {_listed(low.index[low > 0])}, "
                     f"below 0: {_listed(high.index[high < 0])}")
    if len(levels) < len(of_paper):
        parts.append(f"Not measured: {_listed(level for level in of_paper if level not in levels)}")
    return f"Width {width:g}: {'. '.join(parts)}."


def _listed(levels) -> str:
    return ", ".join(set_title(level) for level in levels) or "none"


def _in_words(name: str, rows: dict[str, pd.DataFrame]) -> str:
    """A level or a control with its question, against each reference it was compared with, at each width."""
    asked = f" {CONTROLS[name].answers}" if name in CONTROLS else ""
    found = [(load_profile(profile).network.width, table.loc[name]) for profile, table in rows.items() if name in table.index]
    return f"**{set_title(name)}.**{asked} " + " ".join(
        f"Width {width:g} (seeds: {row['seeds']}): " + "; ".join(
            f"against {set_title(reference)} {_points(row, reference)}" for reference in REFERENCES
            if pd.notna(row[f"to_{reference}"])) + "." for width, row in found)


def _points(row: pd.Series, reference: str) -> str:
    value, low, high, reading, balanced, balanced_low, balanced_high = (
        row[f"to_{reference}{end}"] for end in ("", "_low", "_high", "_reading", "_balanced", "_balanced_low", "_balanced_high"))
    return (f"**{value:+.1f} points** [{low:+.1f}, {high:+.1f}], {reading}; balanced {balanced:+.1f} "
            f"[{balanced_low:+.1f}, {balanced_high:+.1f}]")


def _generator(profile: Profile) -> str:
    names = [f"tiny-{name}" for name in profile.tiny_generators.train]
    return (f"{' and '.join(names)}, trained for {profile.tiny_generators.diffusion_steps:,} steps on FER2013's own training "
            "faces")
