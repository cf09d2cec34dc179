"""Tokens reckoned from bytes, where nobody has counted them."""

from improve_git.llm.base import Request

BYTES_A_TOKEN = 3  # code and prose take 3 to 4: rather too many tokens than too few
TOKENS_AN_IMAGE = 1500
MAX_REPLY = 2_000_000  # bytes; more is no answer


def tokens(text: str) -> int:
    """Return how many tokens a text takes at most, as a rule."""
    return -(-len(text.encode("utf-8", "replace")) // BYTES_A_TOKEN)


def prompt_tokens(request: Request) -> int:
    """Return how many tokens a prompt takes at most, as a rule."""
    text = sum(len(message.text.encode("utf-8", "replace")) for message in request.messages)
    return -(-text // BYTES_A_TOKEN) + TOKENS_AN_IMAGE * len(request.images)


def shortened(text: str) -> tuple[str, bool]:
    """Return at most ``MAX_REPLY`` bytes of a reply, and whether that cut it off."""
    raw = text.encode("utf-8", "replace")
    return raw[:MAX_REPLY].decode("utf-8", "ignore"), len(raw) > MAX_REPLY
