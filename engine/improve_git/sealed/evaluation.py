"""Evaluation: how much better than the baseline is it truly? An estimate on sealed images.

Any scored revision, main at first, is compared with the baseline on the sealed test part and on
seeds that no candidate was trained with. The interval of the gain stands at the confidence of the
opening, see ``openings``. Nothing is decided by it, and no run knows of it.
"""

from dataclasses import dataclass, replace

from improve_git.domain import Attempt
from improve_git.errors import PipelineError
from improve_git.figures import better_text, interval_text, level_text
from improve_git.iteration.trial import Bench
from improve_git.pipeline import Pipeline
from improve_git.sealed import opening
from improve_git.sealed.opening import SEEDS, Plan, Side
from improve_git.trail.history import History, Scored, read_history
from improve_git.trail.openings import Opening, read_openings
from improve_git.trail.revision import find_revision


@dataclass(frozen=True)
class Known:
    """What is recorded of a revision, without opening anything."""

    commit: str
    metric: str
    score: float | None  # on val; None: it failed
    baseline: float | None  # on val; None: by another metric
    train_seconds: float | None  # of the baseline
    openings: tuple[Opening, ...]  # of the sealed test part, the newest first

    @property
    def gain(self) -> float | None:
        """The score less the baseline's: a search estimate."""
        return None if self.score is None or self.baseline is None else self.score - self.baseline


def known(pipeline: Pipeline, word: str) -> Known:
    """Return what is recorded of the revision that a word names.

    Raises:
        PipelineError: there is no such revision, or it was never measured.
    """
    history = read_history(pipeline.repo)
    commit = find_revision(pipeline.repo, history, word).commit
    row, baseline = _row(history, commit), history.main[0]
    return Known(
        commit, row.metric, row.score, baseline.score if baseline.metric == row.metric else None,
        baseline.train_seconds, read_openings(pipeline.repo),
    )  # fmt: skip


def plan(pipeline: Pipeline, word: str, seeds: int = SEEDS) -> Plan:
    """Return what evaluating a revision would open. Its own settings and data hold for both sides.

    Args:
        pipeline: whose revision.
        word: names it.
        seeds: trainings a side, three at least.

    Raises:
        PipelineError: there is no such revision; it was never measured, or failed; it is the
            baseline.
    """
    history = read_history(pipeline.repo)
    found = find_revision(pipeline.repo, history, word)
    name, baseline = "main" if word == "main" else found.name, history.main[0]
    if found.trailers.get("Verdict") == "failed":
        raise PipelineError(
            f"{name} failed: there is nothing to evaluate",
            "name an iteration that has a score; improve-git log shows them",
        )
    snapshot = pipeline.snapshot(found.commit)
    older = replace(snapshot, files=pipeline.snapshot(baseline.commit).files)
    if older.files == snapshot.files:
        raise PipelineError(
            f"{name} holds the baseline's own files: there is no gain to evaluate",
            "improve-git run, and evaluate once there are merges",
        )
    return opening.plan(
        pipeline.repo, Side(name, found.commit, snapshot),
        Side("the baseline", baseline.commit, older), seeds, baseline.train_seconds,
    )  # fmt: skip


def evaluate(bench: Bench, planned: Plan) -> Opening:
    """Open the sealed part: train both sides, compare, record.

    Raises:
        DataError: the images are not at hand.
        PipelineError: a training failed. No opening is counted.
        SandboxError: the sandbox failed repeatedly.
    """
    compared = opening.look(bench, planned)
    found = opening.find("evaluation", compared.gain, planned.level)
    low, high = compared.gain.interval(planned.level)
    metric = compared.tip["metric"]
    sentence = (
        f"{better_text(metric, compared.gain.value)} over the baseline, "
        f"{level_text(planned.level)} interval {interval_text(metric, low, high)}, "
        f"on {planned.images:,} sealed images over {len(planned.seeds)} seeds a side"
    )
    return opening.record(bench.pipeline.repo, compared, found, "Evaluate", sentence)


def _row(history: History, commit: str) -> Scored | Attempt:
    rows: list[Scored | Attempt] = [*history.main, *history.decided]
    return next(row for row in rows if row.commit == commit)
