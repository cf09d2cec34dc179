"""What happened, in its order: attempts, main's own scores, and the user's commits."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime

from improve_git.domain import Attempt
from improve_git.errors import PipelineError
from improve_git.trail.history import ByHand, History, Scored

Row = Attempt | Scored | ByHand


def moment(date: str) -> datetime:
    """Return a commit's date for sorting; the earliest there is where it cannot be read."""
    with suppress(ValueError):
        found = datetime.fromisoformat(date)
        if found.tzinfo:
            return found
    return datetime.fromisoformat("0001-01-01T00:00:00+00:00")


def story(history: History) -> list[tuple[Row, str]]:
    """Return attempts, main's own scores and the user's commits by their dates, with the metric.

    What is still open comes last. An attempt does not name its metric: it is main's of that time.
    """
    rows: list[Row] = [s for s in history.main if s.number is None]
    rows.sort(key=lambda row: isinstance(row, Scored) and row.verdict != "baseline")
    rows += [*history.decided, *history.by_hand]
    dates = {scored.commit: moment(scored.date) for scored in history.main}
    rows.sort(key=lambda row: _place(row, dates))
    rows += [attempt for attempt in history.attempts if attempt.verdict is None]
    merged = {scored.number: scored.metric for scored in history.main}
    told: list[tuple[Row, str]] = []
    metric = history.main[0].metric if history.main else history.metric
    for row in rows:
        metric = row.metric if isinstance(row, Scored) else metric
        if isinstance(row, Attempt):
            metric = merged.get(row.number, metric)
        told.append((row, metric))
    return told


def find_row(history: History, word: str) -> tuple[Attempt | Scored, str]:
    """Return what an iteration's number, ``baseline`` (or 0) or a verdict's commit names.

    With it comes the metric of its scores.

    Raises:
        PipelineError: there is none; says which there are.
    """
    for commit in history.by_hand:
        if len(word) >= 7 and commit.commit.startswith(word):
            raise PipelineError(
                f"{word:.60} is a commit of yours: it has no verdict of its own",
                f"git show {commit.commit[:10]}",
            )
    for row, metric in story(history):
        if isinstance(row, ByHand):
            continue
        first = row.verdict == "baseline" and word in ("0", "baseline")
        named = len(word) >= 7 and row.commit.startswith(word)
        if first or named or (len(word) < 12 and word.isdecimal() and int(word) == row.number):
            return row, metric
    numbers = [attempt.number for attempt in history.attempts]
    there = [f"iterations {numbers[0]} to {numbers[-1]}"] if numbers else []
    there += ["the baseline (0)"] if history.main else []
    if not there:
        raise PipelineError("nothing is measured yet", "improve-git run")
    raise PipelineError(f"there is no iteration {word!r:.60}", f"name one of: {', '.join(there)}")


def _place(row: Row, dates: Mapping[str, datetime]) -> tuple[datetime, int]:
    """Return what rows are sorted by; a user's commit, of any date, is between two verdicts."""
    date = moment(row.date)
    if isinstance(row, ByHand):
        if row.after and date >= dates[row.after]:
            return dates[row.after], -1
        if row.before and date <= dates[row.before]:
            return dates[row.before], 1
    return date, 0
