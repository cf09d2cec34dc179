"""Runs jobs in Docker containers."""

import socket
import struct
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import docker
from docker.errors import ImageNotFound, NotFound
from docker.types import DeviceRequest, LogConfig, Mount, Ulimit

from improve_git.domain import Outcome, Status
from improve_git.errors import SandboxError
from improve_git.sandboxes import phases
from improve_git.sandboxes.base import Limits, OnEvent, PredictJob, TrainJob, ignore_event
from improve_git.sandboxes.docker.image import ENGINE_ERRORS, ensure_image
from improve_git.sandboxes.docker.recipe import recipe
from improve_git.sandboxes.environment import environment
from improve_git.sandboxes.frames import one_line
from improve_git.sandboxes.job import Layout, clear_folders, lay_out, not_to_blame
from improve_git.sandboxes.session import Ending, Stream

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

LABEL = "improve-git"
_PYTHON = ["/opt/venv/bin/python", "-P", "-s", "-B", "/opt/improve-git/harness/__main__.py"]
_USER = "65534:65534"
_INODES = 200_000  # of the scratch space
_OPEN_FILES = 4096
_READ_BYTES = 1 << 18


class DockerSandbox:
    """Runs jobs in containers without network, capabilities or a writable mount of the host's.

    Raises SandboxError where no engine answers or the image cannot be built.
    """

    name = "docker"

    def __init__(
        self,
        base_image: str | None,
        gpus: str,
        on_line: "Callable[[str], None]",
        runtime: str | None = None,
    ) -> None:
        try:
            self._client = docker.from_env()
            self._client.ping()
            about = self._client.info()
        except ENGINE_ERRORS as error:
            raise SandboxError(
                f"no Docker engine answers ({one_line(str(error), 120)})",
                "start Docker, or choose sandbox=process",
            ) from error
        self._runtime = _known_runtime(about, runtime)
        made = recipe(base_image)
        self._image = ensure_image(self._client, made, on_line)
        self.image = f"{made.tag}@{self._image.removeprefix('sha256:')[:12]}"
        self._devices = _device_requests(about, gpus)

    def train(self, job: TrainJob, on_event: OnEvent = ignore_event) -> Outcome:
        """See Sandbox."""
        with lay_out(job) as layout:
            try:
                outcome = phases.train(lambda: self._start(layout, job), job, on_event)
                return not_to_blame(outcome, layout)
            except ENGINE_ERRORS as error:
                return phases.failed(error)

    def predict(
        self, job: PredictJob, on_event: OnEvent = ignore_event
    ) -> "tuple[Outcome, np.ndarray[Any, np.dtype[np.float32]] | None]":
        """See Sandbox."""
        with lay_out(job) as layout:
            try:
                outcome, logits = phases.predict(lambda: self._start(layout, job), job, on_event)
                return not_to_blame(outcome, layout), logits
            except ENGINE_ERRORS as error:
                return phases.failed(error), None

    def clear_leftovers(self, label_prefix: str) -> int:
        """See Sandbox."""
        try:
            labelled = self._client.containers.list(
                all=True, filters={"label": LABEL}, ignore_removed=True
            )
            left = [c for c in labelled if c.labels[LABEL].startswith(label_prefix)]
            for container in left:
                _remove(self._client, str(container.id))
        except ENGINE_ERRORS as error:
            raise SandboxError(f"Docker failed: {one_line(str(error), 200)}") from error
        clear_folders(label_prefix)
        return len(left)

    def _start(self, layout: Layout, job: TrainJob | PredictJob) -> "_Container":
        try:
            created = self._create(layout, job)
        except ImageNotFound as error:
            raise SandboxError(
                f"the sandbox's image {self.image} was deleted",
                "improve-git run builds it again, measures main on it, and carries on",
            ) from error
        return _Container(self._client, str(created["Id"]))

    def _create(self, layout: Layout, job: TrainJob | PredictJob) -> dict[str, Any]:
        api = self._client.api
        created: dict[str, Any] = api.create_container(
            image=self._image,
            command=[*_PYTHON, layout.phase, "/job"],
            hostname="sandbox",
            user=_USER,
            working_dir="/tmp",
            environment=environment("/job", "/tmp", job.limits.cpus, job.label),
            labels={LABEL: job.label},
            stdin_open=True,  # and closed by the engine once this process lets go of it
            network_disabled=True,
            host_config=api.create_host_config(**self._host_config(layout, job.limits)),
        )
        return created

    def _host_config(self, layout: Layout, limits: Limits) -> dict[str, Any]:
        mounts = {"/job": layout.folder} | {
            f"/job/{place}": path for place, path in layout.mounts.items()
        }
        return {
            "network_mode": "none",
            "runtime": self._runtime,
            "read_only": True,
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges"],
            "pids_limit": limits.processes,
            "mem_limit": limits.memory_bytes,
            "memswap_limit": limits.memory_bytes,
            "nano_cpus": int(limits.cpus * 1e9) if limits.cpus else None,
            "shm_size": limits.shm_bytes,
            # Executable, since compiled kernels are loaded from there.
            "tmpfs": {
                "/tmp": f"size={limits.scratch_bytes},nr_inodes={_INODES},mode=1777,exec,"
                "nosuid,nodev"
            },
            "ulimits": [
                Ulimit(name="core", soft=0, hard=0),
                Ulimit(name="nofile", soft=_OPEN_FILES, hard=_OPEN_FILES),
            ],
            "mounts": [_read_only(place, path) for place, path in mounts.items()],
            "device_requests": self._devices,
            "ipc_mode": "private",
            # What it prints is read as it comes; a copy on the host's disk would have no bound.
            "log_config": LogConfig(type="none"),
        }


