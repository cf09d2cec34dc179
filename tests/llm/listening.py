"""Small parts that the tests of this folder share."""

from dataclasses import dataclass, field
from typing import Any

from improve_git.domain import Role
from improve_git.llm.base import Message, Request
from improve_git.observer import Silent


@dataclass
class Listening(Silent):
    """An observer that remembers."""

    said: list[str] = field(default_factory=list)
    warned: list[str] = field(default_factory=list)

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
