"""Runs Git's commands: by themselves, in an environment of their own, failures put into words.

Every call runs `git` with an environment of its own (identity, dates, no prompts, none of the
caller's GIT_* variables), so that the user's settings neither disturb the engine nor are run.
GitPython is not used for this: it merges the caller's environment into each call, so that a
GIT_DIR or GIT_INDEX_FILE set by a hook or an alias could not be taken away.
"""

import os
import re
import shlex
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from improve_git.errors import GitError

OLDEST_GIT = (2, 31)
_PIECE = 1 << 20  # bytes read at once
_LOCKED = "another Git command is running; if none is, delete the lock file that is named"
_WRITE = "see whether the disk is full, then run again"
# A piece of what Git says -> what to do.
_ADVICE = {
    "No space left": "free some disk space and run again",
    "Disk quota": "free some disk space and run again",
    "write error": _WRITE,
    "couldn't write": _WRITE,
    "unable to write": _WRITE,
    "failed to write": _WRITE,
    "Read-only file system": "make the file system writable and run again",
    "insufficient permission": "see whose the files in .git are: ls -l .git/objects",
    ".lock': File exists": _LOCKED,
    "Permission denied": "see whose the files in .git are: ls -l .git",
}


class Person(NamedTuple):
    """Who stands as a commit's author. Thousands are compared while a long trail is read."""

    name: str
    email: str


ENGINE = Person("improve-git", "engine@improve-git.invalid")


class GitFailed(GitError):
    """A Git command failed; ``stderr`` is what Git said."""

    def __init__(self, command: Sequence[str], stderr: str) -> None:
        self.stderr = stderr.strip()
        super().__init__(*_told(command, self.stderr))


def require_git() -> str:
    """Return the version of the installed Git; raise GitError where it is missing or too old."""
    said = execute([], ["version"]).decode().strip()
    version = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", said)
    if not version or (int(version[1]), int(version[2])) < OLDEST_GIT:
        oldest = ".".join(map(str, OLDEST_GIT))
        raise GitError(f"{said} is too old", f"install Git {oldest} or newer")
    return version[0]


def now() -> str:
    """Return the date that goes into commits, as Git reads it. Tests put a pinned one here."""
    return f"{int(time.time())} {time.strftime('%z')}"


def _environment(extra: Mapping[str, str]) -> dict[str, str]:
    # GIT_DIR, GIT_INDEX_FILE and the like leak in from hooks and aliases such as `git improve`.
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    for kept in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM"):
        if kept in os.environ:
            inherited[kept] = os.environ[kept]
    date = now()
    return inherited | {
        "LC_ALL": "C.UTF-8",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_EDITOR": "false",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_AUTHOR_NAME": ENGINE.name,
        "GIT_AUTHOR_EMAIL": ENGINE.email,
        "GIT_AUTHOR_DATE": date,
        "GIT_COMMITTER_NAME": ENGINE.name,
        "GIT_COMMITTER_EMAIL": ENGINE.email,
        "GIT_COMMITTER_DATE": date,
        **extra,
    }


def execute(
    options: Iterable[str],
    command: Sequence[str],
    cwd: Path | None = None,
    stdin: bytes | None = None,
    env: Mapping[str, str] | None = None,
) -> bytes:
    """Run one Git command and return what it printed.

    Raises:
        GitFailed: it ended with an error.
        GitError: Git or the folder to run it in is not there.
    """
    process = _begin(options, command, cwd or Path.cwd(), env or {})
    stdout, stderr = _let_end(process, stdin or b"")
    if process.returncode:
        raise GitFailed(command, stderr.decode("utf-8", "replace"))
    return stdout


def fields(options: Iterable[str], command: Sequence[str], cwd: Path) -> Iterator[str]:
    """Run one Git command that only reads; yield its fields, each ended by NUL, as they come.

    A long trail is read in two processes at once that way. Raises what ``execute`` raises; a
    failure of Git's comes after the fields that it did print.
    """
    process = _begin(options, command, cwd, {})
    assert process.stdin and process.stdout and process.stderr
    process.stdin.close()
    complaints = process.stderr
    said: list[bytes] = []
    # Beside, since a Git that waits for its complaints to be read would print no more.
    listener = threading.Thread(target=lambda: said.append(complaints.read()))
    listener.start()
    rest = b""
    try:
        while piece := os.read(process.stdout.fileno(), _PIECE):
            whole, end, rest = (rest + piece).rpartition(b"\0")
            if end:
                yield from whole.decode("utf-8", "surrogateescape").split("\0")
    finally:  # Git ends by itself when nobody reads on
        process.stdout.close()
        listener.join()
        process.stderr.close()
        process.wait()
    if process.returncode:
        raise GitFailed(command, said[0].decode("utf-8", "replace"))


def _begin(
    options: Iterable[str], command: Sequence[str], folder: Path, env: Mapping[str, str]
) -> "subprocess.Popen[bytes]":
    try:
        return subprocess.Popen(
            ["git", *options, *command],
            cwd=folder,
            env=_environment(env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            process_group=0,  # a Ctrl-C is for the engine alone
        )
    except FileNotFoundError as error:
        if not folder.is_dir():
            raise GitError(f"{folder} is not a folder", "name an existing folder") from error
        raise GitError(
            "Git is not installed", "install it, for instance: apt install git"
        ) from error


def _let_end(process: "subprocess.Popen[bytes]", stdin: bytes) -> tuple[bytes, bytes]:
    """Wait for Git, also when interrupted: cut short, it would leave its lock files behind."""
    try:
        return process.communicate(stdin)
    except KeyboardInterrupt:
        try:
            process.communicate()
        finally:  # a second Ctrl-C
            process.kill()
        raise


def _told(command: Sequence[str], stderr: str) -> tuple[str, str]:
    """Put a failure into one line and its fix."""
    untrusted = re.search(r"dubious ownership in repository at '(.*)'", stderr)
    if untrusted:
        return (
            f"Git does not trust {untrusted[1]}: it belongs to another user",
            f"if you do: git config --global --add safe.directory {shlex.quote(untrusted[1])}",
        )
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    # What it died of says less than the error before it: "unable to write loose object file".
    reasons = [line for line in lines if any(word in line for word in _ADVICE)]
    reason = (reasons or lines or ["no message"])[-1]
    fixes = [_ADVICE[word] for word in _ADVICE if word in stderr]
    return f"git {' '.join(command)} failed: {reason}", fixes[0] if fixes else ""
