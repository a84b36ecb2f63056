"""The same for readers: a table, and sentences."""

import pandas as pd

from fer_utils.balancing import LEVEL_TITLES
from fer_utils.balancing.controls import CONTROLS, set_title, trained_sets
from fer_utils.core.profiles import Profile, load_profile
from fer_utils.evaluation import FACES, FACES_AND_RUNS, TOO_FEW, VERDICTS
from fer_utils.pages.documents.gpu import gpu_page_blocks
from fer_utils.pages.measured.numbers import (
    FULL,
    NARROW,
    REFERENCES,
    WITH_TWINS,
    by_seed,
    claimed,
    histories,
    measured,
    trainings,
)
from fer_utils.tables import HOW_JUDGED, in_brief

_NEEDS = {
    "agreed": (
        "which needs an auxiliary classifier of the network's own width first, trained on the real"
        " faces alone"
    )
}
"""Why a control was not trained, by the pool that it asks for (``Control.pool``)."""


def shown(rows: pd.DataFrame) -> pd.DataFrame:
    """``measured`` as short texts for readers."""
    sure = f"{100 * load_profile(FULL).evaluation.confidence:g} %"
    return pd.DataFrame(
        [
            {
                "Training set": set_title(row.level),
                "Paper": "" if pd.isna(row.paper) else f"{row.paper:.2f}",
                f"Ours (%) [{sure}: {FACES}]": _mean(row.accuracy, row.sd, row.low, row.high),
                f"Balanced (%) [{sure}: {FACES}]": _mean(
                    row.balanced, row.balanced_sd, row.balanced_low, row.balanced_high
                ),
                "Test images, seeds": f"{row.n:,}, {row.seeds}",
                **{
                    f"Against {set_title(name)} (points) [{sure}: {FACES_AND_RUNS}]": _differences(
                        row._asdict(), name
                    )
                    for name in REFERENCES
                },
                **(
                    {
                        "After the drop, validation (points against Original)": (
                            "" if pd.isna(row.after_drop) else f"{row.after_drop:+.1f}"
                        )
                    }
                    if rows["after_drop"].notna().any()
                    else {}
                ),
            }
            for row in rows.itertuples()
        ]
    )


def caption(name: str = FULL) -> str:
    """What the table is: faces, network, generator, and what the intervals are."""
    profile = load_profile(name)
    after = (
        '"After the drop": mean validation accuracy of the epochs after the learning rate first'
        " dropped, kept or not. "
        if measured(name).get("after_drop", pd.Series(dtype=float)).notna().any()
        else ""
    )
    return (
        "Test accuracy on real FER2013 of networks trained on it, mean ± standard deviation over"
        " seeds, and balanced, each emotion alike; differences on the same faces, in accuracy and"
        f" balanced. {HOW_JUDGED}. {after}ResEmoteNet of width {profile.network.width:g}; synthetic"
        f" faces from {_generator(profile)}, not from Stable Diffusion. {_trainings(name)}"
    )


def in_words() -> str:
    """The answer in sentences, as Markdown: what the paper claims, how the levels read, and every
    set one by one."""
    rows = {name: measured(name).set_index("level") for name in (FULL, NARROW)}
    lines = [
        (
            f"The paper's Table III claims {claimed()['aug4']:+.2f} points from Original to"
            " Augmentation 4."
        ),
        *filter(None, map(_stopping, (FULL, NARROW))),
        *(
            _levels_in_words(load_profile(name).network.width, found)
            for name, found in rows.items()
            if len(found)
        ),
        (
            'One by one, "balanced" being the difference in balanced accuracy, where rare emotions'
            " count like frequent ones:"
        ),
    ]
    there = {name for part in rows.values() for name in part.index if name != "original"}
    order = [name for name in (*LEVEL_TITLES, *CONTROLS) if name in there]
    return "\n".join(
        [*(f"- {line}" for line in lines), *(f"    - {_in_words(name, rows)}" for name in order)]
    )


