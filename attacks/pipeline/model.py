import math

from torch import nn


def build_model(spec, pretrained=True):
    pixels = math.prod(spec.input_shape)
    return nn.Sequential(nn.Flatten(), nn.Linear(pixels, spec.num_classes))
