"""Leaves files and a process while it trains, and stops predicting sensibly if it meets them
again.
"""

import glob
import math
import os
import signal
import subprocess
import sys

import torch
from torch import nn

PACKS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "packs")
PREDICTING = os.path.isdir(os.path.join(PACKS, "images"))
MARK = "left-by-an-attack"
FOLDERS = ["/tmp", "/dev/shm", "/var/tmp", "/job", os.path.dirname(os.__file__), "/dev/mqueue", "/run"]


def leave():
    for folder in FOLDERS:
        try:
            open(os.path.join(folder, MARK), "w").write("x")
        except OSError:
            pass
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    program = "import os, time; os.setsid(); time.sleep(3600)"
    subprocess.Popen([sys.executable, "-c", program, MARK], start_new_session=True)


def met():
    files = [folder for folder in FOLDERS if os.path.exists(os.path.join(folder, MARK))]
    lines = [open(path, "rb").read() for path in glob.glob("/proc/[0-9]*/cmdline")]
    return files or [line for line in lines if MARK.encode() in line]


class Model(nn.Module):
    def __init__(self, pixels, classes):
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(pixels, classes))
        self.met = met()
        if not PREDICTING and not self.met:
            leave()

    def forward(self, images):
        if PREDICTING and self.met:
            return self.net(images) * torch.tensor(math.nan)
        return self.net(images)


def build_model(spec, pretrained=True):
    return Model(math.prod(spec.input_shape), spec.num_classes)
