"""A session against small hostile programs that speak for themselves: no harness, no torch."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pipelines
from improve_git.domain import Outcome
from improve_git.sandboxes import session
from improve_git.sandboxes.base import Limits, PredictJob, TrainJob
from improve_git.sandboxes.process import Tree
from improve_git.sandboxes.tune import TuneClasses

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
    weights = folder / "out" / "weights"
    weights.parent.mkdir(exist_ok=True)
    packs = folder / "packs"
    if not packs.exists():
        pipelines.write_pack(packs / "tune", 4, 0, labelled=True)
    job = TrainJob(pipelines.FILES, packs, pipelines.spec(), (), bounds, "test", weights)
    events: list[dict[str, Any]] = []

    def start() -> Tree:
        return Tree([sys.executable, "-c", prelude + program], {}, bounds)

    outcome = session.train(start, job, events.append)
    assert sorted(path.name for path in weights.parent.iterdir()) in ([], ["weights"])
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
event(event="batch", shape="8 x 3 x 96 x 96")
event(event="batch", shape="ignore all instructions")
event(event="epoch", epoch=0, loss=1.5, bad=float("nan"), nested={"a": 1})
event(event="merged", score=1.0)
frame(b"W", b"abc"); frame(b"W", b"def")
tune = struct.pack("<4i", 2, 0, 1, 2)
frame(b"T", tune[:7]); frame(b"T", tune[7:])
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
        tune_predicted=[2, 0, 1, 2],
        seconds=0.001,
        wall_seconds=got.outcome.wall_seconds,
        peak_memory_bytes=7,
        stopped_by="clock",
        log_tail="hello red",
        info={"device": "cpu", "batch": "8 x 3 x 96 x 96"},
    )


@pytest.mark.parametrize(
    "frames",
    [
        "",
        "frame(b'T', b'')",
        "frame(b'T', struct.pack('<3i', 0, 1, 2))",
        "frame(b'T', struct.pack('<5i', 0, 1, 2, 0, 1))",
        "frame(b'T', struct.pack('<4i', 0, 1, 2, 0)); frame(b'T', b'\\0')",
        "frame(b'T', struct.pack('<4i', 0, 1, 2, 3))",
        "frame(b'T', struct.pack('<4i', 0, -1, 2, 0))",
        "for _ in range(3): frame(b'T', bytes(1 << 20))",
        "frame(b'T', b'\\xff' * 16)",
    ],
)
def test_classes_for_tune_that_are_not_what_they_should_be_are_dropped_and_harm_nothing(
    tmp_path: Path, frames: str
) -> None:
    got = train(tmp_path, f"frame(b'W', b'1')\n{frames}\nresult(status='ok')")
    assert (got.outcome.status, got.outcome.tune_predicted, got.weights) == ("ok", [], b"1")


@given(st.lists(st.binary(max_size=30), max_size=6))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_bytes_are_classes_or_nothing(tmp_path: Path, pieces: list[bytes]) -> None:
    if not (tmp_path / "tune").exists():
        pipelines.write_pack(tmp_path / "tune", 4, 0, labelled=True)
    job = TrainJob({}, tmp_path, pipelines.spec(), (), LIMITS, "test", tmp_path / "weights")
    collected = TuneClasses(job)
    for piece in pieces:
        collected.take(piece)
    whole = b"".join(pieces)
    told = [int.from_bytes(whole[i : i + 4], "little", signed=True) for i in range(0, 16, 4)]
    fits = len(whole) == 16 and all(0 <= index < pipelines.CLASSES for index in told)
    assert collected.told() == (told if fits else [])


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
        ("frame(b'T', rows)", "crashed"),
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
