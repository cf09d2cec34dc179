"""The two phases of a trial, and what each brings out of a sandbox; the same for every sandbox."""

import errno
import json
import os
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from improve_git.domain import Outcome
from improve_git.sandboxes.base import OnEvent, PredictJob, TrainJob
from improve_git.sandboxes.frames import one_line
from improve_git.sandboxes.session import Child, Halt, Session
from improve_git.sandboxes.tune import TuneClasses

if TYPE_CHECKING:
    import numpy as np

_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


def train(start: Callable[[], Child], job: TrainJob, on_event: OnEvent) -> Outcome:
    """Run a training phase; the weights are put in place only where it went well."""
    partial = job.weights_out.with_name(f".{job.weights_out.name}.partial")
    tune = TuneClasses(job)
    try:
        with partial.open("wb") as file:
            outcome = Session(job, on_event, {b"W": file.write, b"T": tune.take}).run(start)
            outcome = replace(outcome, tune_predicted=tune.told())
            sent = file.tell()
            file.flush()
            os.fsync(file.fileno())
        if outcome.status == "ok" and not sent:
            return replace(outcome, status="crashed", reason="ended without sending its weights")
        if outcome.status == "ok":
            partial.chmod(0o644)  # the sandbox reads it as another user
            partial.replace(job.weights_out)
        return outcome
    finally:
        partial.unlink(missing_ok=True)


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


def failed(error: BaseException | str) -> Outcome:
    """Return the outcome of a phase that the sandbox or its engine broke off.

    A host's disk that takes nothing more is raised again: another try would only train for nothing.
    """
    if isinstance(error, OSError) and error.errno in _DISK:
        raise error
    return Outcome("sandbox-error", reason=one_line(str(error), 500))
