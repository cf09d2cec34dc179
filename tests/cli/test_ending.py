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
    say_last("error: neither this nor that\n  fix: write something else instead")
    first = "error: neither this\nnor that" if terminal else "error: neither this nor that"
    assert capsys.readouterr().err == f"{first}\n  fix: write something else instead\n"
