"""What several commands share: -C, key=value words, --json."""

import re
import shlex
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import click

_Function = TypeVar("_Function", bound=Callable[..., Any])
_WORD = re.compile(r"^[+~]{0,2}[A-Za-z_][A-Za-z0-9_.]*=")


def in_pipeline(function: _Function) -> _Function:
    """Add -C, as in Git."""
    return click.option(
        "-C",
        "folder",
        type=click.Path(path_type=Path),
        default=Path(),
        metavar="PIPELINE",
        help="The pipeline's folder (default: the current one).",
    )(function)


def as_json(function: _Function) -> _Function:
    """Add --json."""
    return click.option("--json", "json_", is_flag=True, help="Print JSON.")(function)


def overrides(words: Iterable[str]) -> list[str]:
    """Check that every word is key=value.

    Raises:
        click.UsageError: one is not.
    """
    words = list(words)
    for word in words:
        if not is_override(word):
            if Path(word).is_dir():
                raise click.UsageError(f"{word!r} is a folder; did you mean -C {word}?")
            raise click.UsageError(f"{word!r} is not key=value, for instance budget.iterations=20")
    return words


def typed(command: str, folder: Path, words: Iterable[str] = ()) -> str:
    """Return a command on a pipeline as one would type it here: what is copied works."""
    where = folder
    with suppress(ValueError, OSError):  # it lies elsewhere; the current folder is gone
        where = folder.relative_to(Path.cwd())
    option = [] if where == Path() else ["-C", str(where)]
    return shlex.join(["improve-git", command, *option, *words])


def is_override(word: str) -> bool:
    """Say whether a word is key=value rather than a path."""
    return bool(_WORD.match(word))
