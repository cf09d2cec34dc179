"""Every screen at 80 and 200 columns, coloured or not: nothing is too wide, no figure is lost."""

import re
import time

import pytest
from command_line import Call
from example_trail import ExampleTrail, measurement

from improve_git.journal import only_run
from improve_git.live import Feed

FIGURE = re.compile(r"[+-]?[0-9]+[.][0-9]+")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
SCREENS = [["status"], ["log"], ["watch"], ["show", "6"]]


@pytest.fixture
def busy(example: ExampleTrail, monkeypatch: pytest.MonkeyPatch) -> ExampleTrail:
    """Return a pipeline where everything is long, at a moment that does not pass."""
    monkeypatch.setattr(time, "time", lambda: 1_800_000_000.0)
    slug = "a-long-name-of-a-change-that-goes-on-and-on"
    reason = "accuracy 0.8000 under 0.9000 (-10.00 points), " + "as so often before " * 5
    example.attempt("train", slug, "rejected", measurement(0.8, luck=0.0123), reason,
                    "Wide \u5bbd\u5bbd\u5bbd characters, " + "and many a word " * 20)  # fmt: skip
    failed = measurement(None, status="timeout", curve=[])
    example.attempt("model", slug, "failed", failed, "timeout: stopped after 60 s")
    example.pipeline.journal.append("asked", iteration=6, tokens=123_456_789, usd=1234.5)
    feed = Feed(example.pipeline.state)
    feed.say("carrying on with " + "a long story " * 20)
    feed.begin(f"0005 train: {slug}, seed 3 of 3", 100, 60.0)
    for epoch in range(1, 100):
        feed.event({"event": "epoch", "epoch": epoch, "loss": 9 / epoch, "tune_accuracy": 0.75})
    return example


def screen(call: Call, monkeypatch: pytest.MonkeyPatch, *words: object, **environment: str) -> str:
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TERM", "xterm-256color")
    said = call(*words)
    assert said.code == 0, said.err
    return said.out


@pytest.mark.parametrize("width", [80, 200])
@pytest.mark.parametrize("words", SCREENS, ids=lambda words: words[0])
def test_a_screen_holds(
    busy: ExampleTrail, call: Call, monkeypatch: pytest.MonkeyPatch, words: list[str], width: int
) -> None:
    folder = busy.repo.folder
    with only_run(busy.pipeline.state):
        whole, coloured, plain = (
            screen(call, monkeypatch, *words, "-C", folder, **environment)
            for environment in (
                {},
                {"COLUMNS": str(width), "FORCE_COLOR": "1"},
                {"COLUMNS": str(width), "NO_COLOR": "1"},
            )
        )
    assert COLOUR.search(coloured)
    assert "\x1b" not in whole + plain
    for line in plain.splitlines():
        copied = line.lstrip().startswith(("git ", "fix: ", "next: ", "improve-git "))
        # A command to copy stays whole.
        if not copied:
            assert cells(line) <= width, line
    if words[0] != "show":
        assert [COLOUR.sub("", line) for line in coloured.splitlines()] == plain.splitlines()
        told = [figure for line in whole.splitlines() for figure in FIGURE.findall(of_line(line))]
        shown = [figure for line in plain.splitlines() for figure in FIGURE.findall(line)]
        assert not [figure for figure in told if figure not in shown]


@pytest.mark.parametrize("words", [["compare", "baseline", "2"], ["verify", "--history"]])
def test_sentences_are_wrapped(
    busy: ExampleTrail, call: Call, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    said = call(*words, "-C", busy.repo.folder)
    finding = re.compile(r"  (fix: |[0-9a-f]{7}  )")  # stays whole, however long
    lines = [line for line in said.out.splitlines() if not finding.match(line)]
    assert len(lines) > 3
    assert all(cells(line) <= 80 for line in lines), lines


def of_line(line: str) -> str:
    """Return what of a line must not be cut: all but an agent's text and a clock."""
    if re.match(r"\d{2}:\d{2}  ", line):
        return ""
    row = re.match(r"(\S{4,7} +(?:data|model|train)? +\w+ +(?:[\d.]+)? +(?:\S+ points)?)", line)
    return row[1] if row and re.match(r"\d{4} |[0-9a-f]{7} ", line) else line


def cells(line: str) -> int:
    from rich.cells import cell_len

    return cell_len(line)


def test_status_fits_a_small_terminal(
    busy: ExampleTrail, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    with only_run(busy.pipeline.state):
        words = ("status", "-C", busy.repo.folder)
        assert len(screen(call, monkeypatch, *words, COLUMNS="80").splitlines()) <= 24
        words = ("watch", "-C", busy.repo.folder)
        assert len(screen(call, monkeypatch, *words, COLUMNS="80").splitlines()) <= 24
