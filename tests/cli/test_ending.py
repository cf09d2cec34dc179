"""The last line of whatever stopped a command."""

import sys

import pytest

from improve_git.cli.ending import say_last


@pytest.mark.parametrize("terminal", [True, False])
def test_an_error_breaks_between_words_on_a_terminal_and_its_fix_does_not(
    terminal: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    whole = "  main is elsewhere: git switch main\n  fix: write something else instead\n"
    say_last(f"error: neither this nor that\n  one: not this way either\n{whole}".rstrip())
    lines = "error: neither this\nnor that\n  one: not this way\n    either\n"
    if not terminal:
        lines = "error: neither this nor that\n  one: not this way either\n"
    assert capsys.readouterr().err == lines + whole
