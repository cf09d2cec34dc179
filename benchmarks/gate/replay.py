"""Replay evolutions under each merge rule, on the bank, and write down what came of them.

    python benchmarks/gate/replay.py [--work FOLDER] [--evolutions 1000] [--only NAME ...]

Every rule gets the same evolutions (evolution.py): the same images, seeds, starts and candidates.
Results go to one JSON file for each rule and supply, so an interrupted call carries on. Then:
``python benchmarks/gate/report.py``.
"""

import argparse
import json
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from bank import WORK
from evolution import POOR, RICH, Evolution, Policy, State, Truth, certified, run
from improve_git.files import write_atomically
from improve_git.judging.gate import Rule
from improve_git.trail.openings import level_of
from store import load

BUDGETS = (30, 60, 120)  # trainings
SUPPLIES = {supply.name: supply for supply in (RICH, POOR)}


def _confirmed(name: str, seeds: int, confidence: float, chance: float) -> Policy:
    rule = Rule("confirmed", 0, seeds, confidence, chance)
    full = f"{name}-{seeds}-{confidence:g}-{chance:g}"
    return Policy(full, rule, fresh=name == "fresh", lean=name == "lean")


POLICIES = {
    policy.name: policy
    for policy in (
        Policy("improves", Rule()),
        Policy("improves-fresh", Rule(), fresh=True),
        *(
            _confirmed("confirmed", 3, confidence, chance)
            for confidence in (0.6, 0.7, 0.75, 0.8, 0.9)
            for chance in (0.3, 0.1)
        ),
        *(_confirmed("confirmed", 2, confidence, 0.3) for confidence in (0.6, 0.7, 0.8)),
        *(
            _confirmed(name, 3, confidence, 0.3)
            for name in ("lean", "fresh")
            for confidence in (0.7, 0.8)
        ),
    )
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--evolutions", type=int, default=1000)
    parser.add_argument("--only", nargs="+", choices=POLICIES, default=list(POLICIES))
    options = parser.parse_args()
    truth = Truth(load(options.work))
    for name in options.only:
        for supply in SUPPLIES:
            file = options.work / "replay" / f"{name}.{supply}.json"
            if file.exists() and len(json.loads(file.read_text())) >= options.evolutions:
                continue
            begun = time.monotonic()
            rows = [replay(truth, name, supply, n) for n in range(options.evolutions)]
            file.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(file, json.dumps(rows))
            print(f"{name} {supply}: {time.monotonic() - begun:.0f} s", flush=True)


def replay(truth: Truth, name: str, supply: str, number: int) -> dict[str, Any]:
    """Replay one evolution under one rule; return what the report needs, budget by budget."""
    evolution, asked = Evolution(truth, SUPPLIES[supply], number), level_of(1)
    ends = run(evolution, POLICIES[name], list(BUDGETS))
    return {
        "start": evolution.true(evolution.first),
        # The same pipeline with a comment more: to certify that is always wrong.
        "null_certified": certified(evolution, replace(evolution.first, comments=1), asked),
        "ends": {budget: _told(evolution, state) for budget, state in ends.items()},
    }


def _told(evolution: Evolution, state: State) -> dict[str, Any]:
    return {
        "true": evolution.true(state.tip),
        "trainings": state.trainings,
        "candidates": state.candidates,
        "nulls": state.nulls,
        "merges": [asdict(merge) for merge in state.merges],
        "certified": certified(evolution, state.tip, level_of(1)),
    }


if __name__ == "__main__":
    main()
