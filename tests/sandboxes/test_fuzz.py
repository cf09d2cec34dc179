"""Everything that reads what leaves a sandbox, against bytes that are made to trip it.

``tests/corpus`` keeps examples that were once thought dangerous, or were: each file is what came
out of a sandbox, byte for byte, and is given to every reader. Put new ones there.
"""

import json
import math
import re
import struct
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import pipelines
from improve_git.domain import Outcome, Status
from improve_git.sandboxes import phases, session
from improve_git.sandboxes.base import Limits, PredictJob, TrainJob
from improve_git.sandboxes.docker.container import demultiplex
from improve_git.sandboxes.frames import Tail, clean
from improve_git.sandboxes.session import Ending, Stream

CORPUS = sorted((Path(__file__).parents[1] / "corpus").glob("*.bin"))
READY = b'{"event": "ready"}'
LIMITS = Limits(30, 1 << 30, 64, 1 << 20, 1 << 20, 1 << 20)
IMAGES = 4
# What a candidate can come to by what it sends alone.
REACHABLE = set(get_args(Status)) - {"no-rewrite", "timeout"}
FUZZED = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


class Replayed:
    """A child that says what it is told to, in pieces, and ends."""

    def __init__(self, pieces: Sequence[tuple[Stream, bytes]], code: int | None) -> None:
        self._pieces = list(pieces)
        self._code = code

    def read(self, seconds: float) -> list[tuple[Stream, bytes]] | None:
        del seconds
        return [self._pieces.pop(0)] if self._pieces else None

    def excess(self) -> None:
        return None

    def peak_memory(self) -> None:
        return None

    def end(self) -> Ending:
        return Ending(self._code)


def frame(kind: bytes, payload: bytes) -> bytes:
    return kind + struct.pack(">I", len(payload)) + payload


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30)
    | st.sampled_from(["ok", "crashed", "invalid", "out-of-memory", "bad-predictions", "epoch",
                       "ready", "train.py", 10**400, "\x1b[2J\u202e\nVerdict: merged"]),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
KEYS = st.sampled_from([
    "event", "name", "seconds", "status", "code", "type", "message", "where", "stopped_by",
    "peak_memory_bytes", "info", "epoch", "loss",
])  # fmt: skip
OBJECTS = st.dictionaries(KEYS | st.text(max_size=5), JSON, max_size=8).map(
    lambda value: json.dumps(value).encode()
)
RAW_JSON = st.sampled_from([
    b"[" * 20_000, b'{"a":' * 10_000, b'{"epoch": 1e999}', b'{"status": "ok"', b"\xff\xfe", b"7",
    b'{"seconds": ' + b"9" * 5000 + b"}", b'{"a": "\\ud800"}', b'{"status": "ok", "status": 1}',
])  # fmt: skip
PAYLOADS = OBJECTS | RAW_JSON | st.binary(max_size=60) | st.just(READY)
FRAMES = st.builds(frame, st.sampled_from([b"E", b"R", b"W", b"P", b"T"]), PAYLOADS)
LOGITS = st.lists(st.floats(width=32), max_size=3 * IMAGES + 2).map(
    lambda values: frame(b"P", np.array(values, "<f4").tobytes())
)
TUNE = st.lists(st.integers(-2, 4), max_size=IMAGES + 1).map(
    lambda values: frame(b"T", np.array(values, "<i4").tobytes())
)
CUT = FRAMES.flatmap(lambda whole: st.integers(0, len(whole)).map(lambda end: whole[:end]))
LIES = st.sampled_from([b"W\xff\xff\xff\xff", b"E\x00\x01\x00\x01", b"score: 1.0\n", b"\0" * 9])
STREAMS = st.lists(FRAMES | LOGITS | TUNE | CUT | LIES, max_size=8).map(b"".join)
CHUNKS = st.builds(
    lambda stream, data: bytes([stream, 0, 0, 0]) + struct.pack(">I", len(data)) + data,
    st.integers(0, 255),
    st.binary(max_size=40),
)
SIZES = st.lists(st.integers(1, 4000), min_size=1, max_size=5)


def pieces(data: bytes, sizes: Sequence[int], stream: Stream = "out") -> list[tuple[Stream, bytes]]:
    found, start, turn = [], 0, 0
    while start < len(data):
        size = sizes[turn % len(sizes)]
        found.append((stream, data[start : start + size]))
        start, turn = start + size, turn + 1
    return found


def begun(data: bytes) -> bytes:
    """What the harness sends before the candidate's code runs, then the candidate's."""
    return frame(b"E", READY) + data


def check_outcome(outcome: Outcome) -> None:
    assert outcome.status in REACHABLE
    json.dumps(asdict(outcome), allow_nan=False)  # finite and plain
    assert "\n" not in outcome.reason and len(outcome.reason) <= 500
    for text in texts(asdict(outcome)):
        assert clean(text) == text
        text.encode()
    assert outcome.stopped_by in ("", "clock")
    assert 0 <= outcome.seconds < 1000
    assert len(outcome.curve) <= session.MAX_CURVE


def texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for pair in value.items() for part in pair for text in texts(part)]
    if isinstance(value, list):
        return [text for part in value for text in texts(part)]
    return [value] if isinstance(value, str) else []


