"""Reads replies of language models: whole files in fences, a subject and a body, JSON.

A reply is hostile text of any form. Whatever it is, it is read, or ``Unusable`` says why not.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from improve_git.contract import FUNCTIONS
from improve_git.messages import WIDTH, one_line

MAX_BODY = 2_000  # characters
MAX_CHARACTERS = 4_000_000  # beyond this a reply is not even looked through
PYTHON = {"", "python", "python3", "py"}
_FENCE = re.compile(r"^([ \t]*)(`{3,}+|~{3,}+)([^`]*)$")
_NAME = re.compile(r"(?<![\w.-])(?:[\w.-]+/)*([\w-]+\.py)(?![\w.-])")
_NAME_LINE = re.compile(
    r"^[\s#>*_`:.\d-]*(?:file(?:name)?\W{1,4})?(?:[\w.-]+/)*([\w-]+\.py)[\s*_`:]*$", re.IGNORECASE
)
_LABEL = re.compile(r"^[\s*_#>`-]*(subject|body)[\s*_`]*:[\s*_`]*(.*)$", re.IGNORECASE)
_THOUGHTS = re.compile(r"\A\s*<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL)
_OBJECTS = 200  # opening braces that are tried


class Unusable(Exception):
    """A reply cannot be used; the text says why, in one line that goes back to the model."""


@dataclass(frozen=True)
class Block:
    """What stood in one fence."""

    source: str
    language: str
    name: str  # of the file, as the reply tells it; "": untold


@dataclass(frozen=True)
class Written:
    """A reply with files: the blocks, and the text around them."""

    blocks: list[Block]
    subject: str
    body: str


def read_file(text: str, wanted: str) -> tuple[str, str, str]:
    """Return source, subject and body of a reply with one whole file named ``wanted``.

    Raises:
        Unusable: there is not exactly one, or it is another file.
    """
    written = read_written(text)
    files = _python_blocks(written)
    if len(files) > 1:
        raise Unusable(
            f"{len(files)} fenced files where one is asked for; which to take is unclear"
        )
    if files[0].name not in ("", wanted):
        raise Unusable(f"the wrong file: {one_line(files[0].name, 60)}, not {wanted}")
    return files[0].source, written.subject, written.body


def read_files(text: str) -> tuple[dict[str, str], str, str]:
    """Return the three files, subject and body of a reply with a whole pipeline.

    Raises:
        Unusable: a file is missing, there twice, or of an unknown name.
    """
    written = read_written(text)
    files: dict[str, str] = {}
    for block in _python_blocks(written):
        name = block.name or _name_by_functions(block.source)
        if not name:
            raise Unusable("a fenced file without a name: put the name on the fence")
        if name not in FUNCTIONS:
            raise Unusable(f"the wrong file: {one_line(name, 60)}; only {', '.join(FUNCTIONS)}")
        if name in files:
            raise Unusable(f"{name} is there twice; which to take is unclear")
        files[name] = block.source
    missing = [name for name in FUNCTIONS if name not in files]
    if missing:
        raise Unusable(f"{' and '.join(missing)} missing; all three files are asked for")
    return {name: files[name] for name in FUNCTIONS}, written.subject, written.body


def read_written(text: str) -> Written:
    """Return a reply's blocks, subject and body.

    Raises:
        Unusable: it is empty, has no fence, or ends inside one.
    """
    blocks: list[Block] = []
    labels: dict[str, list[str]] = {"subject": [], "body": []}
    label = ""
    length = 0  # of the body
    for part in _parts(_text_of(text)):
        if isinstance(part, Block):
            blocks.append(part)
            label = ""  # a body ends where a file begins
        elif (found := _LABEL.match(part)) and not labels[found[1].lower()]:
            label = found[1].lower()
            labels[label].append(found[2].rstrip("*_` "))
        elif label == "body" and length < MAX_BODY and (part or labels["body"][-1]):
            labels["body"].append(part)
            length += len(part) + 1
    if not blocks:
        raise Unusable("prose only, no fenced file")
    subject = "".join(labels["subject"])[:1000]
    return Written(blocks, one_line(subject, WIDTH), "\n".join(labels["body"]).strip()[:MAX_BODY])


def read_json(text: str) -> dict[str, Any]:
    """Return the JSON object that a reply holds: alone, in a fence, or in the midst of text.

    Raises:
        Unusable: there is none, or several.
    """
    text = _text_of(text)
    if (alone := _object(text)) is not None:
        return alone
    try:
        fences = [part for part in _parts(text) if isinstance(part, Block)]
    except Unusable:  # an open fence may still hold all that is asked for
        fences = []
    objects = [found for block in fences if (found := _object(block.source)) is not None]
    if not objects:
        objects = list(_objects(text))
    if not objects:
        raise Unusable("no JSON object that can be read" if "{" in text else "no JSON object")
    if len(objects) > 1:
        raise Unusable(f"{len(objects)} JSON objects where one is asked for")
    return objects[0]


def _text_of(text: str) -> str:
    """Return what is to be read of a reply: without leading thoughts, with plain line ends."""
    if len(text) > MAX_CHARACTERS:
        raise Unusable(f"too long: {len(text):,} characters")
    text = _THOUGHTS.sub("", text).replace("\r\n", "\n")
    if not text.strip():
        raise Unusable("empty")
    return text


def _parts(text: str) -> Iterator[Block | str]:
    """Yield blocks and the lines outside them, in order.

    A fence is closed by one of its own kind that is at least as long and stands no deeper, as
    CommonMark has it, so that shorter fences inside a file stay part of it.
    """
    lines = iter(text.split("\n"))
    above = ""  # the last line that is not blank
    for line in lines:
        opening = _FENCE.match(line)
        if not opening:
            above = line if line.strip() else above
            yield line
            continue
        indent, fence, info = opening[1], opening[2], opening[3].strip()
        content = []
        for inner in lines:
            if _closes(inner, indent, fence):
                break
            content.append(_without(indent, inner))
        else:
            raise Unusable("cut off: the fence around the file is never closed")
        source = "".join(f"{inner}\n" for inner in content)
        yield Block(source, _language(info[:200]), _name(info[:200], above, content))
        above = ""


def _closes(line: str, indent: str, fence: str) -> bool:
    bare = line.strip(" \t")
    deep = len(line) - len(line.lstrip(" \t"))
    return bare != "" and set(bare) == {fence[0]} and len(bare) >= len(fence) and (
        deep <= len(indent) + 3
    )  # fmt: skip


def _without(indent: str, line: str) -> str:
    """Return a line without the fence's own indentation, as far as it has it."""
    if line.startswith(indent):
        return line[len(indent) :]
    return line.lstrip(" \t") if indent and line[: len(indent)].isspace() else line


