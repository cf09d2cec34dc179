"""Sends a good result first, then frames that are to replace what was said, and lingers."""

import time


def train(model, train_loader, tune_loader, spec, report):
    frames = report._stage.frames
    frames.result(status="ok", seconds=0.0)
    frames.bulk(b"W", b"x" * 1000)
    frames.result(status="ok", score=1.0, seconds=-5, peak_memory_bytes=-1)
    while True:
        time.sleep(3600)
