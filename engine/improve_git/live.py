"""What a run is doing at this moment: a feed that it writes, and that other processes read.

One JSON object a line in `.improve/live.jsonl`, cut with every verdict. It decides nothing and is
no record: whoever loses it loses a view, so nothing is synced, and no error of the disk reaches
the run. A candidate's own reports are in it: only finite figures and cleaned text go in, and what
comes out is checked again. Whether a run is alive is told by its lock (see journal.py), not by it.
"""

import json
import math
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from improve_git.messages import one_line

NAME = "live.jsonl"
LARGEST = 1 << 18  # bytes; a candidate may report without end
MOST_EPOCHS = 1000  # that are kept of a curve
MOST_SAID = 12  # lines
_MOST_FIGURES = 8  # of one report


@dataclass(frozen=True)
class Said:
    """A line that the run told: kind is say, warn, or a verdict's name."""

    kind: str
    text: str
    time: float


@dataclass(frozen=True)
class Live:
    """What is under way. Times are seconds since 1970; 0: unknown."""

    began: float = 0.0  # the run
    doing: str = ""  # which agent is asked; "": none
    doing_since: float = 0.0
    title: str = ""  # of the training; "": none
    title_since: float = 0.0
    epochs: int | None = None  # that the training plans with, where that is known
    stop_seconds: float | None = None  # its safety stop
    phase: str = ""
    curve: tuple[dict[str, float], ...] = ()  # finite figures, one dict a report
    said: tuple[Said, ...] = ()  # the newest lines, oldest first


class Feed:
    """An observer that writes the feed."""

    def __init__(self, state: Path) -> None:
        self._path = state / NAME
        self._title: dict[str, Any] = {}  # of the training under way
        self._began = time.time()
        self._cut()

    def say(self, text: str) -> None:
        """Pass a line on."""
        self._write("say", text=text)

    def warn(self, text: str) -> None:
        """Pass a line on."""
        self._write("warn", text=text)

    def doing(self, text: str) -> None:
        """Tell what an agent is asked to do."""
        self._write("doing", text=text)

    def begin(self, title: str, epochs: int | None, seconds: float) -> None:
        """Tell which training begins."""
        self._title = {"title": title, "epochs": epochs, "seconds": seconds, "since": time.time()}
        self._write("begin", **self._title)

    def event(self, event: dict[str, Any]) -> None:
        """Pass on what a candidate reports, if it is a phase or finite figures."""
        if event.get("event") == "epoch":
            self._write("epoch", figures=_figures(event))
        elif event.get("event") == "phase":
            self._write("phase", text=str(event.get("name", "")))

    def end(self) -> None:
        """Tell that the training is over."""
        self._title = {}
        self._write("end")

    def verdict(self, verdict: str, subject: str) -> None:
        """Begin the feed anew: an iteration is over."""
        self._cut()
        self._write("verdict", verdict=verdict, text=subject)

    def _cut(self) -> None:
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_bytes(_line("run", since=self._began))

    def _write(self, kind: str, **fields: Any) -> None:
        with suppress(OSError):
            with self._path.open("ab") as file:
                file.write(_line(kind, **fields))
                full = file.tell() > LARGEST
            if full:
                self._cut()
                if self._title and kind != "begin":
                    self._write("begin", **self._title)


def read_live(state: Path) -> Live:
    """Return what the feed tells; nothing where there is none. Torn and foreign lines are left out.

    Only a plain file is read, and no more of it than a feed holds.
    """
    live = Live()
    for line in _tail(state / NAME).splitlines():
        with suppress(ValueError, RecursionError):
            event = json.loads(line)
            if isinstance(event, dict):
                live = _after(live, event)
    return live


def _after(live: Live, event: Mapping[str, Any]) -> Live:
    """Return the state after an event."""
    kind, at = event.get("event"), _number(event.get("time"))
    text = one_line(str(event.get("text", "")))
    figures = event.get("figures")
    changes: dict[str, Any] = {}
    if kind == "run":
        changes = asdict(Live(began=_number(event.get("since")))) | {"said": live.said}
    elif kind == "doing":
        changes = {"doing": text, "doing_since": at}
    elif kind == "begin":
        changes = {
            "title": one_line(str(event.get("title", ""))),
            "title_since": _number(event.get("since")),
            "epochs": _count(event.get("epochs")),
            "stop_seconds": _number(event.get("seconds")) or None,
            "phase": "",
            "curve": (),
        }
    elif kind == "phase":
        changes = {"phase": text}
    elif kind == "epoch" and isinstance(figures, dict):
        changes = {"curve": (*live.curve, _figures(figures))[-MOST_EPOCHS:], "phase": ""}
    elif kind == "end":
        changes = {"title": "", "phase": "", "curve": ()}
    elif kind in ("say", "warn", "verdict"):
        said = one_line(str(event.get("verdict", "")), 20) if kind == "verdict" else str(kind)
        changes = {"said": (*live.said, Said(said, text, at))[-MOST_SAID:]}
    return replace(live, **changes)


def _line(kind: str, **fields: Any) -> bytes:
    from improve_git.llm.secrets import scrub

    flat = {key: one_line(scrub(text)) if isinstance(text, str) else text
            for key, text in fields.items()}  # fmt: skip
    event = {"event": kind, "time": round(time.time(), 3), **flat}
    return json.dumps(event).encode() + b"\n"


def _tail(path: Path) -> bytes:
    """Return the end of a plain file, b"" where there is none."""
    with suppress(OSError):
        # Neither follows a link nor waits for a pipe's writer.
        opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(opened, "rb") as file:
            size = os.fstat(opened).st_size
            file.seek(max(0, size - 2 * LARGEST))
            return file.read(2 * LARGEST)
    return b""


def _figures(told: Mapping[Any, Any]) -> dict[str, float]:
    """Return the finite figures of a report."""
    found: dict[str, float] = {}
    for key, value in told.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            with suppress(OverflowError):  # an integer beyond all floats
                if math.isfinite(float(value)) and len(found) < _MOST_FIGURES:
                    found[one_line(str(key), 40)] = float(value)
    return found


def _number(value: object) -> float:
    return _figures({"": value}).get("", 0.0)


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None
