"""The account of openings: how often the sealed test part was opened, and what each time told.

Each opening, a certification or an evaluation, is a commit on ``refs/improve/openings``. That is no
branch, so no team ever reads it. All openings share one error budget: the j-th has 0.05 / 2^j, so
that all of them together, however many, are wrong with a chance of 0.05 at most, by the union
bound.
"""

import math
import re
from dataclasses import dataclass
from typing import Literal

from improve_git.git import ENGINE, Commit, Repository
from improve_git.messages import trailers
from improve_git.trail.history import TITLES

OPENINGS = "refs/improve/openings"
CERTIFIED = "refs/improve/certified"  # a bookmark: the commit of main that was certified last
# What a plain clone leaves out: without it, a clone would count from the beginning. Not forced: a
# clone that has opened on its own keeps its account, and Git says that the two differ.
FETCH_OPENINGS = "git fetch origin 'refs/improve/*:refs/improve/*'"
BUDGET = 0.05  # chance that any opening at all tells something wrong
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")

Kind = Literal["certification", "evaluation"]


@dataclass(frozen=True)
class Opening:
    """What one opening came to. Of a damaged record, a figure is NaN and a text is empty."""

    number: int  # from 1
    kind: Kind
    commit: str  # that records it
    date: str
    tip: str  # the commit that was judged
    against: str  # the commit that it was compared with
    metric: str
    score: float  # of the tip, on the sealed images, mean over the seeds
    against_score: float
    gain: float  # positive where the tip is better
    low: float  # the true gain is above this
    high: float | None  # and below this; None: nothing is said, as by a certification
    level: float  # the confidence with which the bounds hold
    confidence: float | None  # of a certification: that the gain is above zero
    passed: bool | None  # of a certification
    images: int
    seeds: tuple[int, ...]
    record: str  # the blob with the long account


def level_of(number: int) -> float:
    """Return the confidence at which the j-th opening's bounds stand: 1 - 0.05 / 2^j."""
    return 1 - BUDGET * 2.0**-number


def read_openings(repo: Repository) -> tuple[Opening, ...]:
    """Return every opening, the newest first. Only the engine's commits count."""
    if repo.resolve(OPENINGS) is None:
        return ()
    commits = repo.log("--first-parent", "--grep=^Opening: ", OPENINGS)
    said = [(commit, trailers(commit.message)) for commit in commits if commit.author == ENGINE]
    counted = [(commit, told) for commit, told in said if "Opening" in told]
    return tuple(
        _opening(len(counted) - place, commit, told)
        for place, (commit, told) in enumerate(counted)
    )  # fmt: skip


def last_certified(repo: Repository) -> str | None:
    """Return the commit that a certification passed last; None where none did."""
    return next((one.tip for one in read_openings(repo) if one.passed and one.tip), None)


def seeds_of(text: str) -> tuple[int, ...]:
    """Return the seeds that a trailer names."""
    found = [_count(part) for part in text.split(",")]
    return tuple(seed for seed in found if seed is not None)


def _opening(number: int, commit: Commit, said: dict[str, str]) -> Opening:
    """Read an opening. Its number is its place, so that no two share a part of the budget."""
    certifies = said.get("Kind") == "certification"
    metric = next((name for name, title in TITLES.items() if f"Test-{title}" in said), "accuracy")
    return Opening(
        number=number,
        kind="certification" if certifies else "evaluation",
        commit=commit.sha,
        date=commit.date,
        tip=_name(said, "Tip"),
        against=_name(said, "Against"),
        metric=metric,
        score=_figure(said, f"Test-{TITLES[metric]}"),
        against_score=_figure(said, f"Against-{TITLES[metric]}"),
        gain=_figure(said, "Gain"),
        low=_figure(said, "Gain-Low"),
        high=None if certifies else _figure(said, "Gain-High"),
        level=level_of(number),
        confidence=_figure(said, "Confidence") if certifies else None,
        passed=said.get("Passed") == "yes" if certifies else None,
        images=_count(said.get("Images", "")) or 0,
        seeds=seeds_of(said.get("Seeds", "")),
        record=_name(said, "Record"),
    )


def _name(said: dict[str, str], key: str) -> str:
    text = said.get(key, "")
    return text if _COMMIT.fullmatch(text) else ""


def _figure(said: dict[str, str], key: str) -> float:
    try:
        found = float(said.get(key, ""))
    except ValueError:
        return math.nan
    return found if math.isfinite(found) else math.nan


def _count(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,10}", text) else None
