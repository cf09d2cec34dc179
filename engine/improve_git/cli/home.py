"""The home screen: the three-step path and every command by purpose."""

from collections.abc import Mapping

import click

_PATH = [
    ("improve-git init photos/", "one folder a class"),
    ("improve-git run -C photos-pipeline", "Ctrl-C whenever you like"),
    ("git -C photos-pipeline log --graph --branches", "every attempt and verdict"),
]


def show_home(commands: Mapping[str, Mapping[str, tuple[str, str]]]) -> None:
    """Print the home screen."""
    title = click.style("improve-git", bold=True)
    click.echo(f"{title}: agents improve an image classifier, one file at a time, in Git.\n")
    width = max(len(line) for line, _ in _PATH)
    for number, (line, why) in enumerate(_PATH, 1):
        click.echo(f"  {number}. {click.style(line.ljust(width), fg='cyan')}  {why}")
    for purpose, table in commands.items():
        click.echo(f"\n{click.style(purpose, bold=True)}")
        for name, (_, line) in table.items():
            click.echo(f"  {name:<10}{line}")
    click.echo("\nNo images at hand? improve-git init digits")
    click.echo("Each command has --help with an example. Something missing? improve-git doctor")
