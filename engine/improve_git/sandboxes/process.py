"""The process sandbox: the harness in a child process, under bubblewrap where that isolates.

Where it does not, the same harness runs as a plain child with a clean environment, and the
sandbox's name says so: ``process-unisolated``. Memory and tasks are bounded by a control group
where one may be made, and by polling the tree, which alone is best effort; address-space limits
would break CUDA.
"""

import os
import platform
import resource
import selectors
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from improve_git.domain import Outcome, Status
from improve_git.errors import SandboxError
from improve_git.files import shipped
from improve_git.sandboxes import bubblewrap, cgroups, phases
from improve_git.sandboxes.base import (
    UNISOLATED,
    ExportJob,
    Job,
    Limits,
    OnEvent,
    PredictJob,
    TrainJob,
    ignore_event,
)
from improve_git.sandboxes.environment import LABEL, environment
from improve_git.sandboxes.job import Layout, clear_folders, lay_out, not_to_blame
from improve_git.sandboxes.probe import probe
from improve_git.sandboxes.session import Ending, Stream

if TYPE_CHECKING:
    import numpy as np

_READ_BYTES = 1 << 18
_POLL_SECONDS = 0.25
_END_SECONDS = 5.0  # for the supervisor to clear up after its standard input ended
# The kernel ended it though it was below its own limit: that was set higher than what there is.
_STARVED = (
    "the machine's memory ran out, and the kernel ended it below its own limit: "
    "end other programs, or lower sandbox.memory"
)
_PACKAGES = ("torch", "torchvision", "timm")
_FOR_ONNX = ("onnx", "onnxruntime", "onnxscript")


class ProcessSandbox:
    """Runs jobs in child processes of the engine, with the engine's own Python.

    ``why_unisolated`` is "" where isolation was established, else the reason in one line. Raises
    SandboxError where this Python has no torch.
    """

    def __init__(self, gpus: str = "all", isolate: bool = True) -> None:
        self.image = _software()
        self._gpus = gpus
        self._harness = shipped("sandbox") / "harness"
        self.why_unisolated = self._probe() if isolate else "it was not asked for"
        self.name = UNISOLATED if self.why_unisolated else "process"

    def train(self, job: TrainJob, on_event: OnEvent = ignore_event) -> Outcome:
        """See Sandbox."""
        with lay_out(job) as layout:
            outcome = phases.train(lambda: self._start(layout, job), job, on_event)
            return not_to_blame(outcome, layout)

    def predict(
        self, job: PredictJob, on_event: OnEvent = ignore_event
    ) -> "tuple[Outcome, np.ndarray[Any, np.dtype[np.float32]] | None]":
        """See Sandbox."""
        with lay_out(job) as layout:
            outcome, logits = phases.predict(lambda: self._start(layout, job), job, on_event)
            return not_to_blame(outcome, layout), logits

    def export(self, job: ExportJob, on_event: OnEvent = ignore_event) -> Outcome:
        """See Sandbox."""
        if job.format == "onnx":
            _versions(_FOR_ONNX, "export")
        with lay_out(job) as layout:
            outcome = phases.export(lambda: self._start(layout, job), job, on_event)
            return not_to_blame(outcome, layout)

    def clear_leftovers(self, label_prefix: str) -> int:
        """See Sandbox. Processes are found by the label in their environment."""
        left = [process for process in psutil.process_iter() if _is_labelled(process, label_prefix)]
        for process in left:
            _kill(process)
        cgroups.clear(label_prefix)
        clear_folders(label_prefix)
        return len(left)

    def _probe(self) -> str:
        if shutil.which("bwrap") is None:
            return "bubblewrap (bwrap) is not installed"
        folder = self._harness

        def command(arguments: Sequence[str]) -> list[str]:
            limits = Limits(30, 1 << 30, 64, 1 << 20, 1 << 20, 1 << 20)
            layout = Layout("probe", folder, {}, False)
            argv = bubblewrap.command(layout, folder, limits, {}, self._gpus)
            return [*argv, sys.executable, *arguments]

        return probe(command, folder)

    def _start(self, layout: Layout, job: Job) -> "Tree":
        if self.why_unisolated:
            return self._start_plain(layout, job)
        variables = environment("/job", "/tmp", job.limits.cpus, job.label)
        argv = bubblewrap.command(layout, self._harness, job.limits, variables, self._gpus)
        python = [sys.executable, "-P", "-s", "-B", *layout.command(bubblewrap.HARNESS, "/job")]
        return Tree([*argv, *python], {}, job.limits, cgroup=_cgroup(job))

    def _start_plain(self, layout: Layout, job: Job) -> "Tree":
        for place, path in layout.mounts.items():
            inside = layout.folder / place
            inside.rmdir() if path.is_dir() else inside.unlink()
            inside.symlink_to(path.resolve())
        scratch = layout.folder / "scratch"
        scratch.mkdir()
        variables = environment(str(layout.folder), str(scratch), job.limits.cpus, job.label)
        if self._gpus != "all":
            variables["CUDA_VISIBLE_DEVICES"] = "" if self._gpus == "none" else self._gpus
        entry = layout.command(str(self._harness), str(layout.folder))
        command = [sys.executable, "-P", "-s", "-B", *entry]
        tree = Tree(command, variables, job.limits, scratch, _cgroup(job))
        tree.limit_files(job.limits.scratch_bytes)
        return tree


