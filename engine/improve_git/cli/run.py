"""improve-git run: the loop, from the command line."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from improve_git.cli.options import in_pipeline, overrides, typed

if TYPE_CHECKING:
    from collections.abc import Callable

    from improve_git.iteration.incumbent import Main
    from improve_git.iteration.trial import Bench
    from improve_git.observer import Observer
    from improve_git.pipeline import Pipeline
    from improve_git.settings.schema import Settings
    from improve_git.teams.base import Team


@click.command("run")
@in_pipeline
@click.option("--cfg", is_flag=True, help="Print the settings in force, and stop.")
@click.option(
    "--estimate",
    is_flag=True,
    help="Reckon what is left may take in tokens, money and hours, and stop.",
)
@click.argument("words", nargs=-1, metavar="[KEY=VALUE]...")
def command(folder: Path, cfg: bool, estimate: bool, words: tuple[str, ...]) -> None:
    """Improve a pipeline: assign, rewrite, train, judge, merge or not.

    Ctrl-C whenever you like: the next run carries on where this one was.

    \b
    Example: improve-git run -C photos-pipeline budget.iterations=20 sandbox=docker
    """
    from improve_git.journal import only_run
    from improve_git.pipeline import Pipeline

    pipeline = Pipeline.open(folder, overrides(words))
    settings = pipeline.snapshot(pipeline.main()).settings
    if cfg:
        from improve_git.settings.compose import render

        click.echo(render(settings), nl=False)
        return
    if estimate:
        _estimate(pipeline, settings)
        return
    try:
        with only_run(pipeline.state):
            _run(pipeline)
    except KeyboardInterrupt as error:
        error.add_note(f"to carry on: {typed('run', pipeline.repo.folder, words)}")
        raise


def _run(pipeline: "Pipeline") -> None:
    from improve_git.cli.display import Display
    from improve_git.iteration.trial import Bench
    from improve_git.live import Feed
    from improve_git.loop import Loop
    from improve_git.observer import Several
    from improve_git.sandboxes.select import open_sandbox
    from improve_git.trail.history import read_history

    display = Display()
    observer = Several(display, Feed(pipeline.state))
    settings = pipeline.snapshot(pipeline.main()).settings
    team = team_of(pipeline, settings, observer)  # first: a missing key is told at once
    sandbox = open_sandbox(settings.sandbox, observer.say)
    bench = Bench(pipeline, sandbox, observer)
    if attempt := read_history(pipeline.repo).open():
        observer.say(f"carrying on: {attempt.number:04d} {attempt.component}: {attempt.slug}")
    loop = Loop(pipeline, team, bench, observer)
    observer.say(f"done: {loop.run()}")
    if told := _gained(pipeline):
        observer.say(told)
    if settings.accept.certify:
        _certify(pipeline, bench, loop.incumbent.measured(), observer)
    display.say(f"see: {typed('status', pipeline.repo.folder)}")


def _gained(pipeline: "Pipeline") -> str:
    """Return what main has gained so far; empty while it is the baseline, or by another metric."""
    from improve_git.figures import OPTIMISTIC, gain_text, score_text
    from improve_git.trail.history import read_history

    scores = read_history(pipeline.repo).main
    first, last = scores[0], scores[-1]
    if first is last or first.metric != last.metric:
        return ""
    gain = gain_text(last.metric, last.score - first.score)
    return f"main: {score_text(last.metric, last.score)}, {gain} {OPTIMISTIC}"


def _certify(pipeline: "Pipeline", bench: "Bench", main: "Main", observer: "Observer") -> None:
    from improve_git.cli.certify import told
    from improve_git.sealed import certification

    if certification.is_new(pipeline, main):
        observer.say(told(certification.certify(pipeline, bench, main)))


def _estimate(pipeline: "Pipeline", settings: "Settings") -> None:
    from improve_git.cli.display import Display
    from improve_git.cli.screen import columns, console
    from improve_git.estimate import estimate
    from improve_git.figures import duration
    from improve_git.llm.select import open_llm
    from improve_git.teams.agents.team import Agents

    llm = open_llm(settings, pipeline.journal, pipeline.state, Display())
    sheet = _sheet(pipeline, settings)
    found = estimate(pipeline, llm, lambda one: Agents(one, sheet, settings.llm.history_tokens))
    rows = [("iterations", f"{found.iterations} left", "")]
    if found.hours is None:
        rows.append(("time", "unknown", found.hours_from))
    else:
        rows.append(("time", f"about {duration(3600 * found.hours)}", f"from {found.hours_from}"))
    if found.tokens is not None:
        usd = "price unknown" if found.usd is None else f"about {found.usd:.2f}"
        rows.append(("tokens", f"about {found.tokens:,}", f"from {found.llm_from}"))
        if settings.llm.price.input is not None:
            source = "from llm.price"
        elif found.usd is None:
            source = "set llm.price.input and llm.price.output, for a million tokens"
        else:
            source = "from litellm's price list"
        rows.append(("US dollars", usd, source))
    columns(console(), rows)


def team_of(pipeline: "Pipeline", settings: "Settings", observer: "Observer") -> "Team":
    """Return the team that improves a pipeline."""
    from improve_git.teams.select import open_team

    sheet = _sheet(pipeline, settings)
    return open_team(settings, pipeline.overrides, pipeline.state, observer, sheet)


def _sheet(pipeline: "Pipeline", settings: "Settings") -> "Callable[[], bytes | None]":
    """Return what makes a contact sheet of the training images, for models that see."""
    from improve_git.datasets.contact_sheet import contact_sheet
    from improve_git.datasets.store import images_root

    def sheet() -> bytes | None:
        data_set = pipeline.snapshot(pipeline.main()).data_set
        return contact_sheet(data_set, images_root(settings.data, pipeline.state))

    return sheet
