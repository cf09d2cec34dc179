"""Imports another component, to change it while its own file alone changes."""

import model as other


def train(model, train_loader, tune_loader, spec, report):
    other.build_model = None
    return model
