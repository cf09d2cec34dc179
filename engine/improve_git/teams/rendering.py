"""A component's file from its settings, and the settings back from the file's constants.

They are read by the syntax tree; nothing of a file is run.
"""

import ast
import re
from typing import Any

from improve_git.domain import FILES, Component
from improve_git.teams.catalogue import Settings, defaults
from improve_git.templates import literal, render

_CONSTANT = re.compile(r"^(?P<name>[A-Z][A-Z0-9_]*) = (?P<value>.+?)(?P<comment>  #.*)?$")


def write(component: Component, settings: Settings) -> str:
    """Return a component's file for the given settings; those not given take their default."""
    return render(f"{FILES[component]}.j2", **{**defaults(component), **settings})


def read(component: Component, source: str) -> Settings | None:
    """Return the settings that a component's file says, or None where it is not the playbook's.

    It is the playbook's where rendering the settings gives the file back: a person may have
    changed the values of its constants, nothing else.
    """
    try:
        settings = defaults(component) | _constants(source, defaults(component))
        same = _canonical(write(component, settings)) == _canonical(source)
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        return None
    return settings if same else None


def _constants(source: str, known: Settings) -> Settings:
    """Return the known constants that a file assigns at its top level."""
    found: Settings = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            if name in known:
                found[name] = ast.literal_eval(node.value)
                if _kind(found[name]) is not _kind(known[name]):
                    raise TypeError(f"{name} is {found[name]!r}")
    return found


def _kind(value: Any) -> type:
    """Return a value's type; whole numbers and fractions are one."""
    return float if isinstance(value, int | float) else type(value)


def _canonical(source: str) -> list[str]:
    """Return a file's lines with each constant's value in one spelling (3e-4 is 0.0003)."""
    lines = []
    for line in source.splitlines():
        match = _CONSTANT.match(line)
        try:
            value = literal(ast.literal_eval(match["value"])) if match else ""
        except (ValueError, SyntaxError, TypeError):
            match = None
        if match:
            lines.append(f"{match['name']} = {value}{match['comment'] or ''}")
        else:
            lines.append(line)
    return lines
