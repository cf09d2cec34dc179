"""The command line of bubblewrap: a world with the job, Python and nothing else, read-only.

Run by root without a user number and capabilities of its own, a read-only bind can be remounted
writable; hence both, and no further user namespaces where this version can forbid them. Root's
number outside also owns the kernel's settings in /proc/sys, hence /proc read-only as a whole.
"""

import functools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from improve_git.sandboxes.base import Limits
from improve_git.sandboxes.job import Layout

HARNESS = "/opt/improve-git/harness"
_USER = "65534"
_SYSTEM = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_ETC = ("/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime")


def command(
    layout: Layout, harness: Path, limits: Limits, variables: dict[str, str], gpus: str
) -> list[str]:
    """Return the command line up to the program to be run; its job is at /job.

    Mounts apply in order: what is made read-only last stays so.
    """
    argv = ["bwrap", "--unshare-all", "--die-with-parent", "--new-session"]
    argv += ["--uid", _USER, "--gid", _USER, "--cap-drop", "ALL", "--hostname", "sandbox"]
    if _can_forbid_user_namespaces():
        argv += ["--unshare-user", "--disable-userns"]
    argv += ["--clearenv"]
    for name, value in variables.items():
        argv += ["--setenv", name, value]
    argv += ["--ro-bind", "/usr", "/usr"]
    for name in _SYSTEM:
        path = Path(name)
        if path.is_symlink():
            argv += ["--symlink", str(path.readlink()), name]
        elif path.is_dir():
            argv += ["--ro-bind", name, name]
    for name in _ETC:
        argv += ["--ro-bind-try", name, name]
    for prefix in _python_folders():
        argv += ["--ro-bind", prefix, prefix]
    argv += ["--proc", "/proc", "--dev", "/dev"]
    argv += ["--size", str(limits.shm_bytes), "--perms", "1777", "--tmpfs", "/dev/shm"]
    for device in _devices(gpus):
        argv += ["--dev-bind-try", device, device]
    argv += ["--size", str(limits.scratch_bytes), "--perms", "1777", "--tmpfs", "/tmp"]
    argv += ["--ro-bind", str(harness), HARNESS]
    argv += ["--ro-bind", str(layout.folder), "/job"]
    for place, path in layout.mounts.items():
        argv += ["--ro-bind", str(path), f"/job/{place}"]
    for place in ("/dev", "/proc", "/"):
        argv += ["--remount-ro", place]
    return [*argv, "--chdir", "/tmp"]


@functools.cache
def _can_forbid_user_namespaces() -> bool:
    usage = subprocess.run(["bwrap", "--help"], capture_output=True, text=True, check=False)
    return "--disable-userns" in usage.stdout


def _python_folders() -> list[str]:
    """Return what this Python needs besides /usr: its folders, and those its links lead through."""
    folders = [Path(sys.prefix), Path(sys.base_prefix)]
    link = Path(sys.executable)
    while link.is_symlink():
        link = link.parent / link.readlink()
        folders.append(link.parent.parent)
    wanted: list[str] = []
    for folder in folders:
        path = folder.absolute()
        inside = any(path.is_relative_to(known) for known in ("/usr", "/bin", *wanted))
        if not inside and path != Path("/"):
            wanted.append(str(path))
    return wanted


def _devices(gpus: str) -> Iterator[str]:
    """Yield NVIDIA's device files: all, none, or those of the numbered GPUs."""
    if gpus == "none":
        return
    allowed = None if gpus == "all" else set(gpus.replace(" ", "").split(","))
    for path in sorted(Path("/dev").glob("nvidia*")):
        number = path.name.removeprefix("nvidia")
        if allowed is None or not number.isdigit() or number in allowed:
            yield str(path)
