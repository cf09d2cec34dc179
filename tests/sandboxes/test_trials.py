"""Real trials on the real sandboxes: the harness, torch, the walls."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

import pipelines
from improve_git.domain import Outcome
from improve_git.sandboxes.base import Limits, PredictJob, Sandbox, TrainJob
from improve_git.sandboxes.environment import LABEL
from real_sandboxes import open_docker, open_process

LIMITS = Limits(
    seconds=90,
    memory_bytes=3 << 30,
    processes=200,
    scratch_bytes=16 << 20,
    shm_bytes=64 << 20,
    output_bytes=64 << 20,
    cpus=1,
)


def open_unisolated() -> Sandbox:
    from improve_git.sandboxes.process import ProcessSandbox

    return ProcessSandbox("none", isolate=False)


OPENERS: dict[str, Callable[[], Sandbox]] = {
    "docker": open_docker,
    "process": open_process,
    "unisolated": open_unisolated,
}
EVERY = [pytest.param(name, marks=[pytest.mark.docker] * (name == "docker")) for name in OPENERS]
CLOSED = EVERY[:2]


@dataclass
class Bench:
    sandbox: Sandbox
    folder: Path
    packs: Path
    labels: dict[str, Any]
    events: list[dict[str, Any]]

    def train(self, limits: Limits = LIMITS, spec: dict[str, Any] | None = None,
              weights: tuple[Path, ...] = (), **changes: str) -> Outcome:  # fmt: skip
        files = pipelines.FILES | {f"{name}.py": text for name, text in changes.items()}
        job = TrainJob(
            files, self.packs, spec or pipelines.spec(), weights, limits, "test-trial",
            self.folder / "weights",
        )  # fmt: skip
        outcome = self.sandbox.train(job, self.events.append)
        assert (outcome.status == "ok") == (self.folder / "weights").exists()
        return outcome

    def predict(self, **changes: str) -> tuple[Outcome, Any]:
        files = pipelines.FILES | {f"{name}.py": text for name, text in changes.items()}
        job = PredictJob(
            files, self.packs / "val", pipelines.spec(), self.folder / "weights", LIMITS,
            "test-trial",
        )  # fmt: skip
        return self.sandbox.predict(job, self.events.append)


@pytest.fixture(scope="module")
def opened() -> dict[str, Sandbox]:
    return {}


@pytest.fixture
def bench(request: pytest.FixtureRequest, opened: dict[str, Sandbox], tmp_path: Path) -> Bench:
    if request.param not in opened:
        opened[request.param] = OPENERS[request.param]()
    folder = tmp_path / "private"
    folder.mkdir(mode=0o700)  # as a home folder is: only what is shown must be readable
    labels = pipelines.write_packs(folder / "packs")
    return Bench(opened[request.param], folder, folder / "packs", labels, [])


def left_running(label: str = "test-trial") -> list[str]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(LABEL) == label:
                found.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return found


def trainer(body: str) -> str:
    """A train.py with these lines in train()."""
    lines = "".join(f"    {line}\n" for line in body.strip().splitlines())
    head = "def train(model, train_loader, tune_loader, spec, report):"
    return f"import os, sys, time\n\n\n{head}\n{lines}"


@pytest.mark.parametrize("bench", EVERY, indirect=True)
def test_a_trial_from_images_to_predictions(bench: Bench) -> None:
    reporting = pipelines.TRAIN.replace(
        "    return model",
        "    import sys\n"
        "    report(epoch=99, timm='timm' in sys.modules, vision='torchvision' in sys.modules,\n"
        "           inf=float('inf'), device=spec.device, threads=torch.get_num_threads(),\n"
        "           shape=str(spec['input_shape']), stopped_by='clock')\n"
        "    print('a line for the log')\n"
        "    return model",
    )
    trained = bench.train(train=reporting)
    assert (trained.status, trained.reason, trained.stopped_by) == ("ok", "", "clock")
    assert [point["epoch"] for point in trained.curve] == [*range(12), 99]
    assert trained.curve[-1] == {
        "epoch": 99,
        "timm": False,
        "vision": False,
        "device": "cpu",
        "threads": 1,
        "shape": "[3, 8, 8]",
        "stopped_by": "clock",
    }
    assert trained.info["batch"].endswith(" x 3 x 8 x 8")
    assert trained.log_tail == "a line for the log"
    assert 0 < trained.seconds < trained.wall_seconds
    assert trained.peak_memory_bytes and 100 << 20 < trained.peak_memory_bytes < 3 << 30
    phases = [event["name"] for event in bench.events if "seconds" in event]
    assert phases == ["imports", "setup", "dry run", "training", "saving", "predicting tune"]
    assert (np.array(trained.tune_predicted) == bench.labels["tune"]).mean() > 0.9

    predicted, logits = bench.predict()
    assert (predicted.status, predicted.reason) == ("ok", "")
    assert logits.shape == (60, pipelines.CLASSES)
    assert (logits.argmax(axis=1) == bench.labels["val"]).mean() > 0.9
    assert left_running() == []

    (bench.folder / "weights").write_bytes(b"\x80\x04a pickle, or anything else")
    damaged, nothing = bench.predict()
    assert (damaged.status, nothing) == ("crashed", None)


LOOK_AROUND = """
import ctypes, json, os, resource, socket
from pathlib import Path

