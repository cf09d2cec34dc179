"""The journal: what the engine is about to do and has collected, appended and synced to disk.

One JSON object a line in `.improve/journal`. It is written before the engine acts, so that after
`kill -9` the next run knows what was under way. Everything else is in Git; losing the journal
costs at most the open iteration.
"""

import json
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from improve_git.errors import PipelineError

_PATIENCE = 0.2  # seconds: who only asks whether a run is under way holds the lock for a moment


class Journal:
    """An append-only list of events."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, event: str, **fields: Any) -> None:
        """Write one event; on return it is on the disk."""
        line = json.dumps({"event": event, "time": round(time.time(), 3), **fields})
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab+") as file:
            # A line torn by a crash must not swallow this one.
            torn = file.tell() > 0 and _last_byte(file.fileno()) != b"\n"
            file.write(b"\n" * torn + line.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def events(self, *kinds: str) -> list[dict[str, Any]]:
        """Return the events so far, of these kinds or of all, oldest first, without torn ones."""
        if not self.path.exists():
            return []
        lines = self.path.read_bytes().splitlines()
        if kinds:  # a long run's journal has thousands that one reader has no use for
            named = re.compile(rf'{{"event": "(?:{"|".join(kinds)})"'.encode())
            lines = [line for line in lines if named.match(line)]
        return [
            event
            for event in _parsed(lines)
            if isinstance(event, dict) and (not kinds or event.get("event") in kinds)
        ]

    def last(self, *kinds: str) -> dict[str, Any] | None:
        """Return the newest event of one of these kinds, None where there is none."""
        return next(reversed(self.events(*kinds)), None)


@contextmanager
def only_run(state: Path) -> Iterator[None]:
    """Hold the pipeline's lock. The kernel drops it when its holder ends, however it ends.

    Raises:
        PipelineError: another run holds it; says who and since when.
    """
    import socket

    from filelock import FileLock, Timeout

    state.mkdir(parents=True, exist_ok=True)
    holder = state / "lock.holder"
    lock = FileLock(state / "lock")
    try:
        lock.acquire(timeout=_PATIENCE)
    except Timeout as error:
        who = holder.read_text() if holder.exists() else "another process"
        number = re.match(rf"process (\d+) on {re.escape(socket.gethostname())},", who)
        raise PipelineError(
            f"a run is under way on this pipeline: {who}",
            f"wait for it, or end it: kill {number[1]}" if number else "wait for it, or end it",
        ) from error
    try:
        since = time.strftime("%Y-%m-%d %H:%M:%S")
        holder.write_text(f"process {os.getpid()} on {socket.gethostname()}, since {since}")
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


@contextmanager
def only_prediction(state: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Let one `predict` or `export` at a time have the pipeline: what it finds is a ruin."""
    from filelock import FileLock, Timeout

    state.mkdir(parents=True, exist_ok=True)
    lock = FileLock(state / "predict.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        say("another predict or export is under way on this pipeline: waiting for it")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def run_under_way(state: Path) -> str | None:
    """Say who holds the pipeline's lock, None where nobody does. Does not wait."""
    holder = state / "lock.holder"
    # Without that file nobody holds it, and a run that is just starting is not disturbed.
    if not holder.exists():
        return None
    import fcntl  # filelock takes long to load, and screens are to be there at once

    try:
        with (state / "lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        with suppress(OSError):
            return holder.read_text(errors="replace")
        return "another process"
    except OSError:  # not ours to open
        return None
    return None


def _parsed(lines: list[bytes]) -> Iterator[Any]:
    """Yield what lines of JSON hold, without the torn ones."""
    with suppress(ValueError):  # all at once is several times as quick
        yield from json.loads(b"[" + b",".join(lines) + b"]")
        return
    for line in lines:
        with suppress(ValueError):
            yield json.loads(line)


def _last_byte(descriptor: int) -> bytes:
    return os.pread(descriptor, 1, os.fstat(descriptor).st_size - 1)
