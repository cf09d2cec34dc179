"""One iteration in full, as plain data: what was asked, written, measured and decided.

Read from commits and from the record (a Git note's blob), which a clone may lack.
"""

import json
import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from improve_git.domain import Attempt
from improve_git.git import Commit, GitFailed, Repository
from improve_git.messages import trailers
from improve_git.trail import recorded
from improve_git.trail.history import History, Scored, read_record
from improve_git.trail.story import find_row
from improve_git.trail.writing import wrote
from improve_git.views.changes import ends, patch

MOST_DETAIL = 20  # lines


@dataclass(frozen=True)
class ClassChange:
    """How one class fared."""

    name: str
    images: int
    recall: float
    before: float | None  # main's recall at that time


@dataclass(frozen=True)
class SeedScore:
    """What a seed brought; None: it was not trained with it."""

    seed: int
    score: float | None
    main_score: float | None
    counted: bool  # False: a first look, which is in no mean


@dataclass(frozen=True)
class Cost:
    """What an iteration took, as far as it is told."""

    train_seconds: tuple[float, ...]  # of each training that the score is told over
    tokens: int | None  # of language models; None: none were asked
    usd: float | None  # None: nothing, or a price is unknown


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
    detail: str  # the end of what a failed training said
    curve: tuple[dict[str, float], ...]  # one dict an epoch
    main_curve: tuple[dict[str, float], ...]  # main's at that time
    classes: tuple[ClassChange, ...]
    seeds: tuple[SeedScore, ...]
    cost: Cost
    figures: dict[str, str]  # the verdict's trailers
    record: dict[str, Any] | None  # None: not at hand


def find(repo: Repository, history: History, word: str) -> Account:
    """Return the account of an iteration's number, of ``baseline`` (or 0), or of a commit.

    Raises:
        PipelineError: there is none; says which there are.
    """
    row, metric = find_row(history, word)
    commit = repo.log("-1", row.commit)[0]
    said = trailers(commit.message) if row.verdict else {}
    base, tip = ends(repo, history, row)
    branch = commit.parents[1] if row.verdict == "merged" and len(commit.parents) == 2 else tip
    record = read_record(repo, said.get("Record"))
    main = _main_at(repo, history, base)
    attempt = row if isinstance(row, Attempt) else None
    asked, written = _messages(repo, attempt, branch) if attempt else (None, [])
    # Where the images are others, or divided otherwise, nothing compares.
    before = read_record(repo, main.trailers.get("Record")) if main else None
    before = before if _same_images(record, before) else None
    return Account(
        number=row.number,
        title=f"{attempt.component}: {attempt.slug}" if attempt else commit.subject,
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
        repairs=tuple(one.subject for one in written[1:]),
        base=base,
        tip=branch,
        commit=row.commit,
        date=row.date,
        diff=patch(repo, base, tip) if base else "",
        detail=recorded.detail(record, MOST_DETAIL),
        curve=tuple(recorded.curve(record)),
        main_curve=tuple(recorded.curve(before)),
        classes=_classes(_class_names(repo, row.commit), record, before),
        seeds=_seeds(row, said, record, main if main and main.metric == metric else None),
        cost=_cost(said, record),
        figures=said,
        record=record,
    )


def _messages(repo: Repository, attempt: Attempt, tip: str) -> tuple[Commit | None, list[Commit]]:
    """Return the assignment and what was written for it, oldest first."""
    path = []
    if attempt.base:
        path = repo.log("--first-parent", "--reverse", f"{attempt.base}..{tip}")
    return (path[0] if path else None), [one for one in path if wrote(attempt, one)]


def _body(commit: Commit) -> str:
    """Return a message without its subject and its trailers."""
    blocks = commit.message.strip().split("\n\n")[1:]
    return "\n\n".join(blocks[:-1] if trailers(commit.message) else blocks)


def _main_at(repo: Repository, history: History, base: str) -> Scored | None:
    """Return the score that main had at a commit: that of its newest verdict."""
    if not base:
        return None
    scores = {scored.commit: scored for scored in history.main}
    line = repo.git("rev-list", "--first-parent", base).splitlines()
    return next((scores[commit] for commit in line if commit in scores), None)


def _same_images(one: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> bool:
    return all((one or {}).get(key) == (other or {}).get(key) for key in ("dataset", "split"))


def _classes(
    names: list[str], record: Mapping[str, Any] | None, main: Mapping[str, Any] | None
) -> tuple[ClassChange, ...]:
    """Return every class's recall, beside main's of that time where its record is at hand."""
    now, before = recorded.recalls(record), recorded.recalls(main)
    if len(before) != len(now):
        before = [None] * len(now)
    return tuple(
        ClassChange(
            name=names[index] if index < len(names) else str(index),
            images=one[0],
            recall=one[1],
            before=other[1] if other else None,
        )
        for index, (one, other) in enumerate(zip(now, before, strict=True))
        if one and one[0]
    )


def _class_names(repo: Repository, commit: str) -> list[str]:
    with suppress(GitFailed, ValueError, RecursionError):
        content = json.loads(repo.read(commit, "dataset.json"))
        names = content.get("classes") if isinstance(content, dict) else None
        return list(map(str, names)) if isinstance(names, list) else []
    return []


def _seeds(
    row: Attempt | Scored,
    said: Mapping[str, str],
    record: Mapping[str, Any] | None,
    main: Scored | None,
) -> tuple[SeedScore, ...]:
    """Return the scores by seed, beside main's of that time; a first look's seed is among them."""
    looks, ours = recorded.looks(record), recorded.seed_scores(said, row.score)
    theirs = recorded.seed_scores(main.trailers, main.score) if main else {}
    return tuple(
        SeedScore(
            seed=seed,
            score=ours.get(seed, looks.get(seed)),
            main_score=theirs.get(seed),
            counted=seed in ours or seed in theirs,
        )
        for seed in dict.fromkeys([*looks, *ours, *theirs])
    )


def _cost(said: Mapping[str, str], record: Mapping[str, Any] | None) -> Cost:
    seconds = recorded.train_seconds(record) or _figures(said, "Train-Seconds")
    tokens, usd = _figures(said, "LLM-Tokens"), _figures(said, "LLM-Cost-USD")
    return Cost(
        train_seconds=tuple(seconds),
        tokens=int(tokens[0]) if tokens else None,
        usd=usd[0] if usd else None,
    )


def _figures(said: Mapping[str, str], key: str) -> list[float]:
    """Return the figure of a trailer in a list; [] where there is none."""
    with suppress(KeyError, ValueError):
        figure = float(said[key])
        return [figure] if math.isfinite(figure) else []
    return []
