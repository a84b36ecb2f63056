"""Profile, the only thing that carries settings.

``profiles/paper.yaml`` is the base and defines every name and its type; the other files extend it
and may only override. On the command line ``--set section.name=value`` overrides once more. What
each setting may be is in ``ranges``.
"""

import hashlib
import json
import math
import re
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import pandas as pd

from fer_utils.core.errors import CompanionError, nearest
from fer_utils.core.paths import PROFILES, RunPaths
from fer_utils.core.profiles.ranges import check_values
from fer_utils.core.profiles.reading import read_file, read_yaml, shown
from fer_utils.core.recipes import recipe_settings

BASE = "paper"
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")
"""Profiles' names are names of folders too, in ``runs/`` and elsewhere."""


class Section(SimpleNamespace):
    """Settings by attribute (``profile.training.patience``); a misspelt one names the nearest valid
    one."""

    def __getattr__(self, name):
        raise CompanionError(f"No setting '{name}' here: {nearest(name, vars(self))}")


@dataclass(frozen=True)
class Profile:
    """The settings of one run; ``overrides`` are the ``section.name=value`` strings given on top of
    the file."""

    name: str
    values: dict
    overrides: tuple[str, ...] = ()

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        if name not in self.values:
            raise CompanionError(f"No section '{name}' in a profile: {nearest(name, self.values)}")
        return _as_section(self.values[name])

    @property
    def run_name(self) -> str:
        """The folder name of this run's outputs: an overridden profile never writes over the
        profile's own.

        Where and how fast it runs (section ``run``) does not count.
        """
        if all(override.strip().startswith("run.") for override in self.overrides):
            return self.name
        results = {name: section for name, section in self.values.items() if name != "run"}
        digest = hashlib.sha256(json.dumps(results, sort_keys=True).encode()).hexdigest()
        return f"{self.name}-{digest[:6]}"

    @property
    def paths(self) -> RunPaths:
        """Where this run reads and writes."""
        return RunPaths(self.run_name)

    def fingerprint(self, *sections: str) -> str:
        """A hash of the named sections (of everything if none is named)."""
        chosen = {name: self.values[name] for name in sections} if sections else self.values
        return hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest()[:16]


def profile_names() -> list[str]:
    """The profiles shipped with the package."""
    return sorted(path.stem for path in PROFILES.glob("*.yaml") if NAME.fullmatch(path.stem))


def ancestors(name: str) -> list[str]:
    """The profiles that this one extends, the nearest first: ['demo', 'paper'] for
    demo_controls."""
    parent = read_file(_path(name)).get("extends")
    return [parent, *ancestors(parent)] if parent else []


def load_profile(name: str, overrides=()) -> Profile:
    """The named profile with ``section.name=value`` overrides applied.

    Raises CompanionError, naming the nearest valid name, for an unknown profile or setting, and
    saying what is valid for a value of another type or out of its range.
    """
    written = _read(name)
    values = _with_overrides(written, overrides)
    recipe = recipe_settings(values["training"]["recipe"])
    if recipe:  # above the file, below what was asked for by name
        values = _with_overrides(
            _merge(written, {"training": recipe}, where="training.recipe"), overrides
        )
    check_values(flatten(values), name)
    return Profile(name, values, tuple(overrides))


def with_values(profile: Profile, section: str, values: dict) -> Profile:
    """The profile with other values in one section. Its paths are not those of ``profile``, which
    it must not replace."""
    return replace(profile, values=profile.values | {section: profile.values[section] | values})


def _with_overrides(values: dict, overrides) -> dict:
    for override in overrides:
        values = _apply_override(values, override)
    return values


def differences(profile: Profile, base: Profile | None = None) -> pd.DataFrame:
    """What differs from the paper: columns setting, paper, <profile name>; one row per differing
    value.

    Where and how fast a run is made (section ``run``) is no difference in what it finds.
    """
    base = base or load_profile(BASE)
    paper, ours = flatten(base.values), flatten(profile.values)
    rows = [
        (key, paper[key], ours[key])
        for key in paper
        if paper[key] != ours[key]
        and key not in ("description", "stamp")
        and not key.startswith("run.")
    ]
    return pd.DataFrame(rows, columns=["setting", "paper", profile.name], dtype=object)


