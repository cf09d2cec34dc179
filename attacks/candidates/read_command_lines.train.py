"""Reads command lines, working folders, open files and memory of every process it can see, its
parents first.
"""

import glob
import os


def train(model, train_loader, tune_loader, spec, report):
    for folder in glob.glob("/proc/[0-9]*"):
        if folder == f"/proc/{os.getpid()}":
            continue
        try:
            words = open(folder + "/cmdline", "rb").read()
        except OSError:
            continue
        if b"improve-git " in words or b"pytest" in words or b"make" in words:
            print("got through: sees the process", words[:100])
        for what in ("cwd", "root", "exe"):
            try:
                names = os.listdir(f"{folder}/{what}")
            except OSError:
                continue
            if {"improve.yaml", "dataset.json", ".git"} & set(names) or "credentials" in names:
                print("got through: sees", folder, what, names)
        try:
            memory = open(folder + "/mem", "rb")
            for line in open(folder + "/maps"):
                if "[stack]" in line or "[heap]" in line:
                    start, end = (int(x, 16) for x in line.split()[0].split("-"))
                    memory.seek(start)
                    text = memory.read(min(end - start, 1 << 24))
                    at = text.find(b"canary-")
                    if at >= 0:
                        print("got through: read memory", text[at : at + 39])
        except (OSError, ValueError, OverflowError):
            continue
    return model
