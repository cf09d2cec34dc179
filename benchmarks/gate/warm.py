"""The process sandbox without its start-up: jobs are forked from a process that has torch loaded.

Everything but the start is the product's own: the layout of a job, its environment, the harness
with its supervisor, the frames and all checks of what comes out. Nothing isolates here, and the
sandbox's name says so, with which the engine lets only the playbook's own files run. One job at a
time; ``python benchmarks/gate/bank.py --check`` compares the logits with the real sandbox's.
"""

import json
import os
import selectors
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from improve_git.domain import Outcome, Status
from improve_git.errors import SandboxError
from improve_git.files import shipped
from improve_git.sandboxes import phases
from improve_git.sandboxes.base import (
    UNISOLATED,
    ExportJob,
    OnEvent,
    PredictJob,
    TrainJob,
    ignore_event,
)
from improve_git.sandboxes.environment import environment
from improve_git.sandboxes.job import Layout, lay_out
from improve_git.sandboxes.process import ProcessSandbox, read_pipes
from improve_git.sandboxes.session import Ending, Stream

if TYPE_CHECKING:
    import numpy as np

_END_SECONDS = 5.0  # for the supervisor to clear up after its standard input ended


class WarmSandbox:
    """Runs jobs as forks of one warm worker; close it in the end."""

    def __init__(self, cpus: float) -> None:
        self.name = UNISOLATED
        self.image = ProcessSandbox("none", isolate=False).image
        self._cpus = cpus
        self._engine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        descriptor = str(theirs.fileno())
        script = Path(__file__).with_name("warm_worker.py")
        self._worker = subprocess.Popen(
            [sys.executable, "-P", "-s", "-B", str(script), str(shipped("sandbox")), descriptor],
            env=environment("/nonexistent", "/tmp", cpus, "") | {"CUDA_VISIBLE_DEVICES": ""},
            cwd="/",
            stdin=subprocess.DEVNULL,
            pass_fds=(theirs.fileno(),),
        )
        theirs.close()
        self._answer()  # that it is ready

    def train(self, job: TrainJob, on_event: OnEvent = ignore_event) -> Outcome:
        """See Sandbox."""
        with lay_out(job) as layout:
            return phases.train(lambda: self._start(layout, job), job, on_event)

    def predict(
        self, job: PredictJob, on_event: OnEvent = ignore_event
    ) -> "tuple[Outcome, np.ndarray[Any, np.dtype[np.float32]] | None]":
        """See Sandbox."""
        with lay_out(job) as layout:
            return phases.predict(lambda: self._start(layout, job), job, on_event)

    def export(self, _job: ExportJob, _on_event: OnEvent = ignore_event) -> Outcome:
        """See Sandbox. Nothing is handed on from here."""
        return phases.failed("this sandbox only measures")

    def clear_leftovers(self, _label_prefix: str) -> int:
        """See Sandbox. All children end with this process."""
        return 0

    def close(self) -> None:
        """End the worker."""
        self._engine.close()
        self._worker.wait()

    def _answer(self) -> str:
        if not (answer := self._engine.recv(64)):
            raise SandboxError("the warm worker is gone")
        return answer.decode()

    def _start(self, layout: Layout, job: TrainJob | PredictJob) -> "WarmChild":
        """Lay the job out as ProcessSandbox does where nothing isolates, and have it forked."""
        if job.limits.cpus != self._cpus:  # numbers of threads are settled when torch is loaded
            raise ValueError(f"the worker is for {self._cpus} CPUs, not {job.limits.cpus}")
        for place, path in layout.mounts.items():
            inside = layout.folder / place
            inside.rmdir() if path.is_dir() else inside.unlink()
            inside.symlink_to(path.resolve())
        scratch = layout.folder / "scratch"
        scratch.mkdir()
        variables = environment(str(layout.folder), str(scratch), job.limits.cpus, job.label)
        told = {
            "phase": layout.phase,
            "folder": str(layout.folder),
            "scratch": str(scratch),
            "variables": variables | {"CUDA_VISIBLE_DEVICES": ""},
        }
        return WarmChild(self._engine, told)


class WarmChild:
    """A forked harness; implements Child."""

    def __init__(self, engine: socket.socket, job: dict[str, Any]) -> None:
        self._engine = engine
        (stdin, self._alive), (out, stdout), (err, stderr) = (os.pipe() for _ in range(3))
        try:
            message = json.dumps(job).encode()
            socket.send_fds(engine, [message], [stdin, stdout, stderr])
        finally:
            for theirs in (stdin, stdout, stderr):
                os.close(theirs)
        self._pid = int(engine.recv(64))
        self._open = [out, err]
        self._selector = selectors.DefaultSelector()
        self._selector.register(out, selectors.EVENT_READ, "out")
        self._selector.register(err, selectors.EVENT_READ, "err")

    def read(self, seconds: float) -> list[tuple[Stream, bytes]] | None:
        """See Child."""
        return read_pipes(self._selector, seconds)

    def excess(self) -> tuple[Status, str] | None:
        """See Child. The playbook's own files need no polling."""
        return None

    def peak_memory(self) -> int | None:
        """See Child. The harness tells it."""
        return None

    def end(self) -> Ending:
        """See Child. The supervisor ends everything when its standard input does."""
        self._selector.close()
        for descriptor in (self._alive, *self._open):
            os.close(descriptor)
        killed = False
        self._engine.settimeout(_END_SECONDS)
        try:
            code = int(self._engine.recv(64))
        except TimeoutError:
            killed = True
            os.killpg(self._pid, signal.SIGKILL)
            self._engine.settimeout(None)
            code = int(self._engine.recv(64))
        self._engine.settimeout(None)
        return Ending(None if killed else code)
