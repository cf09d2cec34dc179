"""What a team is told for one iteration: of val nothing but scores, of test nothing."""

import math
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from improve_git.domain import (
    COMPONENTS,
    FILES,
    Attempt,
    Component,
    Context,
    Machine,
    Training,
)
from improve_git.iteration.measurement import Measurement
from improve_git.iteration.trial import safety_stop
from improve_git.pipeline import Pipeline, Snapshot
from improve_git.trail.history import History, read_record

if TYPE_CHECKING:
    from improve_git.settings.schema import Settings

ABOUT = "ABOUT.md"  # the user's description of the data set
NOTES = "NOTES.md"  # the user's wishes for the search
NEWEST = 8  # attempts whose learning curves are told
MOST_TEXT = 8_000  # characters of each text of the user's that are told


def first_context(snapshot: Snapshot, about: str = "") -> Context:
    """Return what is known before anything is measured; ``snapshot`` may be without files."""
    from improve_git.weights import at_hand, facts

    settings = snapshot.settings
    weights = [facts(name, folder) for name, folder in at_hand(settings.weights).items()]
    return Context(
        number=0,
        seed=settings.seed,
        files=snapshot.files,
        profile=snapshot.data_set.profile,
        attempts=[],
        components=allowed(settings),
        label_preserving=tuple(settings.data.label_preserving),
        weights=tuple(weights),
        metric=settings.metric.name,
        higher_is_better=settings.metric.higher_is_better,
        machine=machine(settings),
        stop_seconds=settings.budget.train_seconds,
        hours_limited=settings.budget.hours is not None,
        about=_cut(about),
    )


def context_of(
    pipeline: Pipeline,
    snapshot: Snapshot,
    history: History,
    *,
    number: int,
    measured: Measurement,
    usual_seconds: float | None,
) -> Context:
    """Return what a team is told for iteration ``number``, on top of a measured main."""
    decided = history.decided
    known = first_context(snapshot, pipeline.text(ABOUT))
    return replace(
        known,
        number=number,
        attempts=decided,
        score=measured["score"],
        smallest_gain=_smallest_gain(snapshot, measured),
        confirming_seeds=len(measured["seeds"]),
        seed_noise=_seed_noise(measured, history),
        training=training_of(measured),
        recent=_recent(pipeline, decided),
        rewritten=_rewritten(pipeline, decided),
        tried=_tried(pipeline, decided, history.tip),
        stop_seconds=safety_stop(snapshot.settings, usual_seconds),
        trainings_left=max(0, snapshot.settings.budget.iterations - len(decided)),
        notes=_cut(pipeline.text(NOTES)),
    )


def allowed(settings: "Settings") -> tuple[Component, ...]:
    """Return the components that may change."""
    return tuple(name for name in COMPONENTS if name in settings.agents.components)


def machine(settings: "Settings") -> Machine:
    """Return what this machine gives to a training."""
    from improve_git.settings.validation import parse_bytes

    cores = len(os.sched_getaffinity(0))
    gpu = "an NVIDIA GPU" if has_gpu() and settings.sandbox.gpus != "none" else ""
    return Machine(int(settings.sandbox.cpus or cores), parse_bytes(settings.sandbox.memory), gpu)


def has_gpu() -> bool:
    """Say whether this machine has an NVIDIA driver, without loading torch."""
    return shutil.which("nvidia-smi") is not None


def training_of(record: Mapping[str, Any] | None) -> Training | None:
    """Return what a record tells of its training; None where it was not trained to the end.

    A record may come from a clone of anybody's, so what is not as expected counts as absent.
    """
    if not record or record.get("status") != "ok":
        return None
    curve, info = record.get("curve"), record.get("info")
    info = info if isinstance(info, dict) else {}
    peak = _count(info.get("cuda_peak_bytes")) or _count(record.get("peak_memory_bytes"))
    return Training(
        curve=[row for row in curve if isinstance(row, dict)] if isinstance(curve, list) else [],
        seconds=_seconds(record.get("train_seconds")),
        stopped_by=str(record.get("stopped_by") or ""),
        peak_memory_bytes=peak,
        parameters=_count(info.get("parameters")),
        device=str(info.get("device", "cpu")),
        tune_confusion=_matrix(record.get("tune_confusion")),
    )


def _count(value: object) -> int | None:
    return value if type(value) is int and 0 < value < 2**60 else None


def _seconds(value: object) -> float:
    fine = type(value) in (int, float) and 0 <= value < 2**40  # type: ignore[operator]
    return float(value) if fine else 0.0  # type: ignore[arg-type]


def _matrix(value: object) -> list[list[int]]:
    rows = value if isinstance(value, list) else []
    fine = all(
        isinstance(row, list) and len(row) == len(rows) and all(type(n) is int for n in row)
        for row in rows
    )
    return rows if fine else []


def _recent(pipeline: Pipeline, decided: Sequence[Attempt]) -> dict[int, Training]:
    told = {a.number: training_of(read_record(pipeline.repo, a.record)) for a in decided[-NEWEST:]}
    return {number: training for number, training in told.items() if training}


def _rewritten(pipeline: Pipeline, decided: Sequence[Attempt]) -> dict[int, tuple[str, str]]:
    newest = [attempt for attempt in decided[-NEWEST:] if attempt.base and attempt.commit]
    revs = [(a, rev) for a in newest for rev in (a.base, a.commit)]
    blobs = iter(pipeline.repo.blob_names([f"{rev}:{FILES[a.component]}" for a, rev in revs]))
    pairs = {attempt.number: (next(blobs), next(blobs)) for attempt in newest}
    read = pipeline.repo.read_blob
    return {
        number: (read(old), read(new))
        for number, (old, new) in pairs.items()
        if old and new and old != new
    }


def _tried(pipeline: Pipeline, decided: Sequence[Attempt], main: str) -> dict[int, str]:
    """Return the files that were tried beside exactly main's other two and not merged."""
    losers = [attempt for attempt in decided if attempt.verdict != "merged"]
    commits = [main, *(attempt.commit for attempt in losers)]
    names = [f"{commit}:{file}" for commit in commits for file in FILES.values()]
    blobs = iter(pipeline.repo.blob_names(names))
    ours, *theirs = [{file: next(blobs) for file in FILES.values()} for _ in commits]
    found = {}
    for attempt, files in zip(losers, theirs, strict=True):
        own = FILES[attempt.component]
        if files[own] and files[own] != ours[own] and files | {own: ""} == ours | {own: ""}:
            found[attempt.number] = pipeline.repo.read_blob(files[own])
    return found


def _smallest_gain(snapshot: Snapshot, measured: Measurement) -> float | None:
    from improve_git.judging.judge import smallest_gain

    if measured["metric"] != "accuracy":
        return None
    return smallest_gain(len(snapshot.data_set.part("val")), measured["score"])


def _seed_noise(measured: Measurement, history: History) -> float | None:
    from improve_git.judging.significance import seed_noise

    ours = [run["score"] for run in measured.get("by_seed", [])]
    noise = seed_noise([*history.seed_groups(), ours] if ours else history.seed_groups())
    return math.sqrt(noise.variance) if noise.freedom else None


def _cut(text: str) -> str:
    return (
        text if len(text) <= MOST_TEXT else text[:MOST_TEXT] + "\n(cut here: the rest is left out)"
    )
