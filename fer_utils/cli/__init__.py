"""The command line: ``python -m fer_utils``; what a command does is in ``commands``."""

import argparse
import math
import os
import signal
import sys
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

from fer_utils.cli import commands
from fer_utils.core.errors import CompanionError, Findings, about_the_disk, nearest
from fer_utils.core.paths import check_target, check_writable, data_folder, project_root

_WEIGHTS_HELP = (
    "a run's folder, a safetensors file, or one of torch.save such as the authors' .pth file"
)
FOUND_AMISS, USER_ERROR, INTERRUPTED, TERMINATED = 1, 2, 130, 143
_STOPPED = "Stopped. What was finished is kept; the same command goes on from there."


class _Terminated(KeyboardInterrupt):
    """SIGTERM; a command ends by it as by Ctrl-C."""


class _Parser(argparse.ArgumentParser):
    """argparse with this project's error messages: one message, the nearest valid name, exit code
    2."""

    def error(self, message):
        raise CompanionError(f"{message}\nSee python -m fer_utils --help.")


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns its exit code: 0, 1 if a check finds something amiss, 2 for an error
    the user can mend, 130 after Ctrl-C, 143 after SIGTERM."""

    def run():
        options = _read_arguments(sys.argv[1:] if arguments is None else arguments)
        with _ended_by_sigterm():
            if options.writes:  # before an hour of work, not after it
                options.writes(options)
            options.command(options)

    _show_every_name()
    return exit_code(run)


def exit_code(work: Callable[[], None]) -> int:
    """What a command line ends with that does ``work``: its errors are said, as ``main`` says
    them."""
    try:
        work()
        return 0
    except Findings as findings:
        print(findings, file=sys.stderr)
        return FOUND_AMISS
    except CompanionError as problem:
        print(problem, file=sys.stderr)
        return USER_ERROR
    except BrokenPipeError:  # the reader has seen enough: python -m fer_utils status | head
        # nor may Python's last flush complain
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as problem:
        print(about_the_disk(problem), file=sys.stderr)
        return USER_ERROR
    except KeyboardInterrupt as stop:
        print(str(stop) or _STOPPED, file=sys.stderr)
        return TERMINATED if isinstance(stop, _Terminated) else INTERRUPTED


def _below_the_root(*folders: str):
    """For ``_add``: the command writes into these folders of the project root."""

    def check(options) -> None:
        for name in folders:
            check_writable(project_root() / name)

    return check


_RUNS, _KEPT = _below_the_root("runs"), _below_the_root("runs", "tables")
_PUBLISHED = _below_the_root("runs", "tables", "figures", "notebooks", "docs")


def _named_files(options) -> None:
    """For ``_add``: the command writes where its options say, if they do."""
    if options.csv:
        check_target(Path(options.csv))
    if getattr(options, "explain", None):
        check_writable(Path(options.explain))


def _folder_of_export(options) -> None:
    check_writable(Path(options.folder).expanduser().absolute().parent)


def _data(options) -> None:
    """For ``_add``: the command writes into the cache, and into the data folder unless FER2013 is
    there: then that may be read-only."""
    from fer_utils.datasets.fer2013 import has_fer2013  # only here: it takes a second to import

    _RUNS(options)
    if not has_fer2013(data_folder()):
        check_writable(data_folder())


def _show_every_name() -> None:
    """What the console's encoding lacks, and bytes of file names that are no text, are shown
    escaped: no command should end for how a file is called."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # not so where something else took the stream's place
            stream.reconfigure(errors="backslashreplace")


@contextmanager
def _ended_by_sigterm():
    """Inside, SIGTERM raises in the main thread, as Ctrl-C does."""

    def end(number, frame):
        raise _Terminated

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _read_arguments(arguments: list[str]) -> argparse.Namespace:
    parser, known = command_line()
    _check_command(arguments, known)
    return parser.parse_args(arguments)


