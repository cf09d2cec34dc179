"""improve-git log: the story, one line an iteration."""

from pathlib import Path
from typing import Any

import click

from improve_git.cli.options import as_json, in_pipeline, typed
from improve_git.cli.screen import VERDICTS, Screen, Styled, clean, columns, print_json
from improve_git.domain import Attempt
from improve_git.figures import OPTIMISTIC, gain_text
from improve_git.pipeline import Pipeline
from improve_git.trail.history import ByHand, read_history
from improve_git.trail.story import Row, story

_HEADING = ("number", "part", "verdict", "score", "gain", "what")


@click.command("log")
@in_pipeline
@as_json
@click.option("-n", "newest", type=click.IntRange(1), metavar="N", help="The newest N lines only.")
def command(folder: Path, json_: bool, newest: int | None) -> None:
    """Tell the story: every iteration in a line, the baseline and your own commits between them.

    A commit of yours that changes what is scored is followed by a line with its score.

    The gain is against what main scored at that time. Without this program, the same is told by:
    git log --graph --branches --remotes

    \b
    Example: improve-git log -C photos-pipeline
    """
    repo = Pipeline.open(folder).repo
    told = story(read_history(repo))
    told = told[-newest:] if newest else told
    if json_:
        print_json([_plain(row, metric) for row, metric in told])
    elif told:
        screen, heading = Screen(), [Styled(name, "dim") for name in _HEADING]
        columns(screen, [heading, *(line_of(*row) for row in told)], right=(3, 4))
        screen.print()
        screen.print(f"scores and gains: {OPTIMISTIC}")
    else:
        Screen().line([Styled(f"nothing has been measured yet: {typed('run', repo.folder)}", "")])


def line_of(row: Row, metric: str) -> tuple[str | Styled, ...]:
    """Return number, component, verdict, score, gain and what was tried."""
    if isinstance(row, ByHand):
        return row.commit[:7], "", "by hand", "", "", clean(row.subject)
    score = "" if row.score is None else f"{row.score:.4f}"
    gained = row.score is not None and row.main_score is not None
    gain = gain_text(metric, row.score - row.main_score) if gained else ""  # type: ignore[operator]
    verdict = clean(row.verdict or "open", 20)
    shown = Styled(verdict, VERDICTS.get(verdict, ""))
    if not isinstance(row, Attempt):
        what = clean(row.subject.rpartition(",")[0] or row.subject)
        return row.commit[:7], "", shown, score, gain, what
    name = f"{row.slug}, by hand" if row.proposer else row.slug
    what = clean(f"{name}: {row.hypothesis}" if row.hypothesis else name)
    if verdict == "failed":
        what = clean(f"{name}: {row.reason}")
    return f"{row.number:04d}", row.component, shown, score, gain, what


def _plain(row: Row, metric: str) -> dict[str, Any]:
    if isinstance(row, ByHand):
        keys = ("number", "component", "slug", "score", "main_score", "proposer", "train_seconds")
        told = {"verdict": "by hand", "reason": "", "metric": metric, "hypothesis": ""}
        named = {"commit": row.commit, "date": row.date, "subject": row.subject}
        return dict.fromkeys(keys) | told | named
    attempt = row if isinstance(row, Attempt) else None
    return {
        "number": row.number,
        "component": attempt.component if attempt else None,
        "slug": attempt.slug if attempt else None,
        "verdict": row.verdict,
        "reason": attempt.reason if attempt else "",
        "metric": metric,
        "score": row.score,
        "main_score": row.main_score,
        "hypothesis": attempt.hypothesis if attempt else "",
        "proposer": (attempt.proposer if attempt else "") or None,
        "train_seconds": row.train_seconds,
        "commit": row.commit,
        "date": row.date,
        "subject": row.subject,
    }
