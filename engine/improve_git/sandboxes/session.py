"""Reads a started child to its end, and makes an Outcome of it; the same for every sandbox.

The child is given nothing but an open standard input, whose end tells it that the engine is gone.
What it sends is bounded, checked and classified; nothing it says is believed beyond its own trial.
"""

import re
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, cast

from improve_git.domain import Outcome, Status
from improve_git.sandboxes import blame
from improve_git.sandboxes.base import Job, Limits, OnEvent, PredictJob
from improve_git.sandboxes.frames import (
    Frame,
    FrameError,
    Tail,
    json_object,
    one_line,
    parse,
    scalars,
)

MAX_EVENT_BYTES = 16 << 20  # of all events of a phase together
MAX_CURVE = 5000  # epochs that are kept
KILLED = 253  # exit code of the harness's supervisor where its child was ended by SIGKILL
GRACE_SECONDS = 10.0  # for the child to end by itself after its result
_TICK_SECONDS = 0.25
_SHAPE = re.compile(r"\d{1,6}( x \d{1,6}){3}")

# What the harness may say of the candidate; everything else is for the engine to find.
_TELLABLE: tuple[Status, ...] = ("ok", "invalid", "crashed", "out-of-memory", "bad-predictions")
_PREDICT_PHASES = ("imports", "setup", "predicting")

Stream = Literal["out", "err"]


@dataclass(frozen=True)
class Ending:
    """How a child ended."""

    code: int | None  # None: it was still there and was killed
    out_of_memory: bool = False  # as the kernel or the container engine says
    by_others: str = ""  # why the candidate is not to blame for an end without a result; "": it is


class Child(Protocol):
    """A started sandbox."""

    def read(self, seconds: float) -> list[tuple[Stream, bytes]] | None:
        """Return what came within so many seconds, maybe nothing; None once both streams ended."""
        ...

    def excess(self) -> tuple[Status, str] | None:
        """Return the limit that the child is over, where only polling can tell."""
        ...

    def end(self) -> Ending:
        """Kill what is still there and tell how it ended; no descendant is left."""
        ...

    def peak_memory(self) -> int | None:
        """Return the most bytes that were seen in use, None where nobody looked."""
        ...


