"""A sandbox in real containers on the real engine, without torch: an image with a scripted harness.

What a pipeline scores is the sum of its QUALITY figures, as in ``scripted.ScriptedSandbox``; that
a photo shows a dog is told by its green. A training waits for SIGUSR1, so that a test can act
during it, or for the end of its standard input, as the real harness does.
"""

import os
import secrets
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import docker

from improve_git.iteration.trial import Bench
from improve_git.loop import Loop
from improve_git.observer import Silent
from improve_git.pipeline import Pipeline
from improve_git.sandboxes.docker import DockerSandbox
from improve_git.sandboxes.docker.recipe import recipe
from real_sandboxes import BASE_IMAGE
from worlds import World

HARNESS = """
import json, os, re, select, signal, struct, sys
from pathlib import Path

phase, job = sys.argv[1], Path(sys.argv[2])
go_on = []
signal.signal(signal.SIGUSR1, lambda *_: go_on.append(True))


def send(kind, payload):
    sys.stdout.buffer.write(struct.pack(">cI", kind, len(payload)) + payload)
    sys.stdout.buffer.flush()


def tell(kind, **fields):
    send(kind, json.dumps(fields).encode())


tell(b"E", event="ready")
if phase == "train":
    tell(b"E", event="epoch", epoch=0)
    while not go_on:
        readable, _, _ = select.select([0], [], [], 0.2)
        if readable and not os.read(0, 1):
            sys.exit(1)
    send(b"W", "".join(file.read_text() for file in sorted((job / "code").iterdir())).encode())
else:
    text = (job / "weights.safetensors").read_text()
    share = min(1.0, sum(map(float, re.findall(r"QUALITY = ([0-9.]+)", text))))
    images = (job / "packs/images/images.npy").read_bytes()
    start = 10 + struct.unpack_from("<H", images, 8)[0]
    count = json.loads((job / "packs/images/pack.json").read_text())["count"]
    size = (len(images) - start) // count
    for number in range(count):
        dog = images[start + number * size + 1] > 50
        right = number < round(share * count)
        send(b"P", struct.pack("<2f", *((0, 1) if dog == right else (1, 0))))
tell(b"R", status="ok", seconds=0.1)
"""
DOCKERFILE = f"""
FROM {BASE_IMAGE}
RUN mkdir -p /opt/venv/bin && ln -s /usr/bin/python3 /opt/venv/bin/python
COPY harness.py /opt/improve-git/harness/__main__.py
"""
# Gathers Python, what the harness loads, and the harness in /tmp: 20 MB instead of 170.
SLIM = """
loaded='import sys, json, re, select, signal, struct, pathlib
print(*{getattr(m, "__file__", None) or sys.executable for m in sys.modules.values()})'
libraries=$(ldd /usr/bin/python3 | grep -o '/[^ ]*')
cp -rL --parents $(python3 -c "$loaded") $libraries /opt/improve-git /tmp/
mkdir -p /tmp/opt/venv/bin && ln -s /usr/bin/python3 /tmp/opt/venv/bin/python
"""


class Image:
    """The image, under a tag that only one test knows."""

    def __init__(self, client: docker.DockerClient) -> None:
        self.client = client
        self.base = f"improve-git-test-base:{secrets.token_hex(8)}"
        self.tag = recipe(self.base).tag

    def build(self) -> None:
        folder = Path(tempfile.mkdtemp(prefix="improve-git-test-"))
        try:
            (folder / "Dockerfile").write_text(DOCKERFILE)
            (folder / "harness.py").write_text(HARNESS)
            # Another id each time, as a real build has.
            self.client.images.build(
                path=str(folder),
                tag=self.tag,
                rm=True,
                forcerm=True,
                labels={"improve-git-test": secrets.token_hex(8)},
            )
        finally:
            shutil.rmtree(folder)

    def give_to(self, other: docker.DockerClient) -> None:
        """Bring what is needed of the image into another engine."""
        container = self.client.containers.create(
            self.tag, ["sh", "-ec", SLIM], network_disabled=True
        )
        try:
            container.start()
            assert container.wait()["StatusCode"] == 0, container.logs()
            files = b"".join(container.get_archive("/tmp/.")[0])
        finally:
            container.remove(force=True)
        said = other.api.import_image_from_data(files, *self.tag.split(":"))
        assert other.images.list(name=self.tag), said

    def delete(self) -> None:
        if self.client.images.list(name=self.tag):
            self.client.images.remove(self.tag, force=True)


class Line:
    """A line to the engine that can be cut: all connections go, and no new one is taken."""

    def __init__(self) -> None:
        host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
        self.engine = host.removeprefix("unix://")
        self.folder = Path(tempfile.mkdtemp(prefix="improve-git-test-"))
        self.path = self.folder / "docker.sock"
        self.address = f"unix://{self.path}"
        self.sockets: list[socket.socket] = []
        self.mend()

    def mend(self) -> None:
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        self.listener.listen()
        threading.Thread(target=self._serve, args=(self.listener,), daemon=True).start()

    def cut(self) -> None:
        self.path.unlink(missing_ok=True)
        for one in (self.listener, *self.sockets):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self.sockets.clear()

    def close(self) -> None:
        self.cut()
        shutil.rmtree(self.folder)

    def _serve(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.socket(socket.AF_UNIX)
                far.connect(self.engine)
                self.sockets += [near, far]
                for ends in ((near, far), (far, near)):
                    threading.Thread(target=_pump, args=ends, daemon=True).start()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


def let_train(client: docker.DockerClient, label: str) -> None:
    """Let the training of a pipeline go on."""
    for container in containers(client, label):
        container.kill("SIGUSR1")


def containers(client: docker.DockerClient, label: str) -> list[Any]:
    """Return what runs or lies about of a pipeline."""
    found = client.containers.list(all=True, filters={"label": "improve-git"}, ignore_removed=True)
    return [one for one in found if one.labels["improve-git"].startswith(label)]


class Watching(Silent):
    """Lets the test act while a training is under way, after it, and after a warning."""

    def __init__(self, in_training: Callable[[], object]) -> None:
        self.in_training = in_training
        self.after_warning: Callable[[], object] = lambda: None
        self.after_training: Callable[[], object] = lambda: None
        self.warnings: list[str] = []

    def event(self, event: dict[str, Any]) -> None:
        if event.get("event") == "epoch":
            self.in_training()

    def end(self) -> None:
        self.after_training()

    def warn(self, text: str) -> None:
        self.warnings.append(text)
        self.after_warning()


def run(w: World, image: Image, observer: Watching, *words: str) -> None:
    pipeline = Pipeline.open(w.pipeline.repo.folder, words)
    sandbox = DockerSandbox(image.base, "none", print)
    Loop(pipeline, w.team, Bench(pipeline, sandbox, observer), observer).run()