def _language(info: str) -> str:
    """Return a fence's language; "" where its first word is a file's name."""
    word = re.split(r"[\s:,{=]", info, maxsplit=1)[0].lower()
    return "" if word.endswith(".py") else word


def _name(info: str, above: str, content: list[str]) -> str:
    """Return the file's name from the fence, the line above it, or the file's first line."""
    told = _NAME.search(info)
    if told:
        return told[1].lower()
    first = content[0] if content and content[0].lstrip().startswith("#") else ""
    for line in (above, first):
        if len(line) <= 120 and (found := _NAME_LINE.match(line)):
            return found[1].lower()
    return ""


def _name_by_functions(source: str) -> str:
    """Return which file of the contract a source is, by the functions that it defines."""
    fitting = [
        name
        for name, functions in FUNCTIONS.items()
        if all(re.search(rf"^(?:async )?def {function}\b", source, re.M) for function in functions)
    ]
    return fitting[0] if len(fitting) == 1 else ""


def _python_blocks(written: Written) -> list[Block]:
    files = [b for b in written.blocks if b.language in PYTHON or b.name]
    if not files:
        languages = ", ".join(sorted({one_line(b.language, 20) for b in written.blocks}))
        raise Unusable(f"no fenced Python file, only {languages}: write the whole file")
    return files


def _object(text: str) -> dict[str, Any] | None:
    found = _decoded(json.loads, text)
    return found if isinstance(found, dict) else None


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """Yield the objects that stand in a text, outermost ones only."""
    decoder = json.JSONDecoder()
    place = text.find("{")
    for _ in range(_OBJECTS):
        if place < 0:
            return
        end = place + 1
        found = _decoded(lambda at: decoder.raw_decode(text, at), place)
        if found and isinstance(found[0], dict):
            if found[0]:
                yield found[0]
            end = found[1]
        place = text.find("{", end)


def _decoded(decode: Callable[[Any], Any], what: Any) -> Any:
    try:
        return decode(what)
    except (ValueError, RecursionError):
        return None
