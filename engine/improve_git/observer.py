"""What the loop tells while it works. Only the command line prints; tests listen."""

from typing import Any, Protocol


class Observer(Protocol):
    """Hears what happens, as it happens."""

    def say(self, text: str) -> None:
        """One line worth telling."""

    def warn(self, text: str) -> None:
        """One line that the user should not miss."""

    def begin(self, title: str, epochs: int | None, seconds: float) -> None:
        """A training begins; ``seconds`` is its safety stop."""

    def event(self, event: dict[str, Any]) -> None:
        """Something came out of the sandbox: an epoch, a phase."""

    def end(self) -> None:
        """The training is over."""

    def verdict(self, verdict: str, subject: str) -> None:
        """A verdict stands in the trail."""


class Silent:
    """An observer that tells nobody."""

    def say(self, text: str) -> None:
        """Drop it."""

    def warn(self, text: str) -> None:
        """Drop it."""

    def begin(self, title: str, epochs: int | None, seconds: float) -> None:
        """Drop it."""

    def event(self, event: dict[str, Any]) -> None:
        """Drop it."""

    def end(self) -> None:
        """Do nothing."""

    def verdict(self, verdict: str, subject: str) -> None:
        """Drop it."""
