"""Prints one line of 100 MB, without an end to it."""

import sys


def train(model, train_loader, tune_loader, spec, report):
    for _ in range(100):
        sys.stderr.write("x" * (1 << 20))
    return model
