"""Sends weights whose header promises more bytes than there are."""

import os


def train(model, train_loader, tune_loader, spec, report):
    frames = report._stage.frames
    frames.bulk(b"W", (1 << 62).to_bytes(8, "little") + b'{"a": ')
    frames.result(status="ok")
    os._exit(0)
