"""Sleeps for ever inside a C call that holds the interpreter's lock, so that no Python thread
runs.
"""

import ctypes


def train(model, train_loader, tune_loader, spec, report):
    ctypes.PyDLL(None).sleep(1_000_000)
    return model
