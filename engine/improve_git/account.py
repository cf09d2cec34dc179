"""One iteration in full, as plain data: what was asked, written, measured and decided.

Read from commits and from the record (a Git note's blob), which a clone may lack and which may
come from anywhere: whatever in it is not as expected counts as absent.
"""

import json
import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from improve_git.domain import Attempt
from improve_git.errors import PipelineError
from improve_git.git import Commit, GitFailed, Repository
from improve_git.history import ByHand, History, Scored, read_record
from improve_git.messages import trailers
from improve_git.story import story
from improve_git.trail import author

MOST_DETAIL = 20  # lines


@dataclass(frozen=True)
class ClassChange:
    """How one class fared."""

    name: str
    images: int
    recall: float
    before: float | None  # main's recall at that time


@dataclass(frozen=True)
class Account:
    """All that `improve-git show` tells."""

    number: int | None  # None: a score of main's own
    title: str
    verdict: str  # empty while it is open
    reason: str
    metric: str
    score: float | None
    main_score: float | None
    component: str
    hypothesis: str
    instruction: str
    expected_effect: str
    said: str  # the newest commit of the engineer: why it is written so
    author: str  # of that commit
    repairs: tuple[str, ...]  # subjects, oldest first
    base: str  # of main, what the change starts from; empty for the baseline
    tip: str  # of the branch; for a score of main's own, that commit
    commit: str  # of the verdict
    date: str
    diff: str
    figures: dict[str, str]  # the verdict's trailers
    record: dict[str, Any] | None  # None: not at hand
    classes: tuple[ClassChange, ...]

    @property
    def detail(self) -> str:
        """The end of what a failed training said."""
        detail = (self.record or {}).get("detail")
        lines = detail.splitlines() if isinstance(detail, str) else []
        return "\n".join(lines[-MOST_DETAIL:])

    @property
    def curve(self) -> list[dict[str, float]]:
        """What the training reported, one dict of finite figures an epoch."""
        return [row for row in _rows(self.record, "curve") if row]


