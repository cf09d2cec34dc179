"""A session against small hostile programs that speak for themselves: no harness, no torch."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pipelines
from improve_git.domain import Outcome
from improve_git.sandboxes import session
from improve_git.sandboxes.base import Limits, PredictJob, TrainJob
from improve_git.sandboxes.process import Tree

LIMITS = Limits(
    seconds=20,
    memory_bytes=2 << 30,
    processes=50,
    scratch_bytes=1 << 20,
    shm_bytes=1 << 20,
    output_bytes=4 << 20,
)
PRELUDE = """
import json, os, struct, sys, time
def frame(kind, payload):
    os.write(1, struct.pack(">cI", kind, len(payload)) + payload)
def event(**values):
    frame(b"E", json.dumps(values).encode())
def result(**values):
    frame(b"R", json.dumps(values).encode())
event(event="ready")
"""


@dataclass
class Trained:
    outcome: Outcome
    events: list[dict[str, Any]]
    weights: bytes | None


def train(folder: Path, program: str, prelude: str = PRELUDE, **limits: Any) -> Trained:
    bounds = Limits(**(LIMITS.__dict__ | limits))
    weights = folder / "weights"
    job = TrainJob(pipelines.FILES, folder, pipelines.spec(), (), bounds, "test", weights)
    events: list[dict[str, Any]] = []

    def start() -> Tree:
        return Tree([sys.executable, "-c", prelude + program], {}, bounds)

    outcome = session.train(start, job, events.append)
    assert sorted(path.name for path in folder.iterdir()) in ([], ["weights"])
    return Trained(outcome, events, weights.read_bytes() if weights.exists() else None)


def predict(folder: Path, program: str) -> tuple[Outcome, Any]:
    pack = folder / "pack"
    pipelines.write_pack(pack, 4, 0, labelled=False)
    job = PredictJob(pipelines.FILES, pack, pipelines.spec(), folder / "weights", LIMITS, "test")

    def start() -> Tree:
        return Tree([sys.executable, "-c", PRELUDE + program], {}, LIMITS)

    return session.predict(start, job, lambda _event: None)


def test_a_good_training(tmp_path: Path) -> None:
    got = train(
        tmp_path,
        """
event(event="phase", name="training")
event(event="epoch", epoch=0, loss=1.5, bad=float("nan"), nested={"a": 1})
event(event="merged", score=1.0)
frame(b"W", b"abc"); frame(b"W", b"def")
print("hello \\x1b[31mred", file=sys.stderr, flush=True)
result(status="ok", seconds=0.001, stopped_by="clock", peak_memory_bytes=7, info={"device": "cpu"})
frame(b"W", b"too late")
""",
    )
    assert got.weights == b"abcdef"
    assert got.events == [
        {"event": "phase", "name": "training"},
        {"event": "epoch", "epoch": 0, "loss": 1.5},
    ]
    assert got.outcome == Outcome(
        "ok",
        curve=[{"epoch": 0, "loss": 1.5}],
        seconds=0.001,
        wall_seconds=got.outcome.wall_seconds,
        peak_memory_bytes=7,
        stopped_by="clock",
        log_tail="hello red",
        info={"device": "cpu"},
    )


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


ROWS = "import array; rows = array.array('f', range(12)).tobytes()\n"


def test_good_predictions(tmp_path: Path) -> None:
    outcome, logits = predict(tmp_path, ROWS + "frame(b'P', rows[:20]); frame(b'P', rows[20:])\n"
                              "result(status='ok')")  # fmt: skip
    assert outcome.status == "ok"
    assert logits.dtype == np.float32
    np.testing.assert_array_equal(logits, np.arange(12, dtype=np.float32).reshape(4, 3))


@pytest.mark.parametrize(
    ("program", "status"),
    [
        ("result(status='ok')", "no-predictions"),
        ("os._exit(0)", "no-predictions"),
        ("frame(b'P', rows[:-4]); result(status='ok')", "bad-predictions"),
        ("frame(b'P', rows + rows[:4]); result(status='ok')", "bad-predictions"),
        ("frame(b'P', b'\\xff' * 48); result(status='ok')", "diverged"),
        ("result(status='bad-predictions', code='logits')", "bad-predictions"),
        ("frame(b'W', rows)", "crashed"),
    ],
)
def test_predictions_that_are_not_what_they_should_be(
    tmp_path: Path, program: str, status: str
) -> None:
    outcome, logits = predict(tmp_path, ROWS + program)
    assert (outcome.status, logits) == (status, None)


def test_no_text_leaves_the_phase_that_sees_the_judge_s_images(tmp_path: Path) -> None:
    secret = "pixels of val"
    program = f"""
secret = {secret!r}
print(secret, file=sys.stderr)
event(event="epoch", epoch=1, note=secret)
result(status="crashed", type="pixels_of_val", message=secret, code=secret, reason=secret,
       where=[["model.py", 6, secret], [secret, 1, secret], ["model.py", 10**6, ""]],
       info={{"note": secret}}, stopped_by=secret)
"""
    outcome, _ = predict(tmp_path, program)
    told = json.dumps(outcome.__dict__)
    assert secret not in told
    assert "pixels_of_val" not in told
    assert (outcome.status, outcome.reason, outcome.detail) == (
        "crashed",
        "error while predicting (model.py:6)",
        "model.py:6: channels = spec.input_shape[0]",
    )
