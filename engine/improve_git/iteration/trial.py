"""One trial: train in the sandbox, predict in another, judge on the host. Results are remembered.

A measurement is stored as a blob and named in the journal before anything is decided on it, so that
no collected result is lost.
"""

import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from improve_git import contract
from improve_git.domain import Outcome, Part
from improve_git.errors import SandboxError
from improve_git.iteration.measurement import Measurement, describe, read_measurement
from improve_git.iteration.trust import check_trust
from improve_git.observer import Observer
from improve_git.pipeline import Pipeline, Snapshot
from improve_git.sandboxes.base import ExportJob, Format, Limits, PredictJob, Sandbox, TrainJob
from improve_git.trail.history import read_record

if TYPE_CHECKING:
    from improve_git.settings.schema import Settings

FIRST_TRAINING_SECONDS = 4 * 3600.0  # the safety stop until a baseline tells what is usual
# Start-up, saving and predicting tune (the harness gives that 60 s), on top of the safety stop.
ALLOWANCE_SECONDS = 180.0
# Seconds before another try where the sandbox failed: an engine that restarts takes some.
SANDBOX_PAUSES = (2.0, 30.0)
RUN = "run"  # marks what a run starts, apart from a prediction that a user asked for meanwhile


class Bench:
    """Measures snapshots of one pipeline, one way: same sandbox, same data, same seeds."""

    def __init__(
        self,
        pipeline: Pipeline,
        sandbox: Sandbox,
        observer: Observer,
        allowance_seconds: float = ALLOWANCE_SECONDS,
    ) -> None:
        self.pipeline = pipeline
        self.sandbox = sandbox
        self.observer = observer
        self._allowance_seconds = allowance_seconds
        self._known_packs: dict[tuple[object, ...], Path] = {}

    def key(self, snapshot: Snapshot) -> str:
        """Return the name of a snapshot's result on this bench."""
        return snapshot.key(self.sandbox.image)

    def measure(
        self,
        snapshot: Snapshot,
        title: str,
        usual_seconds: float | None,
        part: Literal["val", "test"] = "val",
    ) -> Measurement:
        """Return the measurement of a snapshot, from memory where it is known.

        Args:
            snapshot: what to measure.
            title: for the display.
            usual_seconds: what the baseline's training took; sets the safety stop.
            part: what it is judged on. No run ever opens test, only what the user asks for does.

        Raises:
            SandboxError: the sandbox failed repeatedly; the candidate is not to blame.
        """
        known = self.recall(snapshot, part)
        if known:
            return known
        stop = safety_stop(snapshot.settings, usual_seconds)
        measurement = self._try(snapshot, title, stop, part)
        blob = self.pipeline.repo.write_blob(json.dumps(measurement).encode())
        seconds = measurement["train_wall_seconds"] + (measurement["predict_wall_seconds"] or 0)
        self.pipeline.journal.append(
            "result", key=_result(self.key(snapshot), part), record=blob, seconds=seconds,
            limits=_limits_text(snapshot),
        )  # fmt: skip
        return measurement

    def refused(self, snapshot: Snapshot, outcome: Outcome) -> Measurement:
        """Return the measurement of what is not even trained; it is not remembered."""
        return describe(snapshot, self.sandbox, outcome, None)

    def keep_weights(self, snapshot: Snapshot) -> None:
        """Drop the trained weights of all but one snapshot, half-written ones too."""
        kept = self.pipeline.weights_file(self.key(snapshot))
        for file in kept.parent.glob("*"):
            if file != kept:
                file.unlink(missing_ok=True)

    def recall(self, snapshot: Snapshot, part: Part = "val") -> Measurement | None:
        """Return a measurement that the journal remembers, None where there is none.

        A failure counts only under the same limits: with more memory it may go well.
        """
        key, limits = _result(self.key(snapshot), part), _limits_text(snapshot)
        for event in reversed(self.pipeline.journal.events("result")):
            if event["key"] == key:
                known = read_measurement(self.pipeline.repo, event["record"])
                if known and (known["status"] == "ok" or event.get("limits") == limits):
                    return known
        return None

    def predict(self, snapshot: Snapshot, pack: Path, label: str) -> tuple[Outcome, Any]:
        """Predict an unlabelled pack with a snapshot's trained weights.

        Returns:
            The outcome and, where it is ok, float32 logits of shape (N, classes).
        """
        settings = snapshot.settings
        check_trust(snapshot.files, self.sandbox, settings.sandbox.allow_unisolated)
        job = PredictJob(
            files=snapshot.files,
            pack=pack,
            spec=spec_of(snapshot, settings.budget.predict_seconds, ()),
            weights_file=self.pipeline.weights_file(self.key(snapshot)),
            limits=limits_of(settings, settings.budget.predict_seconds),
            label=f"{self.pipeline.label}-{label}",
        )
        return self._steadily(job.label, lambda: self.sandbox.predict(job, self.observer.event))

    def export(self, snapshot: Snapshot, form: Format, file_out: Path, label: str) -> Outcome:
        """Check a snapshot's trained weights on images of tune, and write them in another format.

        Not on images of val: those it was trained with tell it nothing, so its words about a
        failure may be shown.
        """
        settings = snapshot.settings
        check_trust(snapshot.files, self.sandbox, settings.sandbox.allow_unisolated)
        job = ExportJob(
            files=snapshot.files,
            pack=self.packs(snapshot) / "tune",
            spec=spec_of(snapshot, settings.budget.predict_seconds, ()),
            weights_file=self.pipeline.weights_file(self.key(snapshot)),
            limits=limits_of(settings, settings.budget.predict_seconds),
            label=f"{self.pipeline.label}-{label}",
            format=form,
            file_out=file_out,
        )
        run = self.sandbox.export
        return self._steadily(job.label, lambda: (run(job, self.observer.event), None))[0]

    def train(self, snapshot: Snapshot, title: str, seconds: float) -> Outcome:
        """Train a snapshot and keep its weights; ``seconds`` is the safety stop."""
        from improve_git.weights import at_hand

        settings = snapshot.settings
        check_trust(snapshot.files, self.sandbox, settings.sandbox.allow_unisolated)
        models = at_hand(settings.weights)
        weights_out = self.pipeline.weights_file(self.key(snapshot))
        weights_out.parent.mkdir(parents=True, exist_ok=True)
        job = TrainJob(
            files=snapshot.files,
            packs=self.packs(snapshot),
            spec=spec_of(snapshot, seconds, tuple(models)),
            weights=tuple(models.values()),
            limits=limits_of(settings, seconds + self._allowance_seconds),
            label=f"{self.pipeline.label}-{RUN}-train",
            weights_out=weights_out,
        )
        self.observer.begin(title, snapshot.settings.epochs, seconds)
        try:
            return self._steadily(
                job.label, lambda: (self.sandbox.train(job, self.observer.event), None)
            )[0]  # fmt: skip
        finally:
            self.observer.end()

    def _try(self, snapshot: Snapshot, title: str, seconds: float, part: Part) -> Measurement:
        breaches = contract.check(snapshot.files)
        if breaches:
            return self.refused(
                snapshot, Outcome("invalid", reason=breaches[0], detail="\n".join(breaches))
            )
        trained = self._trained_before(snapshot) or self.train(snapshot, title, seconds)
        if trained.status != "ok":
            return describe(snapshot, self.sandbox, trained, None)
        self.pipeline.journal.append(
            "trained", key=self.key(snapshot),
            outcome=self.pipeline.repo.write_blob(json.dumps(asdict(trained)).encode()),
        )  # fmt: skip
        predicted, logits = self.predict(snapshot, self.packs(snapshot) / part, f"{RUN}-predict")
        measurement = describe(snapshot, self.sandbox, trained, predicted)
        if predicted.status != "ok":
            failure = {k: getattr(predicted, k) for k in ("status", "reason", "detail", "log_tail")}
            return measurement | failure
        return measurement | _judge(snapshot, logits, part)

    def _trained_before(self, snapshot: Snapshot) -> Outcome | None:
        """Return the outcome of a training whose weights were collected before a crash."""
        key = self.key(snapshot)
        if not self.pipeline.weights_file(key).exists():
            return None
        for event in reversed(self.pipeline.journal.events("trained")):
            known = read_record(self.pipeline.repo, event["outcome"])
            if event["key"] == key and known:
                return Outcome(**known)
        return None

    def packs(self, snapshot: Snapshot) -> Path:
        """Return the folder of a snapshot's packs, one a part; built where missing."""
        from improve_git.datasets.store import ready_packs

        data = snapshot.settings.data
        # The pipeline hands out one object for one dataset.json.
        name = (id(snapshot.data_set), data.images, data.cache_side)
        if name not in self._known_packs:
            self._known_packs[name] = ready_packs(
                snapshot.data_set, self.pipeline.state, snapshot.settings.data, self.observer.say
            )
        return self._known_packs[name]

    def _steadily(self, label: str, run: Callable[[], tuple[Outcome, Any]]) -> tuple[Outcome, Any]:
        """Run a phase again where the sandbox itself failed; give up after a few tries."""
        for pause in (*SANDBOX_PAUSES, None):
            outcome, answer = run()
            if outcome.status != "sandbox-error":
                return outcome, answer
            if pause is None:
                break
            again = f"trying again in {pause:.0f} s" if pause else "trying again"
            self.observer.warn(f"the sandbox failed, {again}: {outcome.reason}")
            time.sleep(pause)
            with suppress(SandboxError):  # what is left of it would take from the next try
                self.sandbox.clear_leftovers(label)
        raise SandboxError(
            f"the sandbox failed {len(SANDBOX_PAUSES) + 1} times: {outcome.reason}",
            "see: improve-git doctor; then improve-git run carries on",
        )


