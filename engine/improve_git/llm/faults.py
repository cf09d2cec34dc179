"""What a provider's errors mean: worth another try, certainly free of charge, or for the user.

The errors are litellm's, known here by what they carry; only ``hosted`` imports it.
"""

import json
import math
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from email.utils import parsedate_to_datetime

from improve_git.errors import LlmError
from improve_git.llm.base import NotCharged
from improve_git.llm.providers import Model
from improve_git.llm.secrets import scrub
from improve_git.messages import one_line

LATER = "run again later: the run carries on where it was"
# "litellm.RateLimitError: RateLimitError: OpenAIException - " says nothing to the user.
_PREFIXES = re.compile(r"^(?:(?:litellm\.)?\w+(?:Error|Exception)\b\s*[:-]\s*)+")
_NO_CREDIT = re.compile(r"insufficient.(?:quota|balance|credits?)|credit balance", re.IGNORECASE)
_CONTEXT = re.compile(r"context.{0,20}(?:length|window|size)|too many tokens", re.IGNORECASE)


def told(error: BaseException) -> str:
    """Return the provider's own words, in a line without secrets."""
    text = _PREFIXES.sub("", str(error)).strip()
    with suppress(ValueError, RecursionError):
        body = json.loads(text)
        for key in ("error", "message"):
            body = body.get(key, body) if isinstance(body, dict) else body
        text = str(body)
    return one_line(scrub(text.split("\n", 1)[0]), 200) or type(error).__name__


def is_temporary(error: BaseException) -> bool:
    """Say whether the same call may succeed a little later."""
    status = _status(error)
    return not _has_no_credit(error) and (status in (408, 409, 425, 429) or status >= 500)


def is_unreachable(error: BaseException) -> bool:
    """Say whether there was no connection at all."""
    return any(type(link).__name__ in ("ConnectError", "ConnectTimeout") for link in _chain(error))


def is_free(error: BaseException) -> bool:
    """Say whether the call was certainly not charged: refused, or never received."""
    status = _status(error)
    refused = status < 500 and status != 408  # which litellm says of its own waiting, too
    return is_unreachable(error) or refused or bool(_headers(error))


def is_about_the_request(error: BaseException) -> bool:
    """Say whether a refusal may be about an option of the call, rather than about the prompt."""
    if _status(error) >= 500:  # as llama.cpp's Python server answers to an option it has not
        return "response_format" in str(error)
    return _status(error) in (400, 422) and type(error).__name__ not in (
        "ContextWindowExceededError",
        "ContentPolicyViolationError",
    )


def retry_after(error: BaseException) -> float | None:
    """Return the seconds that a provider asks to wait, told as a number or as a date."""
    text = _headers(error).get("retry-after", "").strip()
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - time.time()
        except (ValueError, TypeError, OverflowError):
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def explained(error: BaseException, model: Model, address: str | None) -> LlmError:
    """Return what to tell the user of an error that another try would not mend."""
    who, key, words = f"{model.group} ({model.name})", model.provider.keys[0], told(error)
    status = _status(error)
    if status in (401, 403):
        return NotCharged(f"{who} refuses the key: {words}", f"check {key} in the environment")
    if status == 402 or _has_no_credit(error):
        return NotCharged(f"{who}: no credit: {words}", f"top up, or use another key in {key}")
    if status == 404:
        where = f", or llm.api_base={address}" if address else ""
        return NotCharged(f"{who} is not known there: {words}", f"check llm.model{where}")
    too_long = type(error).__name__ == "ContextWindowExceededError" or _CONTEXT.search(words)
    if status == 413 or too_long:
        return NotCharged(
            f"{who}: the prompt is too long: {words}",
            "set llm.model to one with a larger context, or lower llm.history_tokens and "
            "llm.max_tokens",
        )
    if status < 500:
        return NotCharged(
            f"{who} refuses the call: {words}",
            "see which of the llm settings it speaks of: improve-git run --cfg",
        )
    return LlmError(f"{who}: {words}", LATER)


def _has_no_credit(error: BaseException) -> bool:
    # Gemini says "exceeded your current quota" of its rate limits too: those end.
    return bool(_NO_CREDIT.search(f"{getattr(error, 'code', '')} {error}"))


def _status(error: BaseException) -> int:
    status = getattr(error, "status_code", None)
    return status if isinstance(status, int) else 500


def _headers(error: BaseException) -> dict[str, str]:
    """Return the headers of the answer that an error was made of; {} where none came."""
    headers = getattr(error, "litellm_response_headers", None)
    if not headers:
        headers = getattr(getattr(error, "response", None), "headers", None)
    try:
        return {str(key).lower(): str(value) for key, value in (headers or {}).items()}
    except (AttributeError, TypeError):
        return {}


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