def limits() -> str:
    """What the measurement does not show, as Markdown."""
    profile, paper = load_profile(FULL), load_profile("paper").training
    seeds = sorted(set(measured()["seeds"]))
    some = f"{seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else f"{seeds[0]}"
    return "\n".join(
        f"- {line}"
        for line in (
            (
                f"**The generator.** The synthetic faces come from {_generator(profile)}. Stable"
                " Diffusion has seen millions of faces and draws far better ones; what it would"
                " give is left open."
            ),
            (
                f"**The recipe.** Batches of {profile.training.batch_size} and a learning rate of"
                f" {profile.training.learning_rate:g} instead of {paper.batch_size} and"
                f" {paper.learning_rate:g}, the same for every training set."
            ),
            "**The distance.** " + (_distance(FULL) or "Original was not trained yet."),
            (
                "**The gate.** Copies of test faces are kept out of the training set here; FER2013"
                " as published holds them, and whether the paper's training set did is not"
                f" known.{_with_twins()}"
            ),
            (
                f"**The seeds.** {some} for each training set at full width; a standard deviation"
                " over so few is a hint. All seeds of a set share one pool of synthetic faces."
            ),
            *(
                f"**The cost at width {load_profile(name).network.width:g}.**"
                f" {' '.join(filter(None, (_trainings(name), _missing(name))))} One by one in"
                f" [provenance.json](../tables/{name}/provenance.json)."
                for name in (FULL, NARROW)
            ),
        )
    )


def finishing() -> str:
    """What finishes it: the command and its cost, as docs/table_3_on_your_gpu.md computes them, as
    Markdown."""
    blocks = gpu_page_blocks()
    cost = [
        line for line in blocks["plan"].splitlines() if line.startswith(("sd2:", "sd3:", "money:"))
    ]
    return (
        f"`python -m fer_utils reproduce --profile paper`. The pool: {'; '.join(cost)}. Then"
        f" {blocks['training']}"
    )


def _trainings(name: str) -> str:
    """How many trainings of the profile's are finished, how long they took and on what."""
    runs, wanted = trainings(name), sum(len(seeds) for _, seeds in trained_sets(load_profile(name)))
    return (
        f"{len(runs)} of {wanted} trainings, {sum(run['hours'] for run in runs.values()):.1f} hours"
        f" on: {'; '.join(sorted({run['hardware'] for run in runs.values()}))}."
    )


def _missing(name: str) -> str:
    """Which of the profile's trainings are missing, and why where the control says it; empty where
    none is or none began."""
    profile, done, said = load_profile(name), trainings(name), []
    for level, seeds in trained_sets(profile):
        missing = [
            str(seed)
            for seed in seeds
            for dataset in profile.data.sets
            if f"{dataset}/{level}/{seed}" not in done
        ]
        if missing:
            why = _NEEDS.get(CONTROLS[level].pool) if level in CONTROLS else None
            said.append(
                f"{set_title(level)} (seeds {', '.join(missing)})" + (f", {why}" if why else "")
            )
    return (
        f"Not trained at width {profile.network.width:g}: {'; '.join(said)}."
        if said and done
        else ""
    )


def _distance(name: str) -> str:
    """How far Original lies under the paper's; empty where it was not trained."""
    width = load_profile(name).network.width
    return "".join(
        f"At width {width:g}, our Original has {row.accuracy:.1f} %, {row.paper - row.accuracy:.1f}"
        f" points less than the {row.paper:.2f} % of Table III. Why is not known, so our absolute"
        " numbers can't be held against the paper's."
        for row in measured(name).itertuples()
        if row.level == "original"
    )


def _stopping(name: str) -> str:
    """How many networks were kept before the drop, what equal updates read, and the levels after
    the drop; empty without histories."""
    runs, rows = histories(name), measured(name).set_index("level")
    if runs.empty:
        return ""
    said = [
        f"Width {load_profile(name).network.width:g}: {runs['kept_before'].sum()} of {len(runs)}"
        " networks were kept before their learning rate first dropped."
    ]
    if pd.notna(rows.get("to_original", pd.Series(dtype=float)).get("equal_updates")):
        row = rows.loc["equal_updates"]
        said.append(
            "Equal updates has Original's faces and network and no new face, only as many updates"
            f" an epoch as {set_title(load_profile(name).controls.level)}, and differs from it by"
            f" {row['to_original']:+.1f} points ({_brief(row, 'original')})."
        )
        levels = rows["to_original"][rows.index.isin(list(LEVEL_TITLES))].dropna()
        if (levels < 0).any() and row["to_original"] <= levels[levels < 0].max():
            said.append(
                f"That is as much as the augmentations do ({levels.min():+.1f} to"
                f" {levels.max():+.1f} points): differences of this size are the stopping rule's,"
                " and can't be laid to the faces."
            )
    after = rows["after_drop"].dropna()
    levels = after[after.index.isin(list(LEVEL_TITLES))]
    if len(levels):
        same = (
            f", equal updates by {after['equal_updates']:+.1f}" if "equal_updates" in after else ""
        )
        said.append(
            f"After the drop, the augmentations differ from Original by {levels.min():+.1f} to"
            f" {levels.max():+.1f} points of mean validation accuracy{same}."
        )
    return " ".join(said)


