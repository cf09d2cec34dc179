"""What the iterations that are left may take, and from what that is reckoned."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from statistics import fmean, median
from typing import TYPE_CHECKING, Any

from improve_git.domain import COMPONENTS, Assignment, Context, Role
from improve_git.errors import TeamError
from improve_git.iteration.briefing import allowed, context_of, first_context
from improve_git.llm.base import Llm, Reply, Request
from improve_git.llm.reckoning import prompt_tokens
from improve_git.pipeline import Pipeline
from improve_git.teams.base import Team
from improve_git.trail.history import History, read_history, read_record

if TYPE_CHECKING:
    from improve_git.settings.schema import Settings

NEWEST = 10  # attempts that tell what is usual
ENOUGH_CALLS = 6  # of a role, to trust the journal
# Until the journal tells: tokens of a reply, and replies for one that can be used.
USUAL_REPLY: Mapping[str, int] = {"analyst": 600, "engineer": 3_500}
USUAL_TRIES = 1.3  # repairs and replies that have to be asked for again
FRESH = Assignment("train", "estimate", "To be measured. " * 12, "What is to be done. " * 40)


@dataclass(frozen=True)
class Estimate:
    """What a run may take. None: not known yet."""

    iterations: int
    hours: float | None
    hours_from: str
    tokens: int | None  # None: no language model is asked
    usd: float | None
    llm_from: str


def estimate(pipeline: Pipeline, llm: Llm | None, team_of: Callable[[Llm], Team]) -> Estimate:
    """Reckon what the iterations that are left may take; nothing is asked or trained.

    Args:
        pipeline: what would be improved.
        llm: who would be asked; None for the playbook.
        team_of: makes the team on such an Llm, to see what it would ask.
    """
    history = read_history(pipeline.repo)
    snapshot = pipeline.snapshot(pipeline.main())
    left = max(0, snapshot.settings.budget.iterations - len(history.decided))
    newest = history.main[-1] if history.main else None
    known = read_record(pipeline.repo, newest.trailers.get("Record")) if newest else None
    hours, hours_from = _hours(pipeline, history, left)
    if llm is None:
        return Estimate(left, hours, hours_from, None, None, "no language model: nothing to pay")
    if known and known.get("status") == "ok":
        context = context_of(
            pipeline, snapshot, history,
            number=0, measured=known, usual_seconds=known["train_seconds"],
        )  # fmt: skip
    else:
        context = first_context(snapshot)
    tokens, usd, told = _calls(pipeline, llm, team_of, context, snapshot.settings)
    total = None if usd is None else usd * left
    return Estimate(left, hours, hours_from, ceil(tokens * left), total, told)


def _hours(pipeline: Pipeline, history: History, left: int) -> tuple[float | None, str]:
    """Return the hours of training and predicting, and where the figure comes from."""
    seconds = [event["seconds"] for event in pipeline.journal.events("result")][-NEWEST:]
    where = f"the newest measurements here, {len(seconds)} of them"
    if not seconds:
        seconds = [s.train_seconds for s in history.main[:1] if s.train_seconds]
        where = "the baseline's training"
    if not seconds:
        return None, "nothing is measured yet: the baseline will tell"
    # How many trainings an iteration takes, under a rule that asks for several.
    looks = [max(1, attempt.looks) for attempt in history.decided[-NEWEST:]] or [1]
    return fmean(seconds) * fmean(looks) * left / 3600, where


def _calls(
    pipeline: Pipeline,
    llm: Llm,
    team_of: Callable[[Llm], Team],
    context: Context,
    settings: "Settings",
) -> tuple[float, float | None, str]:
    """Return the tokens and US dollars of one iteration, and where the figures come from."""
    events = pipeline.journal.events("asked")
    components = allowed(settings)
    roles: tuple[Role, ...] = ("analyst", *components)
    parts = [_role(llm, team_of, context, events, "analyst")]
    each = [_role(llm, team_of, context, events, component) for component in components]
    tokens = parts[0][0] + fmean(part[0] for part in each)
    prices = [part[1] for part in (*parts, *each)]
    known = [price for price in prices if price is not None]
    usd = known[0] + fmean(known[1:]) if len(known) == len(prices) else None
    models = ", ".join(dict.fromkeys(llm.model_of(role) for role in roles))
    told = (
        f"the newest calls here, {len(events)} in all"
        if len(events) >= ENOUGH_CALLS
        else f"the prompts as they would be now, replies of {USUAL_REPLY['analyst']} and "
        f"{USUAL_REPLY['engineer']} tokens, {USUAL_TRIES} replies for one that can be used"
    )
    return tokens, usd, f"{models}; {told}"


def _role(
    llm: Llm,
    team_of: Callable[[Llm], Team],
    context: Context,
    events: Sequence[Mapping[str, Any]],
    role: Role,
) -> tuple[float, float | None]:
    """Return the tokens and US dollars that a role takes in an iteration of its own."""
    own = [event for event in events if event["role"] == role and event["iteration"]]
    own = own[-NEWEST:]
    if len(own) >= ENOUGH_CALLS:
        calls = len(own) / len({event["iteration"] for event in own})
        prompt = median(event["prompt_tokens"] for event in own)
        reply = median(event["completion_tokens"] for event in own)
    else:
        calls = USUAL_TRIES
        prompt = prompt_tokens(_overhear(llm, team_of, context, role))
        reply = USUAL_REPLY["analyst" if role == "analyst" else "engineer"]
    usd = llm.price(role, ceil(prompt), ceil(reply))
    return calls * (prompt + reply), None if usd is None else calls * usd


def _overhear(llm: Llm, team_of: Callable[[Llm], Team], context: Context, role: Role) -> Request:
    listener = _Listener(llm)
    team = team_of(listener)
    try:
        if role in COMPONENTS:
            team.rewrite(replace(FRESH, component=role), context)
        else:
            team.assign(context)
    except TeamError:
        pass
    return listener.requests[0]


class _Listener:
    """Stands where the language model would, hears the question and answers nothing."""

    def __init__(self, llm: Llm) -> None:
        self.requests: list[Request] = []
        self.model_of = llm.model_of
        self.sees_images = llm.sees_images
        self.price = llm.price

    def ask(self, request: Request) -> Reply:
        self.requests.append(request)
        raise TeamError("only overheard")
