"""How the reading commands put text on a screen: safe, aligned, and plain in a pipe."""

import functools
import json
import math
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from improve_git import messages
from improve_git.messages import one_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

VERDICTS = {"merged": "green", "rejected": "dim", "failed": "yellow", "baseline": "bold",
            "measured": "bold"}  # fmt: skip
_BLOCKS = "▁▂▃▄▅▆▇█"
# One cell each, without asking rich: Latin letters, and what this program draws.
_NARROW = re.compile(r"[\x20-\x7e\xa1-\xac\xae-\u02ff\u2026\u2580-\u259f]*")
_PIPE_WIDTH = 10_000  # a pipe has no edge; nothing is cut or wrapped there
_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


class Styled(NamedTuple):
    """A text with the words for its look, such as "bold green"."""

    text: str
    style: str


class Screen:
    """Standard output for what has to be there at once: lines, without loading rich.

    As wide as the terminal, or without end in a pipe; coloured on a terminal that can, unless
    NO_COLOR is set.
    """

    def __init__(self) -> None:
        self.width = _width()
        self.is_terminal = sys.stdout.isatty()
        plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") in ("dumb", "unknown")
        wanted = self.is_terminal or os.environ.get("FORCE_COLOR")
        self._coloured = bool(wanted and not plain)

    def print(self, text: str = "", style: str = "") -> None:
        """Print one line that breaks between words at the screen's edge."""
        lines = [text]
        if len(text) > self.width:
            import textwrap

            lines = textwrap.wrap(text, self.width, break_on_hyphens=False, break_long_words=False,
                                  drop_whitespace=True, subsequent_indent="  ")  # fmt: skip
        for line in lines:
            self.line([Styled(line, style)])

    def line(self, parts: Iterable[Styled]) -> None:
        """Print parts beside each other as one line; the terminal breaks it, if anything does."""
        told = [self._painted(part) for part in parts] if self._coloured else [p[0] for p in parts]
        sys.stdout.write("".join([*told, "\n"]))

    def _painted(self, part: Styled) -> str:
        codes = ";".join(_CODES[word] for word in part.style.split())
        return f"\x1b[{codes}m{part.text}\x1b[0m" if codes else part.text


def console() -> "Console":
    """Return a console that takes nothing for markup, as wide as the terminal or without end."""
    from rich.console import Console

    told = sys.stdout.isatty() or "COLUMNS" in os.environ
    width = None if told else _PIPE_WIDTH
    return Console(highlight=False, markup=False, emoji=False, width=width)


def columns(
    screen: "Console | Screen",
    rows: Sequence[Sequence["str | Styled | Text"]],
    right: Iterable[int] = (),
    indent: int = 0,
) -> None:
    """Print aligned rows; what does not fit at the right edge ends in an ellipsis.

    Columns that are empty in every row are left out. ``right`` names those aligned to the right.
    """
    for line in aligned(rows, right, indent):
        _print_parts(screen, cut_line(line, screen.width))


def aligned(
    rows: Sequence[Sequence["str | Styled | Text"]], right: Iterable[int] = (), indent: int = 0
) -> Iterator[list[Styled]]:
    """Yield the rows as aligned lines, see ``columns``."""
    cells = [[_styled(cell) for cell in row] for row in rows]
    widths = [max(cell_len(cell.text) for cell in column) for column in zip(*cells, strict=True)]
    shown = [index for index, width in enumerate(widths) if width]
    flush_right = set(right)
    for row in cells:
        parts = [Styled(" " * indent, "")] if indent else []
        for index in shown:
            cell = row[index]
            blanks = Styled(" " * (widths[index] - cell_len(cell.text)), "")
            parts += (blanks, cell, _GAP) if index in flush_right else (cell, blanks, _GAP)
        yield parts


@functools.lru_cache(4096)  # a long table says the same in most of its cells
def cell_len(text: str) -> int:
    """Return how many cells of a terminal a text takes."""
    if _NARROW.fullmatch(text):
        return len(text)
    from rich import cells

    return cells.cell_len(text)


def cut(text: str, width: int) -> str:
    """Return a text of at most so many cells; one that is cut ends in an ellipsis."""
    if cell_len(text) <= width:
        return text
    if _NARROW.fullmatch(text):
        return text[: max(0, width - 1)].rstrip() + "…"
    from rich.cells import set_cell_size

    return set_cell_size(text, max(0, width - 1)).rstrip() + "…"


def sparkline(values: Sequence[float], low: float, high: float, most: int) -> str:
    """Return values as blocks between ``low`` and ``high``; of many, ``most`` evenly chosen."""
    if len(values) > most:
        step = (len(values) - 1) / (most - 1)
        values = [values[round(index * step)] for index in range(most)]
    top = len(_BLOCKS) - 1
    # Halved, so that the range of finite figures is finite.
    spread = high / 2 - low / 2
    heights = [round(top * ((value / 2 - low / 2) / spread)) if spread else 0 for value in values]
    return "".join(_BLOCKS[height] for height in heights)


def cut_line(parts: list[Styled], width: int) -> list[Styled]:
    """Return the parts of a line without blanks at its end, and no wider than the screen."""
    while parts and not parts[-1].text.strip(" "):
        parts.pop()
    if not parts:
        return parts
    parts[-1] = Styled(parts[-1].text.rstrip(" "), parts[-1].style)
    room, kept = width, []
    for part in parts:
        kept.append(part)
        room -= cell_len(part.text)
        if room < 0:
            kept[-1] = Styled(cut(part.text, room + cell_len(part.text)), part.style)
            break
    return kept


def clean(text: str, limit: int = 300) -> str:
    """Return foreign text as one printable line."""
    return one_line(text, limit)


def visible(text: str) -> str:
    r"""Return foreign text with its lines and tabs; what could steer a terminal becomes \xNN."""
    return messages.visible(text)


def print_json(content: Any) -> None:
    """Print JSON; it escapes all that is not ASCII, and so all that could steer a terminal.

    A list has an element a line.
    """
    if isinstance(content, list):
        text = ",\n".join(map(_json, content))
        text = f"[\n{text}\n]" if content else "[]"
    else:
        text = _json(content, indent=2)
    sys.stdout.write(text.replace("\x7f", "\\u007f") + "\n")


_GAP = Styled("  ", "")


def _width() -> int:
    told = os.environ.get("COLUMNS", "")
    if told.isdecimal() and int(told):
        return int(told)
    if not sys.stdout.isatty():
        return _PIPE_WIDTH
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or 80
    except OSError:
        return 80


def _styled(cell: "str | Styled | Text") -> Styled:
    if isinstance(cell, str):
        return Styled(cell, "")
    return cell if isinstance(cell, Styled) else Styled(cell.plain, str(cell.style))


def _print_parts(screen: "Console | Screen", parts: list[Styled]) -> None:
    if isinstance(screen, Screen):
        screen.line(parts)
    else:
        from rich.text import Text

        screen.print(Text.assemble(*parts), soft_wrap=True)


def _json(content: Any, indent: int | None = None) -> str:
    try:
        return json.dumps(content, indent=indent, allow_nan=False, default=_plain)
    except ValueError:
        return json.dumps(_strict(content), indent=indent, allow_nan=False)


def _plain(value: Any) -> str:
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def _strict(content: Any) -> Any:
    """Return content as every JSON reader takes it: null for a figure that is not finite."""
    if isinstance(content, dict):
        return {str(key): _strict(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_strict(value) for value in content]
    if isinstance(content, float) and not math.isfinite(content):
        return None
    return str(content) if isinstance(content, Path) else content
