import json
import re
import subprocess
from pathlib import Path

import pytest
from command_line import Call

from improve_git.trail.history import read_history
from improve_git.trail.openings import read_openings
from scripted import source
from sealing import evaluate
from worlds import World


def test_without_test_nothing_is_opened(world: World, call: Call) -> None:
    world.run()
    folder = world.pipeline.repo.folder
    said = call("evaluate", "-C", folder)
    assert (said.code, said.err) == (0, "")
    assert (
        said.out
        == f"""\
baseline  accuracy 0.5875
main      accuracy 0.8875
gain      +30.00 points  on val, optimistic: a search kept the best

the sealed test part was not opened yet
opening 1 would take 6 trainings of about 2 seconds, and stand at 97.5 %:
  improve-git evaluate -C {folder} --test
"""
    )
    assert read_openings(world.pipeline.repo) == ()


def test_the_sealed_part_is_opened(world: World, call: Call) -> None:
    world.run()
    folder = world.pipeline.repo.folder
    said = call("evaluate", "--test", "-C", folder)
    assert (said.code, said.err) == (0, "")
    lines = said.out.splitlines()
    assert lines[0] == (
        "opening 1 of the sealed test part, 60 images: main against the baseline, 6 trainings, "
        "at 97.5 % confidence"
    )
    assert [line for line in lines if line.endswith(" ...")] == [
        f"opening 1: {name}, seed {seed} ..."
        for name in ("main", "the baseline")
        for seed in (2000, 2001, 2002)
    ]
    told = lines[-5:]
    [made] = read_openings(world.pipeline.repo)
    assert told[0] == (
        f"baseline {made.against_score:.4f}, main {made.score:.4f}: accuracy on 60 sealed images, "
        "3 seeds each"
    )
    interval = f"{100 * made.low:+.2f} to {100 * (made.high or 0):+.2f} points"
    assert told[1] == f"gain +30.00 points, 97.5 % interval {interval}"
    assert told[2] == "main is better than the baseline, beyond what chance does"
    assert told[3] == "for comparison: +30.00 points on val, optimistic: a search kept the best"
    assert told[4] == (
        "opening 1 of the sealed part: its interval misses the true gain in 2.5 % of all cases at "
        "most, all openings together in 5 %; opening 2 would stand at 98.75 %"
    )
    bounds = f"{interval.removesuffix(' points')} at 97.5 %"
    row = f"on test     +30.00 points, {bounds}; by {made.tip[:7]}, opening 1"
    assert f"\n{row}\n" in call("status", "-C", folder).out
    again = call("evaluate", "-C", folder).out
    line = rf"  1  \d{{4}}-\d\d-\d\d  evaluated  {made.tip[:7]}  \+30\.00  {re.escape(bounds)}"
    assert re.search(rf"^{line}$", again, re.MULTILINE)
    assert "opening 2 would take 6 trainings of about 2 seconds, and stand at 98.75 %:\n" in again


def test_json(world: World, call: Call) -> None:
    world.run()
    repo = world.pipeline.repo
    said = call("evaluate", "--json", "-C", repo.folder)
    before = json.loads(said.out)
    assert before.pop("commit") == world.pipeline.main()
    assert before.pop("gain") == pytest.approx(0.3)
    assert before == {
        "metric": "accuracy", "score": 0.8875, "baseline": 0.5875, "train_seconds": 1.5,
        "openings": [], "next": {"number": 1, "level": 0.975, "trainings": 6},
    }  # fmt: skip
    said = call("evaluate", "1", "--test", "--json", "--seeds", "4", "-C", repo.folder)
    made = json.loads(said.out)
    assert said.err.startswith("opening 1 of the sealed test part")
    assert made["seeds"] == [2000, 2001, 2002, 2003] and made["passed"] is None
    assert made["gain"] == pytest.approx(0.3) and made["low"] < 0.3 < made["high"]
    after = json.loads(call("evaluate", "--json", "-C", repo.folder).out)
    assert after["openings"] == [made] and after["next"]["level"] == 0.9875
    status = json.loads(call("status", "--json", "-C", repo.folder).out)
    assert (status["openings"], status["certificate"], status["evaluation"]) == (1, None, made)


def test_a_loss_is_told_as_it_falls(world: World, call: Call) -> None:
    folder = world.pipeline.repo.folder
    text = world.pipeline.text("improve.yaml")
    world.commit("improve.yaml", text.replace("metric: accuracy", "metric: log_loss"))
    world.run()
    told = call("evaluate", "--test", "-C", folder).out.splitlines()[-5:]
    figures = [float(text) for text in re.findall(r"-\d\.\d{4}", told[1])]
    assert len(figures) == 3 and figures[1] < figures[0] < figures[2] < 0
    assert told[2] == "main is better than the baseline, beyond what chance does"
    assert told[3].startswith("for comparison: -0.")


def test_what_is_no_gain_is_told_as_such(world: World, call: Call) -> None:
    world.run("budget.iterations=0")
    folder = world.pipeline.repo.folder
    world.commit("model.py", source("model", 0.21))
    world.run("budget.iterations=0")
    told = call("evaluate", "--test", "-C", folder).out.splitlines()
    assert told[-3] == "main may be no better than the baseline: the interval holds zero"
    world.commit("model.py", source("model", 0.0))
    world.run("budget.iterations=0")
    told = call("evaluate", "--test", "-C", folder).out.splitlines()
    assert told[-3] == "main is worse than the baseline, beyond what chance does"


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--test"], 1, "main holds the baseline's own files: there is no gain to evaluate"),
        (["7", "--test"], 1, "there is no iteration 7"),
        (["7"], 1, "there is no iteration 7"),
        (["--seeds", "2"], 2, "2 is not in the range 3<=x<=100"),
        (["main", "other"], 2, "'other' is not key=value"),
    ],
)
def test_errors_come_before_anything_runs(
    world: World, call: Call, words: list[str], code: int, message: str
) -> None:
    world.run("budget.iterations=0")
    said = call("evaluate", *words, "-C", world.pipeline.repo.folder)
    assert (said.code, said.out) == (code, "") and message in said.err
    assert read_openings(world.pipeline.repo) == ()


def test_what_is_not_measured_is_told(world: World, call: Call) -> None:
    for words in ([], ["--test"]):
        said = call("evaluate", *words, "-C", world.pipeline.repo.folder)
        assert (said.code, said.out) == (1, "")
        assert said.err == "error: nothing is measured yet\n  fix: improve-git run\n"


def test_a_clone_is_told_to_fetch_first(world: World, call: Call, tmp_path: Path) -> None:
    world.run()
    evaluate(world)
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(world.pipeline.repo.folder), str(clone)], check=True)
    fetch = "git fetch origin 'refs/improve/*:refs/improve/*'"
    said = call("evaluate", "-C", clone).out
    assert "the sealed test part was not opened yet\n" in said and f"  {fetch}\n" in said
    subprocess.run(fetch, shell=True, cwd=clone, check=True)
    assert "opening 2 would take 6 trainings" in call("evaluate", "-C", clone).out


def test_an_interruption_is_not_counted(world: World, call: Call) -> None:
    world.run()
    repo = world.pipeline.repo

    def stop() -> None:
        raise KeyboardInterrupt

    world.sandbox.before_training = stop
    said = call("evaluate", "--test", "-C", repo.folder)
    assert said.code == 130
    assert f"not counted; to carry on: improve-git evaluate -C {repo.folder} --test" in said.err
    assert read_openings(repo) == () and len(read_history(repo).main) == 2
