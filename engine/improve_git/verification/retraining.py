"""Training a commit again: does its recorded score come out?

The same seeds in the same sandbox usually give the very same predictions. Where they do not, two
trainings of one and the same pipeline are compared, and the images are the same, so only the noise
between seeds tells them apart. The difference of two means over k seeds each has the variance
2 s^2 / k, with s^2 pooled over all pipelines of the trail that were trained with several seeds (the
within-group variance of a one-way analysis of variance) and over the trainings now. The recorded
score lies within it where the difference is no larger than Student's t allows, two-sided, at 1 %:
one in a hundred honest scores lies outside. Taking equal seeds for independent is on the safe side.

Where no pipeline was trained with several seeds, the least that it can be is taken: each image's
difference could as well have the other sign (the sign-flip test; Fisher, "The Design of
Experiments", 1935, section 21). Seeds also shift all images together, which this does not count, so
a score outside it is a reason to look, not a proof.

A score was recorded because it was high, among others: trained again elsewhere, it tends to come
out lower. The 1 % is for scores that were not picked.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from improve_git.domain import Attempt
from improve_git.errors import PipelineError
from improve_git.iteration.measurement import Measurement, combine, evidence
from improve_git.iteration.trial import Bench
from improve_git.iteration.words import failure
from improve_git.judging.significance import Pair, churn, flip_error, seed_noise
from improve_git.messages import one_line
from improve_git.pipeline import Pipeline, Snapshot
from improve_git.trail.history import FETCH_NOTES, History, Scored
from improve_git.trail.revision import Revision
from improve_git.verification.scores import misscored, runs_of
from improve_git.verification.shape import fault

LEVEL = 0.01  # of honest scores that lie outside what is allowed
_ENVIRONMENT = ("sandbox", "image")
_MACHINE = ("device", "threads")


@dataclass(frozen=True)
class Again:
    """What a commit's training came to when it was done again."""

    name: str  # of the verdict
    commit: str
    metric: str
    seeds: tuple[int, ...]
    recorded: tuple[float, ...]  # the score of each seed
    scores: tuple[float, ...]  # trained again
    predictions: int
    same: int  # of them, the same class as recorded
    allowed: float  # the largest difference of the means that seeds explain
    freedom: int  # degrees of freedom behind it; 0: no noise between seeds is known
    elsewhere: tuple[str, ...]  # what was different: sandbox, image, machine

    @property
    def difference(self) -> float:
        """The mean score now, less the recorded one."""
        return (math.fsum(self.scores) - math.fsum(self.recorded)) / len(self.seeds)

    @property
    def is_exact(self) -> bool:
        """Whether every score and every prediction came out the same."""
        return self.scores == self.recorded and self.same == self.predictions

    @property
    def is_within(self) -> bool:
        """Whether the recorded score lies within what the seeds' spread allows."""
        return self.is_exact or abs(self.difference) <= self.allowed


def check_trainable(pipeline: Pipeline, its: Revision) -> Snapshot:
    """Return what is to be trained again for a verdict.

    Raises:
        PipelineError: the record is missing or has no score, or the settings in force are others.
    """
    from improve_git.settings.compose import scored

    name, commit, record = its.name, its.commit, its.record
    if record is None:
        raise PipelineError(f"the record of {name} is not at hand", FETCH_NOTES)
    if wrong := fault(record):
        raise PipelineError(f"the record of {name} cannot be used: {wrong}",
                            "improve-git verify --history says more")  # fmt: skip
    if record["score"] is None:
        raise PipelineError(f"{name} has no score to train again for: {failure(record)}",
                            "name an iteration that was scored")  # fmt: skip
    main = record.get("main_commit") or commit
    if pipeline.repo.resolve(main) != main:
        raise PipelineError(f"{name} was judged on {main[:7]!r}, which is not here",
                            "improve-git verify --history says more")  # fmt: skip
    snapshot = replace(pipeline.snapshot(main), files=pipeline.snapshot(commit).files)
    used, now = record["settings"], scored(snapshot.settings)
    others = [key for key in sorted({*used, *now} - {"seed"}) if used.get(key) != now.get(key)]
    if others:
        told = one_line(" ".join(f"{key}={used.get(key)}" for key in others), 1000)
        raise PipelineError(f"{name} was measured under other settings than those in force",
                            f"give them as words: {told}")  # fmt: skip
    if wrong := next(misscored(record, snapshot.data_set), ""):
        raise PipelineError(f"the record of {name} cannot be used: {wrong}",
                            "improve-git verify --history says more")  # fmt: skip
    return snapshot


