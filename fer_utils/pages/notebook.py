"""What every notebook begins and ends with."""

import inspect
import platform
import textwrap
from collections.abc import Callable, Iterable, Sized
from importlib.metadata import distributions

import torch
import yaml
from IPython.display import Markdown, display

from fer_utils.core.profiles import Profile, load_profile
from fer_utils.runner.provenance import PACKAGES


def start(profile_name: str, overrides: Iterable[str] = ()) -> Profile:
    """The profile, with torch held to at most the threads it names, so that runs side by side don't
    slow each other.

    ``overrides`` may be text, for ``papermill -p overrides`` makes no list: one override, or a YAML
    list of them.
    """
    if isinstance(overrides, str):
        overrides = (
            yaml.safe_load(overrides)
            if overrides.lstrip().startswith("[")
            else [overrides][: bool(overrides.strip())]
        )
    profile = load_profile(profile_name, overrides)
    if profile.run.threads:
        torch.set_num_threads(min(profile.run.threads, torch.get_num_threads()))
    return profile


def progress(what: str) -> Callable[[int, int], None]:
    """One line below the cell that is written over and over: a callback (done, total)."""
    line = display(Markdown(f"{what} …"), display_id=True)
    return lambda done, total: line.update(Markdown(f"{what}: {done:,} of {total:,}"))


def epochs(most: int) -> Callable[[dict], None]:
    """The same for a training of at most ``most`` epochs: a callback for
    ``training.train_model``."""
    line = display(Markdown("training …"), display_id=True)
    return lambda row: line.update(
        Markdown(
            f"epoch {row['epoch']} of at most {most}: training loss {row['train_loss']:.3f},"
            f" validation loss {row['validation_loss']:.3f}, validation accuracy"
            f" {row['validation_accuracy']:.1f} %"
        )
    )


def if_any(rows: Sized, use: Callable, otherwise: str):
    """What ``use`` makes of the rows; without any, the sentence ``otherwise``."""
    return use(rows) if len(rows) else Markdown(otherwise)


def source(function: Callable) -> Markdown:
    """The code of a function or class of the package, for reading beside its equation."""
    return Markdown(f"```python\n{textwrap.dedent(inspect.getsource(function)).strip()}\n```")


def versions() -> Markdown:
    """Python and the packages results depend on, with their versions; nothing about the machine."""
    found = {package.metadata["Name"].lower(): package.version for package in distributions()}
    names = [f"{name} {found[name]}" for name in PACKAGES if name in found]
    return Markdown(" · ".join([f"Python {platform.python_version()}", *names]))
