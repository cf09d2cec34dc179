import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from improve_git.gate import Decision, Scores, decide
from improve_git.settings import METRICS


def scores(metric: str, *values: float) -> Scores:
    return Scores(metric, dict(enumerate(values)))


@pytest.mark.parametrize(
    ("metric", "new", "old", "decision"),
    [
        (
            "accuracy",
            0.9139,
            0.9028,
            Decision("merge", "accuracy 0.9139 over 0.9028 (+1.11 points)"),
        ),
        (
            "accuracy",
            0.9000,
            0.9028,
            Decision("reject", "accuracy 0.9000 under 0.9028 (-0.28 points)"),
        ),
        ("accuracy", 0.9028, 0.9028, Decision("reject", "accuracy 0.9028, the same as main")),
        (
            "balanced_accuracy",
            0.5,
            0.25,
            Decision("merge", "balanced accuracy 0.5000 over 0.2500 (+25.00 points)"),
        ),
        ("log_loss", 0.41, 0.52, Decision("merge", "log loss 0.4100 under 0.5200 (-0.1100)")),
        ("log_loss", 0.52, 0.41, Decision("reject", "log loss 0.5200 over 0.4100 (+0.1100)")),
        (
            "roc_auc",
            0.123456,
            0.123455,
            Decision("merge", "roc auc 0.123456 over 0.123455 (+0.0000)"),
        ),
    ],
)
def test_improves(metric: str, new: float, old: float, decision: Decision) -> None:
    assert decide(scores(metric, new), scores(metric, old)) == decision


def test_several_seeds_count_by_their_mean() -> None:
    main = scores("accuracy", 0.8, 0.9)
    assert decide(scores("accuracy", 0.95, 0.76), main).kind == "merge"
    assert decide(scores("accuracy", 0.95, 0.74), main).kind == "reject"


@pytest.mark.parametrize(
    ("new", "old", "message"),
    [
        (Scores("accuracy", {0: 0.9}), Scores("accuracy", {1: 0.8}), "different seeds"),
        (Scores("accuracy", {0: 0.9}), Scores("accuracy", {0: 0.8, 1: 0.8}), "different seeds"),
        (Scores("accuracy", {}), Scores("accuracy", {}), "different seeds"),
        (Scores("accuracy", {0: 0.9}), Scores("macro_f1", {0: 0.8}), "does not compare"),
        (Scores("accuracy", {0: math.nan}), Scores("accuracy", {0: 0.8}), "not finite"),
        (Scores("log_loss", {0: 0.1}), Scores("log_loss", {0: math.inf}), "not finite"),
    ],
)
def test_what_does_not_compare_is_a_bug(new: Scores, old: Scores, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decide(new, old)


def test_an_unknown_rule_is_a_bug() -> None:
    with pytest.raises(ValueError, match="unknown rule"):
        decide(scores("accuracy", 1.0), scores("accuracy", 0.0), "always")


FINITE = st.floats(-10, 10)


@given(st.sampled_from(sorted(METRICS)), FINITE, FINITE)
def test_merges_exactly_what_is_strictly_better(metric: str, new: float, old: float) -> None:
    better = new > old if METRICS[metric] else new < old
    decision = decide(scores(metric, new), scores(metric, old))
    assert (decision.kind == "merge") is better
    assert "\n" not in decision.reason


@given(st.sampled_from(sorted(METRICS)), st.permutations([0.1, 0.7, 0.2, 0.30000000000000004]))
def test_the_order_of_seeds_never_makes_an_improvement(metric: str, values: list[float]) -> None:
    new = scores(metric, *values)
    old = scores(metric, 0.1, 0.2, 0.30000000000000004, 0.7)
    assert decide(new, old).kind == "reject"
