"""Documentation that cannot drift: docs/json.md names exactly the keys that come out."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from command_line import Call
from example_trail import ExampleTrail

from improve_git.journal import only_run
from improve_git.live import Feed

PAGE = Path(__file__).parents[2] / "docs" / "json.md"
# What is handed on as it was found: its keys are not this program's.
AS_FOUND = {"curve", "main_curve", "figures", "record", "failures"}


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
    ("command", "words"), [("log", []), ("show", ["1"]), ("diff", ["1"]), ("diff", ["--best"])]
)
def test_the_page_names_the_keys(
    example: ExampleTrail, call: Call, command: str, words: list[str]
) -> None:
    said = json.loads(call(command, *words, "-C", example.repo.folder, "--json").out)
    found = [key.removeprefix("[].") for key in keys_of(said)]
    assert sorted(found) == sorted(keys_on_page(command))


def test_the_page_names_the_keys_of_status(example: ExampleTrail, call: Call) -> None:
    folder = example.repo.folder
    (folder / "model.py").write_text("my own edit\n")
    with only_run(example.pipeline.state):
        feed = Feed(example.pipeline.state)
        feed.begin("0005 train: warm-up", 10, 60.0)
        feed.event({"event": "epoch", "epoch": 1, "loss": 0.5})
        feed.say("a line")
        said = json.loads(call("status", "-C", folder, "--json").out)
    assert sorted(keys_of(said)) == sorted(keys_on_page("status"))
