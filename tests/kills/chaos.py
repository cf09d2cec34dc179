"""Kills engines at random, hundreds of times, and checks what they leave: `make chaos`.

    chaos.py [--kills 300] [--seed 0] [--sandbox scripted|process|docker ...]

Runs go through the worlds in turn. Each engine is killed at a random boundary or after a random
time, until its run is done; then the trail is checked, and compared with that of an undisturbed
run. What a real sandbox has trained once is remembered, so that a kill costs no training. Prints
a line for each run, then kills, starts and violations; exits with 1 if there is any violation.
"""

import argparse
import random
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from boundaries import never, nth
from kill_worlds import KillWorld, bars_plan, make_world, scripted_plan
from killer import PATIENCE, Report, preload, start
from trail_checker import essence, users_work, violations

from improve_git.errors import SandboxError

FARTHEST = 12  # boundaries; about half of what an iteration passes
WORLDS = ("scripted", "process", "docker")


@dataclass
class Arena:
    """A world, undisturbed, and what runs in copies of it are compared with."""

    name: str
    world: KillWorld
    before: dict[str, str]
    trail: list[str]
    seconds: float  # that an undisturbed run takes, once everything is remembered
    memory: Path


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sandbox", choices=WORLDS, action="append")
    options = parser.parse_args()
    preload()
    with tempfile.TemporaryDirectory(prefix="improve-git-chaos-") as folder:
        arenas = [arena for name in options.sandbox or WORLDS
                  if (arena := prepare(name, Path(folder), bool(options.sandbox)))]  # fmt: skip
        return fight(arenas, Path(folder), options.kills, random.Random(options.seed))


def prepare(name: str, folder: Path, needed: bool) -> Arena | None:
    """Make a world and run it undisturbed, twice: the second time without training."""
    plan = scripted_plan() if name == "scripted" else bars_plan(name)
    template = make_world(folder / name / "template", plan)
    memory = folder / name / "memory"
    memory.mkdir()
    before = users_work(template.pipeline)
    for number in range(2):
        world, report = template.copy(folder / name / f"calm-{number}"), Report()
        begun = time.monotonic()
        start(world, report, never, PATIENCE, memory)
        if SandboxError.__name__ in report.failure and not needed:
            print(f"{name}: left out, {report.failure.splitlines()[-1]}")
            return None
        wrong = [report.failure] if report.failure else check(world, before)
        if wrong:
            raise SystemExit(f"{name}: an undisturbed run is wrong already: {wrong}")
    seconds = time.monotonic() - begun
    print(f"{name}: an undisturbed run takes {seconds:.1f} s", flush=True)
    return Arena(name, template, before, essence(world.pipeline), seconds, memory)


def fight(arenas: list[Arena], folder: Path, kills: int, luck: random.Random) -> int:
    """Kill in run after run; return the exit code."""
    total, wrong, number = Report(), 0, 0
    while total.kills < kills:
        arena = arenas[number % len(arenas)]
        number += 1
        world = arena.world.copy(folder / arena.name / f"run-{number}")
        report = killed_run(arena, world, kills - total.kills, luck)
        found = [report.failure] if report.failure else check(world, arena.before)
        if not found and essence(world.pipeline) != arena.trail:
            found = ["its trail is another than that of an undisturbed run"]
        told = f"run {number}, {arena.name}: {report.kills} kills, {report.starts} starts"
        print(f"{told}: {'; '.join(found) or 'ok'}", flush=True)
        total.kills += report.kills
        total.starts += report.starts
        wrong += len(found)
    print(f"{total.kills} kills, {total.starts} starts in {number} runs, {wrong} violations")
    return 1 if wrong else 0


def killed_run(arena: Arena, world: KillWorld, most: int, luck: random.Random) -> Report:
    """Kill one run's engines at random until it is done, or as often as is left."""
    report = Report()
    while not report.ending and not report.failure:
        policy, seconds = never, PATIENCE
        if report.kills < most:
            if luck.random() < 0.5:
                policy = nth(luck.randint(1, FARTHEST))
            else:
                seconds = luck.uniform(0, arena.seconds / 3)
        start(world, report, policy, seconds, arena.memory)
    return report


def check(world: KillWorld, before: dict[str, str]) -> list[str]:
    return violations(
        world.pipeline, attempts=len(world.plan().moves), before=before,
        trainings=world.trainings, temporary=world.folder / "tmp",
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
