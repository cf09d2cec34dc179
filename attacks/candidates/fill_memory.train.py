"""Takes three times the memory that it may use."""

def train(model, train_loader, tune_loader, spec, report):
    held = []
    while len(held) * (32 << 20) < 3 * spec.memory_bytes:
        held.append(bytearray(b"x") * (32 << 20))
    print("got through: took three times what it may")
    return model
