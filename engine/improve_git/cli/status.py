"""improve-git status: where a pipeline stands, on one screen."""

import math
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from improve_git.cli.options import as_json, in_pipeline, typed
from improve_git.cli.screen import Screen, Styled, clean, columns, print_json, sparkline
from improve_git.cli.under_way import now_rows
from improve_git.domain import Attempt
from improve_git.figures import (
    METRICS,
    OPTIMISTIC,
    better_text,
    gain_text,
    interval_text,
    level_text,
    metric_text,
    score_text,
)
from improve_git.pipeline import Pipeline
from improve_git.trail.openings import Kind
from improve_git.views.overview import Overview, overview

_MARKS = {"merged": "+", "rejected": ".", "failed": "x"}
_COURSE = 34  # bars or marks in a row


@click.command("status")
@in_pipeline
@as_json
def command(folder: Path, json_: bool) -> None:
    """Show where a pipeline stands: score, gain, spend, what waits for you.

    The gain is a search estimate: the best of many candidates was kept by the very val images
    that it is told on. Luck is what the best of as many idle changes would show. Uncommitted
    edits are named; runs use what is committed.

    \b
    Example: improve-git status -C photos-pipeline
    """
    found = overview(Pipeline.open(folder))
    if json_:
        print_json(_plain(found))
    else:
        _show(Screen(), found)


def _show(screen: Screen, found: Overview) -> None:
    screen.print(headline(found))
    screen.print()
    columns(screen, [*scores(found), *_course(found), *spend(found)])
    shares = [
        (
            "  " + name,
            f"{share.tried} tried",
            f"{share.merged} merged",
            _gain(found, share.gain) if share.merged else "",
        )
        for name, share in found.shares.items()
        if share.tried
    ]
    if found.by_hand is not None:
        shares.append(("  by hand", "", "", _gain(found, found.by_hand)))
    if shares:
        screen.print()
        screen.print("brought to main")
        columns(screen, shares, right=(1, 2, 3))
    screen.print()
    _show_open(screen, found)


def _show_open(screen: Screen, found: Overview) -> None:
    """Print what is under way and what waits for the user."""
    rows: list[tuple[str, str | Styled]] = []
    if found.run:
        rows.append(("run", Styled(f"under way: {clean(found.run)}", "green")))
    if found.open:
        what = clean(f"{found.open.component}: {found.open.slug}, {found.open.hypothesis}")
        rows.append(("open", f"{found.open.number:04d} {what}"))
    if found.live:
        rows += now_rows(found.live, time.time())
    if rows:
        columns(screen, rows)
    for wait in found.waits:
        screen.print(f"waits for you: {clean(wait.what, 1000)}", "yellow")
        if wait.fix:
            screen.line([Styled(f"  fix: {wait.fix}", "")])
    if not (found.run or found.waits):
        screen.line([Styled(f"next: {typed('run', found.pipeline)}", "")])


def headline(found: Overview) -> str:
    """Return the pipeline, its data and what it is judged by."""
    data = found.data
    parts = [clean(data.source) or "images"]
    if data.images is not None:
        parts.append(f"{data.images:,} images in {len(data.classes)} classes")
    judged = f"judged by {metric_text(found.metric)}"
    if data.val_images is not None:
        judged += f" on the {data.val_images:,} of val"
    return f"{found.pipeline.name}: {', '.join([*parts, judged])}"


def scores(found: Overview) -> list[tuple[str, str | Styled]]:
    """Return the rows of main's score, and of the gain with what is certain about it."""
    if not found.main or not found.baseline:
        return [("main", "not measured yet: the next run measures the baseline")]
    verdict = {"merged": f"merge of {found.main.number or 0:04d}", "baseline": "the baseline"}
    at = verdict.get(found.main.verdict, "as changed by hand")
    measured = f"{found.main.commit[:7]}, {at}"
    rows: list[tuple[str, str | Styled]] = [
        ("main", Styled(f"{score_text(found.metric, found.main.score)}  {measured}", "bold"))
    ]
    if found.unmeasured:
        names = ", ".join(found.unmeasured)
        rows.append(("", f"{names} changed since: the next run measures it"))
    if found.main.commit != found.baseline.commit and found.gain is not None:
        rows.append(("baseline", score_text(found.metric, found.baseline.score)))
        rows.append(("gain", f"{_gain(found, found.gain)}  {OPTIMISTIC}"))
    if found.luck is not None:
        line = _gain(found, found.luck if METRICS[found.metric] else -found.luck)
        rows.append(("luck", f"{line}  what the best of as many idle changes would show"))
    return [*rows, *_sealed(found)]


