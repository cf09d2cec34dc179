import json
import re
from typing import Any

import pytest
from command_line import Call

from improve_git.trail.openings import CERTIFIED, read_openings
from worlds import World


def test_certify_tells_what_passed_and_what_is_asked(world: World, call: Call) -> None:
    world.run()
    folder, tip = world.pipeline.repo.folder, world.pipeline.main()
    said = call("certify", "-C", folder)
    assert said.code == 0, said
    line = said.out.splitlines()[-1]
    told = rf"certified: {tip[:10]} against [0-9a-f]{{10}}: \+30\.00 points on 60 sealed images "
    assert re.match(told + r"over 3 seeds a side, confidence 0\.99\d\d, 0\.975 asked for", line)
    assert f"certified   passed by {tip[:7]}, opening 1 of test" in call("status", "-C", folder).out
    again = call("certify", "-C", folder)
    assert again.code == 1
    assert "main holds what is certified already" in again.err


def test_json(world: World, call: Call) -> None:
    world.run()
    said = call("certify", "-C", world.pipeline.repo.folder, "--json", "--seeds", "4")
    found = json.loads(said.out)
    assert found["passed"] is True and found["seeds"] == [2000, 2001, 2002, 2003]
    assert (found["number"], found["level"], found["high"]) == (1, 0.975, None)
    assert found["low"] < found["gain"] == pytest.approx(0.3)


def test_fewer_than_three_seeds_are_refused(world: World, call: Call) -> None:
    assert call("certify", "-C", world.pipeline.repo.folder, "--seeds", "2").code == 2


def test_a_run_certifies_at_its_end_where_that_is_set(world: World, call: Call) -> None:
    world.run()
    repo = world.pipeline.repo
    words = ("budget.iterations=1", "accept.certify=true")
    said = call("run", "-C", repo.folder, *words)
    assert said.code == 0, said
    assert re.search(r"^certified: ", said.out, re.MULTILINE)
    assert repo.resolve(CERTIFIED) == world.pipeline.main()
    assert "main: accuracy 0.8875, +30.00 points on val, optimistic: a search kept" in said.out
    assert call("run", "-C", repo.folder, *words).code == 0  # with nothing new, it says nothing
    assert len(read_openings(repo)) == 1


def test_no_language_model_is_asked(world: World, call: Call, monkeypatch: Any) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    folder = world.pipeline.repo.folder
    world.run()
    settings = world.pipeline.text("improve.yaml").replace("llm: none", "llm: openai")
    world.commit("improve.yaml", settings)
    assert call("certify", "-C", folder, "--json").code == 0


def test_what_is_not_measured_is_told_before_anything_runs(world: World, call: Call) -> None:
    said = call("certify", "-C", world.pipeline.repo.folder)
    assert (said.code, said.out) == (1, "")
    assert "nothing is measured yet" in said.err and "fix: improve-git run" in said.err
