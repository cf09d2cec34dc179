"""Starts engines, kills them, and starts the next, until the run is done.

Each engine is a process of its own, forked from one that has imported everything and opened
nothing, so that a restart costs what the engine itself does. As a script:

    killer.py WORLD each              end once at every boundary
    killer.py WORLD KIND [KIND ...]   end once at each of these kinds of boundary
    killer.py WORLD never             an undisturbed run

It prints one JSON object: the kills, and how the run ended.
"""

import json
import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from boundaries import Boundaries, Policy, each_once, never
from kill_worlds import KillWorld

from improve_git.journal import only_run

PATIENCE = 600.0  # seconds after which an engine counts as hanging


@dataclass
class Report:
    """What came of a run that was killed again and again."""

    kills: int = 0
    starts: int = 0
    ending: str = ""  # as the loop tells it
    failure: str = ""  # a traceback, where an engine failed instead of being killed


def run_until_done(world: KillWorld, policy: Callable[[], Policy]) -> Report:
    """Start engines one after the other until one comes to the end of the run."""
    report = Report()
    while not report.ending and not report.failure:
        begun = time.monotonic()
        start(world, report, policy(), PATIENCE)
        if time.monotonic() - begun > PATIENCE:
            report.failure = "an engine hangs"
    return report


def start(
    world: KillWorld,
    report: Report,
    policy: Policy,
    seconds: float,
    memory: Path | None = None,
) -> None:
    """Start one engine and wait for its end; kill it after so many seconds."""
    report.starts += 1
    engine = os.fork()
    if engine == 0:
        _be_engine(world, policy, memory)
    status = _wait(engine, seconds)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        report.kills += 1
    elif status == 0:
        report.ending = (world.folder / "ending").read_text()
    else:
        report.failure = (world.folder / "failure").read_text()


def _wait(engine: int, seconds: float) -> int:
    deadline = time.monotonic() + seconds
    while True:
        ended, status = os.waitpid(engine, os.WNOHANG)
        if ended:
            return status
        if time.monotonic() > deadline:
            os.kill(engine, signal.SIGKILL)
            return os.waitpid(engine, 0)[1]
        time.sleep(0.005)


def _be_engine(world: KillWorld, policy: Policy, memory: Path | None) -> NoReturn:
    """Run the loop as the command line does, and end this process."""
    code = 1
    try:
        tempfile.tempdir = os.environ["TMPDIR"] = str(world.folder / "tmp")
        boundaries = Boundaries(policy, world.state, world.hits)
        boundaries.install()
        with only_run(world.state):
            ending = world.run(boundaries, memory)
        (world.folder / "ending").write_text(ending)
        code = 0
    except BaseException:  # noqa: BLE001 - of whatever kind, it is what the test is to see
        (world.folder / "failure").write_text(traceback.format_exc())
    finally:
        os._exit(code)


def preload() -> None:
    """Import what an engine imports late, once for all those that are forked."""
    # When it is imported, filelock tries links in a temporary folder: not a change of the engine's.
    import filelock  # noqa: F401
    import sklearn.metrics  # noqa: F401

    import improve_git.judging.judge
    import improve_git.sandboxes.docker
    import improve_git.sandboxes.process  # noqa: F401
    from improve_git.settings.compose import compose

    compose("", [])


def main() -> None:
    preload()
    world, words = KillWorld(Path(sys.argv[1])), sys.argv[2:]
    if words == ["never"]:
        report = run_until_done(world, lambda: never)
    else:
        kinds = None if words == ["each"] else set(words)
        report = run_until_done(world, lambda: each_once(world.hits, kinds))
    print(json.dumps(vars(report)))


if __name__ == "__main__":
    main()
