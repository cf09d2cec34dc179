"""The type of what the tests' ``call`` fixture is and returns."""

from typing import NamedTuple, Protocol


class Said(NamedTuple):
    """What a command printed, and its exit code."""

    out: str
    err: str
    code: int


class Call(Protocol):
    """Runs the command line as to a pipe 80 columns wide."""

    def __call__(self, *words: object) -> Said: ...
