import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from listening import request

from improve_git.llm.base import Message, Reply
from improve_git.llm.transcripts import Damaged, Transcripts, prompt_hash

REPLY = Reply("the answer\x00 ü", "m", True, 11, 7, 5, 0.25, 1.5, True)


def test_a_call_is_written_down_and_read_back(tmp_path: Path) -> None:
    folder = Transcripts(tmp_path / "deep" / "transcripts")
    asked = request(schema={"type": "object"}, images=(b"png",))
    assert folder.find(7, "analyst", 1) is None
    assert list(folder.names()) == []
    written = folder.add(asked, REPLY)
    assert folder.find(7, "analyst", 1) == written
    assert (written.messages, written.reply) == (asked.messages, REPLY)
    assert (written.key, written.schema, len(written.images)) == ("0007-analyst-1", True, 1)
    assert written.prompt_sha256 == prompt_hash(asked)
    [file] = folder.folder.iterdir()
    assert file.name == "0007-analyst-1.json"
    content = json.loads(file.read_text())
    assert content["reply"]["text"] == REPLY.text
    assert content["prompt_sha256"] == written.prompt_sha256
    assert len(written.sha256) == 64


def test_an_iterations_calls_are_listed(tmp_path: Path) -> None:
    folder = Transcripts(tmp_path)
    for role, ordinal in [("analyst", 1), ("data", 10), ("data", 2)]:
        folder.add(request(role=role, ordinal=ordinal), REPLY)  # type: ignore[arg-type]
    folder.add(request(iteration=8), REPLY)
    (tmp_path / "0007-data-11.json").write_text("{torn")
    (tmp_path / "notes.json").write_text("{}")
    found = {(t.role, t.ordinal) for t in folder.of(7)}
    assert found == {("analyst", 1), ("data", 2), ("data", 10)}
    assert folder.of(9) == []


def test_all_that_is_asked_counts_and_nothing_else() -> None:
    asked = request()
    same = {prompt_hash(request(iteration=9, ordinal=4)), prompt_hash(asked)}
    assert len(same) == 1
    others = [
        request("another question"),
        request(role="data"),
        request(schema={}),
        request(images=(b"png",)),
        replace(asked, messages=asked.messages[::-1]),
        replace(asked, messages=(*asked.messages, Message("user", "?"))),
    ]
    assert len({prompt_hash(other) for other in [asked, *others]}) == 1 + len(others)


@given(st.binary() | st.recursive(st.none() | st.floats() | st.text(), st.lists).map(
    lambda tree: json.dumps(tree).encode()
))  # fmt: skip
def test_a_file_that_is_no_transcript_is_damaged(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    folder = Transcripts(tmp_path_factory.mktemp("t"))
    folder.path(7, "data", 1).write_bytes(content)
    with pytest.raises(Damaged):
        folder.find(7, "data", 1)


@pytest.mark.parametrize(
    ("key", "value"),
    [("prompt_tokens", -1), ("cost_usd", "NaN"), ("seconds", "inf"), ("seconds", None)],
)
def test_impossible_numbers_are_damage(tmp_path: Path, key: str, value: object) -> None:
    folder = Transcripts(tmp_path)
    folder.add(request(), REPLY)
    path = folder.path(7, "analyst", 1)
    content = json.loads(path.read_text())
    content["reply"][key] = value
    path.write_text(json.dumps(content))
    with pytest.raises(Damaged):
        folder.find(7, "analyst", 1)
