"""What each phase brings out of children that send it well or badly."""

import json
from pathlib import Path

import numpy as np
import pytest
from children import LIMITS, export, predict, train
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pipelines
from improve_git.domain import Outcome
from improve_git.sandboxes.base import Format, TrainJob
from improve_git.sandboxes.tune import TuneClasses


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


SETUP = "event(event='phase', name='setup')\n"


@pytest.mark.parametrize("form", ["torch", "onnx"])
def test_what_is_exported_is_put_in_place_as_a_whole(tmp_path: Path, form: Format) -> None:
    sent = "frame(b'W', b'abc'); frame(b'W', b'def')\n"
    got = export(tmp_path, form, f"{sent}result(status='ok', info={{'input_shape': '3 x 8 x 8'}})")
    assert (got.outcome.status, got.weights) == ("ok", b"abcdef")
    assert got.outcome.info == {"input_shape": "3 x 8 x 8"}


def test_onnx_comes_after_the_pipeline_s_code_began_and_pickles_only_before(tmp_path: Path) -> None:
    program = SETUP + "frame(b'W', b'abc'); result(status='ok')"
    assert export(tmp_path, "onnx", program).weights == b"abc"
    got = export(tmp_path / "out", "torch", "frame(b'W', b'1')\n" + program)
    reason = "weights came after those that the harness sent"
    assert (got.outcome.status, got.outcome.reason, got.weights) == ("crashed", reason, None)


@pytest.mark.parametrize(
    ("form", "program", "status"),
    [
        ("onnx", "result(status='ok')", "crashed"),
        ("onnx", "frame(b'W', b'1'); os._exit(0)", "crashed"),
        ("onnx", "frame(b'W', b'1'); result(status='invalid', code='onnx')", "invalid"),
        ("onnx", "frame(b'P', b'1'); result(status='ok')", "crashed"),
        ("onnx", "frame(b'T', b'1'); result(status='ok')", "crashed"),
        ("safetensors", "frame(b'W', b'1'); result(status='ok')", "crashed"),
        ("onnx", "for _ in range(9): frame(b'W', bytes(1 << 20))", "too-much-output"),
    ],
)
def test_an_export_that_is_not_what_it_should_be_leaves_nothing(
    tmp_path: Path, form: Format, program: str, status: str
) -> None:
    got = export(tmp_path, form, program)
    assert (got.outcome.status, got.weights) == (status, None)


def test_why_a_model_cannot_be_exported_is_told_in_one_clean_line(tmp_path: Path) -> None:
    got = export(
        tmp_path, "onnx", "result(status='invalid', code='onnx', message='no\\x1b[31m\\nway')"
    )
    assert (got.outcome.status, got.outcome.reason) == ("invalid", "no way")
