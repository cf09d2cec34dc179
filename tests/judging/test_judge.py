import json
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from improve_git.errors import DataError
from improve_git.figures import METRICS
from improve_git.judging.judge import (
    Resolution,
    higher_is_better,
    resolution,
    score,
    smallest_gain,
    standard_error,
)


def logits_for(classes: list[int], num_classes: int, margin: float = 2.0) -> np.ndarray:
    return margin * np.eye(num_classes, dtype=np.float32)[classes]


def test_three_classes_by_hand() -> None:
    labels = [0, 0, 0, 0, 1, 1, 2, 2]
    predicted = [0, 0, 0, 1, 1, 1, 2, 0]
    judgement = score(logits_for(predicted, 3), labels, "accuracy", 3)
    right, wrong = np.e**2 / (np.e**2 + 2), 1 / (np.e**2 + 2)
    assert judgement.value == 6 / 8
    assert judgement.predicted == predicted
    assert judgement.confusion == [[3, 1, 0], [0, 2, 0], [1, 0, 1]]
    assert judgement.per_class == [
        {"precision": 3 / 4, "recall": 3 / 4, "f1": 3 / 4, "support": 4},
        {"precision": 2 / 3, "recall": 1.0, "f1": pytest.approx(4 / 5), "support": 2},
        {"precision": 1.0, "recall": 1 / 2, "f1": pytest.approx(2 / 3), "support": 2},
    ]
    assert judgement.metrics == {
        "accuracy": 6 / 8,
        "balanced_accuracy": pytest.approx((3 / 4 + 1 + 1 / 2) / 3),
        "macro_f1": pytest.approx((3 / 4 + 4 / 5 + 2 / 3) / 3),
        "log_loss": pytest.approx(-(6 * np.log(right) + 2 * np.log(wrong)) / 8),
        # With one hard vote an image, a class's area is the mean of its recall and specificity.
        "roc_auc": pytest.approx(((3 / 4 + 3 / 4) + (1 + 5 / 6) + (1 / 2 + 1)) / 6),
        # Observed squared distances 1 + 4; expected by chance (margins 4,2,2 and 4,3,1) 9.5.
        "quadratic_kappa": pytest.approx(1 - 5 / ((4 * (3 + 4) + 2 * (4 + 1) + 2 * (16 + 3)) / 8)),
    }


def test_rounding_breaks_no_ties() -> None:
    # The same confidence in class 0 twice; only the order in which a softmax sums differs.
    logits = np.array([[1.3, 0.9, -0.7], [1.3, -0.7, 0.9]], dtype=np.float32)
    areas = [score(logits, labels, "roc_auc", 3).value for labels in ([0, 1], [1, 0])]
    assert areas == [(1 / 2 + 0) / 2, (1 / 2 + 1) / 2]


def test_two_classes_use_the_second_ones_area() -> None:
    logits = np.array([[0, -2], [0, -1], [0, 1], [0, 3]], dtype=np.float32)
    assert score(logits, [0, 1, 0, 1], "roc_auc", 2).value == 3 / 4


@pytest.mark.parametrize("metric", METRICS)
def test_perfect_is_the_best_there_is(metric: str) -> None:
    judgement = score(logits_for([0, 1, 2, 2], 3, margin=1000), [0, 1, 2, 2], metric, 3)
    assert judgement.value == pytest.approx(1.0 if higher_is_better(metric) else 0.0, abs=1e-12)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("metric", METRICS)
def test_a_class_without_labels_is_left_out(metric: str) -> None:
    # Class 3 has no label, class 2 is predicted once without being one.
    judgement = score(logits_for([0, 1, 2, 0], 4), [0, 1, 1, 0], metric, 4)
    assert judgement.metrics["balanced_accuracy"] == (1 + 1 / 2) / 2
    assert judgement.metrics["macro_f1"] == pytest.approx((1 + 2 / 3) / 2)
    assert judgement.per_class[3] == {"precision": 0, "recall": 0, "f1": 0, "support": 0}
    assert judgement.value == judgement.metrics[metric]
    assert json.loads(json.dumps(asdict(judgement), allow_nan=False)) == asdict(judgement)


