"""What calls took, as the trail tells it: read from the journal."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_TOLD = ("role", "model", "prompt_tokens", "completion_tokens", "usd", "seconds", "prompt",
         "transcript")  # fmt: skip


@dataclass(frozen=True)
class Spend:
    """Tokens and money. ``usd`` leaves unknown prices out: ``unpriced`` counts those calls."""

    tokens: int = 0
    usd: float = 0.0
    calls: int = 0
    unpriced: int = 0


def llm_account(
    events: Iterable[Mapping[str, Any]], iteration: int | None = None
) -> dict[str, Any] | None:
    """Return the tokens, the cost and the calls of an iteration (None: of all); None without calls.

    The cost is None where the price of a call is unknown: a sum without it would tell too little.
    """
    calls = [
        event
        for event in events
        if event.get("event") == "asked" and iteration in (None, event.get("iteration"))
    ]
    if not calls:
        return None
    prices = [call["usd"] for call in calls if call.get("usd") is not None]
    return {
        "tokens": sum(call["tokens"] for call in calls),
        "cost_usd": None if len(prices) < len(calls) else round(sum(prices), 6),
        "calls": [{key: call[key] for key in _TOLD if key in call} for call in calls],
    }


def spend(events: Iterable[Mapping[str, Any]], iteration: int | None = None) -> Spend:
    """Return what calls have taken, by the journal's events; of one iteration or (None) of all.

    A call that was begun and never ended counts with its worst case. A call that was refused
    counts nothing.
    """
    begun: dict[str, list[Mapping[str, Any]]] = {}
    ended: list[Mapping[str, Any]] = []
    for event in events:
        if iteration not in (None, event.get("iteration")):
            continue
        key = str(event.get("call"))
        if event.get("event") == "asking":
            begun.setdefault(key, []).append(event)
        elif event.get("event") in ("asked", "failed-call"):
            if begun.get(key):
                begun[key].pop()
            ended.append(event)
    counted = [*ended, *(event for calls in begun.values() for event in calls)]
    counted = [event for event in counted if event["event"] != "failed-call" or event["tokens"]]
    prices = [event["usd"] for event in counted]
    return Spend(
        tokens=sum(event["tokens"] for event in counted),
        usd=sum(price for price in prices if price is not None),
        calls=len(counted),
        unpriced=prices.count(None),
    )
