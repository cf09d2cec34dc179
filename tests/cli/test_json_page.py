"""Documentation that cannot drift: docs/json.md names exactly the keys that come out."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from command_line import Call
from example_trail import ExampleTrail

PAGE = Path(__file__).parents[2] / "docs" / "json.md"
# What is handed on as it was found: its keys are not this program's.
AS_FOUND = {"curve", "main_curve", "figures", "record"}


def keys_on_page(command: str) -> list[str]:
    """Return the keys that a command's section names, in its order."""
    section = PAGE.read_text().partition(f"\n## {command}\n")[2].partition("\n## ")[0]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return [key for cell in cells for key in re.findall(r"`([^`]+)`", cell)]


def keys_of(content: Any, path: str = "") -> list[str]:
    """Return the keys of what came out, each once: a list's element as ``list[].key``."""
    found: list[str] = []
    if isinstance(content, dict):
        for key, value in content.items():
            inner = keys_of(value, f"{path}{key}.") if key not in AS_FOUND else []
            of_list = isinstance(value, list) or not inner
            found += [*([f"{path}{key}"] if of_list else []), *inner]
    elif isinstance(content, list):
        for value in content:
            found += keys_of(value, path.removesuffix(".") + "[].")
    return list(dict.fromkeys(found))


@pytest.mark.parametrize(
    ("command", "words"), [("show", ["1"]), ("diff", ["1"]), ("diff", ["--best"])]
)
def test_the_page_names_the_keys(
    example: ExampleTrail, call: Call, command: str, words: list[str]
) -> None:
    said = json.loads(call(command, *words, "-C", example.repo.folder, "--json").out)
    assert sorted(keys_of(said)) == sorted(keys_on_page(command))
