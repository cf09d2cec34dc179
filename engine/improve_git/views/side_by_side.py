"""Two versions of a file beside each other, with Python coloured. The only user of pygments."""

from dataclasses import dataclass
from difflib import SequenceMatcher
from html import escape
from itertools import zip_longest

from improve_git.messages import visible

MOST_LINES = 2000  # of a file
MOST_WIDTH = 400  # characters of a line
_CONTEXT = 3  # unchanged lines around a change


@dataclass(frozen=True)
class Line:
    """One line of one version."""

    number: int
    html: str  # escaped, with <span class="..."> of pygments' short names


@dataclass(frozen=True)
class Row:
    """Two lines beside each other; None where the other version has no such line."""

    old: Line | None
    new: Line | None
    changed: bool


def side_by_side(path: str, old: str, new: str) -> list[list[Row]]:
    """Return what differs as stretches of rows, each with a few unchanged lines around it."""
    before, after = _lines(old), _lines(new)
    left, right = _coloured(path, before), _coloured(path, after)
    groups = SequenceMatcher(None, before, after).get_grouped_opcodes(_CONTEXT)
    return [
        [
            Row(one, other, kind != "equal")
            for kind, i, j, k, m in group
            for one, other in zip_longest(left[i:j], right[k:m])
        ]
        for group in groups
    ]


def _lines(text: str) -> list[str]:
    # Agents write what they like; a carriage return would be one more line to pygments.
    lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n")
    return [visible(line)[:MOST_WIDTH] for line in lines[:MOST_LINES]]


def _coloured(path: str, lines: list[str]) -> list[Line]:
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    html = [escape(line) for line in lines]
    if path.endswith(".py"):
        text = highlight("\n".join(lines), PythonLexer(stripnl=False), HtmlFormatter(nowrap=True))
        coloured = text.removesuffix("\n").split("\n")
        html = coloured if len(coloured) == len(lines) else html
    return [Line(number, one) for number, one in enumerate(html, 1)]
