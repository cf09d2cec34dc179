"""The export phase, run in this process: what is sent, in which order, and what is refused."""

import io
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

import pipelines
from improve_git.sandboxes.frames import parse

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def phase(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(sys, "path", [*sys.path, str(ROOT / "sandbox")])
    import harness

    monkeypatch.setattr(harness, "__path__", [*harness.__path__, str(ROOT / "sandbox/exporter")])


def stage_in(folder: Path, form: str, **changes: str) -> Any:
    """Lay a job out with the tiny pipeline and weights as its training would send them."""
    from safetensors.torch import save_file

    from harness.frames import Frames
    from harness.work import Stage

    (folder / "code").mkdir()
    for name, source in pipelines.FILES.items():
        (folder / "code" / name).write_text(changes.get(name.removesuffix(".py"), source))
    pipelines.write_pack(folder / "packs" / "images", 30, 1, labelled=True)
    about = {"spec": pipelines.spec(), "cpus": 1, "memory_bytes": 1 << 30, "format": form}
    (folder / "job.json").write_text(json.dumps(about))
    scope: dict[str, Any] = {}
    exec(pipelines.MODEL, scope)

    class Spec:
        input_shape = (3, 8, 8)
        num_classes = pipelines.CLASSES

    save_file(scope["build_model"](Spec).state_dict(), folder / "weights.safetensors")
    stage = Stage(folder, Frames(os.open(folder / "frames", os.O_CREAT | os.O_WRONLY)))
    stage.prepare_torch()
    return stage


def run(stage: Any) -> tuple[bytes, list[str]]:
    """Run the phase; return the weights that it sent, and the names of what it sent in order."""
    from harness.export import run as export

    export(stage)
    frames, rest = parse((stage.job / "frames").read_bytes())
    assert rest == b""
    sent = b"".join(frame.payload for frame in frames if frame.kind == b"W")
    names = [
        "weights" if frame.kind == b"W" else json.loads(frame.payload)["name"] for frame in frames
    ]
    return sent, list(dict.fromkeys(names))


def refused(stage: Any) -> str:
    from harness.breach import Breach

    with pytest.raises(Breach) as caught:
        run(stage)
    frames, _ = parse((stage.job / "frames").read_bytes())
    assert not [frame for frame in frames if frame.kind == b"W"]
    return str(caught.value)


def test_safetensors_are_checked_and_nothing_is_sent(tmp_path: Path) -> None:
    stage = stage_in(tmp_path, "safetensors")
    assert run(stage) == (b"", ["setup", "computing outputs"])
    assert stage.info["input_shape"] == "3 x 8 x 8"


def test_a_state_dict_is_sent_before_the_pipeline_s_code_runs(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file

    stage = stage_in(tmp_path, "torch", model="import data\nhere = 1\n" + pipelines.MODEL)
    sent, names = run(stage)
    assert names == ["weights", "setup", "computing outputs"]
    state = torch.load(io.BytesIO(sent), weights_only=True)
    kept = load_file(tmp_path / "weights.safetensors")
    assert state.keys() == kept.keys()
    assert all(torch.equal(state[name], kept[name]) for name in kept)


@pytest.mark.torch
def test_onnx_takes_any_number_of_images_and_gives_the_same(tmp_path: Path) -> None:
    import onnxruntime
    import torch

    stage = stage_in(tmp_path, "onnx")
    sent, names = run(stage)
    assert names == ["setup", "computing outputs", "exporting", "comparing", "weights"]
    assert 0 <= stage.info["largest_difference"] < 1e-5
    assert (stage.info["tolerated_difference"], stage.info["opset"] >= 18) == (1e-3, True)
    assert (stage.info["compared_real"], stage.info["compared_random"]) == (8, 4)
    session = onnxruntime.InferenceSession(sent, providers=["CPUExecutionProvider"])
    model = sys.modules["model"].build_model(stage.spec)
    from safetensors.torch import load_file

    model.load_state_dict(load_file(tmp_path / "weights.safetensors"))
    for count in (1, 5):
        images = torch.rand(count, 3, 8, 8)
        got = session.run(["logits"], {"images": images.numpy()})[0]
        assert torch.allclose(torch.from_numpy(got), model(images), atol=1e-5)


HEAD = "import torch\nfrom torch import nn\n" + pipelines.MODEL.replace("build_model", "plain")
WRAPPED = """

class Wrapped(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner
        inner._register_load_state_dict_pre_hook(lambda state, *_: None)

    def state_dict(self, *args, **kwargs):
        return self.inner.state_dict(*args, **kwargs)

    def load_state_dict(self, state, strict=True):
        return self.inner.load_state_dict(state, strict)

    def forward(self, images):
        {forward}


def build_model(spec, pretrained=True):
    return Wrapped(plain(spec))
"""


@pytest.mark.torch
@pytest.mark.parametrize(
    ("forward", "message"),
    [
        (
            "return self.inner(images) * (2 if images.mean() > 0.5 else 1)",
            "PyTorch cannot export this model as ONNX: ",
        ),
        (
            "return self.inner(images) + (0.1 if torch.compiler.is_exporting() else 0)",
            "ONNX's outputs differ from PyTorch's by up to 0.1; 0.001 is tolerated",
        ),
    ],
    ids=["control flow that depends on the images", "another model while it is exported"],
)
def test_a_model_that_onnx_cannot_express_is_refused(
    tmp_path: Path, forward: str, message: str
) -> None:
    stage = stage_in(tmp_path, "onnx", model=HEAD + WRAPPED.replace("{forward}", forward))
    assert refused(stage).startswith(message)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"model": pipelines.MODEL.replace("channels, 8, 3", "channels, 8, 1")},
            "the weights do not load strictly: ",
        ),
        (
            {"data": pipelines.DATA.replace("return to_tensor\n", "return lambda image: 7\n")},
            "eval_transform did not give tensors of one shape (C, H, W) for all images",
        ),
        (
            {"model": HEAD + WRAPPED.replace("{forward}", "return self.inner(images) / 0")},
            "the model did not give finite logits of shape (N, num_classes)",
        ),
    ],
)
def test_weights_that_do_not_work_are_refused(
    tmp_path: Path, changes: dict[str, str], message: str
) -> None:
    assert refused(stage_in(tmp_path, "safetensors", **changes)).startswith(message)