def _with_twins() -> str:
    """Accuracies with the copies, beside those of the same sets and seeds without; empty where
    nothing was trained so."""
    found, without, said = by_seed(WITH_TWINS), by_seed(NARROW), []
    for level in found.index.intersection(without.index):
        both = pd.DataFrame({"with": found.loc[level], "without": without.loc[level]}).dropna()
        if len(both):
            said.append(
                f"{set_title(level)} {both['with'].mean():.1f} %, {both['without'].mean():.1f} %"
                f" without them (seed{'s' * (len(both) > 1)} {', '.join(both.index)} of both)"
            )
    return (
        f" With them in it, at width {load_profile(WITH_TWINS).network.width:g}: {'; '.join(said)}."
        if said
        else ""
    )


def _mean(value: float, sd: float, low: float, high: float) -> str:
    return f"{value:.1f}" + ("" if pd.isna(sd) else f" ± {sd:.1f}") + f" [{low:.1f}, {high:.1f}]"


def _differences(row, reference: str, first: str = "{:+.1f}") -> str:
    """In accuracy and in balanced accuracy, each with interval and reading; ``first`` is the form
    of the first number."""
    if pd.isna(row[f"to_{reference}"]):
        return ""
    parts = []
    for which, form in (("", first), ("_balanced", "balanced {:+.1f}")):
        value, low, high = (row[f"to_{reference}{which}{end}"] for end in ("", "_low", "_high"))
        parts.append(
            f"{form.format(value)} [{low:+.1f}, {high:+.1f}], {_brief(row, reference, which)}"
        )
    return "; ".join(parts)


def _brief(row, reference: str, which: str = "") -> str:
    seeds, family = (row[f"to_{reference}_{name}"] for name in ("seeds", "family"))
    p, reading = (row[f"to_{reference}{which}_{name}"] for name in ("p", "reading"))
    return in_brief(reading, p=p, seeds=seeds, family=family)


def _levels_in_words(width: float, rows: pd.DataFrame) -> str:
    """How the levels read against each reference, in accuracy and balanced, and which were not
    measured."""
    of_paper = [level for level in LEVEL_TITLES if level != "original"]
    levels, parts = [level for level in of_paper if level in rows.index], []
    for reference in REFERENCES:
        kind = "" if reference == "original" else " (exploratory)"
        in_accuracy, balanced = (
            _readings(rows.loc[levels, f"to_{reference}{which}_reading"])
            for which in ("", "_balanced")
        )
        parts.append(f"Against {set_title(reference)}{kind}, {in_accuracy}; balanced, {balanced}")
    if len(levels) < len(of_paper):
        parts.append(f"Not measured: {_listed(level for level in of_paper if level not in levels)}")
    return f"Width {width:g}: {'. '.join(parts)}."


def _readings(found: pd.Series) -> str:
    """'**better**: Aug. 1; **worse**: none; **open**: Aug. 2' of readings by level."""
    return "; ".join(
        f"**{reading}**: {_listed(found.index[found == reading])}"
        for reading in VERDICTS
        if reading != TOO_FEW or (found == TOO_FEW).any()
    )


def _listed(levels) -> str:
    return ", ".join(set_title(level) for level in levels) or "none"


def _in_words(name: str, rows: dict[str, pd.DataFrame]) -> str:
    """A level or a control with its question, against each reference it was compared with, at each
    width."""
    asked = f" {CONTROLS[name].answers}" if name in CONTROLS else ""
    found = [
        (load_profile(profile).network.width, table.loc[name])
        for profile, table in rows.items()
        if name in table.index
    ]
    return f"**{set_title(name)}.**{asked} " + " ".join(
        f"Width {width:g} (seeds: {row['seeds']}): "
        + "; ".join(
            f"against {set_title(reference)} {_differences(row, reference, '**{:+.1f} points**')}"
            for reference in REFERENCES
            if pd.notna(row[f"to_{reference}"])
        )
        + "."
        for width, row in found
    )


def _generator(profile: Profile) -> str:
    names = [f"tiny-{name}" for name in profile.tiny_generators.train]
    return (
        f"{' and '.join(names)}, trained for {profile.tiny_generators.diffusion_steps:,} steps on"
        " FER2013's own training faces"
    )
