"""What the attempts so far teach: what each component brought, dead ends, forecasts, the streak."""

from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import Any

from improve_git.domain import Attempt, Component, Context
from improve_git.messages import one_line
from improve_git.teams.agents.rounding import Scale

STREAK = 4  # attempts without a merge after which something else has to be tried

Kind = tuple[Component, str]  # component and mechanism


def by_component(context: Context, scale: Scale) -> list[dict[str, Any]]:
    """Return what was tried with each component that may change, and what its merges brought."""
    rows = []
    for component in context.components:
        own = [a for a in context.attempts if a.component == component]
        merged = [a for a in own if a.verdict == "merged"]
        rows.append(
            {
                "component": component,
                "tried": len(own),
                "merged": len(merged),
                "failed": sum(a.verdict == "failed" for a in own),
                "gain": scale.gain(sum(scale.got(a) or 0.0 for a in merged)),
            }
        )
    return rows


def settled(attempts: Iterable[Attempt]) -> list[str]:
    """Return one line for each kind of change that was tried, the most tried first."""
    groups: dict[Kind, list[Attempt]] = {}
    for attempt in attempts:
        groups.setdefault(kind_of(attempt), []).append(attempt)
    order = sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))
    return [f"{component}, {kind}: {_summary(group)}" for (component, kind), group in order]


def kind_of(attempt: Attempt) -> Kind:
    """Return component and mechanism of an attempt; its name where no mechanism is told."""
    return attempt.component, one_line(attempt.mechanism, 40) or attempt.slug


def status_of(attempt: Attempt) -> str:
    """Return how a failed attempt failed: ``out-of-memory``."""
    return one_line(attempt.reason.partition(":")[0], 40) or "unknown"


def outcome_of(attempt: Attempt, scale: Scale) -> str:
    """Return in a few words what came of an attempt.

    The trail's own reason holds exact scores, so only that of a failure is passed on.
    """
    if attempt.verdict == "failed":
        return f"failed: {one_line(attempt.reason, 200) or 'for no known reason'}"
    got = scale.got(attempt)
    if got is None:
        return f"{attempt.verdict}, not measured: main had changed meanwhile"
    expected = scale.expected(attempt)
    forecast = "" if expected is None else f" ({scale.forecast(expected)} expected)"
    return f"{attempt.verdict}, {scale.gain(got)}{forecast}"


def calibration(attempts: Iterable[Attempt], scale: Scale) -> dict[str, Any] | None:
    """Return how the expected gains compare with those that came; None without any."""
    pairs = [(scale.expected(attempt), scale.got(attempt)) for attempt in attempts]
    told = [(want, got) for want, got in pairs if want is not None and got is not None]
    if not told:
        return None
    expected, got = fmean(want for want, _ in told), fmean(got for _, got in told)
    return {
        "count": len(told),
        "expected": scale.forecast(expected),
        "got": scale.forecast(got),
    }


def streak(attempts: Sequence[Attempt]) -> int:
    """Return how many attempts in a row, up to the newest, were not merged."""
    for length, attempt in enumerate(reversed(attempts)):
        if attempt.verdict == "merged":
            return length
    return len(attempts)


def barred(context: Context) -> list[Kind]:
    """Return what may not be tried next, newest first: all of a long streak without a merge.

    Of a very long streak only the newest attempts count, four for each component that may change:
    there has to be something left that makes sense.
    """
    length = streak(context.attempts)
    if length < STREAK:
        return []
    newest = context.attempts[-min(length, STREAK * len(context.components)) :]
    kinds = [(a.component, a.mechanism) for a in reversed(newest) if a.mechanism]
    return list(dict.fromkeys(kinds))


def _summary(group: Sequence[Attempt]) -> str:
    merged = sum(attempt.verdict == "merged" for attempt in group)
    failures = Counter(status_of(a) for a in group if a.verdict == "failed")
    told = ", ".join(f"{n} x {kind}" if n > 1 else kind for kind, n in failures.most_common(3))
    if failures and failures.total() == len(group):
        return f"{len(group)} tried, all failed: {told}"
    line = f"{len(group)} tried, {f'{merged} merged' if merged else 'none better'}"
    return f"{line}; {failures.total()} failed: {told}" if failures else line
