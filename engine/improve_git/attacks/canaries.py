"""What must never be found or reached: a secret on the host, and doors that only the host opens."""

import ctypes
import os
import platform
import secrets
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

VARIABLE = "IMPROVE_GIT_CANARY_API_KEY"
_CALLS = {"x86_64": (248, 250), "aarch64": (217, 219)}  # the numbers of add_key and keyctl
_SESSION_KEYRING, _UNLINK = -3, 9
# How a secret begins, so that a candidate knows what it is looking for.
PREFIX = "canary-"


@dataclass(frozen=True)
class Canary:
    """A random secret: in the engine's environment, its keyring and a file of the host's."""

    secret: str
    file: Path


@contextmanager
def canary(folder: Path) -> Iterator[Canary]:
    """Put a secret where a candidate would look for one; take it away again."""
    secret = PREFIX + secrets.token_hex(16)
    file = folder / "credentials"
    file.write_text(f"api_key = {secret}\n")
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = secret
    key = _add_key(secret)
    try:
        yield Canary(secret, file)
    finally:
        _drop_key(key)
        file.unlink(missing_ok=True)
        os.environ.pop(VARIABLE, None)
        if before is not None:
            os.environ[VARIABLE] = before


class Ears:
    """Listens on the host: on all addresses by TCP, and on an abstract Unix socket."""

    def __init__(self, stack: ExitStack) -> None:
        tcp = stack.enter_context(socket.socket())
        tcp.bind(("", 0))
        abstract = stack.enter_context(socket.socket(socket.AF_UNIX))
        abstract.bind(f"\0improve-git-ear-{secrets.token_hex(8)}")
        self._sockets = {"TCP": tcp, "Unix": abstract}
        for ear in self._sockets.values():
            ear.listen()
            ear.setblocking(False)

    def heard(self) -> list[str]:
        """Return by which doors somebody came in."""
        return [name for name, ear in self._sockets.items() if _accepts(ear)]


@contextmanager
def ears() -> Iterator[Ears]:
    """Listen while the block runs."""
    with ExitStack() as stack:
        yield Ears(stack)


def _accepts(ear: socket.socket) -> bool:
    try:
        ear.accept()[0].close()
    except BlockingIOError:
        return False
    return True


def _add_key(secret: str) -> int:
    """Put a secret into the session's keyring, which children inherit; -1 where there is none."""
    add_key, _ = _CALLS.get(platform.machine(), (-1, -1))
    data = secret.encode()
    return int(ctypes.CDLL(None).syscall(
        add_key, b"user", b"improve-git-canary", data, len(data), _SESSION_KEYRING
    ))  # fmt: skip


def _drop_key(key: int) -> None:
    _, keyctl = _CALLS.get(platform.machine(), (-1, -1))
    if key >= 0:
        ctypes.CDLL(None).syscall(keyctl, _UNLINK, key, _SESSION_KEYRING)
