"""Defines its function with a Cyrillic letter that looks like the Latin one, so that a reader sees
what Python does not.
"""

def trаin(model, train_loader, tune_loader, spec, report):
    return model
