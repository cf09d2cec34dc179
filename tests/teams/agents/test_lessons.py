import pytest
from cases import attempt, context_of, long_history

from improve_git.teams.agents.lessons import (
    barred,
    by_component,
    calibration,
    outcome_of,
    settled,
    streak,
)
from improve_git.teams.agents.rounding import Scale

SCALE = Scale("accuracy", True, 0.005)


def test_what_each_component_has_brought():
    attempts = [
        attempt(1, "merged", score=0.83, main_score=0.81),
        attempt(2, "rejected"),
        attempt(3, "failed"),
        attempt(4, "merged", score=0.841, main_score=0.83, component="train"),
    ]
    rows = by_component(context_of(attempts=attempts, components=("data", "train")), SCALE)
    assert rows == [
        {"component": "data", "tried": 3, "merged": 1, "failed": 1, "gain": "+2.0 points"},
        {"component": "train", "tried": 1, "merged": 1, "failed": 0, "gain": "+1.0 points"},
    ]


def test_settled_facts_are_counted_by_component_and_kind():
    backbone = {"component": "model", "mechanism": "backbone"}
    attempts = [
        *[attempt(n) for n in range(1, 5)],
        attempt(5, "failed", **backbone, reason="out-of-memory: 9 GiB"),
        attempt(6, "failed", **backbone, reason="out-of-memory: 9 GiB"),
        attempt(7, "failed", **backbone, reason="timeout: stopped"),
        attempt(8, "merged", component="train", mechanism="", slug="epochs-up"),
        attempt(9, "failed", component="train", mechanism="", slug="epochs-up", reason=""),
    ]
    assert settled(attempts) == [
        "data, augmentation: 4 tried, none better",
        "model, backbone: 3 tried, all failed: 2 x out-of-memory, timeout",
        "train, epochs-up: 2 tried, 1 merged; 1 failed: unknown",
    ]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, "rejected, -1.0 points (+0.8 points expected)"),
        ({"expected_effect": ""}, "rejected, -1.0 points"),
        ({"score": None, "reason": "superseded: data.py was changed"},
         "rejected, not measured: main had changed meanwhile"),
        ({"verdict": "merged", "score": 0.8301}, "merged, +1.5 points (+0.8 points expected)"),
        ({"verdict": "failed"}, "failed: timeout: not done after 240 s"),
        ({"verdict": "failed", "reason": "crashed: a\nb"}, "failed: crashed: a b"),
    ],
)  # fmt: skip
def test_an_outcome_is_told_without_the_trails_reason(changes, told):
    assert outcome_of(attempt(1, **changes), SCALE) == told


def test_forecasts_are_held_against_what_came():
    attempts = [
        attempt(1, score=0.8137, expected_effect="+2 points"),
        attempt(2, score=0.8237, expected_effect="+1 points"),
        attempt(3, expected_effect="+15% of the remaining error, at 1 times the time"),
        attempt(4, "failed"),
    ]
    assert calibration(attempts, SCALE) == {
        "count": 2, "expected": "+1.5 points", "got": "+0.5 points",
    }  # fmt: skip
    assert calibration(attempts[2:], SCALE) is None


def kinds(*names):
    return [attempt(n, mechanism=name) for n, name in enumerate(names, start=1)]


@pytest.mark.parametrize(
    ("attempts", "length", "refused"),
    [
        ([], 0, []),
        (kinds("loss", "head", "loss"), 3, []),
        (kinds("loss", "head", "loss", ""), 4, [("data", "loss"), ("data", "head")]),
        ([*kinds("a", "b", "c", "d"), attempt(5, "merged")], 0, []),
        ([attempt(1, "merged"), *kinds("a", "b", "c", "d")], 4,
         [("data", kind) for kind in "dcba"]),
    ],
)  # fmt: skip
def test_a_long_streak_bars_what_was_tried_in_it(attempts, length, refused):
    assert streak(attempts) == length
    assert barred(context_of(attempts=attempts)) == refused


def test_a_very_long_streak_leaves_something_to_try():
    attempts = kinds(*"abcdefghijklmnop")
    assert [kind for _, kind in barred(context_of(attempts=attempts))] == list("ponmlkjihgfe")
    alone = barred(context_of(attempts=attempts, components=("data",)))
    assert [kind for _, kind in alone] == list("ponm")


def test_long_histories_stay_few_lines():
    assert len(settled(long_history(500))) <= 60
