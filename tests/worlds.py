"""A real pipeline on real Git with a scripted sandbox and team, for tests of the loop."""

import itertools
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from improve_git import creation
from improve_git.git import process
from improve_git.iteration.trial import Bench
from improve_git.loop import Loop
from improve_git.observer import Silent
from improve_git.pipeline import Pipeline
from improve_git.teams.base import Team
from improve_git.trail.history import read_history
from scripted import ScriptedSandbox, ScriptedTeam, source

BETTER = source("model", 0.4)
WORSE = source("train", 0.1)
SAME = source("data", 0.2, "\n# only a comment\n")
CRASH = source("train", 0.9, "\n# crashed\n")


@contextmanager
def ticking_clock() -> Iterator[None]:
    """Give each commit the second after the one before."""
    seconds = itertools.count(1_700_000_000)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(process, "now", lambda: f"{next(seconds)} +0000")
        yield


def make_photos(folder: Path) -> Path:
    """Write two classes of 100 tiny images each."""
    for label, name in enumerate(("cats", "dogs")):
        (folder / name).mkdir(parents=True)
        for number in range(100):
            colour = (number, 100 * label, number // 2)
            Image.new("RGB", (8, 8), colour).save(folder / name / f"{number}.png")
    return folder


@dataclass
class World:
    """A pipeline, and what acts on it."""

    pipeline: Pipeline
    sandbox: ScriptedSandbox
    team: Team

    def run(self, *overrides: str) -> str:
        pipeline = Pipeline.open(self.pipeline.repo.folder, overrides)
        bench = Bench(pipeline, self.sandbox, Silent())
        return Loop(pipeline, self.team, bench, Silent()).run()

    def graph(self) -> list[str]:
        """Return each commit, oldest first: its author and subject."""
        log = self.pipeline.repo.log("--branches", "--reverse", "--date-order")
        return [f"{c.author.name}: {c.subject}" for c in log]

    def verdicts(self) -> list[tuple[int, str, str]]:
        attempts = read_history(self.pipeline.repo).attempts
        return [(a.number, str(a.verdict), a.reason) for a in attempts]

    def commit(self, name: str, text: str) -> str:
        """Commit a file as the user would."""
        folder = self.pipeline.repo.folder
        (folder / name).write_text(text)
        subprocess.run(["git", "add", name], cwd=folder, check=True)
        message = f"Edit {name} by hand"
        subprocess.run(["git", "commit", "-q", "-m", message], cwd=folder, check=True)
        return self.pipeline.repo.git("rev-parse", "HEAD")


def make_world(
    photos: Path,
    target: Path,
    moves: list[tuple[str, str, str]],
    repairs: list[str] | None = None,
    team: Team | None = None,
    words: tuple[str, ...] = (),
    sandbox: type[ScriptedSandbox] = ScriptedSandbox,
) -> World:
    team = team or ScriptedTeam(moves, repairs)
    settings = ["data.split.val=0.4", "data.split.test=0.1", "budget.train_seconds=60",
                "accept=improves", *words]  # fmt: skip
    found = creation.plan(str(photos), target, settings)
    repo = creation.create(found, lambda _: team)
    return World(Pipeline.open(repo.folder), sandbox(found.data_set), team)


def world_at(folder: Path, moves: list[tuple[str, str, str]]) -> World:
    """Return a pipeline that is there, with a sandbox and a team of its own."""
    pipeline = Pipeline.open(folder)
    return World(pipeline, ScriptedSandbox(pipeline.snapshot("main").data_set), ScriptedTeam(moves))


def meanwhile(w: World, training: int, act: Callable[[], object]) -> None:
    """Let the user act while the n-th training (from 1, the baseline's) is under way."""
    count = itertools.count(1)
    w.sandbox.before_training = lambda: act() if next(count) == training else None  # type: ignore[func-returns-value]
