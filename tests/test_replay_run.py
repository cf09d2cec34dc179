"""A whole run by agents, and the same run again from its transcripts, without a call."""

import re
from pathlib import Path

import pytest

from answering import Answering, with_agents
from improve_git.errors import LlmError
from improve_git.llm.base import Reply, Request
from improve_git.llm.replay import Replay
from improve_git.messages import trailers
from improve_git.observer import Silent
from improve_git.trail import writing
from improve_git.trail.history import read_history
from worlds import World, make_world

pytestmark = pytest.mark.usefixtures("clock")


def story(world: World) -> list[tuple[str, str, dict[str, str]]]:
    """Return the trail without what is measured in time and what names it."""
    told = []
    for commit in world.pipeline.repo.log("--branches", "--reverse", "--topo-order"):
        kept = {key: text for key, text in trailers(commit.message).items() if key != "Record"}
        message = re.sub(r"^Record: .*$", "", commit.message, flags=re.MULTILINE)
        told.append((commit.author.name, message, kept))
    return told


def test_a_run_from_transcripts_leaves_the_same_trail(photos: Path, tmp_path: Path) -> None:
    first = with_agents(make_world(photos, tmp_path / "first", []), Answering())
    assert first.run("budget.iterations=5") == "5 of 5 iterations are done"
    verdicts = [verdict for _, verdict, _ in first.verdicts()]
    assert verdicts == ["merged", "rejected", "merged", "merged", "rejected"]
    attempt = read_history(first.pipeline.repo).attempts[1]
    told = trailers(first.pipeline.repo.log("-1", attempt.commit)[0].message)
    assert (told["LLM-Tokens"], told["LLM-Cost-USD"]) == ("330", "0.0030")  # asked twice to write

    again = make_world(photos, tmp_path / "again", [])
    with_agents(again, Replay(first.pipeline.state / "transcripts", Silent()))
    assert again.run("budget.iterations=5") == "5 of 5 iterations are done"
    assert story(again) == story(first)
    with pytest.raises(LlmError, match="0006-analyst-1"):
        again.run("budget.iterations=6")


def test_a_paid_reply_survives_a_crash(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Counting(Answering):
        calls = 0

        def complete(self, request: Request) -> Reply:
            self.calls += 1
            return super().complete(request)

    def die(*_: object, **__: object) -> str:
        raise KeyboardInterrupt

    backend = Counting()
    world = with_agents(make_world(photos, tmp_path / "pipeline", []), backend)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(writing, "rewrite", die)  # after the reply, before its commit
        world.run("budget.iterations=1")
    assert backend.calls == 2
    with_agents(world, backend)  # another process
    assert world.run("budget.iterations=1") == "1 of 1 iterations are done"
    assert backend.calls == 2
    assert [e["role"] for e in world.pipeline.journal.events("asked")] == ["analyst", "model"]


def test_a_cap_ends_the_run_before_the_call_that_could_break_it(
    photos: Path, tmp_path: Path
) -> None:
    world = with_agents(make_world(photos, tmp_path / "pipeline", []), Answering(), tokens=1200)
    ending = world.run("budget.iterations=5")
    assert "more than budget.tokens=1200" in ending
    assert world.verdicts()[0][1] == "merged"
    spent = sum(event["tokens"] for event in world.pipeline.journal.events("asked"))
    assert spent <= 1200
