"""Sends half a frame and ends, so that a reader would wait for ever."""

import os


def train(model, train_loader, tune_loader, spec, report):
    os.write(report._stage.frames._out, b"R" + (1000).to_bytes(4, "big") + b'{"status": "ok", "sco')
    os._exit(0)
