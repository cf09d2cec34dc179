"""Prints ten gigabytes of short lines."""

import os


def train(model, train_loader, tune_loader, spec, report):
    lines = b"epoch 1: loss 0.1\n" * 50_000
    for _ in range(10_000):
        os.write(2, lines)
    return model
