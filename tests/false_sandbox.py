"""A sandbox that trains nothing and lets something happen instead: to see what notices it."""

import subprocess
from collections.abc import Callable
from typing import Any

import numpy as np

from improve_git.domain import Outcome
from improve_git.sandboxes.base import OnEvent, PredictJob, TrainJob
from improve_git.sandboxes.job import clear_folders


class FalseSandbox:
    """Trains nothing and lets something happen instead."""

    name = "docker"
    image = "false-1"

    def __init__(self) -> None:
        self.happens: Callable[[TrainJob, OnEvent], object] = lambda job, on_event: None
        self.trained = Outcome("ok", seconds=0.1, wall_seconds=0.1)
        self.answer: Callable[[PredictJob], Any] | None = None
        self.children: list[subprocess.Popen[bytes]] = []

    def train(self, job: TrainJob, on_event: OnEvent) -> Outcome:
        self.happens(job, on_event)
        if self.trained.status == "ok":
            job.weights_out.write_bytes(b"weights")
        return self.trained

    def predict(self, job: PredictJob, on_event: OnEvent) -> tuple[Outcome, Any]:
        del on_event
        count = len(np.load(job.pack / "images.npy"))
        logits = np.zeros((count, 4), np.float32)
        logits[:, 0] = 1
        outcome = Outcome("ok", seconds=0.1, wall_seconds=0.1)
        return outcome, self.answer(job) if self.answer else logits

    def clear_leftovers(self, label_prefix: str) -> int:
        clear_folders(label_prefix)
        return 0
