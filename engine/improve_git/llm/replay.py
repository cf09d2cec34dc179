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
    """A backend that gives each call the reply recorded for its prompt.

    Where there is none, since a prompt tells measured times too, it gives the one recorded under
    the same iteration, role and ordinal.

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
        self._models: dict[Role, list[str]] = {}
        self._seeing: dict[Role, bool] = {}

    def model_of(self, role: Role) -> str:
        """Return who answered for the role first; "replay" where nobody did."""
        return next(iter(self.answers(role)), "replay")

    def answers(self, role: Role) -> list[str]:
        """Return the names of all who answered for the role."""
        if role not in self._models:
            replies = (found.reply for found in self._recorded(role))
            self._models[role] = list(dict.fromkeys(reply.model for reply in replies))
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
        prompt = prompt_hash(request)
        of_role = [t for t in self._transcripts.of(request.iteration) if t.role == request.role]
        same = [found for found in of_role if found.prompt_sha256 == prompt]
        if same:  # of two models that were asked the same, the recorded run went on with the last
            return same[-1].reply
        found = self._numbered(request, request.ordinal)
        if found is None and request.asked_as:
            found = self._numbered(request, request.asked_as)
        if found is None:
            path = self._transcripts.path(request.iteration, request.role, request.ordinal)
            raise LlmError(
                f"the recording ends here: there is no {path}",
                "the run can go on with another llm=...",
            )
        self._observer.warn(f"replay: {found.key} answered another prompt than this run's")
        return found.reply

    def _numbered(self, request: Request, ordinal: int) -> Transcript | None:
        try:
            return self._transcripts.find(request.iteration, request.role, ordinal)
        except Damaged as error:
            path = self._transcripts.path(request.iteration, request.role, ordinal)
            raise LlmError(f"{path} is damaged: {error}", "replay another recording") from error

    def _recorded(self, role: Role) -> Iterator[Transcript]:
        for name in sorted(name for name in self._transcripts.names() if name[1] == role):
            with suppress(Damaged):
                if found := self._transcripts.find(*name):
                    yield found
