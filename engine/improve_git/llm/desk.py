"""Where a team's questions go: secrets out, caps kept, every reply written down and paid once."""

import math
from collections.abc import Collection
from dataclasses import replace

from improve_git.domain import COMPONENTS, Role
from improve_git.errors import BudgetSpent, LlmError
from improve_git.journal import Journal
from improve_git.llm.base import (
    Backend,
    Keeping,
    MaybeCharged,
    Message,
    NotCharged,
    Reply,
    Request,
    Several,
)
from improve_git.llm.ledger import spend
from improve_git.llm.secrets import scrub
from improve_git.llm.transcripts import Damaged, Transcript, Transcripts, call_key, prompt_hash
from improve_git.observer import Observer
from improve_git.settings.schema import BudgetSettings


class Desk:
    """Implements ``Llm`` on top of a backend.

    The journal tells of a call before it is made, so that one that a crash cut short counts with
    its worst case. A reply that was paid for before a crash is found among the transcripts.
    """

    def __init__(
        self,
        backend: Backend,
        transcripts: Transcripts,
        journal: Journal,
        budget: BudgetSettings,
        observer: Observer,
    ) -> None:
        self._backend = backend
        self._transcripts = transcripts
        self._journal = journal
        self._budget = budget
        self._observer = observer
        self._told_unpriced = False

    def model_of(self, role: Role) -> str:
        """Return the name of who answers for a role."""
        return self._backend.model_of(role)

    def sees_images(self, role: Role) -> bool:
        """Say whether images may go along."""
        return self._backend.sees_images(role)

    def price(self, role: Role, prompt_tokens: int, completion_tokens: int) -> float | None:
        """Return the US dollars that a call of this size costs; None: no price is known."""
        return self._backend.price(role, prompt_tokens, completion_tokens)

    def ask(self, request: Request) -> Reply:
        """Answer, from a transcript where this very request was answered before a crash.

        A process that starts after a crash counts its ordinals from 1 again, so a call gets the
        first one that is free.

        Raises:
            LlmError: no answer can be had.
            BudgetSpent: the worst case would break a cap.
        """
        clean = replace(
            request, messages=tuple(Message(m.role, scrub(m.text)) for m in request.messages)
        )
        free, answered = self._look_up(clean)
        call = clean
        if free != clean.ordinal:
            call = replace(clean, ordinal=free, asked_as=clean.ordinal)
        if answered:
            return self._finish(call, answered)
        tokens, usd = self._backend.worst_case(call)
        call = replace(call, charges=self._check_caps(call.role, tokens, usd))
        key = call_key(call.iteration, call.role, call.ordinal)
        about = {"call": key, "iteration": call.iteration, "role": call.role}
        self._journal.append("asking", **about, tokens=tokens, usd=usd)
        self._observer.doing(_work(call, self.model_of(call.role)))
        try:
            reply = self._backend.complete(call)
        except BaseException as error:
            times = _times_charged(error, free=not tokens and usd == 0)
            if times is not None:
                usd = 0.0 if times == 0 else usd and usd * times
                self._journal.append("failed-call", **about, tokens=tokens * times, usd=usd)
            raise
        finally:
            self._observer.doing("")
        return self._finish(
            call, self._transcripts.add(call, replace(reply, text=scrub(reply.text)))
        )

    def _finish(self, call: Request, written: Transcript) -> Reply:
        """Tell that a call is over, now that its transcript is written."""
        self._close(written)
        if isinstance(self._backend, Keeping):
            self._backend.clear(call)
        return written.reply

    def _look_up(self, request: Request) -> tuple[int, Transcript | None]:
        """Return the first free ordinal, and the transcript that answers this very request.

        A reply of a model that is no longer asked answers nothing: it may be why that changed.
        """
        prompt = prompt_hash(request)
        asked = self._answering(request.role)
        ordinal = request.ordinal
        while True:
            try:
                found = self._transcripts.find(request.iteration, request.role, ordinal)
            except Damaged:
                ordinal += 1
                continue
            if found is None:
                return ordinal, None
            if found.prompt_sha256 == prompt and found.reply.model in asked:
                return ordinal, found
            ordinal += 1

    def _answering(self, role: Role) -> Collection[str]:
        backend = self._backend
        return backend.answers(role) if isinstance(backend, Several) else [backend.model_of(role)]

    def _close(self, transcript: Transcript) -> None:
        """Tell the journal what a call took, once."""
        closed = {event.get("transcript") for event in self._journal.events("asked")}
        if transcript.sha256 in closed:
            return
        reply = transcript.reply
        self._journal.append(
            "asked",
            call=transcript.key,
            iteration=transcript.iteration,
            role=transcript.role,
            model=reply.model,
            tokens=reply.prompt_tokens + reply.completion_tokens,
            prompt_tokens=reply.prompt_tokens,
            completion_tokens=reply.completion_tokens,
            usd=reply.cost_usd,
            seconds=round(reply.seconds, 3),
            prompt=transcript.prompt_sha256,
            transcript=transcript.sha256,
        )

    def _check_caps(self, role: Role, tokens: int, usd: float | None) -> int | None:
        """Return how often the worst case may be charged without breaking a cap; None: no cap.

        Raises:
            BudgetSpent: not even once.
            LlmError: a cap of money cannot be kept.
        """
        budget, spent = self._budget, spend(self._journal.events())
        if budget.tokens is not None and tokens and spent.tokens + tokens > budget.tokens:
            raise BudgetSpent(
                f"{spent.tokens:,} tokens are spent, and the next call may take {tokens:,}: "
                f"more than budget.tokens={budget.tokens}",
                f"improve-git run budget.tokens={_round_up(spent.tokens + 10 * tokens)}",
            )
        charges = []
        if budget.tokens is not None and tokens:
            charges.append((budget.tokens - spent.tokens) // tokens)
        if budget.usd is None:
            return min(charges, default=None)
        if usd is None:
            raise LlmError(
                f"the price of {self.model_of(role)} is unknown, so budget.usd cannot be kept",
                "set llm.price.input and llm.price.output (US dollars for a million tokens), "
                "or cap with budget.tokens and budget.usd=null",
            )
        if spent.unpriced and not self._told_unpriced:
            self._told_unpriced = True
            self._observer.warn(
                f"budget.usd leaves out {spent.unpriced} earlier calls: their price is unknown"
            )
        if usd and spent.usd + usd > budget.usd:
            raise BudgetSpent(
                f"${spent.usd:.4f} is spent, and the next call may take ${usd:.4f}: "
                f"more than budget.usd={budget.usd:g}",
                f"improve-git run budget.usd={math.ceil(100 * spent.usd + 1000 * usd) / 100:g}",
            )
        if usd:
            charges.append(max(1, int((budget.usd - spent.usd) / usd)))
        return min(charges, default=None)


def _work(call: Request, model: str) -> str:
    """Return what an agent is asked to do, in a line: ``0007 model engineer (gpt): ...``."""
    again = call.ordinal > 1
    if call.role in COMPONENTS:
        who, what = f"{call.role} engineer", f"{'repairs' if again else 'rewrites'} {call.role}.py"
    elif call.role == "analyst":
        who, what = "analyst", "chooses what to try" + " anew" * again
    else:
        who, what = "architect", "writes the first pipeline" + " anew" * again
    return f"{call.iteration:04d} {who} ({model}) {what}"


def _times_charged(error: BaseException, free: bool) -> int | None:
    """Return how often a call that failed may have been charged; None: nobody knows yet."""
    if free or isinstance(error, NotCharged):
        return 0
    if isinstance(error, MaybeCharged):
        return error.times
    return 1 if isinstance(error, LlmError) else None


def _round_up(tokens: int) -> int:
    step = int(10 ** max(0, len(str(tokens)) - 2))
    return -(-tokens // step) * step
