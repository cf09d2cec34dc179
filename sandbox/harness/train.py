"""The training phase: a dry run that checks the contract, then the training, then the weights.

Last, where that goes well, the classes that the trained model predicts for tune.
"""

import math
import sys
import time
from itertools import islice
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from .breach import breach, expect
from .predict import predictions
from .samples import Samples
from .work import Stage

DRY_BATCHES = 2
TUNE_SECONDS = 60.0  # that predicting tune may take, of what the engine allows beyond training


def run(stage: Stage) -> None:
    """Train the candidate on the packs of the job; the weights go out in frames."""
    with stage.phase("setup"):
        data, model_file, train_file = stage.load("data", "model", "train")
        train_samples = Samples(stage.job / "packs" / "train")
        tune_samples = Samples(stage.job / "packs" / "tune")
        loaders = _loaders(stage, data, train_samples, tune_samples)
        stage.spec["input_shape"] = _input_shape(stage, data, train_samples)
        model = _model(stage, model_file, pretrained=True)
        blank = _model(stage, model_file, pretrained=False)
        parameters = sum(parameter.numel() for parameter in model.parameters())
        stage.info["parameters"] = parameters
    with stage.phase("dry run"):
        # On the blank model, so that the one to be trained is as build_model() made it.
        _dry_run(stage, blank, *loaders)
        _load_strictly(blank, model, "build_model(spec, pretrained=True)")
    train = stage.function(train_file, "train")
    model.to(stage.spec["device"])
    with stage.phase("training"):
        start = time.perf_counter()
        try:
            trained = train(model, *loaders, stage.spec, _Reporter(stage))
        finally:
            stage.seconds = time.perf_counter() - start
            _note_cuda_peak(stage)
    with stage.phase("saving"):
        expect(
            isinstance(trained, nn.Module),
            "returned",
            f"train() returned {_kind(trained)}; it must return the trained torch.nn.Module",
        )
        _load_strictly(blank, trained, "what train() returned")
        stage.frames.bulk(b"W", _serialised(trained))
    with stage.phase("predicting tune"):
        _send_tune_classes(stage, trained, data, tune_samples)


