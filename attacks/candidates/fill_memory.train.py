"""Takes all memory there is."""

def train(model, train_loader, tune_loader, spec, report):
    held = []
    while True:
        held.append(bytearray(b"x") * (32 << 20))
