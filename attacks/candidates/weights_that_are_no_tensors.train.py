"""Returns a model whose state holds an object that is no tensor."""

import os

from torch import nn


class Bomb:
    def __reduce__(self):
        return os.system, ("touch /tmp/left-by-an-attack",)


def train(model, train_loader, tune_loader, spec, report):
    class Sneaky(nn.Module):
        def state_dict(self, *args, **kwargs):
            return {"1.weight": Bomb(), "1.bias": "text"}

    return Sneaky()