def command_line() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """The parser, and that of each command by its name; its default ``writes`` is None where the
    command writes nothing, else it raises the OSError that writing would end with."""
    parser = _Parser(
        prog="python -m fer_utils",
        description=(
            "Faces, prompts, synthesis, balancing, training and evaluation "
            "of the paper, and an audit of its numbers."
        ),
    )
    added = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=_Parser)
    run = _add(
        added,
        "reproduce",
        commands.reproduce,
        "run every stage that is not fresh and write all tables and figures",
        writes=_RUNS,
    )
    run.add_argument(
        "--from",
        dest="start",
        metavar="STAGE",
        help="run this stage and all after it, fresh or not",
    )
    run.add_argument(
        "--force",
        action="store_true",
        help=(
            "delete what was made and run everything again; trainings that "
            "another run has finished on an equal machine are still taken from there"
        ),
    )
    run.add_argument(
        "--kept",
        action="store_true",
        help="take the trainings that are kept in tables/ from there and do not repeat them",
    )
    run.add_argument(
        "--cluster",
        metavar="WHERE",
        help=(
            "spread the work over Ray: local:N for N processes here, or the "
            "address of a cluster whose machines see this folder"
        ),
    )
    run.add_argument(
        "--workers",
        type=_at_least(1),
        metavar="N",
        help="so many trainings side by side on this machine",
    )
    train = _add(
        added,
        "train",
        commands.train,
        "train one network of the profile, without its notebook",
        writes=_RUNS,
    )
    train.add_argument("--dataset", help="by default the profile's first")
    train.add_argument(
        "--level",
        default="original",
        help=(
            "original, aug1 to aug4, or a control of the profile (default: "
            "original, which needs no other stage)"
        ),
    )
    train.add_argument("--seed", type=_at_least(0), help="by default the profile's first")
    _add(
        added,
        "keep",
        commands.keep,
        "keep the predictions of finished trainings in tables/, for reproduce --kept",
        writes=_KEPT,
    )
    _add(
        added,
        "interim",
        commands.interim,
        "the same, and tables from the trainings that are finished so far",
        writes=_KEPT,
    )
    _add(
        added,
        "compare",
        commands.compare,
        "what the run made against the committed tables, cell by cell; exit code 1 if "
        "something lies outside the committed intervals",
        writes=_RUNS,
    )
    _add(
        added,
        "report",
        commands.report,
        "write the run of a profile as one HTML page: results beside the paper, notebooks, "
        "provenance",
        writes=_RUNS,
    )
    _add(added, "status", commands.status, "say what is fresh, and why the rest is not")
    plan = _add(
        added, "plan", commands.plan, "what the pool of a profile takes: images, disk, hours, money"
    )
    plan.add_argument(
        "--rate",
        action="append",
        default=[],
        metavar="NAME=IMAGES_PER_SECOND",
        help="of sd2 or sd3 on your device; measured here where it is not given",
    )
    plan.add_argument(
        "--price",
        type=_at_least(0, float),
        metavar="PER_HOUR",
        help="what an hour of the device costs",
    )
    again = _add(added, "remake", commands.remake, "make images of the pool again and compare")
    again.add_argument(
        "ids", nargs="*", metavar="ID", help="ids of the manifest, such as anger-000012"
    )
    again.add_argument(
        "--some", type=_at_least(0), default=0, metavar="N", help="so many random ids besides"
    )
    export = _add(
        added,
        "export",
        commands.export,
        "write the pool or a balanced set as a tree of PNG files with metadata.csv and, for the "
        "authors' loader, labels.csv",
        writes=_folder_of_export,
    )
    export.add_argument("folder", help="a new folder")
    export.add_argument(
        "--dataset", help="with --level: a balanced set of this data set instead of the pool"
    )
    export.add_argument("--level", help="original, aug1, aug2, aug3 or aug4")
    _add(added, "differences", commands.differences, "what differs from the paper in a profile")
    _add(
        added,
        "publish",
        commands.publish,
        "put a finished run in the place of the committed tables and figures; of demo "
        "the notebooks and pictures too; and fill the documents",
        writes=_PUBLISHED,
    )
    audit = _add(
        added,
        "audit",
        commands.audit,
        "what the paper's printed numbers, or those of another table, imply",
        with_profile=False,
    )
    audit.add_argument(
        "--json", action="store_true", help="every check with its assumption, as JSON"
    )
    audit.add_argument(
        "--table",
        metavar="FILE",
        help=(
            "a CSV file of your own: one row per printed cell with the columns class ('overall' for"
            " the whole test set), count (test images of the class), accuracy (percent as printed;"
            " fractions of 1 in a column called share), and if wanted dataset, column, place"
        ),
    )
    _add(
        added,
        "train-generators",
        commands.train_generators,
        "train the shipped tiny generators, or the profile's own, again",
        writes=_RUNS,
    )
    check = _add(
        added,
        "check-data",
        commands.check_data,
        "whether the data folder holds the official data, and what repeats in it",
        with_profile=False,
        writes=_RUNS,
    )
    check.add_argument("--json", action="store_true", help="everything found, as JSON")
    _add(
        added,
        "fetch-data",
        commands.fetch_data,
        "fetch FER2013 from Kaggle and say how to get RAF-DB",
        with_profile=False,
        writes=_data,
    )
    evaluate = _add(
        added,
        "evaluate",
        commands.evaluate,
        "test a trained network on a folder with one sub-folder for each class",
        writes=_named_files,
    )
    evaluate.add_argument("--weights", required=True, metavar="W", help=_WEIGHTS_HELP)
    evaluate.add_argument(
        "--data",
        required=True,
        metavar="FOLDER",
        help="sub-folders named happy, Angry, sadness, ...",
    )
    evaluate.add_argument(
        "--leave-out",
        action="append",
        default=[],
        metavar="NAME",
        help=(
            "a sub-folder that is no "
            "emotion of the seven, such as contempt; may be given several times"
        ),
    )
    evaluate.add_argument(
        "--csv", metavar="FILE", help="write the prediction of every image to this file"
    )
    predict = _add(
        added,
        "predict",
        commands.predict,
        "what a trained network says about photos; exit code 2 if one of them can't be read",
        writes=_named_files,
    )
    predict.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help=(
            "JPEG, PNG, TIFF, WebP or another kind that Pillow reads, of any size; or a "
            "folder, for all images in it"
        ),
    )
    predict.add_argument(
        "--weights", metavar="W", help=f"{_WEIGHTS_HELP}; by default what the profile trained"
    )
    predict.add_argument(
        "--crop", action="store_true", help="cut to the largest face first (the extra 'crop')"
    )
    predict.add_argument(
        "--explain",
        metavar="FOLDER",
        help=(
            "write for each photo a PNG, under a name not taken yet, that shows where the "
            "evidence for the first emotion is (HiResCAM at the SE block)"
        ),
    )
    predict.add_argument(
        "--csv",
        metavar="FILE",
        help=(
            "write the answers to this file: the photo, the face it was cropped to, the "
            "emotion, and the probability of each"
        ),
    )
    _add(added, "profiles", commands.profiles, "list the profiles", with_profile=False)
    return parser, added.choices


