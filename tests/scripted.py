"""The one fake: a sandbox that trains by reading a figure, so that the loop's tests take no time.

Everything around it is real: Git, the data set, the judge, the gate, the journal. What a pipeline
scores is the sum of the QUALITY figures in its three files; a file that says CRASH crashes.
"""

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from improve_git.datasets.dataset import DataSet
from improve_git.domain import Assignment, Context, Design, Outcome, Rewrite
from improve_git.sandboxes.base import ExportJob, PredictJob, TrainJob

SOURCES = {
    "data.py": "QUALITY = {}\n\n\ndef build_loaders(train_samples, tune_samples, spec):\n"
    "    return [], []\n\n\ndef eval_transform(spec):\n    return None\n",
    "model.py": "QUALITY = {}\n\n\ndef build_model(spec, pretrained=True):\n    return None\n",
    "train.py": "QUALITY = {}\n\n\ndef train(model, train_loader, tune_loader, spec, report):\n"
    "    return model\n",
}


def source(component: str, quality: float, extra: str = "") -> str:
    """Return a component's file that is worth ``quality``."""
    return SOURCES[f"{component}.py"].format(quality) + extra


class ScriptedSandbox:
    """Predicts as many val images right as the files' figures say."""

    name = "scripted"
    image = "scripted-1"

    def __init__(self, data_set: DataSet) -> None:
        self.labels = np.array(data_set.labels("val"))
        self.sealed = np.array(data_set.labels("test"))
        self.classes = len(data_set.classes)
        self.trained: list[str] = []  # what was trained, as text of the three files
        self.before_training: Callable[[], None] = lambda: None
        self.fail_sandbox = 0
        self.labels_seen: list[str] = []  # of all jobs
        self.cleared: list[str] = []  # prefixes of labels
        self.exported = Outcome("ok", info={"input_shape": "3 x 8 x 8", "torch": "2.15"})

    def train(self, job: TrainJob, on_event: Callable[[dict[str, Any]], None]) -> Outcome:
        self.before_training()
        self.labels_seen.append(job.label)
        if self.fail_sandbox:
            self.fail_sandbox -= 1
            return Outcome("sandbox-error", reason="the engine is away")
        text = "".join(job.files.values())
        self.trained.append(text)
        for status in ("crashed", "timeout", "out-of-memory"):
            if f"# {status}" in text:
                return Outcome(status, reason="as scripted", seconds=1.0, wall_seconds=1.0)
        on_event({"event": "epoch", "epoch": 0, "loss": 1.0})
        job.weights_out.write_bytes(text.encode())
        curve = [{"epoch": 0, "loss": 1.0}]
        stopped = "clock" if "# slow" in text else ""
        return Outcome("ok", curve=curve, seconds=1.5, wall_seconds=2.0,
                       peak_memory_bytes=2**30, stopped_by=stopped)  # fmt: skip

    def predict(
        self, job: PredictJob, on_event: Callable[[dict[str, Any]], None]
    ) -> tuple[Outcome, np.ndarray | None]:
        del on_event
        self.labels_seen.append(job.label)
        text = job.weights_file.read_text()
        share = min(1.0, sum(map(float, re.findall(r"QUALITY = ([0-9.]+)", text))))
        labels = self.sealed if job.pack.name == "test" else self.labels
        right = np.arange(len(labels)) < round(share * len(labels))
        predicted = np.where(right, labels, (labels + 1) % self.classes)
        logits = np.eye(self.classes, dtype=np.float32)[predicted]
        return Outcome("ok", seconds=0.2, wall_seconds=0.5), logits

    def export(self, job: ExportJob, on_event: Callable[[dict[str, Any]], None]) -> Outcome:
        del on_event
        self.labels_seen.append(job.label)
        if job.format != "safetensors" and self.exported.status == "ok":
            job.file_out.write_bytes(job.weights_file.read_bytes())
        return self.exported

    def clear_leftovers(self, label_prefix: str) -> int:
        self.cleared.append(label_prefix)
        return 0


class SeededSandbox(ScriptedSandbox):
    """One in which a seed decides about an image, about luck, and about a crash.

    It writes down what was trained with which seed, and the parts that were predicted.
    """

    def __init__(self, data_set: DataSet) -> None:
        super().__init__(data_set)
        self.jobs: list[tuple[str, int]] = []  # the text of the three files, the seed
        self.parts: list[str] = []

    def train(self, job: TrainJob, on_event: Callable[[dict[str, Any]], None]) -> Outcome:
        text, seed = "".join(job.files.values()), job.spec["seed"]
        self.jobs.append((text, seed))
        if f"# crashes with seed {seed}\n" in text:
            return Outcome("crashed", reason="as scripted", seconds=1.0, wall_seconds=1.0)
        return super().train(job, on_event)

    def predict(
        self, job: PredictJob, on_event: Callable[[dict[str, Any]], None]
    ) -> tuple[Outcome, np.ndarray | None]:
        self.parts.append(job.pack.name)
        outcome, logits = super().predict(job, on_event)
        assert logits is not None
        seed = job.spec["seed"]
        flipped = [seed % len(logits)]  # one image in the seed's hands
        if "# lucky" in job.files["train.py"] and seed == 1000:
            wrong = np.flatnonzero(logits.argmax(axis=1) != self.labels)
            flipped += list(wrong[: len(logits) // 5])
        logits[flipped] = logits[flipped, ::-1]
        return outcome, logits


class ScriptedTeam:
    """Goes through a list of (component, slug, file) in order."""

    name = "scripted"

    def __init__(self, moves: list[tuple[str, str, str]], repairs: list[str] | None = None) -> None:
        self.moves = moves
        self.repairs = repairs or []
        self.contexts: list[Context] = []

    def design(self, context: Context, epochs: int | None) -> Design:
        del epochs
        self.contexts.append(context)
        files = {f"{name}.py": source(name, 0.2) for name in ("data", "model", "train")}
        return Design(files, "Write the first pipeline", "For the tests.")

    def assign(self, context: Context) -> Assignment | None:
        self.contexts.append(context)
        if context.number > len(self.moves):
            return None
        component, slug, _ = self.moves[context.number - 1]
        return Assignment(component, slug, f"{slug} helps", f"Do {slug}.", "+1 point")  # type: ignore[arg-type]

    def rewrite(self, assignment: Assignment, context: Context) -> Rewrite:
        text = self.moves[context.number - 1][2]
        return Rewrite(text, f"Do {assignment.slug}", "Because it helps.")

    def repair(
        self, assignment: Assignment, failed_source: str, outcome: Outcome, context: Context
    ) -> Rewrite | None:
        del failed_source, context
        if not self.repairs:
            return None
        text = self.repairs.pop(0)
        return Rewrite(text, f"Repair {assignment.slug} after {outcome.status}", "It failed.")
