"""What a confidence is worth: how often changes without any effect reach it.

    python benchmarks/gate/calibration.py [--work FOLDER] [--draws 4000]

A null is a pipeline of the bank against itself, three seeds against three others, on 400 images
drawn anew; the noise between seeds is pooled over so many other pipelines as a trail has. Prints
the share of nulls that reach each confidence, with all seeds measured (no look, no stopping), by
the gate's variance and by one over images alone. What comes of the look and of stopping early is
in the replay's "nulls merged".
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bank import WORK
from evolution import VAL, Truth
from improve_git.judging.significance import Pair, SeedNoise, Trained, churn, compare, seed_noise
from outcomes import percent, rate
from store import load

CONFIDENCES = (0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
TRAIL = (1, 5, 20)  # other pipelines with several seeds
SEEDS = 3
Ints = NDArray[np.int64]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--draws", type=int, default=4000)
    options = parser.parse_args()
    truth = Truth(load(options.work))
    columns = {f"a trail of {count}": reached(truth, count, options.draws) for count in TRAIL}
    columns["images alone"] = reached(truth, 0, options.draws)
    print("| confidence | nominal, % | " + " | ".join(f"{name}, %" for name in columns) + " |")
    print("|" + " --- |" * (2 + len(columns)))
    for confidence in CONFIDENCES:
        cells = [
            percent(rate(int((found >= confidence).sum()), len(found)))
            for found in columns.values()
        ]
        print(f"| {confidence:g} | {100 * (1 - confidence):.0f} | " + " | ".join(cells) + " |")


def reached(truth: Truth, trail: int, draws: int) -> "np.ndarray":
    """Return the confidence of each null; without a trail the noise between seeds is left out."""
    random = np.random.default_rng(0)
    found = []
    for _ in range(draws):
        images = random.choice(len(truth.labels), size=VAL)
        labels: Any = truth.labels[images]
        cells = random.choice(int(np.prod(truth.shape)), size=1 + trail, replace=False)

        seeds = random.permutation(truth.seeds)
        ours = train(truth, cells[0], seeds[:SEEDS], images)
        theirs = train(truth, cells[0], seeds[SEEDS : 2 * SEEDS], images)
        noise = SeedNoise(0.0, 0)
        if trail:
            runs = [
                ours,
                theirs,
                *(train(truth, cell, seeds[:SEEDS], images) for cell in cells[1:]),
            ]
            groups = [[run.score for run in side] for side in runs]
            noise = seed_noise(groups, churn("accuracy", labels, theirs))
        found.append(compare(Pair("accuracy", labels, ours, theirs), noise).confidence)
    return np.array(found)


def train(truth: Truth, cell: int, seeds: Ints, images: Ints) -> list[Trained]:
    """Return trainings of a cell, judged on these images."""
    at = np.unravel_index(cell, truth.shape)
    predicted: list[Any] = [truth.predicted[(seed, *at)][images] for seed in seeds]
    return [Trained(float((one == truth.labels[images]).mean()), one) for one in predicted]


if __name__ == "__main__":
    main()
