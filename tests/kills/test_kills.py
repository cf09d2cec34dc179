"""An engine that is killed at every boundary, again and again, loses nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from kill_worlds import KillWorld, make_world, scripted_plan, tries_plan
from trail_checker import essence, users_work


@dataclass
class Calm:
    """A run that nobody disturbed, and its world from before it."""

    world: KillWorld
    template: KillWorld
    before: dict[str, str]  # the user's work


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory, killer: Callable[..., dict[str, Any]]) -> Calm:
    folder = tmp_path_factory.mktemp("kills")
    template = make_world(folder / "template", scripted_plan())
    world = template.copy(folder / "calm")
    assert killer(world, "never")["ending"] == "5 of 5 iterations are done"
    return Calm(world, template, users_work(template.pipeline))


def test_an_undisturbed_run_is_as_the_checker_wants_it(
    calm: Calm, check: Callable[..., list[str]]
) -> None:
    assert check(calm.world, calm.before) == []
    subjects = [line.split('"')[1] for line in essence(calm.world.pipeline) if line[0] == "["]
    assert [line for line in subjects if line.startswith(("Merge", "Reject", "Fail", "M"))] == [
        "Fail 0004 data: lost, crashed",
        "Measure main as it is now, accuracy 0.4500 (+5.00 points)",
        "Measure the baseline, accuracy 0.3000",
        "Merge 0001 model: wider, accuracy 0.4000 (+10.00 points)",
        "Merge 0002 data: shift, accuracy 0.5500 (+10.00 points)",
        "Merge 0003 train: longer, accuracy 0.7000 (+15.00 points)",
        "Merge main into the candidate",
        "Reject 0005 model: narrower, accuracy 0.6000 (-10.00 points)",
    ]


def test_killed_once_at_every_boundary_it_ends_as_if_nothing_had_been(
    calm: Calm,
    tmp_path: Path,
    killer: Callable[..., dict[str, Any]],
    check: Callable[..., list[str]],
) -> None:
    world = calm.template.copy(tmp_path / "killed")
    report = killer(world, "each")
    assert report["ending"] == "5 of 5 iterations are done"
    assert report["kills"] > 60  # else the boundaries are not found any more
    assert check(world, calm.before) == []
    assert essence(world.pipeline) == essence(calm.world.pipeline)


@pytest.mark.parametrize(
    ("carried_on_by", "kinds"),
    [
        ("try", {"each"}),
        ("run", {"git commit-tree", "git update-ref", "journal claim", "a training begins",
                 "journal trained", "journal result", "journal landing", "git notes"}),
    ],
)  # fmt: skip
def test_a_try_that_is_killed_is_carried_on(
    carried_on_by: str,
    kinds: set[str],
    tmp_path: Path,
    killer: Callable[..., dict[str, Any]],
    check: Callable[..., list[str]],
) -> None:
    template = make_world(tmp_path / "template", tries_plan(carried_on_by))
    before = users_work(template.pipeline)
    calm, killed = template.copy(tmp_path / "calm"), template.copy(tmp_path / "killed")
    assert killer(calm, "never")["ending"] == "merged, failed"
    report = killer(killed, *sorted(kinds))
    assert report["ending"] == "merged, failed"
    if kinds == {"each"}:
        assert report["kills"] > 30
        places = killed.hits.read_text()
        for place in ("writing.propose", "verdicts.merge", "verdicts.fail", "a training begins"):
            assert place in places
    else:
        assert report["kills"] == len(kinds)
    assert check(calm, before) == check(killed, before) == []
    assert essence(killed.pipeline) == essence(calm.pipeline)
