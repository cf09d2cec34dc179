"""improve-git doctor --attack: the table, the exit code, the words."""

from collections.abc import Callable

import pytest
from command_line import Call

from false_sandbox import FalseSandbox
from improve_git.domain import Outcome
from improve_git.errors import SandboxError
from improve_git.sandboxes import select
from improve_git.settings.schema import SandboxSettings


@pytest.fixture
def box(monkeypatch: pytest.MonkeyPatch) -> FalseSandbox:
    """Stand in for Docker; there is no other sandbox."""
    box = FalseSandbox()

    def open_sandbox(settings: SandboxSettings, on_line: Callable[[str], None]) -> FalseSandbox:
        if settings.name != "docker":
            raise SandboxError("it does not isolate here", "install bubblewrap")
        on_line("sandbox: docker (false)")
        return box

    monkeypatch.setattr(select, "open_sandbox", open_sandbox)
    return box


@pytest.mark.usefixtures("box")
def test_what_is_held_is_told_in_a_row_and_ends_well(call: Call) -> None:
    said = call("doctor", "--attack", "--only", "print_a_score", "--only", "look_alikes")
    lines = [line.split() for line in said.out.splitlines()]
    assert ["print_a_score", "docker", "scored", "held"] in lines
    assert ["look_alikes", "docker", "invalid", "held"] in lines
    assert "process is left out: it does not isolate here" in said.out
    assert said.out.count("sandbox: docker") == 1
    assert "10 minutes" not in said.out
    assert said.out.splitlines()[-1] == "2 of 2 attacks were held"
    assert (said.code, said.err) == (0, "")


def test_what_is_not_held_says_why_and_fails(call: Call, box: FalseSandbox) -> None:
    box.trained = Outcome("ok", log_tail="got through: wrote to /")
    said = call("doctor", "--attack", "sandbox=docker", "--only", "print_a_score")
    lines = said.out.splitlines()
    row = next(n for n, line in enumerate(lines) if line.startswith("print_a_score"))
    assert lines[row].endswith("NOT HELD")
    assert lines[row + 1] == "  it says that it got through: wrote to /"
    assert lines[-1] == "0 of 1 attacks were held, NOT HELD: print_a_score (docker)"
    assert said.code == 1


@pytest.mark.parametrize("words", [(), ("sandbox.allow_unisolated=true",)])
def test_nothing_hostile_runs_where_nothing_isolates(
    call: Call, box: FalseSandbox, words: tuple[str, ...]
) -> None:
    box.name = "process-unisolated"
    said = call("doctor", "--attack", "sandbox=docker", "--only", "print_a_score", *words)
    assert (said.code, said.err.splitlines()[0]) == (
        1, "error: nothing isolates candidates here, so nothing hostile is run",
    )  # fmt: skip


@pytest.mark.usefixtures("box")
def test_a_wrong_word_is_told_in_one_line(call: Call) -> None:
    said = call("doctor", "--attack", "--only", "nothing")
    assert (said.code, said.err.splitlines()[0]) == (1, "error: no attack is named nothing")
    said = call("doctor", "--attack", "--only", "print_score")
    assert said.err.splitlines()[1].startswith("  fix: name one of those in docs/security.md, ")
    assert ", for instance print_a_score, " in said.err
    said = call("doctor", "--attack", "sandbox=process", "--only", "print_a_score")
    assert (said.code, said.err.splitlines()[0]) == (1, "error: it does not isolate here")
    said = call("doctor", "sandbox=docker")
    assert said.code == 2
    assert "go with --attack" in said.err
