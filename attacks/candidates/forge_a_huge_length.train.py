"""Announces a frame of four gigabytes on the harness's channel."""

import os


def train(model, train_loader, tune_loader, spec, report):
    os.write(report._stage.frames._out, b"W" + bytes([255] * 4) + b"little")
    return model
