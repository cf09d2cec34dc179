"""The entry point: finds the command, and is the one boundary at which errors end.

Commands are loaded when they are called, so that `--help` is quick.
"""

import importlib
import os
import sys
from collections.abc import Sequence
from typing import cast

import click

from improve_git import __version__
from improve_git.cli.ending import ending_of, heed_signals, say_last

# purpose -> command -> (module, one line)
COMMANDS: dict[str, dict[str, tuple[str, str]]] = {
    "Start": {
        "init": ("init", "make a pipeline repository for a folder of images"),
        "adopt": ("adopt", "make a pipeline of a project that is there, history kept"),
        "run": ("run", "improve it: assign, rewrite, train, judge, merge or not"),
        "try": ("try_", "put a branch of your own through the same sandbox and gate"),
    },
    "Read": {
        "status": ("status", "where it stands: score, gain, spend, what waits for you"),
        "log": ("log", "the story, one line an iteration"),
        "show": ("show", "one iteration: assignment, diff, curve, reason"),
        "diff": ("diff", "what an iteration changed, or the whole search"),
        "compare": ("compare", "two revisions on the same images, and where they differ"),
        "plot": ("plot", "score over iterations, gains, learning curves, confusion"),
        "watch": ("watch", "the run under way: agents, live curve, newest verdicts"),
        "report": ("report", "the whole story as one HTML file"),
    },
    "Check": {
        "verify": ("verify", "does the history hold together, and a score come out again?"),
        "evaluate": ("evaluate", "the gain over the baseline; --test opens the sealed images"),
        "certify": ("certify", "is main truly better? on sealed images, with an error budget"),
    },
    "Use": {
        "export": ("export", "the trained weights for use elsewhere: safetensors, torch, onnx"),
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


@click.group(
    cls=Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
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
    heed_signals()
    last = ""
    try:
        app.main(list(arguments) if arguments is not None else None, prog_name="improve-git",
                 standalone_mode=False)  # fmt: skip
        code = 0
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except click.Abort as error:  # what click makes of an interrupt
        code, last = ending_of(error.__cause__ or KeyboardInterrupt())
    except (KeyboardInterrupt, Exception) as error:  # noqa: BLE001 - the one boundary, for bugs too
        code, last = ending_of(error)
    say_last(last)
    sys.exit(code)


if __name__ == "__main__":
    main()
