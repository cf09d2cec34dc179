"""The history within a bounded number of tokens, whatever the number of attempts.

The newest attempts are told in detail, older ones in a line, and all of them as counts of what was
tried: so iteration 500 costs no more than iteration 50.
"""

from collections.abc import Iterable

from improve_git.domain import Attempt, Component, Context
from improve_git.llm.reckoning import tokens as tokens_of
from improve_git.messages import one_line
from improve_git.teams.agents.constants import changed_constants
from improve_git.teams.agents.curves import curve_line, found_shares
from improve_git.teams.agents.evidence import class_names
from improve_git.teams.agents.lessons import outcome_of, settled
from improve_git.teams.agents.rounding import Scale

MOST_DETAILED = 10  # attempts; no more help, even where there is room
MOST_BRIEF = 30
MOST_COUNTS = 30  # kinds of changes
COUNTS_SHARE = 0.25  # of the tokens, at most
DETAIL_SHARE = 0.7  # of the tokens that the counts leave


def digest(
    context: Context, scale: Scale, tokens: int, component: Component | None = None
) -> dict[str, list[str]]:
    """Return the history as lines: ``detailed`` and ``brief`` newest first, ``counts``, ``more``.

    Args:
        context: tells all attempts.
        scale: how scores are told.
        tokens: that all of it may take.
        component: of which attempts are told; None for all.
    """
    chosen = [a for a in context.attempts if component in (None, a.component)][::-1]
    counts = _fitting(settled(chosen)[:MOST_COUNTS], int(COUNTS_SHARE * tokens))
    left = tokens - _size(counts)
    first = _fitting(
        (_detail(a, context, scale) for a in chosen[:MOST_DETAILED]), int(DETAIL_SHARE * left)
    )
    rest = chosen[len(first) :]
    lines = _fitting((_line(a, scale) for a in rest[:MOST_BRIEF]), left - _size(first))
    older = len(rest) - len(lines)
    return {
        "detailed": first,
        "brief": lines,
        "counts": counts,
        "more": [f"{older} older ones: see the counts"] if older else [],
    }


def _fitting(lines: Iterable[str], tokens: int) -> list[str]:
    """Return the first lines that fit."""
    kept = []
    for line in lines:
        tokens -= _size([line])
        if tokens < 0:
            break
        kept.append(line)
    return kept


def _size(lines: Iterable[str]) -> int:
    return sum(tokens_of(line) + 1 for line in lines)  # and the bullet and the line's end


def _line(attempt: Attempt, scale: Scale) -> str:
    kind = one_line(attempt.mechanism, 40)
    name = f"{attempt.component}, {kind}: {attempt.slug}" if kind else _plain_name(attempt)
    whose = " (the user's own)" if attempt.proposer else ""
    return f"{attempt.number:04d} {name}{whose}: {one_line(outcome_of(attempt, scale), 120)}"


def _plain_name(attempt: Attempt) -> str:
    return f"{attempt.component}: {attempt.slug}"


def _detail(attempt: Attempt, context: Context, scale: Scale) -> str:
    lines = [_line(attempt, scale)]
    if attempt.hypothesis:
        lines.append(f"  idea: {one_line(attempt.hypothesis, 300)}")
    if attempt.subject:
        told = f"{attempt.subject}. {attempt.body}" if attempt.body else attempt.subject
        lines.append(f"  change: {one_line(told, 300)}")
    before, after = context.rewritten.get(attempt.number, ("", ""))
    if settings := changed_constants(before, after):
        lines.append(f"  settings: {settings}")
    if attempt.verdict == "failed" and len(attempt.reason) > 100:
        lines.append(f"  reason: {one_line(attempt.reason, 300)}")
    if (training := context.recent.get(attempt.number)) is not None:
        lines.append(f"  training: {curve_line(training)}")
        if shares := found_shares(training.tune_confusion, class_names(context)):
            lines.append(f"  found of the tuning images: {shares}")
    return "\n".join(lines)
