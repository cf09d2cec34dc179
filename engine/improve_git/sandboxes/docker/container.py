"""One container: its streams, how it ended, and that it is gone afterwards."""

import signal
import socket
import struct
import threading
import time
from contextlib import suppress
from typing import Any

import docker
from docker.errors import NotFound

from improve_git.domain import Status
from improve_git.sandboxes.docker.image import ENGINE_ERRORS
from improve_git.sandboxes.session import Ending, Stream

_END_SECONDS = 5.0  # for the engine to tell of an end that has come
_READ_BYTES = 1 << 18


class Container:
    """A created container, started once its streams are attached so that no byte is missed."""

    def __init__(self, client: docker.DockerClient, identity: str) -> None:
        self._client = client
        self._identity = identity
        self._pending = b""
        self._over = False  # whether both streams ended
        try:
            streams = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
            self._attached = client.api.attach_socket(identity, params=streams)
            # Over a Unix socket the client wraps it; what is wanted here is the plain socket.
            self._socket: socket.socket = getattr(self._attached, "_sock", self._attached)
            client.api.start(identity)
        except BaseException:
            remove(client, identity)
            raise
        self._vigil = _Vigil(client, identity)

    def read(self, seconds: float) -> list[tuple[Stream, bytes]] | None:
        """See Child."""
        self._socket.settimeout(max(seconds, 0.001))
        try:
            data = self._socket.recv(_READ_BYTES)
        except TimeoutError:
            return []
        if not data:
            self._over = True
            return None
        chunks, self._pending = demultiplex(self._pending + data)
        return chunks

    def excess(self) -> tuple[Status, str] | None:
        """Nothing to poll: the kernel holds the limits."""
        return None

    def peak_memory(self) -> int | None:
        """See Child."""
        return None

    def end(self) -> Ending:
        """Remove the container, whatever happened, after asking it how it ended."""
        try:
            state = self._last_state()
            by_others = self._by_others(state)
        finally:
            self._socket.close()
            self._attached.close()
            remove(self._client, self._identity)
        code = None if state["Running"] else int(state["ExitCode"])
        return Ending(code, bool(state["OOMKilled"]), by_others)

    def _by_others(self, state: dict[str, Any]) -> str:
        """Say why its end is not its own: an engine that is back tells of it as of any other."""
        if self._over and self._vigil.was_in_vain():
            return "Docker's engine ended during it"
        if not state["Running"] and state["ExitCode"] == 128 + signal.SIGKILL:
            return "it was killed from outside: Docker's engine was stopped, or somebody did it"
        return ""

    def _last_state(self) -> dict[str, Any]:
        """Return the state, waiting a moment where the streams ended just now."""
        deadline = time.monotonic() + 1.0
        while True:
            state: dict[str, Any] = self._client.api.inspect_container(self._identity)["State"]
            if not state["Running"] or time.monotonic() > deadline:
                return state
            time.sleep(0.02)


class _Vigil:
    """Waits for a container's end at the very engine that started it."""

    def __init__(self, client: docker.DockerClient, identity: str) -> None:
        self._client = client
        self._identity = identity
        self._told = False
        self._thread = threading.Thread(target=self._wait, daemon=True)
        self._thread.start()

    def was_in_vain(self) -> bool:
        """Say whether that engine went without telling of the end."""
        self._thread.join(_END_SECONDS)
        return not self._thread.is_alive() and not self._told

    def _wait(self) -> None:
        with suppress(*ENGINE_ERRORS):
            self._client.api.wait(self._identity)
            self._told = True


def demultiplex(data: bytes) -> tuple[list[tuple[Stream, bytes]], bytes]:
    """Split Docker's attached stream into pieces of the two outputs; return them and the rest.

    A piece has a header of eight bytes: 1 or 2 for the stream, three zeros, the length.
    """
    chunks: list[tuple[Stream, bytes]] = []
    start = 0
    while len(data) - start >= 8:
        stream, length = struct.unpack_from(">B3xI", data, start)
        if len(data) - start - 8 < length:
            break
        payload = data[start + 8 : start + 8 + length]
        chunks.append(("out" if stream == 1 else "err", payload))
        start += 8 + length
    return chunks, data[start:]


def remove(client: docker.DockerClient, identity: str) -> None:
    """Kill and remove a container; fine where it is gone already."""
    try:
        client.api.remove_container(identity, v=True, force=True)
    except NotFound:
        return
