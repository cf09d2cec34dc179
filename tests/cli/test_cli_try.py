import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from command_line import Call

from improve_git.sandboxes import select
from improve_git.sandboxes.base import Sandbox
from scripted import source
from worlds import World, make_photos, make_world


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    w = make_world(make_photos(tmp_path / "photos"), tmp_path / "pipeline", [])

    def open_sandbox(*_: object) -> Sandbox:
        return w.sandbox

    monkeypatch.setattr(select, "open_sandbox", open_sandbox)
    return w


def branch(w: World, name: str, file: str, text: str) -> None:
    def git(*words: str) -> None:
        subprocess.run(["git", *words], cwd=w.pipeline.repo.folder, check=True)

    git("switch", "-q", "-c", name, "main")
    w.commit(file, text)
    git("switch", "-q", "main")


def test_try_tells_the_verdict_and_ends_by_it(
    world: World, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = world.pipeline.repo.folder
    monkeypatch.chdir(folder)
    branch(world, "wider", "model.py", source("model", 0.4))
    branch(world, "slower", "train.py", source("train", 0.1))
    branch(world, "crash", "train.py", source("train", 0.1, "# crashed\n"))
    said = call("try", "wider")
    assert (said.code, said.err) == (0, "")
    lines = said.out.splitlines()
    assert "measure the baseline ..." in lines and lines[-4:] == [
        "0001 model Edit model.py by hand",
        "Merge 0001 model: wider, accuracy 0.8000 (+20.00 points)",
        "merged: accuracy 0.8000 over 0.6000 (+20.00 points)",
        "see: improve-git show 1",
    ]
    said = call("try", "slower")
    assert said.code == 0 and "rejected: accuracy 0.7000 under 0.8000" in said.out
    assert call("try", "slower").out == (
        "tried already: 0002 train: slower\n"
        "rejected: accuracy 0.7000 under 0.8000 (-10.00 points)\nsee: improve-git show 2\n"
    )
    said = call("try", "crash")
    assert said.code == 1
    assert said.err == (
        "error: 0003 failed: crashed: as scripted\n"
        "  fix: mend it on crash, commit, and try again; more of it: improve-git show 3\n"
    )
    assert re.search(r"iterations +3 of \d+: 1 merged, 1 rejected, 1 failed", call("status").out)
    assert "wider, by hand: Edit model.py" in call("log").out
    told = [row["proposer"] for row in json.loads(call("log", "--json").out)]
    assert told == [None, *["Test User <user@example.invalid>"] * 3]
    shown = call("show", "1").out
    assert "Test User\n  Edit model.py by hand" in shown


def test_a_branch_that_breaks_the_contract_is_told_before_anything_runs(
    world: World, call: Call
) -> None:
    branch(world, "mine", "train.py", "def train(model): ...\n")
    said = call("try", "mine", "-C", world.pipeline.repo.folder)
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("error: mine breaks the contract:\n  train.py: line 1: train(model)")
    assert "\n  fix: mend train.py on mine, commit, and try again\n" in said.err
    assert not world.sandbox.trained


def test_no_language_model_is_asked(world: World, call: Call, monkeypatch: Any) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    settings = world.pipeline.text("improve.yaml").replace("llm: none", "llm: openai")
    world.commit("improve.yaml", settings)
    branch(world, "wider", "model.py", source("model", 0.4))
    assert call("try", "wider", "-C", world.pipeline.repo.folder).code == 0


def test_a_run_under_way_is_named(world: World, call: Call) -> None:
    from improve_git.journal import only_run

    branch(world, "wider", "model.py", source("model", 0.4))
    with only_run(world.pipeline.state):
        said = call("try", "wider", "-C", world.pipeline.repo.folder)
    assert said.code == 1 and "a run is under way on this pipeline" in said.err
