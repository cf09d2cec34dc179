"""What calls took, as the trail tells it: read from the journal."""

from collections.abc import Iterable, Mapping
from typing import Any

_TOLD = ("role", "model", "prompt_tokens", "completion_tokens", "usd", "seconds", "prompt",
         "transcript")  # fmt: skip


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
