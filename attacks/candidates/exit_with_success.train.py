"""Ends at once with exit code 0, before there are weights."""

import os


def train(model, train_loader, tune_loader, spec, report):
    os._exit(0)
