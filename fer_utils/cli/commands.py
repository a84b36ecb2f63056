"""What the commands of ``python -m fer_utils`` do; each is a few lines over a function of the
package.

Only what a command needs is imported when it runs, so that a run in which everything is fresh takes
seconds.
"""

import json
import math
import sys

from fer_utils.core.errors import CompanionError, Findings


def _profile(options):
    from fer_utils.core.profiles import load_profile

    asked = {name: getattr(options, name, None) for name in ("cluster", "workers")}
    run = [f"run.{name}={json.dumps(value)}" for name, value in asked.items() if value is not None]
    return load_profile(options.profile, [*options.overrides, *run])


def _say(line: str) -> None:
    print(line, flush=True)


def reproduce(options) -> None:
    from fer_utils.runner.pipeline import reproduce
    from fer_utils.runner.summary import report_line, summary

    profile = _profile(options)
    ran = reproduce(
        profile,
        start=options.start,
        force=options.force,
        kept=options.kept,
        say=_say,
        watched=sys.stderr.isatty(),
    )
    _say("" if ran else "\nEverything is fresh.")
    _say(summary(profile))
    _say(_compared(profile))
    if ran or not profile.paths.report.is_file():
        report(options)
    else:
        _say(report_line(profile))


def compare(options) -> None:
    from fer_utils.runner.comparing import OUTSIDE, compare, summary_line, write_comparison

    profile = _profile(options)
    found = compare(profile)
    _say(summary_line(found))
    _say(f"every table: {write_comparison(profile, found)}")
    if any(one.counts[OUTSIDE] for one in found):
        raise Findings("Something lies outside the committed intervals, or is not there.")


def _compared(profile) -> str:
    """The line of ``compare`` for the end of a run, whatever it says."""
    from fer_utils.core.paths import project_root
    from fer_utils.runner.comparing import NAME, compare, summary_line, write_comparison

    try:
        found = compare(profile)
    except CompanionError as nothing:
        return f"\n{'compared':10} {nothing}"
    write_comparison(profile, found)
    return (
        f"\n{'compared':10} {summary_line(found)}; see"
        f" {profile.paths.run.relative_to(project_root())}/{NAME}.md"
    )


def report(options) -> None:
    from fer_utils.pages.report import write_report
    from fer_utils.runner.summary import report_line

    profile = _profile(options)
    write_report(profile)
    _say(report_line(profile))


def train(options) -> None:
    from fer_utils.runner.training_runs import train_run

    profile = _profile(options)
    dataset = options.dataset or profile.data.sets[0]
    seed = profile.training.seeds[0] if options.seed is None else options.seed
    history = train_run(
        dataset,
        options.level,
        seed,
        profile,
        on_epoch=lambda row: _say(
            f"epoch {row['epoch']} of at most {profile.training.max_epochs}: training loss"
            f" {row['train_loss']:.3f}, validation loss {row['validation_loss']:.3f}, validation"
            f" accuracy {row['validation_accuracy']:.1f} %, {row['seconds']:.0f} s"
        ),
    )
    _say(
        f"{len(history)} epochs; weights, history and predictions in"
        f" {profile.paths.model(dataset, options.level, seed)}"
    )


def keep(options) -> None:
    from fer_utils.core.paths import project_root
    from fer_utils.runner.kept_runs import keep_runs

    profile = _profile(options)
    kept = keep_runs(profile)
    for folder in kept:
        _say(f"kept {folder.relative_to(project_root())}")
    _say(f"{len(kept)} trainings newly kept")


def interim(options) -> None:
    from fer_utils.runner.interim import interim_tables

    for line in interim_tables(_profile(options)):
        _say(line)


def status(options) -> None:
    from fer_utils.runner.pipeline import status

    for found in status(_profile(options)):
        _say(f"{found.unit.name}: {f'stale, {found.reason}' if found.reason else 'fresh'}")


def plan(options) -> None:
    from fer_utils.balancing.plan import plan_lines

    for line in plan_lines(_profile(options), rates=_rates(options.rate), price=options.price):
        _say(line)


def _rates(given: list[str]) -> dict[str, float]:
    rates = {}
    for text in given:
        name, _, value = text.partition("=")
        try:
            rates[name] = float(value)
        except ValueError:
            rates[name] = 0.0
        if name not in ("sd2", "sd3") or not 0 < rates[name] < math.inf:  # nor is "nan" a rate
            raise CompanionError(
                f"--rate '{text}' should read sd2=1.5 or sd3=0.8, in images a second."
            )
    return rates


