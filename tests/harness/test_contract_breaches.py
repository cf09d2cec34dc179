"""The harness's own checks, run in this process: each breach and what the engineer is told."""

import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pipelines
from improve_git.sandboxes.frames import parse

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def clean_imports() -> Iterator[None]:
    path = sys.path[:]
    sys.path.append(str(ROOT / "sandbox"))
    sys.dont_write_bytecode = True
    yield
    sys.path[:] = path
    sys.dont_write_bytecode = False


def stage_in(folder: Path, **changes: str) -> Any:
    from harness.frames import Frames
    from harness.work import Stage

    (folder / "code").mkdir()
    for name, source in pipelines.FILES.items():
        text = changes.get(name.removesuffix(".py"), source)
        (folder / "code" / name).write_text(text)
    pipelines.write_packs(folder / "packs")
    about = {"spec": pipelines.spec(epochs=1), "cpus": 1, "memory_bytes": 1 << 30}
    (folder / "job.json").write_text(json.dumps(about))
    out = os.open(folder / "frames", os.O_CREAT | os.O_WRONLY)
    stage = Stage(folder, Frames(out))
    stage.prepare_torch()
    return stage


LOADERS_END = "        DataLoader(Images(tune_samples), batch_size=64, num_workers=workers),"
SHAPE = "return to_tensor(sample.image), sample.label"
BREACHES = [
    ({"train": "x = 1"}, "train.py does not define the function train()"),
    ({"data": "build_loaders = 7"}, "data.py does not define the function build_loaders()"),
    (
        {"data": pipelines.DATA.replace(LOADERS_END, "")},
        "build_loaders() returned a tuple of 1 (a DataLoader); it must return two DataLoaders",
    ),
    (
        {"data": pipelines.DATA.replace("batch_size=32", "batch_size=500, drop_last=True")},
        "train_loader gives no batch",
    ),
    (
        {"data": pipelines.DATA.replace(SHAPE, "return to_tensor(sample.image), 3")},
        "the targets of a batch of train_loader go from 3 to 3; there are 3 classes, from 0",
    ),
    (
        {"data": pipelines.DATA.replace(SHAPE, "return to_tensor(sample.image), 0.5")},
        "the targets of a batch of train_loader are a float64 tensor of shape (32,) for 32 images",
    ),
    (
        {"data": pipelines.DATA.replace(SHAPE, "return to_tensor(sample.image).byte(), 0")},
        "the images of a batch of train_loader are a uint8 tensor of shape (32, 3, 8, 8)",
    ),
    (
        {"data": pipelines.DATA.replace(SHAPE, "return to_tensor(sample.image), 0, 0")},
        "a batch of train_loader is a list of 3",
    ),
    (
        {"data": pipelines.DATA.replace("    return to_tensor\n", "    return None\n")},
        "eval_transform(spec) returned None; it must return a function",
    ),
    (
        {"data": pipelines.DATA.replace("return to_tensor\n", "return lambda image: image\n")},
        "the function that eval_transform(spec) returned gave an Image; it must give a float",
    ),
    (
        {"model": "def build_model(spec, pretrained=True):\n    return 7\n"},
        "build_model(spec, pretrained=True) returned an int; it must return a torch.nn.Module",
    ),
    (
        {"model": pipelines.MODEL.replace("spec.num_classes", "spec.num_classes + 1")},
        "the model gave a float32 tensor of shape (32, 4) for 32 images; it must give float "
        "logits of shape (32, 3)",
    ),
    (
        {"model": pipelines.MODEL.replace("num_classes)", "num_classes, bias=pretrained)")},
        "the state_dict of build_model(spec, pretrained=True) does not load strictly into "
        "build_model(spec, pretrained=False)",
    ),
    (
        {"train": pipelines.TRAIN.replace("return model", "return model[:2]")},
        "the state_dict of what train() returned does not load strictly",
    ),
    (
        {"train": pipelines.TRAIN.replace("return model", "return model.state_dict()")},
        "train() returned an OrderedDict; it must return the trained torch.nn.Module",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "message"), BREACHES)
def test_each_breach_is_told_so_that_an_engineer_can_act(
    tmp_path: Path, changes: dict[str, str], message: str
) -> None:
    from harness import train
    from harness.breach import Breach, result_of

    stage = stage_in(tmp_path, **changes)
    with pytest.raises(Breach) as caught:
        train.run(stage)
    told = result_of(caught.value, stage.code)
    assert told["status"] == "invalid"
    assert message in told["message"]