@pytest.mark.filterwarnings("error")
def test_labels_of_one_class() -> None:
    judgement = score(logits_for([1, 1], 3), [1, 1], "accuracy", 3)
    assert judgement.metrics["roc_auc"] is None
    assert judgement.metrics["quadratic_kappa"] is None
    with pytest.raises(DataError, match="roc_auc is undefined"):
        score(logits_for([1, 1], 3), [1, 1], "roc_auc", 3)


@pytest.mark.parametrize(
    ("logits", "labels"),
    [
        (np.zeros((2, 3)), [0]),
        (np.zeros((2, 2)), [0, 1]),
        (np.zeros((0, 3)), []),
        (np.array([[0, np.nan, 0]]), [0]),
        (np.array([[0, np.inf, 0]]), [0]),
        (np.zeros((1, 3)), [3]),
        (np.zeros((1, 3)), [-1]),
    ],
)
def test_what_cannot_be_scored(logits: np.ndarray, labels: list[int]) -> None:
    with pytest.raises(ValueError, match=r"logits|labels"):
        score(logits, labels, "accuracy", 3)


@pytest.mark.filterwarnings("error")
@settings(max_examples=50, deadline=None)
@given(
    arrays(np.float32, (6, 3), elements=st.floats(-(2.0**127), 2.0**127, width=32)),
    st.lists(st.integers(0, 2), min_size=6, max_size=6).filter(lambda found: len(set(found)) > 1),
)
@example(np.array([[-1, 0, 1]] * 6, dtype=np.float32) * np.float32(3e38), [0, 1, 2] * 2)
def test_any_finite_logits_have_finite_scores_in_range(
    logits: np.ndarray, labels: list[int]
) -> None:
    for metric, value in score(logits, labels, "accuracy", 3).metrics.items():
        assert value is not None
        lowest = -1 if metric == "quadratic_kappa" else 0
        assert lowest <= value <= (1e3 if metric == "log_loss" else 1 + 1e-12)


def test_smallest_gain_is_exact_against_simulated_luck() -> None:
    """Two equally good pipelines differ by as much in about 5 of 100 comparisons, not more."""
    n, p, correlation = 500, 0.8, 0.5
    one_only = (1 - correlation) * p * (1 - p)
    rng = np.random.default_rng(0)
    counts = rng.multinomial(n, [one_only, one_only, 1 - 2 * one_only], size=20_000)
    gains = np.abs(counts[:, 0] - counts[:, 1]) / n
    assert 0.03 < (gains >= smallest_gain(n, p, correlation)).mean() < 0.055


def test_smallest_gain() -> None:
    assert smallest_gain(1000, 0.9) == 0.019
    assert smallest_gain(100, 1.0) == 0.06  # six images, however sure the accuracy looks
    assert standard_error(100, 0.5) == 0.05
    sizes = [smallest_gain(n, 0.8) for n in (50, 100, 400, 1600)]
    assert sizes == sorted(sizes, reverse=True)


def test_resolution_says_what_a_larger_share_would_bring() -> None:
    now, more = resolution(270, 0.15, 0.9)
    assert now == Resolution(270, 0.15, standard_error(270, 0.9), smallest_gain(270, 0.9))
    assert more == Resolution(540, 0.3, standard_error(540, 0.9), smallest_gain(540, 0.9))
    assert more.smallest_gain < now.smallest_gain

    _, more = resolution(800, 0.16, 0.9)
    assert (more.images, more.fraction) == (1000, 0.2) if more else False
    assert resolution(1000, 0.15, 0.9)[1] is None
    assert resolution(200, 0.3, 0.9)[1] is None
