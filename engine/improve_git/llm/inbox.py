"""Asks a person, or any capable reader: a file for each prompt, and a file for its reply."""

import itertools
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from improve_git.domain import Role
from improve_git.files import write_atomically
from improve_git.llm.base import NotCharged, Reply, Request
from improve_git.llm.reckoning import MAX_REPLY, prompt_tokens, shortened, tokens
from improve_git.llm.transcripts import call_key
from improve_git.observer import Observer


class Inbox:
    """A backend that waits for reply files.

    A question and its reply stay until the reply is written down elsewhere, so that a person's
    work survives an interrupt, a time-out and a crash.
    """

    def __init__(
        self,
        folder: Path,
        timeout: float,
        observer: Observer,
        wait: Callable[[], None] = lambda: time.sleep(1),
    ) -> None:
        self._folder = folder
        self._timeout = timeout
        self._observer = observer
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
        """Return nothing: what gets no reply has taken nothing. The tokens of replies count."""
        return 0, 0.0

    def complete(self, request: Request) -> Reply:
        """Write the question and wait for the reply; it may be there from before a crash.

        Raises:
            NotCharged: no reply came in time.
        """
        began = time.monotonic()
        question, answer, images = self._files(request)
        asked = _as_markdown(request, answer.name, images).encode()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if answer.exists() and _look(question) != asked:
                self._move_aside(answer)
            for path, png in zip(images, request.images, strict=True):
                write_atomically(path, png)
            write_atomically(question, asked)
        except OSError as error:
            raise NotCharged(
                f"the question cannot be written to {self._folder}: {error.strerror}",
                "set llm.folder to a folder that can be written to",
            ) from error
        self._observer.say(f"waiting for a reply to {question}: write it to {answer.name} there")
        raw = self._await(answer, began + self._timeout)
        if raw is None:
            raise NotCharged(
                f"no reply within {self._timeout:g} s: {answer} is not there",
                "the question is kept: reply, then improve-git run",
            )
        text, cut_off = shortened(raw.decode("utf-8-sig", "replace"))
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

    def clear(self, request: Request) -> None:
        """Remove the question and its reply: the transcript has both."""
        question, answer, images = self._files(request)
        if _look(question) != _as_markdown(request, answer.name, images).encode():
            return  # another pipeline may ask here, too
        for path in (question, answer, *images):  # nobody answers once the question is gone
            with suppress(OSError):
                path.unlink()

    def _files(self, request: Request) -> tuple[Path, Path, list[Path]]:
        """Return where a call's question, its reply and its images are."""
        key = call_key(request.iteration, request.role, request.ordinal)
        images = [f"{key}-image-{n}.png" for n in range(1, len(request.images) + 1)]
        question, answer, *shown = (
            self._folder / name for name in (f"{key}.md", f"{key}.reply.md", *images)
        )
        return question, answer, shown

    def _move_aside(self, answer: Path) -> None:
        """Keep a reply to another question, or to nobody knows which, without taking it."""
        names = (answer.with_name(f"{answer.name}.old{n or ''}") for n in itertools.count())
        old = next(path for path in names if not path.exists())
        answer.rename(old)
        self._observer.warn(f"{answer} is no reply to the question asked now: it is {old.name} now")

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
    """Return what a file has for now, no more of it than a reply may have."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_REPLY + 1)
    except OSError:  # not there yet, or not readable yet
        return b""


def _as_markdown(request: Request, reply: str, images: list[Path]) -> str:
    """Write the question so that it can be read, or pasted into a chat window as it is."""
    head = (
        f"> Please answer what follows. Write the answer alone to `{reply}`, in this folder.\n"
        "> The run waits for that file, takes it, and carries on by itself.\n"
    )
    parts = [f"# {message.role}\n\n{message.text.rstrip()}\n" for message in request.messages]
    parts += [f"![{path.name}]({path.name})\n" for path in images]
    return "\n".join([head, *parts])