def _read(name: str, heirs: tuple[str, ...] = ()) -> dict:
    """A profile's own settings over those of the profile it extends; ``heirs`` are those that
    extend it."""
    path = _path(name)
    if name in heirs:
        raise CompanionError(
            f"{path.name} extends itself by way of {', '.join(heirs)}: let it extend {BASE}."
        )
    values = read_file(path)
    parent = values.pop("extends", None)
    if name == BASE and parent is None:
        return values
    if not isinstance(parent, str):
        raise CompanionError(
            f"{path.name} must name the profile that it extends, as in 'extends: {BASE}'; "
            f"found {shown(parent)}."
        )
    return _merge(_read(parent, (*heirs, name)), values, where=path.name)


def _path(name: str) -> Path:
    if not NAME.fullmatch(name):
        raise CompanionError(
            "A profile is named by letters, digits, - and _, not by its file; found "
            f"{shown(name)}: {nearest(name, profile_names())}"
        )
    if name not in profile_names():
        raise CompanionError(f"Unknown profile '{name}': {nearest(name, profile_names())}")
    return PROFILES / f"{name}.yaml"


def _merge(base: dict, changes: dict, *, where: str, prefix: str = "") -> dict:
    merged = dict(base)
    for key, value in changes.items():
        if key not in base:
            raise CompanionError(f"{where}: unknown setting '{prefix}{key}'; {nearest(key, base)}")
        if isinstance(base[key], dict) and isinstance(value, dict):
            merged[key] = _merge(base[key], value, where=where, prefix=f"{prefix}{key}.")
        else:
            merged[key] = _checked(value, base[key], f"{where}: '{prefix}{key}'")
    return merged


def _checked(value, example, where: str):
    """``value`` if it has the type of ``example`` (an integer may stand for a float)."""
    if isinstance(example, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value) if value.bit_length() < 1024 else math.inf
    if type(value) is not type(example):
        like = f"with {', '.join(example)}" if isinstance(example, dict) else f"like {example!r}"
        raise CompanionError(
            f"{where} must be {_type_name(example)}, {like}; found {shown(value)}, "
            f"{_type_name(value)}."
        )
    if isinstance(example, list) and example:
        return [_checked(item, example[0], f"{where}, an item") for item in value]
    return value


def _apply_override(values: dict, override: str) -> dict:
    key, equals, text = override.partition("=")
    if not equals:
        raise CompanionError(
            f"Override '{override}' should read section.name=value, "
            "for instance training.max_epochs=2."
        )
    nested = read_yaml(text, f"The value in --set {shown(override)}")
    if isinstance(nested, str):
        nested = _number(nested)
    for part in reversed(key.strip().split(".")):
        nested = {part: nested}
    return _merge(values, nested, where="--set")


def _number(text: str):
    """YAML reads 1e-3 as a string; people mean the number."""
    try:
        return float(text)
    except ValueError:
        return text


def flatten(values: dict, prefix: str = "") -> dict:
    """Nested settings as {'section.name': value}."""
    flat = {}
    for key, value in values.items():
        flat |= (
            flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
        )
    return flat


def settings_of(profile, sections: tuple[str, ...]) -> dict:
    """Flat ``section.name`` -> value of the named sections (or single settings), less those named
    with a minus."""
    flat = flatten(profile.values)
    wanted = [name for name in sections if not name.startswith("-")]
    left_out = {name[1:] for name in sections if name.startswith("-")}
    return {
        key: value
        for key, value in flat.items()
        if key not in left_out and any(key == name or key.startswith(f"{name}.") for name in wanted)
    }


def _as_section(value):
    return (
        Section(**{k: _as_section(v) for k, v in value.items()})
        if isinstance(value, dict)
        else value
    )


def _type_name(value) -> str:
    return {
        "str": "text",
        "bool": "true or false",
        "int": "a whole number",
        "float": "a number",
        "list": "a list",
        "dict": "a section",
        "NoneType": "nothing",
    }.get(type(value).__name__, type(value).__name__)