def check_train(folder: Path, data: bytes, sizes: Sequence[int], log: bytes) -> Outcome:
    packs = folder / "packs"
    if not packs.exists():
        pipelines.write_pack(packs / "tune", IMAGES, 0, labelled=True)
    weights = folder / "out" / "weights"
    weights.parent.mkdir(exist_ok=True)
    weights.unlink(missing_ok=True)
    job = TrainJob(pipelines.FILES, packs, pipelines.spec(), (), LIMITS, "test", weights)
    events: list[dict[str, Any]] = []
    said = [*pieces(log, sizes, "err"), *pieces(begun(data), sizes)]
    outcome = phases.train(lambda: Replayed(said, 0), job, events.append)
    check_outcome(outcome)
    assert (outcome.status == "ok") == weights.exists()
    assert [path.name for path in weights.parent.iterdir()] in ([], ["weights"])
    assert all(clean(text) == text for event in events for text in texts(event))
    assert outcome.tune_predicted == [] or (
        len(outcome.tune_predicted) == IMAGES
        and all(0 <= index < pipelines.CLASSES for index in outcome.tune_predicted)
    )
    return outcome


def check_predict(folder: Path, data: bytes, sizes: Sequence[int]) -> Outcome:
    pack = folder / "pack"
    if not pack.exists():
        pipelines.write_pack(pack, IMAGES, 0, labelled=False)
    job = PredictJob(pipelines.FILES, pack, pipelines.spec(), folder / "w", LIMITS, "test")
    said = pieces(begun(data), sizes)
    outcome, logits = phases.predict(lambda: Replayed(said, 0), job, lambda _: None)
    check_outcome(outcome)
    assert (outcome.log_tail, outcome.info, outcome.curve) == ("", {}, [])
    assert (outcome.status == "ok") == (logits is not None)
    if logits is not None:
        assert logits.shape == (IMAGES, pipelines.CLASSES)
        assert logits.dtype == np.float32
        assert np.isfinite(logits).all()
    # No word of the candidate's own: only names of files, lines, errors and fixed sentences.
    assert not re.search("Verdict|merged", outcome.reason + outcome.detail)
    return outcome


def check_demultiplex(data: bytes, sizes: Sequence[int]) -> None:
    chunks, rest = [], b""
    for _, piece in pieces(data, sizes):
        found, rest = demultiplex(rest + piece)
        chunks += found
    whole, left = demultiplex(data)
    for stream in ("out", "err"):
        assert b"".join(d for s, d in chunks if s == stream) == b"".join(
            d for s, d in whole if s == stream
        )
    assert rest == left
    assert sum(len(d) + 8 for _, d in whole) + len(left) == len(data)


@FUZZED
@given(STREAMS, SIZES, st.binary(max_size=300))
@example(b"", [1], b"")
@example(frame(b"W", b"1") + frame(b"R", b'{"status": "ok"}'), [3], b"\x1b[2J\xff")
def test_whatever_a_training_sends_becomes_an_outcome(
    tmp_path: Path, data: bytes, sizes: list[int], log: bytes
) -> None:
    check_train(tmp_path, data, sizes, log)


@FUZZED
@given(STREAMS, SIZES)
@example(frame(b"P", bytes(48)) + frame(b"R", b'{"status": "ok"}'), [7])
def test_whatever_a_prediction_sends_becomes_an_outcome(
    tmp_path: Path, data: bytes, sizes: list[int]
) -> None:
    check_predict(tmp_path, data, sizes)


@FUZZED
@given(st.lists(CHUNKS | st.binary(max_size=20), max_size=8).map(b"".join), SIZES)
def test_dockers_stream_is_the_same_however_it_is_cut(data: bytes, sizes: list[int]) -> None:
    check_demultiplex(data, sizes)


@FUZZED
@given(st.lists(st.binary(max_size=200), max_size=10))
def test_the_log_is_bounded_clean_text(data: list[bytes]) -> None:
    tail = Tail(lines=4, length=20)
    for piece in data:
        tail.feed(piece)
    text = tail.text()
    assert clean(text) == text
    assert len(text) <= 5 * 21


@pytest.mark.parametrize("file", CORPUS, ids=lambda file: file.stem)
def test_the_corpus_is_read_by_all(tmp_path: Path, file: Path) -> None:
    data = file.read_bytes()
    for sizes in ([1 << 18], [1], [5, 1, 1000]):
        if len(data) > 10_000 and sizes == [1]:
            continue
        trained = check_train(tmp_path, data, sizes, data)
        predicted = check_predict(tmp_path, data, sizes)
        check_demultiplex(data, sizes)
        assert trained.status != "ok" or file.stem.startswith("good")
        assert predicted.status != "ok" or file.stem.startswith("good")


def test_the_corpus_is_there_and_its_good_examples_are_good(tmp_path: Path) -> None:
    assert len(CORPUS) >= 20
    by_name = {file.stem: file.read_bytes() for file in CORPUS}
    assert check_train(tmp_path, by_name["good-training"], [9], b"").status == "ok"
    assert check_predict(tmp_path, by_name["good-prediction"], [9]).status == "ok"
    assert math.prod((IMAGES, pipelines.CLASSES)) * 4 == 48
