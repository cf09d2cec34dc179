"""Tells an engineer what went wrong, from what a harness sent and the candidate's own files."""

import builtins
import re
from typing import Any

from improve_git.sandboxes.frames import clean, one_line

MAX_PLACES = 20
MAX_MESSAGE = 4000  # characters

# What may be said of a breach in the prediction phase, where no text of the candidate's is passed.
_UNSEEN = {
    "missing": "a function of the contract is missing",
    "strict-load": "the weights do not load strictly into build_model(spec, pretrained=False)",
    "eval-transform": "eval_transform did not give tensors of one shape (C, H, W) for all images",
    "logits": "the model did not give float logits of shape (N, num_classes)",
}
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,80}")


def told(result: dict[str, Any], files: dict[str, str]) -> tuple[str, str]:
    """Return a reason in one line, and the detail: the candidate's lines, then the message."""
    message = clean(str(result.get("message", "")))[: 2 * MAX_MESSAGE].strip()
    if result.get("code"):
        return message, message
    kind = _identifier(result.get("type"))
    places = _places(result.get("where"), files)
    lines = [line for line in message.splitlines() if line.strip()]
    # An error of a worker process carries that process's traceback; its cause is the last line.
    worker = bool(lines) and "DataLoader worker process" in lines[0]
    first = f"{kind}: {lines[0]}" if lines else kind
    summary = lines[-1] if worker else first
    detail = "\n".join([*_quoted(places, files), f"{kind}: {message}"])
    return (f"{summary} ({_place(places[-1])})" if places else summary), detail


def unseen(result: dict[str, Any], files: dict[str, str]) -> tuple[str, str]:
    """Return reason and detail without a word of the candidate's: it saw images of the judge's."""
    code = result.get("code")
    if isinstance(code, str) and code in _UNSEEN:
        return f"while predicting: {_UNSEEN[code]}", ""
    places = _places(result.get("where"), files)[-3:]
    kind = _identifier(result.get("type"))
    reason = f"{kind if _is_common(kind) else 'error'} while predicting"
    if places:
        reason += f" ({_place(places[-1])})"
    return reason, "\n".join(_quoted(places, files))


def _is_common(kind: str) -> bool:
    """Tell whether this is an error of Python's or torch's, rather than a message in disguise."""
    found = getattr(builtins, kind, None)
    return kind == "OutOfMemoryError" or (
        isinstance(found, type) and issubclass(found, BaseException)
    )


def _identifier(name: Any) -> str:
    fits = isinstance(name, str) and _IDENTIFIER.fullmatch(name)
    return str(name) if fits else "error"


def _places(where: Any, files: dict[str, str]) -> list[tuple[str, int]]:
    """Return the places that exist: a file of the candidate's and one of its lines."""
    found = []
    for place in where if isinstance(where, list) else []:
        if not isinstance(place, list) or len(place) < 2:
            continue
        name, line = place[:2]
        known = isinstance(name, str) and name in files and type(line) is int
        if known and 1 <= line <= len(files[name].splitlines()):
            found.append((name, line))
    return found[-MAX_PLACES:]


def _place(place: tuple[str, int]) -> str:
    return f"{place[0]}:{place[1]}"


def _quoted(places: list[tuple[str, int]], files: dict[str, str]) -> list[str]:
    return [
        f"{name}:{line}: {one_line(files[name].splitlines()[line - 1], 200)}"
        for name, line in places
    ]
