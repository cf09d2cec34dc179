"""A session against small hostile children: each ends as its own failure, or not at its cost."""

from pathlib import Path

import pytest
from children import train

from improve_git.sandboxes import session

FLOOD = "while True: os.write(2, b'x' * 65536)"
EVENTS = "while True: event(event='epoch', epoch=1, filler='x' * 60000)"


@pytest.mark.parametrize(
    ("program", "status", "reason"),
    [
        ("os._exit(0)", "crashed", "the process ended by itself, with exit code 0"),
        ("os.kill(os.getpid(), 9)", "crashed", "killed by signal 9"),
        ("result(status='ok')", "crashed", "ended without sending its weights"),
        ("os.write(1, b'score: 1.0\\n')", "crashed", "written to by something else"),
        ("os.write(1, b'W' + b'\\xff' * 4)", "crashed", "written to by something else"),
        ("frame(b'P', b'1234')", "crashed", "does not belong to this phase"),
        ("frame(b'E', b'[' * 60000)", "crashed", "not JSON"),
        ("frame(b'R', b'7')", "crashed", "not a JSON object"),
        ("os.write(1, b'W\\0\\0\\0\\xffhalf')", "crashed", "the process ended by itself"),
        ("result(status='merged')", "crashed", "its result was not well-formed"),
        ("result(status=['ok'])", "crashed", "its result was not well-formed"),
        ("result(status='sandbox-error')", "crashed", "its result was not well-formed"),
        ("result(status='timeout')", "crashed", "its result was not well-formed"),
        (FLOOD, "too-much-output", "4194304 bytes"),
        ("while True: frame(b'W', b'x' * 65536)", "too-much-output", "4194304 bytes"),
    ],
)
def test_what_a_hostile_child_sends_ends_as_its_own_failure(
    tmp_path: Path, program: str, status: str, reason: str
) -> None:
    got = train(tmp_path, program)
    assert (got.outcome.status, got.weights) == (status, None)
    assert reason in got.outcome.reason


def test_a_flood_of_events_is_ended(tmp_path: Path) -> None:
    got = train(tmp_path, EVENTS, output_bytes=1 << 30)
    assert got.outcome.status == "too-much-output"
    assert "of events" in got.outcome.reason


def test_a_child_that_never_ends_is_killed_and_one_that_lingers_after_its_result_is_not_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stubborn = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    slow = train(tmp_path, stubborn + "time.sleep(100)", seconds=1.0)
    assert (slow.outcome.status, slow.outcome.reason) == ("timeout", "not done after 1 s")

    monkeypatch.setattr(session, "GRACE_SECONDS", 0.1)
    lingering = train(
        tmp_path, stubborn + "frame(b'W', b'1'); result(status='ok'); time.sleep(100)"
    )
    assert (lingering.outcome.status, lingering.weights) == ("ok", b"1")


def test_before_the_candidate_s_code_runs_nothing_counts_against_it(tmp_path: Path) -> None:
    broken = train(
        tmp_path, "print('no such module', file=sys.stderr)\nsys.exit(1)", "import sys\n"
    )
    assert (broken.outcome.status, broken.outcome.reason) == (
        "sandbox-error",
        "the sandbox did not start: no such module",
    )
    hanging = train(tmp_path, "time.sleep(100)", "import time\n", seconds=0.5)
    assert hanging.outcome.status == "sandbox-error"


def test_memory_and_processes_are_bounded_by_looking(tmp_path: Path) -> None:
    hog = train(tmp_path, "held = b'x' * (400 << 20); time.sleep(30)", memory_bytes=200 << 20)
    assert hog.outcome.status == "out-of-memory"
    assert "it may use 200 MiB" in hog.outcome.reason
    assert hog.outcome.peak_memory_bytes and hog.outcome.peak_memory_bytes > 200 << 20

    bomb = "for _ in range(30):\n    if os.fork() == 0: time.sleep(30)\ntime.sleep(30)"
    many = train(tmp_path, bomb, processes=20)
    assert many.outcome.status == "crashed"
    assert "it may have 20" in many.outcome.reason
