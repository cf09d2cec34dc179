"""A Docker engine of the test's own, that may be stopped and started again as one likes."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import docker
import psutil
import requests
from docker.errors import DockerException

PATIENCE = 120.0  # seconds for it to answer, or to end
# As systemd hands a socket over: as descriptor 3, named by these variables.
ACTIVATE = 'exec 3<&"$1"; shift; LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"'


class Cannot(Exception):
    """No engine can be started here; the text says why."""


class PrivateEngine:
    """An engine with its own data, socket and network; that of the machine knows nothing of it."""

    def __init__(self) -> None:
        if os.geteuid() != 0:
            raise Cannot("only root can start a Docker engine")
        for program in ("dockerd", "containerd", "runc", "unshare", "bash"):
            if not shutil.which(program, path=_path()):
                raise Cannot(f"there is no {program} here")
        # Not in pytest's folder: the path of a socket may have no more than 107 characters.
        self.folder = Path(tempfile.mkdtemp(prefix=f"improve-git-test-{secrets.token_hex(4)}-"))
        (self.folder / "daemon.json").write_text("{}")  # not the machine's
        self.address = f"unix://{self.folder / 'docker.sock'}"
        self.log = self.folder / "log"
        self.socket: socket.socket | None = None
        self.process: subprocess.Popen[bytes] | None = None

    def hold_socket(self) -> None:
        """Take connections also while no engine runs, as systemd does: they wait for the next."""
        self.release_socket()
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(self.folder / "docker.sock"))
        self.socket.listen()

    def release_socket(self) -> None:
        if self.socket:
            self.socket.close()
            self.socket = None
        (self.folder / "docker.sock").unlink(missing_ok=True)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        host = "fd://" if self.socket else self.address
        # A network namespace of its own: --bridge=none removes the bridge that it finds.
        command = ["unshare", "--net", "dockerd", "--config-file", self.folder / "daemon.json",
                   "--data-root", self.folder / "data", "--exec-root", self.folder / "exec",
                   "--pidfile", self.folder / "pid", "--host", host,
                   "--bridge=none", "--iptables=false"]  # fmt: skip
        passed = [self.socket.fileno()] if self.socket else []
        if passed:
            command = ["bash", "-c", ACTIVATE, "bash", str(passed[0]), *command]
        # What a killed engine left. Their numbers may be those of other processes, or of such as
        # have ended but are waited for by nobody: it would take both for running.
        for stale in ("pid", "exec/containerd/containerd.pid"):
            (self.folder / stale).unlink(missing_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=passed,
                env=os.environ | {"PATH": _path()}, start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                said = self.log.read_text(errors="replace").splitlines()[-3:]
                raise Cannot(f"a second Docker engine does not start: {' | '.join(said)}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End it as `systemctl stop docker` does."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a crash does: its containers are still there."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        self.stop()
        self.start()

    def crash(self) -> None:
        self.kill()
        self.start()

    def close(self) -> None:
        """End it and remove all that it has made."""
        if self.process and self.process.poll() is None:
            self.stop()
        self.release_socket()
        for shim in self._left("containerd-shim-runc-v2"):  # whose containers no engine took back
            for process in [*shim.children(recursive=True), shim]:
                process.kill()
        mounts = Path("/proc/self/mounts").read_text().splitlines()
        for place in reversed([line.split()[1] for line in mounts]):
            if Path(place).is_relative_to(self.folder):
                subprocess.run(["umount", "--lazy", place], check=False)
        shutil.rmtree(self.folder)

    def client(self) -> docker.DockerClient:
        return docker.DockerClient(self.address)

    def _end(self, how: signal.Signals) -> None:
        assert self.process
        self.process.send_signal(how)
        self.process.wait(PATIENCE)
        # containerd ends with it, but in its own time, and holds a lock on its data until then.
        deadline = time.monotonic() + PATIENCE
        while self._left("containerd") and time.monotonic() < deadline:
            time.sleep(0.02)

    def _left(self, program: str) -> list[psutil.Process]:
        """Return the processes of this engine's that run a program."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError, psutil.Error):
                line = os.fsdecode((process / "cmdline").read_bytes())
                if Path(line.split("\0")[0]).name == program and str(self.folder) in line:
                    found.append(psutil.Process(int(process.name)))
        return found

    def _answers(self) -> bool:
        try:
            client = docker.DockerClient(self.address, timeout=10)
            try:
                return bool(client.ping())
            finally:
                client.close()
        except (DockerException, requests.RequestException, OSError):
            return False


def _path() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
