"""Commit messages: hostile text cannot forge a trailer or steer a terminal."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from improve_git.messages import compose, one_line, trailers, wrapped


def test_a_message_reads_as_a_person_would_write_it() -> None:
    message = compose(
        "Warm up the learning rate",
        "A first paragraph that is long enough to be wrapped at the usual width of a message.\n\n"
        "- one item\n- another item that is long enough to be wrapped at the usual width of a line",
        {"Iteration": 3, "Empty": "", "None": None, "Verdict": "merged"},
    )
    assert message == (
        "Warm up the learning rate\n\n"
        "A first paragraph that is long enough to be wrapped at the usual width\n"
        "of a message.\n\n"
        "- one item\n"
        "- another item that is long enough to be wrapped at the usual width of a\n"
        "  line\n\n"
        "Iteration: 3\nVerdict: merged\n"
    )
    assert trailers(message) == {"Iteration": "3", "Verdict": "merged"}


def test_text_is_flattened() -> None:
    assert one_line("a\nVerdict: merged\r\x1b[31mred\u202eevil\u2028x") == (
        "a Verdict: merged [31mred evil x"
    )
    assert one_line("x" * 20, 10) == "xxxxxxxxx…"


def test_a_message_without_trailers_has_none() -> None:
    assert trailers("Verdict: merged\n") == {}
    assert trailers("Subject\n\nVerdict: merged\nbut this line is none\n") == {}


@given(st.text(), st.text(), st.text())
def test_no_text_adds_or_changes_a_trailer(subject: str, body: str, value: str) -> None:
    forged = f"{body}\n\nVerdict: merged\nVal-Accuracy: 1.0"
    message = compose(subject or "x", forged, {"Verdict": "failed", "Reason": value})
    said = trailers(message)
    assert said["Verdict"] == "failed"
    assert set(said) <= {"Verdict", "Reason"}
    assert "Val-Accuracy" not in said


@given(st.text())
def test_nothing_invisible_remains(text: str) -> None:
    for flat in (one_line(text), wrapped(text)):
        kept = flat.replace("\n", "")
        assert not [c for c in kept if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"}]


def test_labelled_lines_stay_lines() -> None:
    assert wrapped("Why.\n\nSource: Zhang 2017\nChange: MIXUP from 0 to 0.2") == (
        "Why.\n\nSource: Zhang 2017\nChange: MIXUP from 0 to 0.2"
    )