def works(action):
    try:
        action()
    except (OSError, ValueError):
        return False
    return True

def writable(folder):
    return works(lambda: (Path(folder) / "left-behind").write_text("x"))

def train(model, train_loader, tune_loader, spec, report):
    files = [os.path.join(top, name) for top, _, names in os.walk("/job") for name in names]
    libc = ctypes.CDLL(None)
    report(
        files=" ".join(sorted(files)),
        writable=" ".join(
            folder
            for folder in ("/", "/job", "/job/code", "/job/packs/train", "/usr", "/opt", "/dev",
                           "/etc", os.path.dirname(os.__file__), "/tmp", "/dev/shm")
            if writable(folder)
        ),
        network=works(lambda: socket.create_connection(("127.0.0.1", spec.port), 2)),
        resolves=works(lambda: socket.getaddrinfo("example.com", 80)),
        interfaces=" ".join(name for _, name in socket.if_nameindex()),
        user=os.getuid(),
        variables=" ".join(sorted(os.environ)[:8]),
        more_variables=" ".join(sorted(os.environ)[8:]),
        secret=os.path.exists(spec.secret),
        docker=os.path.exists("/var/run/docker.sock"),
        processes=len([name for name in os.listdir("/proc") if name.isdigit()]) < 6,
        kernel_settings=works(lambda: open("/proc/sys/kernel/core_pattern", "r+").close()),
        open_files=resource.getrlimit(resource.RLIMIT_NOFILE)[1],
        remounts=libc.mount(None, b"/job", None, 4096 | 32, None) == 0,
        raises_privileges=Path("/proc/self/status").read_text().count("NoNewPrivs:\\t1") != 1,
        capabilities=Path("/proc/self/status").read_text().split("CapEff:\\t")[1].split()[0],
        namespaces=libc.unshare(0x10000000) == 0,
    )
    for labels in Path("/job").rglob("labels.npy"):
        report(labels=str(labels))
    return model
