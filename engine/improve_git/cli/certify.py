"""improve-git certify: is main truly better? On the sealed images, with an error budget."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from improve_git.cli.options import as_json, in_pipeline, overrides

if TYPE_CHECKING:
    from improve_git.cli.display import Display
    from improve_git.pipeline import Pipeline
    from improve_git.trail.openings import Opening


@click.command("certify")
@in_pipeline
@click.option(
    "--seeds", type=click.IntRange(3, 100), default=3, show_default=True, help="Trainings a side."
)
@as_json
@click.argument("words", nargs=-1, metavar="[KEY=VALUE]...")
def command(folder: Path, seeds: int, json_: bool, words: tuple[str, ...]) -> None:
    """Compare main with what was certified last, at first the baseline, on sealed images.

    Both are trained anew, on seeds that no candidate had, and judged on the test part, which no
    run opens. Each opening, by certify or by evaluate --test, takes half of the error budget that
    is left, so use it for results that you mean to keep. What passes is marked by
    refs/improve/certified; agents are told nothing.

    \b
    Example: improve-git certify -C photos-pipeline
    """
    from rich.console import Console

    from improve_git.cli.display import Display
    from improve_git.cli.screen import print_json
    from improve_git.journal import only_run
    from improve_git.pipeline import Pipeline
    from improve_git.sealed.certification import sentence_of

    pipeline = Pipeline.open(folder, overrides(words))
    display = Display(Console(stderr=json_, highlight=False, soft_wrap=True))
    with only_run(pipeline.state):
        made = certify(pipeline, display, seeds)
    if json_:
        print_json(asdict(made) | {"sentence": sentence_of(made)})
    else:
        display.say(told(made))


def certify(pipeline: "Pipeline", display: "Display", seeds: int) -> "Opening":
    """Certify main; the caller holds the pipeline's lock."""
    from improve_git.iteration.incumbent import Incumbent
    from improve_git.iteration.trial import Bench
    from improve_git.live import Feed
    from improve_git.observer import Several
    from improve_git.sandboxes.select import open_sandbox
    from improve_git.sealed import certification
    from improve_git.settings.consent import check_consent
    from improve_git.teams.playbook import Playbook

    certification.last(pipeline)  # first: that nothing is measured is told at once
    settings = pipeline.snapshot(pipeline.main()).settings
    check_consent(settings, pipeline.overrides, pipeline.state)
    observer = Several(display, Feed(pipeline.state))
    bench = Bench(pipeline, open_sandbox(settings.sandbox, observer.say), observer)
    main = Incumbent(pipeline, Playbook(), bench, observer).measured()  # no model is asked
    return certification.certify(pipeline, bench, main, seeds)


def told(made: "Opening") -> str:
    """Return the outcome in a line."""
    from improve_git.sealed.certification import sentence_of

    verb = "certified" if made.passed else "not certified"
    return f"{verb}: {made.tip[:10]} against {made.against[:10]}: {sentence_of(made)}"
