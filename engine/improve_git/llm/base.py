"""What a language model is asked and answers, whoever it is behind the backend."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

from improve_git.domain import Role
from improve_git.errors import LlmError


@dataclass(frozen=True)
class Message:
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    text: str


@dataclass(frozen=True)
class Request:
    """One call. The first message is the system prompt: the same for a role all through a run."""

    iteration: int  # 0 at init
    role: Role
    ordinal: int  # 1 for the role's first call in this iteration, re-asks and repairs counted
    messages: tuple[Message, ...]
    schema: dict[str, Any] | None = None  # JSON schema of the answer, for models that keep to one
    images: tuple[bytes, ...] = ()  # PNG files that go with the last message
    # What follows is for backends alone, and comes from the desk.
    asked_as: int | None = None  # the team's ordinal, where a call before a crash has taken it
    charges: int | None = None  # how often its worst case may be charged; None: no cap is set


@dataclass(frozen=True)
class Reply:
    """One answer, and what it took."""

    text: str
    model: str
    cut_off: bool = False  # it ended at the limit of tokens
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0  # of the prompt's
    cost_usd: float | None = None  # None: the price is unknown
    seconds: float = 0.0
    estimated: bool = False  # the provider told no tokens, so they are reckoned


class NotCharged(LlmError):
    """No answer, and certainly nothing to pay: the call was refused or reached nobody."""


class MaybeCharged(LlmError):
    """No answer, and perhaps the worst case to pay, ``times`` over."""

    def __init__(self, message: str, fix: str, times: int) -> None:
        super().__init__(message, fix)
        self.times = times


class Backend(Protocol):
    """Whoever answers: a provider, a person with an inbox, transcripts."""

    def model_of(self, role: Role) -> str:
        """Return the name of who answers for a role; it stands in the authors' names."""
        ...

    def sees_images(self, role: Role) -> bool:
        """Say whether images may go along."""
        ...

    def price(self, role: Role, prompt_tokens: int, completion_tokens: int) -> float | None:
        """Return the US dollars that a call of this size costs; None: no price is known."""
        ...

    def worst_case(self, request: Request) -> tuple[int, float | None]:
        """Return the most tokens and US dollars that a call can take; None: no price is known."""
        ...

    def complete(self, request: Request) -> Reply:
        """Answer.

        Raises:
            LlmError: no answer can be had, and no other call would do better now.
        """
        ...


@runtime_checkable
class Several(Protocol):
    """A backend where another than ``model_of`` may answer for a role."""

    def answers(self, role: Role) -> Collection[str]:
        """Return the names of all who may."""
        ...


@runtime_checkable
class Keeping(Protocol):
    """A backend that keeps what a reply came in until the reply is written down."""

    def clear(self, request: Request) -> None:
        """Forget a call: its transcript is written."""
        ...


class Llm(Protocol):
    """What a team speaks to: a backend behind caps, transcripts and the removal of secrets."""

    def model_of(self, role: Role) -> str:
        """Return the name of who answers for a role."""
        ...

    def sees_images(self, role: Role) -> bool:
        """Say whether images may go along."""
        ...

    def price(self, role: Role, prompt_tokens: int, completion_tokens: int) -> float | None:
        """Return the US dollars that a call of this size costs; None: no price is known."""
        ...

    def ask(self, request: Request) -> Reply:
        """Answer, from a transcript where this very request was answered before a crash.

        Raises:
            LlmError: no answer can be had.
            BudgetSpent: the worst case would break a cap.
        """
        ...