def find(repo: Repository, history: History, word: str) -> Account:
    """Return the account of an iteration's number, of ``baseline`` (or 0), or of main's commit.

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
        own = isinstance(row, Scored) and (
            (row.verdict == "baseline" and word in ("0", "baseline"))
            or (len(word) >= 7 and row.commit.startswith(word))
        )
        if own or (len(word) < 12 and word.isdecimal() and int(word) == row.number):
            return _account(repo, history, row, metric)
    numbers = [attempt.number for attempt in history.attempts]
    there = [f"iterations {numbers[0]} to {numbers[-1]}"] if numbers else []
    there += ["the baseline (show 0)"] if history.main else []
    if not there:
        raise PipelineError("nothing is measured yet", "improve-git run")
    raise PipelineError(f"there is no iteration {word!r:.60}", f"name one of: {', '.join(there)}")


def _account(repo: Repository, history: History, row: Attempt | Scored, metric: str) -> Account:
    verdict = repo.log("-1", row.commit)[0]
    said = trailers(verdict.message)
    base, tip = _ends(repo, history, row, verdict)
    record = read_record(repo, said.get("Record"))
    attempt = row if isinstance(row, Attempt) else None
    path = []
    if attempt and attempt.base:
        path = repo.log("--first-parent", "--reverse", f"{attempt.base}..{tip}")
    email = author(attempt.component, "").email if attempt else ""
    written = [commit for commit in path if commit.author.email == email]
    asked = path[0] if path else None
    return Account(
        number=row.number,
        title=f"{attempt.component}: {attempt.slug}" if attempt else verdict.subject,
        verdict=row.verdict or "",
        reason=attempt.reason if attempt else "",
        metric=metric,
        score=row.score,
        main_score=row.main_score,
        component=attempt.component if attempt else "",
        hypothesis=attempt.hypothesis if attempt else "",
        instruction=_body(asked) if asked else "",
        expected_effect=trailers(asked.message).get("Expected-Effect", "") if asked else "",
        said="\n\n".join(filter(None, (written[-1].subject, _body(written[-1]))))
        if written
        else "",
        author=written[-1].author.name if written else "",
        repairs=tuple(commit.subject for commit in written[1:]),
        base=base,
        tip=tip,
        commit=row.commit,
        date=row.date,
        # A merge is told by what it did to main, which may have moved in other files.
        diff=_diff(repo, base, row.commit) if base else "",
        figures=said if row.verdict else {},
        record=record,
        classes=_classes(repo, history, row, record),
    )


def _ends(
    repo: Repository, history: History, row: Attempt | Scored, verdict: Commit
) -> tuple[str, str]:
    """Return the two commits between which the change lies."""
    if isinstance(row, Scored):
        # What the user did since main's score before; a baseline starts from nothing.
        before = [s for s in history.main if s.commit != row.commit]
        place = [s.commit for s in history.main].index(row.commit)
        return (before[place - 1].commit if place else "", row.commit)
    if row.verdict == "merged" and len(verdict.parents) == 2:
        return verdict.parents[0], verdict.parents[1]
    # Where main was merged into the branch, the change is what differs from that main.
    return repo.merge_base(row.commit, history.tip) or row.base, row.commit


def _diff(repo: Repository, base: str, tip: str) -> str:
    """Return the change in Git's own form; nothing of the user's settings is run for it."""
    with suppress(GitFailed):
        return repo.git("diff", "--no-ext-diff", "--no-textconv", "--no-color", base, tip)
    return ""


def _body(commit: Commit) -> str:
    """Return a message without its subject and its trailers."""
    blocks = commit.message.strip().split("\n\n")[1:]
    return "\n\n".join(blocks[:-1] if trailers(commit.message) else blocks)


def _classes(
    repo: Repository, history: History, row: Attempt | Scored, record: Mapping[str, Any] | None
) -> tuple[ClassChange, ...]:
    """Return every class's recall, beside main's of that time where its record is at hand."""
    now = _per_class(record)
    if not now:
        return ()
    names = _class_names(repo, row.commit)
    main = (record or {}).get("main_commit")
    before = _per_class(_record_of_main(repo, history, main)) if isinstance(main, str) else []
    if len(before) != len(now):
        before = [None] * len(now)
    return tuple(
        ClassChange(
            name=names[index] if index < len(names) else str(index),
            images=int(one["support"]),
            recall=one["recall"],
            before=other["recall"] if other else None,
        )
        for index, (one, other) in enumerate(zip(now, before, strict=True))
        if one and one["support"]
    )


def _record_of_main(repo: Repository, history: History, main: str) -> dict[str, Any] | None:
    """Return the record of the score that main had at a commit: that of its newest verdict."""
    if repo.resolve(main) is None:
        return None
    scores = {scored.commit: scored for scored in history.main}
    line = repo.git("rev-list", "--first-parent", main).splitlines()
    newest = next((scores[commit] for commit in line if commit in scores), None)
    return read_record(repo, newest.trailers.get("Record")) if newest else None


def _per_class(record: Mapping[str, Any] | None) -> list[dict[str, float] | None]:
    judgement = (record or {}).get("judgement")
    rows = _rows(judgement if isinstance(judgement, dict) else None, "per_class")
    return [row if {"recall", "support"} <= row.keys() else None for row in rows]


def _class_names(repo: Repository, commit: str) -> list[str]:
    with suppress(GitFailed, ValueError, RecursionError):
        content = json.loads(repo.read(commit, "dataset.json"))
        names = content.get("classes") if isinstance(content, dict) else None
        return list(map(str, names)) if isinstance(names, list) else []
    return []


def _rows(content: Mapping[str, Any] | None, key: str) -> list[dict[str, float]]:
    rows = (content or {}).get(key)
    found = rows if isinstance(rows, list) else []
    return [_figures(row) if isinstance(row, dict) else {} for row in found]


def _figures(row: Mapping[str, Any]) -> dict[str, float]:
    return {
        str(key): float(value)
        for key, value in row.items()
        if isinstance(value, int | float)
        and not isinstance(value, bool)
        and abs(value) < 2**1000  # an int of any size can stand in JSON
        and math.isfinite(value)
    }
