"""improve-git try: a person's own branch through the sandbox and the gate."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from improve_git.cli.options import in_pipeline, overrides, typed

if TYPE_CHECKING:
    from improve_git.domain import Attempt
    from improve_git.pipeline import Pipeline


@click.command("try")
@in_pipeline
@click.argument("branch")
@click.argument("words", nargs=-1, metavar="[KEY=VALUE]...")
def command(folder: Path, branch: str, words: tuple[str, ...]) -> None:
    """Put your own BRANCH through the same sandbox and gate as an agent's.

    BRANCH changes exactly one of data.py, model.py, train.py since it left main. Its file becomes
    an attempt like any other, with your name and message, and is merged if it is better; BRANCH
    itself is left alone. No language model is asked, and nothing repairs your code. Exits with 0
    where it is merged or rejected, with 1 where it fails.

    \b
    Example: improve-git try wider-head -C photos-pipeline
    """
    from improve_git.errors import PipelineError
    from improve_git.journal import only_run
    from improve_git.pipeline import Pipeline

    pipeline = Pipeline.open(folder, overrides(words))
    here = pipeline.repo.folder
    try:
        with only_run(pipeline.state):
            attempt = _try(pipeline, branch)
    except KeyboardInterrupt as error:
        error.add_note(f"to carry on: {typed('try', here, [branch, *words])}")
        raise
    if attempt.verdict == "failed":
        raise PipelineError(
            f"{attempt.number:04d} failed: {attempt.reason}",
            f"mend it on {branch}, commit, and try again; more of it: "
            f"{typed('show', here, [str(attempt.number)])}",
        )


def _try(pipeline: "Pipeline", branch: str) -> "Attempt":
    from improve_git import by_hand
    from improve_git.cli.display import Display
    from improve_git.cli.screen import clean
    from improve_git.iteration.trial import Bench
    from improve_git.live import Feed
    from improve_git.observer import Several
    from improve_git.sandboxes.select import open_sandbox
    from improve_git.settings.consent import check_consent

    by_hand.check(pipeline, branch)  # first: what is wrong with a branch is told at once
    observer = Several(Display(), Feed(pipeline.state))
    settings = pipeline.snapshot(pipeline.main()).settings
    check_consent(settings, pipeline.overrides, pipeline.state)
    bench = Bench(pipeline, open_sandbox(settings.sandbox, observer.say), observer)
    attempt = by_hand.try_branch(pipeline, bench, observer, branch)
    if attempt.verdict != "failed":
        observer.say(f"{attempt.verdict}: {clean(attempt.reason)}")
        number = str(attempt.number)
        observer.say(f"see: {typed('show', pipeline.repo.folder, [number])}")
    return attempt