def train_again(bench: Bench, snapshot: Snapshot, its: Revision, history: History) -> Again:
    """Train a verdict's commit with its recorded seeds and compare.

    Args:
        bench: of a pipeline that knows no results, see ``Pipeline.aside``.
        snapshot: what to train, as ``check_trainable`` returned it.
        its: the verdict.
        history: where the noise between seeds is read from.

    Raises:
        PipelineError: a training failed, or the clock cut it short.
        SandboxError: the sandbox failed repeatedly.
    """
    name, commit, record = its.name, its.commit, its.record or {}
    baseline = history.main[0]
    usual = None if baseline.commit == commit else baseline.train_seconds
    runs = []
    for seed in record["seeds"]:
        title = f"train {name} again, seed {seed}"
        runs.append(bench.measure(snapshot.seeded(seed), title, usual))
        if runs[-1]["status"] != "ok":
            raise PipelineError(
                f"{name} cannot be trained again: with seed {seed}, {failure(runs[-1])}",
                "budget.train_seconds=SECONDS gives it more time, sandbox.memory=SIZE more memory",
            )
    now = combine(runs)
    if now["stopped_by"] and not record["stopped_by"]:
        raise PipelineError(
            f"{name} was stopped by the {now['stopped_by']} this time, so nothing compares",
            "this machine is slower or busy: try again when it is idle, or on another one",
        )
    ours, theirs = (evidence(snapshot.data_set, [side]) for side in (now, record))
    pair = Pair(now["metric"], ours.labels, ours.of(now["seeds"]), theirs.of(now["seeds"]))
    rows: list[Scored | Attempt] = [*history.main, *history.attempts]
    groups = [one.seed_scores for one in rows
              if one.metric == now["metric"] and one.verdict != "failed"]  # fmt: skip
    allowed, freedom = allowance(pair, [its for its in groups if len(its) > 1])
    guesses = [(a["judgement"]["predicted"], b["judgement"]["predicted"])
               for a, b in zip(runs_of(now), runs_of(record), strict=True)]  # fmt: skip
    return Again(
        name=name, commit=commit, metric=now["metric"], seeds=tuple(now["seeds"]),
        recorded=tuple(run["score"] for run in runs_of(record)),
        scores=tuple(run["score"] for run in runs_of(now)),
        predictions=sum(len(ours) for ours, _ in guesses),
        same=sum(a == b for ours, theirs in guesses for a, b in zip(ours, theirs, strict=True)),
        allowed=allowed, freedom=freedom, elsewhere=tuple(_elsewhere(record, now)),
    )  # fmt: skip


def allowance(pair: Pair, groups: Sequence[Sequence[float]]) -> tuple[float, int]:
    """Return the largest difference of two means that seeds explain, and its degrees of freedom.

    Args:
        pair: the trainings now and those recorded, seed by seed.
        groups: the scores by seed of pipelines of the trail.
    """
    from scipy.special import ndtri, stdtrit

    again = [run.score for run in pair.ours]
    # Today's own spread counts only where the trail tells none: it is what is being asked about.
    known = groups or ([again] if len(again) > 1 else [])
    noise = seed_noise(known, churn(pair.metric, pair.labels, pair.theirs))
    if not noise.freedom:
        return float(ndtri(1 - LEVEL / 2)) * flip_error(pair), 0
    error = math.sqrt(2 * noise.variance / len(again))
    return float(stdtrit(noise.freedom, 1 - LEVEL / 2)) * error, noise.freedom


def _elsewhere(record: Measurement, now: Measurement) -> list[str]:
    """Say what was different from when the record was made, as far as it is known."""
    found = [(key, record[key], now[key]) for key in _ENVIRONMENT]
    then: dict[str, Any] = record.get("info") or {}
    found += [(key, then[key], now["info"].get(key)) for key in _MACHINE if key in then]
    told = [f"{key}: {ours}, recorded {theirs}" for key, theirs, ours in found if ours != theirs]
    if record["stopped_by"]:
        told.append(
            f"stopped by: {now['stopped_by'] or 'nothing'}, recorded {record['stopped_by']}"
        )
    return told
