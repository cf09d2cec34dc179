"""Commit messages: composing them from hostile text, and reading their trailers back."""

import re
import textwrap
import unicodedata
from collections.abc import Mapping

WIDTH = 72
MAX_SLUG = 40
_TRAILER = re.compile(r"^([A-Za-z][A-Za-z0-9-]*): (.*)$", re.MULTILINE)
_ITEM = re.compile(r"\n(?=\s*(?:[-*] |[A-Z][A-Za-z-]*: ))")
_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def one_line(text: str, limit: int = 300) -> str:
    """Flatten text of an agent, a class name or a traceback to one printable line.

    Control, format (bidirectional ones too) and line-separating characters become spaces, so that
    it can neither forge a trailer nor steer a terminal.
    """
    visible = text
    if not text.isprintable():
        visible = "".join(c if _is_visible(c) else " " for c in text)
    flat = " ".join(visible.split())
    return flat if len(flat) <= limit else flat[: limit - 1].rstrip() + "…"


def wrapped(text: str) -> str:
    """Wrap a body paragraph by paragraph; list items and labels ("Source: ...") stay lines."""
    paragraphs = []
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        items = [one_line(item, 2000) for item in _ITEM.split(paragraph)]
        paragraphs.append("\n".join(_fill(item) for item in items if item))
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph)


def unwrapped(text: str) -> str:
    """Undo ``wrapped``: a paragraph's lines become one, list items and labels stay lines."""
    paragraphs = re.split(r"\n\s*\n", text.strip())
    return "\n\n".join(
        "\n".join(" ".join(item.split("\n")) for item in _ITEM.split(paragraph))
        for paragraph in paragraphs
    )


def compose(subject: str, body: str, trailers: Mapping[str, object]) -> str:
    """Put a commit message together. Trailers without a value (None or empty) are left out.

    The trailers are the last paragraph, so no text of the body can pass for one of them.
    """
    return _put_together(one_line(subject, WIDTH + 28), wrapped(body), _block(trailers))


def sign(message: str, trailers: Mapping[str, object]) -> str:
    """Return a person's message line by line as it is, with trailers as its last paragraph."""
    kept = "".join(c if c in "\n\t" or _is_visible(c) else " " for c in message)
    return _put_together(kept.strip(), _block(trailers))


def trailers(message: str) -> dict[str, str]:
    """Return the trailers of a message's last paragraph; {} where that is no block of trailers."""
    _, blank, last = message.strip().rpartition("\n\n")
    found = _TRAILER.findall(last) if blank else []
    return dict(found) if len(found) == len(last.splitlines()) else {}


def slug_of(title: str) -> str:
    """Return a title as part of a branch's name: [a-z0-9-], at most 40 characters."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    if len(slug) <= MAX_SLUG:
        return slug
    cut = slug[: MAX_SLUG + 1].rpartition("-")[0]  # whole words, where the first is not too long
    return cut or slug[:MAX_SLUG]


def _is_visible(character: str) -> bool:
    return unicodedata.category(character) not in _INVISIBLE


def _block(trailers: Mapping[str, object]) -> str:
    flat = {key: one_line(str(value)) for key, value in trailers.items() if value is not None}
    return "\n".join(f"{key}: {value}" for key, value in flat.items() if value)


def _put_together(*blocks: str) -> str:
    return "\n\n".join(block for block in blocks if block) + "\n"


def _fill(item: str) -> str:
    indent = "  " if item.startswith(("- ", "* ")) else ""
    return textwrap.fill(
        item, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def visible(text: str) -> str:
    r"""Return foreign text with its lines and tabs; what could steer a reader becomes \xNN."""
    return "".join(
        c
        if c in "\n\t" or unicodedata.category(c) not in _INVISIBLE
        else c.encode("unicode-escape", "surrogatepass").decode()
        for c in text
    )
