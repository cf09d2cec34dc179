"""The export phase: the trained weights in another format, checked on images of tune.

The pipeline saw those images in training, so that its words about a failure may be shown.
"""

import io
import json
import math
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn

from harness.breach import breach, expect
from harness.samples import Samples
from harness.work import Stage

REAL_INPUTS = 8  # images of tune, spread over it
RANDOM_INPUTS = 4
# What ONNX's outputs may differ from PyTorch's: this share of the largest, or of 1 where that is
# less. Other kernels add up in another order; 32-bit sums of thousands of terms show no more.
TOLERANCE = 1e-3


def run(stage: Stage) -> None:
    """Export in the format that the job names; what was exported goes out in frames."""
    form = json.loads((stage.job / "job.json").read_text())["format"]
    weights = stage.job / "weights.safetensors"
    if form == "torch":
        # First, before any code of the candidate's has run: nobody else writes into this pickle.
        stage.frames.bulk(b"W", _pickled(weights))
    stage.spec["device"] = "cpu"  # what is compared is computed on the CPU on either side
    with stage.phase("setup"):
        data, model_file = stage.load("data", "model")
        inputs = _real_inputs(stage, data)
        stage.spec["input_shape"] = list(inputs.shape[1:])
        model = stage.function(model_file, "build_model")(stage.spec, pretrained=False)
        try:
            model.load_state_dict(load_file(weights), strict=True)
        except RuntimeError as error:
            breach("strict-load", f"the weights do not load strictly: {error}")
        model.eval()
    stage.seed()
    with stage.phase("computing outputs"), torch.no_grad():
        expected = _logits(stage, model, inputs)
    stage.info["input_shape"] = " x ".join(map(str, inputs.shape[1:]))
    if form == "onnx":
        with stage.phase("exporting"):
            exported = _onnx(model, inputs)
        with stage.phase("comparing"), torch.no_grad():
            _compare(stage, model, exported, inputs, expected)
        stage.frames.bulk(b"W", exported)


def _pickled(weights: Path) -> bytes:
    buffer = io.BytesIO()
    torch.save(load_file(weights), buffer)
    return buffer.getvalue()


def _real_inputs(stage: Stage, data: Any) -> torch.Tensor:
    """Return some images of the pack as eval_transform makes them, one batch."""
    samples = Samples(stage.job / "packs" / "images")
    transform = stage.function(data, "eval_transform")(stage.spec)
    step = max(1, math.ceil(len(samples) / REAL_INPUTS))
    images = [transform(sample.image) for sample in samples[::step]]
    expect(
        all(isinstance(image, torch.Tensor) and image.ndim == 3 for image in images)
        and len({image.shape for image in images}) == 1,
        "eval-transform",
        "eval_transform did not give tensors of one shape (C, H, W) for all images",
    )
    return torch.stack(images)


def _logits(stage: Stage, model: nn.Module, inputs: torch.Tensor) -> torch.Tensor:
    logits = model(inputs)
    if (
        not isinstance(logits, torch.Tensor)
        or logits.shape != (len(inputs), int(stage.spec["num_classes"]))
        or not torch.isfinite(logits).all()
    ):
        breach("logits", "the model did not give finite logits of shape (N, num_classes)")
    return logits.float()


def _onnx(model: nn.Module, inputs: torch.Tensor) -> bytes:
    """Return the model as ONNX, for any number of images at once."""
    example = torch.cat([inputs[:1], inputs[:1]])  # of one image, the number would become fixed
    batch = torch.export.Dim("batch")
    try:
        with torch.no_grad():
            program = torch.onnx.export(
                model,
                (example,),
                dynamo=True,
                input_names=["images"],
                output_names=["logits"],
                dynamic_shapes=({0: batch},),
                verbose=False,
            )
        expect(program is not None, "onnx", "PyTorch's exporter gave nothing")
        return bytes(program.model_proto.SerializeToString())  # type: ignore[union-attr]
    except Exception as error:  # noqa: BLE001 - the exporter lets through whatever it meets
        breach("onnx", f"PyTorch cannot export this model as ONNX: {_cause(error)}")


def _compare(
    stage: Stage, model: nn.Module, exported: bytes, inputs: torch.Tensor, expected: torch.Tensor
) -> None:
    """Run what was exported on the same inputs, and tell by how much the outputs differ."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # errors alone
    session = onnxruntime.InferenceSession(exported, options, providers=["CPUExecutionProvider"])
    noise = torch.rand(RANDOM_INPUTS, *inputs.shape[1:], generator=torch.Generator().manual_seed(0))
    difference = largest = 0.0
    # The first image by itself too: a number of images that became fixed shows here.
    for batch, wanted in [
        (inputs, expected),
        (inputs[:1], expected[:1]),
        (noise, _logits(stage, model, noise)),
    ]:
        got = torch.from_numpy(session.run(None, {"images": batch.numpy()})[0])
        expect(got.shape == wanted.shape, "onnx", "ONNX gives outputs of another shape")
        apart = float((got - wanted).abs().max())
        difference = max(difference, apart if math.isfinite(apart) else math.inf)
        largest = max(largest, float(wanted.abs().max()))
    bound = TOLERANCE * max(1.0, largest)
    expect(
        difference <= bound,
        "onnx",
        f"ONNX's outputs differ from PyTorch's by up to {difference:.2g}; {bound:.2g} is tolerated",
    )
    stage.info |= {
        "largest_difference": difference,
        "tolerated_difference": bound,
        "compared_real": len(inputs),
        "compared_random": len(noise),
        "opset": _opset(exported),
        "onnxruntime": onnxruntime.__version__,
    }


def _opset(exported: bytes) -> int:
    import onnx

    sets = onnx.load_model_from_string(exported).opset_import
    return int(next(one.version for one in sets if one.domain in ("", "ai.onnx")))


def _cause(error: BaseException) -> str:
    """Return what an error came from, in a line: the exporter wraps it into pages of advice."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