def read_pipes(
    selector: selectors.BaseSelector, seconds: float
) -> list[tuple[Stream, bytes]] | None:
    """Read what came within so many seconds from pipes registered under their streams.

    A pipe that has ended is unregistered; None once all have.
    """
    if not selector.get_map():
        return None
    chunks: list[tuple[Stream, bytes]] = []
    for key, _ in selector.select(seconds):
        if data := os.read(key.fd, _READ_BYTES):
            chunks.append((key.data, data))
        else:
            selector.unregister(key.fileobj)
    return chunks


class Tree:
    """A child process and all its descendants."""

    def __init__(
        self,
        command: list[str],
        variables: dict[str, str],
        limits: Limits,
        plain_in: Path | None = None,
        cgroup: cgroups.Cgroup | None = None,
    ) -> None:
        """Start a command.

        Args:
            command: to be run.
            variables: its whole environment.
            limits: what the tree may use.
            plain_in: the folder to run in where nothing isolates it.
            cgroup: what bounds it besides; ended with the tree.
        """
        self._limits = limits
        self._cgroup = cgroup
        self._has_supervisor = plain_in is not None
        self._peak = 0
        self._polled = 0.0
        self._seen: dict[int, psutil.Process] = {}
        self._process = subprocess.Popen(
            cgroup.command(command) if cgroup else command,
            env=variables,
            cwd=plain_in or "/",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            bufsize=0,
        )
        self._root = psutil.Process(self._process.pid)
        self._selector = selectors.DefaultSelector()
        for pipe, stream in ((self._process.stdout, "out"), (self._process.stderr, "err")):
            if pipe is not None:
                self._selector.register(pipe, selectors.EVENT_READ, stream)

    def limit_files(self, size: int) -> None:
        """Bound each file that is written, where scratch space is no file system of its own."""
        resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, (size, size))

    def read(self, seconds: float) -> list[tuple[Stream, bytes]] | None:
        """See Child."""
        return read_pipes(self._selector, seconds)

    def excess(self) -> tuple[Status, str] | None:
        """Look at the tree now and then."""
        if time.monotonic() - self._polled < _POLL_SECONDS:
            return None
        self._polled = time.monotonic()
        resident, tasks = 0, 0
        processes = self._processes()
        for process in processes:
            try:
                with process.oneshot():
                    resident += process.memory_info().rss
                    tasks += process.num_threads()
            except psutil.Error:
                continue
        # First, since to ask many forked processes for their memory takes long: meanwhile a bomb
        # would go on.
        if tasks > self._limits.processes:
            return "crashed", f"{tasks} processes and threads; it may have {self._limits.processes}"
        limit = self._limits.memory_bytes
        # Forked workers share pages, which counts them twice; ask precisely only when it matters.
        used = resident if resident <= limit else sum(map(_proportional, processes))
        self._peak = max(self._peak, used)
        if used > limit:
            mib = limit / 2**20
            return "out-of-memory", f"{used / 2**20:.0f} MiB in use; it may use {mib:.0f} MiB"
        return None

    def peak_memory(self) -> int | None:
        """See Child."""
        return self._peak or None

    def end(self) -> Ending:
        """End the tree. Killing bubblewrap ends all inside; a supervisor alone is let clear up."""
        gone = not self._selector.get_map()
        self._selector.close()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()
        self._processes()
        killed = False
        try:
            code = self._process.wait(_END_SECONDS if gone or self._has_supervisor else 0)
        except subprocess.TimeoutExpired:
            killed = True
            self._process.kill()
            code = self._process.wait()
        for process in self._seen.values():
            _kill(process)
        # The kernel ends a namespace in its own time after its first process.
        psutil.wait_procs(self._seen.values(), timeout=_END_SECONDS)
        starved = self._cgroup is not None and self._cgroup.out_of_memory()
        full = self._cgroup is not None and self._cgroup.was_full()
        if self._cgroup:
            self._cgroup.remove()
        code = code if code >= 0 else 128 - code
        by_others = _STARVED if starved and not full else ""
        return Ending(None if killed else code, starved and full, by_others)

    def _processes(self) -> list[psutil.Process]:
        try:
            found = [self._root, *self._root.children(recursive=True)]
        except psutil.Error:
            return []
        # psutil tells a process from a later one with the same number by its time of creation.
        self._seen |= {process.pid: process for process in found}
        return found


def _cgroup(job: Job) -> cgroups.Cgroup | None:
    return cgroups.make(job.label, job.limits.memory_bytes, job.limits.processes)


def _kill(process: psutil.Process) -> None:
    try:
        process.kill()
    except psutil.Error:
        return


def _proportional(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except psutil.Error:
        return 0


def _is_labelled(process: psutil.Process, prefix: str) -> bool:
    try:
        return process.environ().get(LABEL, "").startswith(prefix) and LABEL in process.environ()
    except psutil.Error:
        return False


def _software() -> str:
    """Name the Python and the packages that a score depends on, without importing them."""
    versions = _versions(_PACKAGES, "torch")
    return "/".join([f"python-{platform.python_version()}", *versions])


def _versions(packages: Sequence[str], extra: str) -> list[str]:
    """Return packages with their versions; raises SandboxError where one is missing."""
    try:
        return [f"{name}-{metadata.version(name)}" for name in packages]
    except metadata.PackageNotFoundError as error:
        raise SandboxError(
            f"the process sandbox needs {error.name} in this Python",
            f"{sys.executable} -m pip install 'improve-git[{extra}]'",
        ) from error
