"""Fill the bank: train every cell of the grid with every seed, and keep the logits on val.

    python benchmarks/gate/bank.py [--work FOLDER] [--seeds 0 1 ...]
    python benchmarks/gate/bank.py --check      # are warm trainings those of the real sandbox?
    python benchmarks/gate/bank.py --table      # what the bank says so far

A rule for merging is measured by playing thousands of evolutions back from the bank without
training: val holds 1,537 images, which a replay divides into the images that judge and a pool that
tells the truth. grid.py has the cells and why they were chosen, store.py the format and how to
load it. Trained is seed by seed, so that a bank half-filled is of use, and what is there is not
trained again; several processes may fill different seeds. Everything goes the engine's own way
(Bench, sessions, harness), only the start of the processes is warm.py's.
"""

import argparse
import copy
import platform
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from importlib import metadata
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from figures import table
from grid import VARIANTS, WORDS, open_pipeline, sources
from improve_git.domain import COMPONENTS, FILES, Outcome
from improve_git.iteration.trial import Bench
from improve_git.observer import Silent
from improve_git.pipeline import Pipeline, Snapshot
from improve_git.sandboxes.base import Sandbox
from improve_git.sandboxes.process import ProcessSandbox
from store import Cell, load, note, place, save
from warm import WarmSandbox

WORK = Path(__file__).resolve().parents[2] / "build" / "gate"  # Git ignores it
CPUS = 1.0
STOP_SECONDS = 600.0  # of a training of about one second
TOLD_EVERY = 12  # trainings
CHECKED = (0, 86, 215)  # cells, by number


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(8)))
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--table", action="store_true")
    options = parser.parse_args()
    if options.table:
        print(table(load(options.work)), end="")
        return
    options.work.mkdir(parents=True, exist_ok=True)
    pipeline = open_pipeline(options.work)
    with closing(WarmSandbox(CPUS)) as sandbox:
        trainer = Trainer(pipeline, sandbox)
        if options.check:
            check(trainer, Trainer(pipeline, ProcessSandbox("none")))
        else:
            note(options.work, about(trainer))
            fill(trainer, options.work, options.seeds)


class Trainer:
    """Trains cells of the grid in one sandbox."""

    def __init__(self, pipeline: Pipeline, sandbox: Sandbox) -> None:
        self.first: Snapshot = pipeline.snapshot(pipeline.main())
        self.sources = sources(self.first)
        self.bench = Bench(pipeline, sandbox, Silent())

    def run(self, cell: Cell, seed: int) -> tuple[NDArray[np.float32], Outcome]:
        """Return the logits on val, in pack order, and the outcome of the training."""
        settings = copy.deepcopy(self.first.settings)
        settings.seed = seed
        files = {
            FILES[component]: self.sources[component][name]
            for component, name in zip(COMPONENTS, cell, strict=True)
        }
        snapshot = replace(self.first, files=files, settings=settings)
        weights = self.bench.pipeline.weights_file(self.bench.key(snapshot))
        try:
            trained = self.bench.train(snapshot, ".".join(cell), STOP_SECONDS)
            outcome, logits = trained, None
            if trained.status == "ok":
                val = self.bench.packs(snapshot) / "val"
                outcome, logits = self.bench.predict(snapshot, val, "bank")
        finally:
            weights.unlink(missing_ok=True)
        if logits is None:
            raise SystemExit(f"{cell}, seed {seed}: {outcome.status}: {outcome.reason}")
        return logits, trained


def cells() -> Iterator[Cell]:
    """Yield every cell, the first pipeline first."""
    return product(*(VARIANTS[component] for component in COMPONENTS))  # type: ignore[return-value]


def fill(trainer: Trainer, work: Path, seeds: list[int]) -> None:
    """Train what is missing; the outermost loop is over seeds. Others may fill the same bank."""
    wanted = [(cell, seed) for seed in seeds for cell in cells()]
    labels = np.array(trainer.first.data_set.labels("val"))
    at_first = missing(work, wanted)
    print(f"{len(wanted) - at_first} of {len(wanted)} trainings are there", flush=True)
    begun = time.monotonic()
    done = 0
    for cell, seed in wanted:
        if place(work, cell, seed).exists():
            continue
        logits, trained = trainer.run(cell, seed)
        last = trained.curve[-1] if trained.curve else {}
        save(place(work, cell, seed), logits, last.get("tune_accuracy"), trained.seconds)
        done += 1
        if done % TOLD_EVERY == 0:
            left = missing(work, wanted)
            each = (time.monotonic() - begun) / max(1, at_first - left)
            print(
                f"seed {seed}  {'.'.join(cell):40} {(logits.argmax(1) == labels).mean():.4f}  "
                f"{len(wanted) - left} of {len(wanted)}, {each:.2f} s each, "
                f"{each * left / 60:.0f} min left",
                flush=True,
            )
    print(f"{len(wanted) - missing(work, wanted)} of {len(wanted)} trainings are there", flush=True)


def missing(work: Path, wanted: list[tuple[Cell, int]]) -> int:
    """Return how many trainings are not there yet."""
    return sum(not place(work, cell, seed).exists() for cell, seed in wanted)


def check(warm: Trainer, real: Trainer) -> None:
    """Train some cells in the warm worker and in the real sandbox, and compare the logits."""
    same = True
    print(f"the real sandbox: {real.bench.sandbox.name}, {real.bench.sandbox.image}")
    every = list(cells())
    for seed, number in enumerate(CHECKED):
        cell = every[number]
        ours, trained = warm.run(cell, seed)
        theirs, again = real.run(cell, seed)
        equal = ours.tobytes() == theirs.tobytes() and _learnt(trained) == _learnt(again)
        same = same and equal
        worst = float(np.abs(ours - theirs).max())
        told = "equal to the last bit" if equal else f"DIFFERENT, by up to {worst:g}"
        print(f"{'.'.join(cell)}, seed {seed}: {told}; training took {trained.seconds:.2f} s "
              f"warm, {again.seconds:.2f} s real", flush=True)  # fmt: skip
    if not same:
        raise SystemExit("the warm worker is not the real sandbox")


def _learnt(outcome: Outcome) -> list[dict[str, Any]]:
    """Return the curve without its clock."""
    return [{k: v for k, v in epoch.items() if k != "seconds"} for epoch in outcome.curve]


def about(trainer: Trainer) -> dict[str, Any]:
    """Return what the bank is made of, enough to make it again."""
    data_set = trainer.first.data_set
    return {
        "format": 1,
        "words": list(WORDS),
        "variants": {
            component: {name: list(moves) for name, moves in VARIANTS[component].items()}
            for component in COMPONENTS
        },
        "files": trainer.sources,
        "classes": list(data_set.classes),
        "parts": data_set.profile["parts"],
        "dataset": data_set.fingerprint,
        "labels": data_set.labels("val"),
        "environment": {
            "image": trainer.bench.sandbox.image,
            "torch": metadata.version("torch"),
            "machine": platform.machine(),
            "cpus": CPUS,
        },
    }


if __name__ == "__main__":
    main()
