"""One call to a provider: tries again where that helps, and a hard end to waiting."""

import asyncio
import random
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from improve_git.errors import LlmError
from improve_git.llm import faults
from improve_git.llm.base import NotCharged
from improve_git.llm.providers import Model
from improve_git.llm.reckoning import MAX_REPLY

if TYPE_CHECKING:
    from tenacity import RetryCallState

TRIES, TRIES_TO_CONNECT = 8, 4
_LONGEST_PAUSE = 60.0  # seconds, unless the provider asks for more
# What servers without a parser for it send along: the model's thoughts, before its answer.
_THOUGHTS = re.compile(r"\A\s*<think>.*?</think>\s*", re.DOTALL)


@dataclass(frozen=True)
class Answer:
    """What a provider answered."""

    text: str
    cut_off: bool
    usage: Any  # as litellm tells it; None: the provider told nothing


class NoAnswer(Exception):
    """One model did not answer in time; another may."""

    def __init__(self, problem: LlmError) -> None:
        super().__init__(problem.message)
        self.problem = problem


class Call:
    """A call of litellm's chat function, repeated while that is worth it and there is time."""

    def __init__(
        self,
        chat: Callable[..., Awaitable[Any]],
        model: Model,
        options: Mapping[str, Any],
        *,
        seconds: float,
        pause: float,
        say: Callable[[str], None],
        charges: int | None = None,
    ) -> None:
        """Prepare the call.

        Args:
            chat: litellm's ``acompletion``.
            model: who is asked, for messages.
            options: the arguments of ``chat``.
            seconds: after which the waiting ends, tries again included.
            pause: seconds before the second try; it doubles from try to try.
            say: hears of each wait.
            charges: how many tries may be charged before a cap breaks; None: no cap is set.
        """
        self._chat = chat
        self._model = model
        self._options = dict(options)
        self._seconds = seconds
        self._pause = pause
        self._say = say
        self._charges = charges
        self.tries = 0
        self.lost = 0  # tries that may have been charged, and brought nothing
        self.schema_refused = False

    async def persist(self) -> Answer:
        """Return the answer.

        Raises:
            NoAnswer: there is none in time.
            LlmError: another try would not help.
        """
        from tenacity import AsyncRetrying, retry_if_exception, stop_before_delay

        too_late = stop_before_delay(self._seconds)
        persisting = AsyncRetrying(
            retry=retry_if_exception(lambda e: isinstance(e, _errors()) and faults.is_temporary(e)),
            wait=self._wait,
            stop=lambda state: self._is_enough(state) or too_late(state),
            before_sleep=self._tell,
            reraise=True,
        )
        try:
            async with asyncio.timeout(self._seconds):
                return await persisting(self._once)
        except TimeoutError:
            self.lost += 1
            raise NoAnswer(self._gave_up("")) from None
        except _errors() as error:
            if faults.is_temporary(error):
                raise NoAnswer(self._gave_up_on(error)) from error
            problem = faults.explained(error, self._model, self._options.get("api_base"))
            raise (LlmError(problem.message, problem.fix) if self.lost else problem) from error

    async def _once(self) -> Answer:
        self.tries += 1
        try:
            return await self._with_or_without_schema()
        except _errors() as error:
            self.lost += not faults.is_free(error)
            raise

    async def _with_or_without_schema(self) -> Answer:
        try:
            return await self._ask()
        except _errors() as error:
            if "response_format" not in self._options or not faults.is_about_the_request(error):
                raise
        del self._options["response_format"]
        answer = await self._ask()
        self.schema_refused = True
        return answer

    async def _ask(self) -> Answer:
        response = await self._chat(**self._options)
        if self._options.get("stream"):
            return await _collected(response)
        # A provider may answer with no choice, or a choice without a text.
        choice = next(iter(response.choices or ()), None)
        text = choice.message.content if choice else None
        finish = choice.finish_reason if choice else None
        return Answer(_said(text), finish == "length", getattr(response, "usage", None))

    def _wait(self, state: "RetryCallState") -> float:
        """Return the pause before the next try: what the provider asks for, or ever longer."""
        asked = faults.retry_after(_error_of(state))
        usual = min(_LONGEST_PAUSE, self._pause * 2 ** (state.attempt_number - 1))
        # The jitter keeps runs that failed together from coming back together.
        return (usual if asked is None else asked) + random.uniform(0, self._pause)

    def _is_enough(self, state: "RetryCallState") -> bool:
        if self._may_break_a_cap():
            return True
        unreachable = faults.is_unreachable(_error_of(state))
        return state.attempt_number >= (TRIES_TO_CONNECT if unreachable else TRIES)

    def _may_break_a_cap(self) -> bool:
        return self._charges is not None and self.lost >= self._charges

    def _tell(self, state: "RetryCallState") -> None:
        reason = faults.told(_error_of(state))
        self._say(f"{self._model.name}: {reason}; again in {state.upcoming_sleep:.0f} s")

    def _gave_up(self, reason: str) -> LlmError:
        count = "1 try" if self.tries == 1 else f"{self.tries} tries"
        if self._may_break_a_cap():
            count += ", for a cap may break with more"
        kind = LlmError if self.lost else NotCharged
        return kind(
            f"{self._model.group} ({self._model.name}): no answer within {self._seconds:g} s, "
            f"after {count}{reason and f': {reason}'}",
            f"{faults.LATER}; llm.timeout=SECONDS waits longer, llm.fallback=MODEL asks another",
        )

    def _gave_up_on(self, error: BaseException) -> LlmError:
        if not faults.is_unreachable(error):
            return self._gave_up(faults.told(error))
        where = self._options.get("api_base") or "its address"
        kind = LlmError if self.lost else NotCharged
        return kind(
            f"{self._model.group} ({self._model.name}) cannot be reached at {where}",
            f"start that server, or check llm.api_base and the network; then {faults.LATER}",
        )


async def _collected(stream: Any) -> Answer:
    """Put a streamed answer together; what is longer than any good answer is not waited for."""
    pieces: list[str] = []
    size, finish, usage = 0, None, None
    async for chunk in stream:
        usage = getattr(chunk, "usage", None) or usage
        for choice in (chunk.choices or ())[:1]:
            piece = choice.delta.content or ""
            pieces.append(piece)
            size += len(piece.encode("utf-8", "replace"))
            finish = choice.finish_reason or finish
        if size > MAX_REPLY:
            await stream.aclose()
            return Answer(_said("".join(pieces)), True, None)
    # litellm says "stop" of a stream that just broke off, and counts tokens that nobody told.
    broken = getattr(stream, "received_finish_reason", finish) is None
    told = any(getattr(chunk, "usage", None) for chunk in getattr(stream, "chunks", [None]))
    return Answer(_said("".join(pieces)), broken or finish == "length", usage if told else None)


def _said(text: Any) -> str:
    return _THOUGHTS.sub("", text, count=1) if isinstance(text, str) else ""


def _error_of(state: "RetryCallState") -> BaseException:
    error = state.outcome.exception() if state.outcome else None
    assert error
    return error


def _errors() -> tuple[type[Exception], ...]:
    """Return what litellm raises: its own errors are kinds of OpenAI's."""
    from httpx import HTTPError
    from openai import OpenAIError

    return OpenAIError, HTTPError
