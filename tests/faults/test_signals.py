"""Signals and terminals: a run ends at once, says so by its exit code, and leaves nothing."""

import fcntl
import os
import pty
import select
import shlex
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from mishaps import check_trail, user

from improve_git.sandboxes.environment import LABEL
from scripted import source
from worlds import BETTER, World, world_at

Worlds = Callable[..., World]
WIDER = ("model", "wider", BETTER)
HANGING = source("data", 0.2, "\nimport time\n\ntime.sleep(1_000_000)\n")


# A test run in the background may ignore Ctrl-C, and what it starts would, too.
HEEDING = ["env", "--default-signal=INT,HUP,TERM"]
WORDS = ("sandbox=process", "budget.iterations=3", "agents.components=[data, model]")
started: list["subprocess.Popen[str]"] = []


@pytest.fixture(autouse=True)
def ended() -> Iterator[None]:
    """End what a failing test has left running."""
    yield
    while started:
        started[-1].kill()
        started.pop().wait()


def start_run(w: World, tmp_path: Path, *before: str, **more: Any) -> "subprocess.Popen[str]":
    """Start a real run whose training hangs, in the process sandbox."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    w.commit("data.py", HANGING)
    command = [*HEEDING, *before, sys.executable, "-m", "improve_git", "run", "-C",
               str(w.pipeline.repo.folder), *WORDS]  # fmt: skip
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    environment = os.environ | {"TMPDIR": str(temporary)}
    started.append(subprocess.Popen(command, env=environment, text=True, **(pipes | more)))
    return started[-1]


def sandboxes(w: World) -> list[psutil.Process]:
    """Return the processes of a pipeline's sandboxes."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(LABEL, "").startswith(w.pipeline.label):
                found.append(process)
        except psutil.Error:
            continue
    return found


def wait_for_training(w: World, run: "subprocess.Popen[str]", terminal: int | None = None) -> None:
    """Wait until a sandbox is up, reading what the run shows on its terminal."""
    while not sandboxes(w):
        assert run.poll() is None, run.communicate()
        if terminal is None:
            time.sleep(0.3)
        elif select.select([terminal], [], [], 0.3)[0]:
            os.read(terminal, 1 << 16)


def check_nothing_is_left_and_it_carries_on(w: World, tmp_path: Path) -> None:
    psutil.wait_procs(sandboxes(w), timeout=60)
    assert sandboxes(w) == []
    assert list((tmp_path / "tmp").iterdir()) == []
    assert not (w.pipeline.state / "lock.holder").exists()
    assert w.pipeline.journal.events("result")[1:] == []  # the baseline's alone
    assert user(w, "status", "--porcelain") == ""
    user(w, "revert", "--no-edit", "HEAD")
    again = world_at(w.pipeline.repo.folder, [WIDER])
    again.run()
    assert again.verdicts() == [(1, "merged", "accuracy 0.8000 over 0.6000 (+20.00 points)")]
    check_trail(again)


@pytest.mark.parametrize(
    ("number", "code", "told"),
    [
        (signal.SIGINT, 130, "interrupted"),
        (signal.SIGTERM, 143, "interrupted by SIGTERM"),
        (signal.SIGHUP, 129, "interrupted by SIGHUP"),
    ],
)
def test_a_signal_ends_a_run(
    world: Worlds, tmp_path: Path, number: int, code: int, told: str
) -> None:
    w = world()
    run = start_run(w, tmp_path)
    wait_for_training(w, run)
    run.send_signal(number)
    out, err = run.communicate(timeout=60)
    assert run.returncode == code
    again = ["improve-git", "run", "-C", str(w.pipeline.repo.folder), *WORDS]
    assert err.split("\n")[-2] == f"{told}; to carry on: {shlex.join(again)}"
    assert "carry on" not in out
    check_nothing_is_left_and_it_carries_on(w, tmp_path)


