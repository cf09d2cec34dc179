"""Sleeps for ever."""

import time


def train(model, train_loader, tune_loader, spec, report):
    while True:
        time.sleep(3600)
