"""How a command ends: the exit code and the last line for whatever stopped it.

Exit codes: 0 done, 1 an expected error (one line plus the fix), 2 wrong usage, 3 a bug (a log file
is named), 4 `verify` could not check all, 128 and the signal's number where one stopped it: 130 by
Ctrl-C, 143 by SIGTERM, 129 by SIGHUP or because the terminal has gone.
"""

import errno
import os
import re
import signal
import sys
from types import FrameType

from improve_git import __version__
from improve_git.errors import ImproveError

EXPECTED, BUG = 1, 3
_WHOLE = re.compile(r"improve-git |: git |^ +(fix: |git )")  # lines to copy
_CARRY_ON = "then the same command again: it carries on"
# What a machine runs out of, or does not let one do: no bug, and nothing that more code would mend.
_FAULTS = {
    errno.ENOSPC: ("the disk is full", f"free some space, {_CARRY_ON}"),
    errno.EDQUOT: ("the disk quota is used up", f"free some space, {_CARRY_ON}"),
    errno.EROFS: ("the file system is read-only", f"make it writable, {_CARRY_ON}"),
    errno.EACCES: ("no permission", "see whose it is: ls -ld"),
    errno.EPERM: ("no permission", "see whose it is: ls -ld"),
    errno.EMFILE: ("too many open files", f"raise the limit (ulimit -n), {_CARRY_ON}"),
    errno.ENFILE: ("too many open files on this machine", f"end other programs, {_CARRY_ON}"),
    errno.ENOMEM: ("the memory is used up", f"end other programs, {_CARRY_ON}"),
    errno.EAGAIN: ("no further process can be started", f"end other programs, {_CARRY_ON}"),
}


class Stopped(KeyboardInterrupt):
    """A signal other than Ctrl-C's asks for the end."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


def heed_signals() -> None:
    """Have SIGTERM and SIGHUP end a command as Ctrl-C does, unless the caller ignores them."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # as nohup leaves SIGHUP
            signal.signal(number, _stop)


def ending_of(error: BaseException) -> tuple[int, str]:
    """Return the exit code and the last words for what stopped a command."""
    if isinstance(error, Stopped):
        return 128 + error.number, _interrupted(error, f" by {error}")
    if isinstance(error, KeyboardInterrupt):
        return 128 + signal.SIGINT, _interrupted(error)
    if isinstance(error, BrokenPipeError):  # the reader has seen enough
        return EXPECTED, ""
    if isinstance(error, OSError) and error.errno == errno.EIO and _terminal_has_gone():
        return 128 + signal.SIGHUP, ""
    expected = error if isinstance(error, ImproveError) else _fault(error)
    if expected:
        return EXPECTED, f"error: {expected}"
    return BUG, f"bug: {type(error).__name__}: {error}\n  log: {_write_log(error)}"


def say_last(text: str) -> None:
    """Print the last words to standard error, unless nobody is left to read them."""
    try:
        if text:
            print(_wrapped(text), file=sys.stderr, flush=True)
        sys.stdout.flush()
    except OSError:
        _write_nowhere()


def _wrapped(text: str) -> str:
    """Return last words whose lines, but for commands, break between words on a terminal."""
    if not (sys.stderr and sys.stderr.isatty()):  # None: closed
        return text
    import shutil

    width = shutil.get_terminal_size().columns
    return "\n".join(_broken(line, width) for line in text.split("\n"))


def _broken(line: str, width: int) -> str:
    import textwrap

    if len(line) <= width or _WHOLE.search(line):
        return line
    indent = " " * (len(line) - len(line.lstrip()))
    return textwrap.fill(line, width, subsequent_indent=f"{indent}  " if indent else "",
                         break_long_words=False, break_on_hyphens=False)  # fmt: skip


def _stop(number: int, _frame: FrameType | None) -> None:
    # A closing terminal sends more than one: the next must not break off the clearing up.
    for later in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(later, signal.SIG_IGN)
    raise Stopped(number)


def _interrupted(error: KeyboardInterrupt, by: str = "") -> str:
    """Return the last words, with what the command noted: how to carry on."""
    return "; ".join([f"interrupted{by}", *getattr(error, "__notes__", ())])


def _fault(error: BaseException) -> ImproveError | None:
    if isinstance(error, MemoryError):
        return ImproveError(*_FAULTS[errno.ENOMEM])
    if not isinstance(error, OSError) or error.errno not in _FAULTS:
        return None
    what, fix = _FAULTS[error.errno]
    return ImproveError(f"{what}: {error.filename}" if error.filename else what, fix)


def _terminal_has_gone() -> bool:
    """Say whether an output can be written to no more: what was a terminal is none."""
    for stream in (sys.stdout, sys.stderr):
        try:
            os.tcgetpgrp(stream.fileno())
        except OSError as error:
            if error.errno == errno.EIO:
                return True
    return False


def _write_nowhere() -> None:
    """Send what is still in the buffers nowhere, so that Python's own end does not fail by it."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(nowhere, stream.fileno())


def _write_log(error: BaseException) -> str:
    import tempfile
    import traceback

    head = f"improve-git {__version__}, Python {sys.version}\n{' '.join(sys.argv)}\n\n"
    text = head + "".join(traceback.format_exception(error))
    try:
        descriptor, path = tempfile.mkstemp(prefix="improve-git-", suffix=".log")
        with os.fdopen(descriptor, "w", errors="replace") as file:
            file.write(text)
    except OSError as why:
        return f"none, {why.strerror}\n{text}"
    return path
