"""Runs attacks: each as one iteration of the real loop on a fresh copy of the pipeline."""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from threading import Lock
from typing import Any

from improve_git.attacks.canaries import Canary, canary, ears
from improve_git.attacks.catalogue import Attack
from improve_git.attacks.checks import broken
from improve_git.attacks.scene import Scene, look
from improve_git.attacks.teams import team_for
from improve_git.attacks.world import World, make_world
from improve_git.errors import ImproveError, SandboxError
from improve_git.iteration.trial import Bench
from improve_git.loop import Loop
from improve_git.pipeline import Pipeline
from improve_git.sandboxes.base import UNISOLATED, Sandbox

AT_ONCE = 2
_COMPOSING = Lock()  # Hydra composes settings in one thread at a time


@dataclass(frozen=True)
class Result:
    """What came of one attack."""

    attack: Attack
    sandbox: str
    outcome: str
    broken: tuple[str, ...]  # what did not hold
    exempt: str  # why it need not hold here; "" where it must
    seconds: float

    @property
    def held(self) -> bool:
        """Whether everything held."""
        return not self.broken


@dataclass(frozen=True)
class Suite:
    """A world, and what is to be guarded in it."""

    world: World
    canary: Canary

    def run(self, attack: Attack, sandbox: Sandbox) -> Result:
        """Run one attack and check everything after it."""
        folder = self.world.copy(attack.name)
        with _COMPOSING:
            pipeline = Pipeline.open(folder, self.world.words())
            pipeline.snapshot(pipeline.main())  # which it remembers
        before = look(pipeline, self.world)
        hearing = _Hearing()
        stopped = ""
        with ears() as listening:
            begun = time.monotonic()
            try:
                allowance = self.world.train_seconds
                bench = Bench(pipeline, sandbox, hearing, allowance_seconds=allowance)
                Loop(pipeline, team_for(attack, pipeline.state), bench, hearing).run()
            except ImproveError as error:
                stopped = error.message
            seconds = time.monotonic() - begun
            scene = Scene(attack, self.world, pipeline, sandbox, before, self.canary,
                          listening, seconds, stopped, tuple(hearing.said))  # fmt: skip
            outcome, not_held = scene.outcome(), tuple(broken(scene))
        shutil.rmtree(folder, ignore_errors=True)
        exempt = attack.exempt.get(sandbox.name, "")
        return Result(attack, sandbox.name, outcome, not_held, exempt, seconds)

    def run_all(
        self,
        attacks: Sequence[Attack],
        open_sandbox: Callable[[], Sandbox],
        at_once: int = AT_ONCE,
    ) -> Iterator[Result]:
        """Run attacks, some at once, and yield each result as it comes."""
        # A sandbox speaks to its engine over connections that only one thread may use at a time.
        free: SimpleQueue[Sandbox] = SimpleQueue()
        for _ in range(at_once):
            free.put(open_sandbox())

        def run(attack: Attack) -> Result:
            sandbox = free.get()
            try:
                return self.run(attack, sandbox)
            finally:
                free.put(sandbox)

        with ThreadPoolExecutor(at_once) as threads:
            waiting = [threads.submit(run, attack) for attack in attacks]
            try:
                for done in as_completed(waiting):
                    yield done.result()
            finally:
                for future in waiting:
                    future.cancel()


@contextmanager
def open_suite(sandbox: Sandbox) -> Iterator[Suite]:
    """Make a world in a temporary folder and put the canary in place; all is gone at the end.

    Raises:
        SandboxError: nothing isolates, and nothing hostile is run there.
        SandboxError, PipelineError: not even the honest pipeline runs here.
    """
    if sandbox.name == UNISOLATED:
        raise SandboxError(
            "nothing isolates candidates here, so nothing hostile is run",
            "install bubblewrap or Docker; see: improve-git doctor",
        )
    folder = Path(tempfile.mkdtemp(prefix="improve-git-attack-"))
    try:
        with canary(folder) as secret:
            yield Suite(make_world(folder, sandbox), secret)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Hearing:
    """An observer that keeps what it is told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        """Keep it."""
        self.said.append(text)

    def warn(self, text: str) -> None:
        """Keep it."""
        self.said.append(text)

    def doing(self, text: str) -> None:
        """Keep it."""
        self.said.append(text)

    def begin(self, title: str, epochs: int | None, seconds: float) -> None:
        """Keep the title."""
        del epochs, seconds
        self.said.append(title)

    def event(self, event: dict[str, Any]) -> None:
        """Keep its texts."""
        self.said.extend(text for text in event.values() if isinstance(text, str))

    def end(self) -> None:
        """Do nothing."""

    def verdict(self, verdict: str, subject: str) -> None:
        """Keep the subject."""
        del verdict
        self.said.append(subject)
