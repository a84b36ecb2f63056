"""What was measured on real FER2013, read from the committed tables of the profile ``fer2013``: the project's own answer
to the paper's question. Nothing is computed from faces here, so every reader sees it, with or without the data set.
"""

import pandas as pd

from fer_utils.balancing import LEVEL_TITLES
from fer_utils.controls import CONTROLS, set_title
from fer_utils.documents.gpu import gpu_page_blocks
from fer_utils.evaluation import ACCURACY, BALANCED
from fer_utils.paths import committed_tables
from fer_utils.profiles import Profile, load_profile
from fer_utils.provenance import read_provenance
from fer_utils.reference import read_reference
from fer_utils.tables import p_value, verdict

PROFILE, FULL_WIDTH, WITH_TWINS = "fer2013", "fer2013_full", "fer2013_twins"
REFERENCES = ("original", "oversampling")


def measured() -> pd.DataFrame:
    """A row for Original, each level and each control that was trained, in the order of the paper and of ``CONTROLS``.

    Columns level, paper, n, seeds; accuracy, sd, low, high; balanced (accuracy, each emotion alike), balanced_sd,
    balanced_low, balanced_high; for each of ``REFERENCES`` to_<reference>: difference in points on the same test faces
    with _low, _high, _p (Holm's) and _reading, and in balanced accuracy with _balanced, _balanced_low, _balanced_high;
    empty for the reference itself.
    """
    folder = committed_tables(PROFILE)
    summary = pd.read_csv(folder / "table_a6_summary.csv")
    rows = summary.query("score == @ACCURACY")[["level", "paper", "n", "seeds", "value", "sd", "low", "high"]]
    balanced = summary.query("score == @BALANCED")[["level", "value", "sd", "low", "high"]]
    rows = rows.rename(columns={"value": "accuracy"}).merge(balanced.set_axis(
        ["level", "balanced", *(f"balanced_{end}" for end in ("sd", "low", "high"))], axis=1), on="level")
    for reference in REFERENCES:
        rows = rows.merge(_against(reference, folder), how="left", on="level")
    order = {name: place for place, name in enumerate([*LEVEL_TITLES, *CONTROLS])}
    return rows.sort_values("level", key=lambda names: names.map(order), kind="stable").reset_index(drop=True)


def shown(rows: pd.DataFrame) -> pd.DataFrame:
    """``measured`` as short texts for readers."""
    return pd.DataFrame([{
        "Training set": set_title(row.level), "Paper": "" if pd.isna(row.paper) else f"{row.paper:.2f}",
        "Ours (%)": _mean(row.accuracy, row.sd, row.low, row.high),
        "Balanced (%)": _mean(row.balanced, row.balanced_sd, row.balanced_low, row.balanced_high),
        "Test images, seeds": f"{row.n:,}, {row.seeds}",
        **{f"Against {set_title(name)} (points)": _difference(row, name) for name in REFERENCES}}
        for row in rows.itertuples()])


def caption(profile: Profile | None = None) -> str:
    """What the table is: faces, network, generator, and what the intervals are."""
    profile = profile or load_profile(PROFILE)
    return (f"Test accuracy on real FER2013 of networks trained on it, mean ± standard deviation over seeds [Wilson interval, "
            f"{profile.evaluation.confidence:.0%}], and balanced, each emotion alike [bootstrap]; differences on the same faces with bootstrap intervals and Holm's p of "
            f"McNemar's test. ResEmoteNet of width {profile.network.width:g}; synthetic faces from {_generator(profile)}, not "
            "from Stable Diffusion.")