def _sealed(found: Overview) -> list[tuple[str, str]]:
    """Return what the sealed part told: the newest opening of each kind."""
    rows: list[tuple[str, str]] = []
    if made := found.opened("certification"):
        passed = "passed" if made.passed else "not passed"
        rows.append(("certified", f"{passed} by {made.tip[:7]}, opening {made.number} of test"))
    if made := found.opened("evaluation"):
        high = made.low if made.high is None else made.high
        interval = interval_text(made.metric, made.low, high).removesuffix(" points")
        gain = f"{better_text(made.metric, made.gain)}, {interval} at {level_text(made.level)}"
        rows.append(("on test", f"{gain}; by {made.tip[:7]}, opening {made.number}"))
    return rows


def _course(found: Overview) -> list[tuple[str, str]]:
    """Return main's score over all iterations as bars, and the newest verdicts as marks."""
    if not found.baseline or len(found.steps) < 2:
        return []
    sign = 1 if METRICS[found.metric] else -1
    told = (found.baseline.score, *(step.main for step in found.steps))
    course = [sign * score for score in told if math.isfinite(score)]
    marks = "".join(_MARKS.get(step.verdict, "?") for step in found.steps[-_COURSE:])
    bars = sparkline(course, min(course), max(course), _COURSE)
    return [
        ("course", f"{bars}  main, baseline to {found.steps[-1].number:04d}"),
        ("newest", f"{marks}  + merged . rejected x failed"),
    ]


def spend(found: Overview) -> list[tuple[str, str]]:
    """Return the rows of what was tried, and spent against each budget."""
    spent = found.spent
    counts = ", ".join(f"{count} {verdict}" for verdict, count in found.counts.items())
    rows = [("iterations", f"{spent.iterations} of {spent.iterations_budget}: {counts}")]
    if found.failures:
        kinds = ", ".join(f"{count} {kind}" for kind, count in found.failures.items())
        rows.append(("failures", kinds))
    rows += [
        ("looks", f"{found.looks:,} trainings judged on val"),
        ("hours", f"{spent.hours:.2f}{_of(spent.hours_budget)} of training and predicting"),
    ]
    if spent.tokens:
        told = f"{spent.tokens:,}{_of(spent.tokens_budget)} tokens"
        paid = "" if spent.usd is None else f"{spent.usd:.2f}{_of(spent.usd_budget)} US dollars"
        rows.append(("agents", f"{told}, {paid or 'price unknown'}"))
    return rows


def _of(limit: float | None) -> str:
    return "" if limit is None else f" of {limit:,g}"


def _gain(found: Overview, gain: float) -> str:
    return gain_text(found.metric, gain)


def _plain(found: Overview) -> dict[str, Any]:
    def scored(one: Any) -> dict[str, Any] | None:
        keys = ("commit", "verdict", "score", "number", "date")
        return {key: getattr(one, key) for key in keys} if one else None

    def opened(kind: Kind) -> dict[str, Any] | None:
        newest = found.opened(kind)
        return asdict(newest) if newest else None

    def claimed(one: Attempt) -> dict[str, Any]:
        keys = ("number", "component", "slug", "hypothesis", "expected_effect", "commit", "base",
                "date")  # fmt: skip
        return {key: getattr(one, key) for key in keys}

    return {
        "pipeline": found.pipeline,
        "data": asdict(found.data),
        "metric": found.metric,
        "higher_is_better": METRICS[found.metric],
        "tip": found.tip,
        "main": scored(found.main),
        "baseline": scored(found.baseline),
        "gain": found.gain,
        "luck": found.luck,
        "looks": found.looks,
        "openings": len(found.openings),
        "certificate": opened("certification"),
        "evaluation": opened("evaluation"),
        "unmeasured": found.unmeasured,
        "counts": found.counts,
        "failures": found.failures,
        "steps": [asdict(step) for step in found.steps],
        "components": {name: asdict(share) for name, share in found.shares.items()},
        "by_hand": found.by_hand,
        "budget": asdict(found.spent),
        "open": claimed(found.open) if found.open else None,
        "run": found.run or None,
        "live": asdict(found.live) if found.live else None,
        "waits": [asdict(wait) for wait in found.waits],
    }
