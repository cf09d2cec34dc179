"""Renders what a pipeline is made of. The only module that speaks to jinja2."""

import json
from functools import cache
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from improve_git.files import shipped


def render(name: str, /, **values: Any) -> str:
    """Render a template of component_templates, such as ``train.py.j2``.

    Raises:
        jinja2.UndefinedError: the template needs a value that was not given.
    """
    return _environment().get_template(name).render(**values)


def literal(value: Any) -> str:
    """Return a setting as Python source, in the form that ruff gives it.

    Raises:
        TypeError: the value is no number, text, truth value or tuple of such.
    """
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, bool | int | float):
        return repr(value)
    if isinstance(value, tuple | list):
        items = [literal(item) for item in value]
        return f"({items[0]},)" if len(items) == 1 else f"({', '.join(items)})"
    raise TypeError(f"{value} cannot be written as a constant")  # a missing value raises by itself


@cache
def _environment() -> Environment:
    # Python files and Markdown are rendered, never HTML: escaping would break them.
    environment = Environment(
        loader=FileSystemLoader(shipped("component_templates")),
        undefined=StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["literal"] = literal
    environment.globals["zip"] = zip
    return environment