def _add(
    added, name: str, function, summary: str, *, writes=None, with_profile: bool = True
) -> argparse.ArgumentParser:
    parser = added.add_parser(name, help=summary, description=summary)
    parser.set_defaults(command=function, writes=writes)
    if with_profile:
        parser.add_argument("--profile", default="demo", help="which settings (default: demo)")
        parser.add_argument(
            "--set",
            dest="overrides",
            action="append",
            default=[],
            metavar="SECTION.NAME=VALUE",
            help="override one setting; may be given several times",
        )
    return parser


def _at_least(least: int, kind: type = int):
    """A type of argparse: a number of ``kind`` that is finite and no less."""

    def read(text: str):
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if not least <= value < math.inf:
            words = "whole number" if kind is int else "number"
            raise argparse.ArgumentTypeError(
                f"expected a {words} of {least} or more, found {text!r}"
            )
        return value

    return read


def _check_command(arguments: list[str], valid) -> None:
    """A misspelt command named with the nearest valid one (argparse lists them all, as a Python
    list)."""
    if arguments and arguments[0] in ("notebooks", "readme"):
        raise CompanionError(
            f"The command '{arguments[0]}' is part of publish now: python -m fer_utils publish."
        )
    if arguments and not arguments[0].startswith("-") and arguments[0] not in valid:
        raise CompanionError(f"Unknown command '{arguments[0]}': {nearest(arguments[0], valid)}")
