"""improve-git evaluate: the gain over the baseline; with --test, on the sealed images."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from improve_git.cli.options import as_json, in_pipeline, is_override, overrides, typed

if TYPE_CHECKING:
    from improve_git.pipeline import Pipeline
    from improve_git.sealed.evaluation import Known
    from improve_git.trail.openings import Opening


@click.command("evaluate")
@in_pipeline
@click.option("--test", is_flag=True, help="Open the sealed test part; this counts.")
@click.option(
    "--seeds", type=click.IntRange(3, 100), default=3, show_default=True, help="Trainings a side."
)
@as_json
@click.argument("words", nargs=-1, metavar="[REV] [KEY=VALUE]...")
def command(folder: Path, test: bool, seeds: int, json_: bool, words: tuple[str, ...]) -> None:
    """Tell how much better than the baseline REV is: an iteration, a revision, or else main.

    Without --test nothing runs: what was scored on val is told, optimistic since a search kept the
    best, and what the sealed test part has said. With --test both are trained anew, on seeds that
    no candidate had, and judged on the test part, which no run opens: the gain, with an interval.
    Each opening, by this or by certify, takes half of the error budget that is left.

    \b
    Example: improve-git evaluate --test -C photos-pipeline
    """
    from improve_git.pipeline import Pipeline

    rev, settings = _split(words)
    pipeline = Pipeline.open(folder, settings)
    if test:
        _open(pipeline, rev, seeds, json_)
    else:
        _tell(pipeline, rev, seeds, json_)


def _split(words: Sequence[str]) -> tuple[str, list[str]]:
    named = bool(words) and not is_override(words[0])
    return (words[0], overrides(words[1:])) if named else ("main", overrides(words))


def _open(pipeline: "Pipeline", rev: str, seeds: int, json_: bool) -> None:
    """Open the sealed part."""
    from rich.console import Console

    from improve_git.cli.display import Display
    from improve_git.cli.screen import print_json
    from improve_git.iteration.trial import Bench
    from improve_git.journal import only_run
    from improve_git.live import Feed
    from improve_git.observer import Several
    from improve_git.sandboxes.select import open_sandbox
    from improve_git.sealed import evaluation
    from improve_git.settings.consent import check_consent

    display = Display(Console(stderr=json_, highlight=False, soft_wrap=True))
    try:
        with only_run(pipeline.state):
            planned = evaluation.plan(pipeline, rev, seeds)
            settings = planned.tip.snapshot.settings
            check_consent(settings, pipeline.overrides, pipeline.state)
            observer = Several(display, Feed(pipeline.state))
            bench = Bench(pipeline, open_sandbox(settings.sandbox, observer.say), observer)
            made = evaluation.evaluate(bench, planned)
    except KeyboardInterrupt as error:
        error.add_note(f"not counted; to carry on: {_typed(pipeline, rev)}")
        raise
    if json_:
        print_json(asdict(made))
        return
    for line in _told(made, planned.tip.name, evaluation.known(pipeline, rev)):
        display.say(line)


def _told(made: "Opening", name: str, known: "Known") -> Iterator[str]:
    """Yield the outcome, line by line."""
    from improve_git.figures import (
        OPTIMISTIC,
        better_text,
        gain_text,
        interval_text,
        level_text,
        metric_text,
    )
    from improve_git.trail.openings import BUDGET, level_of

    metric, high = made.metric, made.low if made.high is None else made.high
    yield (
        f"baseline {made.against_score:.4f}, {name} {made.score:.4f}: {metric_text(metric)} on "
        f"{made.images:,} sealed images, {len(made.seeds)} seeds each"
    )
    yield (
        f"gain {better_text(metric, made.gain)}, {level_text(made.level)} interval "
        f"{interval_text(metric, made.low, high)}"
    )
    if made.low > 0:
        yield f"{name} is better than the baseline, beyond what chance does"
    elif high < 0:
        yield f"{name} is worse than the baseline, beyond what chance does"
    else:
        yield f"{name} may be no better than the baseline: the interval holds zero"
    if known.gain is not None and known.metric == metric:
        yield f"for comparison: {gain_text(metric, known.gain)} {OPTIMISTIC}"
    error, budget = level_text(1 - made.level), level_text(BUDGET)
    yield (
        f"opening {made.number} of the sealed part: its interval misses the true gain in {error} "
        f"of all cases at most, all openings together in {budget}; opening {made.number + 1} "
        f"would stand at {level_text(level_of(made.number + 1))}"
    )


def _tell(pipeline: "Pipeline", rev: str, seeds: int, json_: bool) -> None:
    """Tell what is recorded, and what an opening would take."""
    from improve_git.cli.screen import Screen, Styled, clean, columns, print_json
    from improve_git.figures import OPTIMISTIC, duration, gain_text, level_text, score_text
    from improve_git.sealed import evaluation
    from improve_git.trail.openings import FETCH_OPENINGS, level_of

    known = evaluation.known(pipeline, rev)
    number, trainings = len(known.openings) + 1, 2 * seeds
    if json_:
        upcoming = {"number": number, "level": level_of(number), "trainings": trainings}
        print_json(asdict(known) | {"gain": known.gain, "next": upcoming})
        return
    screen, name = Screen(), clean(rev, 40)
    rows = []
    if known.baseline is not None:
        rows.append(("baseline", score_text(known.metric, known.baseline)))
    if known.score is not None:
        rows.append((name, score_text(known.metric, known.score)))
    if known.gain is not None:
        rows.append(("gain", f"{gain_text(known.metric, known.gain)}  {OPTIMISTIC}"))
    columns(screen, rows or [(name, "no score: it failed")])
    screen.print()
    if known.openings:
        screen.print("the sealed test part was opened")
        columns(screen, [_row(one) for one in known.openings[::-1]], right=(0,), indent=2)
    else:
        screen.print("the sealed test part was not opened yet")
    if any(ref.startswith("refs/remotes/") for ref in pipeline.repo.branches()):
        screen.print("openings that this clone lacks would count too; first fetch them:")
        screen.line([Styled(f"  {FETCH_OPENINGS}", "")])
    each = f" of about {duration(known.train_seconds)}" if known.train_seconds else ""
    screen.print(
        f"opening {number} would take {trainings} trainings{each}, and stand at "
        f"{level_text(level_of(number))}:"
    )
    screen.line([Styled(f"  {_typed(pipeline, rev)}", "")])


def _typed(pipeline: "Pipeline", rev: str) -> str:
    """Return the command that opens the sealed part."""
    named = [] if rev == "main" else [rev]
    return typed("evaluate", pipeline.repo.folder, ["--test", *named])


def _row(made: "Opening") -> tuple[str, ...]:
    """Return an opening in a line."""
    from improve_git.figures import better_text, interval_text, level_text

    if made.high is None:
        told = f"above {better_text(made.metric, made.low)}"
    else:
        told = interval_text(made.metric, made.low, made.high)
    what = {True: "certified", False: "uncertified", None: "evaluated"}[made.passed]
    return (
        str(made.number), made.date[:10], what, made.tip[:7],
        better_text(made.metric, made.gain).removesuffix(" points"),
        f"{told.removesuffix(' points')} at {level_text(made.level)}",
    )  # fmt: skip
