"""What goes wrong in a candidate, and how it is told to the engine."""

import traceback
from pathlib import Path
from typing import Any, NoReturn

MAX_MESSAGE = 4000  # characters


class Breach(Exception):
    """The contract is broken. ``code`` is a fixed word; the message is for the engineer."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def expect(condition: bool, code: str, message: str) -> None:
    """Raise Breach unless the condition holds."""
    if not condition:
        breach(code, message)


def breach(code: str, message: str) -> NoReturn:
    """Raise Breach."""
    raise Breach(code, message)


def result_of(error: BaseException, code_folder: Path) -> dict[str, Any]:
    """Return the result frame's content for an exception: status, message, the candidate's lines.

    Only the places are sent, not the source lines: the engine has the files, and after the
    prediction phase it believes places alone, since a message could carry what val shows.
    """
    where = [
        [Path(frame.filename).name, frame.lineno, frame.name]
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).parent == code_folder
    ]
    if isinstance(error, SyntaxError) and error.filename and not isinstance(error, Breach):
        where.append([Path(error.filename).name, error.lineno, "<module>"])
    return {
        "status": _status(error),
        "code": error.code if isinstance(error, Breach) else "",
        "type": type(error).__name__,
        "message": _shortened(str(error)),
        "where": where[-20:],
    }


def _status(error: BaseException) -> str:
    if isinstance(error, Breach):
        return "bad-predictions" if error.code == "logits" else "invalid"
    # By name: torch's own class, wherever it lives in this version.
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return "out-of-memory"
    text = str(error)
    if isinstance(error, RuntimeError) and ("can't allocate memory" in text):
        return "out-of-memory"
    return "crashed"


def _shortened(text: str) -> str:
    """Keep the beginning and the end: a worker's error has its cause in its last lines."""
    if len(text) <= MAX_MESSAGE:
        return text
    half = MAX_MESSAGE // 2
    return f"{text[:half]}\n[...]\n{text[-half:]}"
