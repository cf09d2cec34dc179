"""Answers from transcripts, without a single call."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from improve_git.domain import Role
from improve_git.errors import LlmError, SettingsError
from improve_git.llm.base import Reply, Request
from improve_git.llm.transcripts import Damaged, Transcript, Transcripts, prompt_hash
from improve_git.observer import Observer


class Replay:
    """A backend that gives each call the reply recorded under its iteration, role and ordinal.

    Tokens and cost are those recorded, so that the trail tells the same again; nothing is paid,
    and so nothing breaks a cap.
    """

    def __init__(self, folder: Path, observer: Observer) -> None:
        """Take a folder of transcripts, or a pipeline with one.

        Raises:
            SettingsError: there is nothing to replay.
        """
        places = (folder, folder / ".improve" / "transcripts", folder / "improve" / "transcripts")
        found = [place for place in places if any(Transcripts(place).names())]
        if not found:
            why = "has no transcripts" if folder.is_dir() else "is not there"
            raise SettingsError(
                f"llm.from: {folder} {why}",
                "name a pipeline, or its folder .improve/transcripts",
            )
        self._transcripts = Transcripts(found[0])
        self._observer = observer
        self._models: dict[Role, str] = {}
        self._seeing: dict[Role, bool] = {}

    def model_of(self, role: Role) -> str:
        """Return who answered for the role first; "replay" where nobody did."""
        if role not in self._models:
            first = next(self._recorded(role), None)
            self._models[role] = first.reply.model if first else "replay"
        return self._models[role]

    def sees_images(self, role: Role) -> bool:
        """Say whether images went along in the role's recorded prompts."""
        if role not in self._seeing:
            self._seeing[role] = any(found.images for found in self._recorded(role))
        return self._seeing[role]

    def price(self, role: Role, prompt_tokens: int, completion_tokens: int) -> float | None:
        """Return nothing: nothing is paid."""
        return 0.0

    def worst_case(self, request: Request) -> tuple[int, float | None]:
        """Return nothing: nothing is paid."""
        return 0, 0.0

    def complete(self, request: Request) -> Reply:
        """Return the recorded reply, with a warning where it answered another prompt.

        Raises:
            LlmError: there is none.
        """
        path = self._transcripts.path(request.iteration, request.role, request.ordinal)
        try:
            found = self._transcripts.find(request.iteration, request.role, request.ordinal)
        except Damaged as error:
            raise LlmError(f"{path} is damaged: {error}", "replay another recording") from error
        if found is None:
            raise LlmError(
                f"the recording ends here: there is no {path}",
                "the run can go on with another llm=...",
            )
        if found.prompt_sha256 != prompt_hash(request):
            self._observer.warn(f"replay: {path.stem} answered another prompt than this run's")
        return found.reply

    def _recorded(self, role: Role) -> Iterator[Transcript]:
        for name in sorted(name for name in self._transcripts.names() if name[1] == role):
            with suppress(Damaged):
                if found := self._transcripts.find(*name):
                    yield found
