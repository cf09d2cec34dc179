"""improve-git diff: what an iteration changed, or the whole search."""

import sys
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console

from improve_git.cli.options import as_json, in_pipeline
from improve_git.cli.screen import clean, columns, console, print_json, visible
from improve_git.figures import OPTIMISTIC, gain_text, score_text
from improve_git.pipeline import Pipeline
from improve_git.trail.history import read_history
from improve_git.trail.revision import find_revision
from improve_git.views.changes import Change, FileChange, between, of_iteration, of_search


@click.command("diff")
@in_pipeline
@as_json
@click.option("--best", is_flag=True, help="What the whole search changed: baseline to main.")
@click.argument("words", nargs=-1, metavar="[N | A B]")
def command(folder: Path, words: tuple[str, ...], json_: bool, best: bool) -> None:
    """Show what iteration N changed, or what lies between A and B.

    A and B are iterations' numbers, baseline, main, or any revision of Git's that was measured.
    In a pipe the difference is what Git takes: improve-git diff 7 | git apply

    \b
    Example: improve-git diff 7 -C photos-pipeline
             improve-git diff --best -C photos-pipeline
    """
    if best + len(words) not in (1, 2) or (best and words):
        raise click.UsageError("name an iteration, two revisions, or --best")
    repo = Pipeline.open(folder).repo
    history = read_history(repo)
    if best:
        found = of_search(repo, history)
    elif len(words) == 1:
        found = of_iteration(repo, history, words[0])
    else:
        one, other = (find_revision(repo, history, word) for word in words)
        found = between(repo, history, one, other)
    if json_:
        print_json(asdict(found))
        return
    screen = console()
    _head(screen, found)
    if is_terminal():
        show_diff(screen, found.diff)
    else:
        click.echo(found.diff.encode("utf-8", "surrogateescape"), nl=False)


def is_terminal() -> bool:
    """Say whether a person reads: Git takes no colours, whatever FORCE_COLOR says."""
    return sys.stdout.isatty()


def show_diff(screen: Console, diff: str) -> None:
    """Print a difference for people: highlighted on a terminal, nothing in it can steer one."""
    text = visible(diff.removesuffix("\n"))
    if screen.is_terminal:
        from rich.syntax import Syntax

        syntax = Syntax("", "diff", theme="ansi_dark", background_color="default")
        # Wrapped by the terminal alone, a line stays one and keeps its sign when it is copied.
        screen.print(syntax.highlight(text), soft_wrap=True, end="")
    else:
        screen.print(text, soft_wrap=True)


def _head(screen: Console, found: Change) -> None:
    """Print what is changed in a few lines; `git apply` passes over them."""
    screen.print(found.title, soft_wrap=True)
    columns(screen, [_file(one) for one in found.files], right=(1, 2), indent=2)
    if not found.files:
        screen.print("  no file")
    if found.score is not None:
        told = score_text(found.metric, found.score)
        if found.base_score is not None:
            gain = gain_text(found.metric, found.score - found.base_score)
            screen.print(f"{told}, {gain} over {found.base_score:.4f}")
            screen.print(OPTIMISTIC)
        else:
            screen.print(f"{told} on val")
    screen.print()


def _file(one: FileChange) -> tuple[str, str, str]:
    if one.added is None or one.removed is None:
        return clean(one.path, 60), "", "not text"
    return clean(one.path, 60), f"+{one.added}", f"-{one.removed}"
