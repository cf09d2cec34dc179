"""Asks a person, or any capable reader: a file for each prompt, and a file for its reply."""

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from improve_git.domain import Role
from improve_git.errors import LlmError
from improve_git.files import write_atomically
from improve_git.llm.base import Reply, Request
from improve_git.llm.reckoning import MAX_REPLY, prompt_tokens, shortened, tokens
from improve_git.llm.transcripts import call_key
from improve_git.observer import Observer


class Inbox:
    """A backend that waits for reply files. An interrupt keeps the question and its reply."""

    def __init__(
        self,
        folder: Path,
        timeout: float,
        observer: Observer,
        max_tokens: int = 16_000,
        wait: Callable[[], None] = lambda: time.sleep(1),
    ) -> None:
        self._folder = folder
        self._timeout = timeout
        self._observer = observer
        self._max_tokens = max_tokens
        self._wait = wait

    def model_of(self, role: Role) -> str:
        """Return "inbox": who reads it is not known."""
        return "inbox"

    def sees_images(self, role: Role) -> bool:
        """Say yes: images are saved beside the question."""
        return True

    def price(self, role: Role, prompt_tokens: int, completion_tokens: int) -> float | None:
        """Return nothing: a reader is not paid by the token."""
        return 0.0

    def worst_case(self, request: Request) -> tuple[int, float | None]:
        """Return the tokens that such a call usually may take; it costs nothing."""
        return prompt_tokens(request) + self._max_tokens, 0.0

    def complete(self, request: Request) -> Reply:
        """Write the question, wait for the reply, and clear both away.

        Raises:
            LlmError: no reply came in time.
        """
        began = time.monotonic()
        key = call_key(request.iteration, request.role, request.ordinal)
        question, answer = self._folder / f"{key}.md", self._folder / f"{key}.reply.md"
        images = {f"{key}-image-{n}.png": png for n, png in enumerate(request.images, 1)}
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            for name, png in images.items():
                write_atomically(self._folder / name, png)
            write_atomically(question, _as_markdown(request, answer.name, list(images)))
        except OSError as error:
            raise LlmError(
                f"the question cannot be written to {self._folder}: {error.strerror}",
                "set llm.folder to a folder that can be written to",
            ) from error
        self._observer.say(f"waiting for a reply to {question}: write it to {answer.name} there")
        raw = self._await(answer, began + self._timeout)
        if raw is None:
            raise LlmError(
                f"no reply within {self._timeout:g} s: {answer} is not there",
                "the question is kept: reply, then improve-git run",
            )
        text, cut_off = shortened(raw.decode("utf-8-sig", "replace"))
        for path in (answer, question, *(self._folder / name for name in images)):
            with suppress(OSError):
                path.unlink()
        return Reply(
            text,
            "inbox",
            cut_off,
            prompt_tokens(request),
            tokens(text),
            cost_usd=0.0,
            seconds=time.monotonic() - began,
            estimated=True,
        )

    def _await(self, answer: Path, until: float) -> bytes | None:
        """Return the reply once two looks have found the same: it may be half-written."""
        before = b""
        while True:
            now = _look(answer)
            if now.strip() and now == before:
                return now
            if time.monotonic() >= until:
                return None
            before = now
            self._wait()


def _look(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_REPLY + 1)
    except OSError:  # not there yet, or not readable yet
        return b""


def _as_markdown(request: Request, reply: str, images: list[str]) -> str:
    """Write the question so that it can be read, or pasted into a chat window as it is."""
    head = (
        f"> Please answer what follows. Write the answer alone to `{reply}`, in this folder.\n"
        "> The run waits for that file, takes it, and carries on by itself.\n"
    )
    parts = [f"# {message.role}\n\n{message.text.rstrip()}\n" for message in request.messages]
    parts += [f"![{name}]({name})\n" for name in images]
    return "\n".join([head, *parts])
