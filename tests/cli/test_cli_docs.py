"""Documentation that cannot drift: docs/cli.md holds every command's help, word for word.

Run as a program, this file writes the help texts into docs/cli.md anew.
"""

import re
from pathlib import Path

import click
import pytest
from command_line import Call

from improve_git.cli.main import COMMANDS, app

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"
NAMES = [name for table in COMMANDS.values() for name in table]


def load(name: str) -> click.Command:
    found = app.get_command(click.Context(app), name)
    assert found
    return found


def help_of(name: str) -> str:
    parent = click.Context(app, info_name="improve-git", terminal_width=80, **app.context_settings)
    context = click.Context(load(name), info_name=name, parent=parent, terminal_width=80)
    text = load(name).get_help(context)
    return "\n".join(line.rstrip() for line in text.splitlines())


def block(name: str) -> str:
    return f"<!-- help: {name} -->\n```text\n{help_of(name)}\n```\n"


@pytest.mark.parametrize("name", NAMES)
def test_every_commands_help_is_on_the_page(name: str) -> None:
    assert block(name) in PAGE.read_text(), f"run: python {Path(__file__).name}"


@pytest.mark.parametrize("name", NAMES)
def test_every_option_has_help_and_every_argument_is_explained(name: str) -> None:
    text = help_of(name)
    assert re.search(rf"^  Example: improve-git {name}\b", text, re.MULTILINE)
    for parameter in load(name).params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name
            assert parameter.opts[-1] in text
        elif parameter.nargs == 1:
            metavar = parameter.metavar or parameter.human_readable_name
            assert text.count(metavar) >= 2, metavar


@pytest.mark.parametrize("words", [["-h"], ["run", "-h"], ["weights", "list", "-h"]])
def test_help_has_a_short_name(words: list[str], call: Call) -> None:
    said = call(*words)
    assert (said.code, said.err) == (0, "")
    assert "  -h, --help  " in said.out


def test_the_home_screen_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    app.main([], standalone_mode=False)
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) < 80
    for name in NAMES:
        assert re.search(rf"^  {name} ", said, re.MULTILINE)


def rewrite() -> None:
    text = PAGE.read_text()
    for name in NAMES:
        old = rf"<!-- help: {name} -->\n(```text\n.*?\n```\n)?"
        text = re.sub(old, lambda _, name=name: block(name), text, flags=re.DOTALL)
    PAGE.write_text(text)


if __name__ == "__main__":
    rewrite()
