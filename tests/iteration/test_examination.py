"""`accept=confirmed` on the real loop: which seeds are trained, and what the trail says of them."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from improve_git.estimate import estimate
from improve_git.messages import trailers
from improve_git.trail.history import read_history, read_record
from improve_git.views.overview import overview
from scripted import SeededSandbox, source
from worlds import World, make_world

RULE = ("accept=confirmed", "accept.seeds=3", "accept.confidence=0.9")
BETTER = source("model", 0.4)  # 20 points
LUCKY = source("train", 0.15, "\n# lucky\n")  # 5 points worse, but its first look is better
WORSE = source("data", 0.1)
CRASH = source("data", 0.9, "\n# crashes with seed 1\n")
NEVER = source("train", 0.9, "\n# crashed\n")


pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture
def world(photos: Path, tmp_path: Path) -> Callable[..., World]:
    def make(*moves: tuple[str, str, str], repairs: list[str] | None = None) -> World:
        folder = tmp_path / "pipeline"
        return make_world(photos, folder, [*moves], repairs, words=RULE, sandbox=SeededSandbox)

    return make


def seeds_of(w: World) -> list[list[int]]:
    """Return the seeds that were trained, pipeline by pipeline."""
    assert isinstance(w.sandbox, SeededSandbox)
    found: list[tuple[str, list[int]]] = []
    for name, seed in w.sandbox.jobs:
        if not found or found[-1][0] != name or seed in found[-1][1]:
            found.append((name, []))
        found[-1][1].append(seed)
    return [seeds for _, seeds in found]


def test_each_candidate_takes_the_seeds_that_it_needs(world: Callable[..., World]) -> None:
    w = world(("model", "wider", BETTER), ("train", "lucky", LUCKY), ("data", "worse", WORSE))
    w.run()
    # The baseline on its three; the merged one on a look besides; luck is found out by the first
    # seed of main's; what is worse is not confirmed at all.
    assert seeds_of(w) == [[0, 1, 2], [1000, 0, 1, 2], [1000, 0], [1000]]
    assert [(number, verdict) for number, verdict, _ in w.verdicts()] == [
        (1, "merged"), (2, "rejected"), (3, "rejected"),
    ]  # fmt: skip
    history = read_history(w.pipeline.repo)
    merged, lucky, worse = history.attempts
    assert re.fullmatch(r"\+20\.\d\d points over 3 seeds, confidence 0\.9\d", merged.reason)
    assert re.match(r"-5\.\d\d points over 1 seed, confidence", lucky.reason)
    assert re.match(r"-10\.\d\d points at first look, confidence", worse.reason)
    assert [attempt.looks for attempt in history.attempts] == [4, 2, 1]
    assert len(merged.seed_scores) == 3 and merged.score == pytest.approx(
        sum(merged.seed_scores) / 3, abs=1e-5
    )
    assert all(attempt.luck for attempt in history.attempts)


def test_what_lands_tells_both_sides_on_the_same_seeds(world: Callable[..., World]) -> None:
    w = world(("model", "wider", BETTER))
    w.run()
    repo = w.pipeline.repo
    said = trailers(repo.log("-1", "main")[0].message)
    assert said["Seeds"] == "0,1,2" and said["Looks"] == "4"
    record = read_record(repo, said["Record"])
    assert record is not None
    assert record["main_seeds"] == record["seeds"] == [0, 1, 2]
    assert [look[0] for look in record["looks"]] == [1000, 0, 1, 2]
    assert [run["seeds"] for run in record["by_seed"]] == [[0], [1], [2]]
    assert float(said["Val-Accuracy"]) == pytest.approx(
        sum(run["score"] for run in record["by_seed"]) / 3, abs=1e-5
    )
    baseline = read_history(repo).main[0]
    assert float(said["Main-Accuracy"]) == pytest.approx(baseline.score, abs=1e-6)


def test_nothing_is_trained_twice_with_the_same_seed(world: Callable[..., World]) -> None:
    w = world(("model", "wider", BETTER), ("train", "lucky", LUCKY), ("train", "again", LUCKY))
    w.run()
    assert isinstance(w.sandbox, SeededSandbox)
    assert len(w.sandbox.jobs) == len(set(w.sandbox.jobs))
    before = len(w.sandbox.jobs)
    w.run()
    assert len(w.sandbox.jobs) == before


def test_a_candidate_that_fails_with_a_later_seed_fails(world: Callable[..., World]) -> None:
    w = world(("data", "crash", CRASH))
    w.run("budget.repairs=0")
    assert w.verdicts() == [(1, "failed", "crashed: as scripted (with seed 1)")]
    assert seeds_of(w) == [[0, 1, 2], [1000, 0, 1]]


def test_another_rule_measures_main_on_the_seeds_that_lack(world: Callable[..., World]) -> None:
    w = world()
    w.run("accept=improves")
    assert seeds_of(w) == [[0]]
    w.run()
    assert seeds_of(w) == [[0, 1, 2]]
    w.run("accept=improves")
    assert seeds_of(w) == [[0, 1, 2]]
    assert [s.verdict for s in read_history(w.pipeline.repo).main] == ["baseline", "measured"]


def test_a_baseline_that_fails_on_its_first_seed_is_repaired(world: Callable[..., World]) -> None:
    w = world()
    w.commit("train.py", NEVER)
    w.team.repairs = [source("train", 0.2)]  # type: ignore[attr-defined]
    w.run()
    assert seeds_of(w)[-1] == [0, 1, 2]


def test_a_killed_run_goes_on_with_the_seed_that_it_was_at(world: Callable[..., World]) -> None:
    w = world(("model", "wider", BETTER))

    def die_at_the_fifth() -> None:
        if len(w.sandbox.jobs) == 6:  # type: ignore[attr-defined]
            raise KeyboardInterrupt

    w.sandbox.before_training = die_at_the_fifth
    with pytest.raises(KeyboardInterrupt):
        w.run()
    w.sandbox.before_training = lambda: None
    w.run("budget.iterations=1")
    assert [verdict for _, verdict, _ in w.verdicts()] == ["merged"]
    assert w.sandbox.jobs[5] == w.sandbox.jobs[6]  # type: ignore[attr-defined]
    assert len(w.sandbox.jobs) == 8  # type: ignore[attr-defined]


def test_looks_at_val_are_counted_and_luck_is_told(world: Callable[..., World]) -> None:
    w = world(("model", "wider", BETTER), ("train", "lucky", LUCKY))
    w.run()
    found = overview(w.pipeline)
    assert found.looks == 3 + 4 + 2
    assert found.luck is not None and 0 < found.luck < 0.2


def test_an_estimate_counts_the_trainings_that_an_iteration_takes(
    world: Callable[..., World],
) -> None:
    w = world(("model", "wider", BETTER), ("train", "lucky", LUCKY))
    w.run()
    found = estimate(w.pipeline, None, lambda _: w.team)
    assert found.iterations == 38
    assert found.hours == pytest.approx(38 * 3 * 2.5 / 3600)  # 4 and 2 trainings of 2.5 s
