"""Calls the three files of a pipeline as the contract of docs says, in this process."""

import io
import random
import sys
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import torch
from PIL import Image


@dataclass
class Sample:
    pixels: np.ndarray
    label: int
    index: int
    group: int = -1

    @property
    def image(self) -> Image.Image:
        return Image.fromarray(self.pixels)


def samples_of(images: np.ndarray, labels: np.ndarray) -> list[Sample]:
    pairs = zip(images, labels, strict=True)
    return [Sample(image, int(label), n) for n, (image, label) in enumerate(pairs)]


def module_of(name: str, source: str) -> ModuleType:
    module = ModuleType(name)
    sys.modules[name] = module  # a DataLoader's workers and dataclasses look modules up by name
    exec(compile(source, f"{name}.py", "exec"), module.__dict__)
    return module


def seed_all(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def spec_for(train: list[Sample], classes: int, **changes: Any) -> SimpleNamespace:
    pixels = np.stack([sample.pixels for sample in train]) / 255
    counts = np.bincount([sample.label for sample in train], minlength=classes)
    values = {
        "num_classes": classes,
        "class_names": [str(n) for n in range(classes)],
        "class_counts": counts.tolist(),
        "mean": pixels.mean(axis=(0, 1, 2)).tolist(),
        "std": pixels.std(axis=(0, 1, 2)).tolist(),
        "input_shape": None,
        "seed": 0,
        "device": "cpu",
        "epochs": 1,
        "time_budget_s": 600.0,
        "num_workers": 0,
        "memory_bytes": 2**33,
        "weights": [],
        "label_preserving": [],
    }
    return SimpleNamespace(**(values | changes))


def run(
    files: dict[str, str],
    train: list[Sample],
    tune: list[Sample],
    unseen: list[Sample],
    spec: SimpleNamespace,
    pretrained: bool = False,
) -> tuple[list[dict[str, Any]], torch.Tensor]:
    """Train and predict; return the reported epochs and the logits of the unseen images."""
    data, model_file, train_file = (
        module_of(n, files[f"{n}.py"]) for n in ("data", "model", "train")
    )
    seed_all(spec.seed)
    loaders = data.build_loaders(train, tune, spec)
    transform = data.eval_transform(spec)
    spec.input_shape = tuple(transform(unseen[0].image).shape)
    seed_all(spec.seed)
    model = model_file.build_model(spec, pretrained=pretrained)
    curve: list[dict[str, Any]] = []
    seed_all(spec.seed)
    trained = train_file.train(model, *loaders, spec, lambda **scalars: curve.append(scalars))

    weights = io.BytesIO()
    torch.save(trained.state_dict(), weights)
    weights.seek(0)
    fresh = model_file.build_model(spec, pretrained=False)
    fresh.load_state_dict(torch.load(weights), strict=True)
    fresh.eval()
    with torch.no_grad():
        images = torch.stack([transform(sample.image) for sample in unseen])
        assert images.dtype == torch.float32 and images.min() >= 0 and images.max() <= 1
        return curve, torch.cat([fresh(part) for part in images.split(64)])