def remake(options) -> None:
    from fer_utils.core.stored import text_table
    from fer_utils.synthesis.remake import as_table, remake, some_ids

    profile = _profile(options)
    ids = [*options.ids, *some_ids(options.some, profile)]
    if not ids:
        raise CompanionError(
            "Name the images to make again by their ids, or how many random ones: remake --some 50."
        )
    table = as_table(remake(ids, profile))
    _say(text_table(table))
    _say(
        f"{table['matches'].sum()} of {len(table)} match, {table['identical'].sum()} of them bit"
        " for bit."
    )
    if not table["matches"].all():
        raise Findings("Not every image came out as it lies in the pool.")


def export(options) -> None:
    from pathlib import Path

    from fer_utils.balancing.export import export_balanced_set, export_pool

    profile, folder = _profile(options), Path(options.folder)
    if bool(options.dataset) != bool(options.level):
        raise CompanionError(
            "A balanced set needs both --dataset and --level; leave out both for the pool."
        )
    count = (
        export_balanced_set(folder, options.dataset, options.level, profile)
        if options.dataset
        else export_pool(folder, profile)
    )
    _say(f"wrote {count:,} images, metadata.csv and labels.csv to {folder}")


def differences(options) -> None:
    from fer_utils.core.profiles import differences
    from fer_utils.core.stored import text_table

    _say(text_table(differences(_profile(options))))


def profiles(options) -> None:
    from fer_utils.core.profiles import load_profile, profile_names

    for name in profile_names():
        _say(f"{name:13} {load_profile(name).values['description']}")


def publish(options) -> None:
    from fer_utils.pages.publishing import publish

    publish(_profile(options), _say)


def audit(options) -> None:
    from fer_utils.audit import as_json, as_text, audit_file, audit_paper, summarise

    checks = audit_file(options.table) if options.table else audit_paper()
    summary = summarise(checks)
    _say(as_json(checks, summary) if options.json else as_text(checks, summary))


def train_generators(options) -> None:
    import logging

    from fer_utils.synthesis.generators.making import train_generators

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    for path in train_generators(_profile(options)):
        _say(f"wrote {path}")


def check_data(options) -> None:
    from fer_utils.core.profiles import load_profile
    from fer_utils.datasets.inspection import REAL_SETS, inspect_dataset, inspection_lines

    found = [inspect_dataset(name, load_profile("paper")) for name in REAL_SETS]
    if options.json:
        _say(json.dumps([inspection.as_dict() for inspection in found], indent=1))
    else:
        _say("\n\n".join("\n".join(inspection_lines(inspection)) for inspection in found))
    amiss = [inspection.title for inspection in found if not inspection.official]
    if amiss:
        raise Findings(f"Not the official data: {', '.join(amiss)}.")


def evaluate(options) -> None:
    from fer_utils.core.stored import write_table
    from fer_utils.evaluation.cross_database import class_folders, cross_test, report_lines
    from fer_utils.training.trained import read_trained

    profile = _profile(options)
    folders = class_folders(options.data, leave_out=options.leave_out)
    trained = read_trained(options.weights, profile)
    _say("\n".join([trained.about, f"Data: {folders.tree.path}", *folders.lines]))
    test = cross_test(trained, folders, device=profile.run.device)
    _say("\n".join([*test.notes, *report_lines(test, profile)]))
    if options.csv:
        write_table(test.predictions, options.csv)
        _say(f"\nwrote {options.csv}")


def predict(options) -> None:
    from fer_utils.core.stored import write_table
    from fer_utils.training.photos import Reading, answers_table, explain, photos_among, read_faces
    from fer_utils.training.trained import own_trained, read_trained

    profile = _profile(options)
    photos = photos_among(options.files)
    trained = read_trained(options.weights, profile) if options.weights else own_trained(profile)
    _say(trained.about)
    rows, problems = [], []
    for found in read_faces(photos, trained, crop=options.crop, device=profile.run.device):
        if not isinstance(found, Reading):
            problems.append(str(found))
            continue
        rows.append(found.row)
        _say("\n".join(["", *found.lines]))
        if options.explain:
            _say(f"wrote {explain(found, trained, options.explain)}")
    if options.csv:
        write_table(answers_table(rows), options.csv)
        _say(f"\nwrote {options.csv}")
    if problems:
        unread = f"{len(problems)} of {len(photos)} photos were not read:"
        raise CompanionError("\n".join([unread, *problems]))


def fetch_data(options) -> None:
    from fer_utils.datasets.fetching import fetch_data

    fetch_data(_say)
