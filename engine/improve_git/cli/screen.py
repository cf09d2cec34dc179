"""How the reading commands put text on a screen: safe, aligned, and plain in a pipe."""

import json
import math
import os
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from improve_git.messages import one_line

VERDICTS = {"merged": "green", "rejected": "dim", "failed": "yellow", "baseline": "bold",
            "measured": "bold"}  # fmt: skip
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_PIPE_WIDTH = 10_000  # a pipe has no edge; nothing is cut or wrapped there


def console() -> Console:
    """Return a console that takes nothing for markup, as wide as the terminal or without end."""
    told = sys.stdout.isatty() or "COLUMNS" in os.environ
    width = None if told else _PIPE_WIDTH
    return Console(highlight=False, markup=False, emoji=False, width=width)


def columns(
    screen: Console,
    rows: Sequence[Sequence[str | Text]],
    right: Iterable[int] = (),
    indent: int = 0,
) -> None:
    """Print aligned rows; what does not fit at the right edge ends in an ellipsis.

    Columns that are empty in every row are left out. ``right`` names those aligned to the right.
    """
    cells = [[Text(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]
    widths = [max(cell.cell_len for cell in column) for column in zip(*cells, strict=True)]
    flush_right = set(right)
    for row in cells:
        line = Text(" " * indent)
        for index, (cell, width) in enumerate(zip(row, widths, strict=True)):
            if width:
                blanks = " " * (width - cell.cell_len)
                line.append_text(Text.assemble(blanks, cell, "  ") if index in flush_right
                                 else Text.assemble(cell, blanks, "  "))  # fmt: skip
        line.rstrip()
        line.truncate(screen.width, overflow="ellipsis")
        screen.print(line, soft_wrap=True)


def clean(text: str, limit: int = 300) -> str:
    """Return foreign text as one printable line."""
    return one_line(text, limit)


def visible(text: str) -> str:
    r"""Return foreign text with its lines and tabs; what could steer a terminal becomes \xNN."""
    return "".join(_visible(character) for character in text)


def print_json(content: Any) -> None:
    """Print JSON; it escapes all that is not ASCII, and so all that could steer a terminal."""
    text = json.dumps(_strict(content), indent=2, allow_nan=False)
    sys.stdout.write(text.replace("\x7f", "\\u007f") + "\n")


def _strict(content: Any) -> Any:
    """Return content as every JSON reader takes it: null for a figure that is not finite."""
    if isinstance(content, dict):
        return {str(key): _strict(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_strict(value) for value in content]
    if isinstance(content, float) and not math.isfinite(content):
        return None
    return str(content) if isinstance(content, Path) else content


def _visible(character: str) -> str:
    if character in "\n\t" or unicodedata.category(character) not in _HIDDEN:
        return character
    return character.encode("unicode-escape", "surrogatepass").decode()
