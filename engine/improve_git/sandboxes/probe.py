"""Establishes isolation by trying to break out: a small program runs inside and tells what held.

Finding bubblewrap installed proves nothing: it may lack the right to make namespaces, or be set
up such that a process inside can undo it.
"""

import json
import os
import socket
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

PROBE_SECONDS = 20.0
_VARIABLE = "IMPROVE_GIT_PROBE"

# Runs inside, on the bare interpreter. Prints a JSON list of what it could do and should not.
PROGRAM = r"""
import ctypes, json, os, socket, sys

temporary, identity, port, variable, *writable_tests = sys.argv[1:]
broken = []

try:
    found = os.stat(temporary)
    if f"{found.st_dev}:{found.st_ino}" == identity:
        broken.append("sees the host's temporary files")
except OSError:
    pass
if variable in os.environ:
    broken.append("has the host's environment")
if any(name != "lo" for _, name in socket.if_nameindex()):
    broken.append("sees the host's network interfaces")
try:
    socket.create_connection(("127.0.0.1", int(port)), 2).close()
    broken.append("reaches the host's network")
except OSError:
    pass
if len([name for name in os.listdir("/proc") if name.isdigit()]) > 8:
    broken.append("sees the host's processes")
for folder in writable_tests:
    try:
        path = os.path.join(folder, "improve-git-probe")
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
        os.unlink(path)
        broken.append("can write to " + folder)
    except OSError:
        pass
try:
    # Opening changes nothing; a write here would name a program that the kernel runs as root.
    os.close(os.open("/proc/sys/kernel/core_pattern", os.O_WRONLY))
    broken.append("can change the kernel's settings")
except OSError:
    pass
if os.getuid() == 0:
    broken.append("is root")
libc = ctypes.CDLL(None, use_errno=True)
MS_REMOUNT, MS_BIND = 32, 4096
def remount():
    return libc.mount(None, b"/usr", None, MS_REMOUNT | MS_BIND, None) == 0
if remount():
    broken.append("can remount")
CLONE_NEWUSER, CLONE_NEWNS = 0x10000000, 0x00020000
if libc.unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 and remount():
    broken.append("can remount in a namespace of its own")
print(json.dumps(broken))
"""


def probe(command: Callable[[Sequence[str]], list[str]], folder: Path) -> str:
    """Return why a sandbox does not isolate, in one line; "" where it does.

    Args:
        command: makes the host's command line that runs a Python program's arguments inside.
        folder: a host folder that is shown inside, at the same place or another.
    """
    temporary = tempfile.gettempdir()
    about = Path(temporary).stat()
    identity = f"{about.st_dev}:{about.st_ino}"
    with socket.socket() as ear:
        ear.bind(("127.0.0.1", 0))
        ear.listen()
        port = str(ear.getsockname()[1])
        targets = ("/", "/dev", "/etc", "/job", "/usr", str(folder))
        inside = ("-I", "-S", "-c", PROGRAM, temporary, identity, port, _VARIABLE, *targets)
        try:
            done = subprocess.run(
                command(inside),
                env=os.environ | {_VARIABLE: "1"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=PROBE_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"it ended with code {done.returncode}"
    broken = json.loads(done.stdout)
    return f"a program inside {', '.join(broken)}" if broken else ""
