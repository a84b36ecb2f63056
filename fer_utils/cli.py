"""The commands of ``python -m fer_utils``; each is a few lines over a function of the package.

Only what a command needs is imported when it runs, so that a run in which everything is fresh takes seconds.
"""

import argparse
import sys

from fer_utils.errors import CompanionError, nearest

_WEIGHTS_HELP = "a run's folder, a model.safetensors or the authors' .pth file"
FOUND_AMISS, USER_ERROR, INTERRUPTED = 1, 2, 130


class Findings(Exception):
    """A check ran to its end and what it checked is not as it should be."""


class _Parser(argparse.ArgumentParser):
    """argparse with this project's error messages: one message, the nearest valid name, exit code 2."""

    def error(self, message):
        raise CompanionError(f"{message}\nSee python -m fer_utils --help.")


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns its exit code: 0, 1 if a check finds something amiss, 2 for an error the
    user can mend, 130 after Ctrl-C."""
    try:
        options = _read_arguments(sys.argv[1:] if arguments is None else arguments)
        options.command(options)
        return 0
    except Findings as findings:
        print(findings, file=sys.stderr)
        return FOUND_AMISS
    except CompanionError as problem:
        print(problem, file=sys.stderr)
        return USER_ERROR
    except KeyboardInterrupt:
        print("Stopped. What was finished is kept; the same command goes on from there.", file=sys.stderr)
        return INTERRUPTED


def _read_arguments(arguments: list[str]) -> argparse.Namespace:
    parser = _Parser(prog="python -m fer_utils", description=__doc__.split(";")[0] + ".")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=_Parser)
    run = _add(commands, "reproduce", _reproduce, "run every stage that is not fresh and write all tables and figures")
    run.add_argument("--from", dest="start", metavar="STAGE", help="run this stage and all after it, fresh or not")
    run.add_argument("--force", action="store_true", help="delete what was made and run everything again")
    run.add_argument("--cluster", metavar="WHERE", help="spread the work over Ray: local:N for N processes here, or the "
                     "address of a cluster whose machines see this folder")
    _add(commands, "report", _report, "write the run of a profile as one HTML page: results beside the paper, notebooks, "
         "provenance")
    _add(commands, "status", _status, "say what is fresh, and why the rest is not")
    plan = _add(commands, "plan", _plan, "what the pool of a profile takes: images, disk, hours, money")
    plan.add_argument("--rate", action="append", default=[], metavar="NAME=IMAGES_PER_SECOND",
                      help="of sd2 or sd3 on your device; measured here where it is not given")
    plan.add_argument("--price", type=float, metavar="PER_HOUR", help="what an hour of the device costs")
    again = _add(commands, "remake", _remake, "make images of the pool again and compare")
    again.add_argument("ids", nargs="*", metavar="ID", help="ids of the manifest, such as anger-000012")
    again.add_argument("--some", type=int, default=0, metavar="N", help="so many random ids besides")
    export = _add(commands, "export", _export, "write the pool or a balanced set as a tree of PNG files with metadata.csv")
    export.add_argument("folder", help="a new folder")
    export.add_argument("--dataset", help="with --level: a balanced set of this data set instead of the pool")
    export.add_argument("--level", help="original, aug1, aug2, aug3 or aug4")
    _add(commands, "differences", _differences, "what differs from the paper in a profile")
    _add(commands, "notebooks", _notebooks, "run what is not fresh and store the cleaned notebooks in notebooks/")
    _add(commands, "readme", _readme, "fill the README's tables from the tables of a profile")
    audit = _add(commands, "audit", _audit, "what the paper's printed numbers, or those of another table, imply",
                 with_profile=False)
    audit.add_argument("--json", action="store_true", help="every check with its assumption, as JSON")
    audit.add_argument("--table", metavar="FILE", help="a CSV file of your own: one row per printed cell with the "
                       "columns class ('overall' for the whole test set), count (test images of the class), accuracy "
                       "(percent as printed), and if wanted dataset, column, place")
    _add(commands, "train-generators", _train_generators, "train the shipped tiny generators, or the profile's own, again")
    check = _add(commands, "check-data", _check_data, "whether the data folder holds the official data, and what repeats "
                 "in it", with_profile=False)
    check.add_argument("--json", action="store_true", help="everything found, as JSON")
    bench = _add(commands, "bench", _bench, "measure speed and memory against the plain way", with_profile=False)
    bench.add_argument("what", choices=["data", "synthesis", "training", "latency"],
                       help="reading and comparing FER2013; making synthetic faces; training the paper's network; its "
                       "milliseconds per image")
    _add(commands, "fetch-data", _fetch_data, "fetch FER2013 from Kaggle and say how to get RAF-DB", with_profile=False)
    evaluate = _add(commands, "evaluate", _evaluate, "test a trained network on a folder with one sub-folder for each "
                    "class")
    evaluate.add_argument("--weights", required=True, metavar="W", help=_WEIGHTS_HELP)
    evaluate.add_argument("--data", required=True, metavar="FOLDER", help="sub-folders named happy, Angry, sadness, ...")
    evaluate.add_argument("--leave-out", action="append", default=[], metavar="NAME", help="a sub-folder that is no "
                          "emotion of the seven, such as contempt; may be given several times")
    evaluate.add_argument("--csv", metavar="FILE", help="write the prediction of every image to this file")
    predict = _add(commands, "predict", _predict, "what a trained network says about photos; exit code 2 if one of them "
                   "can't be read")
    predict.add_argument("files", nargs="+", metavar="FILE", help="JPEG, PNG, BMP or WebP, of any size")
    predict.add_argument("--weights", metavar="W", help=f"{_WEIGHTS_HELP}; by default what the profile trained")
    predict.add_argument("--crop", action="store_true", help="cut to the largest face first (the extra 'crop')")
    predict.add_argument("--explain", metavar="FOLDER", help="write for each photo a PNG that shows where the evidence "
                         "for the first emotion is (HiResCAM at the SE block)")
    _add(commands, "profiles", _profiles, "list the profiles", with_profile=False)
    _check_command(arguments, commands.choices)
    return parser.parse_args(arguments)


def _add(commands, name: str, function, summary: str, *, with_profile: bool = True) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=summary, description=summary)
    parser.set_defaults(command=function)
    if with_profile:
        parser.add_argument("--profile", default="demo", help="which settings (default: demo)")
        parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="SECTION.NAME=VALUE",
                            help="override one setting; may be given several times")
    return parser


def _check_command(arguments: list[str], valid) -> None:
    """A misspelt command named with the nearest valid one (argparse lists them all, as a Python list)."""
    if arguments and not arguments[0].startswith("-") and arguments[0] not in valid:
        raise CompanionError(f"Unknown command '{arguments[0]}': {nearest(arguments[0], valid)}")


def _profile(options):
    from fer_utils.profiles import load_profile

    cluster = [f'run.cluster="{options.cluster}"'] if getattr(options, "cluster", None) else []
    return load_profile(options.profile, [*options.overrides, *cluster])


def _say(line: str) -> None:
    print(line, flush=True)


def _reproduce(options) -> None:
    from fer_utils.pipeline import reproduce
    from fer_utils.summary import report_line, summary

    profile = _profile(options)
    ran = reproduce(profile, start=options.start, force=options.force, say=_say, watched=sys.stderr.isatty())
    _say("" if ran else "\nEverything is fresh.")
    _say(summary(profile))
    if ran or not profile.paths.report.is_file():
        _report(options)
    else:
        _say(report_line(profile))


def _report(options) -> None:
    from fer_utils.report import write_report
    from fer_utils.summary import report_line

    profile = _profile(options)
    write_report(profile)
    _say(report_line(profile))


def _status(options) -> None:
    from fer_utils.pipeline import status

    for found in status(_profile(options)):
        _say(f"{found.unit.name}: {f'stale, {found.reason}' if found.reason else 'fresh'}")


def _plan(options) -> None:
    from fer_utils.synthesis.plan import plan_lines

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
        if name not in ("sd2", "sd3") or rates[name] <= 0:
            raise CompanionError(f"--rate '{text}' should read sd2=1.5 or sd3=0.8, in images a second.")
    return rates


def _remake(options) -> None:
    from fer_utils.summary import text_table
    from fer_utils.synthesis.remake import as_table, remake, some_ids

    profile = _profile(options)
    ids = [*options.ids, *some_ids(options.some, profile)]
    if not ids:
        raise CompanionError("Name the images to make again by their ids, or how many random ones: remake --some 50.")
    table = as_table(remake(ids, profile))
    _say(text_table(table))
    _say(f"{table['matches'].sum()} of {len(table)} match, {table['identical'].sum()} of them bit for bit.")
    if not table["matches"].all():
        raise Findings("Not every image came out as it lies in the pool.")


def _export(options) -> None:
    from pathlib import Path

    from fer_utils.synthesis.export import export_balanced_set, export_pool

    profile, folder = _profile(options), Path(options.folder)
    if bool(options.dataset) != bool(options.level):
        raise CompanionError("A balanced set needs both --dataset and --level; leave out both for the pool.")
    count = (export_balanced_set(folder, options.dataset, options.level, profile) if options.dataset
             else export_pool(folder, profile))
    _say(f"wrote {count:,} images and metadata.csv to {folder}")


def _differences(options) -> None:
    from fer_utils.profiles import differences
    from fer_utils.summary import text_table

    _say(text_table(differences(_profile(options))))


def _profiles(options) -> None:
    from fer_utils.profiles import load_profile, profile_names

    for name in profile_names():
        _say(f"{name:13} {load_profile(name).values['description']}")


def _notebooks(options) -> None:
    from fer_utils.committed_notebooks import store_notebooks
    from fer_utils.pipeline import reproduce

    profile = _profile(options)
    reproduce(profile, say=_say, watched=sys.stderr.isatty())
    for path in store_notebooks(profile):
        _say(f"stored {path.name}")


def _readme(options) -> None:
    from fer_utils.readme import fill_readme

    _say(f"filled {fill_readme(_profile(options))}")


def _audit(options) -> None:
    from fer_utils.audit import as_json, as_text, audit_file, audit_paper, summarise

    checks = audit_file(options.table) if options.table else audit_paper()
    summary = summarise(checks)
    _say(as_json(checks, summary) if options.json else as_text(checks, summary))


def _train_generators(options) -> None:
    import logging

    from fer_utils.generators.making import train_generators

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    for path in train_generators(_profile(options)):
        _say(f"wrote {path}")


def _check_data(options) -> None:
    import json

    from fer_utils.datasets.inspection import REAL_SETS, inspect_dataset, inspection_lines
    from fer_utils.profiles import load_profile

    found = [inspect_dataset(name, load_profile("paper")) for name in REAL_SETS]
    if options.json:
        _say(json.dumps([inspection.as_dict() for inspection in found], indent=1))
    else:
        _say("\n\n".join("\n".join(inspection_lines(inspection)) for inspection in found))
    amiss = [inspection.title for inspection in found if not inspection.official]
    if amiss:
        raise Findings(f"Not the official data: {', '.join(amiss)}.")


def _evaluate(options) -> None:
    from fer_utils.cross_database import class_folders, cross_test, report_lines
    from fer_utils.trained import read_trained
    from fer_utils.training import write_csv

    profile = _profile(options)
    folders = class_folders(options.data, leave_out=options.leave_out)
    trained = read_trained(options.weights, profile)
    _say("\n".join([trained.about, f"Data: {folders.tree.path}", *folders.lines]))
    test = cross_test(trained, folders, device=profile.run.device)
    _say("\n".join([*test.notes, *report_lines(test, profile)]))
    if options.csv:
        write_csv(test.predictions, options.csv, float_format="%.6f")
        _say(f"\nwrote {options.csv}")


def _predict(options) -> None:
    from fer_utils.photos import Reading, explain, read_faces
    from fer_utils.trained import own_trained, read_trained

    profile = _profile(options)
    trained = read_trained(options.weights, profile) if options.weights else own_trained(profile)
    _say(trained.about)
    readings, problems = [], []
    for found in read_faces(options.files, trained, crop=options.crop, device=profile.run.device):
        if isinstance(found, Reading):
            readings.append(found)
            _say("\n".join(["", *found.lines]))
        else:
            problems.append(str(found))
    for path in explain(readings, trained, options.explain) if options.explain else []:
        _say(f"wrote {path}")
    if problems:
        raise CompanionError("\n".join([f"{len(problems)} of {len(options.files)} photos were not read:", *problems]))


def _bench(options) -> None:
    from importlib import import_module

    measure = getattr(import_module(f"fer_utils.bench.{options.what}"), f"bench_{options.what}")
    for line in measure():
        _say(line)


def _fetch_data(options) -> None:
    from fer_utils.datasets.fetching import fetch_data

    fetch_data(_say)
