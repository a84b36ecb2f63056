"""YAML as profiles and ``--set`` hold it; text that can't be taken for values is an error in words.

Left out of YAML is what a table of settings has no use for: aliases, a few lines of which stand for
billions of values, tags, which make other objects than values, and names given twice, the last of
which would count.
"""

from pathlib import Path

import yaml

from fer_utils.core.errors import CompanionError

LONGEST = 80
"""Characters of a value that a message repeats."""


class _Loader(yaml.SafeLoader):
    def compose_node(self, parent, index):
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent) or getattr(event, "tag", None):
            raise yaml.MarkedYAMLError(
                problem="aliases (*) and tags (!) are not read here, write the values",
                problem_mark=event.start_mark,
            )
        return super().compose_node(parent, index)

    def construct_mapping(self, node, deep=False):
        names = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for place, (key, _) in enumerate(node.value):
            if key.value in names[:place]:
                raise yaml.MarkedYAMLError(
                    problem=f"'{key.value}' is given twice, leave one out",
                    problem_mark=key.start_mark,
                )
        return super().construct_mapping(node, deep)


def read_yaml(text: str, where: str):
    """The values in ``text``; ``where`` is how a CompanionError names it."""
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise CompanionError(
            f"{where}{place}: this can't be read as YAML: {problem.problem}."
        ) from problem
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as problem:
        # month 13, many brackets
        cause = str(problem).splitlines()[0]
        raise CompanionError(f"{where}: this can't be read as YAML: {cause}.") from problem


def read_file(path: Path) -> dict:
    """What a profile's file holds: its settings by section, and which profile it ``extends``."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as problem:
        line = problem.object[: problem.start].count(b"\n") + 1
        raise CompanionError(
            f"{path.name}, line {line}: this is not UTF-8; save it as UTF-8."
        ) from problem
    except OSError as problem:
        raise CompanionError(
            f"{path} can't be read ({problem.strerror}): make it readable."
        ) from problem
    values = read_yaml(text, path.name)
    if not isinstance(values, dict):
        found = "nothing" if values is None else shown(values)
        raise CompanionError(
            f"{path.name} must hold settings by section, like 'training: {{patience: 9}}'; "
            f"found {found}."
        )
    return values


def shown(value) -> str:
    """A value as a message repeats it, without the end of a long one."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no number of more than 4,300 digits
        return "a number of thousands of digits"
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
