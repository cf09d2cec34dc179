"""What the loop tells while it works. Only the command line prints; tests listen."""

from typing import Any, Protocol


class Observer(Protocol):
    """Hears what happens, as it happens."""

    def say(self, text: str) -> None:
        """One line worth telling."""

    def warn(self, text: str) -> None:
        """One line that the user should not miss."""

    def doing(self, text: str) -> None:
        """What an agent is asked to do at this moment; "" once it has replied."""

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

    def doing(self, text: str) -> None:
        """Drop it."""

    def begin(self, title: str, epochs: int | None, seconds: float) -> None:
        """Drop it."""

    def event(self, event: dict[str, Any]) -> None:
        """Drop it."""

    def end(self) -> None:
        """Do nothing."""

    def verdict(self, verdict: str, subject: str) -> None:
        """Drop it."""


class Several:
    """Tells several observers the same."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers

    def say(self, text: str) -> None:
        """Pass it on."""
        for one in self._observers:
            one.say(text)

    def warn(self, text: str) -> None:
        """Pass it on."""
        for one in self._observers:
            one.warn(text)

    def doing(self, text: str) -> None:
        """Pass it on."""
        for one in self._observers:
            one.doing(text)

    def begin(self, title: str, epochs: int | None, seconds: float) -> None:
        """Pass it on."""
        for one in self._observers:
            one.begin(title, epochs, seconds)

    def event(self, event: dict[str, Any]) -> None:
        """Pass it on."""
        for one in self._observers:
            one.event(event)

    def end(self) -> None:
        """Pass it on."""
        for one in self._observers:
            one.end()

    def verdict(self, verdict: str, subject: str) -> None:
        """Pass it on."""
        for one in self._observers:
            one.verdict(verdict, subject)
