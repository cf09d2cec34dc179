"""Ends an engine by SIGKILL at the boundaries of whatever it changes on disk.

Installed inside the engine's own process by wrapping the few functions that change durable state:
Git's writing commands, the journal's append, files that are put in place or dropped, and the two
phases of the sandbox. The product knows nothing of it. What is durable before a change is what
was durable after the change before it, so each place is named once: after it.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import improve_git
from improve_git.git import Repository
from improve_git.journal import Journal

ENGINE = str(Path(improve_git.__file__).parent)
GIT_WRITES = {"update-ref", "commit-tree", "read-tree", "notes", "hash-object", "mktree",
              "update-index"}  # fmt: skip

Policy = Callable[[str, str], bool]  # (what has just happened, where in the engine) -> end it here


def die() -> None:
    """End this very process as `kill -9` does."""
    os.kill(os.getpid(), signal.SIGKILL)


class Boundaries:
    """Asks a policy at each boundary whether the engine ends there."""

    def __init__(self, policy: Policy, state: Path, hits: Path) -> None:
        self.policy = policy
        self.state = state  # only files in here count as the engine's
        self.hits = hits  # where each kill is written down, for the processes to come

    def passed(self, what: str) -> None:
        if self.chosen(what):
            die()

    def chosen(self, what: str) -> bool:
        where = place()
        if not self.policy(what, where):
            return False
        with self.hits.open("a") as file:
            file.write(f"{what}\t{where}\n")
        return True

    def install(self) -> None:
        """Wrap the engine's functions in this process."""
        self._wrap_git()
        self._wrap_journal()
        for name in ("replace", "rename", "unlink"):
            self._wrap_file(name)

    def _wrap_git(self) -> None:
        real = Repository.git

        def git(repo: Repository, *command: str, **more: Any) -> str:
            said = real(repo, *command, **more)
            if command[0] in GIT_WRITES and command[-1] != "list":
                self.passed(f"git {command[0]}")
            return said

        Repository.git = git  # type: ignore[method-assign]

    def _wrap_journal(self) -> None:
        real = Journal.append

        def append(journal: Journal, event: str, **fields: Any) -> None:
            if self.chosen(f"half of journal {event}"):
                journal.path.parent.mkdir(parents=True, exist_ok=True)
                with journal.path.open("ab") as file:
                    file.write(b'{"event": "' + event.encode()[:3])
                die()
            real(journal, event, **fields)
            self.passed(f"journal {event}")

        Journal.append = append  # type: ignore[method-assign]

    def _wrap_file(self, name: str) -> None:
        real = getattr(Path, name)

        def change(path: Path, *arguments: Any, **more: Any) -> Any:
            done = real(path, *arguments, **more)
            if path.is_relative_to(self.state):
                self.passed(f"file {name}")
            return done

        setattr(Path, name, change)


def place() -> str:
    """Return where in the engine's code this is: its frames, outermost first."""
    frames = []
    frame = sys._getframe(1)
    while frame:
        if frame.f_code.co_filename.startswith(ENGINE):
            module = Path(frame.f_code.co_filename).stem
            frames.append(f"{module}.{frame.f_code.co_name}:{frame.f_lineno}")
        frame = frame.f_back  # type: ignore[assignment]
    return " ".join(reversed(frames))


# Policies


def never(_what: str, _where: str) -> bool:
    return False


def nth(number: int) -> Policy:
    """End at the n-th boundary of the process, from 1."""
    left = [number]

    def choose(_what: str, _where: str) -> bool:
        left[0] -= 1
        return left[0] == 0

    return choose


def each_once(hits: Path, kinds: set[str] | None = None) -> Policy:
    """End at the first boundary at which no process ended before.

    A boundary is a place in the engine's code, with all its callers. With ``kinds``, it is one of
    these kinds of change, wherever it comes first.
    """
    known = set(hits.read_text().splitlines()) if hits.exists() else set()
    if kinds is None:
        return lambda what, where: f"{what}\t{where}" not in known
    left = kinds - {line.split("\t")[0] for line in known}
    return lambda what, _where: what in left
