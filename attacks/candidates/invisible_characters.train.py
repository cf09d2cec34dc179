"""Hides an invisible character in a name, so that two names look the same."""

def train(model, train_loader, tune_loader, spec, report):
    mo​del = None
    return model
