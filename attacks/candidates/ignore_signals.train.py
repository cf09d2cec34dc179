"""Ignores every signal it can, leaves a child in a session of its own and never ends."""

import os
import signal
import sys


def train(model, train_loader, tune_loader, spec, report):
    for number in range(1, 65):
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            pass
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execv(sys.executable, [sys.executable, "-c", "import time\nwhile True: time.sleep(1)",
                                      "left-by-an-attack"])
        os._exit(0)
    while True:
        pass