def in_words() -> str:
    """The answer in sentences, as Markdown; it says of a level that is not there yet that it was not measured."""
    rows = measured().set_index("level")
    printed = read_reference("table_3").query("dataset == 'FER2013' and emotion == 'overall'").set_index("level")["accuracy"]
    lines = [f"The paper's Table III claims {printed['aug4'] - printed['original']:+.2f} points from Original to Augmentation 4. "
             "Below, \"balanced\" is the difference in balanced accuracy, where rare emotions count as much as frequent ones."]
    lines += [_in_words(level, rows.loc[level]) if level in rows.index else f"**{LEVEL_TITLES[level]}** was not measured."
              for level in ("aug1", "aug4")]
    lines += [_in_words(name, rows.loc[name]) for name in rows.index if name in CONTROLS]
    return "\n".join(f"- {line}" for line in lines)


def limits() -> str:
    """What the measurement does not show, as Markdown."""
    profile, log = load_profile(PROFILE), read_provenance(committed_tables(PROFILE))
    seeds = sorted(set(measured()["seeds"]))
    some = f"{seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else f"{seeds[0]}"
    runs = log.get("trainings", {})
    return "\n".join(f"- {line}" for line in (
        f"**The generator.** The synthetic faces come from {_generator(profile)}. Stable Diffusion has seen millions of faces "
        "and draws far better ones; what it would give is left open.",
        f"**The network.** Its width is {profile.network.width:g} of the paper's, its batch {profile.training.batch_size}, its "
        f"learning rate {profile.training.learning_rate:g}."
        f"{_in_profile(FULL_WIDTH, 'The full network, on a GPU, came to:')}",
        "**The gate.** Copies of test faces are kept out of the training set; the paper's numbers are from a set that holds "
        f"them.{_in_profile(WITH_TWINS, 'With them in it:')}",
        f"**The seeds.** {some} for each training set; a standard deviation over so few is a hint.",
        f"**The cost.** {len(runs)} trainings, {log.get('training_hours', 0):.1f} hours on: "
        f"{'; '.join(sorted({run['hardware'] for run in runs.values()}))}. One by one in "
        "[provenance.json](../tables/fer2013/provenance.json)."))


def finishing() -> str:
    """What finishes it: the command and its cost, as docs/table_3_on_your_gpu.md computes them, as Markdown."""
    blocks = gpu_page_blocks()
    cost = [line for line in blocks["plan"].splitlines() if line.startswith(("sd2:", "sd3:", "money:"))]
    return (f"`python -m fer_utils reproduce --profile paper`. The pool: {'; '.join(cost)}. Then {blocks['training']}")


def _in_profile(name: str, said: str) -> str:
    """``said`` and the accuracies of what was trained with another profile; empty where nothing was."""
    path = committed_tables(name) / "table_a6_summary.csv"
    if not path.is_file():
        return ""
    found = [f"{set_title(row.level)} {row.value:.1f} % [{row.low:.1f}, {row.high:.1f}] (seeds: {row.seeds})"
             for row in pd.read_csv(path).query("score == @ACCURACY").itertuples()]
    return f" {said} {'; '.join(found)}."


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


def _in_words(name: str, row: pd.Series) -> str:
    """A level or a control with its question, against each reference it was compared with."""
    asked = f" {CONTROLS[name].answers}" if name in CONTROLS else ""
    against = " ".join(f"Against {set_title(reference)}: {_points(row, reference)}." for reference in REFERENCES
                       if pd.notna(row[f"to_{reference}"]))
    return f"**{set_title(name)}.**{asked} {against} ({row['n']:,} test faces, seeds: {row['seeds']})"


def _points(row: pd.Series, reference: str) -> str:
    value, low, high, reading, balanced, balanced_low, balanced_high = (
        row[f"to_{reference}{end}"] for end in ("", "_low", "_high", "_reading", "_balanced", "_balanced_low", "_balanced_high"))
    return (f"**{value:+.1f} points** [{low:+.1f}, {high:+.1f}], {reading}; balanced {balanced:+.1f} "
            f"[{balanced_low:+.1f}, {balanced_high:+.1f}]")


def _generator(profile: Profile) -> str:
    names = [f"tiny-{name}" for name in profile.tiny_generators.train]
    return (f"{' and '.join(names)}, trained for {profile.tiny_generators.diffusion_steps:,} steps on FER2013's own training "
            "faces")
