import contextlib
import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from improve_git.sandboxes import frames
from improve_git.sandboxes.frames import Frame, FrameError, Tail, clean, json_object, parse, scalars

KINDS = st.sampled_from([b"E", b"W", b"P", b"T", b"R"])
FRAMES = st.lists(st.builds(Frame, KINDS, st.binary(max_size=300)), max_size=8)


def encode(frame: Frame) -> bytes:
    return frame.kind + len(frame.payload).to_bytes(4, "big") + frame.payload


@given(FRAMES, st.lists(st.integers(1, 40), min_size=1))
def test_frames_arrive_whole_however_they_are_cut(sent: list[Frame], sizes: list[int]) -> None:
    data = b"".join(map(encode, sent))
    received: list[Frame] = []
    rest = b""
    turn = 0
    while data:
        size = sizes[turn % len(sizes)]
        found, rest = parse(rest + data[:size])
        received += found
        data = data[size:]
        turn += 1
    assert (received, rest) == (sent, b"")


@given(st.binary(max_size=2000))
def test_any_bytes_are_frames_a_beginning_or_an_error(data: bytes) -> None:
    try:
        found, rest = parse(data)
    except FrameError:
        return
    assert b"".join(map(encode, found)) + rest == data


@pytest.mark.parametrize(
    "data",
    [
        b"X",
        b"\x00\x00\x00\x00\x00",
        b"W" + (frames.MAX_PIECE + 1).to_bytes(4, "big"),
        b"E\xff\xff\xff\xff",
        b'{"score": 1.0}',
    ],
)
def test_what_is_no_frame_is_refused_before_its_payload_is_there(data: bytes) -> None:
    with pytest.raises(FrameError):
        parse(data)


def test_good_frames_before_bad_bytes_count() -> None:
    good = encode(Frame(b"E", b"{}"))
    found, rest = parse(good + b"score: 1.0")
    assert (found, rest) == ([Frame(b"E", b"{}")], b"score: 1.0")
    with pytest.raises(FrameError):
        parse(rest)


@given(st.binary(max_size=200) | st.just(b"[" * 50_000) | st.just(b"9" * 50_000))
def test_text_frames_are_objects_or_an_error(payload: bytes) -> None:
    with contextlib.suppress(FrameError):
        assert isinstance(json_object(payload), dict)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@settings(max_examples=40)
@given(JSON | st.dictionaries(st.text(max_size=80), st.booleans(), min_size=40, max_size=50))
def test_events_become_few_plain_finite_values_on_one_line(value: object) -> None:
    kept = scalars(json.loads(json.dumps(value)))
    assert len(kept) <= frames.MAX_KEYS
    for key, plain in kept.items():
        assert len(key) <= 64
        assert type(plain) in (bool, int, float, str)
        assert not isinstance(plain, float) or math.isfinite(plain)
        assert not isinstance(plain, str) or (len(plain) <= 200 and "\n" not in plain)


@given(st.text(max_size=500))
def test_clean_text_holds_nothing_that_a_terminal_acts_upon(text: str) -> None:
    cleaned = clean("\x1b[31m" + text + "\x1b]0;title\x07")
    assert not any((ord(c) < 32 and c not in "\n\t") or 127 <= ord(c) < 160 for c in cleaned)
    cleaned.encode()


def test_clean_takes_out_whole_sequences() -> None:
    assert clean("a\x1b[2J\x1b]8;;http://x\x1b\\b\x1b[31;1mc\u202ed\x9b") == "abcd"


@given(st.lists(st.binary(max_size=100), max_size=30))
def test_tail_is_bounded_however_much_comes(pieces: list[bytes]) -> None:
    tail = Tail(lines=5, length=10)
    for piece in pieces:
        tail.feed(piece)
    lines = tail.text().split("\n")
    assert len(lines) <= 6
    assert all(len(line) <= 10 for line in lines)


def test_tail_keeps_the_last_lines_and_cuts_long_ones() -> None:
    tail = Tail(lines=3, length=4)
    tail.feed(b"one\ntwo\nlong line")
    tail.feed(b" goes on\n10%\r20%\r")
    tail.feed(b"end")
    assert tail.text() == "long\n10%\n20%\nend"
