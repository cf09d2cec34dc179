"""The same pipeline trained by its own run.py and in the sandbox: what the sandbox costs.

    python benchmarks/by_hand.py PIPELINE [--runs 3]

Both train the files of main with the same data, epochs and seed on this machine, in turn. The
sandbox's time is told twice: the training alone, by the harness's clock, and with start-up.
"""

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

from improve_git.cli.display import Display
from improve_git.datasets.store import images_root
from improve_git.iteration.trial import Bench, safety_stop
from improve_git.pipeline import Pipeline
from improve_git.sandboxes.select import open_sandbox


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("pipeline", type=Path)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    options = parser.parse_args()
    pipeline = Pipeline.open(options.pipeline, options.overrides)
    snapshot, display = pipeline.snapshot(pipeline.main()), Display()
    bench = Bench(pipeline, open_sandbox(snapshot.settings.sandbox, display.say), display)
    root = images_root(snapshot.settings.data, pipeline.state)
    bench.packs(snapshot)
    by_hand, inside, whole = [], [], []
    for number in range(options.runs):
        command = [sys.executable, "run.py", "train", "--images", str(root)]
        begun = time.perf_counter()
        subprocess.run(command, cwd=pipeline.repo.folder, check=True, capture_output=True)
        by_hand.append(time.perf_counter() - begun)
        outcome = bench.train(snapshot, f"run {number + 1}", safety_stop(snapshot.settings, None))
        if outcome.status != "ok":
            raise SystemExit(f"{outcome.status}: {outcome.reason}")
        inside.append(outcome.seconds)
        whole.append(outcome.wall_seconds)
        tell(f"run {number + 1}", by_hand[-1:], whole[-1:], inside[-1:])
    tell("medians", by_hand, whole, inside)


def tell(title: str, by_hand: list[float], whole: list[float], inside: list[float]) -> None:
    """Print the medians and their ratio."""
    hand, all_, training = map(statistics.median, (by_hand, whole, inside))
    print(f"{title}: run.py {hand:.1f} s, sandbox {all_:.1f} s ({training:.1f} s training), "
          f"ratio {all_ / hand:.2f}")  # fmt: skip


if __name__ == "__main__":
    main()
