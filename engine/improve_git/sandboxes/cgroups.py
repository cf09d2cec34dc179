"""Walls of the kernel around a process tree: memory and tasks by control group, where permitted.

Version 2 has one hierarchy, version 1 one for each resource; both are written as files. Where this
user may not make a group, there is none, and what watches the tree has to do.
"""

import itertools
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
_PREFIX = "improve-git-"
_numbers = itertools.count()
_END_SECONDS = 5.0  # for the kernel to let go of a group whose last task has ended
_SLACK_BYTES = 4 << 20  # the kernel charges in batches, and may stop short of the limit

# Joins the groups before the program starts, so that nothing it starts is outside of them.
_JOIN = 'for procs; do shift; [ "$procs" = -- ] && break; echo $$ > "$procs" || exit 125; done; '
_JOIN += 'exec "$@"'


class Cgroup:
    """A group that bounds what joins it."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders  # one, or one a resource in version 1

    def command(self, argv: Sequence[str]) -> list[str]:
        """Return the command that joins the group and then becomes ``argv``."""
        procs = [str(folder / "cgroup.procs") for folder in self._folders]
        return ["/bin/sh", "-c", _JOIN, "sh", *procs, "--", *argv]

    def out_of_memory(self) -> bool:
        """Say whether the kernel has ended something inside for want of memory, anybody's."""
        return any(told.get("oom_kill", 0) for told in self._told())

    def was_full(self) -> bool:
        """Say whether the group's own limit was ever reached."""
        if any(told.get("oom", 0) or told.get("failcnt", 0) for told in self._told()):
            return True
        return any(map(_reached, self._folders))

    def _told(self) -> Iterator[dict[str, int]]:
        for folder in self._folders:
            for name in ("memory.events", "memory.oom_control"):
                with suppress(OSError):
                    words = (folder / name).read_text().split()
                    yield {k: int(v) for k, v in zip(words[::2], words[1::2], strict=False)}
            for name in ("memory.failcnt", "memory.memsw.failcnt"):
                with suppress(OSError):
                    yield {"failcnt": int((folder / name).read_text())}

    def remove(self) -> None:
        """End what is left inside, and the group."""
        for folder in self._folders:
            _remove(folder)


def make(label: str, memory_bytes: int, tasks: int) -> Cgroup | None:
    """Return a new group below this process's own; None where that is not permitted.

    Args:
        label: names it, so that it is found again by ``clear``.
        memory_bytes: all that it may use, with no swap on top.
        tasks: processes and threads.
    """
    unified = _own("")
    limits = (
        {unified: {"memory.max": memory_bytes, "memory.swap.max": 0, "pids.max": tasks}}
        if unified and (unified / "cgroup.controllers").exists()
        else {
            _own("memory"): {"memory.limit_in_bytes": memory_bytes,
                             "memory.memsw.limit_in_bytes": memory_bytes},
            _own("pids"): {"pids.max": tasks},
        }
    )  # fmt: skip
    name = f"{_PREFIX}{label}-{os.getpid()}-{next(_numbers)}"
    made: list[Path] = []
    try:
        for parent, files in limits.items():
            if parent is None:
                raise FileNotFoundError("no such hierarchy")
            folder = parent / name
            folder.mkdir()
            made.append(folder)
            for file, value in files.items():
                if "sw" in file and not (folder / file).exists():
                    continue  # a kernel that does not account for swap
                (folder / file).write_text(str(value))
    except OSError:
        for folder in made:
            _remove(folder)
        return None
    return Cgroup(made)


def clear(label_prefix: str) -> None:
    """Remove the groups that killed engines left."""
    for controller in ("", "memory", "pids"):
        if parent := _own(controller):
            for folder in parent.glob(f"{_PREFIX}{label_prefix}*"):
                _remove(folder)


def _own(controller: str) -> Path | None:
    """Return the folder of this process's group in a hierarchy, "" being that of version 2."""
    with suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, names, path = line.split(":", 2)
            if controller in names.split(","):
                folder = ROOT / controller / path.lstrip("/")
                return folder if folder.is_dir() else ROOT / controller
    return None


def _reached(folder: Path) -> bool:
    """Say whether a group of version 1 used all that it may; not every kernel counts failures."""
    with suppress(OSError, ValueError):
        for kind in ("memory", "memory.memsw"):
            most = int((folder / f"{kind}.max_usage_in_bytes").read_text())
            if most >= int((folder / f"{kind}.limit_in_bytes").read_text()) - _SLACK_BYTES:
                return True
    return False


def _remove(folder: Path) -> None:
    """Kill what is inside and remove the folder; the kernel needs a moment for the last task."""
    deadline = time.monotonic() + _END_SECONDS
    while folder.exists():
        with suppress(OSError):
            folder.rmdir()
            return
        with suppress(OSError, ValueError):
            for pid in map(int, (folder / "cgroup.procs").read_text().split()):
                os.kill(pid, 9)
        if time.monotonic() > deadline:
            return
        time.sleep(0.02)