class Halt(Exception):
    """The engine ends the phase: a limit is reached or the stream is not what it should be."""

    def __init__(self, status: Status, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Session:
    """Reads one child to its end."""

    def __init__(
        self,
        job: Job,
        on_event: OnEvent,
        takers: Mapping[bytes, Callable[[bytes], object]],
    ) -> None:
        self._job = job
        self._limits: Limits = job.limits
        self._seeing = isinstance(job, PredictJob)  # whether the child sees images of the judge's
        self._on_event = on_event
        self._takers = takers  # who takes the frames of a kind; of no other kind may any come
        self._bytes = 0
        self._event_bytes = 0
        self._rest = b""
        self._tail = Tail()
        self._curve: list[dict[str, Any]] = []
        self._result: dict[str, Any] | None = None
        self._info: dict[str, str] = {}  # the shape of the first training batch
        self._ready = False  # whether the candidate's own code had begun

    def run(self, start: Callable[[], Child]) -> Outcome:
        """Start the child, read it, end it."""
        begun = time.monotonic()
        child = start()
        halt: Halt | None = None
        try:
            self._read(child, begun + self._limits.seconds)
        except Halt as caught:
            halt = caught
        finally:
            ending = child.end()
        return self._outcome(halt, ending, time.monotonic() - begun, child.peak_memory())

    def _read(self, child: Child, deadline: float) -> None:
        last = deadline
        while True:
            left = last - time.monotonic()
            if left <= 0:
                if self._result is not None:
                    return  # it told its result and lingers
                raise Halt("timeout", f"not done after {self._limits.seconds:.0f} s")
            chunks = child.read(min(left, _TICK_SECONDS))
            if chunks is None:
                return
            told = self._result is not None
            for stream, data in chunks:
                self._take(stream, data)
            if self._result is not None and not told:
                last = min(deadline, time.monotonic() + GRACE_SECONDS)
            if excess := child.excess():
                raise Halt(*excess)

    def _take(self, stream: Stream, data: bytes) -> None:
        self._bytes += len(data)
        if self._bytes > self._limits.output_bytes:
            raise Halt("too-much-output", f"more than {self._limits.output_bytes} bytes came out")
        if stream == "err":
            self._tail.feed(data)
            return
        if self._result is not None:
            return  # nothing counts after the result
        try:
            self._rest += data
            while self._rest:
                frames, self._rest = parse(self._rest)
                for frame in frames:
                    self._take_frame(frame)
                if not frames:
                    break
        except FrameError as error:
            reason = f"its output channel was written to by something else ({error})"
            raise Halt("crashed", reason) from error

    def _take_frame(self, frame: Frame) -> None:
        if self._result is not None:
            return
        if frame.kind == b"E":
            self._event_bytes += len(frame.payload)
            if self._event_bytes > MAX_EVENT_BYTES:
                raise Halt("too-much-output", f"more than {MAX_EVENT_BYTES} bytes of events came")
            self._take_event(scalars(json_object(frame.payload)))
        elif frame.kind == b"R":
            self._result = json_object(frame.payload)
        elif frame.kind in self._takers:
            self._takers[frame.kind](frame.payload)
        else:
            raise FrameError(f"kind {frame.kind!r} does not belong to this phase")

    def _take_event(self, event: dict[str, Any]) -> None:
        name = event.get("event")
        if name == "ready":
            self._ready = True
        elif name == "phase" and (not self._seeing or event.get("name") in _PREDICT_PHASES):
            known = {key: event[key] for key in ("name", "seconds") if key in event}
            self._on_event({"event": "phase"} | known)
        elif name == "batch" and _SHAPE.fullmatch(str(event.get("shape"))):
            self._info["batch"] = str(event["shape"])
        elif name == "epoch" and not self._seeing and len(self._curve) < MAX_CURVE:
            self._curve.append({key: value for key, value in event.items() if key != "event"})
            self._on_event(event)

    def _outcome(
        self, halt: Halt | None, ending: Ending, wall_seconds: float, polled: int | None
    ) -> Outcome:
        result = self._result or {}
        told = scalars(result)
        status, reason, detail = self._judged(halt, ending)
        peak = told.get("peak_memory_bytes")
        peak = peak if isinstance(peak, int) and peak > 0 else polled
        if ending.out_of_memory and status == "out-of-memory":
            peak = self._limits.memory_bytes
        seconds = told.get("seconds")
        fine = isinstance(seconds, int | float) and 0 <= seconds <= wall_seconds
        return Outcome(
            status=status,
            reason=reason,
            detail=detail,
            curve=self._curve,
            seconds=float(seconds) if fine and seconds is not None else wall_seconds,
            wall_seconds=wall_seconds,
            peak_memory_bytes=peak,
            stopped_by="clock" if told.get("stopped_by") == "clock" else "",
            log_tail="" if self._seeing else self._tail.text(),
            info={} if self._seeing else scalars(result.get("info")) | self._info,
        )

    def _judged(self, halt: Halt | None, ending: Ending) -> tuple[Status, str, str]:
        """Return status, reason and detail."""
        if not self._ready and self._result is None:  # not the candidate's fault so far
            last = halt.reason if halt else self._tail.text().rpartition("\n")[2]
            return "sandbox-error", f"the sandbox did not start: {last or _exit(ending.code)}", ""
        if halt is not None:
            return halt.status, halt.reason, ""
        said = self._result.get("status") if self._result is not None else None
        killed = ending.out_of_memory or ending.by_others
        if said == "ok" or (said in _TELLABLE and not killed):
            return self._told(cast("Status", said))
        return self._untold(ending)

    def _untold(self, ending: Ending) -> tuple[Status, str, str]:
        """Return the same for an end that the child's own word does not explain."""
        if ending.by_others:
            return "sandbox-error", ending.by_others, ""
        if ending.out_of_memory:
            limit = self._limits.memory_bytes / 2**20
            return "out-of-memory", f"more than the {limit:.0f} MiB it may use", ""
        if self._result is not None:
            return "crashed", "its result was not well-formed", ""
        status: Status = "no-predictions" if self._seeing else "crashed"
        return status, f"the process ended by itself, {_exit(ending.code)}, before its result", ""

    def _told(self, status: Status) -> tuple[Status, str, str]:
        if status == "ok":
            return "ok", "", ""
        if self._seeing:
            return status, *blame.unseen(self._result or {}, self._job.files)
        reason, detail = blame.told(self._result or {}, self._job.files)
        return status, one_line(reason, 500), detail


def _exit(code: int | None) -> str:
    if code is None:
        return "lingering"
    code = 128 + signal.SIGKILL if code == KILLED else code
    return f"killed by signal {code - 128}" if code > 128 else f"with exit code {code}"
