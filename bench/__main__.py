"""``python -m bench WHAT``, in the project's folder: speed and memory against the plain way, in one
run on one machine."""

import argparse
import sys
from importlib import import_module

from fer_utils.cli import exit_code
from fer_utils.core.paths import check_writable, project_root

BENCHMARKS = {
    "data": "reading and comparing FER2013",
    "synthesis": "making synthetic faces",
    "training": "training the network",
    "latency": "milliseconds per image",
    "processors": "whether the demo's results hang on the processor",
    "pilot": "what each part of the recipe of docs/protocol.md gives",
}


def main(arguments: list[str] | None = None) -> int:
    """Run one benchmark; returns its exit code (``cli.exit_code``)."""
    listed = "\n".join(f"  {name:11} {what}" for name, what in BENCHMARKS.items())
    parser = argparse.ArgumentParser(
        "python -m bench",
        description=f"{__doc__}\n\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("what", choices=BENCHMARKS)
    name = parser.parse_args(arguments).what

    def run():
        for folder in ("runs", "tables"):
            check_writable(project_root() / folder)
        for line in getattr(import_module(f"bench.{name}"), f"bench_{name}")():
            print(line, flush=True)

    return exit_code(run)


if __name__ == "__main__":
    sys.exit(main())
