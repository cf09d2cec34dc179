"""Every prompt and reply as a JSON file, by iteration, role and ordinal."""

import hashlib
import json
import math
import re
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, get_args

from improve_git.domain import ROLES, Role
from improve_git.files import write_atomically
from improve_git.llm.base import Message, Reply, Request

_NAME = re.compile(rf"(\d{{4,}})-({'|'.join(ROLES)})-(\d+)\.json")
_SPEAKERS = get_args(Message.__annotations__["role"])


@dataclass(frozen=True)
class Transcript:
    """One call: what was asked, and what came back."""

    iteration: int
    role: Role
    ordinal: int
    messages: tuple[Message, ...]
    images: tuple[str, ...]  # the SHA-256 of each
    schema: bool  # whether a JSON schema went along
    prompt_sha256: str
    reply: Reply
    time: str = ""  # when the reply was there, UTC
    sha256: str = ""  # of the file

    @property
    def key(self) -> str:
        """The call's name."""
        return call_key(self.iteration, self.role, self.ordinal)


class Damaged(Exception):
    """A transcript cannot be read; the text says why."""


def call_key(iteration: int, role: Role, ordinal: int) -> str:
    """Return the name of a call, such as ``0007-analyst-1``."""
    return f"{iteration:04}-{role}-{ordinal}"


def prompt_hash(request: Request) -> str:
    """Return the SHA-256 of all that is asked, whichever call it is."""
    content = {
        "role": request.role,
        "messages": [asdict(message) for message in request.messages],
        "images": _hashes(request.images),
        "schema": request.schema,
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


class Transcripts:
    """A folder of transcripts. It is made with the first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, iteration: int, role: Role, ordinal: int) -> Path:
        """Return where a call's transcript is, or would be."""
        return self.folder / f"{call_key(iteration, role, ordinal)}.json"

    def add(self, request: Request, reply: Reply) -> Transcript:
        """Write down one call."""
        content = {
            "iteration": request.iteration,
            "role": request.role,
            "ordinal": request.ordinal,
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "prompt_sha256": prompt_hash(request),
            "schema": request.schema is not None,
            "images": _hashes(request.images),
            "messages": [asdict(message) for message in request.messages],
            "reply": asdict(reply),
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.path(request.iteration, request.role, request.ordinal)
        write_atomically(path, json.dumps(content, indent=1) + "\n")
        return _read(path)

    def find(self, iteration: int, role: Role, ordinal: int) -> Transcript | None:
        """Return one call's transcript, None where there is none.

        Raises:
            Damaged: it cannot be read.
        """
        path = self.path(iteration, role, ordinal)
        return _read(path) if path.is_file() else None

    def names(self) -> Iterator[tuple[int, Role, int]]:
        """Yield the iteration, role and ordinal of each call, in no order."""
        if self.folder.is_dir():
            for entry in self.folder.iterdir():
                if found := _NAME.fullmatch(entry.name):
                    yield int(found[1]), found[2], int(found[3])  # type: ignore[misc]

    def of(self, iteration: int) -> list[Transcript]:
        """Return an iteration's transcripts in the order of time, without the damaged ones."""
        found = []
        for name in self.names():
            if name[0] == iteration:
                try:
                    found.append(_read(self.path(*name)))
                except Damaged:
                    continue
        return sorted(found, key=lambda t: (t.time, ROLES.index(t.role), t.ordinal))


def _hashes(images: tuple[bytes, ...]) -> list[str]:
    return [hashlib.sha256(image).hexdigest() for image in images]


def _read(path: Path) -> Transcript:
    """Read a file that may come from anybody."""
    try:
        raw = path.read_bytes()
        content = json.loads(raw)
        found = _NAME.fullmatch(path.name)
        if not found or not isinstance(content, dict):
            raise Damaged("no transcript")
        transcript = Transcript(
            iteration=int(found[1]),
            role=found[2],  # type: ignore[arg-type]
            ordinal=int(found[3]),
            messages=tuple(_message(entry) for entry in content["messages"]),
            images=tuple(str(image) for image in content["images"]),
            schema=bool(content["schema"]),
            prompt_sha256=str(content["prompt_sha256"]),
            reply=_reply(content["reply"]),
            time=str(content["time"]),
        )
    except (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        raise Damaged(f"{type(error).__name__}: {error}") from error
    return replace(transcript, sha256=hashlib.sha256(raw).hexdigest())


def _message(entry: Any) -> Message:
    if entry["role"] not in _SPEAKERS:
        raise ValueError("a message by nobody")
    return Message(entry["role"], str(entry["text"]))


def _reply(entry: Any) -> Reply:
    cost, seconds = entry["cost_usd"], float(entry["seconds"])
    prompt, completion, cached = (
        int(entry[key]) for key in ("prompt_tokens", "completion_tokens", "cached_tokens")
    )
    numbers = [prompt, completion, cached, cost or 0, seconds]
    if not all(0 <= float(number) < math.inf for number in numbers):
        raise ValueError("an impossible number")
    return Reply(
        text=str(entry["text"]),
        model=str(entry["model"]),
        cut_off=bool(entry["cut_off"]),
        prompt_tokens=prompt,
        completion_tokens=completion,
        cached_tokens=cached,
        cost_usd=None if cost is None else float(cost),
        seconds=seconds,
        estimated=bool(entry["estimated"]),
    )
