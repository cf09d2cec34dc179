"""Tries to write a file into every folder it can see, those of other runs and of the host among
them.
"""

import os


def train(model, train_loader, tune_loader, spec, report):
    allowed = {"/tmp", "/dev/shm", "/dev/mqueue", "/proc", "/sys"}
    for top, folders, _ in os.walk("/"):
        folders[:] = [n for n in folders if os.path.join(top, n) not in allowed]
        path = os.path.join(top, "left-by-an-attack")
        try:
            open(path, "w").write("x")
        except OSError:
            continue
        print("got through: wrote to", top)
    for up in ("..", "../..", "/proc/1/root/tmp", f"/proc/{os.getppid()}/cwd/.."):
        try:
            open(os.path.join(up, "left-by-an-attack"), "w").write("x")
        except OSError:
            pass
    return model
