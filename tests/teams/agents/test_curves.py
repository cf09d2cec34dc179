import math

import pytest
from cases import CONFUSION, CURVE, training_of
from hypothesis import given
from hypothesis import strategies as st

from improve_git.teams.agents.curves import confused, curve_facts, curve_line, found_worst

NAMES = ["cat", "dog", "owl"]
ODD = st.one_of(st.none(), st.booleans(), st.text(max_size=5), st.floats(), st.integers(),
                st.just(10**400), st.lists(st.integers(), max_size=2))  # fmt: skip
KEYS = st.sampled_from(["epoch", "loss", "train_accuracy", "tune_accuracy", "lr", "epochs"])


def test_a_curve_tells_the_gap_the_best_epoch_and_the_pace():
    facts = curve_facts(training_of())
    rows = facts.pop("rows")
    assert facts == {
        "epochs": 5, "planned": 6, "seconds_per_epoch": "10", "last_gap": "+8.0 points",
        "best_gap": "+2.0 points", "best_epoch": 3, "best_tune": "84.0 %", "best_is_last": False,
    }  # fmt: skip
    assert [row["epoch"] for row in rows] == list("12345")
    assert rows[0] == {
        "epoch": "1", "loss": "1", "train": "82.0 %", "tune": "70.0 %", "lr": "0.001",
    }  # fmt: skip
    assert curve_line(training_of(stopped_by="clock")) == (
        "5 epochs, train 90.0 %, tune 70.0, 78.0, 84.0, 83.0, 82.0 %, 50 s, stopped by the clock"
    )


def test_a_curve_that_still_rises_has_its_best_epoch_at_the_end():
    facts = curve_facts(training_of(curve=CURVE[:3]))
    assert facts["best_is_last"] and "best" not in curve_line(training_of(curve=CURVE[:3]))


def test_of_a_long_curve_a_few_epochs_are_shown_the_best_among_them():
    curve = [{"epoch": n, "tune_accuracy": 0.9 if n == 137 else 0.5} for n in range(1, 301)]
    shown = [int(row["epoch"]) for row in curve_facts(training_of(curve=curve))["rows"]]
    assert shown[0] == 1 and shown[-1] == 300 and 137 in shown and len(shown) <= 12


@given(st.lists(st.dictionaries(KEYS, ODD), max_size=30))
def test_whatever_a_candidate_reports_makes_a_line(curve):
    training = training_of(curve=curve)
    assert "\n" not in curve_line(training)
    assert (curve_facts(training) is None) == (not curve)


def test_the_most_confused_and_the_worst_classes():
    assert confused(CONFUSION, NAMES) == [
        "dog taken for cat: 9 of 36", "cat taken for dog: 4 of 32",
        "dog taken for owl: 2 of 36", "owl taken for dog: 1 of 32",
    ]  # fmt: skip
    assert found_worst(CONFUSION, NAMES) == [
        "dog: 69.4 % of 36", "cat: 87.5 % of 32", "owl: 96.9 % of 32",
    ]  # fmt: skip
    many = [[int(row != column) for column in range(40)] for row in range(40)]
    assert len(confused(many, NAMES * 14)) == 0 and len(confused(many, ["x"] * 40)) == 8


@pytest.mark.parametrize(
    "matrix",
    [[], [[1, 2], [3, 4]], [[1, 2, 3]] * 2, [[1, 2, "3"]] * 3, [[1, 2, -3]] * 3,
     [[1, 2, math.nan]] * 3, "abc", [None] * 3, [[0, 0, 0]] * 3],
)  # fmt: skip
def test_a_confusion_that_is_none_tells_nothing(matrix):
    assert confused(matrix, NAMES) == [] and found_worst(matrix, NAMES) == []
