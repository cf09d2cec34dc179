"""The phases, and what each brings out of a sandbox; the same for every sandbox.

Two make a trial, training and prediction; the third hands trained weights on.
"""

import errno
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from improve_git.domain import Outcome
from improve_git.sandboxes.base import Event, ExportJob, OnEvent, PredictJob, TrainJob
from improve_git.sandboxes.frames import one_line
from improve_git.sandboxes.session import Child, Halt, Session
from improve_git.sandboxes.tune import TuneClasses

if TYPE_CHECKING:
    import numpy as np

_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


def train(start: Callable[[], Child], job: TrainJob, on_event: OnEvent) -> Outcome:
    """Run a training phase; the weights are put in place only where it went well."""
    tune = TuneClasses(job)

    def run(write: Callable[[bytes], object]) -> Outcome:
        outcome = Session(job, on_event, {b"W": write, b"T": tune.take}).run(start)
        return replace(outcome, tune_predicted=tune.told())

    return _received(job.weights_out, run)


def predict(
    start: Callable[[], Child], job: PredictJob, on_event: OnEvent
) -> "tuple[Outcome, np.ndarray[Any, np.dtype[np.float32]] | None]":
    """Run a prediction phase; the logits come only where they are whole and finite.

    Nothing that the candidate wrote while it saw the images is passed on as text: no log, no
    message, only the kind of an error and its place in the candidate's own files.
    """
    import numpy as np

    images = int(json.loads((job.pack / "pack.json").read_text())["count"])
    shape = (images, int(job.spec["num_classes"]))
    expected = images * shape[1] * 4
    received = bytearray()

    def take(data: bytes) -> None:
        if len(received) + len(data) > expected:
            raise Halt("bad-predictions", "more predictions came than images")
        received.extend(data)

    outcome = Session(job, on_event, {b"P": take}).run(start)
    if outcome.status != "ok":
        return outcome, None
    if not received and expected:
        return replace(outcome, status="no-predictions", reason="no predictions came"), None
    if len(received) != expected:
        reason = f"{len(received)} bytes of predictions came instead of {expected}"
        return replace(outcome, status="bad-predictions", reason=reason), None
    logits = np.frombuffer(bytes(received), dtype="<f4").astype(np.float32).reshape(shape)
    finite = np.isfinite(logits).all(axis=1)
    if not finite.all():
        reason = f"the predictions of {int((~finite).sum())} of {images} images are not finite"
        return replace(outcome, status="diverged", reason=reason), None
    return outcome, logits


def export(start: Callable[[], Child], job: ExportJob, on_event: OnEvent) -> Outcome:
    """Run an export phase; the weights in their new format are put in place as those of train.

    As safetensors nothing is sent: the host has them. What torch pickles is sent before any code of
    the candidate's runs, and nothing is taken after that, so that it is the harness's own.
    """
    if job.format == "safetensors":
        return Session(job, on_event, {}).run(start)
    candidate_runs = False

    def heed(event: Event) -> None:
        nonlocal candidate_runs
        candidate_runs = candidate_runs or event.get("name") == "setup"
        on_event(event)

    def run(write: Callable[[bytes], object]) -> Outcome:
        def take(data: bytes) -> None:
            if job.format == "torch" and candidate_runs:
                raise Halt("crashed", "weights came after those that the harness sent")
            write(data)

        return Session(job, heed, {b"W": take}).run(start)

    return _received(job.file_out, run)


def _received(target: Path, run: Callable[[Callable[[bytes], object]], Outcome]) -> Outcome:
    """Run a phase that writes a file; it is put in place only where that went well."""
    partial = target.with_name(f".{target.name}.partial")
    try:
        with partial.open("wb") as file:
            outcome = run(file.write)
            sent = file.tell()
            file.flush()
            os.fsync(file.fileno())
        if outcome.status == "ok" and not sent:
            return replace(outcome, status="crashed", reason="ended without sending its weights")
        if outcome.status == "ok":
            partial.chmod(0o644)  # the sandbox reads it as another user
            partial.replace(target)
        return outcome
    finally:
        partial.unlink(missing_ok=True)


def failed(error: BaseException | str) -> Outcome:
    """Return the outcome of a phase that the sandbox or its engine broke off.

    A host's disk that takes nothing more is raised again: another try would only train for nothing.
    """
    if isinstance(error, OSError) and error.errno in _DISK:
        raise error
    return Outcome("sandbox-error", reason=one_line(str(error), 500))
