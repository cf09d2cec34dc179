"""Takes secrets out of text before it is sent, kept or committed."""

import os
import re

_NAMES = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL", re.IGNORECASE)
_SHORTEST = 8  # characters; a shorter value stands in ordinary text too often
_GONE = "[secret removed]"
# A digit is asked for where a hyphenated word could look the same: sk-learn-based-pipeline.
# It is looked for nearby alone: to the end of the text from each place would take hours.
_PATTERNS = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|\bsk-(?=[\w-]{0,100}\d)[\w-]{20,}"  # OpenAI, Anthropic (sk-ant-), OpenRouter (sk-or-)
    r"|\bhf_[A-Za-z0-9]{20,}"
    r"|\bAIza[\w-]{30,}"
    r"|\b(?:gh[pousr]_|github_pat_)\w{20,}"
    r"|\bAKIA[A-Z0-9]{16}\b"
    r"|(?<=\bBearer )(?=[\w.~+/=-]*\d)[\w.~+/=-]{16,}",
    re.ASCII | re.DOTALL,
)


def scrub(text: str) -> str:
    """Return the text without keys and passwords, and as valid Unicode.

    Removed are the values of environment variables whose names speak of secrets, and what has the
    form of a well-known kind of key. Scrubbing twice changes nothing more.
    """
    valid = text.encode("utf-8", "replace").decode()
    for value in _values():
        valid = valid.replace(value, _GONE)
    return _PATTERNS.sub(_GONE, valid)


def _values() -> list[str]:
    """Return the environment's secrets, the longest first: one may be part of another."""
    named = {value.strip() for name, value in os.environ.items() if _NAMES.search(name)}
    return sorted((v for v in named if len(v) >= _SHORTEST and v not in _GONE), key=len)[::-1]
