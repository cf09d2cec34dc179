"""The feed of a run: what another process sees of it, whatever is in it."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from improve_git import live
from improve_git.live import Feed, Live, Said, read_live


@pytest.fixture
def feed(tmp_path: Path) -> Feed:
    return Feed(tmp_path)


def texts(found: Live) -> list[tuple[str, str]]:
    return [(said.kind, said.text) for said in found.said]


def test_what_is_written_is_read(feed: Feed, tmp_path: Path) -> None:
    feed.say("sandbox: process")
    feed.doing("0003 model engineer (gpt) rewrites model.py")
    found = read_live(tmp_path)
    assert found.doing == "0003 model engineer (gpt) rewrites model.py"
    assert found.began <= found.doing_since
    feed.doing("")
    feed.begin("0003 model: wider", 12, 60.0)
    feed.event({"event": "phase", "name": "imports"})
    found = read_live(tmp_path)
    assert (found.doing, found.title, found.phase) == ("", "0003 model: wider", "imports")
    assert (found.epochs, found.stop_seconds) == (12, 60.0)
    feed.event({"event": "epoch", "epoch": 1, "loss": 0.5})
    feed.event({"event": "epoch", "epoch": 2, "loss": 0.25, "note": "a text", "bad": float("nan")})
    feed.warn("the disk is slow")
    found = read_live(tmp_path)
    assert found.phase == ""
    assert found.curve == ({"epoch": 1.0, "loss": 0.5}, {"epoch": 2.0, "loss": 0.25})
    assert texts(found) == [("say", "sandbox: process"), ("warn", "the disk is slow")]
    feed.end()
    assert read_live(tmp_path).title == ""


def test_a_verdict_begins_anew(feed: Feed, tmp_path: Path) -> None:
    began = read_live(tmp_path).began
    feed.say("0003 model Widen it")
    feed.verdict("merged", "Merge 0003")
    assert read_live(tmp_path) == Live(began=began, said=read_live(tmp_path).said)
    assert texts(read_live(tmp_path)) == [("merged", "Merge 0003")]


def test_the_feed_is_bounded(feed: Feed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "LARGEST", 5000)
    feed.begin("0001 model: chatty", 9, 60.0)
    for epoch in range(1000):
        feed.event({"event": "epoch", "epoch": epoch} | {f"figure {n}": n for n in range(50)})
    assert (tmp_path / "live.jsonl").stat().st_size < 6000
    found = read_live(tmp_path)
    assert found.title == "0001 model: chatty"
    assert found.curve[-1]["epoch"] == 999
    assert len(found.curve[-1]) == 8


def test_no_trouble_with_the_disk_reaches_the_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    feed = Feed(tmp_path / "file")  # no folder can be there
    feed.say("hello")
    feed.verdict("failed", "Fail 0001")
    assert read_live(tmp_path / "file") == Live()
    gone = Feed(tmp_path / "state")
    (tmp_path / "state" / "live.jsonl").unlink()
    gone.say("hello")
    assert texts(read_live(tmp_path / "state")) == [("say", "hello")]
    (tmp_path / "state" / "live.jsonl").unlink()
    (tmp_path / "state").rmdir()
    gone.say("into nothing")


def test_secrets_stay_out(feed: Feed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "correct-horse-battery")
    feed.warn("refused: correct-horse-battery is no key")
    assert "correct-horse" not in (tmp_path / "live.jsonl").read_text()


def test_neither_a_link_nor_a_pipe_is_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text('{"event": "say", "text": "a secret"}\n')
    (tmp_path / "live.jsonl").symlink_to(secret)
    assert read_live(tmp_path) == Live()
    (tmp_path / "live.jsonl").unlink()
    os.mkfifo(tmp_path / "live.jsonl")
    assert read_live(tmp_path) == Live()


LINES = st.one_of(
    st.binary(max_size=60),
    st.builds(
        lambda kind, fields: json.dumps({"event": kind} | fields).encode(),
        st.sampled_from(["run", "doing", "begin", "phase", "epoch", "end", "say", "verdict", "?"]),
        st.dictionaries(
            st.sampled_from(["text", "title", "since", "time", "epochs", "seconds", "figures"]),
            st.recursive(
                st.one_of(st.none(), st.text(), st.floats(), st.integers(), st.just(10**400)),
                lambda inner: st.dictionaries(st.text(), inner) | st.lists(inner),
                max_leaves=4,
            ),
        ),
    ),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(LINES))
def test_whatever_is_in_the_file_is_read(tmp_path: Path, lines: list[bytes]) -> None:
    (tmp_path / "live.jsonl").write_bytes(b"\n".join(lines))
    found = read_live(tmp_path)
    shown: list[Any] = [found.doing, found.title, found.phase, *(said.text for said in found.said)]
    shown += [key for row in found.curve for key in row]
    assert all(text.isprintable() for text in shown)
    assert all(isinstance(said, Said) for said in found.said)
    assert json.dumps([found.began, found.curve, found.epochs], allow_nan=False)
