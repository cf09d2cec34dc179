"""The parent of everything in the sandbox: ends it all when the engine is gone or the work is done.

It is a process of its own, since a thread would never run while a candidate holds the
interpreter's lock. Standard input is held open by the engine and carries nothing; its end means
that the engine was killed or wants the sandbox gone.
"""

import ctypes
import os
import platform
import resource
import select
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

# From <linux/prctl.h>.
_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36
# The number of keyctl, for which the C library has no function.
_KEYCTL = {"x86_64": 250, "aarch64": 219}
_JOIN_SESSION_KEYRING = 1

_OPEN_FILES = 4096  # of a process; the loaders of data share tensors by them

# The child was killed by SIGKILL. Not 128 and 9, as usual: that is what an engine says of this very
# process, which nobody inside a container can kill, so that the candidate is not to blame for it.
_KILLED = 253


def supervise(work: Callable[[int], None]) -> NoReturn:
    """Run ``work`` with a descriptor for its frames in a child process; never returns.

    Exits with the child's code (128 + N after signal N, but 253 after SIGKILL), or 130 where
    standard input ended first. No descendant is left, not even one that made a session of its own.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1)  # orphans become children of this process
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    files = min(_OPEN_FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    _leave_keyring(libc)
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)

    child = os.fork()
    if child == 0:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.close(wake_read)
        os.close(wake_write)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        _be_ended_first()
        work(_keep_stdout_for_frames())
        os._exit(0)  # without waiting for threads and exit handlers that a candidate left

    libc.prctl(_PR_SET_DUMPABLE, 0)  # no tracing of this process by the candidate
    code = _wait(child, wake_read)
    _kill_descendants()
    os._exit(code)


def _leave_keyring(libc: ctypes.CDLL) -> None:
    """Join an empty session keyring: the engine's, with the user's tickets, would be inherited.

    Where the call is forbidden, as in a container, the keyring cannot be read either.
    """
    if platform.machine() in _KEYCTL:
        libc.syscall(_KEYCTL[platform.machine()], _JOIN_SESSION_KEYRING, None)


def _be_ended_first() -> None:
    """Have the kernel end this, and none of the user's programs, where memory runs out."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def _keep_stdout_for_frames() -> int:
    """Move standard output out of the way of prints, which go to standard error from now on."""
    out = os.dup(1)
    os.dup2(2, 1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    return out


def _wait(child: int, wake: int) -> int:
    poll = select.poll()
    poll.register(0, select.POLLIN)
    poll.register(wake, select.POLLIN)
    while True:
        for descriptor, _ in poll.poll():
            if not os.read(descriptor, 4096) and descriptor == 0:
                return 130
        while (status := _reap()) is not None:
            if status[0] == child:
                code = os.waitstatus_to_exitcode(status[1])
                code = code if code >= 0 else 128 - code
                return _KILLED if code == 128 + signal.SIGKILL else code


def _reap() -> tuple[int, int] | None:
    """Return an ended child and its status, None where there is none at the moment."""
    try:
        pid, status = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return None
    return (pid, status) if pid else None


def _kill_descendants(seconds: float = 5.0) -> None:
    """Kill all descendants again and again until none is left: they may fork meanwhile."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = _descendants(os.getpid())
        for pid in found:
            try:
                os.kill(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue
        while _reap() is not None:
            pass
        if not found:
            return
        time.sleep(0.005)


def _descendants(root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_text(errors="replace")
        except OSError:
            continue
        # "pid (any name) state ppid ...": the name may hold spaces and parentheses.
        parent = int(stat.rpartition(")")[2].split()[1])
        children.setdefault(parent, []).append(int(entry.name))
    found: list[int] = []
    todo = [root]
    while todo:
        more = children.get(todo.pop(), [])
        found += more
        todo += more
    return found
