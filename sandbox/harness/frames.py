"""Sends what leaves the sandbox: one byte of kind, four of length (big-endian), the payload.

Kinds: ``E`` an event (JSON), ``W`` a piece of the weights, ``P`` a piece of the predictions,
``T`` a piece of the classes predicted for tune, ``R`` the result (JSON, once, last). The engine's
reader is its own code, sandboxes/frames.py there.
"""

import json
import math
import os
import struct
import threading
from typing import Any

MAX_PIECE = 1 << 20  # bytes
MAX_TEXT = 1 << 16


class Frames:
    """A writer of frames on a file descriptor; may be used by several threads."""

    def __init__(self, out: int) -> None:
        self._out = out
        self._lock = threading.Lock()

    def event(self, event: str, /, **values: Any) -> None:
        """Send an event; values become plain scalars, what is not finite is left out."""
        plain = {key: scalar(value) for key, value in values.items()}
        kept = {key: value for key, value in plain.items() if value is not None}
        self._send(b"E", _json(kept | {"event": event}))

    def bulk(self, kind: bytes, data: bytes) -> None:
        """Send bytes in pieces; ``kind`` is b"W", b"P" or b"T"."""
        view = memoryview(data)
        for start in range(0, len(view), MAX_PIECE):
            self._send(kind, view[start : start + MAX_PIECE])

    def result(self, **values: Any) -> None:
        """Send the result; nothing may follow."""
        self._send(b"R", _json(values))

    def _send(self, kind: bytes, payload: bytes | memoryview) -> None:
        with self._lock:
            self._write(struct.pack(">cI", kind, len(payload)))
            self._write(payload)

    def _write(self, data: bytes | memoryview) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._out, view) :]


def scalar(value: Any) -> bool | int | float | str | None:
    """Return a plain scalar, also of a one-element tensor; None where it is not finite."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if hasattr(value, "item") and getattr(value, "numel", lambda: 1)() == 1:
        value = value.item()
    if isinstance(value, int | float):
        return value if math.isfinite(value) else None
    return str(value)


def _json(values: dict[str, Any]) -> bytes:
    text = json.dumps(values).encode()
    if len(text) <= MAX_TEXT:
        return text
    return json.dumps({k: v for k, v in values.items() if k in ("event", "status")}).encode()
