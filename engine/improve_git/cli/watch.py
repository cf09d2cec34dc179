"""improve-git watch: what a run is doing, as it goes on."""

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from improve_git.cli.log import line_of
from improve_git.cli.options import in_pipeline, typed
from improve_git.cli.screen import Screen, Styled, aligned, clean, cut_line
from improve_git.cli.status import scores, spend
from improve_git.cli.under_way import curve_rows, now_rows
from improve_git.figures import duration
from improve_git.journal import run_under_way
from improve_git.live import Live, read_live
from improve_git.pipeline import Pipeline
from improve_git.trail.history import History, read_history
from improve_git.trail.story import story
from improve_git.views.overview import Overview, overview

if TYPE_CHECKING:
    from rich.text import Text

Line = list[Styled]
_PAUSE = 0.5  # seconds between two looks
_VERDICTS = 4  # the newest ones
_SAID = 2  # lines


@dataclass(frozen=True)
class View:
    """What one look has found; the trail is read again only where it has moved."""

    branches: dict[str, str]
    history: History
    found: Overview
    run: str  # who is running; "": nobody
    live: Live


@click.command("watch")
@in_pipeline
@click.option("--once", is_flag=True, help="Print what there is now, and stop; so does a pipe.")
def command(folder: Path, once: bool) -> None:
    """Watch a run on this machine, whoever started it, until it ends.

    What the agents are asked, the learning curve of the training under way, the newest verdicts,
    what is spent. Ctrl-C ends the watching, not the run.

    \b
    Example: improve-git watch -C photos-pipeline
    """
    pipeline = Pipeline.open(folder)
    screen = Screen()
    view = _look(pipeline, None)
    if once or not screen.is_terminal or not view.run:
        for line in _frame(view, screen.width):
            screen.line(line)
        if not view.run:
            screen.print()
            screen.line([Styled(_nobody(pipeline, view), "")])
        return
    with suppress(KeyboardInterrupt):
        _follow(pipeline, view, screen.width)


def _follow(pipeline: Pipeline, view: View, width: int) -> None:
    """Show the run until it ends."""
    from rich.live import Live as Updated

    from improve_git.cli.screen import console

    with Updated(_text(view, width), console=console(), auto_refresh=False) as shown:
        while view.run:
            time.sleep(_PAUSE)
            view = _look(pipeline, view)
            shown.update(_text(view, shown.console.width), refresh=True)
    Screen().line([Styled(f"the run has ended; see: {typed('status', pipeline.repo.folder)}", "")])


def _look(pipeline: Pipeline, before: View | None) -> View:
    """Look at the run, and at the trail where a branch has moved since."""
    run = run_under_way(pipeline.state) or ""
    live = read_live(pipeline.state)
    branches = pipeline.repo.branches()
    if before and before.branches == branches and before.run == run:
        return View(branches, before.history, before.found, run, live)
    history = read_history(pipeline.repo)
    return View(branches, history, overview(pipeline, history), run, live)


def _nobody(pipeline: Pipeline, view: View) -> str:
    last = view.live.said[-1].text if view.live.said else ""
    told = f"no run is under way{f'; the last one said: {clean(last)}' if last else ''}"
    return f"{told}\nnext: {typed('run', pipeline.repo.folder)}"


def _frame(view: View, width: int) -> Iterator[Line]:
    """Yield the lines of one look."""
    now = time.time()
    name = view.found.pipeline.name
    if view.run:
        since = f" for {duration(max(0, now - view.live.began))}" if view.live.began else ""
        yield [Styled(f"{name}: a run is under way{since}", "bold green")]
    else:
        yield [Styled(name, "bold")]
    yield []
    rows: list[tuple[str | Styled, ...]] = [*scores(view.found), *spend(view.found)]
    if view.run:
        rows += [("", ""), *now_rows(view.live, now), *curve_rows(view.live, min(60, width - 36))]
    yield from (cut_line(line, width) for line in aligned(rows))
    if view.run and view.live.said:
        yield []
        for said in view.live.said[-_SAID:]:
            clock = time.strftime("%H:%M", time.localtime(said.time))
            style = "yellow" if said.kind == "warn" else ""
            yield cut_line([Styled(f"{clock}  ", "dim"), Styled(clean(said.text), style)], width)
    told = [(row, metric) for row, metric in story(view.history)][-_VERDICTS:]
    if told:
        yield []
        yield from (
            cut_line(line, width)
            for line in aligned([line_of(row, metric) for row, metric in told], right=(3, 4))
        )


def _text(view: View, width: int) -> "Text":
    from rich.text import Text

    lines = [Text.assemble(*line) for line in _frame(view, width)]
    return Text("\n").join([*lines, Text("Ctrl-C ends the watching, not the run", "dim")])
