"""Starts threads without end."""

import threading
import time


def train(model, train_loader, tune_loader, spec, report):
    while True:
        threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()