"""


@pytest.mark.parametrize("bench", CLOSED, indirect=True)
def test_what_a_candidate_finds_when_it_looks_around(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    monkeypatch.setenv("SECRET_API_KEY", "sk-123")
    secret = bench.folder / "secret"
    secret.write_text("sk-123")
    with socket.socket() as ear:
        ear.bind(("127.0.0.1", 0))
        ear.listen()
        spec = pipelines.spec(port=ear.getsockname()[1], secret=str(secret))
        outcome = bench.train(spec=spec, train=LOOK_AROUND)
    assert outcome.status == "ok", outcome
    found = outcome.curve[0]
    variables = f"{found.pop('variables')} {found.pop('more_variables')}"
    assert variables.split() == sorted(
        ["CUBLAS_WORKSPACE_CONFIG", "HF_HUB_CACHE", "HF_HUB_DISABLE_TELEMETRY", "HF_HUB_OFFLINE",
         "HOME", "IMPROVE_GIT_SANDBOX", "LANG", "LOGNAME", "MKL_NUM_THREADS", "OMP_NUM_THREADS",
         "PATH", "PYTHONFAULTHANDLER", "PYTHONHASHSEED", "TMPDIR", "USER"]
        + ["HOSTNAME"] * (bench.sandbox.name == "docker")
        + ["PWD"] * (bench.sandbox.name == "process")
    )  # fmt: skip
    assert found == {
        "files": found["files"],
        "writable": "/tmp /dev/shm",
        "network": False,
        "resolves": False,
        "interfaces": "lo",
        "user": 65534,
        "secret": False,
        "docker": False,
        "processes": True,
        "kernel_settings": False,
        "open_files": 4096,
        "remounts": False,
        "raises_privileges": False,
        "capabilities": "0000000000000000",
        "namespaces": False,
    }
    labels = [point["labels"] for point in outcome.curve[1:]]
    assert sorted(labels) == ["/job/packs/train/labels.npy", "/job/packs/tune/labels.npy"]
    assert not list(bench.folder.rglob("left-behind"))


SEES_VAL = (
    pipelines.MODEL
    + """
import os
FILES = [os.path.join(top, name) for top, _, names in os.walk("/job") for name in names]
assert sorted(FILES) == [
    "/job/code/data.py", "/job/code/model.py", "/job/code/train.py", "/job/job.json",
    "/job/packs/images/images.npy", "/job/packs/images/pack.json", "/job/weights.safetensors",
], FILES
assert {os.stat(file).st_mtime for file in FILES if "packs" in file} == {0}
"""
)


@pytest.mark.parametrize("bench", CLOSED, indirect=True)
def test_while_predicting_there_are_images_and_no_label(bench: Bench) -> None:
    assert bench.train().status == "ok"
    for file in (bench.packs / "val").iterdir():
        os.utime(file, (0, 0))
    outcome, logits = bench.predict(model=SEES_VAL)
    assert outcome.status == "ok", outcome
    assert logits is not None


HAND_OVER = """
import subprocess
child = '''
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        while True:
            time.sleep(1)
'''
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.run([sys.executable, "-c", child])
report(epoch=0)
"""
ORPHAN_AND_HANG = trainer(HAND_OVER + "while True: pass")
ORPHAN_AND_RETURN = trainer(HAND_OVER + "return model")


@pytest.mark.parametrize("bench", EVERY, indirect=True)
def test_no_descendant_survives(bench: Bench) -> None:
    returned = bench.train(train=ORPHAN_AND_RETURN)
    assert returned.status == "ok", returned
    assert left_running() == []
    (bench.folder / "weights").unlink()
    seconds = 5 + returned.wall_seconds
    hanging = bench.train(replace(LIMITS, seconds=seconds), train=ORPHAN_AND_HANG)
    assert (hanging.status, len(hanging.curve)) == ("timeout", 1)
    assert left_running() == []


MEMORY_HOG = """
held = []
while True:
    held.append(b"x" * (64 << 20))
    time.sleep(0.01)
"""
FORGE = """
for fd in range(1, 64):
    try:
        os.write(fd, b'R\\0\\0\\0\\x14{"status": "merged"}')
    except OSError:
        pass
os._exit(0)
"""
FILL = """
for name in ("/tmp/full", "/dev/shm/full"):
    try:
        with open(name, "wb") as file:
            while True:
                file.write(bytes(1 << 20))
    except OSError as error:
        report(epoch=0, name=name, error=error.errno)