def _result(key: str, part: Part) -> str:
    """Return the name of a result in the journal: those on val came first."""
    return key if part == "val" else f"{key}/{part}"


def _judge(snapshot: Snapshot, logits: Any, part: Part) -> dict[str, Any]:
    from improve_git.judging import judge

    data_set = snapshot.data_set
    metric = snapshot.settings.metric.name
    judgement = judge.score(logits, data_set.labels(part), metric, len(data_set.classes))
    return {"score": judgement.value, "judgement": asdict(judgement)}


def safety_stop(settings: "Settings", usual_seconds: float | None) -> float:
    """Return after how many seconds a training is stopped: 4 times the usual, at least 60."""
    if settings.budget.train_seconds is not None:
        return settings.budget.train_seconds
    return FIRST_TRAINING_SECONDS if usual_seconds is None else max(60.0, 4 * usual_seconds)


def limits_of(settings: "Settings", seconds: float) -> Limits:
    """Return what one phase may use."""
    from improve_git.settings.validation import parse_bytes

    box = settings.sandbox
    return Limits(
        seconds=seconds,
        memory_bytes=parse_bytes(box.memory),
        processes=box.processes,
        scratch_bytes=parse_bytes(box.scratch),
        shm_bytes=parse_bytes(box.shm),
        output_bytes=parse_bytes(box.output),
        cpus=box.cpus,
    )


def _limits_text(snapshot: Snapshot) -> str:
    return str(limits_of(snapshot.settings, snapshot.settings.budget.predict_seconds))


def spec_of(snapshot: Snapshot, seconds: float, weights: tuple[str, ...]) -> dict[str, Any]:
    """Return what the host tells the pipeline about its data; nothing of val or test."""
    profile = snapshot.data_set.profile
    return {
        "num_classes": len(snapshot.data_set.classes),
        "class_names": list(snapshot.data_set.classes),
        "class_counts": profile["part_class_counts"]["train"],
        "mean": profile["mean"],
        "std": profile["std"],
        "seed": snapshot.settings.seed,
        "epochs": snapshot.settings.epochs,
        "time_budget_s": seconds,
        "weights": list(weights),
        "label_preserving": sorted(snapshot.settings.data.label_preserving),
    }
