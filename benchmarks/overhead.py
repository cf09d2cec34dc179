"""What an iteration costs beside its training and predicting, and what that is made of.

    python benchmarks/overhead.py [--sandbox docker|process] [--iterations 5]

Runs the playbook on the digits. For each iteration after the baseline: its wall time, minus the
seconds of training and predicting inside the sandbox, is set against the floor: two bare no-op
`docker run` of the same image, and the Git commands that the iteration ran (their own time, as
measured while they ran). Also printed: how much of the rest is start-up inside the sandbox (the
import of torch, twice), told apart by the harness's own clock.
"""

import argparse
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from improve_git import creation
from improve_git.git import process
from improve_git.iteration.trial import Bench
from improve_git.loop import Loop
from improve_git.observer import Silent
from improve_git.pipeline import Pipeline
from improve_git.sandboxes.select import open_sandbox
from improve_git.teams.playbook import Playbook


class Watch(Silent):
    """Notes when each verdict was given, and what the sandbox said of its phases."""

    def __init__(self) -> None:
        self.verdicts: list[float] = []

    def verdict(self, verdict: str, subject: str) -> None:
        self.verdicts.append(time.perf_counter())
        print(subject)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--sandbox", choices=["docker", "process"], default="docker")
    parser.add_argument("--iterations", type=int, default=5)
    options = parser.parse_args()
    git_seconds: list[tuple[float, float]] = []
    plain = process.execute

    def timed(*arguments: Any, **more: Any) -> bytes:
        begun = time.perf_counter()
        try:
            return plain(*arguments, **more)
        finally:
            git_seconds.append((begun, time.perf_counter() - begun))

    process.execute = timed
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "digits"
        words = [f"sandbox={options.sandbox}", f"budget.iterations={options.iterations}",
                 "accept=improves"]  # fmt: skip
        creation.create(creation.plan("digits", target, words), lambda _: Playbook())
        pipeline, watch = Pipeline.open(target, words), Watch()
        settings = pipeline.snapshot("main").settings
        sandbox = open_sandbox(settings.sandbox, print)
        Loop(pipeline, Playbook(), Bench(pipeline, sandbox, watch), watch).run()
        results = pipeline.journal.events("result")
        records = [pipeline.repo.read_blob(event["record"]) for event in results]
        report(watch.verdicts, git_seconds, records, sandbox.image)


def report(
    verdicts: list[float], git_seconds: list[tuple[float, float]], records: list[str], image: str
) -> None:
    import json

    noop = no_op(image)
    rows = []
    for begun, ended, text in zip(verdicts, verdicts[1:], records[1:], strict=False):
        record = json.loads(text)
        inside = record["train_seconds"] + (record["predict_seconds"] or 0)
        outside = ended - begun - inside
        start_up = record["train_wall_seconds"] + (record["predict_wall_seconds"] or 0) - inside
        commands = [seconds for at, seconds in git_seconds if begun <= at < ended]
        rows.append((outside, start_up, sum(commands), len(commands)))
    outside, start_up, in_git, count = (
        statistics.median(column) for column in zip(*rows, strict=True)
    )
    floor = 2 * noop + in_git
    print(f"\nan iteration beside training and predicting: {outside:.2f} s (median of {len(rows)})")
    print(f"  starting the sandbox twice, imports included: {start_up:.2f} s")
    print(f"  Git: {in_git:.2f} s in {count:.0f} commands")
    print(f"  the engine's own work: {outside - start_up - in_git:.2f} s")
    print(f"floor: two no-op containers at {noop:.2f} s each and the Git commands: {floor:.2f} s")
    bare = outside - start_up + 2 * noop
    print(f"ratio: {outside / floor:.1f}; were the imports free: {bare / floor:.1f}")


def no_op(image: str) -> float:
    """Return the median seconds of a bare no-op container; 0 where no engine answers."""
    name = image.split("@", maxsplit=1)[0]
    command = ["docker", "run", "--rm", "--network", "none", "--entrypoint", "true", name]
    seconds = []
    for _ in range(5):
        begun = time.perf_counter()
        if subprocess.run(command, check=False, capture_output=True).returncode:
            return 0.0
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds)


if __name__ == "__main__":
    main()