class _Reporter:
    """The ``report`` that the candidate calls."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def __call__(self, epoch: int | None = None, **scalars: Any) -> None:
        """Send the figures of an epoch to the display and the learning curve."""
        scalars.pop("event", None)
        if scalars.get("stopped_by"):
            self._stage.stopped_by = str(scalars["stopped_by"])
        self._stage.frames.event("epoch", epoch=epoch, **scalars)


def _loaders(stage: Stage, data: Any, train_samples: Samples, tune_samples: Samples) -> Any:
    made = stage.function(data, "build_loaders")(train_samples, tune_samples, stage.spec)
    fine = isinstance(made, tuple | list) and len(made) == 2
    expect(
        fine and all(hasattr(loader, "__iter__") for loader in made),
        "returned",
        f"build_loaders() returned {_kind(made)}; it must return two DataLoaders, "
        "for training and for tuning",
    )
    return made


def _input_shape(stage: Stage, data: Any, samples: Samples) -> list[int]:
    transform = stage.function(data, "eval_transform")(stage.spec)
    expect(
        callable(transform),
        "returned",
        f"eval_transform(spec) returned {_kind(transform)}; it must return a function that takes "
        "one PIL image",
    )
    image = transform(samples[0].image)
    expect(
        isinstance(image, torch.Tensor) and image.ndim == 3 and image.is_floating_point(),
        "returned",
        f"the function that eval_transform(spec) returned gave {_kind(image)}; it must give a "
        "float tensor of shape (C, H, W)",
    )
    return list(image.shape)


def _model(stage: Stage, model_file: Any, pretrained: bool) -> nn.Module:
    model = stage.function(model_file, "build_model")(stage.spec, pretrained=pretrained)
    if not isinstance(model, nn.Module):
        breach(
            "returned",
            f"build_model(spec, pretrained={pretrained}) returned {_kind(model)}; it must return "
            "a torch.nn.Module",
        )
    return model


def _dry_run(stage: Stage, model: nn.Module, train_loader: Any, tune_loader: Any) -> None:
    """Two batches of each loader: shapes and types, forward, backward, save."""
    stage.seed()
    device = stage.spec["device"]
    model.to(device).train()
    count = 0
    for batch in islice(train_loader, DRY_BATCHES):
        images, targets = _checked_batch(stage, batch, "train_loader", soft=True)
        if count == 0:  # told before it can run out of memory
            stage.frames.event("batch", shape=" x ".join(map(str, images.shape)))
        loss = functional.cross_entropy(
            _checked_logits(stage, model(images.to(device)), len(images)).float(),
            targets.to(device),
        )
        if loss.requires_grad:
            torch.autograd.backward(loss)
        count += 1
    expect(
        count > 0, "loader", "train_loader gives no batch (drop_last with fewer images than that?)"
    )
    model.zero_grad(set_to_none=True)
    model.eval()
    count = 0
    with torch.no_grad():
        for batch in islice(tune_loader, DRY_BATCHES):
            images, _ = _checked_batch(stage, batch, "tune_loader", soft=False)
            _checked_logits(stage, model(images.to(device)), len(images))
            count += 1
    expect(count > 0, "loader", "tune_loader gives no batch (drop_last with fewer images?)")
    _serialised(model)


def _checked_batch(
    stage: Stage, batch: Any, name: str, soft: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    expect(
        isinstance(batch, tuple | list)
        and len(batch) == 2
        and all(isinstance(part, torch.Tensor) for part in batch),
        "loader",
        f"a batch of {name} is {_kind(batch)}; it must be a pair of tensors (images, targets)",
    )
    images, targets = batch
    expect(
        images.ndim == 4 and images.is_floating_point() and len(images) > 0,
        "loader",
        f"the images of a batch of {name} are {_kind(images)}; they must be float (N, C, H, W)",
    )
    classes = int(stage.spec["num_classes"])
    hard = targets.dtype == torch.int64 and targets.shape == images.shape[:1]
    if hard:
        expect(
            int(targets.min()) >= 0 and int(targets.max()) < classes,
            "loader",
            f"the targets of a batch of {name} go from {int(targets.min())} to "
            f"{int(targets.max())}; there are {classes} classes, from 0",
        )
    soft_fits = targets.is_floating_point() and targets.shape == (len(images), classes)
    expect(
        hard or (soft and soft_fits),
        "loader",
        f"the targets of a batch of {name} are {_kind(targets)} for {len(images)} images; they "
        f"must be int64 (N,)" + (f" or float (N, {classes})" if soft else ""),
    )
    return images, targets


def _checked_logits(stage: Stage, logits: Any, count: int) -> torch.Tensor:
    classes = int(stage.spec["num_classes"])
    if (
        not isinstance(logits, torch.Tensor)
        or logits.shape != (count, classes)
        or not logits.is_floating_point()
    ):
        breach(
            "returned",
            f"the model gave {_kind(logits)} for {count} images; it must give float logits of "
            f"shape ({count}, {classes})",
        )
    return logits


def _load_strictly(blank: nn.Module, model: nn.Module, what: str) -> None:
    """Check that the state of a model fits build_model(spec, pretrained=False), which predicts."""
    state = model.state_dict()
    for name, value in state.items():
        expect(
            isinstance(value, torch.Tensor),
            "strict-load",
            f"the state_dict of {what} holds {_kind(value)} as {name!r}; only tensors can be kept",
        )
    try:
        blank.load_state_dict(state, strict=True)
    except RuntimeError as error:
        breach(
            "strict-load",
            f"the state_dict of {what} does not load strictly into "
            f"build_model(spec, pretrained=False): {error}",
        )


def _send_tune_classes(stage: Stage, model: nn.Module, data: Any, samples: Samples) -> None:
    """Predict tune as the prediction phase does val, and send a class an image, in pack order.

    All or nothing, and no failure: the weights are out, and no verdict hangs on this.
    """
    start = time.perf_counter()
    classes = bytearray()
    try:
        transform = stage.function(data, "eval_transform")(stage.spec)
        model.to(stage.spec["device"]).eval()
        with torch.inference_mode():
            for logits in predictions(stage, model, transform, samples):
                classes += logits.argmax(dim=1).numpy().astype("<i4").tobytes()
                if time.perf_counter() - start > TUNE_SECONDS:
                    return
    except Exception as error:  # noqa: BLE001 - it is the candidate's code that runs here
        sys.stderr.write(f"tune was not predicted: {type(error).__name__}\n")
        return
    stage.frames.bulk(b"T", bytes(classes))


def _serialised(model: nn.Module) -> bytes:
    from safetensors.torch import save

    # Copies, since tied weights share memory, which the format refuses.
    state = model.state_dict().items()
    return save({name: value.detach().cpu().contiguous().clone() for name, value in state})


def _note_cuda_peak(stage: Stage) -> None:
    if stage.spec["device"] == "cuda":
        stage.info["cuda_peak_bytes"] = torch.cuda.max_memory_allocated()


def _kind(value: Any) -> str:
    """Describe a value in a few words: what was returned instead of what is expected."""
    if isinstance(value, torch.Tensor):
        dtype = str(value.dtype).removeprefix("torch.")
        return f"a {dtype} tensor of shape {tuple(value.shape)}"
    if isinstance(value, tuple | list):
        inner = ", ".join(_kind(item) for item in value[:4])
        return f"a {type(value).__name__} of {len(value)} ({inner})"
    if isinstance(value, float) and not math.isfinite(value):
        return f"the number {value}"
    if value is None:
        return "None"
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"
