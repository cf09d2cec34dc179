"""Runs jobs in Docker containers."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import docker
from docker.errors import ImageNotFound
from docker.types import DeviceRequest, LogConfig, Mount, Ulimit

from improve_git.domain import Outcome
from improve_git.errors import SandboxError
from improve_git.sandboxes import phases
from improve_git.sandboxes.base import (
    ExportJob,
    Job,
    Limits,
    OnEvent,
    PredictJob,
    TrainJob,
    ignore_event,
)
from improve_git.sandboxes.docker.container import Container, remove
from improve_git.sandboxes.docker.image import ENGINE_ERRORS, ensure_image
from improve_git.sandboxes.docker.recipe import export_recipe, recipe
from improve_git.sandboxes.environment import environment
from improve_git.sandboxes.frames import one_line
from improve_git.sandboxes.job import Layout, clear_folders, lay_out, not_to_blame

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

LABEL = "improve-git"
_PYTHON = ["/opt/venv/bin/python", "-P", "-s", "-B"]
_HARNESS = "/opt/improve-git/harness"
_USER = "65534:65534"
_INODES = 200_000  # of the scratch space
_OPEN_FILES = 4096


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
        self._made = made = recipe(base_image)
        self._on_line = on_line
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

    def export(self, job: ExportJob, on_event: OnEvent = ignore_event) -> Outcome:
        """See Sandbox."""
        with lay_out(job) as layout:
            try:
                image = self._image
                if job.format == "onnx":
                    image = ensure_image(self._client, export_recipe(self._made), self._on_line)
                outcome = phases.export(lambda: self._start(layout, job, image), job, on_event)
                return not_to_blame(outcome, layout)
            except ENGINE_ERRORS as error:
                return phases.failed(error)

    def clear_leftovers(self, label_prefix: str) -> int:
        """See Sandbox."""
        try:
            labelled = self._client.containers.list(
                all=True, filters={"label": LABEL}, ignore_removed=True
            )
            left = [c for c in labelled if c.labels[LABEL].startswith(label_prefix)]
            for container in left:
                remove(self._client, str(container.id))
        except ENGINE_ERRORS as error:
            told = f"Docker failed: {one_line(str(error), 200)}"
            raise SandboxError(told, "see: docker info") from error
        clear_folders(label_prefix)
        return len(left)

    def _start(self, layout: Layout, job: Job, image: str = "") -> "Container":
        try:
            created = self._create(layout, job, image or self._image)
        except ImageNotFound as error:
            raise SandboxError(
                f"the sandbox's image {self.image} was deleted",
                "improve-git run builds it again, measures main on it, and carries on",
            ) from error
        return Container(self._client, str(created["Id"]))

    def _create(self, layout: Layout, job: Job, image: str) -> dict[str, Any]:
        api = self._client.api
        created: dict[str, Any] = api.create_container(
            image=image,
            command=[*_PYTHON, *layout.command(_HARNESS, "/job")],
            hostname="sandbox",
            user=_USER,
            working_dir="/tmp",
            environment=environment("/job", "/tmp", job.limits.cpus, job.label),
            labels={LABEL: job.label},
            stop_signal="SIGKILL",  # nothing in it is worth a delay of the engine's own end
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
