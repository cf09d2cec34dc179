"""Sends weights without end, ten gigabytes of them."""

def train(model, train_loader, tune_loader, spec, report):
    piece = bytes(1 << 20)
    for _ in range(10 * 1024):
        report._stage.frames.bulk(b"W", piece)
    return model
