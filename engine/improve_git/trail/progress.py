"""How a search went, iteration by iteration: what was tried, where main stood, what failed how."""

import math
from collections import Counter
from dataclasses import dataclass
from typing import get_args

from improve_git.domain import Attempt, Status
from improve_git.trail.history import History, Scored
from improve_git.trail.story import story

_STATUSES = get_args(Status)


@dataclass(frozen=True)
class Step:
    """One decided iteration."""

    number: int
    verdict: str
    score: float | None  # the candidate's; None: it has none
    main: float  # what main scored afterwards


def steps(history: History) -> tuple[Step, ...]:
    """Return the decided iterations since main's metric is what it is, oldest first."""
    merged = {scored.number: scored.score for scored in history.main}
    found: list[Step] = []
    main = math.nan
    for row, metric in story(history):
        if metric != history.metric:
            continue
        if isinstance(row, Scored):
            main = row.score
        elif isinstance(row, Attempt) and row.verdict:
            main = merged.get(row.number, main)
            if math.isfinite(main):
                found.append(Step(row.number, row.verdict, row.score, main))
    return tuple(found)


def failures(history: History) -> dict[str, int]:
    """Return how many iterations failed in which way, the most frequent first."""
    kinds = (one.reason.partition(":")[0] for one in history.decided if one.verdict == "failed")
    return dict(Counter(kind if kind in _STATUSES else "other" for kind in kinds).most_common())