return model
"""
CRASH = pipelines.TRAIN.replace("return model", "return helper(model)") + (
    "\n\ndef helper(model):\n    return model.no_such_thing\n"
)


@pytest.mark.parametrize("bench", CLOSED, indirect=True)
def test_failures_are_told_apart(bench: Bench) -> None:
    crashed = bench.train(train=CRASH)
    assert (crashed.status, crashed.reason) == (
        "crashed",
        "AttributeError: 'Sequential' object has no attribute 'no_such_thing' (train.py:23)",
    )
    assert crashed.detail.splitlines() == [
        "train.py:19: return helper(model)",
        "train.py:23: return model.no_such_thing",
        "AttributeError: 'Sequential' object has no attribute 'no_such_thing'",
    ]
    assert len(crashed.curve) == 12

    invalid = bench.train(train=trainer("pass"))
    assert (invalid.status, invalid.reason) == (
        "invalid",
        "train() returned None; it must return the trained torch.nn.Module",
    )

    hog = bench.train(replace(LIMITS, memory_bytes=3 << 29), train=trainer(MEMORY_HOG))
    assert hog.status == "out-of-memory", hog
    assert hog.peak_memory_bytes and hog.peak_memory_bytes > 1 << 30

    forged = bench.train(train=trainer(FORGE))
    assert (forged.status, forged.reason) == ("crashed", "its result was not well-formed")

    full = bench.train(train=trainer(FILL))
    assert full.status == "ok", full
    no_space = 28
    assert [point["error"] for point in full.curve] == [no_space, no_space]
    assert left_running() == []


ENGINE = """
import json, sys
sys.path[:0] = json.loads(sys.argv[2])
import test_trials as t
from pathlib import Path
folder = Path(sys.argv[3])
bench = t.Bench(t.OPENERS[sys.argv[1]](), folder, folder / "packs", {}, [])
bench.events = type("", (), {"append": lambda self, event: print(event, flush=True)})()
bench.train(train=t.ORPHAN_AND_HANG)
"""


@pytest.mark.parametrize("bench", EVERY, indirect=True)
def test_a_sandbox_ends_by_itself_when_its_engine_is_killed(
    bench: Bench, request: pytest.FixtureRequest
) -> None:
    name = request.node.callspec.params["bench"]
    paths = json.dumps([str(Path(__file__).parent), str(Path(pipelines.__file__).parent)])
    command = [sys.executable, "-c", ENGINE, name, paths, str(bench.folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as engine:
        assert engine.stdout
        for line in engine.stdout:
            if "'epoch'" in line:
                break
        # The hanging train() holds the interpreter's lock most of the time by now.
        assert left_running()
        engine.kill()
    killed = time.monotonic()
    while left_running() and time.monotonic() - killed < 15:
        time.sleep(0.1)
    assert left_running() == []
    assert time.monotonic() - killed < 10

    left = bench.sandbox.clear_leftovers("test-tr")
    assert left == (1 if name == "docker" else 0)
    assert bench.sandbox.clear_leftovers("test-tr") == 0


@pytest.mark.parametrize("bench", CLOSED, indirect=True)
def test_pretrained_weights_are_seen_offline(bench: Bench, tmp_path: Path) -> None:
    """The cache's layout, with a file that is no model: who finds it there finds a model too."""
    model = tmp_path / "models--timm--tiny.test"
    snapshot = model / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (model / "blobs").mkdir()
    (model / "refs").mkdir()
    (model / "refs" / "main").write_text("abc")
    (model / "blobs" / "1234").write_text("weights")
    (snapshot / "model.safetensors").symlink_to("../../blobs/1234")
    loading = trainer(
        "from huggingface_hub import hf_hub_download\n"
        "path = hf_hub_download('timm/tiny.test', 'model.safetensors')\n"
        "report(epoch=0, content=open(path).read(), hub=' '.join(os.listdir('/job/hub')))\n"
        "return model"
    )
    outcome = bench.train(weights=(model,), train=loading)
    assert outcome.status == "ok", outcome
    assert outcome.curve == [{"epoch": 0, "content": "weights", "hub": "models--timm--tiny.test"}]


@pytest.mark.parametrize("bench", CLOSED, indirect=True)
def test_the_same_seed_gives_the_same_weights(bench: Bench) -> None:
    made = []
    for _ in range(2):
        assert bench.train(spec=pipelines.spec(epochs=1, num_workers=2)).status == "ok"
        made.append((bench.folder / "weights").read_bytes())
    assert made[0] == made[1]
    assert np.frombuffer(made[0], np.uint8).size > 2000
