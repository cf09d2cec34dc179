"""What happened, in its order: attempts, main's own scores, and the user's commits."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime

from improve_git.domain import Attempt
from improve_git.history import ByHand, History, Scored

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


def _place(row: Row, dates: Mapping[str, datetime]) -> tuple[datetime, int]:
    """Return what rows are sorted by; a user's commit, of any date, is between two verdicts."""
    date = moment(row.date)
    if isinstance(row, ByHand):
        if row.after and date >= dates[row.after]:
            return dates[row.after], -1
        if row.before and date <= dates[row.before]:
            return dates[row.before], 1
    return date, 0
