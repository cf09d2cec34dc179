"""Small hostile programs in a sandbox's place that speak for themselves: no harness, no torch."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pipelines
from improve_git.domain import Outcome
from improve_git.sandboxes import phases
from improve_git.sandboxes.base import ExportJob, Format, Limits, PredictJob, TrainJob
from improve_git.sandboxes.process import Tree

LIMITS = Limits(
    seconds=20,
    memory_bytes=2 << 30,
    processes=50,
    scratch_bytes=1 << 20,
    shm_bytes=1 << 20,
    output_bytes=4 << 20,
)
PRELUDE = """
import json, os, struct, sys, time
def frame(kind, payload):
    os.write(1, struct.pack(">cI", kind, len(payload)) + payload)
def event(**values):
    frame(b"E", json.dumps(values).encode())
def result(**values):
    frame(b"R", json.dumps(values).encode())
event(event="ready")
"""


@dataclass
class Trained:
    outcome: Outcome
    events: list[dict[str, Any]]
    weights: bytes | None


def train(folder: Path, program: str, prelude: str = PRELUDE, **limits: Any) -> Trained:
    bounds = Limits(**(LIMITS.__dict__ | limits))
    weights = folder / "out" / "weights"
    weights.parent.mkdir(exist_ok=True)
    packs = folder / "packs"
    if not packs.exists():
        pipelines.write_pack(packs / "tune", 4, 0, labelled=True)
    job = TrainJob(pipelines.FILES, packs, pipelines.spec(), (), bounds, "test", weights)
    events: list[dict[str, Any]] = []

    def start() -> Tree:
        return Tree([sys.executable, "-c", prelude + program], {}, bounds)

    outcome = phases.train(start, job, events.append)
    assert sorted(path.name for path in weights.parent.iterdir()) in ([], ["weights"])
    return Trained(outcome, events, weights.read_bytes() if weights.exists() else None)


def predict(folder: Path, program: str) -> tuple[Outcome, Any]:
    pack = folder / "pack"
    pipelines.write_pack(pack, 4, 0, labelled=False)
    job = PredictJob(pipelines.FILES, pack, pipelines.spec(), folder / "weights", LIMITS, "test")

    def start() -> Tree:
        return Tree([sys.executable, "-c", PRELUDE + program], {}, LIMITS)

    return phases.predict(start, job, lambda _event: None)


def export(folder: Path, form: Format, program: str, **limits: Any) -> Trained:
    bounds = Limits(**(LIMITS.__dict__ | limits))
    out = folder / "out" / "exported"
    out.parent.mkdir(exist_ok=True)
    job = ExportJob(
        pipelines.FILES, folder, pipelines.spec(), folder / "weights", bounds, "test", form, out
    )
    events: list[dict[str, Any]] = []

    def start() -> Tree:
        return Tree([sys.executable, "-c", PRELUDE + program], {}, bounds)

    outcome = phases.export(start, job, events.append)
    assert sorted(path.name for path in out.parent.iterdir()) in ([], ["exported"])
    return Trained(outcome, events, out.read_bytes() if out.exists() else None)
