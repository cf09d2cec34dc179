"""The prediction phase: the trained weights on one unlabelled pack; the logits go out as float32.

The messages are short: the engine shows nobody a text that was written where val images are.
"""

import time
from collections.abc import Iterator
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn

from .breach import breach, expect
from .samples import Samples
from .work import Stage

# So many values at most in a batch of inputs: 64 images of 224 by 224 pixels.
BATCH_VALUES = 64 * 3 * 224 * 224
BATCH_IMAGES = 256


def run(stage: Stage) -> None:
    """Predict the pack of the job."""
    with stage.phase("setup"):
        data, model_file = stage.load("data", "model")
        samples = Samples(stage.job / "packs" / "images")
        transform = stage.function(data, "eval_transform")(stage.spec)
        if len(samples):
            stage.spec["input_shape"] = list(transform(samples[0].image).shape)
        model = stage.function(model_file, "build_model")(stage.spec, pretrained=False)
        try:
            model.load_state_dict(load_file(stage.job / "weights.safetensors"), strict=True)
        except RuntimeError:
            breach("strict-load", "the weights do not load strictly")
        model.to(stage.spec["device"]).eval()
    stage.seed()
    with stage.phase("predicting"), torch.inference_mode():
        start = time.perf_counter()
        for logits in predictions(stage, model, transform, samples):
            stage.frames.bulk(b"P", logits.numpy().astype("<f4").tobytes())
        stage.seconds = time.perf_counter() - start


def predictions(
    stage: Stage, model: nn.Module, transform: Any, samples: Samples
) -> Iterator[torch.Tensor]:
    """Yield float32 logits of shape (n, classes) on the CPU, some images after the other."""
    images: list[torch.Tensor] = []
    for sample in samples:
        image = transform(sample.image)
        if not isinstance(image, torch.Tensor):
            breach("eval-transform", "eval_transform did not give a tensor")
        if images and image.shape != images[0].shape:
            breach("eval-transform", "eval_transform gave different shapes")
        images.append(image)
        size = min(BATCH_IMAGES, max(1, BATCH_VALUES // max(1, image.numel())))
        if len(images) == size or sample.index == len(samples) - 1:
            yield from _logits(stage, model, torch.stack(images).to(stage.spec["device"]))
            images = []


def _logits(stage: Stage, model: nn.Module, batch: torch.Tensor) -> Iterator[torch.Tensor]:
    """Yield the logits of a batch, halving it where the GPU's memory does not hold it."""
    try:
        logits = model(batch)
    except torch.cuda.OutOfMemoryError:
        if len(batch) == 1:
            raise
        torch.cuda.empty_cache()
        for half in batch.chunk(2):
            yield from _logits(stage, model, half)
        return
    expect(
        isinstance(logits, torch.Tensor)
        and logits.shape == (len(batch), int(stage.spec["num_classes"]))
        and logits.is_floating_point(),
        "logits",
        "the model did not give float logits of shape (N, num_classes)",
    )
    yield logits.float().cpu().contiguous()
