"""Open the sealed test part: is main better than its baseline, and by how much?

    python benchmarks/gain.py PIPELINE [--against OTHER] [--seeds 0 1 2] [key=value ...]

Trains the baseline and the tip of main on the same seeds, in the sandbox that the pipeline's
settings name, and predicts the test part, which no run ever opens. Prints the gain in accuracy,
paired on images and seeds, with a 95 % interval by the pigeonhole bootstrap (Owen, Annals of
Applied Statistics 1(2), 2007): images and seeds are resampled independently, so a seed's shift,
which all images share, counts in full. With --against two pipelines on the same images and split
are compared as well. Results are kept in .improve/gain.json, so an interrupted
call carries on.
"""

import argparse
import copy
import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from improve_git.cli.display import Display
from improve_git.files import write_atomically
from improve_git.iteration.trial import Bench, safety_stop
from improve_git.pipeline import Pipeline, Snapshot
from improve_git.sandboxes.select import open_sandbox
from improve_git.trail.history import read_history

RESAMPLES = 10_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("pipeline", type=Path)
    parser.add_argument("--against", type=Path, help="another pipeline on the same images")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    options = parser.parse_args()

    ours = ends_of(options.pipeline, options.seeds, options.overrides)
    tell("gain", ours["main"] - ours["baseline"])
    if options.against:
        theirs = ends_of(options.against, options.seeds, options.overrides)
        tell("gain of the other", theirs["main"] - theirs["baseline"])
        tell("main less the other main", ours["main"] - theirs["main"])


def ends_of(folder: Path, seeds: list[int], overrides: list[str]) -> "dict[str, np.ndarray]":
    """Return for baseline and main a (seeds, images) array of what is right, and print it."""
    pipeline = Pipeline.open(folder, overrides)
    history = read_history(pipeline.repo)
    ends = {"baseline": history.main[0].commit, "main": pipeline.main()}
    display = Display()
    settings = pipeline.snapshot(ends["main"]).settings
    bench = Bench(pipeline, open_sandbox(settings.sandbox, display.say), display)
    right = {
        name: np.array([correct(bench, pipeline.snapshot(commit), seed) for seed in seeds])
        for name, commit in ends.items()
    }
    print(f"{folder}, {len(history.decided)} iterations")
    for name, commit in ends.items():
        scores = ", ".join(f"{score:.4f}" for score in right[name].mean(axis=1))
        print(f"{name:8} {commit[:10]}  test accuracy by seed {scores}, "
              f"mean {right[name].mean():.4f}")  # fmt: skip
    return right


def tell(what: str, difference: "np.ndarray") -> None:
    low, middle, high = (100 * value for value in interval(difference))
    seeds, images = difference.shape
    print(f"{what} on {images} sealed test images, {seeds} seeds each, paired: {middle:+.2f} "
          f"points, 95 % interval {low:+.2f} to {high:+.2f}")  # fmt: skip


def correct(bench: Bench, snapshot: Snapshot, seed: int) -> "np.ndarray":
    """Return for each test image 1.0 where a training with that seed gets it right, else 0.0."""
    settings = copy.deepcopy(snapshot.settings)
    settings.seed = seed
    seeded = replace(snapshot, settings=settings)
    known = bench.pipeline.state / "gain.json"
    results = json.loads(known.read_text()) if known.exists() else {}
    key = bench.key(seeded)
    if key not in results:
        outcome = bench.train(seeded, f"seed {seed}", safety_stop(settings, None))
        if outcome.status != "ok":
            raise SystemExit(
                f"training failed: {outcome.status}: {outcome.reason}\n{outcome.detail}"
            )
        outcome, logits = bench.predict(seeded, bench.packs(seeded) / "test", "gain")
        if outcome.status != "ok":
            raise SystemExit(f"predicting failed: {outcome.status}: {outcome.reason}")
        labels = np.array(seeded.data_set.labels("test"))
        results[key] = (logits.argmax(axis=1) == labels).astype(int).tolist()
        write_atomically(known, json.dumps(results))
        bench.pipeline.weights_file(key).unlink()
        print(f"seed {seed}: {np.mean(results[key]):.4f} after {outcome.wall_seconds:.0f} s")
    return np.array(results[key], dtype=float)


def interval(difference: "np.ndarray") -> tuple[float, float, float]:
    """Return low, mean and high of a (seeds, images) array by the pigeonhole bootstrap."""
    random = np.random.default_rng(0)
    seeds, images = difference.shape
    means = [
        difference[random.integers(seeds, size=seeds)][
            :, random.integers(images, size=images)
        ].mean()
        for _ in range(RESAMPLES)
    ]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(difference.mean()), float(high)


if __name__ == "__main__":
    main()