def test_nohup_is_heeded(world: Worlds, tmp_path: Path) -> None:
    w = world()
    run = start_run(w, tmp_path, "nohup")
    wait_for_training(w, run)
    run.send_signal(signal.SIGHUP)
    run.send_signal(signal.SIGTERM)  # were SIGHUP not ignored, its handler would come first
    run.communicate(timeout=60)
    assert run.returncode == 143
    check_nothing_is_left_and_it_carries_on(w, tmp_path)


def own_terminal() -> None:
    """Make standard input the controlling terminal, as a login does."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def test_a_terminal_goes_away(world: Worlds, tmp_path: Path) -> None:
    w = world()
    near, far = pty.openpty()
    run = start_run(
        w, tmp_path, stdin=far, stdout=far, stderr=far, start_new_session=True,
        preexec_fn=own_terminal,
    )  # fmt: skip
    os.close(far)
    wait_for_training(w, run, near)
    os.close(near)
    assert run.wait(timeout=60) == 129
    check_nothing_is_left_and_it_carries_on(w, tmp_path)


SPEAK_LATER = """
import os, signal, sys
signal.signal(signal.SIGHUP, signal.SIG_IGN)
from improve_git.cli.main import main
os.write(int(sys.argv[1]), b"x")
os.read(int(sys.argv[2]), 1)
main(["--help"])
"""


def test_nobody_hears_a_terminal_that_went_away() -> None:
    near, far = pty.openpty()
    ready, tell_ready = os.pipe()
    go_on, tell_go_on = os.pipe()
    speaker = subprocess.Popen(
        [sys.executable, "-c", SPEAK_LATER, str(tell_ready), str(go_on)],
        stdin=far, stdout=far, stderr=far, start_new_session=True,
        preexec_fn=own_terminal,  # noqa: PLW1509 - the tests have no threads
        pass_fds=(tell_ready, go_on),
    )  # fmt: skip
    for end in (far, tell_ready, go_on):
        os.close(end)
    os.read(ready, 1)
    os.close(near)
    os.write(tell_go_on, b"x")
    assert speaker.wait(timeout=60) == 129
    os.close(ready)
    os.close(tell_go_on)


SLOW_GIT = """#!/bin/sh
case "$*" in
*update-ref*)
    echo x >"$READY"  # a fifo: waits until the test has read it
    read -r _ <"$GO_ON" ;;
esac
exec "$REAL_GIT" "$@"
"""
UPDATE = """
import sys
from pathlib import Path
from improve_git.cli.ending import ending_of, heed_signals
from improve_git.git import Repository
heed_signals()
folder, new, old = sys.argv[1:]
try:
    Repository(Path(folder)).update_ref("refs/heads/main", new, old, "test")
except KeyboardInterrupt as error:
    sys.exit(ending_of(error)[0])
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_git_is_let_finish(world: Worlds, tmp_path: Path, number: int) -> None:
    """A Git that is cut short leaves its lock files, which stop every later run."""
    w = world()
    old = w.pipeline.repo.resolve("main") or ""
    new = user(w, "commit-tree", "main^{tree}", "-p", "main", "-m", "New").strip()
    real = subprocess.run(["which", "git"], capture_output=True, text=True, check=True).stdout
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    (bin_ / "git").write_text(SLOW_GIT)
    (bin_ / "git").chmod(0o755)
    for name in ("ready", "go-on"):
        os.mkfifo(tmp_path / name)
    engine = subprocess.Popen(
        [*HEEDING, sys.executable, "-c", UPDATE, str(w.pipeline.repo.folder), new, old],
        env=os.environ | {"PATH": f"{bin_}:{os.environ['PATH']}", "REAL_GIT": real.strip(),
                          "READY": str(tmp_path / "ready"), "GO_ON": str(tmp_path / "go-on")},
        start_new_session=True,
    )  # fmt: skip
    assert (tmp_path / "ready").read_text() == "x\n"
    os.killpg(engine.pid, number)  # as a terminal does: to all in the foreground
    (tmp_path / "go-on").write_text("x\n")
    assert engine.wait(timeout=60) == 128 + number
    assert w.pipeline.repo.resolve("main") == new
    assert not list((w.pipeline.repo.folder / ".git").rglob("*.lock"))
