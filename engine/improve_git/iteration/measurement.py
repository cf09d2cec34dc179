"""What came of one trial, as it is stored: plain JSON data, alike for a success and a failure."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from improve_git.domain import Outcome, Part
from improve_git.git import Repository
from improve_git.judging.gate import Evidence
from improve_git.judging.significance import Trained
from improve_git.pipeline import Snapshot
from improve_git.sandboxes.base import Sandbox
from improve_git.trail.history import read_record

if TYPE_CHECKING:
    from improve_git.datasets.dataset import DataSet

FORMAT = 1
LARGEST_CONFUSION = 50  # classes; a record with more would grow by the square

Measurement = dict[str, Any]


def describe(
    snapshot: Snapshot, sandbox: Sandbox, trained: Outcome, predicted: Outcome | None
) -> Measurement:
    """Return the measurement of a snapshot, without a score so far; None: not predicted."""
    from improve_git.settings.compose import scored

    return {
        "format": FORMAT,
        "key": snapshot.key(sandbox.image),
        "status": trained.status,
        "reason": trained.reason,
        "detail": trained.detail,
        "metric": snapshot.settings.metric.name,
        "score": None,
        "seeds": [snapshot.settings.seed],
        "curve": trained.curve,
        "tune_confusion": tune_confusion(snapshot.data_set, trained.tune_predicted),
        "train_seconds": round(trained.seconds, 2),
        "train_wall_seconds": round(trained.wall_seconds, 2),
        "predict_seconds": round(predicted.seconds, 2) if predicted else None,
        "predict_wall_seconds": round(predicted.wall_seconds, 2) if predicted else None,
        "peak_memory_bytes": trained.peak_memory_bytes,
        "stopped_by": trained.stopped_by,
        "sandbox": sandbox.name,
        "image": sandbox.image,
        "dataset": snapshot.data_set.fingerprint,
        "split": snapshot.data_set.split,
        "settings": scored(snapshot.settings),
        "info": trained.info,
        "log_tail": trained.log_tail,
    }


def read_measurement(repo: Repository, blob: str | None) -> Measurement | None:
    """Return a stored measurement; None where it is not at hand, damaged or of another format."""
    record = read_record(repo, blob)
    return record if record and record.get("format") == FORMAT else None


def combine(runs: Sequence[Measurement]) -> Measurement:
    """Return the measurement of one content over several seeds: the first's, with the mean score.

    ``by_seed`` holds what each seed scored and said of each image; a single seed needs none.
    """
    first = runs[0]
    if len(runs) == 1:
        return first
    return first | {
        "score": math.fsum(run["score"] for run in runs) / len(runs),
        "seeds": [run["seeds"][0] for run in runs],
        "stopped_by": next((run["stopped_by"] for run in runs if run["stopped_by"]), ""),
        "by_seed": [
            {name: run[name] for name in ("seeds", "score", "judgement", "train_seconds")}
            for run in runs
        ],
    }


def evidence(data_set: "DataSet", runs: Sequence[Measurement], part: Part = "val") -> Evidence:
    """Return what the gate is told of measurements of one content with one or several seeds."""
    return Evidence(
        runs[0]["metric"],
        {
            one["seeds"][0]: Trained(
                one["score"], one["judgement"]["predicted"], one["judgement"].get("figures")
            )
            for run in runs
            for one in run.get("by_seed") or [run]
        },
        data_set.labels(part),
    )


def tune_confusion(data_set: "DataSet", predicted: list[int]) -> list[list[int]]:
    """Return [label][predicted class] on tune; [] where unknown or where there are many classes.

    A candidate can forge it. It is for the agents that improve that candidate, and for no verdict.
    """
    classes, labels = len(data_set.classes), data_set.labels("tune")
    if classes > LARGEST_CONFUSION or not predicted or len(predicted) != len(labels):
        return []
    counts = [[0] * classes for _ in range(classes)]
    for label, guess in zip(labels, predicted, strict=True):
        counts[label][guess] += 1
    return counts
