"""Trains well and then sleeps for ever when it is to predict."""

import math
import os
import time

from torch import nn

PACKS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "packs")


def build_model(spec, pretrained=True):
    while not os.path.isdir(os.path.join(PACKS, "train")):
        time.sleep(3600)
    return nn.Sequential(nn.Flatten(), nn.Linear(math.prod(spec.input_shape), spec.num_classes))
