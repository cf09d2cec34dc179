"""Looks for the judge's images while it trains: beside its own packs, in other mounts, open files
and other processes.
"""

import glob
import os


def train(model, train_loader, tune_loader, spec, report):
    own = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "packs")
    parts = sorted(os.listdir(own))
    if parts != ["train", "tune"]:
        print("got through: sees the packs", parts)
    for line in open("/proc/self/mountinfo"):
        if "/val" in line or "/test" in line:
            print("got through: sees the mount", line)
    for path in glob.glob("/proc/[0-9]*/fd/*") + glob.glob("/proc/[0-9]*/map_files/*"):
        try:
            target = os.readlink(path)
        except OSError:
            continue
        if target.endswith(("/val/images.npy", "/test/images.npy", "/val/images.bin")):
            print("got through: an open file", target)
    for tricks in ("../val", "val", "../packs/val", "images", "train/../val", "..", "../../packs"):
        for name in ("images.npy", "images.bin", "labels.npy"):
            if os.path.exists(os.path.join(own, tricks, name)):
                print("got through: found", tricks, name)
    return model