class _Container:
    """A created container, started once its streams are attached so that no byte is missed."""

    def __init__(self, client: docker.DockerClient, identity: str) -> None:
        self._client = client
        self._identity = identity
        self._pending = b""
        try:
            streams = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
            self._attached = client.api.attach_socket(identity, params=streams)
            # Over a Unix socket the client wraps it; what is wanted here is the plain socket.
            self._socket: socket.socket = getattr(self._attached, "_sock", self._attached)
            client.api.start(identity)
        except BaseException:
            _remove(client, identity)
            raise

    def read(self, seconds: float) -> list[tuple[Stream, bytes]] | None:
        """See Child."""
        self._socket.settimeout(max(seconds, 0.001))
        try:
            data = self._socket.recv(_READ_BYTES)
        except TimeoutError:
            return []
        if not data:
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
        finally:
            self._socket.close()
            self._attached.close()
            _remove(self._client, self._identity)
        code = None if state["Running"] else int(state["ExitCode"])
        return Ending(code, bool(state["OOMKilled"]))

    def _last_state(self) -> dict[str, Any]:
        """Return the state, waiting a moment where the streams ended just now."""
        deadline = time.monotonic() + 1.0
        while True:
            state: dict[str, Any] = self._client.api.inspect_container(self._identity)["State"]
            if not state["Running"] or time.monotonic() > deadline:
                return state
            time.sleep(0.02)


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


def _read_only(place: str, path: Path) -> Mount:
    # A mount, not a bind: it fails where the path is missing, and takes any name.
    return Mount(target=place, source=str(path.resolve()), type="bind", read_only=True)


def _known_runtime(about: dict[str, Any], runtime: str | None) -> str | None:
    """Return a runtime that the engine has; raises SandboxError for any other."""
    known = sorted(about.get("Runtimes") or {})
    if runtime is None or runtime in known:
        return runtime
    raise SandboxError(
        f"this Docker engine has no runtime {runtime!r}, only {', '.join(known)}",
        f"install it and name it in /etc/docker/daemon.json, or sandbox.runtime={known[0]}"
        if known
        else "leave sandbox.runtime out",
    )


def _device_requests(about: dict[str, Any], gpus: str) -> list[DeviceRequest]:
    """Return what hands GPUs in, nothing where this engine has none to hand in."""
    discovered = [str(device.get("ID", "")) for device in about.get("DiscoveredDevices") or []]
    has_gpus = "nvidia" in (about.get("Runtimes") or {}) or any("nvidia" in d for d in discovered)
    if gpus == "none" or not has_gpus:
        return []
    if gpus == "all":
        return [DeviceRequest(count=-1, capabilities=[["gpu"]])]
    return [DeviceRequest(device_ids=gpus.replace(" ", "").split(","), capabilities=[["gpu"]])]


def _remove(client: docker.DockerClient, identity: str) -> None:
    """Kill and remove a container; fine where it is gone already."""
    try:
        client.api.remove_container(identity, v=True, force=True)
    except NotFound:
        return
