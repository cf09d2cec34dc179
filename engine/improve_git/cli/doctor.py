"""improve-git doctor: what is missing, and the command that mends it."""

import sys
from pathlib import Path

import click
from click.core import ParameterSource
from rich.console import Console
from rich.text import Text

from improve_git.cli.options import in_pipeline, overrides
from improve_git.cli.screen import clean, console
from improve_git.errors import ImproveError
from improve_git.health import Check, check_machine, check_pipeline, obstacle
from improve_git.pipeline import Pipeline

_STYLES = {"ok": "green", "note": "dim", "missing": "bold yellow"}
_NAME = 11  # cells: the longest name of a check, and two blanks


@click.command("doctor")
@in_pipeline
@click.option(
    "--attack",
    is_flag=True,
    help="Run hostile candidates in every sandbox that works here and say whether each was held "
    "(about 10 minutes a sandbox).",
)
@click.option("--only", multiple=True, metavar="NAME", help="With --attack: this attack alone.")
@click.argument("words", nargs=-1, metavar="[KEY=VALUE]...")
@click.pass_context
def command(
    context: click.Context,
    folder: Path,
    attack: bool,
    only: tuple[str, ...],
    words: tuple[str, ...],
) -> None:
    """Check what a run needs: each row that fails names the command that mends it.

    In a pipeline's folder, or with -C, the pipeline is checked too. The exit code is 0 if a run is
    possible, in one sandbox or another, and 1 if not.

    With --attack the walls are tried instead; sandbox=docker or sandbox=process tries one of them.
    The exit code is 1 if an attack was not held.

    \b
    Example: improve-git doctor -C photos-pipeline
             improve-git doctor --attack sandbox=docker
    """
    if attack:
        from improve_git.cli.attack import attack as run_attacks

        if not run_attacks(overrides(words), only):
            sys.exit(1)
        return
    if words or only:
        raise click.UsageError("settings and --only go with --attack")
    from improve_git.settings.schema import SandboxSettings

    named = context.get_parameter_source("folder") is not ParameterSource.DEFAULT
    settings = SandboxSettings()
    state, pipeline = folder, None
    try:
        pipeline = Pipeline.open(folder)
        state = pipeline.state
        settings = pipeline.snapshot(pipeline.main()).settings.sandbox
    except ImproveError:  # a row of the table says it
        pass
    screen = console()
    checks: list[Check] = []
    for check in check_machine(settings, state):
        _show(screen, check)
        checks.append(check)
    if pipeline or named:
        for check in check_pipeline(folder):
            _show(screen, check)
            checks.append(check)
    problem = obstacle(checks)
    screen.print()
    screen.print(f"no run is possible: {clean(problem)}" if problem else "a run is possible")
    if problem:
        sys.exit(1)


def _show(screen: Console, check: Check) -> None:
    row = Text.assemble(
        (f"{check.state:<9}", _STYLES[check.state]), f"{check.name:<{_NAME}}", clean(check.told)
    )
    screen.print(row, soft_wrap=True)
    if check.fix:
        screen.print(f"{'':9}{'':{_NAME}}fix: {check.fix}", soft_wrap=True)
