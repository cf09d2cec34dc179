import numpy as np
import torch
from torch.utils.data import DataLoader, TensorDataset


def to_tensor(image):
    return torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1).float() / 255


def _set(samples):
    images = torch.stack([to_tensor(sample.image) for sample in samples])
    return TensorDataset(images, torch.tensor([sample.label for sample in samples]))


def build_loaders(train_samples, tune_samples, spec):
    return (
        DataLoader(_set(train_samples), batch_size=256, shuffle=True),
        DataLoader(_set(tune_samples), batch_size=256),
    )


def eval_transform(spec):
    return to_tensor
