import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from command_line import Call

from forging import Draft, edited, reworded, rewrite, verdict_of
from improve_git.pipeline import Pipeline
from improve_git.sandboxes import select
from improve_git.verification.history import verify_history
from scripted import source
from worlds import World, make_photos, make_world

MOVES = [("model", "wider", source("model", 0.4)), ("data", "broken", "def x(")]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    w = make_world(make_photos(tmp_path / "photos"), tmp_path / "pipeline", MOVES)
    w.run("budget.iterations=2")
    monkeypatch.setattr(select, "open_sandbox", lambda *_: w.sandbox)
    return w


def test_a_score_comes_out_exactly_and_nothing_of_a_run_is_touched(
    world: World, call: Call
) -> None:
    folder, state = world.pipeline.repo.folder, world.pipeline.state
    views = ("lock", "live.jsonl")  # no record of a run

    def kept() -> dict[Path, bytes]:
        return {p: p.read_bytes() for p in state.rglob("*") if p.is_file() and p.name not in views}

    before = kept()
    refs = world.pipeline.repo.git("for-each-ref")
    trained = len(world.sandbox.trained)
    said = call("verify", "1", "-C", folder)
    assert said.code == 0, said
    assert len(world.sandbox.trained) == trained + 1  # it was not recalled
    lines = said.out.splitlines()
    assert lines[-2] == "seed 0: recorded 0.8000, trained again 0.8000"
    commit = verdict_of(world.pipeline.repo, 1).sha[:7]
    assert lines[-1] == (
        f"0001 ({commit}) came out exactly: the same class for each of 80 predictions"
    )
    assert kept() == before
    assert world.pipeline.repo.git("for-each-ref") == refs


def test_what_a_kill_leaves_is_cleared_by_the_next_run(world: World) -> None:
    with world.pipeline.aside() as aside:
        assert aside.results.parent == world.pipeline.state
        gone = aside.results.name.replace(f"-{os.getpid()}-", "-999999999-")
        (world.pipeline.state / gone / "weights").mkdir(parents=True)
    world.run("budget.iterations=2")
    assert not [path for path in world.pipeline.state.iterdir() if "aside" in path.name]


def test_a_consistent_rewriting_does_not_come_out(world: World, call: Call) -> None:
    repo = world.pipeline.repo
    labels = world.sandbox.labels
    right = np.arange(len(labels)) < 76
    predicted = np.where(right, labels, 1 - labels)

    def forge(record: dict) -> dict:
        from dataclasses import asdict

        from improve_git.judging import judge

        judged = judge.score(np.eye(2)[predicted], list(labels), "accuracy", 2)
        reason = "accuracy 0.9500 over 0.6000 (+35.00 points)"
        return record | {"score": judged.value, "judgement": asdict(judged),
                         "looks": [[0, judged.value]], "verdict_reason": reason}  # fmt: skip

    def edit(draft: Draft) -> Draft | None:
        for change in (
            edited(1, record=forge),
            edited(1, message=reworded("Val-Accuracy", "0.95")),
            edited(1, message=reworded("Reason", "accuracy 0.9500 over 0.6000 (+35.00 points)")),
            edited(1, message=lambda text: text.replace("0.8000 (+20.00", "0.9500 (+35.00")),
        ):
            draft = change(draft) or draft
        return draft

    def later(draft: Draft) -> Draft | None:
        forged = edit(draft)
        of_second = edited(2, record=lambda its: its | {"main_score": 0.95},
                           message=reworded("Main-Accuracy", "0.95"))  # fmt: skip
        return of_second(forged) if forged else None

    def all_of_it(draft: Draft) -> Draft | None:
        new = later(draft)
        luck = new.record.pop("luck", None) if new and new.record else None
        if new and luck is not None:
            kept = [line for line in new.message.split("\n") if not line.startswith("Luck: ")]
            return replace(new, message="\n".join(kept))
        return new

    rewrite(repo, all_of_it, consistent=True)
    assert verify_history(Pipeline.open(repo.folder)).findings == []
    said = call("verify", "main", "-C", repo.folder)
    assert said.code == 1
    assert "LIES OUTSIDE what is allowed: -15.00 points now, up to" in " ".join(said.out.split())


def test_json(world: World, call: Call) -> None:
    said = call("verify", "baseline", "-C", world.pipeline.repo.folder, "--json")
    found = json.loads(said.out)
    assert (found["holds"], found["complete"], found["findings"]) == (True, True, [])
    again = found["again"]
    assert (again["exact"], again["within"], again["difference"]) == (True, True, 0.0)
    assert (again["seeds"], again["recorded"], again["same"]) == ([0], [0.6], 80)


def test_another_sandbox_is_told(world: World, call: Call) -> None:
    world.sandbox.image = "scripted-2"
    said = call("verify", "1", "-C", world.pipeline.repo.folder)
    assert said.code == 0
    assert "elsewhere: image: scripted-2, recorded scripted-1" in said.out


def test_a_training_that_the_clock_cuts_short_proves_nothing(world: World, call: Call) -> None:
    train = world.sandbox.train
    world.sandbox.train = lambda *a: replace(train(*a), stopped_by="clock")  # type: ignore[method-assign]
    said = call("verify", "1", "-C", world.pipeline.repo.folder)
    assert said.code == 1
    assert "0001 was stopped by the clock this time, so nothing compares" in said.err


def test_settings_by_word_have_to_be_given_again(world: World, call: Call) -> None:
    said = call("verify", "1", "-C", world.pipeline.repo.folder, "budget.train_seconds=50")
    assert said.code == 1
    assert "0001 was measured under other settings than those in force" in said.err
    assert "budget.train_seconds=60" in said.err


def test_foreign_settings_do_not_steer_the_terminal(world: World, call: Call) -> None:
    def forge(record: dict) -> dict:
        return record | {"settings": record["settings"] | {"x": "\x1b]0;owned\x07"}}

    rewrite(world.pipeline.repo, edited(1, record=forge), consistent=True)
    said = call("verify", "1", "-C", world.pipeline.repo.folder)
    assert said.code == 1 and "x= ]0;owned" in said.err
    assert "\x1b" not in said.out + said.err


@pytest.mark.parametrize("changes", [
    {"seeds": [0, 1]},
    {"judgement": {"predicted": [0, 1]}},
])  # fmt: skip
def test_a_record_that_does_not_fit_is_told_before_anything_is_trained(
    world: World, call: Call, changes: dict
) -> None:
    def forge(record: dict) -> dict:
        judged = record["judgement"] | changes.get("judgement", {})
        return record | changes | {"judgement": judged}

    rewrite(world.pipeline.repo, edited(1, record=forge), consistent=True)
    trained = len(world.sandbox.trained)
    said = call("verify", "1", "-C", world.pipeline.repo.folder)
    assert said.code == 1 and "error: the record of 0001 cannot be used: " in said.err
    assert len(world.sandbox.trained) == trained


def test_what_has_no_score_is_not_trained(world: World, call: Call) -> None:
    said = call("verify", "2", "-C", world.pipeline.repo.folder)
    assert said.code == 1
    assert "0002 has no score to train again for: invalid" in said.err


@pytest.mark.parametrize("words", [[], ["1", "2"], ["--against", "abc1234"]])
def test_wrong_usage(world: World, call: Call, words: list[str]) -> None:
    assert call("verify", *words, "-C", world.pipeline.repo.folder).code == 2
