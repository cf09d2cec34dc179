"""A tiny pipeline that keeps the contract, and packs for it: seconds a trial."""

import json
from pathlib import Path

import numpy as np

DATA = """
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset


class Images(Dataset):
    def __init__(self, samples):
        self.samples = samples

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, index):
        sample = self.samples[index]
        return to_tensor(sample.image), sample.label


def to_tensor(image):
    return torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1).float() / 255


def build_loaders(train_samples, tune_samples, spec):
    workers = spec.num_workers
    return (
        DataLoader(Images(train_samples), batch_size=32, shuffle=True, num_workers=workers),
        DataLoader(Images(tune_samples), batch_size=64, num_workers=workers),
    )


def eval_transform(spec):
    return to_tensor
"""

MODEL = """
from torch import nn


def build_model(spec, pretrained=True):
    channels = spec.input_shape[0]
    return nn.Sequential(
        nn.Conv2d(channels, 8, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(4),
        nn.Flatten(),
        nn.Linear(8 * 16, spec.num_classes),
    )
"""

TRAIN = """
import torch
from torch.nn import functional


def train(model, train_loader, tune_loader, spec, report):
    # By hand: importing torch.optim's machinery would double the time of a trial.
    parameters = list(model.parameters())
    for epoch in range(spec.epochs):
        model.train()
        for images, targets in train_loader:
            images, targets = images.to(spec.device), targets.to(spec.device)
            loss = functional.cross_entropy(model(images), targets)
            gradients = torch.autograd.grad(loss, parameters)
            with torch.no_grad():
                for parameter, gradient in zip(parameters, gradients):
                    parameter -= gradient
        report(epoch=epoch, loss=loss)
    return model
"""

FILES = {"data.py": DATA, "model.py": MODEL, "train.py": TRAIN}
CLASSES = 3


def spec(**changes: object) -> dict[str, object]:
    """What the host tells the tiny pipeline."""
    known: dict[str, object] = {
        "num_classes": CLASSES,
        "class_names": ["left", "middle", "right"],
        "class_counts": [40, 40, 40],
        "mean": [0.2, 0.2, 0.2],
        "std": [0.3, 0.3, 0.3],
        "seed": 0,
        "epochs": 12,
        "time_budget_s": 60.0,
        "weights": [],
        "label_preserving": [],
    }
    return known | changes


def make_images(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Dark noise with a bright bar on the left, in the middle or on the right."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, CLASSES, count)
    images = generator.integers(0, 60, (count, 8, 8, 3)).astype(np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[:, 3 * label : 3 * label + 2] += 120
    return images, labels


def write_pack(folder: Path, count: int, seed: int, labelled: bool) -> np.ndarray:
    """Write an array pack; return the labels, which an unlabelled pack does not hold."""
    images, labels = make_images(count, seed)
    folder.mkdir(parents=True)
    np.save(folder / "images.npy", images)
    if labelled:
        np.save(folder / "labels.npy", labels.astype(np.int64))
        np.save(folder / "groups.npy", np.full(count, -1, np.int64))
    about = {"format": 1, "count": count, "kind": "array", "labelled": labelled}
    (folder / "pack.json").write_text(json.dumps(about))
    return labels


def write_packs(folder: Path) -> dict[str, np.ndarray]:
    """Write the packs of all parts, val and test without labels; return the labels of each."""
    counts = {"train": 120, "tune": 30, "val": 60, "test": 30}
    return {
        part: write_pack(folder / part, count, seed, part in ("train", "tune"))
        for seed, (part, count) in enumerate(counts.items())
    }