def test_soft_targets_and_tied_weights_are_fine(tmp_path: Path) -> None:
    from harness import train

    soft = pipelines.DATA.replace(
        SHAPE, "return to_tensor(sample.image), self.target(sample.label)"
    ).replace(
        "    def __len__",
        "    def target(self, label):\n"
        "        soft = len(self.samples) > 100\n"
        "        return torch.nn.functional.one_hot(torch.tensor(label), 3).float() * 0.9 + 0.03 "
        "if soft else label\n\n    def __len__",
    )
    tied = pipelines.MODEL.replace("    return nn.Sequential(", "    made = nn.Sequential(") + (
        "    made.again = made[4]\n    made.forward = lambda x: made[4](made[:4](x))\n"
        "    return made\n"
    )
    stage = stage_in(tmp_path, data=soft, model=tied)
    train.run(stage)
    frames, rest = parse((tmp_path / "frames").read_bytes())
    assert (rest, {frame.kind for frame in frames}) == (b"", {b"E", b"W", b"T"})
    assert stage.info["parameters"] == 611


def sent(folder: Path, stage: Any) -> dict[bytes, bytes]:
    """Train; return what came out, joined by kind."""
    from harness import train

    train.run(stage)
    out: dict[bytes, bytes] = {}
    for frame in parse((folder / "frames").read_bytes())[0]:
        out[frame.kind] = out.get(frame.kind, b"") + frame.payload
    return out


RULE = """
    class Rule(nn.Module):
        def __init__(self):
            super().__init__()
            self.bias = nn.Parameter(torch.zeros(()))

        def forward(self, images):
            {look}
            bars = [images[..., 3 * c : 3 * c + 2].mean((1, 2, 3)) for c in range(3)]
            return torch.stack(bars, 1) + self.bias

    return Rule()
"""


def rule(look: str) -> str:
    """A model.py that needs no training; ``look`` sees what it is called with."""
    head = "import torch\nfrom torch import nn\n\n\ndef build_model(spec, pretrained=True):"
    return head + RULE.format(look=look)


ONE_STEP = "def train(model, train_loader, tune_loader, spec, report):\n    return model\n"


def test_after_training_the_classes_of_tune_are_sent_in_the_pack_s_order(tmp_path: Path) -> None:
    stage = stage_in(tmp_path, model=rule("pass"), train=ONE_STEP)
    out = sent(tmp_path, stage)
    classes = np.frombuffer(out[b"T"], "<i4")
    labels = np.load(tmp_path / "packs" / "tune" / "labels.npy")
    np.testing.assert_array_equal(classes, labels)
    # The training phase alone counts as the time of the training.
    (training,) = re.findall(rb'"training", "seconds": ([0-9.]+)', out[b"E"])
    assert stage.seconds <= float(training) + 0.0005


@pytest.mark.parametrize(
    "look",
    [
        "assert self.training or torch.is_grad_enabled() or len(images) < 30",
        "if torch.is_inference_mode_enabled(): return images",
        "if torch.is_inference_mode_enabled(): raise RuntimeError(chr(0xd800))",
    ],
)
def test_a_failure_while_tune_is_predicted_sends_nothing_and_fails_nobody(
    tmp_path: Path, look: str
) -> None:
    tune_batches = "DataLoader(Images(tune_samples), batch_size=10, num_workers=workers),"
    data = pipelines.DATA.replace(LOADERS_END.strip(), tune_batches)
    stage = stage_in(tmp_path, data=data, model=rule(look), train=ONE_STEP)
    out = sent(tmp_path, stage)
    assert b"T" not in out
    assert out[b"W"]


def test_predicting_tune_is_given_up_when_it_takes_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = stage_in(tmp_path)
    monkeypatch.setattr("harness.train.TUNE_SECONDS", 0.0)
    out = sent(tmp_path, stage)
    assert b"T" not in out
    assert out[b"W"]


def test_a_misspelt_field_of_the_spec_names_those_there_are() -> None:
    from harness.work import Spec

    with pytest.raises(AttributeError, match="spec has no 'classes'; it has epochs, seed"):
        _ = Spec(seed=0, epochs=1).classes
