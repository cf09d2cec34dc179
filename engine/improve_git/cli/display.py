"""What a run shows: a live line for the training, a lasting line for every verdict."""

import time
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.status import Status
from rich.text import Text

_ROOM_FOR_A_BAR = 120  # cells of a screen
_TOLD = 59  # cells of the live line beside its title
_STYLES = {"merged": "bold green", "rejected": "dim", "failed": "yellow"}


class Display:
    """An observer that writes to a terminal; in a pipe only the lasting lines appear."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False, soft_wrap=True)
        self._progress: Progress | None = None
        self._task = TaskID(0)
        self._asking: Status | None = None
        self._began = 0.0
        self._title = ""

    def say(self, text: str) -> None:
        """Print one line."""
        self._print(Text(text))

    def warn(self, text: str) -> None:
        """Print one line that stands out."""
        self._print(Text(f"warning: {text}", style="bold yellow"))

    def verdict(self, verdict: str, subject: str) -> None:
        """Print a verdict's line."""
        self._print(Text(subject, style=_STYLES.get(verdict, "bold")))

    def doing(self, text: str) -> None:
        """Show a live line while an agent is asked."""
        if self._asking:
            self._asking.stop()
            self._asking = None
        if text and self.console.is_terminal:
            self._asking = self.console.status(Text(text, overflow="ellipsis", no_wrap=True))
            self._asking.start()

    def begin(self, title: str, epochs: int | None, seconds: float) -> None:
        """Show the live line of a training."""
        self.doing("")
        self._began = time.monotonic()
        self._title = title
        if not self.console.is_terminal:
            if not title[:1].isdigit():  # an attempt has said its line
                self.say(f"{title} ...")
            return
        bar = [BarColumn(bar_width=20)]
        if (width := self.console.width) < _ROOM_FOR_A_BAR:  # what is told comes first
            bar, most = [], max(12, width - _TOLD)
            title = title if len(title) <= most else f"{title[: most - 1]}…"
        columns = (
            TextColumn("  {task.description}"),
            *bar,
            TextColumn("{task.fields[told]}"),
            TimeElapsedColumn(),
        )
        self._progress = Progress(*columns, console=self.console, transient=True)
        self._task = self._progress.add_task(title, total=epochs, told="starting")
        self._progress.start()

    def event(self, event: dict[str, Any]) -> None:
        """Update the live line."""
        if not self._progress:
            return
        if event.get("event") == "epoch":
            # Whatever a candidate reports: only numbers count.
            done, epochs = _number(event.get("epoch")), _number(event.get("epochs"))
            told = f"epoch {done:.0f}" + (f"/{epochs:.0f}" if epochs else "")
            for key, short in (("loss", "loss"), ("tune_accuracy", "tune")):
                if isinstance(event.get(key), float):
                    told += f"  {short} {event[key]:.3f}"
            if epochs >= done > 0:
                left = (time.monotonic() - self._began) / done * (epochs - done)
                told += f"  {left:.0f} s left"
            self._progress.update(self._task, completed=done, total=epochs or None, told=told)
        elif event.get("event") == "phase":
            self._progress.update(self._task, told=str(event.get("name", "")))

    def end(self) -> None:
        """Take the live line away."""
        if self._progress:
            self._progress.stop()
            self._progress = None

    def _print(self, text: Text) -> None:
        """Print one line, wrapped between words on a terminal; a command to copy stays whole."""
        whole = not self.console.is_terminal or "improve-git " in text.plain
        self.console.print(text, soft_wrap=whole)


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def file_progress(console: Console) -> Progress:
    """Return a progress bar for files, for use as a context manager."""
    return Progress(
        TextColumn("  {task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),  # the total is not known at first
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
