"""Renders what a pipeline is made of, and the agents' prompts. Nobody else speaks to jinja2."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from improve_git.files import shipped
from improve_git.messages import one_line, unwrapped, visible

PROMPTS = Path(__file__).resolve().parent / "teams" / "agents" / "prompts"
PAGES = Path(__file__).resolve().parent / "views" / "pages"


def render(name: str, /, **values: Any) -> str:
    """Render a template of component_templates, such as ``train.py.j2``.

    Raises:
        jinja2.UndefinedError: the template needs a value that was not given.
    """
    return _environment(shipped("component_templates")).get_template(name).render(**values)


def render_prompt(name: str, /, **values: Any) -> str:
    """Render a prompt of the agents, such as ``assign.md.j2``.

    Raises:
        jinja2.UndefinedError: the prompt needs a value that was not given.
    """
    return _environment(PROMPTS).get_template(name).render(**values)


def render_page(name: str, /, **values: Any) -> str:
    """Render an HTML page, such as ``report.html.j2``; whatever it is given is escaped.

    Raises:
        jinja2.UndefinedError: the page needs a value that was not given.
    """
    return _pages().get_template(name).render(**values)


def fenced(text: str, info: str = "") -> str:
    """Put text into a fence that no run of backticks inside it can close."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    end = "" if text.endswith("\n") or not text else "\n"
    return f"{fence}{info}\n{text}{end}{fence}"


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
def _environment(folder: Path) -> Environment:
    # Python files and Markdown are rendered, never HTML: escaping would break them.
    environment = Environment(
        loader=FileSystemLoader(folder),
        undefined=StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["literal"] = literal
    environment.filters["fenced"] = fenced
    environment.globals["zip"] = zip
    return environment


@cache
def _pages() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(PAGES),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # Escaped is not enough: characters that turn the direction of writing would still steer.
    environment.filters["line"] = one_line
    environment.filters["lines"] = visible
    environment.filters["unwrapped"] = unwrapped
    return environment
