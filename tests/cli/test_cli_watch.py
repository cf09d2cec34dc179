"""The view of a run: elsewhere on this machine, in a terminal, in a pipe, and when nobody runs."""

import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from command_line import Call
from example_trail import ExampleTrail

from improve_git.cli.under_way import now_rows
from improve_git.journal import only_run
from improve_git.live import Feed, Live


def test_when_nobody_runs_the_newest_state_is_shown(example: ExampleTrail, call: Call) -> None:
    said = call("watch", "-C", example.repo.folder)
    lines = said.out.splitlines()
    assert said.code == 0
    assert lines[0] == "pets"
    assert lines[2].startswith("main        accuracy 0.9000  ")
    assert "0005     train  open" in said.out
    assert lines[-2:] == [
        "no run is under way", f"next: improve-git run -C {example.repo.folder}",
    ]  # fmt: skip


def test_the_feed_of_a_run_that_was_killed_does_not_pass_for_one(
    example: ExampleTrail, call: Call
) -> None:
    feed = Feed(example.pipeline.state)
    feed.begin("0005 train: warm-up", 10, 60.0)
    feed.warn("the sandbox failed")
    (example.pipeline.state / "lock.holder").write_text("process 1 that was killed")
    said = call("watch", "-C", example.repo.folder).out
    assert "training    " not in said
    assert "no run is under way; the last one said: the sandbox failed\n" in said


def test_one_look_at_a_run(
    example: ExampleTrail, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time", lambda: 1_800_000_000.0)
    state, folder = example.pipeline.state, example.repo.folder
    with only_run(state):
        feed = Feed(state)
        feed.doing("0005 train engineer (gpt) rewrites train.py")
        said = call("watch", "--once", "-C", folder).out
        assert said.startswith("pets: a run is under way for 0 seconds\n")
        assert "agent       0005 train engineer (gpt) rewrites train.py, 0 seconds\n" in said
        feed.doing("")
        feed.begin("0005 train: warm-up", 10, 60.0)
        for epoch in range(1, 5):
            feed.event({"event": "epoch", "epoch": epoch, "loss": 1 / epoch, "tune_accuracy": 0.5})
        feed.say("\x1b[2Jhalf\u202eway")
        said = call("watch", "-C", folder).out
    assert (
        "training    0005 train: warm-up\nprogress    epoch 4 of 10, loss 0.250, tune 0.500, "
        in said
    )
    assert "loss        █▃▂▁  1.000 to 0.250\n" in said
    assert "  [2Jhalf way\n" in said
    assert said.replace("\n", "").isprintable()


def test_a_run_in_another_terminal_is_followed_to_its_end(example: ExampleTrail) -> None:
    with run_elsewhere(example) as run, watching(example) as (watch, screen):
        assert "0005 train: warm-up" in until(screen, "0005 train: warm-up")
        run.kill()
        assert "the run has ended; see: improve-git status -C " in until(screen, "status -C")
        assert watch.wait(30) == 0


def test_an_interrupt_ends_the_watching_alone(example: ExampleTrail) -> None:
    with run_elsewhere(example) as run, watching(example) as (watch, screen):
        until(screen, "0005 train: warm-up")
        watch.send_signal(signal.SIGINT)
        assert watch.wait(30) == 0
        assert "Traceback" not in until(screen, "")
        assert run.poll() is None


@contextmanager
def run_elsewhere(example: ExampleTrail) -> Iterator["subprocess.Popen[str]"]:
    """Hold the lock in another process that has a training under way."""
    code = (
        "import sys, pathlib\nfrom improve_git.journal import only_run\n"
        "from improve_git.live import Feed\nstate = pathlib.Path(sys.argv[1])\n"
        "with only_run(state):\n    Feed(state).begin('0005 train: warm-up', 10, 60.0)\n"
        "    print('ready', flush=True)\n    sys.stdin.read()\n"
    )
    run = subprocess.Popen(
        [sys.executable, "-c", code, str(example.pipeline.state)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert run.stdout and run.stdout.readline() == "ready\n"
        yield run
    finally:
        run.kill()
        run.communicate()


@contextmanager
def watching(example: ExampleTrail) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    """Watch on a terminal; yield the process and the terminal's other end."""
    screen, terminal = pty.openpty()
    environment = {**os.environ, "COLUMNS": "80", "LINES": "30", "TERM": "xterm"}
    watch = subprocess.Popen(
        [sys.executable, "-m", "improve_git", "watch", "-C", str(example.repo.folder)],
        stdin=terminal, stdout=terminal, stderr=terminal, env=environment, cwd=Path.cwd(),
    )  # fmt: skip
    os.close(terminal)
    try:
        yield watch, screen
    finally:
        watch.kill()
        watch.wait()
        os.close(screen)


def until(screen: int, text: str) -> str:
    """Return what is on the terminal up to a text, or up to its end."""
    seen, deadline = b"", time.monotonic() + 60
    while time.monotonic() < deadline and not (text and text in seen.decode("utf-8", "replace")):
        if select.select([screen], [], [], 1)[0]:
            try:
                seen += os.read(screen, 65536)
            except OSError:  # the other end is closed
                break
        elif not text:
            break
    return seen.decode("utf-8", "replace")


@pytest.mark.parametrize(("epoch", "epochs", "told"), [
    (5e-324, 5e-324, "epoch 0 of 0, 10 seconds"),
    (2.0, 1e308, "epoch 2, 10 seconds"),
    (-1e308, 4.0, "epoch 1 of 4, 10 seconds, 30 seconds left"),
])  # fmt: skip
def test_odd_counts_of_epochs_are_put_up_with(epoch: float, epochs: float, told: str) -> None:
    live = Live(title="train it", curve=({"epoch": epoch, "epochs": epochs},))
    assert now_rows(live, 10.0)[1] == ("progress", told)
