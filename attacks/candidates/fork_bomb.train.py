"""Forks ten thousand times; the children sleep."""

import os
import time


def train(model, train_loader, tune_loader, spec, report):
    for _ in range(10_000):
        if os.fork() == 0:
            time.sleep(3600)
            os._exit(0)
    print("got through: made 10,000 processes")
    os._exit(0)
