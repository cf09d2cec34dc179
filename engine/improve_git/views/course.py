"""How a search went, as plain data to draw: scores, gains, learning curves, confusions.

Scores come from the trail's commits, the rest from records, which a clone may lack.
"""

from contextlib import suppress
from dataclasses import dataclass

from improve_git.domain import Attempt
from improve_git.errors import PipelineError
from improve_git.figures import METRICS
from improve_git.git import Repository
from improve_git.trail import recorded
from improve_git.trail.history import ByHand, History
from improve_git.trail.revision import Revision, find_revision
from improve_git.trail.story import find_row, story
from improve_git.views.changes import ends
from improve_git.views.overview import Overview

_LARGEST = 1e9  # of what is drawn; what is larger, or not finite, is no score and no loss
PICTURES = ("score", "gain", "curves", "confusion")


@dataclass(frozen=True)
class Mark:
    """One verdict on the axis of iterations."""

    place: float  # the iteration's number; what is main's own lies between two of them
    verdict: str
    component: str  # "": of none alone
    score: float | None
    seed_scores: tuple[float, ...]  # where the score is a mean over several


@dataclass(frozen=True)
class Scores:
    """The score over the iterations, by main's metric."""

    metric: str
    marks: tuple[Mark, ...]  # in their order, the baseline first
    luck: float | None  # the gain that the best of as many candidates of no merit would show

    @property
    def main(self) -> list[Mark]:
        """Those that main carries: the baseline, merges, the user's measured commits."""
        return [mark for mark in self.marks if mark.verdict in ("baseline", "measured", "merged")]


@dataclass(frozen=True)
class Gain:
    """What one component, or the user's own commits, brought to main."""

    name: str
    gain: float  # positive where main became better
    merged: int | None  # None: of the user's commits, which are not tried first
    tried: int | None


@dataclass(frozen=True)
class Gains:
    """The gain by component."""

    metric: str
    parts: tuple[Gain, ...]


@dataclass(frozen=True)
class Side:
    """One of two pipelines that are compared; what its record does not say is empty."""

    name: str
    curve: tuple[dict[str, float], ...]
    confusion: list[list[int]]  # [label][predicted class], images, over all seeds


@dataclass(frozen=True)
class Sides:
    """Two pipelines, the older first; one alone where there is nothing to compare it with."""

    sides: tuple[Side, ...]
    classes: tuple[str, ...]


Picture = Scores | Gains | Sides


def pictures(repo: Repository, history: History, found: Overview) -> dict[str, Picture]:
    """Return all of PICTURES that there is something to draw for, by name."""
    if not history.main:
        return {}
    drawn: dict[str, Picture] = {}
    course = scores(found, history)
    if any(mark.score is not None for mark in course.main):
        drawn["score"] = course
    if found.counts["merged"] or found.by_hand is not None:
        drawn["gain"] = gains(found)
    return drawn | compared(before_and_after(repo, history, found))


def compared(comparison: Sides) -> dict[str, Picture]:
    """Return the pictures that compare two pipelines, those whose records are at hand."""
    drawn: dict[str, Picture] = {}
    if any(side.curve for side in comparison.sides):
        drawn["curves"] = comparison
    if any(side.confusion for side in comparison.sides):
        drawn["confusion"] = comparison
    return drawn


def scores(found: Overview, history: History) -> Scores:
    """Return the score over the iterations; rows by another metric than main's are left out."""
    marks: list[Mark] = []
    place = 0.0
    for row, metric in story(history):
        if isinstance(row, ByHand) or row.verdict is None:
            continue
        if isinstance(row, Attempt):
            place = max(place, float(row.number))
        if metric == history.metric:
            between = row.verdict == "measured"
            score = row.score if row.score is not None and abs(row.score) < _LARGEST else None
            few = len(row.seed_scores) < 2 or max(map(abs, row.seed_scores)) >= _LARGEST
            seeds = () if few else row.seed_scores
            at = float(row.number) if isinstance(row, Attempt) else place + 0.5 * between
            component = row.component if isinstance(row, Attempt) else ""
            marks.append(Mark(at, row.verdict, component, score, seeds))
    return Scores(history.metric, tuple(marks), found.luck)


def gains(found: Overview) -> Gains:
    """Return what each component brought, and the user's own commits where there are any."""
    sign = 1 if METRICS[found.metric] else -1
    parts = [
        Gain(name, sign * share.gain, share.merged, share.tried)
        for name, share in found.shares.items()
    ]
    if found.by_hand is not None:
        parts.append(Gain("by hand", sign * found.by_hand, None, None))
    return Gains(found.metric, tuple(part for part in parts if abs(part.gain) < _LARGEST))


def before_and_after(repo: Repository, history: History, found: Overview) -> Sides:
    """Return the baseline and main; the baseline alone while main is still that.

    Raises:
        PipelineError: nothing is measured yet.
    """
    first = find_revision(repo, history, "baseline")
    last = find_revision(repo, history, history.main[-1].commit)
    sides = [("baseline", first)] + ([("main", last)] if last.commit != first.commit else [])
    return _comparison(sides, found)


def against_incumbent(repo: Repository, history: History, found: Overview, number: int) -> Sides:
    """Return an iteration beside what main held when it was judged.

    Raises:
        PipelineError: there is no such iteration, or it has no verdict.
    """
    own = find_revision(repo, history, str(number))
    sides = [(f"iteration {number}" if number else "baseline", own)]
    main = _incumbent(repo, history, number)
    if main:
        sides.insert(0, ("main at that time", main))
    return _comparison(sides, found)


def _incumbent(repo: Repository, history: History, number: int) -> Revision | None:
    """Return the verdict on what an iteration changed."""
    base, _ = ends(repo, history, find_row(history, str(number))[0])
    if base:
        with suppress(PipelineError):
            return find_revision(repo, history, base)
    return None


def _comparison(sides: list[tuple[str, Revision]], found: Overview) -> Sides:
    classes = found.data.classes
    return Sides(
        tuple(
            Side(
                name,
                tuple(map(_drawable, recorded.curve(one.record))),
                recorded.confusion(one.record, len(classes)),
            )
            for name, one in sides
        ),
        classes,
    )


def _drawable(row: dict[str, float]) -> dict[str, float]:
    return {key: value for key, value in row.items() if abs(value) < _LARGEST}
