"""The entry point: finds the command, and is the one boundary at which errors end.

Exit codes: 0 done, 1 an expected error (one line plus the fix), 2 wrong usage, 130 interrupted,
3 a bug (a log file is named). Commands are loaded when they are called, so that `--help` is quick.
"""

import importlib
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import cast

import click

from improve_git import __version__
from improve_git.errors import ImproveError

EXPECTED, INTERRUPTED, BUG = 1, 130, 3

# purpose -> command -> (module, one line)
COMMANDS: dict[str, dict[str, tuple[str, str]]] = {
    "Start": {
        "init": ("init", "make a pipeline repository for a folder of images"),
        "run": ("run", "improve it: assign, rewrite, train, judge, merge or not"),
    },
    "Read": {
        "status": ("status", "where it stands: score, gain, spend, what waits for you"),
        "log": ("log", "the story, one line an iteration"),
        "show": ("show", "one iteration: assignment, diff, curve, reason"),
    },
    "Use": {
        "predict": ("predict", "label a folder of new images"),
        "weights": ("weights", "the pretrained models at hand, and fetching more"),
        "doctor": ("doctor", "what is missing on this machine, and the command that mends it"),
    },
}
_TABLE = {name: entry for group in COMMANDS.values() for name, entry in group.items()}


class Commands(click.Group):
    """The commands by purpose; each one's module is imported when it is called."""

    def list_commands(self, _context: click.Context) -> list[str]:
        """Return the names in the order in which they are shown."""
        return list(_TABLE)

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        """Load one command."""
        if name not in _TABLE:
            return None
        module = importlib.import_module(f"improve_git.cli.{_TABLE[name][0]}")
        return cast(click.Command, module.command)

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Name the nearest command where there is none of that name."""
        if args and args[0] not in _TABLE:
            import difflib

            near = difflib.get_close_matches(args[0], _TABLE, 1)
            hint = f" Did you mean {near[0]}?" if near else " See: improve-git --help"
            context.fail(f"no command is named {args[0]!r}.{hint}")
        return super().resolve_command(context, args)

    def format_commands(self, _context: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands by purpose, without loading them."""
        for purpose, commands in COMMANDS.items():
            with formatter.section(purpose):
                formatter.write_dl([(name, line) for name, (_, line) in commands.items()])


@click.group(cls=Commands, invoke_without_command=True)
@click.version_option(__version__, prog_name="improve-git")
@click.pass_context
def app(context: click.Context) -> None:
    """Let agents improve an image-classification pipeline, one file at a time, in Git.

    Example: improve-git init photos/ && improve-git run -C photos-pipeline
    """
    if context.invoked_subcommand is None:
        from improve_git.cli.home import show_home

        show_home(COMMANDS)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    # Git sets these for hooks and aliases; they would point every later Git command elsewhere.
    for name in [key for key in os.environ if key.startswith("GIT_DIR")]:
        del os.environ[name]
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        app.main(list(arguments) if arguments is not None else None, prog_name="improve-git",
                 standalone_mode=False)  # fmt: skip
        code = 0
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        code = INTERRUPTED
    except ImproveError as error:
        click.echo(f"error: {error}", err=True)
        code = EXPECTED
    except BrokenPipeError:
        # The reader of a pipe has gone; whatever is left must not raise again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = EXPECTED
    except Exception as error:  # noqa: BLE001 - the one boundary: a bug ends here, with a log
        click.echo(f"bug: {type(error).__name__}: {error}\n  log: {_write_log()}", err=True)
        code = BUG
    sys.exit(code)


def _interrupt(number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt(signal.Signals(number).name)


def _write_log() -> str:
    import tempfile
    import traceback

    descriptor, path = tempfile.mkstemp(prefix="improve-git-", suffix=".log")
    with os.fdopen(descriptor, "w") as file:
        file.write(f"improve-git {__version__}, Python {sys.version}\n{' '.join(sys.argv)}\n\n")
        file.write(traceback.format_exc())
    return path


if __name__ == "__main__":
    main()
