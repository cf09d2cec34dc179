"""Documentation that cannot drift: docs/json.md names exactly the keys that come out."""

import json

import pytest
from command_line import Call
from example_trail import ExampleTrail
from json_page import keys_of, keys_on_page

from improve_git.journal import only_run
from improve_git.live import Feed


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
