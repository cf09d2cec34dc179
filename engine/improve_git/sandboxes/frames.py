"""Reads what leaves a sandbox. All of it is hostile input; nothing here trusts a length or a type.

A frame is one byte of kind, four of length (big-endian), the payload; see sandbox/harness/frames.py
for what the harness sends. The candidate can write to the same pipe.
"""

import json
import math
import re
from collections import deque
from dataclasses import dataclass
from typing import Any

HEADER = 5
MAX_PIECE = 1 << 20  # bytes, of W, P and T
MAX_TEXT = 1 << 16  # bytes, of E and R
_CAPS = {b"E": MAX_TEXT, b"R": MAX_TEXT, b"W": MAX_PIECE, b"P": MAX_PIECE, b"T": MAX_PIECE}

MAX_KEYS = 32
MAX_STRING = 200  # characters
_MAX_INT = 2**53  # what JSON readers elsewhere still represent exactly

# Escape sequences of terminals (CSI, OSC, two-character ones), then all other control characters.
_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b.?|\x9b")
# Also the bidirectional controls, which make a text read differently from what it is.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


class FrameError(ValueError):
    """What came is not a frame: something other than the harness wrote it."""


@dataclass(frozen=True)
class Frame:
    """One record as it came."""

    kind: bytes  # b"E", b"W", b"P", b"T" or b"R"
    payload: bytes


def parse(data: bytes) -> tuple[list[Frame], bytes]:
    """Split off the whole frames at the beginning; return them and the rest, to be read on.

    Raises FrameError where the data begins with what cannot be a frame. Such bytes after good
    frames stay in the rest, so that what came before them counts.
    """
    frames: list[Frame] = []
    start = 0
    while start < len(data):
        kind = data[start : start + 1]
        header = data[start : start + HEADER]
        length = int.from_bytes(header[1:], "big") if len(header) == HEADER else 0
        if kind not in _CAPS or length > _CAPS[kind]:
            if frames:
                break
            raise FrameError(f"{header!r} does not begin a frame")
        end = start + HEADER + length
        if len(header) < HEADER or end > len(data):
            break
        frames.append(Frame(kind, data[start + HEADER : end]))
        start = end
    return frames, data[start:]


def json_object(payload: bytes) -> dict[str, Any]:
    """Read a JSON object. Raises FrameError for anything else, however deep or odd."""
    try:
        value = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise FrameError("not JSON") from error
    if not isinstance(value, dict):
        raise FrameError("not a JSON object")
    return value


def scalars(values: Any) -> dict[str, Any]:
    """Keep plain scalars alone: short keys and texts on one line, finite numbers, not too many."""
    if not isinstance(values, dict):
        return {}
    kept: dict[str, Any] = {}
    for key, value in values.items():
        if len(kept) == MAX_KEYS:
            break
        plain = _scalar(value)
        if plain is not None:
            kept[one_line(str(key), 64)] = plain
    return kept


def _scalar(value: Any) -> bool | int | float | str | None:
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) <= _MAX_INT else None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return one_line(value, MAX_STRING) if isinstance(value, str) else None


def clean(text: str) -> str:
    """Strip what a terminal would act upon, and lone surrogates; line feeds and tabs stay."""
    text = text.encode("utf-8", "replace").decode()
    return _CONTROLS.sub("", _ESCAPES.sub("", text))


def one_line(text: str, length: int) -> str:
    """Clean a text, put it on one line and cut it."""
    return " ".join(clean(text[: 4 * length]).split())[:length]


class Tail:
    """The last lines of a stream, in bounded memory."""

    def __init__(self, lines: int = 200, length: int = 2000) -> None:
        self._lines: deque[str] = deque(maxlen=lines)
        self._length = length  # characters that are kept of a line
        self._open = b""  # the beginning of the line that is not ended yet

    def feed(self, data: bytes) -> None:
        """Take the next bytes; a carriage return ends a line too (progress bars)."""
        *ended, begun = re.split(rb"[\r\n]+", data)
        for line in ended:
            self._add(self._open + line)
            self._open = b""
        # Four bytes a character at most; what goes beyond would be cut anyway.
        self._open = (self._open + begun)[: 4 * self._length]

    def text(self) -> str:
        """Return the lines, cleaned."""
        return "\n".join([*self._lines, *self._cleaned(self._open)])

    def _add(self, line: bytes) -> None:
        self._lines.extend(self._cleaned(line))

    def _cleaned(self, line: bytes) -> list[str]:
        text = clean(line[: 4 * self._length].decode(errors="replace"))[: self._length]
        return [text] if text.strip() else []
