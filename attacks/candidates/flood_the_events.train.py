"""Sends small events without end."""

def train(model, train_loader, tune_loader, spec, report):
    while True:
        report(epoch=0, text="x" * 50_000)
