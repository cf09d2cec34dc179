"""The checker of the kill tests finds each kind of damage. It would be worth nothing otherwise."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kill_worlds import KillWorld, make_world, scripted_plan
from trail_checker import git, users_work


@pytest.fixture(scope="module")
def done(
    tmp_path_factory: pytest.TempPathFactory, killer: Callable[..., dict[str, Any]]
) -> tuple[KillWorld, dict[str, str]]:
    """A world whose run is done, and the user's work from before it."""
    world = make_world(tmp_path_factory.mktemp("checked") / "world", scripted_plan())
    before = users_work(world.pipeline)
    killer(world, "never")
    return world, before


def lose_a_note(world: KillWorld) -> None:
    git(world.pipeline, "notes", "--ref", "improve", "remove", "main")


def lose_a_branch(world: KillWorld) -> None:
    git(world.pipeline, "branch", "-q", "-D", "improve/0003-train-longer")


def give_a_verdict_twice(world: KillWorld) -> None:
    ref = "refs/heads/improve/0004-data-lost"
    verdict = git(world.pipeline, "cat-file", "commit", ref) + "\n"
    again = verdict.replace("\nparent ", f"\nparent {git(world.pipeline, 'rev-parse', ref)}\n#", 1)
    lines = [line for line in again.split("\n") if not line.startswith("#")]
    command = ["git", "hash-object", "-t", "commit", "-w", "--stdin"]
    done = subprocess.run(command, cwd=world.pipeline, input="\n".join(lines), text=True,
                          capture_output=True, check=True)  # fmt: skip
    git(world.pipeline, "update-ref", ref, done.stdout.strip())


def collect_a_result_twice(world: KillWorld) -> None:
    journal = world.state / "journal"
    results = [line for line in journal.read_text().splitlines() if '"result"' in line]
    journal.write_text(journal.read_text() + results[0] + "\n")


def forget_a_result(world: KillWorld) -> None:
    journal = world.state / "journal"
    kept = [line for line in journal.read_text().splitlines() if '"event": "result"' not in line]
    journal.write_text("".join(f"{line}\n" for line in kept))


def leave_a_landing(world: KillWorld) -> None:
    with (world.state / "journal").open("a") as file:
        file.write('{"event": "landing", "old": "a", "new": "b", "number": 9}\n')


def train_again(world: KillWorld) -> None:
    lines = world.trainings.read_text().splitlines()
    again = json.loads(lines[0]) | {"journal_bytes": (world.state / "journal").stat().st_size}
    world.trainings.write_text("\n".join([*lines, json.dumps(again)]) + "\n")


def train_something_else(world: KillWorld) -> None:
    text = world.trainings.read_text()
    blob = json.loads(text.splitlines()[-1])["files"]["data.py"]
    world.trainings.write_text(text.replace(blob, "0" * 40))


def leave_a_temporary_file(world: KillWorld) -> None:
    (world.folder / "tmp" / "improve-git-job-x").mkdir()


def leave_a_lock(world: KillWorld) -> None:
    (world.pipeline / ".git" / "refs" / "heads" / "main.lock").touch()


def leave_weights(world: KillWorld) -> None:
    (world.state / "weights" / "more.safetensors").touch()


def stage_the_users_edit(world: KillWorld) -> None:
    git(world.pipeline, "add", "README.md")


def lose_the_users_edit(world: KillWorld) -> None:
    git(world.pipeline, "checkout", "-q", "README.md")


def leave_main_in_between(world: KillWorld) -> None:
    git(world.pipeline, "update-ref", "refs/heads/main", "main^1")


DAMAGES: dict[Callable[[KillWorld], None], str] = {
    lose_a_note: "notes for",
    lose_a_branch: "attempts [1, 2, 4, 5]",
    give_a_verdict_twice: "improve/0004-data-lost has 2 verdicts",
    collect_a_result_twice: "a result was collected twice",
    forget_a_result: "that the journal does not know",
    leave_a_landing: "a landing is half done",
    train_again: "was trained again although its result was there",
    train_something_else: "is not the one that was trained",
    leave_a_temporary_file: "left: ",
    leave_a_lock: "left: ",
    leave_weights: "weights are kept",
    stage_the_users_edit: "the user's staged is another",
    lose_the_users_edit: "the user's edits is another",
    leave_main_in_between: "in the checkout is not main's",
}


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_each_kind_of_damage_is_found(
    damage: Callable[[KillWorld], None],
    done: tuple[KillWorld, dict[str, str]],
    tmp_path: Path,
    check: Callable[..., list[str]],
) -> None:
    world, before = done
    damaged = world.copy(tmp_path / "world")
    damage(damaged)
    assert any(DAMAGES[damage] in violation for violation in check(damaged, before))
