"""Small parts that the tests of this folder share."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from improve_git.domain import Role
from improve_git.llm.base import Message, Request
from improve_git.observer import Silent


@dataclass
class Listening(Silent):
    """An observer that remembers."""

    said: list[str] = field(default_factory=list)
    warned: list[str] = field(default_factory=list)
    did: list[str] = field(default_factory=list)

    def doing(self, text: str) -> None:
        self.did.append(text)

    def say(self, text: str) -> None:
        self.said.append(text)

    def warn(self, text: str) -> None:
        self.warned.append(text)


def request(
    text: str = "Which component?", role: Role = "analyst", iteration: int = 7, ordinal: int = 1,
    **more: Any,
) -> Request:  # fmt: skip
    messages = (Message("system", "You are an analyst."), Message("user", text))
    return Request(iteration, role, ordinal, messages, **more)


@contextmanager
def reader(act: Callable[[], object]) -> Iterator[None]:
    """Have a person act meanwhile."""
    thread = threading.Thread(target=act)
    thread.start()
    yield
    thread.join()


def soon() -> None:
    time.sleep(0.01)


def wait_for(path: Path) -> str:
    """Return a file's text once it is there."""
    while not path.exists():
        soon()
    return path.read_text()


def answer(folder: Path, text: str, key: str = "0007-analyst-1") -> None:
    """Answer a question, once it is asked."""
    wait_for(folder / f"{key}.md")
    (folder / f"{key}.reply.md").write_text(text)
