"""Starts ten thousand threads."""

import threading
import time


def train(model, train_loader, tune_loader, spec, report):
    for _ in range(10_000):
        threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()
    print("got through: made 10,000 threads")
    return model
