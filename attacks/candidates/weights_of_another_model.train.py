"""Returns a model of another shape than build_model() makes."""

from torch import nn


def train(model, train_loader, tune_loader, spec, report):
    return nn.Sequential(nn.Flatten(), nn.Linear(8 * 8 * 3, 1000))
